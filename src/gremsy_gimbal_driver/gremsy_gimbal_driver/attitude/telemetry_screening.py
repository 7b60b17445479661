# SPDX-License-Identifier: Apache-2.0
"""Attitudes that no gimbal can have: times and angles that jump. The last good one is kept, and each refusal counted.

A jump that is real (a reboot, a power-cycled yaw reference) must not shut the telemetry out for ever: what goes on
consistently with itself for a stated time is believed then. What one message alone gives away (zero triples, numbers
that are not finite) the decoder has refused already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gremsy_gimbal_driver.attitude.attitude_reading import AttitudeReading
from gremsy_gimbal_driver.motion.instant import nanoseconds

Array = NDArray[np.float64]

_MILLISECOND_NS = 1_000_000
# The reference offset may rise by this, above what crystals drift (`clock_mapping`: 200 ppm), so that a device clock
# that runs slow is not taken for one that jumps.
_OFFSET_LEAK = 1e-3
# time_boot_ms has 32 bits: 49.7 days.
_COUNTER_MS = 1 << 32


class Judgement(str, Enum):
    """What to do with a reading; the values of the refused ones are the names they are counted by."""

    GOOD = 'good'
    GOOD_ANEW = 'good_anew'  # a jump that lasted: what was known before is void
    NOT_NEWER = 'attitude_not_newer'
    TIME_JUMP = 'attitude_time_jump'
    ANGLE_JUMP = 'attitude_angle_jump'

    @property
    def is_good(self) -> bool:
        """Whether the reading may be used."""
        return self in (Judgement.GOOD, Judgement.GOOD_ANEW)


@dataclass(frozen=True, slots=True)
class ScreeningSettings:
    """What counts as a jump, and for how long.

    Attributes:
        time_jump_s: the device's clock against ours; the clock mapping begins anew at the same difference.
        time_hold_s: a new device time is believed after so long; a reboot costs that much telemetry.
        reach_rad_s: no gimbal turns faster: twice the 180 deg/s of the vendor's data sheets (gimbal.md 1.8).
        reach_margin_rad: on top, for noise; yaw was seen to jitter by 3 degrees at rest (gimbal.md 1.4).
        reach_s: a turn that was refused does not become possible by waiting longer than this for a better message.
        angle_hold_s: a new orientation is believed after so long, and any orientation after so long a silence; below
            the time without telemetry that stops motion.
    """

    time_jump_s: float = 1.0
    time_hold_s: float = 0.3
    reach_rad_s: float = math.radians(360.0)
    reach_margin_rad: float = math.radians(5.0)
    reach_s: float = 0.25
    angle_hold_s: float = 0.5


class TimeScreen:
    """Holds the device's clock against ours (monotonic).

    A message may be late by any time, but never early: the smallest offset of arrivals to device time is the bound.
    """

    def __init__(self, settings: ScreeningSettings) -> None:
        self._jump_ns = nanoseconds(settings.time_jump_s)
        self._hold_ns = nanoseconds(settings.time_hold_s)
        self._last_device_ns: int | None = None
        self._last_arrival_ns = 0
        self._least_offset_ns = 0
        self._candidate: tuple[int, int, int] | None = None  # offset, newest device time, device time of its first

    def judge(self, device_ns: int, arrival_ns: int) -> Judgement:
        """Whether this device time follows from the last; only a good one becomes the last."""
        offset = arrival_ns - device_ns
        if self._last_device_ns is None:
            return self._begin(device_ns, arrival_ns, Judgement.GOOD)
        leak = round(_OFFSET_LEAK * (arrival_ns - self._last_arrival_ns))
        backwards = device_ns < self._last_device_ns - self._jump_ns
        early = offset < self._least_offset_ns + leak - self._jump_ns
        if backwards or early:
            return self._jumped(device_ns, arrival_ns, offset)
        if device_ns <= self._last_device_ns:
            return Judgement.NOT_NEWER
        self._least_offset_ns = min(offset, self._least_offset_ns + leak)
        self._last_device_ns, self._last_arrival_ns, self._candidate = device_ns, arrival_ns, None
        return Judgement.GOOD

    def _jumped(self, device_ns: int, arrival_ns: int, offset: int) -> Judgement:
        if self._candidate is not None:
            candidate_offset, newest_ns, first_ns = self._candidate
            if abs(offset - candidate_offset) <= self._jump_ns and device_ns > newest_ns:
                self._candidate = (candidate_offset, device_ns, first_ns)
                if device_ns - first_ns >= self._hold_ns:
                    return self._begin(device_ns, arrival_ns, Judgement.GOOD_ANEW)
                return Judgement.TIME_JUMP
        self._candidate = (offset, device_ns, device_ns)
        return Judgement.TIME_JUMP

    def _begin(self, device_ns: int, arrival_ns: int, judgement: Judgement) -> Judgement:
        self._last_device_ns, self._last_arrival_ns = device_ns, arrival_ns
        self._least_offset_ns = arrival_ns - device_ns
        self._candidate = None
        return judgement


class AngleScreen:
    """Holds an orientation against the last good one: how far can a gimbal have turned since?"""

    def __init__(self, settings: ScreeningSettings) -> None:
        self._settings = settings
        self._hold_ns = nanoseconds(settings.angle_hold_s)
        self._last: tuple[int, Array] | None = None
        self._candidate: tuple[int, Array] | None = None
        self._candidate_since_ns = 0
        self._heard_ns = 0

    def forget(self) -> None:
        """What comes next need not follow from what was: another source, another yaw reference, a reboot."""
        self._last = self._candidate = None

    def judge(self, device_ns: int, quaternion_wxyz: Array) -> Judgement:
        """Whether this orientation can be; only a good one becomes the last."""
        here = (device_ns, quaternion_wxyz)
        silence_ns, self._heard_ns = device_ns - self._heard_ns, device_ns
        if self._last is None or silence_ns > self._hold_ns or self._is_near_the_last(here):
            self._last, self._candidate = here, None
            return Judgement.GOOD
        if self._candidate is None or not self._reaches(self._candidate, here, device_ns - self._candidate[0]):
            self._candidate_since_ns = device_ns
        self._candidate = here
        if device_ns - self._candidate_since_ns < self._hold_ns:
            return Judgement.ANGLE_JUMP
        self._last, self._candidate = here, None
        return Judgement.GOOD_ANEW

    def _is_near_the_last(self, here: tuple[int, Array]) -> bool:
        assert self._last is not None
        elapsed_ns = here[0] - self._last[0]
        if self._candidate is not None:
            elapsed_ns = min(elapsed_ns, nanoseconds(self._settings.reach_s))
        return self._reaches(self._last, here, elapsed_ns)

    def _reaches(self, before: tuple[int, Array], after: tuple[int, Array], elapsed_ns: int) -> bool:
        # Either sign of a quaternion is the same rotation.
        angle = 2 * math.acos(min(1.0, abs(float(before[1] @ after[1]))))
        return angle <= self._settings.reach_margin_rad + self._settings.reach_rad_s * elapsed_ns * 1e-9


class AttitudeScreen:
    """Both screens, for readings in the order of their arrival."""

    def __init__(self, settings: ScreeningSettings | None = None) -> None:
        settings = settings or ScreeningSettings()
        self._device_ms = 0
        self._time = TimeScreen(settings)
        self._angle = AngleScreen(settings)
        self._last: AttitudeReading | None = None

    def judge(self, reading: AttitudeReading, arrival_ns: int) -> Judgement:
        """`arrival_ns` is on the monotonic clock: a step of the ROS clock is not the device's doing."""
        # Of all times that the counter may mean the nearest to the last good one: garbage leaves no wrap behind.
        count = reading.time_boot_ms
        device_ms = count + _COUNTER_MS * round((self._device_ms - count) / _COUNTER_MS)
        device_ns = device_ms * _MILLISECOND_NS
        judgement = self._time.judge(device_ns, arrival_ns)
        if not judgement.is_good:
            return judgement
        self._device_ms = device_ms
        last = self._last
        elsewhere = last is not None and (last.source, last.yaw_frame) != (reading.source, reading.yaw_frame)
        if judgement is Judgement.GOOD_ANEW or elsewhere:
            self._angle.forget()
        turned = self._angle.judge(device_ns, reading.level_from_camera_wxyz)
        if not turned.is_good:
            return turned
        self._last = reading
        return Judgement.GOOD_ANEW if Judgement.GOOD_ANEW in (judgement, turned) else Judgement.GOOD
