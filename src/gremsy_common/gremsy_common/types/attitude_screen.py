# SPDX-License-Identifier: Apache-2.0
"""Attitudes that no gimbal can have, by one table of limits for the driver and for whoever checks again.

What one message alone gives away (`fault_of`: numbers that are not finite, no rotation, impossible rates) is refused
where it is read. What only the message before gives away is a jump, of the device's clock or of the camera:

* `DamageGate` holds back one message: damage that passed its checksum;
* `AttitudeScreen` refuses jumps until they have lasted. A jump that is real (a reboot, a power-cycled yaw reference)
  must not shut the telemetry out for ever: what goes on consistently with itself for a stated time is believed then.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import Enum

from gremsy_common.geometry import Array

_MILLISECOND_NS = 1_000_000
# time_boot_ms has 32 bits: 49.7 days.
_COUNTER_MS = 1 << 32


@dataclass(frozen=True, slots=True)
class AttitudeLimits:
    """What an attitude can be, and how far the next can be from it.

    Attributes:
        norm_tolerance: float32 quaternions are unit to 1e-7, 16 bit ones to 1e-4; the rest is room for a device that
            does not renormalise.
        fastest_rad_s: the gyros' range (1000 deg/s, gimbal.md 1.4), a little over it for what a device computes.
        reach_rad_s: no gimbal turns faster: twice the 180 deg/s of the vendor's data sheets (gimbal.md 1.8).
        reach_margin_rad: on top, for noise; yaw was seen to jitter by 3 degrees at rest (gimbal.md 1.4).
        reach_s: a turn that was refused does not become possible by waiting longer than this for a better message.
        angle_hold_s: a new orientation is believed after so long, and any orientation after so long a silence; below
            the time without telemetry that stops motion.
        time_jump_s: the device's clock against ours; the clock mapping starts again at the same difference. On a link
            that loses 2 % of its bytes the slowest stream (10 Hz) has a longer gap once in thirty messages.
        time_hold_s: a new device time is believed after so long; a reboot costs that much telemetry.
        time_leak: the device's offset may rise by this share, above what crystals drift (`clock_mapping`: 200 ppm), so
            that a device clock that runs slow is not taken for one that jumps.
    """

    norm_tolerance: float = 0.002
    fastest_rad_s: float = 20.0
    reach_rad_s: float = math.radians(360.0)
    reach_margin_rad: float = math.radians(5.0)
    reach_s: float = 0.25
    angle_hold_s: float = 0.5
    time_jump_s: float = 1.0
    time_hold_s: float = 0.3
    time_leak: float = 1e-3


GIMBAL_LIMITS = AttitudeLimits()
"""Of a gimbal's attitudes, wherever they are checked."""

VEHICLE_LIMITS = AttitudeLimits(norm_tolerance=0.01)
"""Of a vehicle's: whoever feeds it may have rounded it to three digits."""


class AttitudeFault(str, Enum):
    """What one attitude alone gives away."""

    NOT_FINITE = 'not_finite'
    NOT_UNIT = 'not_unit'
    RATE_IMPOSSIBLE = 'rate_impossible'


class Judgement(str, Enum):
    """What to do with an attitude; the values of the refused ones are the names they are counted by."""

    GOOD = 'good'
    GOOD_AGAIN = 'good_again'  # a jump that lasted: what was known before is void
    NOT_NEWER = 'attitude_not_newer'
    TIME_JUMP = 'attitude_time_jump'
    ANGLE_JUMP = 'attitude_angle_jump'

    @property
    def is_good(self) -> bool:
        """Whether the attitude may be used."""
        return self in (Judgement.GOOD, Judgement.GOOD_AGAIN)


def fault_of(norm: float, rates_rad_s: Iterable[float], limits: AttitudeLimits = GIMBAL_LIMITS) -> AttitudeFault | None:
    """What is wrong with a quaternion of that norm and its rates; a rate that is NaN is only not known."""
    if not math.isfinite(norm):
        return AttitudeFault.NOT_FINITE
    if abs(norm - 1.0) > limits.norm_tolerance:
        return AttitudeFault.NOT_UNIT
    for rate in rates_rad_s:
        if abs(rate) > limits.fastest_rad_s:  # NaN is not larger
            return AttitudeFault.RATE_IMPOSSIBLE
    return None


def reaches(cosine: float, elapsed_s: float, limits: AttitudeLimits = GIMBAL_LIMITS) -> bool:
    """Whether a camera can have turned so far in that time.

    Args:
        cosine: product of the two unit quaternions; either sign of one is the same rotation.
        elapsed_s: from the one to the other.
        limits: of what turns.
    """
    turned_rad = 2.0 * math.acos(min(1.0, abs(cosine)))
    return turned_rad <= limits.reach_margin_rad + limits.reach_rad_s * elapsed_s


class DamageGate:
    """Holds back an attitude that no camera can have come to since the last one, but never two in a row.

    One damaged frame in 65,536 passes its checksum, and gimbals have sent garbage with a good one (gimbal.md 1.4). Of
    attitudes with four bits flipped and a checksum that fits, one in seven is more than 20 degrees or a second off and
    a unit quaternion all the same; with this, one in a thousand (`test_parser_fuzz`). A gimbal that restarted, or
    counts its time in another unit, passes with its next message; whether it is believed, `AttitudeScreen` decides.
    """

    def __init__(self, limits: AttitudeLimits = GIMBAL_LIMITS) -> None:
        self._limits = limits
        self._last: tuple[int, tuple[float, float, float, float]] | None = None
        self._held_back = False

    def forget(self) -> None:
        """The next one is the first."""
        self._last = None

    def passes(self, boot_ms: int, q_wxyz: tuple[float, float, float, float]) -> bool:
        """Whether this attitude can follow the last one; `q_wxyz` is a unit quaternion."""
        if self._last is not None and not self._held_back:
            last_ms, (w, x, y, z) = self._last
            half = _COUNTER_MS // 2  # the device's clock wraps
            elapsed_s = abs((boot_ms - last_ms + half) % _COUNTER_MS - half) * 1e-3
            cosine = w * q_wxyz[0] + x * q_wxyz[1] + y * q_wxyz[2] + z * q_wxyz[3]
            # Damage to the time is caught by the first, and excuses a turn of the camera up to it.
            if elapsed_s > self._limits.time_jump_s or not reaches(cosine, elapsed_s, self._limits):
                self._held_back = True
                return False
        self._last, self._held_back = (boot_ms, q_wxyz), False
        return True


