# SPDX-License-Identifier: Apache-2.0
"""What was asked of the gimbal and what it did, on the ROS clock: the calibration's memory."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from gremsy_common.timing.timed_history import TimedHistory
from gremsy_gimbal_driver.calibration.calibration_fit import Array, StepRecord
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import Pair

# Attitudes of some minutes at any rate that a gimbal can send.
_MOST = 100_000


class MotionRecord:
    """Attitudes by their stamps, commanded rates by the time they were asked; begins at rest with one attitude."""

    def __init__(self, now: Instant, stamp_ns: int, angles_rad: Pair) -> None:
        self.now = now
        self.received_ns = now.monotonic_ns
        """When the newest attitude came, monotonic."""
        self.last_stamp_ns = stamp_ns
        self.angles_rad = angles_rad
        """Of the newest attitude."""
        self._attitudes: TimedHistory[Pair] = TimedHistory(most=_MOST)
        self._attitudes.put(stamp_ns, angles_rad)
        self._asked: tuple[TimedHistory[float], TimedHistory[float]] = (TimedHistory(), TimedHistory())
        for asked in self._asked:
            asked.put(stamp_ns, 0.0)

    @property
    def now_s(self) -> float:
        """On the monotonic clock: what waits are counted in."""
        return self.now.monotonic_ns * 1e-9

    def attitude(self, stamp_ns: int, angles_rad: Pair, now: Instant) -> None:
        """An attitude came; one that is not newer than the last is left out."""
        if stamp_ns > self.last_stamp_ns:
            self._attitudes.put(stamp_ns, angles_rad)
            self.last_stamp_ns, self.angles_rad, self.received_ns = stamp_ns, angles_rad, now.monotonic_ns

    def ask(self, rates_rad_s: Pair) -> None:
        """These rates are asked from now on."""
        for asked, rate_rad_s in zip(self._asked, rates_rad_s, strict=True):
            if rate_rad_s != asked.newest:
                asked.put(self.now.ros_ns, rate_rad_s)

    def asked_rad(self, axis: Axis, from_ns: int, to_ns: int) -> float:
        """The integral of the asked rate between two times."""
        return sum(self._turns(axis, from_ns, to_ns))

    def asked_range_rad(self, axis: Axis, from_ns: int, since_ns: int) -> Pair:
        """The least and the most of the integral from `from_ns` on, of all times between `since_ns` and now."""
        begin_rad = self.asked_rad(axis, from_ns, since_ns)
        values = list(accumulate(self._turns(axis, since_ns, self.now.ros_ns), initial=begin_rad))
        return min(values), max(values)

    def path_rad(self, axis: Axis, from_ns: int) -> float:
        """The integral of the asked rate's amount since then."""
        return sum(map(abs, self._turns(axis, from_ns, self.now.ros_ns)))

    def window(self, axis: Axis, from_ns: int) -> tuple[Array, Array]:
        """Times (s since `from_ns`) and angles since then."""
        held = self._attitudes.held_since(from_ns)
        since = [((stamp_ns - from_ns) * 1e-9, angles[axis]) for stamp_ns, angles in held if stamp_ns >= from_ns]
        times_s, angles_rad = np.array(since, dtype=np.float64).reshape(-1, 2).T
        return times_s, angles_rad

    def steps_since(self, axis: Axis, from_ns: int) -> StepRecord:
        """The attitudes and the changes of rate since then."""
        asked = self._asked[axis].held_since(from_ns - 1)
        steps = tuple(((at_ns - from_ns) * 1e-9, rate - before) for (_, before), (at_ns, rate) in pairwise(asked))
        return StepRecord(*self.window(axis, from_ns), steps)

    def _turns(self, axis: Axis, from_ns: int, to_ns: int) -> list[float]:
        """The rotations that were asked between two times, one for each rate that held in between."""
        asked = self._asked[axis].held_since(from_ns)
        ends_ns = [at_ns for at_ns, _ in asked[1:]] + [to_ns]
        return [
            rate * max(0, min(end_ns, to_ns) - max(at_ns, from_ns)) * 1e-9
            for (at_ns, rate), end_ns in zip(asked, ends_ns, strict=True)
        ]
