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

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.sdp import SessionDescription, candidate_from_sdp
from aiortc.stats import RTCTransportStats

from gremsy_web.video_server.passthrough_sender import PlaceholderTrack, feed_sender
from gremsy_web.video_server.video_paths import PathBoard, SharedPicture, VideoPath, VideoRefusal
from gremsy_web.video_server.viewer_feed import ViewerFeed

_HOST_CANDIDATE = re.compile(r'^a=candidate:(\S+) (\d+) (udp) (\d+) (\S+) (\d+) typ host[^\r\n]*\r?\n', re.MULTILINE)


def with_hosts(answer: str, hosts: Sequence[str]) -> str:
    """The answer with every address of `hosts` beside the ports that the interfaces' candidates have."""
    if not hosts:
        return answer

    def more(match: re.Match[str]) -> str:
        _, component, transport, priority, address, port = match.groups()
        extra = [
            f'a=candidate:extra{number} {component} {transport} {int(priority) - number} {host} {port} typ host\r\n'
            for number, host in enumerate(hosts, 1)
        ]
        return match[0] if ':' in address else match[0] + ''.join(extra)

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
        self._sessions: dict[str, ViewerSession] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def begin(self, name: str, offer: str) -> tuple[ViewerSession, str]:
        """Answer an offer: the session that has begun, and the SDP of the answer.

        Raises:
            VideoRefusal: for no name, while nobody publishes there, for what is no offer or without H.264, and for one
                viewer too many.
        """
        path = self._board.find(name)
        offer = _HIDDEN_CANDIDATE.sub('', offer)
        _check(offer)
        if len(self._sessions) >= self._most:
            raise VideoRefusal(503, f'{self._most} viewers are connected already: close one, or allow more.')
        session = ViewerSession(path, self._end)
        self._sessions[session.secret] = session
        path.join(session)
        try:
            answer = await session.answer(offer)
        except _REFUSALS as error:
            self._check_still_there(session)
            self._end(session)
            raise VideoRefusal(400, str(error) or type(error).__name__) from error
        except BaseException:
            self._end(session)
            raise
        self._check_still_there(session)
        return session, with_hosts(answer, self._extra_hosts)

    def find(self, name: str, secret: str) -> ViewerSession:
        """The session of that secret on that path; raises VideoRefusal for none."""
        session = self._sessions.get(secret)
        if session is None or session.path.name != name:
            raise VideoRefusal(404, 'session not found')
        return session

    async def end(self, session: ViewerSession) -> None:
        """End one, and wait for that."""
        ending = self._end(session)
        if ending is not None:
            await asyncio.wait((ending,))

    async def close(self) -> None:
        """End all."""
        for session in tuple(self._sessions.values()):
            self._end(session)
        while self._endings:
            await asyncio.wait(tuple(self._endings))

    def _check_still_there(self, session: ViewerSession) -> None:
        """A session ends with its publisher, also while its offer is being answered."""
        if session.secret not in self._sessions:
            raise VideoRefusal(404, f"no stream is available on path '{session.path.name}'")

    def _end(self, session: ViewerSession) -> asyncio.Task[None] | None:
        if self._sessions.pop(session.secret, None) is None:
            return None
        task = asyncio.create_task(session.close())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task


class ViewerSession:
    """One viewer.

    Attributes:
        session_id: for who looks at the server.
        secret: for who owns the session.
    """

    kind = 'webRTCSession'

    def __init__(self, path: VideoPath, ended: Callable[[ViewerSession], object]) -> None:
        self.path = path
        self.session_id = str(uuid.uuid4())
        self.secret = str(uuid.uuid4())
        self._ended = ended
        self._feed = ViewerFeed(path.ask_key_frame)
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
        """Take more of the viewer's addresses; raises VideoRefusal for what cannot be read."""
        media_id = _MEDIA_ID.search(fragment)
        for text in _CANDIDATE.findall(fragment):
            if '.local ' in text:
                continue
            try:
                candidate = candidate_from_sdp(text)
            except _NO_SDP as error:
                raise VideoRefusal(400, f'invalid candidate: {text[:200]}') from error
            candidate.sdpMid = media_id[1] if media_id else None
            candidate.sdpMLineIndex = None if media_id else 0
            try:
                await self._connection.addIceCandidate(candidate)
            except ValueError:
                # The offer said that these were all; a browser repeats itself after that.
                continue

    def take_picture(self, picture: Callable[[], SharedPicture | None], key: bool) -> None:
        self._feed.put(picture, key)

    def take_packet(self, packet: bytes, *, is_report: bool) -> None:
        """Pictures are taken whole, and a viewer gets reports of this server."""

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
        await self._connection.close()

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
    """Raises VideoRefusal for what cannot be answered."""
    if not offer.startswith('v='):
        raise VideoRefusal(400, 'failed to unmarshal SDP: it does not begin with v=')
    try:
        description = SessionDescription.parse(offer)
    except _NO_SDP as error:
        raise VideoRefusal(400, f'failed to unmarshal SDP: {str(error) or type(error).__name__}') from error
    videos = [media for media in description.media if media.kind == 'video']
    if not any(codec.mimeType.lower() == 'video/h264' for media in videos for codec in media.rtp.codecs):
        raise VideoRefusal(400, 'codecs not supported by client')
