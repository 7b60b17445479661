# SPDX-License-Identifier: Apache-2.0
"""The RTSP side: publishers (ANNOUNCE, RECORD) and readers (DESCRIBE, PLAY), over TCP with interleaved packets."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
import uuid
from collections.abc import Callable

from gremsy_camera.streams.rtp_packets import PacketOrder, take_apart
from gremsy_camera.streams.rtp_pictures import PictureAssembler
from gremsy_camera.streams.rtsp_messages import VideoTrack, read_description
from gremsy_web.video_server.rtsp_requests import (
    BadRequest,
    Interleaved,
    RtspRequest,
    answer_text,
    interleaved,
    picture_loss,
    take,
)
from gremsy_web.video_server.video_paths import PathBoard, SharedPicture, VideoPath, VideoRefusal, checked_name

_METHODS = 'OPTIONS, ANNOUNCE, DESCRIBE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN'
_CHANNELS = re.compile(r'interleaved=(\d{1,3})-(\d{1,3})')
# MediaMTX's readTimeout.
_SILENT_S = 10.0
# What a reader may be behind: 10 s of 3 Mbit/s.
_MOST_BEHIND = 4 << 20
_MOST_CLIENTS = 100

Log = logging.getLogger(__name__)


class RtspServer:
    """Listens until `close`."""

    def __init__(self, board: PathBoard) -> None:
        self._board = board
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._clients: set[_Client] = set()

    async def open(self, listening: socket.socket) -> None:
        """Take clients from that socket."""
        self._server = await asyncio.get_running_loop().create_server(self._client, sock=listening)
        self._watch = asyncio.create_task(self._look_for_silent_ones())

    async def close(self) -> None:
        """End all sessions and stop listening."""
        if self._watch is not None:
            self._watch.cancel()
        if self._server is not None:
            self._server.close()
        for client in tuple(self._clients):
            client.end()
        if self._server is not None:
            await self._server.wait_closed()

    def _client(self) -> _Client:
        return _Client(self._board, self._clients)

    async def _look_for_silent_ones(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for client in tuple(self._clients):
                client.end_if_silent()


class _Client(asyncio.Protocol):
    """One connection: nobody yet, a publisher, or a reader."""

    kind = 'rtspSession'

    def __init__(self, board: PathBoard, clients: set[_Client]) -> None:
        self.session_id = str(uuid.uuid4())
        self._board = board
        self._clients = clients
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._received_s = time.monotonic()
        self._announced: VideoTrack | None = None
        self._name = ''
        # Channels of the video's RTP and RTCP; those of other tracks are taken and passed over.
        self._channels: tuple[int, int] | None = None
        self._ingest: _Ingest | None = None
        self._reads: VideoPath | None = None
        self._discarded = 0
        self._behind_since_s: float | None = None
        self.sent_bytes = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(_MOST_BEHIND)
        if len(self._clients) >= _MOST_CLIENTS:
            Log.warning('%d RTSP clients are connected already: refused another.', _MOST_CLIENTS)
            transport.abort()
            return
        self._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._clients.discard(self)
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._received_s = time.monotonic()
        self._buffer += data
        try:
            while (item := take(self._buffer)) is not None:
                if isinstance(item, Interleaved):
                    self._packet(item)
                else:
                    self._answer(item)
        except BadRequest as error:
            Log.warning('RTSP: a client sent something unintelligible (%s) and was disconnected.', error)
            self._write(answer_text(400, '0', {}))
            self.end()

    # Publisher

    def ask_key_frame(self) -> None:
        if self._ingest is not None and self._channels is not None:
            self._write(interleaved(self._channels[1], picture_loss(self._ingest.source)))

    def kick(self) -> None:
        self._ingest = None
        self.end()

    # Reader

    def take_picture(self, picture: Callable[[], SharedPicture | None], key: bool) -> None:
        """It takes packets as they are."""

    def publisher_gone(self) -> None:
        self._reads = None
        self.end()

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def end_if_silent(self) -> None:
        """A reader may be silent for ever, as long as it takes what it is sent: for one that does not it is encoded."""
        now_s = time.monotonic()
        if self._reads is None and now_s - self._received_s > _SILENT_S:
            self._let_go('has been silent')
        elif self._behind_since_s is not None and now_s - self._behind_since_s > _SILENT_S:
            self._let_go('has taken nothing')

    def _let_go(self, why: str) -> None:
        Log.warning('RTSP: %s %s for %g s and was disconnected.', self._name or 'a client', why, _SILENT_S)
        assert self._transport is not None
        self._transport.abort()

    def take_packet(self, packet: bytes, *, is_report: bool) -> None:
        assert self._transport is not None
        if self._channels is None or self._reads is None:
            return
        if self._transport.get_write_buffer_size() > _MOST_BEHIND:
            if not self._discarded:
                Log.warning('RTSP: a reader of %s is too slow and loses packets.', self._name)
            self._discarded += 1
            if self._behind_since_s is None:
                self._behind_since_s = time.monotonic()
            self._reads.counts['packets that a reader did not take in time'] += 1
            return
        self._behind_since_s = None
        self.sent_bytes += len(packet)
        self._write(interleaved(self._channels[is_report], packet))

    def _leave(self) -> None:
        if self._ingest is not None:
            path, self._ingest = self._ingest.path, None
            self._board.gone(path)
            Log.info('RTSP: %s is no longer published.', path.name)
        if self._reads is not None:
            self._reads.leave(self)
            self._reads = None

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _packet(self, packet: Interleaved) -> None:
        if self._ingest is None or self._channels is None:
            return
        if packet.channel == self._channels[0]:
            self._ingest.put(packet.data)
        elif packet.channel == self._channels[1]:
            self._ingest.path.packet(packet.data, is_report=True)

    def _answer(self, request: RtspRequest) -> None:
        try:
            status, (headers, body) = 200, self._answered(request)
        except VideoRefusal as error:
            status, headers, body = error.status, {'Allow': _METHODS} if error.status == 405 else {}, ''
            if status == 400:
                Log.warning('RTSP: a client was refused: %s', error)
        self._write(answer_text(status, request.headers.get('cseq', '0'), headers, body))
        if status == 200 and request.method == 'RECORD':
            self._begin_recording()
        elif status == 200 and request.method == 'PLAY':
            self._begin_playing()
        elif status == 200 and request.method == 'TEARDOWN':
            self.end()

    def _answered(self, request: RtspRequest) -> tuple[dict[str, str], str]:
        """Headers and body of the answer; raises VideoRefusal."""
        session = {'Session': self.session_id.replace('-', '')}
        match request.method:
            case 'OPTIONS':
                return {'Public': _METHODS}, ''
            case 'ANNOUNCE':
                self._announce(request)
                return {}, ''
            case 'DESCRIBE':
                headers = {'Content-Base': request.target.rstrip('/') + '/', 'Content-Type': 'application/sdp'}
                return headers, self._board.find(request.path).description
            case 'SETUP':
                return {'Transport': self._setup(request), **session}, ''
            case 'RECORD':
                if self._announced is None or self._channels is None or self._ingest is not None:
                    raise VideoRefusal(455)
            case 'PLAY':
                if self._announced is not None or self._channels is None:
                    raise VideoRefusal(455)
                self._board.find(self._name)
            case 'PAUSE' | 'GET_PARAMETER' | 'SET_PARAMETER' | 'TEARDOWN':
                pass
            case _:
                raise VideoRefusal(405)
        return session, ''

    def _announce(self, request: RtspRequest) -> None:
        if self._announced is not None or self._name:
            raise VideoRefusal(455)
        name = checked_name(request.path)
        track = read_description(request.body.decode('utf-8', 'replace'), request.target).track
        if track is None or track.encoding != 'H264':
            raise VideoRefusal(400, f'{name} has no H.264 in it; the built-in video server passes nothing else on.')
        if track.parameters.get('packetization-mode') != '1':
            raise VideoRefusal(400, f'{name} is announced without packetization-mode=1.')
        self._name, self._announced = name, track

    def _setup(self, request: RtspRequest) -> str:
        """The transport that was agreed on."""
        match = _CHANNELS.search(request.headers.get('transport', ''))
        if match is None or 'TCP' not in request.headers['transport']:
            raise VideoRefusal(461)
        channels = int(match[1]), int(match[2])
        if max(channels) > 255:
            raise VideoRefusal(400, f'there is no channel {max(channels)}')
        if self._announced is not None:
            # Other tracks (sound, KLV) are set up and passed over.
            if request.target.rstrip('/') == self._announced.control.rstrip('/') or self._channels is None:
                self._channels = channels
        elif self._reads is not None:
            # A second path would leave the first one a reader that never leaves it, for whom it is encoded for ever.
            raise VideoRefusal(455)
        else:
            name = re.sub(r'/trackID=\d+$', '', request.path)
            try:
                path = self._board.find(name)
            except VideoRefusal as error:
                raise VideoRefusal(404) from error
            self._name, self._channels = path.name, channels
        return f'RTP/AVP/TCP;unicast;interleaved={match[1]}-{match[2]}'

    def _begin_recording(self) -> None:
        assert self._announced is not None
        path = VideoPath(self._name, self, _for_readers(self._announced))
        self._ingest = _Ingest(path, self._announced)
        self._board.published(path)
        Log.info('RTSP: %s is published.', self._name)

    def _begin_playing(self) -> None:
        self._reads = self._board.find(self._name)
        self._reads.join(self)
        self._reads.ask_key_frame()


class _Ingest:
    """What a publisher sends, put together to pictures."""

    def __init__(self, path: VideoPath, track: VideoTrack) -> None:
        self.path = path
        self.source = b'\0\0\0\0'
        self._payload_type = track.payload_type
        self._order = PacketOrder(0.0)
        self._pictures = PictureAssembler(track)

    def put(self, data: bytes) -> None:
        taken = take_apart(data, time.monotonic_ns())
        if taken is None or taken[1] != self._payload_type:
            self.path.counts['packets that are no RTP of the video'] += 1
            return
        self.source = data[8:12]
        self.path.packet(data)
        for packet in self._order.put(taken[0]):
            if packet.gap:
                # A picture whose beginning is missing is not even begun, and the next ones build on it.
                self.path.counts['gaps between packets'] += 1
                self.path.ask_key_frame()
            for picture in self._pictures.put(packet):
                self.path.picture(picture)


def _for_readers(track: VideoTrack) -> str:
    """The video's part of what the publisher announced, under one name of ours."""
    sets = track.parameters.get('sprop-parameter-sets', '')
    level = track.parameters.get('profile-level-id', '')
    format_words = ['packetization-mode=1']
    format_words += [f'profile-level-id={level}'] if re.fullmatch(r'[0-9A-Fa-f]{6}', level) else []
    format_words += [f'sprop-parameter-sets={sets}'] if re.fullmatch(r'[A-Za-z0-9+/=,]+', sets) else []
    return '\r\n'.join(
        (
            'v=0',
            'o=- 0 0 IN IP4 127.0.0.1',
            's=Stream',
            'c=IN IP4 0.0.0.0',
            't=0 0',
            f'm=video 0 RTP/AVP {track.payload_type}',
            'a=control:trackID=0',
            f'a=rtpmap:{track.payload_type} H264/90000',
            f'a=fmtp:{track.payload_type} {"; ".join(format_words)}',
            '',
        )
    )
