# SPDX-License-Identifier: Apache-2.0
"""One conversation with an RTSP server: from the connection to the packets of its video, over TCP or UDP.

Written here and not left to FFmpeg for the time that its own costs (`rtp_pictures`), and since it hands over neither
the packets' loss nor ONVIF's times, holds a thread up for as long as nothing comes, and writes addresses into its log.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gremsy_camera.errors import SourceError, SourceRefused, SourceUnusable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.streams.credentials import redacted
from gremsy_camera.streams.rtsp_messages import (
    BadMessage,
    Credentials,
    RtspResponse,
    StreamDescription,
    VideoTrack,
    join_location,
    read_description,
    take_answer,
)
from gremsy_camera.streams.rtsp_talk import PACKET, RtspTalk, readable
from gremsy_camera.streams.stream_address import StreamAddress, explain_status

_ANSWER_S = 5.0
_MOST_AT_ONCE_BYTES = 8 << 20
# A 4K key frame comes as a burst; Linux gives 208 kB by default.
_UDP_BUFFER_BYTES = 4_000_000
_REPORT_EVERY_S = 5.0
UNSUPPORTED_TRANSPORT = 461
# MediaMTX's `source: redirect` and load balancers.
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_SHORTEST_KEEP_ALIVE_S = 5.0
RTP, RTCP = 0, 1


class _Redirected(Exception):
    """The stream is elsewhere; the text is where."""


class TransportRefused(SourceError):
    """The camera does not send the way that it was asked to."""


Opened = TypeVar('Opened')


def by_first_transport(parameters: LiveParameters, start: Callable[[str], Opened]) -> Opened:
    """What `start` makes with the first transport that the camera does not refuse.

    TCP first: UDP loses a key frame's burst even on loopback.
    """
    if parameters.transport == 'auto':
        with suppress(TransportRefused):
            return start('tcp')
    return start('udp' if parameters.transport == 'auto' else parameters.transport)


@dataclass(frozen=True, slots=True)
class Received:
    """One packet: of `RTP` or `RTCP`, and when it came, monotonic ns."""

    channel: int
    data: bytes
    arrived_ns: int


class RtspSession(RtspTalk):
    """Used by one thread. `start` then `receive` again and again; `close` at any time, twice too."""

    _silent_hint = 'restart it if that goes on'

    def __init__(self, address: StreamAddress) -> None:
        super().__init__(address, answer_s=_ANSWER_S, send_s=_ANSWER_S)
        self._datagrams: list[socket.socket] = []
        self._description: StreamDescription | None = None
        self._keep_alive_s = 30.0
        self._keep_alive_due_s = 0.0
        self._report_due_s = 0.0
        self._waiting: list[Received] = []
        self._reports_to: tuple[str, int] | None = None
        self._senders: set[str] = set()

    def describe(self) -> StreamDescription:
        """Connect and ask what there is, where redirects lead.

        Raises:
            SourceError: with the reason and the way out.
        """
        for _ in range(_MOST_REDIRECTS):
            self._connect()
            try:
                answer = self._ask('DESCRIBE', self._address.location, {'Accept': 'application/sdp'})
            except _Redirected as error:
                self._follow(str(error))
            else:
                break
        else:
            raise self._cannot('it redirects in a circle')
        base = answer.header('content-base') or answer.header('content-location') or self._address.location
        self._description = read_description(answer.body.decode('utf-8', 'replace'), base)
        return self._description

    def start(self, track: VideoTrack, transport: str) -> None:
        """Have the track sent over 'tcp' or 'udp'.

        Raises:
            TransportRefused: where it is not sent that way; another may be asked for.
            SourceError: for anything else.
        """
        assert self._description is not None
        if transport == 'udp':
            self._bind_pair()
            ports = '-'.join(str(each.getsockname()[1]) for each in self._datagrams)
            wanted = f'RTP/AVP;unicast;client_port={ports}'
        else:
            wanted = 'RTP/AVP/TCP;unicast;interleaved=0-1'
        answer = self._ask('SETUP', track.control, {'Transport': wanted})
        self._session_id, timeout_s = answer.session
        if timeout_s is not None:
            self._keep_alive_s = max(_SHORTEST_KEEP_ALIVE_S, timeout_s / 2)
        self._take_transport(answer)
        self._ask('PLAY', self._description.control, {'Range': 'npt=0.000-'})
        now_s = time.monotonic()
        self._keep_alive_due_s = now_s + self._keep_alive_s
        self._report_due_s = now_s + _REPORT_EVERY_S

    def receive(self, timeout_s: float) -> list[Received]:
        """What came, none after the timeout.

        Raises:
            SourceError: the connection ended.
        """
        if self._socket is None:
            raise SourceError(f'The camera {self._address.shown} is not open: call `open` first.')
        self._keep_alive()
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return waiting
        if self._datagrams:
            return self._receive_datagrams(timeout_s)
        self._fill(timeout_s)
        # All that there is: what decoding cannot keep up with shows here, and does not age in the kernel.
        while len(self._buffer) < _MOST_AT_ONCE_BYTES and readable(self._socket):
            self._fill(0.001)
        return self._take_packets()

    def close(self) -> None:
        """Say goodbye, without waiting for an answer, and let go."""
        goodbye = ('TEARDOWN', self._description.control) if self._description is not None else None
        self._hang_up(goodbye)
        for each in self._datagrams:
            each.close()
        self._datagrams = []
        self._waiting = []

    def _keep_packets(self) -> None:
        self._waiting += self._take_packets()

    def _ask(self, method: str, target: str, headers: Mapping[str, str]) -> RtspResponse:
        answer = self._response(method, target, headers)
        if answer.status == 200:
            return answer
        if answer.status in _REDIRECTS and answer.header('location') and method == 'DESCRIBE':
            raise _Redirected(answer.header('location'))
        why = explain_status(answer.status, answer.reason)
        error = self._cannot(why)
        if answer.status in (401, 403):
            raise SourceRefused(str(error))
        if answer.status == UNSUPPORTED_TRANSPORT:
            raise TransportRefused(str(error))
        raise error

    def _follow(self, location: str) -> None:
        """Credentials go to nobody else, and not from an encrypted connection to an open one."""
        before = self._address
        try:
            there = StreamAddress.of(join_location(before.location, location), 'source')
        except SourceUnusable as error:
            raise self._cannot(f'it redirects to {redacted(location)}, which is not an address') from error
        if there.host != before.host or (before.scheme == 'rtsps' and there.scheme != 'rtsps'):
            self._credentials = Credentials(there.user, there.password)
        self._address = there

    def _take_packets(self) -> list[Received]:
        """The packets at the front of the buffer, with answers to keep-alives between them passed over."""
        packets: list[Received] = []
        buffer, start, size = self._buffer, 0, len(self._buffer)
        while size - start >= 4:
            if buffer[start] != PACKET:
                if not self._playing:
                    # An answer, or something that speaks no RTSP.
                    break
                if buffer.startswith(b'RTSP', start):
                    del buffer[:start]
                    start = 0
                    whole = self._pass_answer()
                    size = len(buffer)
                    if not whole:
                        break
                    continue
                skipped = self._resynchronise(start)
                self.counts['bytes that were no packets'] += skipped
                start += skipped
                continue
            length = buffer[start + 2] << 8 | buffer[start + 3]
            if size - start < 4 + length:
                break
            channel = buffer[start + 1]
            if channel in self._channels:
                data = bytes(memoryview(buffer)[start + 4 : start + 4 + length])
                packets.append(Received(self._channels.index(channel), data, self._arrived_ns))
            start += 4 + length
        del buffer[:start]
        return packets

    @property
    def _playing(self) -> bool:
        return self._keep_alive_due_s > 0

    def _pass_answer(self) -> bool:
        try:
            answer = take_answer(self._buffer)
        except BadMessage:
            del self._buffer[:1]
            return True
        if answer is not None and answer.status == 401:
            self._challenged(answer)
            self._keep_alive_due_s = min(self._keep_alive_due_s, time.monotonic())
        return answer is not None

    def _resynchronise(self, start: int) -> int:
        """How many bytes lie before what may be the next packet or answer."""
        found = [self._buffer.find(bytes((PACKET, channel)), start) for channel in self._channels]
        found.append(self._buffer.find(b'RTSP/1.0', start))
        ahead = [place - start for place in found if place >= 0]
        return min(ahead) if ahead else len(self._buffer) - start

    def _take_transport(self, answer: RtspResponse) -> None:
        fields, text = self._transport(answer), answer.header('transport')
        if not self._datagrams:
            if text and 'TCP' not in text.upper():
                raise TransportRefused(
                    f'The camera {self._address.shown} does not send over TCP: set `transport` to udp or auto.'
                )
            return
        first, _, second = fields.get('server_port', '').partition('-')
        assert self._socket is not None
        self._senders = {self._socket.getpeername()[0]}
        if not first.isdecimal():
            return
        host = fields.get('source') or self._address.host
        self._reports_to = (host, int(second or int(first) + 1))
        self._senders.update(each[4][0] for each in _addresses(host))
        for each, port in zip(self._datagrams, (int(first), int(second or int(first) + 1)), strict=True):
            # Opens the way through an address translation.
            try:
                each.sendto(b'\xce\xfa\xed\xfe', (host, port))
            except OSError:
                self.counts['greetings that did not get through'] += 1

    def _bind_pair(self) -> None:
        """Two neighbouring ports, the lower one even, as RFC 3550 wants them."""
        assert self._socket is not None
        family, host = self._socket.family, self._socket.getsockname()[0]
        for _ in range(50):
            first = socket.socket(family, socket.SOCK_DGRAM)
            first.bind((host, 0))
            port = first.getsockname()[1]
            second = socket.socket(family, socket.SOCK_DGRAM)
            try:
                if port % 2:
                    raise OSError
                second.bind((host, port + 1))
            except OSError:
                first.close()
                second.close()
                continue
            first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER_BYTES)
            for each in (first, second):
                each.setblocking(False)
            self._datagrams = [first, second]
            return
        raise SourceError('This machine has no two neighbouring UDP ports left: set `transport` to tcp.')

    @property
    def udp_buffer_bytes(self) -> int:
        """What the kernel gives of the buffer that was asked for; 0 over TCP. Linux counts its own twice."""
        if not self._datagrams:
            return 0
        return self._datagrams[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def _receive_datagrams(self, timeout_s: float) -> list[Received]:
        assert self._socket is not None
        ready, _, _ = select.select([*self._datagrams, self._socket], [], [], max(0.0, timeout_s))
        packets = []
        if self._socket in ready:
            self._fill(0.001)
            self._take_packets()
        for channel, each in enumerate(self._datagrams):
            while each in ready:
                try:
                    data, sender = each.recvfrom(65_536)
                except (BlockingIOError, ConnectionRefusedError):
                    break
                if sender[0] not in self._senders:
                    self.counts['packets of strangers'] += 1
                    continue
                packets.append(Received(channel, data, time.monotonic_ns()))
        return packets

    def _keep_alive(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._keep_alive_due_s:
            assert self._description is not None
            self._keep_alive_due_s = now_s + self._keep_alive_s
            self._send(self._request('OPTIONS', self._description.control, {}))
        if now_s >= self._report_due_s:
            self._report_due_s = now_s + _REPORT_EVERY_S
            self._send_report()

    def _send_report(self) -> None:
        """An empty receiver report with a name (RFC 3550): some servers stop without one."""
        name = b'gremsy_camera'
        report = struct.pack('>BBHI', 0x80, 201, 1, 0x67726563)
        items = struct.pack('>IBB', 0x67726563, 1, len(name)) + name + b'\0'
        items += b'\0' * (-len(items) % 4)
        data = report + struct.pack('>BBH', 0x81, 202, len(items) // 4) + items
        if not self._datagrams:
            self._send(struct.pack('>BBH', PACKET, self._channels[1], len(data)) + data)
        elif self._reports_to is not None:
            try:
                self._datagrams[1].sendto(data, self._reports_to)
            except OSError:
                self.counts['reports that did not get through'] += 1

    def _cannot(self, why: str) -> SourceError:
        return SourceError(f'The camera {self._address.shown} cannot be opened: {why}.')

    def _ended(self, why: str) -> SourceError:
        return SourceError(
            f'The camera {self._address.shown} ended the connection{f" ({why})" if why else ""}: it is opened again; '
            'check its power and the network if it stays away.'
        )


def _addresses(host: str) -> list[Any]:
    try:
        return socket.getaddrinfo(host, None)
    except OSError:
        return []


def video_track(description: StreamDescription, address: StreamAddress) -> VideoTrack:
    """The video that can be read.

    Raises:
        SourceUnusable: with what there is instead.
    """
    if description.track is not None:
        return description.track
    raise no_video(address, description.kinds)


def no_video(address: StreamAddress, kinds: Sequence[str]) -> SourceUnusable:
    """Of a camera that sends other things, in its own words: 'audio PCMU', 'video VP8'."""
    codecs = ' and '.join(kind.partition(' ')[2] for kind in kinds if kind.startswith('video'))
    if codecs:
        return SourceUnusable(
            f'The camera {address.shown} sends {codecs}, which cannot be decoded here: set it to H.264, H.265 or MJPEG.'
        )
    others = ' and '.join(sorted({kind.partition(' ')[0] for kind in kinds})) or 'nothing'
    return SourceUnusable(
        f'The camera {address.shown} sends no video but {others}: check the path, or switch its video on.'
    )
