# SPDX-License-Identifier: Apache-2.0
"""Every bit of gimbal.md 1.5 in words, and rule R11."""

from __future__ import annotations

import pytest

from gremsy_gimbal_driver.device import device_status
from gremsy_gimbal_driver.device.device_status import (
    Condition,
    Level,
    failure_condition,
    fault_condition,
    health,
    status_condition,
)
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, Sender, SystemStatus


@pytest.mark.parametrize(
    ('bits', 'level', 'words'),
    [
        (0x0000, Level.OK, 'motors off, lock'),
        (0x0011, Level.OK, 'motors on, follow'),
        (0x0010, Level.OK, 'motors on, lock'),
        (0x0012, Level.WARN, 'motors on, lock, a motor missed steps'),
        (0x0014, Level.ERROR, 'motors on, lock, sensor error'),
        (0x0019, Level.WARN, 'motors on, follow, battery low'),
        (0x0020, Level.WARN, 'motors off, lock, initialising motors'),
        (0x0040, Level.WARN, 'motors off, lock, auto-tuning'),
        (0x0080, Level.OK, 'motors off, lock, CAN link'),
        (0x0100, Level.WARN, 'motors off, lock, searching home'),
        (0x0200, Level.WARN, 'motors off, lock, setting home'),
        (0x0400, Level.WARN, 'motors off, lock, calibrating sensors'),
        (0x0800, Level.WARN, 'motors off, lock, starting up'),
        (0x1000, Level.OK, 'motors off, lock, remote control'),
        (0x2000, Level.OK, 'motors off, lock, inverted'),
        (0x4000, Level.ERROR, 'motors off, lock, motor phase error'),
        (0x8000, Level.ERROR, 'motors off, lock, motor angle error'),
        # The vendor's SDK says only one of several.
        (0xC006, Level.ERROR, 'motors off, lock, a motor missed steps, sensor error, motor phase error, '
                              'motor angle error'),
        (0x10010, Level.WARN, 'motors on, lock, unknown bits 0x10000'),
    ],
)  # fmt: skip
def test_status_bits(bits, level, words):
    condition = status_condition(bits)
    assert (condition.level, str(condition)) == (level, words)


@pytest.mark.parametrize(
    ('bits', 'words'),
    [
        (0x0001, 'IMU fault'),
        (0x0002, 'tilt motor fault'),
        (0x0004, 'roll motor fault'),
        (0x0008, 'pan motor fault'),
        (0x0010, 'joystick fault'),
        (0x0020, 'inverted-mounting fault'),
        (0x0040, 'pan found no home'),
        (0x0080, 'tilt angle fault'),
        (0x0100, 'roll angle fault'),
        (0x0200, 'pan angle fault'),
        (0x0400, 'tilt does not move'),
        (0x0800, 'roll does not move'),
        (0x1000, 'pan does not move'),
        # With the pan bit set the vendor's SDK forgets the others.
        (0x0007, 'IMU fault, tilt motor fault, roll motor fault'),
    ],
)
def test_fault_bits_are_errors(bits, words):
    condition = fault_condition(bits)
    assert (condition.level, str(condition)) == (Level.ERROR, words)


@pytest.mark.parametrize(
    ('flags', 'level', 'words'),
    [
        (0, Level.OK, ''),
        (1, Level.WARN, 'at the roll limit'),
        (2, Level.WARN, 'at the pitch limit'),
        (4, Level.WARN, 'at the yaw limit'),
        (8, Level.ERROR, 'encoder error'),
        (16, Level.ERROR, 'power error'),
        (32, Level.ERROR, 'motor error'),
        (64, Level.ERROR, 'software error'),
        (128, Level.ERROR, 'communication error'),
        (256, Level.WARN, 'calibrating'),
        (512, Level.OK, 'no gimbal manager'),
        (6 | 8, Level.ERROR, 'at the pitch limit, at the yaw limit, encoder error'),
        (1 << 20, Level.WARN, 'unknown bits 0x100000'),
    ],
)
def test_failure_flags(flags, level, words):
    condition = failure_condition(flags)
    assert (condition.level, str(condition)) == (level, words)


def test_no_bit_is_listed_twice():
    for rows in (device_status._STATUS, device_status._FAULTS, device_status._FAILURES):
        bits = [bit for bit, _, _ in rows]
        assert len(set(bits)) == len(bits)
        assert all(bit & (bit - 1) == 0 for bit in bits)


@pytest.mark.parametrize(
    ('information', 'age_s', 'failure', 'status', 'fault', 'level', 'words'),
    [
        (True, 0.05, 0, 0x11, 0, Level.OK, ''),
        (True, 0.99, 0, 0x11, 0, Level.OK, ''),
        (True, 1.0, 0, 0x11, 0, Level.STALE, 'no attitude for 1.0 s'),
        (True, None, 0, 0x11, 0, Level.STALE, 'no attitude yet'),
        (True, 0.05, 4, 0x11, 0, Level.WARN, 'at the yaw limit'),
        (True, 0.05, 32, 0x11, 0, Level.ERROR, 'motor error'),
        (True, 0.05, 0, 0x11, 0x10, Level.ERROR, 'joystick fault'),
        (True, 0.05, 0, 0x15, 0, Level.ERROR, 'sensor error'),
        (True, 0.05, 0, None, 0, Level.WARN, 'no system status yet'),
        (False, 0.05, 0, 0x11, 0, Level.WARN, 'it has not reported its model'),
        (False, 2.0, 8, None, 0, Level.STALE,
         'no attitude for 2.0 s, encoder error, no system status yet, it has not reported its model'),
        (False, 2.0, 8, 0x11, 1, Level.STALE,
         'no attitude for 2.0 s, encoder error, IMU fault, it has not reported its model'),
    ],
)  # fmt: skip
def test_health_is_information_fresh_attitude_and_no_fault(information, age_s, failure, status, fault, level, words):
    known = DeviceInformation(Sender(1, 154), 'GREMSY', 'MIO', (7, 9, 0), (-1.0, 1.0), (-1.0, 1.0))
    system = None if status is None else SystemStatus(known.sender, status, fault, 24.0)
    condition = health(known if information else None, age_s, failure, system)
    assert (condition.level, str(condition)) == (level, words)


def test_what_only_a_gremsy_puts_into_its_status_is_not_read_into_anothers():
    other = DeviceInformation(Sender(1, 154), 'PX4', 'Gazebo Gimbal', (1, 0, 0), (-1.0, 1.0), (-1.0, 1.0))
    system = SystemStatus(other.sender, 0x15, 0x10, 24.0)
    assert health(other, 0.05, 0, system) == health(other, 0.05, 0, None) == Condition(Level.OK, ())
    assert health(other, 0.05, 32, None) == Condition(Level.ERROR, ('motor error',))