class _TimeScreen:
    """Holds the device's clock against ours (monotonic).

    A message may be late by any time, but never early: the smallest offset of arrivals to device time is the bound.
    """

    def __init__(self, limits: AttitudeLimits) -> None:
        self._leak = limits.time_leak
        self._jump_ns = round(limits.time_jump_s * 1e9)
        self._hold_ns = round(limits.time_hold_s * 1e9)
        self._last_device_ns: int | None = None
        self._last_arrival_ns = 0
        self._least_offset_ns = 0
        self._candidate: tuple[int, int, int] | None = None  # offset, newest device time, device time of its first

    def judge(self, device_ns: int, arrival_ns: int) -> Judgement:
        """Whether this device time follows from the last; only a good one becomes the last."""
        offset = arrival_ns - device_ns
        if self._last_device_ns is None:
            return self._begin(device_ns, arrival_ns, Judgement.GOOD)
        leak = round(self._leak * (arrival_ns - self._last_arrival_ns))
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
                    return self._begin(device_ns, arrival_ns, Judgement.GOOD_AGAIN)
                return Judgement.TIME_JUMP
        self._candidate = (offset, device_ns, device_ns)
        return Judgement.TIME_JUMP

    def _begin(self, device_ns: int, arrival_ns: int, judgement: Judgement) -> Judgement:
        self._last_device_ns, self._last_arrival_ns = device_ns, arrival_ns
        self._least_offset_ns = arrival_ns - device_ns
        self._candidate = None
        return judgement


class _AngleScreen:
    """Holds an orientation against the last good one: how far can a gimbal have turned since?"""

    def __init__(self, limits: AttitudeLimits) -> None:
        self._limits = limits
        self._hold_ns = round(limits.angle_hold_s * 1e9)
        self._last: tuple[int, Array] | None = None
        self._candidate: tuple[int, Array] | None = None
        self._candidate_since_ns = 0
        self._arrived_ns = 0

    def forget(self) -> None:
        """What comes next need not follow from what was: another source, another yaw reference, a reboot."""
        self._last = self._candidate = None

    def judge(self, device_ns: int, quaternion_wxyz: Array) -> Judgement:
        """Whether this orientation can be; only a good one becomes the last."""
        here = (device_ns, quaternion_wxyz)
        silence_ns, self._arrived_ns = device_ns - self._arrived_ns, device_ns
        if self._last is None or silence_ns > self._hold_ns or self._is_near(self._last, here):
            self._last, self._candidate = here, None
            return Judgement.GOOD
        if self._candidate is None or not self._can_follow(self._candidate, here, math.inf):
            self._candidate_since_ns = device_ns
        self._candidate = here
        if device_ns - self._candidate_since_ns < self._hold_ns:
            return Judgement.ANGLE_JUMP
        self._last, self._candidate = here, None
        return Judgement.GOOD_AGAIN

    def _is_near(self, last: tuple[int, Array], here: tuple[int, Array]) -> bool:
        return self._can_follow(last, here, math.inf if self._candidate is None else self._limits.reach_s)

    def _can_follow(self, before: tuple[int, Array], after: tuple[int, Array], longest_s: float) -> bool:
        elapsed_s = min((after[0] - before[0]) * 1e-9, longest_s)
        return reaches(float(before[1] @ after[1]), elapsed_s, self._limits)


class AttitudeScreen:
    """Both screens, for attitudes in the order of their arrival."""

    def __init__(self, limits: AttitudeLimits = GIMBAL_LIMITS) -> None:
        self._device_ms = 0
        self._time = _TimeScreen(limits)
        self._angle = _AngleScreen(limits)
        self._frame: Hashable = None

    def judge(self, boot_ms: int, quaternion_wxyz: Array, arrival_ns: int, frame: Hashable) -> Judgement:
        """Whether an attitude is believed.

        Args:
            boot_ms: of the device's clock, of 32 bits.
            quaternion_wxyz: (4,) unit.
            arrival_ns: on the monotonic clock: a step of the ROS clock is not the device's doing.
            frame: where it comes from and where its azimuth counts from; across two of these no turn is held against
                an attitude.
        """
        # Of all times that the counter may mean the nearest to the last good one: garbage leaves no wrap behind.
        device_ms = boot_ms + _COUNTER_MS * round((self._device_ms - boot_ms) / _COUNTER_MS)
        device_ns = device_ms * _MILLISECOND_NS
        judgement = self._time.judge(device_ns, arrival_ns)
        if not judgement.is_good:
            return judgement
        self._device_ms = device_ms
        if judgement is Judgement.GOOD_AGAIN or self._frame != frame:
            self._angle.forget()
        turned = self._angle.judge(device_ns, quaternion_wxyz)
        if not turned.is_good:
            return turned
        self._frame = frame
        return Judgement.GOOD_AGAIN if Judgement.GOOD_AGAIN in (judgement, turned) else Judgement.GOOD
