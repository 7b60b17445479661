# SPDX-License-Identifier: Apache-2.0
"""What ends a calibration at once: silence, a way too far, and motion that nobody commanded.

Between two rests the angle must stay where the commands of the last 0.8 s can have brought it. Until an axis's sign is
known that is either side; the room grows with the way, because a link that loses commands changes how long each held.
"""

from __future__ import annotations

import math

from gremsy_gimbal_driver.calibration.calibration_parameters import Axis, CalibrationParameters, Pair
from gremsy_gimbal_driver.calibration.motion_record import MotionRecord
from gremsy_gimbal_driver.motion.instant import nanoseconds

# The slowest gimbal known answers after 250 ms (gimbal.md 1.9); a link that loses half of the commands adds to it.
_LATEST_ANSWER_NS = nanoseconds(0.8)
_ROOM_RAD = math.radians(1.5)
_ROOM_SHARE = 0.25
# A gain of 1.5 is no gimbal's; with the sign unknown nothing else is known either.
_LARGEST_GAIN = 1.5
_RUNAWAY = 3.0  # times the largest commanded rate
_IN_A_ROW = 2  # one bad attitude is no motion


class MotionWatch:
    """Checks every step; each check returns what is wrong, or ''."""

    def __init__(self, parameters: CalibrationParameters, record: MotionRecord, start_rad: Pair) -> None:
        self._parameters = parameters
        self._record = record
        self._start_rad = start_rad
        self._begun_ns = record.now.monotonic_ns
        self._signs = [0, 0]
        self._rests: list[tuple[int, float]] = [(record.now.ros_ns, angle) for angle in start_rad]
        self._stray = [0, 0]
        self._fast = 0

    def rests(self, axis: Axis, angle_rad: float) -> None:
        """The axis stands still there now."""
        self._rests[axis] = (self._record.now.ros_ns, angle_rad)
        self._stray[axis] = 0

    def sign_known(self, axis: Axis, sign: int) -> None:
        """From now on it must move to that side."""
        self._signs[axis] = sign

    def attitude(self, angles_rad: Pair, rates_rad_s: Pair) -> str:
        """An attitude came; what is wrong with it, or ''."""
        largest = _RUNAWAY * self._parameters.fastest_calibration_rad_s
        self._fast = self._fast + 1 if max(map(abs, rates_rad_s)) > largest else 0
        if self._fast >= _IN_A_ROW:
            return (
                f'the gimbal turns at more than {math.degrees(largest):.0f} deg/s, while at most '
                f'{math.degrees(self._parameters.fastest_calibration_rad_s):.0f} deg/s were commanded'
            )
        for axis in Axis:
            travel_rad = self._parameters.calibration_travel_rad
            if abs(angles_rad[axis] - self._start_rad[axis]) > travel_rad:
                return f'the {axis.word} left its bounds of {math.degrees(travel_rad):.0f} deg'
            self._stray[axis] = 0 if self._is_explained(axis, angles_rad[axis]) else self._stray[axis] + 1
            if self._stray[axis] >= _IN_A_ROW:
                return (
                    f'the {axis.word} moved in a way that was not commanded: keep the vehicle and the gimbal still, '
                    'and let nobody else control it'
                )
        return ''

    def silence(self) -> str:
        """Whether telemetry or the time has run out, or ''."""
        now_ns = self._record.now.monotonic_ns
        if now_ns - self._record.received_ns > nanoseconds(self._parameters.attitude_timeout_s):
            return f'no attitude came from the gimbal for {self._parameters.attitude_timeout_s:g} s'
        if now_ns - self._begun_ns > nanoseconds(self._parameters.calibration_deadline_s):
            return f'it took longer than {self._parameters.calibration_deadline_s:.0f} s'
        return ''

    def _is_explained(self, axis: Axis, angle_rad: float) -> bool:
        record = self._record
        rest_ns, rest_rad = self._rests[axis]
        moved = angle_rad - rest_rad
        # Before the rest the commands were other ones, but a window that reaches back there asks for no less room.
        since_ns = max(rest_ns, record.last_stamp_ns - _LATEST_ANSWER_NS)
        low, high = record.asked_range_rad(axis, since_ns, record.now.ros_ns)
        base = record.asked_rad(axis, rest_ns)
        low, high = min(low - base, 0.0), max(high - base, 0.0)
        if self._signs[axis] < 0:
            low, high = -high, -low
        elif self._signs[axis] == 0:
            high = max(high, -low)
            low = -high
        room = _ROOM_RAD + _ROOM_SHARE * record.path_rad(axis, rest_ns)
        return _LARGEST_GAIN * low - room <= moved <= _LARGEST_GAIN * high + room
