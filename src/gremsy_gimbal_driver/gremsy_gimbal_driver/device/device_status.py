# SPDX-License-Identifier: Apache-2.0
"""What a Gremsy's status, fault and failure bits mean in words, and whether the gimbal is in order.

The bits are those of gimbal.md 1.5. The vendor's SDK has branches that cannot be reached and overwrites sensor bits, so
every bit is read for itself here, and several may be reported at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gremsy_common.ros.diagnostics import Level
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, SystemStatus


@dataclass(frozen=True, slots=True)
class Condition:
    """The worst severity of what is reported, and all of it in words."""

    level: Level
    words: tuple[str, ...]

    def __str__(self) -> str:
        return ', '.join(self.words)


MOTORS_ON = 0x0010
FOLLOW = 0x0001

_Row = tuple[int, Level, str]

_STATUS: tuple[_Row, ...] = (
    (0x0002, Level.WARN, 'a motor missed steps'),
    (0x0004, Level.ERROR, 'sensor error'),
    (0x0008, Level.WARN, 'battery low'),
    (0x0020, Level.WARN, 'initialising motors'),
    (0x0040, Level.WARN, 'auto-tuning'),
    (0x0080, Level.OK, 'CAN link'),
    (0x0100, Level.WARN, 'searching home'),
    (0x0200, Level.WARN, 'setting home'),
    (0x0400, Level.WARN, 'calibrating sensors'),
    (0x0800, Level.WARN, 'starting up'),
    (0x1000, Level.OK, 'remote control'),
    (0x2000, Level.OK, 'inverted'),
    (0x4000, Level.ERROR, 'motor phase error'),
    (0x8000, Level.ERROR, 'motor angle error'),
)
_FAULTS: tuple[_Row, ...] = (
    (0x0001, Level.ERROR, 'IMU fault'),
    (0x0002, Level.ERROR, 'tilt motor fault'),
    (0x0004, Level.ERROR, 'roll motor fault'),
    (0x0008, Level.ERROR, 'pan motor fault'),
    (0x0010, Level.ERROR, 'joystick fault'),
    (0x0020, Level.ERROR, 'inverted-mounting fault'),
    (0x0040, Level.ERROR, 'pan found no home'),
    (0x0080, Level.ERROR, 'tilt angle fault'),
    (0x0100, Level.ERROR, 'roll angle fault'),
    (0x0200, Level.ERROR, 'pan angle fault'),
    (0x0400, Level.ERROR, 'tilt does not move'),
    (0x0800, Level.ERROR, 'roll does not move'),
    (0x1000, Level.ERROR, 'pan does not move'),
)
_FAILURES: tuple[_Row, ...] = (
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_ROLL_LIMIT, Level.WARN, 'at the roll limit'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_PITCH_LIMIT, Level.WARN, 'at the pitch limit'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_YAW_LIMIT, Level.WARN, 'at the yaw limit'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_ENCODER_ERROR, Level.ERROR, 'encoder error'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_POWER_ERROR, Level.ERROR, 'power error'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_MOTOR_ERROR, Level.ERROR, 'motor error'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_SOFTWARE_ERROR, Level.ERROR, 'software error'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_COMMS_ERROR, Level.ERROR, 'communication error'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_CALIBRATION_RUNNING, Level.WARN, 'calibrating'),
    (dialect.GIMBAL_DEVICE_ERROR_FLAGS_NO_MANAGER, Level.OK, 'no gimbal manager'),
)

# Older than this an attitude tells nothing about now (ArduPilot and rule R11 of gimbal.md take the same).
_ATTITUDE_AGE_LIMIT_S = 1.0


def status_condition(status_bits: int) -> Condition:
    """SYS_STATUS errors_count1: what the gimbal does."""
    motors = 'motors on' if status_bits & MOTORS_ON else 'motors off'
    mode = 'follow' if status_bits & FOLLOW else 'lock'
    rest = _condition(status_bits, _STATUS, MOTORS_ON | FOLLOW)
    return Condition(rest.level, (motors, mode, *rest.words))


def fault_condition(fault_bits: int) -> Condition:
    """SYS_STATUS errors_count2: what is broken. The vendor's SDK calls no gimbal running that has any bit set."""
    return _condition(fault_bits, _FAULTS)


def failure_condition(failure_flags: int) -> Condition:
    """285's failure flags."""
    return _condition(failure_flags, _FAILURES)


def health(
    information: DeviceInformation | None,
    attitude_age_s: float | None,
    failure_flags: int,
    status: SystemStatus | None,
) -> Condition:
    """R11 of gimbal.md: in order is a gimbal that has identified itself, whose attitude is fresh, without a fault.

    One that is not may still be moved: some never identify themselves. `status` is None before the first SYS_STATUS,
    in which only a Gremsy's bits mean this; `attitude_age_s` before the first attitude.
    """
    found: list[Condition] = []
    if attitude_age_s is None or attitude_age_s >= _ATTITUDE_AGE_LIMIT_S:
        age = 'no attitude yet' if attitude_age_s is None else f'no attitude for {attitude_age_s:.1f} s'
        found.append(Condition(Level.STALE, (age,)))
    found.append(failure_condition(failure_flags))
    if information is None or not information.is_foreign:
        if status is None:
            found.append(Condition(Level.WARN, ('no system status yet',)))
        else:
            found += fault_condition(status.fault_bits), _condition(status.status_bits, _STATUS, MOTORS_ON | FOLLOW)
    if information is None:
        found.append(Condition(Level.WARN, ('it has not reported its model',)))
    return _worst(found)


def _condition(bits: int, rows: Sequence[_Row], apart: int = 0) -> Condition:
    """The rows whose bit is set, and what is left over as a number; `apart` is reported elsewhere."""
    found = [Condition(level, (words,)) for bit, level, words in rows if bits & bit]
    rest = bits & ~apart
    for bit, _, _ in rows:
        rest &= ~bit
    if rest:
        found.append(Condition(Level.WARN, (f'unknown bits {rest:#x}',)))
    return _worst(found)


def _worst(conditions: Sequence[Condition]) -> Condition:
    level = max((each.level for each in conditions), default=Level.OK)
    return Condition(level, tuple(words for each in conditions for words in each.words))
