# SPDX-License-Identifier: Apache-2.0
"""What comes from RTSP clients, whole, in pieces and as garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.streaming.rtp_sending import asks_for_key_frame
from gremsy_web.video_server.rtsp_requests import (
    BadRequest,
    Interleaved,
    RtspRequest,
    answer_text,
    interleaved,
    picture_loss,
    take,
)

# RFC 2326, 10.12 and 10.11, with a packet between them.
STREAM = (
    b'ANNOUNCE rtsp://server.example.com:8554/fizzle/foo?x=1 RTSP/1.0\r\nCSeq: 312\r\nContent-Type: application/sdp\r\n'
    b'Content-Length: 5\r\n\r\nv=0\r\n'
    b'$\x01\x00\x03abc'
    b'RECORD rtsp://server.example.com/fizzle/foo/ RTSP/1.0\r\ncseq: 954\r\nSession: 12345678\r\n\r\n'
)


def all_of(data: bytes, sizes: list[int]) -> list[RtspRequest | Interleaved]:
    buffer, found, start = bytearray(), [], 0
    for size in [*sizes, len(data)]:
        buffer += data[start : start + size]
        start += size
        while (item := take(buffer)) is not None:
            found.append(item)
    return found


@given(st.lists(st.integers(1, 60), max_size=20))
def test_requests_and_packets_come_whole_however_they_are_cut(sizes):
    announce, packet, record = all_of(STREAM, sizes)
    assert (announce.method, announce.path, announce.body) == ('ANNOUNCE', 'fizzle/foo', b'v=0\r\n')
    assert announce.headers['cseq'] == '312'
    assert packet == Interleaved(1, b'abc')
    assert (record.method, record.path, record.headers['cseq']) == ('RECORD', 'fizzle/foo', '954')


@given(st.binary(max_size=400))
def test_garbage_is_taken_apart_or_refused(data):
    try:
        all_of(data, [])
    except BadRequest:
        return


@given(st.binary(max_size=60), st.integers(0, 80))
def test_a_damaged_request_is_taken_apart_or_refused(noise, where):
    try:
        all_of(STREAM[:where] + noise + STREAM[where + len(noise) :], [])
    except BadRequest:
        return


@pytest.mark.parametrize(
    'data',
    [
        b'OPTIONS rtsp://[/ RTSP/1.0\r\n\r\n',
        b'OPTIONS rtsp://x/ RTSP/1.0\r\nContent-Length: -1\r\n\r\n',
        b'OPTIONS rtsp://x/ RTSP/1.0\r\nContent-Length: 70000\r\n\r\n',
        b'OPTIONS rtsp://x/ RTSP/2.0\r\n\r\n',
        b'X' * 17_000,
    ],
)
def test_what_no_client_sends_is_refused(data):
    with pytest.raises(BadRequest):
        all_of(data, [])


def test_an_answer_has_its_number_and_the_length_of_its_body():
    assert answer_text(200, '3', {'Session': 'x'}, 'v=0') == (
        b'RTSP/1.0 200 OK\r\nCSeq: 3\r\nServer: gremsy\r\nSession: x\r\nContent-Length: 3\r\n\r\nv=0'
    )


def test_a_packet_goes_behind_its_channel_and_length():
    assert interleaved(1, b'abc') == b'$\x01\x00\x03abc'


def test_a_publisher_understands_that_a_key_frame_is_wanted():
    """Its own reading of RTCP, which knows nothing of this package."""
    assert asks_for_key_frame(picture_loss(b'\x12\x34\x56\x78'))
