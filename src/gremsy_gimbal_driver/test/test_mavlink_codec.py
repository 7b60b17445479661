# SPDX-License-Identifier: Apache-2.0
"""Bytes to believable events and back, held against pymavlink's own encoder and parser."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.component_register import SILENCE_NS, ComponentRegister, kind_of
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA, dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import FLAGS_FOLLOW, MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    TELEMETRY_NAMES,
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    ExtendedParameter,
    Heartbeat,
    IncomingCommand,
    MountStatus,
    ParameterValue,
    PayloadTelemetry,
    RawImu,
    Sender,
    StatusText,
    SystemStatus,
)
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer, checksum
from gremsy_gimbal_driver.payload.camera_commands import zoom_range

OWN = Sender(1, 191)
GIMBAL = Sender(1, 154)


def packed(message, system: int = 1, component: int = 154, sequence: int = 0) -> bytes:
    mavlink = dialect.MAVLink(None, system, component)
    mavlink.seq = sequence
    return bytes(message.pack(mavlink))


def heartbeat(**sender: int) -> bytes:
    return packed(dialect.MAVLink_heartbeat_message(dialect.MAV_TYPE_GIMBAL, 8, 0, 0, 4, 3), **sender)


def attitude(
    q=(1.0, 0.0, 0.0, 0.0), rates=(0.1, 0.2, 0.3), boot_ms: int = 1234, flags=12, delta_yaw=0.0, **sender: int
) -> bytes:
    message = dialect.MAVLink_gimbal_device_attitude_status_message(0, 0, boot_ms, flags, list(q), *rates, 0, delta_yaw)
    return packed(message, **sender)


def orientation(roll: float, pitch: float, yaw: float, absolute: float = 0.0, **sender: int) -> bytes:
    return packed(dialect.MAVLink_mount_orientation_message(77, roll, pitch, yaw, absolute), **sender)


def parameter(name: str, value: float = 7.0, **sender: int) -> bytes:
    return packed(dialect.MAVLink_param_value_message(name.encode(), value, 4, 70, 3), **sender)


def extended(name: bytes, raw: bytes, result: int | None = None, **sender: int) -> bytes:
    raw = raw.ljust(128, b'\0')
    if result is None:
        return packed(dialect.MAVLink_param_ext_value_message(name, raw, 5, 40, 3), **sender)
    return packed(dialect.MAVLink_param_ext_ack_message(name, raw, 5, result), **sender)


def text(chunk: bytes, text_id: int = 0, number: int = 0, **sender: int) -> bytes:
    return packed(dialect.MAVLink_statustext_message(6, chunk, text_id, number), **sender)


def decoder() -> MavlinkDecoder:
    made = MavlinkDecoder(OWN)
    made.feed(heartbeat())
    return made


def parsed_by_pymavlink(data: bytes):
    return dialect.MAVLink(None).parse_buffer(data)[0]


def test_checksum_has_the_published_check_value():
    assert checksum(b'123456789') == 0x6F91  # CRC-16/MCRF4XX in the CRC catalogue


def test_rate_command_is_284_with_nan_quaternion_and_the_rates():
    message = parsed_by_pymavlink(MavlinkEncoder(OWN).motion(GIMBAL, (0.0, 0.2, -0.3)))
    assert message.get_type() == 'GIMBAL_DEVICE_SET_ATTITUDE'
    assert (message.get_srcSystem(), message.get_srcComponent()) == (1, 191)
    assert (message.target_system, message.target_component, message.flags) == (1, 154, FLAGS_FOLLOW)
    assert all(map(math.isnan, message.q))
    rates = (message.angular_velocity_x, message.angular_velocity_y, message.angular_velocity_z)
    assert rates == pytest.approx((0.0, 0.2, -0.3))


def test_rate_command_has_these_very_bytes():
    # Made by hand from the wire format, so that not even the dialect is trusted: header, then the payload
    # q[4], x, y, z (floats), flags (uint16), target system and component, then the checksum with CRC_EXTRA 99.
    payload = np.array([np.nan] * 4 + [0.0, 0.25, -0.5], dtype='<f4').tobytes() + bytes([12, 0, 1, 154])
    head = bytes([0xFD, 32, 0, 0, 0, 1, 191, 0x1C, 0x01, 0x00])
    value = checksum(head[1:] + payload + bytes([99]))
    assert MavlinkEncoder(OWN).motion(GIMBAL, (0.0, 0.25, -0.5)) == head + payload + value.to_bytes(2, 'little')


def test_angle_command_is_284_with_the_quaternion_and_nan_rates():
    message = parsed_by_pymavlink(MavlinkEncoder(OWN).motion(GIMBAL, q_frd_wxyz=(1.0, 0.0, 0.0, 0.0)))
    assert list(message.q) == [1.0, 0.0, 0.0, 0.0]
    assert math.isnan(message.angular_velocity_x)
    assert math.isnan(message.angular_velocity_z)


def test_messages_are_numbered_in_order_and_are_version_2():
    encoder = MavlinkEncoder(OWN)
    frames = [encoder.heartbeat() for _ in range(300)]
    assert {frame[0] for frame in frames} == {0xFD}
    assert [frame[4] for frame in frames] == [number % 256 for number in range(300)]


def test_requests_are_command_longs_to_the_gimbal():
    encoder = MavlinkEncoder(OWN)
    interval = parsed_by_pymavlink(encoder.command(GIMBAL, 511, 285.0, 20000.0))
    assert (interval.command, interval.param1, interval.param2) == (511, 285.0, 20000.0)
    once = parsed_by_pymavlink(encoder.command(GIMBAL, 512, 283.0))
    assert (once.command, once.param1, once.target_component) == (512, 283.0, 154)
    zoom = parsed_by_pymavlink(zoom_range(Sender(1, 100), 30.0).pack(encoder))
    assert (zoom.command, zoom.param1, zoom.param2, zoom.target_component) == (531, 2.0, 30.0, 100)


def test_every_event_comes_out_with_its_values():
    ack = dialect.MAVLink_command_ack_message(511, 0, 0, 0, 1, 191)
    information = dialect.MAVLink_gimbal_device_information_message(
        5, b'GREMSY', b'MIO', b'', 7 | 8 << 8 | 9 << 16, 0, 0, 0, 0, -0.7, 0.7, -1.5, 0.5, -3.0, 3.0
    )
    status = dialect.MAVLink_sys_status_message(0, 0, 0, 0, 12100, -1, -1, 0, 0, 0x10, 0x01, 0, 0)
    zoom = packed(dialect.MAVLink_debug_message(5, 0, 4.5), component=26)
    data = attitude() + packed(ack) + packed(information) + packed(status) + zoom
    q = (1.0, 0.0, 0.0, 0.0)
    rates = tuple(float(np.float32(each)) for each in (0.1, 0.2, 0.3))
    events = decoder().feed(data)
    assert events[0] == AttitudeStatus(GIMBAL, 1234, 12, q, rates, 0)
    assert events[1] == CommandAck(GIMBAL, 511, 0)
    assert isinstance(events[2], DeviceInformation)
    assert (events[2].vendor, events[2].model, events[2].firmware) == ('GREMSY', 'MIO', (7, 8, 9))
    assert events[2].pitch_limits_rad == (-1.5, 0.5)
    assert events[3] == SystemStatus(GIMBAL, 0x10, 0x01, 12.1)
    assert events[4:] == [PayloadTelemetry(Sender(1, 26), 'EO_ZOOM', 4.5)]


def test_a_gimbals_other_messages_come_out_in_si_units():
    imu = dialect.MAVLink_raw_imu_message(9_000_000, 0, 4096, -8192, 328, 0, -656, 1, 2, 3)
    encoders = dialect.MAVLink_mount_status_message(0, 0, -23336, 182, 40000)
    command = dialect.MAVLink_command_long_message(1, 191, 512, 0, 148, *[0] * 6)
    busy = dialect.MAVLink_command_ack_message(42503, 5, 60, 0, 1, 191)
    data = b''.join(map(packed, (imu, encoders, command, busy))) + orientation(1.0, -90.0, 45.0, 270.0)
    measured, counts, wish, progress, mount = decoder().feed(data)
    assert isinstance(measured, RawImu)
    assert measured.acceleration_m_s2 == pytest.approx((0.0, 9.80665 / 2, -9.80665))
    assert measured.rates_rad_s == pytest.approx((math.radians(10), 0.0, math.radians(-20)))
    assert counts == MountStatus(GIMBAL, -23336, 182, 40000)
    assert wish == IncomingCommand(GIMBAL, 512)
    assert progress == CommandAck(GIMBAL, 42503, 5, 60)
    angles = (mount.roll_rad, mount.pitch_rad, mount.yaw_rad, mount.yaw_absolute_rad)
    assert angles == pytest.approx([math.radians(each) for each in (1, -90, 45, 270)])


def test_what_a_device_does_not_know_is_nan_and_not_a_number_that_looks_known():
    status = dialect.MAVLink_sys_status_message(0, 0, 0, 0, 0xFFFF, -1, -1, 0, 0, 0, 0, 0, 0)
    power, mount, without, with_delta = decoder().feed(
        packed(status) + orientation(0.5, 0.5, 0.5) + attitude(delta_yaw=1.5) + attitude(flags=0x4C, delta_yaw=1.5)
    )
    assert math.isnan(power.voltage_v)
    assert math.isnan(mount.yaw_absolute_rad)
    assert math.isnan(without.delta_yaw_rad)
    assert with_delta.delta_yaw_rad == 1.5


def test_a_delta_yaw_that_was_never_anything_but_zero_is_none():
    """MAVSDK's gimbal sets YAW_IN_VEHICLE_FRAME, PX4's YAW_IN_EARTH_FRAME; neither fills it in (foreign_gimbal.py)."""
    device = decoder()
    never = device.feed(attitude(flags=0x2C) + attitude(flags=0x40, boot_ms=1300))
    assert [math.isnan(each.delta_yaw_rad) for each in never] == [True, True]
    filled = device.feed(attitude(flags=0x2C, boot_ms=1400, delta_yaw=0.5) + attitude(flags=0x2C, boot_ms=1500))
    assert [each.delta_yaw_rad for each in filled] == [0.5, 0.0]


def test_one_axis_at_exactly_zero_is_an_orientation_and_three_are_none():
    assert len(decoder().feed(orientation(0.0, 0.0, 1e-6))) == 1
    assert decoder().feed(orientation(-0.0, 0.0, 0.0)) == []


def test_the_boards_telemetry_has_its_name_by_index_and_by_name():
    board = Sender(1, 26)
    by_index = packed(dialect.MAVLink_debug_message(5, 2, 123.5), component=26)
    by_name = parameter('TRK_STATUS', 1.0, component=26)
    assert decoder().feed(by_index + by_name) == [
        PayloadTelemetry(board, 'LRF_RANGE', 123.5),
        PayloadTelemetry(board, 'TRK_STATUS', 1.0),
    ]
    assert len(TELEMETRY_NAMES) == 28
    assert (TELEMETRY_NAMES[12], TELEMETRY_NAMES[24]) == ('TARGET_ALT', 'GB_MODE')


@pytest.mark.parametrize('value', [0, 1, 200, 256, 0xFF00, 0x01000000, 0xFFFFFFFF])
@pytest.mark.parametrize('result', [None, 0, 2])
def test_an_extended_parameter_keeps_every_byte(value, result):
    raw = value.to_bytes(4, 'little')
    (event,) = decoder().feed(extended(b'C_SOURCE', raw, result, component=100))
    # An acknowledgement has no place in the list.
    place = (3, 40) if result is None else ()
    assert event == ExtendedParameter(Sender(1, 100), 'C_SOURCE', raw.ljust(128, b'\0'), 5, result, *place)
    assert int.from_bytes(event.raw[:4], 'little') == value


def test_a_name_of_sixteen_characters_needs_no_terminator():
    (event,) = decoder().feed(parameter('ABCDEFGHIJKLMNOP'))
    assert event == ParameterValue(GIMBAL, 'ABCDEFGHIJKLMNOP', 7.0, 3, 70)


# Status texts.


def test_a_text_in_chunks_comes_out_whole_even_when_the_link_repeats_one():
    whole = '{"recording": true, "file": "' + 'ä' * 50 + '"}'
    data = whole.encode()
    chunks = [data[at : at + 50] for at in range(0, len(data), 50)]
    frames = [text(chunk, 9, number) for number, chunk in enumerate(chunks)]
    made = decoder()
    assert made.feed(b''.join([frames[0], frames[0], *frames[1:]])) == [StatusText(GIMBAL, 6, whole)]
    assert made.rejects == {}


def test_a_text_with_a_lost_chunk_is_dropped_and_counted():
    made = decoder()
    assert made.feed(text(b'a' * 50, 3, 0) + text(b'c', 3, 2) + text(b'whole')) == [StatusText(GIMBAL, 6, 'whole')]
    assert made.rejects == {'text_incomplete': 1}


def test_an_unfinished_text_gives_way_to_the_next_and_never_grows_without_end():
    made = decoder()
    assert made.feed(text(b'a' * 50, 3, 0) + text(b'b', 4, 0)) == [StatusText(GIMBAL, 6, 'b')]
    endless = b''.join(text(b'x' * 50, 5, number) for number in range(40))
    assert made.feed(endless) == []
    assert made.rejects['text_incomplete'] > 1


# Who speaks.


def test_gimbal_camera_and_board_are_learned_with_the_time_they_were_last_heard():
    made = MavlinkDecoder(OWN)
    made.feed(heartbeat(system=4, component=171), now_ns=10)
    made.feed(heartbeat(system=4, component=101), now_ns=20)
    made.feed(packed(dialect.MAVLink_debug_message(5, 0, 2.0), system=4, component=26), now_ns=30)
    made.feed(attitude(system=4, component=171), now_ns=40)
    parts = made.components
    assert (parts.gimbal, parts.camera, parts.payload) == (Sender(4, 171), Sender(4, 101), Sender(4, 26))
    assert made.components.last_ns == {Sender(4, 171): 40, Sender(4, 101): 20, Sender(4, 26): 30}
    assert kind_of(99) is kind_of(106) is kind_of(1) is None


def test_the_gimbals_own_camera_is_preferred_to_one_heard_earlier():
    made = MavlinkDecoder(OWN)
    made.feed(heartbeat(system=7, component=100))
    assert made.components.camera == Sender(7, 100)
    made.feed(heartbeat(system=1, component=154) + heartbeat(system=1, component=102))
    assert made.components.camera == Sender(1, 102)


def test_telemetry_of_another_systems_board_is_refused():
    made = decoder()
    made.feed(packed(dialect.MAVLink_debug_message(5, 0, 2.0), component=26))
    assert made.feed(packed(dialect.MAVLink_debug_message(5, 0, 9.0), system=2, component=26)) == []
    assert made.rejects == {'from_another_component': 1}


def test_a_silent_part_is_forgotten_and_a_pinned_gimbal_stays():
    for pinned, left in ((None, None), (GIMBAL, GIMBAL)):
        made = MavlinkDecoder(OWN, pinned)
        made.feed(heartbeat(), now_ns=100)
        made.feed(heartbeat(component=100), now_ns=200)
        assert made.components.forget_silent(SILENCE_NS + 150) == [GIMBAL]
        assert made.components.gimbal == left
        assert made.components.camera == Sender(1, 100)


@pytest.mark.parametrize('reopened', [False, True])
def test_that_a_gimbal_fills_delta_yaw_in_is_forgotten_with_it(reopened):
    made = decoder()
    with_frame = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
    made.feed(attitude(flags=with_frame, delta_yaw=0.5))
    (known,) = made.feed(attitude(flags=with_frame, boot_ms=1244))
    assert known.delta_yaw_rad == 0.0
    if reopened:
        made.cut()
    else:
        made.components.forget_silent(SILENCE_NS + 1)
        made.feed(heartbeat(), now_ns=SILENCE_NS + 2)
    (unknown,) = made.feed(attitude(flags=with_frame, boot_ms=1254), now_ns=SILENCE_NS + 3)
    assert math.isnan(unknown.delta_yaw_rad)


def test_two_links_share_one_register_and_the_second_gimbal_is_ours_only_after_the_firsts_silence():
    register = ComponentRegister()
    first, second = (MavlinkDecoder(OWN, components=register) for _ in range(2))
    first.feed(heartbeat(), now_ns=0)
    assert second.feed(heartbeat(component=171) + attitude(component=171), now_ns=1)[1:] == []
    assert (register.gimbal, dict(second.rejects)) == (GIMBAL, {'from_another_component': 1})
    second.feed(heartbeat(component=171), now_ns=SILENCE_NS)
    assert register.forget_silent(SILENCE_NS) == []
    assert register.forget_silent(SILENCE_NS + 1) == [GIMBAL]
    assert [type(event) for event in second.feed(attitude(component=171), now_ns=SILENCE_NS + 2)] == [AttitudeStatus]
    assert register.gimbal == Sender(1, 171)
    assert first.feed(attitude(), now_ns=SILENCE_NS + 3) == []


# Jumps.


def turned(angle: float) -> tuple[float, float, float, float]:
    return (math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2))


@pytest.mark.parametrize(
    ('angle', 'after_ms', 'believed'),
    [(0.21, 20, True), (0.22, 20, False), (3.0, 500, True), (0.0, 1000, True), (0.0, 1001, False), (0.0, -400, True)],
)
def test_an_attitude_that_no_camera_could_have_come_to_is_held_back(angle, after_ms, believed):
    made = decoder()
    made.feed(attitude(boot_ms=60_000))
    assert len(made.feed(attitude(turned(angle), boot_ms=60_000 + after_ms))) == believed
    assert made.rejects['attitude_jumped'] == (not believed)
    # The true one behind it is heard.
    angle = angle if believed else 0.0
    assert len(made.feed(attitude(turned(angle), boot_ms=60_000 + (after_ms if believed else 40)))) == 1


def test_a_restarted_gimbal_is_heard_with_its_second_message():
    made = decoder()
    made.feed(attitude(boot_ms=5_000_000))
    heard = [len(made.feed(attitude(turned(2.0), boot_ms=boot_ms))) for boot_ms in (100, 120, 140)]
    assert heard == [0, 1, 1]


def test_a_clock_that_goes_round_or_counts_microseconds_stops_nothing():
    made = decoder()
    made.feed(attitude(boot_ms=2**32 - 10))
    assert len(made.feed(attitude(boot_ms=10))) == 1
    heard = sum(len(made.feed(attitude(boot_ms=20_000 * number))) for number in range(1, 101))
    assert heard >= 50


# Frames.


def test_missed_frames_are_counted_by_their_numbers_and_repeats_are_not():
    made = decoder()
    for number in (254, 255, 0, 1, 1, 4):
        made.feed(attitude(sequence=number, boot_ms=number + 1000))
    # 253 between the heartbeat (0) and 254 is more than a gap: numbers that go back.
    assert made.framing_counts['missed_frames'] == 2


def test_a_signed_frame_is_counted():
    frame = bytearray(attitude())
    frame[2] = 1
    value = checksum(bytes(frame[1:-2]) + bytes([CHECKSUM_EXTRA[285]]))
    made = decoder()
    made.feed(bytes(frame[:-2]) + value.to_bytes(2, 'little') + bytes(13))
    assert made.framing_counts['signed_frames'] == 1


@pytest.mark.parametrize('component', [154, 171, 175])
def test_the_first_gimbal_heard_is_learned_with_any_system_id(component):
    made = MavlinkDecoder(OWN)
    assert made.components.gimbal is None
    assert made.feed(heartbeat(system=4, component=component)) == [Heartbeat(Sender(4, component), 26, 8, 4)]
    assert made.components.gimbal == Sender(4, component)
    made.feed(heartbeat(system=4, component=172))
    assert made.components.gimbal == Sender(4, component)


@pytest.mark.parametrize('component', [1, 26, 100, 153, 155, 170, 176, 191])
def test_no_other_component_is_taken_for_a_gimbal(component):
    made = MavlinkDecoder(OWN)
    made.feed(heartbeat(component=component))
    assert made.components.gimbal is None


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (attitude(q=(math.nan, 0, 0, 0)), 'attitude_not_finite'),
        (attitude(q=(math.inf, 0, 0, 0)), 'attitude_not_finite'),
        (attitude(q=(0, 0, 0, 0)), 'attitude_not_unit'),
        (attitude(q=(0.98, 0, 0, 0)), 'attitude_not_unit'),
        (attitude(q=(1.02, 0, 0, 0)), 'attitude_not_unit'),
        (attitude(component=171), 'from_another_component'),
        (attitude(system=2), 'from_another_component'),
        (packed(dialect.MAVLink_command_ack_message(511, 0, 0, 0, 1, 190)), 'acknowledgement_for_another'),
        (packed(dialect.MAVLink_command_long_message(1, 190, 512, 0, *[0] * 7)), 'command_for_another'),
        (attitude(rates=(0.0, math.inf, 0.0)), 'attitude_rate_impossible'),
        (attitude(rates=(0.0, 0.0, -20.1)), 'attitude_rate_impossible'),
        (attitude(flags=0x2C, delta_yaw=6.3), 'attitude_delta_yaw_impossible'),
        (orientation(0.0, 0.0, 0.0, 33.0), 'orientation_zero_triple'),
        (orientation(math.nan, 1.0, 2.0), 'orientation_not_finite'),
        (orientation(0.1, -math.inf, 2.0), 'orientation_not_finite'),
        (orientation(0.1, 0.1, 721.0), 'orientation_impossible'),
        (orientation(0.1, 0.2, 0.3, component=100), 'from_another_component'),
        (orientation(0.1, 0.2, 0.3, component=1), 'from_another_component'),
        (parameter('VERSION_X', component=1), 'from_another_component'),
        (parameter('VERSION_X', math.nan), 'parameter_unreadable'),
        (parameter(''), 'parameter_unreadable'),
        (packed(dialect.MAVLink_debug_message(5, 0, 0.0), component=26), 'zoom_not_a_magnification'),
        (packed(dialect.MAVLink_debug_message(5, 0, math.inf), component=26), 'telemetry_not_finite'),
        (packed(dialect.MAVLink_debug_message(5, 0, math.nan), component=26), 'telemetry_not_finite'),
        (packed(dialect.MAVLink_debug_message(5, 0, 0.5), component=26), 'zoom_not_a_magnification'),
        (packed(dialect.MAVLink_debug_message(5, 0, 0.99), component=26), 'zoom_not_a_magnification'),
        (packed(dialect.MAVLink_debug_message(5, 2, math.inf), component=26), 'telemetry_not_finite'),
        (packed(dialect.MAVLink_debug_message(5, 28, 1.0), component=26), 'telemetry_unknown'),
        (packed(dialect.MAVLink_debug_message(5, 0, 2.0), component=1), 'from_another_component'),
        (packed(dialect.MAVLink_statustext_message(6, b'PreArm'), component=1), 'from_another_component'),
        (extended(b'C_V_FV', b'', component=1), 'from_another_component'),
        (extended(b'\xff', b'', component=100), 'parameter_unreadable'),
    ],
)
def test_what_cannot_be_believed_is_counted_and_dropped(data, reason):
    made = decoder()
    assert made.feed(data) == []
    assert dict(made.rejects) == {reason: 1}


def test_a_gimbal_is_known_by_its_first_heartbeat_or_attitude_and_by_nothing_else():
    made = MavlinkDecoder(OWN)
    assert made.feed(orientation(1.0, 2.0, 3.0) + attitude(component=100)) == []
    assert (made.components.gimbal, dict(made.rejects)) == (None, {'before_a_heartbeat': 2})
    assert [type(event) for event in made.feed(attitude())] == [AttitudeStatus]
    assert made.components.gimbal == GIMBAL
    assert made.feed(heartbeat(system=2) + attitude(system=2))[1:] == []
    assert made.components.gimbal == GIMBAL


def test_rates_that_the_device_does_not_know_stay_nan():
    (event,) = decoder().feed(attitude(rates=(math.nan,) * 3))
    assert isinstance(event, AttitudeStatus)
    assert all(map(math.isnan, event.rates_frd_rad_s))


def test_a_frame_in_single_bytes_comes_out_once_at_its_last_byte():
    made = decoder()
    counts = [len(made.feed(bytes([byte]))) for byte in attitude()]
    assert counts == [0] * (len(counts) - 1) + [1]


def test_a_lost_byte_costs_one_frame_only():
    frames = [attitude(boot_ms=number) for number in range(1, 4)]
    for lost in range(len(frames[1])):
        damaged = frames[1][:lost] + frames[1][lost + 1 :]
        events = decoder().feed(frames[0] + damaged + frames[2] + bytes(300))
        assert [event.time_boot_ms for event in events if isinstance(event, AttitudeStatus)] == [1, 3], lost


def test_a_cut_datagram_does_not_reach_into_the_next():
    made = decoder()
    assert made.feed(attitude()[:-5], datagram=True) == []
    assert len(made.feed(attitude(), datagram=True)) == 1


def test_a_signed_frame_is_read_and_an_unknown_incompatible_flag_is_not():
    frame = bytearray(attitude())
    for flags, count in ((0x01, 1), (0x02, 0)):
        frame[2] = flags
        value = checksum(bytes(frame[1:-2]) + bytes([CHECKSUM_EXTRA[285]]))
        assert len(decoder().feed(bytes(frame[:-2]) + value.to_bytes(2, 'little') + bytes(13))) == count


def test_random_bytes_raise_nothing_and_give_no_attitude():
    random = np.random.default_rng(11)
    made = decoder()
    for _ in range(200):
        chunk = random.integers(0, 256, random.integers(1, 600), dtype=np.uint8)
        chunk[random.random(len(chunk)) < 0.05] = 0xFD
        assert not [event for event in made.feed(chunk.tobytes()) if isinstance(event, AttitudeStatus)]


def test_corrupted_frames_raise_nothing_and_no_wrong_attitude_comes_out():
    random = np.random.default_rng(12)
    made = decoder()
    clean = attitude(boot_ms=777)
    seen = 0
    for _ in range(3000):
        frame = np.frombuffer(clean, dtype=np.uint8).copy()
        hits = random.integers(0, len(frame), random.integers(0, 4))
        frame[hits] ^= random.integers(1, 256, len(hits)).astype(np.uint8)
        for event in made.feed(frame.tobytes()):
            assert isinstance(event, AttitudeStatus)
            assert event.time_boot_ms == 777
            seen += 1
    assert seen > 500


def test_framer_agrees_with_pymavlink_on_every_message_of_the_dialect():
    framer = Framer(CHECKSUM_EXTRA)
    for number, kind in sorted(dialect.mavlink_map.items()):
        fields = [_sample(kind, name) for name in kind.fieldnames]
        (frame,) = framer.feed(packed(kind(*fields), system=3, component=9))
        assert (frame.message_id, frame.system, frame.component) == (number, 3, 9)


def _sample(kind, name):
    """A value that fits the field, whatever its type."""
    at = kind.ordered_fieldnames.index(name)
    length = kind.array_lengths[at]
    if kind.fieldtypes[kind.fieldnames.index(name)] == 'char':
        return b'a' * max(1, length)
    value = 1.5 if kind.fieldtypes[kind.fieldnames.index(name)] in ('float', 'double') else 1
    return [value] * length if length else value
