# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.streams.rtp_times import (
    SenderReport,
    StreamClock,
    ntp_ns,
    rtp_header,
    sender_report,
    signed_ticks,
)

pytest_plugins = ['gremsy_camera.trial.pytest_gstreamer']

# 2026-11-29 20:00:00 UTC by `date -u -d '2026-11-29 20:00:00' +%s`, and in NTP 2208988800 s more (RFC 5905, figure 4).
UNIX_S = 1_795_982_400
NTP_S = 4_004_971_200
# Captured with tcpdump from GStreamer 1.22's RTSP server (`videotestsrc ! x264enc ! rtph264pay`): the first bytes.
GSTREAMER_PACKET = bytes.fromhex('806010c4edb880c2e191a2a8')


def report_packet(seconds=NTP_S, fraction=0x8000_0000, timestamp=90_000, ssrc=7):
    """RFC 3550, 6.4.1: without report blocks."""
    return struct.pack('>BBHIIIIII', 0x80, 200, 6, ssrc, seconds, fraction, timestamp, 10, 1000)


def test_a_packet_of_a_real_server_is_read():
    header = rtp_header(GSTREAMER_PACKET)
    assert (header.sequence, header.timestamp, header.ssrc, header.onvif_ns) == (0x10C4, 0xEDB880C2, 0xE191A2A8, None)


@pytest.mark.parametrize('packet', [b'', b'\x80' * 11, b'\x40' + bytes(20)])
def test_what_is_no_packet_is_none(packet):
    assert rtp_header(packet) is None


def test_the_onvif_extension_tells_the_cameras_time():
    # ONVIF Streaming Specification 6.3: 0xABAC, three words: NTP time of 64 bits, flags, CSeq.
    packet = struct.pack('>BBHII', 0x90, 96, 1, 2, 3) + struct.pack('>HHIIBBH', 0xABAC, 3, NTP_S, 1 << 31, 0xE0, 1, 0)
    assert rtp_header(packet).onvif_ns == UNIX_S * 1_000_000_000 + 500_000_000


def test_the_onvif_extension_of_gstreamers_own_element_is_read(gstreamer):
    if not gstreamer.has('rtponviftimestamp'):
        pytest.skip('this GStreamer has no rtponviftimestamp')
    gst = gstreamer.gst
    pipeline = gst.parse_launch(
        'videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=64,height=48,framerate=10/1 ! jpegenc ! rtpjpegpay '
        f'! rtponviftimestamp ntp-offset={NTP_S * 1_000_000_000} ! appsink name=sink sync=false'
    )
    pipeline.set_state(gst.State.PLAYING)
    sink = pipeline.get_by_name('sink')
    told = set()
    while (sample := sink.try_pull_sample(5 * gst.SECOND)) is not None:
        buffers = sample.get_buffer_list()
        packets = [buffers.get(index) for index in range(buffers.length())] if buffers else [sample.get_buffer()]
        told |= {rtp_header(packet.extract_dup(0, 88)).onvif_ns for packet in packets}
    pipeline.set_state(gst.State.NULL)
    # NTP's fraction of 32 bits rounds to a quarter of a nanosecond.
    assert sorted(told) == [pytest.approx(UNIX_S * 1_000_000_000 + 100_000_000 * index, abs=1) for index in range(5)]


def test_contributors_before_the_extension_are_passed_over():
    packet = struct.pack('>BBHII', 0x92, 96, 1, 2, 3) + bytes(8) + struct.pack('>HHIIBBH', 0xABAC, 3, NTP_S, 0, 0, 0, 0)
    assert rtp_header(packet).onvif_ns == UNIX_S * 1_000_000_000


@pytest.mark.parametrize('extension', [struct.pack('>HHIII', 0xBEDE, 3, NTP_S, 0, 0), b'\xab\xac\x00', b''])
def test_another_extension_or_half_a_one_tells_nothing(extension):
    assert rtp_header(struct.pack('>BBHII', 0x90, 96, 1, 2, 3) + extension).onvif_ns is None


def test_a_sender_report_is_found_in_a_compound_packet():
    described = struct.pack('>BBHIBB', 0x81, 202, 2, 7, 1, 2) + b'ab'
    assert sender_report(described + report_packet()) == SenderReport(7, 90_000, UNIX_S * 1_000_000_000 + 500_000_000)


@pytest.mark.parametrize(
    'packet',
    [
        b'',
        struct.pack('>BBHI', 0x80, 201, 1, 7),  # A receiver's report.
        report_packet(seconds=0, fraction=0),  # RFC 3550: a sender without a clock sets the time to zero.
        report_packet()[:19],
        b'\x00' * 40,
    ],
)
def test_what_holds_no_sender_report_is_none(packet):
    assert sender_report(packet) is None


@given(st.binary(max_size=200))
def test_no_packet_breaks_the_reading(packet):
    rtp_header(packet)
    sender_report(packet)


def test_a_time_after_2036_is_of_the_next_era():
    # RFC 5905, figure 4: era 1 begins 2036-02-07 06:28:16, 2085978496 s after 1970.
    assert ntp_ns(0, 0) == 2_085_978_496 * 1_000_000_000


def test_the_cameras_time_follows_the_streams_clock_across_its_wrap():
    report = SenderReport(7, 0xFFFF_FFFF - 44_999, 1_000_000_000)
    assert report.camera_time_ns(45_000, 90_000) == 2_000_000_000
    assert report.camera_time_ns(0xFFFF_FFFF - 89_999, 90_000) == 500_000_000


def test_the_streams_time_goes_on_for_days_whatever_its_32_bits_do():
    clock = StreamClock(90_000)
    step = 3000 * 30 * 60
    start = 0xFFFF_0000
    positions = [clock.position_ns((start + step * minute) % (1 << 32)) for minute in range(3 * 24 * 60)]
    assert positions == [minute * 60 * 1_000_000_000 for minute in range(3 * 24 * 60)]


def test_a_picture_out_of_order_stands_where_it_belongs():
    clock = StreamClock(90_000)
    order = [0, 9000, 3000, 6000, 12_000]
    assert [clock.position_ns((0xFFFF_F000 + ticks) % (1 << 32)) for ticks in order] == [
        ticks * 100_000 // 9 for ticks in order
    ]


@given(st.integers(0, (1 << 32) - 1), st.integers(-(1 << 31), (1 << 31) - 1))
def test_the_shorter_way_round(start, difference):
    assert signed_ticks((start + difference) % (1 << 32) - start) == difference
