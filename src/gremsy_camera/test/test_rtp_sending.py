# SPDX-License-Identifier: Apache-2.0
"""RTP packets made from pictures, read back by GStreamer's depayloader and by the reader of this package."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.recording.access_units import nal_units
from gremsy_camera.streaming.rtp_sending import RtpSender, asks_for_key_frame, rtp_time, stamp_of
from gremsy_camera.streams.rtp_packets import take_apart

pytest_plugins = ['gremsy_camera.trial.pytest_gstreamer']

START = b'\0\0\0\1'
S = 1_000_000_000
# 2026-11-29 22:00:00 UTC.
NOW_NS = 1_795_989_600 * S
STAMPS = st.integers(min_value=0, max_value=4_102_444_800 * S)  # to the year 2100
# 2^31 ticks of 90 kHz.
HALF_WRAP_NS = (1 << 31) * S // 90_000


@given(STAMPS)
def test_the_rtp_time_is_the_stamp_in_ticks_of_90_khz_modulo_2_to_the_32(stamp_ns):
    assert rtp_time(stamp_ns) == int(Fraction(stamp_ns, S) * 90_000) % 2**32


@given(STAMPS, st.integers(min_value=-HALF_WRAP_NS + 20_000, max_value=HALF_WRAP_NS - 20_000))
def test_a_stamp_is_found_again_from_its_rtp_time_and_about_when_it_was(stamp_ns, off_ns):
    found_ns = stamp_of(rtp_time(stamp_ns), stamp_ns + off_ns)
    assert rtp_time(max(0, found_ns)) == rtp_time(stamp_ns)
    assert 0 <= stamp_ns - found_ns < 11_112


@given(st.integers(min_value=1, max_value=32_000), st.integers(min_value=-90_000, max_value=90_000))
def test_the_times_go_on_through_the_wrap(wraps, ticks):
    """A frame and the next, 1/30 s later, on either side of it: the difference is that of their stamps."""
    stamp_ns = (wraps * 2**32 + ticks) * 100_000 // 9
    step = (rtp_time(stamp_ns + 33_333_333) - rtp_time(stamp_ns)) % 2**32
    assert step in (2999, 3000)


def started():
    """A sender that has sent something already."""
    sender = RtpSender()
    sender.packets(START + b'\x65\x88', NOW_NS)
    return sender


def picture(*sizes):
    units = [
        bytes((0x65,)) + bytes(1 + (index * 7 + at) % 250 for at in range(size - 1)) for index, size in enumerate(sizes)
    ]
    return START.join([b'', *units]), units


@given(st.lists(st.integers(min_value=2, max_value=6000), min_size=1, max_size=5), st.integers(0, 65535))
def test_no_packet_is_longer_than_1440_bytes_and_the_last_alone_is_marked(sizes, first):
    sender = started()
    sender._sequence = first
    packets = [take_apart(each, 0) for each in sender.packets(picture(*sizes)[0], NOW_NS)]
    assert {kind for _, kind in packets} == {96}
    assert all(len(packet.payload) + 12 <= 1440 for packet, _ in packets)
    assert [packet.marker for packet, _ in packets] == [False] * (len(packets) - 1) + [True]
    assert [packet.sequence for packet, _ in packets] == [(first + index) % 65536 for index in range(len(packets))]
    assert {packet.timestamp for packet, _ in packets} == {rtp_time(NOW_NS)}


@pytest.mark.parametrize('sizes', [(2,), (1428,), (1429,), (1430,), (20, 12, 90_000), (3000, 3000, 5)])
def test_gstreamer_makes_the_same_picture_of_them(gstreamer, sizes):
    gst = gstreamer.gst
    data, units = picture(*sizes)
    pipeline = gst.parse_launch(
        'appsrc name=source format=time caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,'
        'payload=96" ! rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au ! '
        'appsink name=sink sync=false'
    )
    pipeline.set_state(gst.State.PLAYING)
    source, sink = pipeline.get_by_name('source'), pipeline.get_by_name('sink')
    for packet in started().packets(data, NOW_NS):
        source.emit('push-buffer', gst.Buffer.new_wrapped(packet))
    sample = sink.try_pull_sample(10 * S)
    try:
        assert sample is not None
        buffer = sample.get_buffer()
        assert list(nal_units(buffer.extract_dup(0, buffer.get_size()))) == units
    finally:
        pipeline.set_state(gst.State.NULL)


def test_a_delimiter_is_left_out():
    packets = started().packets(START + b'\x09\xf0' + START + b'\x65\x88', NOW_NS)
    assert [take_apart(each, 0)[0].payload for each in packets] == [b'\x65\x88']


def test_the_first_picture_alone_begins_with_a_delimiter_that_a_report_can_follow():
    sender = RtpSender()
    first, second = (sender.packets(START + b'\x65\x88', NOW_NS) for _ in range(2))
    assert [take_apart(each, 0)[0].payload for each in first] == [b'\x09\xf0', b'\x65\x88']
    assert [take_apart(each, 0)[0].marker for each in first] == [False, True]
    assert [take_apart(each, 0)[0].payload for each in second] == [b'\x65\x88']


def test_a_sender_report_says_the_clock_and_what_was_sent():
    """RFC 3550, 6.4.1. NTP's zero is 1900, 2 208 988 800 s before 1970 (RFC 868); half a second is 2^31 of 2^32."""
    sender = RtpSender()
    sender.packets(picture(100, 3000)[0], NOW_NS)
    stamp_ns = NOW_NS + S // 2
    report = sender.report(stamp_ns)
    first, kind, words, source, seconds, fraction, time, packets, payload = struct.unpack_from('>BBHIIIIII', report)
    assert (first, kind, words, source) == (0x80, 200, 6, sender.source)
    assert (seconds, fraction) == (1_795_989_600 + 2_208_988_800, 1 << 31)
    assert time == rtp_time(stamp_ns)
    # A delimiter, 100 bytes, and 3000 in three fragments: the byte of the unit's header becomes two of each fragment.
    assert (packets, payload) == (5, 2 + 100 + 2999 + 3 * 2)
    # A name follows (SDES), and all of it is whole words.
    assert report[29] == 202 and len(report) == 28 + 4 + 4 * int.from_bytes(report[30:32], 'big')


@pytest.mark.parametrize(
    ('report', 'asks'),
    [
        # RFC 4585, 6.3.1: V=2, FMT=1, PT=206, length 2, two sources.
        (bytes.fromhex('81ce0002 00000001 00000002'), True),
        # Behind an empty receiver report.
        (bytes.fromhex('80c90001 00000001 81ce0002 00000001 00000002'), True),
        # RFC 5104, 4.3.1: full intra request.
        (bytes.fromhex('84ce0004 00000001 00000000 00000002 01000000'), True),
        # A generic NACK (PT 205), a slice loss (FMT 2), a receiver report, an application's.
        (bytes.fromhex('81cd0003 00000001 00000002 00010000'), False),
        (bytes.fromhex('82ce0003 00000001 00000002 00000000'), False),
        (bytes.fromhex('80c90001 00000001'), False),
        (b'', False),
    ],
)
def test_a_server_asks_for_a_key_frame(report, asks):
    assert asks_for_key_frame(report) is asks


@given(st.binary(max_size=64))
def test_whatever_comes_as_a_report_ends(report):
    asks_for_key_frame(report)
