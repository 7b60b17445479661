# SPDX-License-Identifier: Apache-2.0
"""The RTSP side without a network: what is lost, who is slow, who says nothing."""

from __future__ import annotations

import asyncio
import struct
import time

import pytest

from gremsy_camera.streaming.rtp_sending import RtpSender
from gremsy_web.video_server.rtsp_server import RtspServer
from gremsy_web.video_server.video_paths import PathBoard, VideoRefusal

from .test_video_paths import Reads

SDP = (
    'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n'
)
KEY_UNIT = b'\0\0\0\1\x65' + bytes(range(1, 256)) * 20


class Wire(asyncio.Transport):
    """A connection that takes everything and sends nothing by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b''
        self.behind = 0
        self.closed = False

    def set_write_buffer_limits(self, high=None, low=None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self.behind

    def write(self, data) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


class Talks:
    """A client of the server, at the other end of a wire."""

    def __init__(self, server: RtspServer) -> None:
        self.wire = Wire()
        self.client = server._client()
        self.client.connection_made(self.wire)

    def ask(self, method: str, headers: str = '', body: str = '', target: str = 'rtsp://x/eo') -> str:
        before = len(self.wire.written)
        length = f'Content-Length: {len(body)}\r\n' if body else ''
        self.client.data_received(f'{method} {target} RTSP/1.0\r\nCSeq: 1\r\n{headers}{length}\r\n{body}'.encode())
        return self.wire.written[before:].partition(b'\r\n')[0].decode()

    def publish(self) -> None:
        assert self.ask('ANNOUNCE', body=SDP) == 'RTSP/1.0 200 OK'
        self.set_up()
        assert self.ask('RECORD') == 'RTSP/1.0 200 OK'

    def play(self) -> None:
        self.set_up()
        assert self.ask('PLAY') == 'RTSP/1.0 200 OK'

    def set_up(self) -> None:
        transport = 'Transport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n'
        assert self.ask('SETUP', transport, target='rtsp://x/eo/trackID=0') == 'RTSP/1.0 200 OK'

    def send(self, packets: list[bytes], channel: int = 4) -> None:
        for packet in packets:
            self.client.data_received(struct.pack('>cBH', b'$', channel, len(packet)) + packet)


@pytest.fixture
def board() -> PathBoard:
    return PathBoard()


@pytest.fixture
def server(board: PathBoard) -> RtspServer:
    return RtspServer(board)


@pytest.mark.parametrize(
    ('missing', 'counted'),
    [(0, {'gaps between packets': 1}), (2, {'gaps between packets': 1, 'pictures with packets missing': 1})],
)
def test_a_picture_that_lacks_a_packet_is_left_out_and_a_key_frame_asked_for(board, server, missing, counted):
    async def see() -> None:
        talks, sender, reader = Talks(server), RtpSender(), Reads('a')
        talks.publish()
        path = board.find('eo')
        path.join(reader)
        talks.send(sender.packets(KEY_UNIT, 10**9))
        assert [(picture.timestamp, key) for picture, key in reader.pictures] == [(90_000, True)]
        before = len(talks.wire.written)
        packets = sender.packets(KEY_UNIT, 2 * 10**9)
        talks.send(packets[:missing] + packets[missing + 1 :])
        assert len(reader.pictures) == 1
        assert path.counts == counted
        # RFC 4585, 6.3.1: payload-specific feedback (206), format 1, about the source that sends.
        asked = talks.wire.written[before:]
        assert asked[:2] == b'$\x05'
        assert asked[4:6] == b'\x81\xce'
        assert struct.unpack('>I', asked[12:16]) == (sender.source,)
        talks.send(sender.packets(KEY_UNIT, 3 * 10**9))
        assert len(reader.pictures) == 2

    asyncio.run(see())


def test_packets_of_other_tracks_and_garbage_are_passed_over(board, server):
    async def see() -> None:
        talks, reader = Talks(server), Reads('a')
        talks.publish()
        path = board.find('eo')
        path.join(reader)
        talks.send([b'\x80\x61' + bytes(30)], channel=6)
        talks.send([b'', b'\x00', b'\x80\x62' + bytes(30), b'\x8f\x60' + bytes(12)])
        assert reader.pictures == []
        assert path.counts == {'packets that are no RTP of the video': 4}

    asyncio.run(see())


def test_a_reader_that_takes_too_little_loses_packets_and_is_not_waited_for(board, server):
    async def see() -> None:
        publisher, slow, quick, sender = Talks(server), Talks(server), Talks(server), RtpSender()
        publisher.publish()
        slow.play()
        quick.play()
        slow.wire.behind = 5 << 20
        before = len(slow.wire.written), len(quick.wire.written)
        packets = sender.packets(KEY_UNIT, 10**9)
        publisher.send(packets)
        assert len(slow.wire.written) == before[0]
        assert len(quick.wire.written) == before[1] + sum(4 + len(packet) for packet in packets)
        path = board.find('eo')
        assert path.counts == {'packets that a reader did not take in time': len(packets)}
        assert path.outbound_bytes == sum(map(len, packets))

    asyncio.run(see())


def test_a_publisher_that_says_nothing_is_let_go_and_a_reader_is_not(server, board, monkeypatch):
    async def see() -> None:
        publisher, reader = Talks(server), Talks(server)
        publisher.publish()
        reader.play()
        now = time.monotonic()
        monkeypatch.setattr(time, 'monotonic', lambda: now + 11.0)
        for talks in (publisher, reader):
            talks.client.end_if_silent()
        assert (publisher.wire.closed, reader.wire.closed) == (True, False)
        publisher.client.connection_lost(None)
        assert reader.wire.closed
        with pytest.raises(VideoRefusal):
            board.find('eo')

    asyncio.run(see())


@pytest.mark.parametrize('order', [['RECORD'], ['ANNOUNCE', 'RECORD'], ['ANNOUNCE', 'ANNOUNCE'], ['ANNOUNCE', 'PLAY']])
def test_steps_out_of_order_are_refused(server, order):
    talks = Talks(server)
    answers = [talks.ask(method, body=SDP if method == 'ANNOUNCE' else '') for method in order]
    assert answers[-1] == 'RTSP/1.0 455 Method Not Valid in This State'


def test_one_client_too_many_is_refused(server):
    clients = [Talks(server) for _ in range(101)]
    assert [each.wire.closed for each in clients] == [False] * 100 + [True]


def test_a_reader_of_one_path_gets_no_second_one_which_it_would_never_leave(board, server):
    async def see() -> None:
        Talks(server).publish()
        other = Talks(server)
        assert other.ask('ANNOUNCE', body=SDP, target='rtsp://x/ir') == 'RTSP/1.0 200 OK'
        transport = 'Transport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n'
        assert other.ask('SETUP', transport, target='rtsp://x/ir/trackID=0') == 'RTSP/1.0 200 OK'
        assert other.ask('RECORD', target='rtsp://x/ir') == 'RTSP/1.0 200 OK'
        reader = Talks(server)
        reader.play()
        answer = reader.ask('SETUP', transport, target='rtsp://x/ir/trackID=0')
        assert answer == 'RTSP/1.0 455 Method Not Valid in This State'
        reader.client.connection_lost(None)
        assert [len(path.readers) for path in board] == [0, 0]

    asyncio.run(see())


def test_a_reader_that_takes_nothing_for_long_is_let_go(board, server, monkeypatch):
    async def see() -> None:
        publisher, reader = Talks(server), Talks(server)
        publisher.publish()
        reader.play()
        sender = RtpSender()
        reader.wire.behind = 5 << 20
        publisher.send(list(sender.packets(KEY_UNIT, 0)))
        now_s = time.monotonic()
        monkeypatch.setattr(time, 'monotonic', lambda: now_s + 9.0)
        reader.client.end_if_silent()
        assert not reader.wire.closed
        monkeypatch.setattr(time, 'monotonic', lambda: now_s + 11.0)
        reader.client.end_if_silent()
        assert reader.wire.closed

    asyncio.run(see())
