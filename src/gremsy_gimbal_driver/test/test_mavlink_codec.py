# SPDX-License-Identifier: Apache-2.0
"""Bytes to believable events and back, held against pymavlink's own encoder and parser."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink_decoder import Decoder
from gremsy_gimbal_driver.mavlink_dialect import CHECKSUM_EXTRA, dialect
from gremsy_gimbal_driver.mavlink_encoder import FLAGS_FOLLOW, Encoder
from gremsy_gimbal_driver.mavlink_events import (
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    Heartbeat,
    PayloadTelemetry,
    Sender,
    SystemStatus,
    ZoomReport,
)
from gremsy_gimbal_driver.mavlink_framing import Framer, checksum

OWN = Sender(1, 191)
GIMBAL = Sender(1, 154)


def packed(message, system: int = 1, component: int = 154, sequence: int = 0) -> bytes:
    mavlink = dialect.MAVLink(None, system, component)
    mavlink.seq = sequence
    return bytes(message.pack(mavlink))


def heartbeat(**sender: int) -> bytes:
    return packed(dialect.MAVLink_heartbeat_message(dialect.MAV_TYPE_GIMBAL, 8, 0, 0, 4, 3), **sender)


def attitude(q=(1.0, 0.0, 0.0, 0.0), rates=(0.1, 0.2, 0.3), boot_ms: int = 1234, **sender: int) -> bytes:
    message = dialect.MAVLink_gimbal_device_attitude_status_message(0, 0, boot_ms, 12, list(q), *rates, 0)
    return packed(message, **sender)


def decoder() -> Decoder:
    made = Decoder(OWN)
    made.feed(heartbeat())
    return made


def parsed_by_pymavlink(data: bytes):
    return dialect.MAVLink(None).parse_buffer(data)[0]


def test_checksum_has_the_published_check_value():
    assert checksum(b'123456789') == 0x6F91  # CRC-16/MCRF4XX in the CRC catalogue


def test_rate_command_is_284_with_nan_quaternion_and_the_rates():
    message = parsed_by_pymavlink(Encoder(OWN).rates(GIMBAL, (0.0, 0.2, -0.3)))
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
    value = checksum(bytes([99]), checksum(head[1:] + payload))
    assert Encoder(OWN).rates(GIMBAL, (0.0, 0.25, -0.5)) == head + payload + value.to_bytes(2, 'little')


def test_angle_command_is_284_with_the_quaternion_and_nan_rates():
    message = parsed_by_pymavlink(Encoder(OWN).attitude(GIMBAL, (1.0, 0.0, 0.0, 0.0)))
    assert list(message.q) == [1.0, 0.0, 0.0, 0.0]
    assert math.isnan(message.angular_velocity_x)
    assert math.isnan(message.angular_velocity_z)


def test_messages_are_numbered_in_order_and_are_version_2():
    encoder = Encoder(OWN)
    frames = [encoder.heartbeat() for _ in range(300)]
    assert {frame[0] for frame in frames} == {0xFD}
    assert [frame[4] for frame in frames] == [number % 256 for number in range(300)]


def test_requests_are_command_longs_to_the_gimbal():
    encoder = Encoder(OWN)
    interval = parsed_by_pymavlink(encoder.message_interval(GIMBAL, 285, 20000))
    assert (interval.command, interval.param1, interval.param2) == (511, 285.0, 20000.0)
    once = parsed_by_pymavlink(encoder.request_message(GIMBAL, 283))
    assert (once.command, once.param1, once.target_component) == (512, 283.0, 154)
    zoom = parsed_by_pymavlink(encoder.zoom_range(Sender(1, 100), 30.0))
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
    assert events[4:] == [PayloadTelemetry(Sender(1, 26), 'EO_ZOOM', 4.5), ZoomReport(Sender(1, 26), 4.5)]


@pytest.mark.parametrize('component', [154, 171, 175])
def test_the_first_gimbal_heard_is_learned_with_any_system_id(component):
    made = Decoder(OWN)
    assert made.gimbal is None
    assert made.feed(heartbeat(system=4, component=component)) == [Heartbeat(Sender(4, component), 26, 8, 4)]
    assert made.gimbal == Sender(4, component)
    made.feed(heartbeat(system=4, component=172))
    assert made.gimbal == Sender(4, component)


@pytest.mark.parametrize('component', [1, 26, 100, 153, 155, 170, 176, 191])
def test_no_other_component_is_taken_for_a_gimbal(component):
    made = Decoder(OWN)
    made.feed(heartbeat(component=component))
    assert made.gimbal is None


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
        (packed(dialect.MAVLink_debug_message(5, 0, math.nan), component=26), 'zoom_not_a_magnification'),
    ],
)
def test_what_cannot_be_believed_is_counted_and_dropped(data, reason):
    made = decoder()
    assert made.feed(data) == []
    assert dict(made.rejects) == {reason: 1}


def test_attitude_before_any_heartbeat_is_refused():
    made = Decoder(OWN)
    assert made.feed(attitude()) == []
    assert dict(made.rejects) == {'before_a_heartbeat': 1}


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
        value = checksum(bytes([CHECKSUM_EXTRA[285]]), checksum(bytes(frame[1:-2])))
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
