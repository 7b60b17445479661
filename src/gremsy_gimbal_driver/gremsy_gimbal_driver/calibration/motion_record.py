# SPDX-License-Identifier: Apache-2.0
"""What was asked of the gimbal and what it did, on the ROS clock: the calibration's memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from gremsy_gimbal_driver.calibration.calibration_fit import Array, StepRecord
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis, Pair
from gremsy_gimbal_driver.motion.instant import Instant


@dataclass(frozen=True, slots=True)
class _Asked:
    """From `at_ns` on a rate was asked; `before_rad` is the integral of all that was asked until then."""

    at_ns: int
    rate_rad_s: float
    before_rad: float


class MotionRecord:
    """Attitudes by their stamps, commanded rates by the time they were asked; begins at rest with one attitude."""

    def __init__(self, now: Instant, stamp_ns: int, angles_rad: Pair) -> None:
        self.now = now
        self._stamps = [stamp_ns]
        self._angles = ([angles_rad[0]], [angles_rad[1]])
        self.received_ns = now.monotonic_ns
        """When the newest attitude came, monotonic."""
        rest = _Asked(stamp_ns, 0.0, 0.0)
        self._asked: tuple[list[_Asked], list[_Asked]] = ([rest], [rest])

    @property
    def now_s(self) -> float:
        """On the monotonic clock: what waits are counted in."""
        return self.now.monotonic_ns * 1e-9

    @property
    def last_stamp_ns(self) -> int:
        """Of the newest attitude."""
        return self._stamps[-1]

    def attitude(self, stamp_ns: int, angles_rad: Pair, now: Instant) -> None:
        """An attitude came; one that is not newer than the last is left out."""
        if stamp_ns <= self.last_stamp_ns:
            return
        self._stamps.append(stamp_ns)
        for axis in Axis:
            self._angles[axis].append(angles_rad[axis])
        self.received_ns = now.monotonic_ns

    def ask(self, axis: Axis, rate_rad_s: float) -> None:
        """That rate is asked from now on."""
        asked = self._asked[axis]
        if rate_rad_s != asked[-1].rate_rad_s:
            now_ns = self.now.ros_ns
            asked.append(_Asked(now_ns, rate_rad_s, self.asked_rad(axis, now_ns)))

    def angle_rad(self, axis: Axis) -> float:
        """The newest."""
        return self._angles[axis][-1]

    def asked_rad(self, axis: Axis, at_ns: int) -> float:
        """The integral of the asked rate up to that time."""
        asked = self._asked[axis]
        last = asked[max(0, bisect_right(asked, at_ns, key=lambda each: each.at_ns) - 1)]
        return last.before_rad + last.rate_rad_s * max(0, at_ns - last.at_ns) * 1e-9

    def asked_range_rad(self, axis: Axis, from_ns: int, to_ns: int) -> Pair:
        """The least and the most of that integral between two times."""
        asked = self._asked[axis]
        first = bisect_left(asked, from_ns, key=lambda each: each.at_ns)
        last = bisect_right(asked, to_ns, key=lambda each: each.at_ns)
        values = [each.before_rad for each in asked[first:last]]
        values += [self.asked_rad(axis, from_ns), self.asked_rad(axis, to_ns)]
        return min(values), max(values)

    def path_rad(self, axis: Axis, from_ns: int) -> float:
        """The integral of the asked rate's amount since then."""
        asked = self._asked[axis]
        first = max(0, bisect_right(asked, from_ns, key=lambda each: each.at_ns) - 1)
        ends = [each.at_ns for each in asked[first + 1 :]] + [self.now.ros_ns]
        return sum(
            abs(each.rate_rad_s) * max(0, end - max(each.at_ns, from_ns)) * 1e-9
            for each, end in zip(asked[first:], ends, strict=True)
        )

    def window(self, axis: Axis, from_ns: int) -> tuple[Array, Array]:
        """Times (s since `from_ns`) and angles since then."""
        first = bisect_left(self._stamps, from_ns)
        times_s = np.array([(stamp - from_ns) * 1e-9 for stamp in self._stamps[first:]], dtype=np.float64)
        return times_s, np.array(self._angles[axis][first:], dtype=np.float64)

    def steps_since(self, axis: Axis, from_ns: int) -> StepRecord:
        """The attitudes and the changes of rate since then."""
        asked = self._asked[axis]
        first = bisect_left(asked, from_ns, key=lambda each: each.at_ns)
        steps = []
        for number in range(max(1, first), len(asked)):
            change = asked[number].rate_rad_s - asked[number - 1].rate_rad_s
            steps.append(((asked[number].at_ns - from_ns) * 1e-9, change))
        return StepRecord(*self.window(axis, from_ns), tuple(steps))
