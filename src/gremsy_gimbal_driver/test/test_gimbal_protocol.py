# SPDX-License-Identifier: Apache-2.0
"""Which bytes a motion and a mode become under either protocol, and which protocol a device gets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import matrix_from_quaternion
from gremsy_gimbal_driver.mavlink.gimbal_protocol import (
    PATIENCE_S,
    ProtocolChoice,
    ProtocolV1,
    ProtocolV2,
    mode_from_flags,
)
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    DeviceInformation,
    Heartbeat,
    MountOrientation,
    MountStatus,
    Sender,
)
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput

GIMBAL = Sender(4, 171)
ATTITUDE = AttitudeStatus(GIMBAL, 1, 12, (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0)
INFORMATION = DeviceInformation(GIMBAL, 'GREMSY', 'MIO', (7, 8, 9), (-1.0, 1.0), (-1.0, 1.0))
ORIENTATION = MountOrientation(GIMBAL, 1, 0.1, 0.2, 0.3, 0.4)
ENCODERS = MountStatus(GIMBAL, 1, 2, 3)
SECOND_NS = 1_000_000_000


def encoder() -> MavlinkEncoder:
    return MavlinkEncoder(Sender(1, 191))


def messages(packed: list[bytes]):
    return [dialect.MAVLink(None).parse_buffer(each)[0] for each in packed]


def parameters(message) -> list[float]:
    return [getattr(message, f'param{number}') for number in range(1, 8)]


# Protocol v2.


@pytest.mark.parametrize(
    ('mode', 'flags'),
    [
        (GimbalMode.FOLLOW, 0x0C),
        (GimbalMode.LOCK, 0x1C),
        (GimbalMode.OFF, 0x0D),
        (GimbalMode.HOME, 0x0E),
        (GimbalMode.MAPPING, 0x400C),
    ],
)
def test_v2_says_the_mode_in_every_message_and_reads_it_back(mode, flags):
    protocol = ProtocolV2(encoder())
    outputs = (
        MotionOutput(mode, assert_mode=True, rates_rad_s=(0.0, 0.0)),
        MotionOutput(mode, rates_rad_s=(0.3, 0.2)),
        MotionOutput(mode, angles_rad=(0.3, 0.2)),
    )
    for output in outputs:
        (message,) = messages(protocol.messages(output, GIMBAL))
        assert message.get_type() == 'GIMBAL_DEVICE_SET_ATTITUDE'
        assert (message.target_system, message.target_component, message.flags) == (4, 171, flags)
    assert mode_from_flags(flags) is mode


def test_v2_mode_alone_commands_no_motion():
    mode = MotionOutput(GimbalMode.LOCK, assert_mode=True, rates_rad_s=(0.0, 0.0))
    (message,) = messages(ProtocolV2(encoder()).messages(mode, GIMBAL))
    assert all(map(math.isnan, message.q))
    assert (message.angular_velocity_x, message.angular_velocity_y, message.angular_velocity_z) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ('flags', 'mode'),
    [
        (0x1F | 0x4000, GimbalMode.LOCK),
        (0x0F | 0x4000, GimbalMode.OFF),
        (0x0E | 0x4000, GimbalMode.HOME),
        (0x4000, GimbalMode.MAPPING),
        (0x0000, GimbalMode.FOLLOW),
        (0x20 | 0x80 | 0x200, GimbalMode.FOLLOW),
    ],
)
def test_read_back_follows_the_vendors_precedence(flags, mode):
    assert mode_from_flags(flags) is mode


def test_v2_angles_are_yaw_then_pitch_and_whole_at_nadir():
    random = np.random.default_rng(7)
    cases = [*random.uniform(-1.5, 1.5, (40, 2)), (-1.0, math.pi / 2), (3.0, math.pi / 2)]
    for azimuth, tilt in cases:
        output = MotionOutput(GimbalMode.FOLLOW, angles_rad=(azimuth, tilt))
        (message,) = messages(ProtocolV2(encoder()).messages(output, GIMBAL))
        expected = _about(2, -azimuth) @ _about(1, -tilt)
        assert matrix_from_quaternion(message.q) == pytest.approx(expected, abs=1e-6)
        assert math.isnan(message.angular_velocity_x)


def _about(axis: int, angle: float):
    """Right-handed turn about x, y or z."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(3)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


# Protocol v1.


def test_v1_rates_are_degrees_per_second_and_name_themselves_so():
    rates = MotionOutput(GimbalMode.LOCK, rates_rad_s=(math.radians(7), math.radians(-5)))
    (message,) = messages(ProtocolV1(encoder()).messages(rates, GIMBAL))
    assert (message.command, message.target_system, message.target_component) == (205, 4, 171)
    assert parameters(message) == pytest.approx([5, 0, -7, 0, 0, 2, 2])


