# SPDX-License-Identifier: Apache-2.0
"""The viewers: a WebRTC connection each, from the offer to its end.

A viewer gets the addresses of this machine's interfaces, and those that the user names. Not loopback: a browser on this
machine reaches the others as well, and without any network Chromium has no address of its own and connects to nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.sdp import SessionDescription, candidate_from_sdp
from aiortc.stats import RTCTransportStats

from gremsy_web.video_server.passthrough_sender import PlaceholderTrack, feed_sender
from gremsy_web.video_server.video_paths import NoStream, PathBoard, SharedPicture, VideoPath
from gremsy_web.video_server.viewer_feed import ViewerFeed

_HOST_CANDIDATE = re.compile(r'^a=candidate:(\S+) (\d+) (udp) (\d+) (\S+) (\d+) typ host[^\r\n]*\r?\n', re.MULTILINE)


def with_hosts(answer: str, hosts: Sequence[str]) -> str:
    """The answer with every address of `hosts` beside the ports that the interfaces' candidates have."""
    if not hosts:
        return answer

    def more(match: re.Match[str]) -> str:
        _, component, transport, priority, address, port = match.groups()
        if ':' in address:
            return match[0]
        lines = [match[0]]
        for number, host in enumerate(hosts, 1):
            lines.append(
                f'a=candidate:extra{number} {component} {transport} {int(priority) - number} {host} {port} typ host\r\n'
            )
        return ''.join(lines)

    return _HOST_CANDIDATE.sub(more, answer)


# MediaMTX's webrtcHandshakeTimeout.
_HANDSHAKE_S = 10.0
# Who is sent video reports on it: browsers once a second, others every 7.5 s at most (RFC 3550, 6.2). One that was
# killed says nothing more, and aioice lets its consent (RFC 7675) expire after up to 39 s only.
_SILENT_S = 15.0
_LOOK_S = 1.0
# What aiortc's reading of a text that is no SDP ends in.
_NO_SDP = (ValueError, IndexError, KeyError, AttributeError, TypeError, AssertionError, StopIteration)
_REFUSALS = (*_NO_SDP, InternalError, InvalidAccessError, InvalidStateError, OperationError)
# A browser's name for itself that only multicast DNS can tell; its checks come from the true address anyway.
_HIDDEN_CANDIDATE = re.compile(r'^a=candidate:[^\r\n]* [^ ]+\.local [^\r\n]*\r?\n', re.MULTILINE)
_CANDIDATE = re.compile(r'^a=candidate:(\S[^\r\n]*)', re.MULTILINE)
_MEDIA_ID = re.compile(r'^a=mid:(\S+)', re.MULTILINE)

Log = logging.getLogger(__name__)


class BadOffer(ValueError):
    """An offer that cannot be answered; the text is MediaMTX's."""


class BadFragment(ValueError):
    """Candidates that cannot be read; the text is MediaMTX's."""


class TooManyViewers(RuntimeError):
    """As many as may be."""


class SessionNotFound(LookupError):
    """No viewer has that secret."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A session that has begun.

    Attributes:
        session_id: for who looks at the server.
        secret: for who owns the session.
        answer: SDP.
    """

    session_id: str
    secret: str
    answer: str


class WhepSessions:
    """All viewers.

    Args:
        board: what there is to see.
        extra_hosts: addresses of this machine that no interface of it has, as seen from behind a NAT or a container.
        most: viewers at a time.
    """

    def __init__(self, board: PathBoard, extra_hosts: Sequence[str] = (), most: int = 50) -> None:
        self._board = board
        self._extra_hosts = tuple(extra_hosts)
        self._most = most
        self._sessions: dict[str, _Session] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    async def begin(self, name: str, offer: str) -> Answered:
        """Answer an offer.

        Raises:
            BadPathName: for no name.
            NoStream: while nobody publishes there.
            BadOffer: for what is none, or without H.264.
            TooManyViewers: for one too many.
        """
        path = self._board.find(name)
        offer = _HIDDEN_CANDIDATE.sub('', offer)
        _check(offer)
        if len(self._sessions) >= self._most:
            raise TooManyViewers(f'{self._most} viewers are connected already: close one, or allow more.')
        session = _Session(path, self._ended)
        self._sessions[session.secret] = session
        path.join(session)
        try:
            answer = await session.answer(offer)
        except _REFUSALS as error:
            self._check_still_there(session)
            self._end(session)
            raise BadOffer(str(error) or type(error).__name__) from error
        except BaseException:
            self._end(session)
            raise
        self._check_still_there(session)
        return Answered(session.session_id, session.secret, with_hosts(answer, self._extra_hosts))

    async def add_candidates(self, name: str, secret: str, fragment: str) -> None:
        """Take more of the viewer's addresses.

        Raises:
            SessionNotFound: for none of that secret on that path.
            BadFragment: for what cannot be read.
        """
        session = self._found(name, secret)
        await session.add_candidates(fragment)

    async def end(self, name: str, secret: str) -> None:
        """End one.

        Raises:
            SessionNotFound: for none of that secret on that path.
        """
        session = self._found(name, secret)
        self._end(session)
        await session.closed()

    async def close(self) -> None:
        """End all."""
        for session in tuple(self._sessions.values()):
            self._end(session)
        while self._endings:
            await asyncio.wait(tuple(self._endings))

    def _found(self, name: str, secret: str) -> _Session:
        session = self._sessions.get(secret)
        if session is None or session.path.name != name:
            raise SessionNotFound('session not found')
        return session

    def _check_still_there(self, session: _Session) -> None:
        """A session ends with its publisher, also while its offer is being answered."""
        if session.secret not in self._sessions:
            raise NoStream(f"no stream is available on path '{session.path.name}'")

    def _ended(self, session: _Session) -> None:
        self._end(session)

    def _end(self, session: _Session) -> None:
        if self._sessions.pop(session.secret, None) is None:
            return
        task = asyncio.create_task(session.close())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


