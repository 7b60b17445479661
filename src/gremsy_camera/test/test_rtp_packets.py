# SPDX-License-Identifier: Apache-2.0
"""RTP packets made here by the RFCs, from pictures that PyAV's encoders and OpenCV made, read back."""

import itertools
import random
import struct
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gremsy_camera.streams.rtp_packets import PacketOrder, RtpPacket, take_apart
from gremsy_camera.streams.rtp_pictures import PictureAssembler
from gremsy_camera.streams.rtp_times import DecodingTimes
from gremsy_camera.streams.rtsp_messages import VideoTrack

MS = 1_000_000
START = b'\0\0\0\1'


def packet(sequence, arrived_ns=0, payload=b'x', timestamp=0, marker=False, gap=False):
    return RtpPacket(sequence % 65536, timestamp, marker, payload, arrived_ns, None, gap)


def wire(sequence=7, timestamp=9, payload=b'abc', marker=0, kind=96, extension=b'', padding=b'', contributors=0):
    first = 0x80 | (0x10 if extension else 0) | (0x20 if padding else 0) | contributors
    head = struct.pack('>BBHII', first, marker << 7 | kind, sequence, timestamp, 1) + b'\0' * 4 * contributors
    return head + extension + payload + padding


def test_a_packet_is_taken_apart():
    taken, kind = take_apart(wire(marker=1), 5)
    assert (taken.sequence, taken.timestamp, taken.marker, taken.payload, taken.arrived_ns) == (7, 9, True, b'abc', 5)
    assert kind == 96 and taken.onvif_ns is None


def test_contributors_extension_and_padding_are_left_out():
    """The extension is ONVIF's: NTP time, flags; 2^31 + 2^31 s of NTP are 2036-02-07 06:28:16."""
    extension = struct.pack('>HHIII', 0xABAC, 3, 0xE000_0000, 0x8000_0000, 0)
    taken, _ = take_apart(wire(extension=extension, padding=b'\0\0\3', contributors=2), 0)
    assert taken.payload == b'abc'
    assert taken.onvif_ns == (0xE000_0000 - 2_208_988_800) * 1_000_000_000 + 500_000_000


@given(st.binary(max_size=64))
def test_whatever_comes_is_a_packet_or_none(data):
    take_apart(data, 0)


def numbers(packets):
    return [(each.sequence, each.gap) for each in packets]


def test_packets_in_order_go_through_across_the_wrap():
    order = PacketOrder(20.0)
    got = [numbers(order.put(packet(sequence))) for sequence in (65534, 65535, 65536, 65537)]
    assert got == [[(65534, False)], [(65535, False)], [(0, False)], [(1, False)]]
    assert not order.counts


def test_a_late_packet_is_waited_for_and_put_in_its_place():
    order = PacketOrder(20.0)
    order.put(packet(1))
    assert order.put(packet(3)) == [] and order.holds_some
    assert numbers(order.put(packet(2, 19 * MS))) == [(2, False), (3, False)]
    assert order.counts == {'packets out of order': 1}


def test_a_packet_that_does_not_come_is_given_up_after_the_longest_delay_and_counted():
    order = PacketOrder(20.0)
    order.put(packet(1))
    order.put(packet(4))
    assert order.ready(20 * MS - 1) == []
    assert numbers(order.ready(20 * MS)) == [(4, True)]
    assert order.put(packet(2, 21 * MS)) == []
    assert order.counts == {'packets lost': 2, 'packets that came twice or too late': 1}


def test_over_tcp_nothing_is_waited_for():
    order = PacketOrder(0.0)
    order.put(packet(1))
    assert numbers(order.put(packet(3))) == [(3, True)]


def test_a_packet_that_comes_twice_is_left_out():
    order = PacketOrder(20.0)
    order.put(packet(1))
    assert order.put(packet(1)) == []
    order.put(packet(3))
    assert order.put(packet(3)) == []
    assert order.counts == {'packets that came twice or too late': 2}


def test_a_sender_that_starts_anew_is_followed():
    order = PacketOrder(20.0)
    order.put(packet(40_000))
    assert numbers(order.put(packet(7))) == [(7, True)]
    assert order.counts == {'streams that started anew': 1}