def test_v1_angles_are_degrees_and_may_go_beyond_half_a_turn():
    angles = MotionOutput(GimbalMode.FOLLOW, angles_rad=(math.radians(-300), math.radians(100)))
    (message,) = messages(ProtocolV1(encoder()).messages(angles, GIMBAL))
    assert parameters(message) == pytest.approx([-100, 0, 300, 0, 0, 1, 2])


def test_v1_yaw_of_old_firmware_is_negated_and_nothing_else():
    new, old = ProtocolV1(encoder()), ProtocolV1(encoder(), yaw_sign=-1)
    rates = MotionOutput(GimbalMode.LOCK, rates_rad_s=(-0.3, -0.2))
    (today,), (before,) = (messages(each.messages(rates, GIMBAL)) for each in (new, old))
    assert before.param3 == -today.param3 != 0.0
    assert (before.param1, before.param2) == (today.param1, today.param2)


def test_v1_stop_is_the_same_bytes_under_either_sign():
    stop = MotionOutput(GimbalMode.LOCK, rates_rad_s=(0.0, 0.0))
    new, old = ProtocolV1(encoder()), ProtocolV1(encoder(), yaw_sign=-1)
    assert new.messages(stop, GIMBAL) == old.messages(stop, GIMBAL)


@pytest.mark.parametrize(
    ('mode', 'motors', 'p6', 'p7'),
    [
        (GimbalMode.OFF, 0, 0, 0),
        (GimbalMode.LOCK, 1, 0, 1),
        (GimbalMode.FOLLOW, 1, 0, 2),
        (GimbalMode.HOME, 1, 3, 4),
        (GimbalMode.MAPPING, 1, 13, 4),
    ],
)
def test_v1_modes_are_commands_of_their_own(mode, motors, p6, p7):
    output = MotionOutput(mode, assert_mode=True, rates_rad_s=(0.0, 0.0))
    made = messages(ProtocolV1(encoder()).messages(output, GIMBAL))
    first, second, _ = made
    # In the order in which they leave: a gap in the sequence counts as a loss.
    assert [each.get_seq() for each in made] == [0, 1, 2]
    assert (first.command, parameters(first)) == (31010, [0, 0, 0, 0, 0, 0, motors])
    assert (second.command, parameters(second)) == (31011, [0, 0, 0, 0, 0, p6, p7])


# The choice.


@pytest.mark.parametrize('event', [ATTITUDE, INFORMATION])
def test_285_or_283_make_it_v2_at_once_and_for_good(event):
    choice = ProtocolChoice(encoder())
    choice.on_event(event, 0)
    assert choice.settled
    for second in range(20):
        choice.on_event(ORIENTATION, second * SECOND_NS)
    assert choice.protocol.name == 'v2'


@pytest.mark.parametrize('event', [ORIENTATION, ENCODERS])
@pytest.mark.parametrize(('after_ns', 'name'), [(-1, 'v2'), (0, 'v1')])
def test_only_old_telemetry_for_three_seconds_makes_it_v1(event, after_ns, name):
    choice = ProtocolChoice(encoder())
    choice.on_event(event, 5 * SECOND_NS)
    choice.on_event(event, 5 * SECOND_NS + round(PATIENCE_S * SECOND_NS) + after_ns)
    assert (choice.protocol.name, choice.settled) == (name, name == 'v1')


def test_a_285_that_comes_late_still_makes_it_v2():
    choice = ProtocolChoice(encoder())
    for second in range(10):
        choice.on_event(ORIENTATION, second * SECOND_NS)
    assert choice.protocol.name == 'v1'
    choice.on_event(ATTITUDE, 11 * SECOND_NS)
    assert choice.protocol.name == 'v2'


def test_heartbeats_alone_settle_nothing_and_v2_is_assumed():
    choice = ProtocolChoice(encoder())
    for second in range(20):
        choice.on_event(Heartbeat(GIMBAL, 26, 8, 4), second * SECOND_NS)
    assert (choice.protocol.name, choice.settled) == ('v2', False)


@pytest.mark.parametrize(('name', 'events'), [('v1', [ATTITUDE] * 9), ('v2', [ORIENTATION] * 9)])
def test_an_override_stands_whatever_the_device_reports(name, events):
    choice = ProtocolChoice(encoder(), name)
    for second, event in enumerate(events):
        choice.on_event(event, second * SECOND_NS)
    choice.restart()
    assert (choice.protocol.name, choice.settled) == (name, True)


def test_another_device_is_judged_anew():
    choice = ProtocolChoice(encoder())
    choice.on_event(ATTITUDE, 0)
    choice.restart()
    assert not choice.settled
    choice.on_event(ORIENTATION, 10 * SECOND_NS)
    choice.on_event(ORIENTATION, 14 * SECOND_NS)
    assert choice.protocol.name == 'v1'