class _Session:
    """One viewer."""

    kind = 'webRTCSession'

    def __init__(self, path: VideoPath, ended: Callable[[_Session], None]) -> None:
        self.path = path
        self.session_id = str(uuid.uuid4())
        self.secret = str(uuid.uuid4())
        self.began = datetime.now(timezone.utc)
        self._ended = ended
        self._feed = ViewerFeed(path.ask_key_frame)
        self._closed = asyncio.Event()
        # No STUN: host candidates reach everybody on the robot's network, and the internet may not be there.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on('connectionstatechange', self._state_changed)
        self._too_late = asyncio.get_running_loop().call_later(_HANDSHAKE_S, self._check_handshake)
        self._listening: asyncio.Task[None] | None = None

    @property
    def sent_bytes(self) -> int:
        return self._feed.sent_bytes

    async def answer(self, offer: str) -> str:
        """The answer, with all addresses of this machine in it."""
        connection = self._connection
        transceiver = connection.addTransceiver(PlaceholderTrack(), 'sendonly')
        codecs = RTCRtpSender.getCapabilities('video').codecs
        transceiver.setCodecPreferences([each for each in codecs if each.mimeType in ('video/H264', 'video/rtx')])
        feed_sender(transceiver.sender, self._feed, self.path.ask_key_frame)
        await connection.setRemoteDescription(RTCSessionDescription(offer, 'offer'))
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def add_candidates(self, fragment: str) -> None:
        media_id = _MEDIA_ID.search(fragment)
        for text in _CANDIDATE.findall(fragment):
            if '.local ' in text:
                continue
            try:
                candidate = candidate_from_sdp(text)
            except _NO_SDP as error:
                raise BadFragment(f'invalid candidate: {text[:200]}') from error
            candidate.sdpMid = media_id[1] if media_id else None
            candidate.sdpMLineIndex = None if media_id else 0
            try:
                await self._connection.addIceCandidate(candidate)
            except ValueError:
                # The offer said that these were all; a browser repeats itself after that.
                continue

    def take_picture(self, picture: Callable[[], SharedPicture | None], key: bool) -> None:
        self._feed.put(picture, key)

    def take_packet(self, packet: bytes) -> None:
        """Pictures are taken whole."""

    def take_report(self, report: bytes) -> None:
        """A viewer gets reports of this server."""

    def publisher_gone(self) -> None:
        self._ended(self)

    async def close(self) -> None:
        self._too_late.cancel()
        if self._listening is not None:
            self._listening.cancel()
        self.path.leave(self)
        self._feed.end()
        if self._feed.discarded:
            self.path.counts['pictures that a viewer did not take in time'] += self._feed.discarded
        try:
            await self._connection.close()
        finally:
            self._closed.set()

    async def closed(self) -> None:
        await self._closed.wait()

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state == 'connected':
            self._too_late.cancel()
            if self._listening is None:
                self._listening = asyncio.create_task(self._listen())
        elif state in ('failed', 'closed'):
            self._ended(self)

    async def _listen(self) -> None:
        """Until the viewer has not said a word on the video that it is sent for too long."""
        clock_s = asyncio.get_running_loop().time
        received = sent = 0
        silent_s, looked_s = 0.0, clock_s()
        while silent_s < _SILENT_S:
            await asyncio.sleep(_LOOK_S)
            passed_s, looked_s = clock_s() - looked_s, clock_s()
            report = await self._connection.getStats()
            came = sum(each.packetsReceived for each in report.values() if isinstance(each, RTCTransportStats))
            if came != received:
                silent_s = 0.0
            elif self.sent_bytes != sent:
                # While nothing is sent there is nothing to report on.
                silent_s += passed_s
            received, sent = came, self.sent_bytes
        Log.info('WebRTC: a viewer of %s has been silent for %.0f s and is considered gone.', self.path.name, silent_s)
        self._ended(self)

    def _check_handshake(self) -> None:
        if self._connection.connectionState != 'connected':
            Log.warning('WebRTC: a viewer of %s did not connect within %g s.', self.path.name, _HANDSHAKE_S)
            self._ended(self)


def _check(offer: str) -> None:
    """Raises BadOffer for what cannot be answered."""
    if not offer.startswith('v='):
        raise BadOffer('failed to unmarshal SDP: it does not begin with v=')
    try:
        description = SessionDescription.parse(offer)
    except _NO_SDP as error:
        raise BadOffer(f'failed to unmarshal SDP: {str(error) or type(error).__name__}') from error
    videos = [media for media in description.media if media.kind == 'video']
    if not any(codec.mimeType.lower() == 'video/h264' for media in videos for codec in media.rtp.codecs):
        raise BadOffer('codecs not supported by client')