@settings(deadline=None)
@given(st.integers(0, 65535), st.randoms(use_true_random=False))
def test_any_order_within_the_delay_comes_out_in_order(first, generator):
    """Packets a ms apart, each up to 15 ms late."""
    late = sorted((place + generator.uniform(0, 15), place) for place in range(60))
    order, got = PacketOrder(20.0), []
    order.put(packet(first - 1))
    for now_ms, place in late:
        got += order.put(packet(first + place, round(now_ms * MS)))
    assert [each.sequence for each in got] == [(first + place) % 65536 for place in range(60)]


def track(encoding, size=(0, 0), **parameters):
    given_parameters = {name.replace('_', '-'): text for name, text in parameters.items()}
    return VideoTrack(encoding, 90_000, 96, 'rtsp://h/1', given_parameters, 0.0, size)


def assembled(track_, payloads, gaps=()):
    """One picture from its payloads."""
    assembler = PictureAssembler(track_)
    done = []
    for place, payload in enumerate(payloads):
        done += assembler.put(packet(place, payload=payload, marker=place == len(payloads) - 1, gap=place in gaps))
    return done, assembler.counts


def cut_264(unit, size):
    body = unit[1:]
    for start in range(0, len(body), size):
        ends = (0x80 if start == 0 else 0) | (0x40 if start + size >= len(body) else 0)
        yield bytes((unit[0] & 0xE0 | 28, ends | unit[0] & 0x1F)) + body[start : start + size]


def cut_265(unit, size):
    body = unit[2:]
    for start in range(0, len(body), size):
        ends = (0x80 if start == 0 else 0) | (0x40 if start + size >= len(body) else 0)
        yield bytes((unit[0] & 0x81 | 49 << 1, unit[1], ends | unit[0] >> 1 & 0x3F)) + body[start : start + size]


UNITS_264 = [b'\x67sps', b'\x68pps', b'\x65' + bytes(range(200)), b'\x65' + bytes(300)]
UNITS_265 = [b'\x40\x01vps', b'\x42\x01sps', b'\x44\x01pps', b'\x26\x01' + bytes(range(200))]


def joined(units, head):
    return head + b''.join(struct.pack('>H', len(unit)) + unit for unit in units)


def test_h264_whole_joined_and_cut_units_become_one_picture():
    payloads = [joined(UNITS_264[:2], b'\x78'), UNITS_264[2], *cut_264(UNITS_264[3], 64)]
    (picture,), counts = assembled(track('H264'), payloads)
    assert picture.data == b''.join(START + unit for unit in UNITS_264)
    assert picture.key and picture.whole and not counts


def test_h265_whole_joined_and_cut_units_become_one_picture():
    payloads = [joined(UNITS_265[:2], b'\x60\x01'), UNITS_265[2], *cut_265(UNITS_265[3], 64)]
    (picture,), counts = assembled(track('H265'), payloads)
    assert picture.data == b''.join(START + unit for unit in UNITS_265)
    assert picture.key and picture.whole and not counts


def test_parameter_sets_of_the_description_go_before_a_key_frame_that_has_none():
    """'Z3Nwcw==' and 'aHBwcw==' are b'gspps'-like units in base 64: 0x67 and 0x68 begin them."""
    (picture,), _ = assembled(track('H264', sprop_parameter_sets='Z3Nwcw==,aHBwcw==,!'), [b'\x65slice'])
    assert picture.data == START + b'gspps'[:1] + b'sps' + START + b'hpps' + START + b'\x65slice'
    (picture,), _ = assembled(track('H264', sprop_parameter_sets='Z3Nwcw=='), [b'\x41slice'])
    assert picture.data == START + b'\x41slice' and not picture.key


@pytest.mark.parametrize('lost', [0, 2, 4])
def test_a_picture_with_a_hole_is_not_whole(lost):
    payloads = list(cut_264(UNITS_264[3], 64))
    gap = lost
    del payloads[lost]
    done, _ = assembled(track('H264'), payloads, gaps=(gap,) if gap < len(payloads) else ())
    assert all(not picture.whole for picture in done)


def test_a_lost_marker_ends_the_picture_with_the_next_ones_first_packet():
    assembler = PictureAssembler(track('H264'))
    assert assembler.put(packet(1, payload=b'\x65a', timestamp=0)) == []
    first, second = assembler.put(packet(3, payload=b'\x41b', timestamp=3000, marker=True, gap=True))
    assert (first.timestamp, first.whole, second.timestamp) == (0, False, 3000)


@given(st.sampled_from(['H264', 'H265', 'JPEG']), st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_the_payloads_are_there_is_a_picture_or_none(encoding, payloads):
    assembled(track(encoding), payloads)


def jpeg_payloads(image, quality, size, restart=0):
    """RFC 2435 with the tables in the first packet, from what libjpeg wrote."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    ok, data = cv2.imencode('.jpg', image, options)
    assert ok
    data, place, tables, scan = data.tobytes(), 2, {}, b''
    while True:
        marker, length = data[place + 1], struct.unpack_from('>H', data, place + 2)[0]
        body = data[place + 4 : place + 2 + length]
        place += 2 + length
        if marker == 0xDB:
            while body:
                tables[body[0]] = body[1:65]
                body = body[65:]
        if marker == 0xDA:
            scan = data[place:]
            break
    height, width = image.shape[:2]
    extra = struct.pack('>HH', restart, 0xFFFF) if restart else b''
    for start in range(0, len(scan), size):
        head = (
            struct.pack('>I', start) + bytes((65 if restart else 1, 255, (width + 7) // 8, (height + 7) // 8)) + extra
        )
        quantisation = struct.pack('>HH', 0, 128) + tables[0] + tables[1] if start == 0 else b''
        yield head + quantisation + scan[start : start + size]


def scene(width, height):
    generator = np.random.default_rng(3)
    return cv2.resize(generator.integers(0, 255, (12, 16, 3), dtype=np.uint8), (width, height))


@pytest.mark.parametrize('restart', [0, 4])
@pytest.mark.parametrize('size', [(160, 128), (64, 48)])
def test_a_jpeg_comes_back_to_the_pixel(size, restart):
    image = scene(*size)
    (picture,), counts = assembled(track('JPEG'), list(jpeg_payloads(image, 90, 500, restart)))
    truth = cv2.imdecode(
        cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_RST_INTERVAL, restart])[1], 1
    )
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(picture.data, np.uint8), 1), truth)
    assert picture.whole and not counts


@pytest.mark.parametrize('size', [(1, 1), (101, 77), (2, 300)])
def test_a_jpeg_of_odd_size_has_the_size_of_the_description(size):
    image = scene(*size)
    (picture,), _ = assembled(track('JPEG', size), list(jpeg_payloads(image, 90, 500)))
    assert cv2.imdecode(np.frombuffer(picture.data, np.uint8), 1).shape == image.shape


def test_the_tables_of_a_quality_are_libjpegs():
    """A JPEG of quality q has the tables that RFC 2435 computes for Q = q: both scale annex K's."""
    for quality in (10, 50, 75, 90):
        image = scene(64, 48)
        payloads = [bytes((*each[:5], quality, *each[6:8])) + (each[8 + 132 :] if not place else each[8:])
                    for place, each in enumerate(jpeg_payloads(image, quality, 500))]  # fmt: skip
        (picture,), _ = assembled(track('JPEG'), payloads)
        truth = cv2.imdecode(cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
        np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(picture.data, np.uint8), 1), truth)


def test_half_a_jpeg_is_left_out_and_counted():
    payloads = list(jpeg_payloads(scene(160, 128), 90, 500))
    done, counts = assembled(track('JPEG'), payloads[:2] + payloads[3:], gaps=(2,))
    assert done == [] and counts == Counter({'pictures damaged by loss': 1})


@pytest.mark.parametrize('reorder', [0, 1, 2])
def test_decoding_times_rise_and_never_pass_the_time_of_showing(reorder):
    """Pictures in decoding order, each reference `reorder` periods ahead of the B-frames before it."""
    generator, shown = random.Random(1), []
    place = 0
    while place < 200:
        group = reorder + 1 if reorder and generator.random() < 0.8 else 1
        shown += [place + group - 1, *range(place, place + group - 1)]
        place += group
    times = DecodingTimes()
    decoded = [times.dts_ns(33_333_333 * each) for each in shown]
    assert all(before < after for before, after in itertools.pairwise(decoded))
    late = sum(dts > 33_333_333 * each for dts, each in zip(decoded, shown, strict=True))
    # Until the first B-frame nobody knows that there are any.
    assert late <= 2 * reorder
