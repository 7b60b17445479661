# SPDX-License-Identifier: Apache-2.0
"""One conversation with a video server to which a stream is given (RTSP's ANNOUNCE and RECORD, over TCP).

Written here since FFmpeg's muxer leaves Nagle's algorithm on, which costs up to 40 ms a picture, and gives RTP times of
its own choice.
"""

from __future__ import annotations

import base64
import socket
import struct
import time
from collections.abc import Mapping, Sequence

from gremsy_camera.recording.access_units import nal_units
from gremsy_camera.streaming.rtp_sending import PAYLOAD_TYPE, RTP_CLOCK_HZ, asks_for_key_frame
from gremsy_camera.streams.rtsp_messages import BadMessage, RtspResponse, take_answer
from gremsy_camera.streams.rtsp_talk import PACKET, NoConnection, RtspTalk, readable
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.errors import SuiteError

_ANSWER_S = 5.0
# A server that takes nothing for so long is given up: what it would get then is old.
_SEND_S = 1.0
# Some pictures' worth: what the server does not take must not grow old in the kernel.
_SEND_BUFFER_BYTES = 256 * 1024
# Also how soon a server is found to hang: what it does not read first fills its own kernel's memory, for a quarter of a
# minute at 3 Mbit/s.
_KEEP_ALIVE_S, _SHORTEST_KEEP_ALIVE_S = 3.0, 1.0
_SPS, _PPS = 7, 8
_TRACK = 'trackID=0'
_STATUS = {
    400: 'it does not accept this stream (400 {reason}): see its log',
    401: 'it refuses user name and password (401): check the credentials in `server`',
    403: 'it forbids publishing to this path (403): check the rights of the user there',
    404: 'it has no such path (404): add the path to its configuration',
    454: 'it no longer knows the session (454)',
    461: 'it does not accept streams over TCP (461): allow that transport there',
    503: 'it accepts no more streams now (503)',
}


class PublishError(SuiteError):
    """The video server cannot be published to now; the text names it and the way out."""


class PublishRefused(PublishError):
    """It wants other credentials: asking again soon makes no sense, and may lock an account."""


class RtspRecord(RtspTalk):
    """Used by one thread. `open`, then `send` and `attend` again and again; `close` at any time, twice too."""

    _silent_hint = 'see its log'

    def __init__(self, address: StreamAddress) -> None:
        """Nothing is opened yet; the address is the server's with the path of the stream."""
        super().__init__(address, answer_s=_ANSWER_S, send_s=_SEND_S)
        self._recording = False
        self._keep_alive_s = _KEEP_ALIVE_S
        self._keep_alive_due_s = 0.0
        self._answers_keep_alives = False
        self._asked_s: float | None = None
        self._key_frame_wanted = False

    def open(self, key_picture: bytes) -> None:
        """Connect, say what comes, and have the server take it.

        Args:
            key_picture: with its parameter sets, in Annex B form.

        Raises:
            VideoServerRefused: the credentials are not the right ones.
            VideoServerError: anything else; it may work later.
        """
        self._recording = False
        self._connect().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        location = self._address.location
        description = {'Content-Type': 'application/sdp'}
        self._ask('ANNOUNCE', location, description, _session_description(self._address, key_picture))
        answer = self._ask(
            'SETUP',
            f'{location.rstrip("/")}/{_TRACK}',
            {'Transport': 'RTP/AVP/TCP;unicast;interleaved=0-1;mode=record'},
        )
        self._session_id, timeout_s = answer.session
        if timeout_s is not None:
            self._keep_alive_s = min(_KEEP_ALIVE_S, max(_SHORTEST_KEEP_ALIVE_S, timeout_s / 2))
        self._transport(answer)
        self._ask('RECORD', location, {'Range': 'npt=0.000-'})
        self._recording = True
        self._keep_alive_due_s = time.monotonic() + self._keep_alive_s

    def send(self, packets: Sequence[bytes], report: bytes | None = None) -> int:
        """The packets of a picture in one piece, with a sender report behind the first; the bytes sent.

        Raises:
            VideoServerError: the connection ended, or the server took nothing for a second.
        """
        rtp, rtcp = self._channels
        pieces = [piece for packet in packets for piece in (struct.pack('>BBH', PACKET, rtp, len(packet)), packet)]
        if report is not None:
            pieces[2:2] = [struct.pack('>BBH', PACKET, rtcp, len(report)), report]
        data = b''.join(pieces)
        self._send(data)
        return len(data)

    def attend(self) -> bool:
        """Take what the server said, and keep the session alive; whether it asks for a key frame.

        Raises:
            VideoServerError: the connection ended, or the server, which answered before, has not done so for 5 s.
        """
        assert self._socket is not None
        while readable(self._socket):
            self._fill(_SEND_S)
            self._keep_packets()
            self._take_answers()
        now_s = time.monotonic()
        if now_s >= self._keep_alive_due_s:
            self._keep_alive_due_s = now_s + self._keep_alive_s
            self._send(self._request('OPTIONS', self._address.location))
            self._asked_s = self._asked_s or now_s
        if self._answers_keep_alives and self._asked_s is not None and now_s - self._asked_s > _ANSWER_S:
            raise self._ended(f'it has not answered for {_ANSWER_S:g} s')
        wanted, self._key_frame_wanted = self._key_frame_wanted, False
        return wanted

    def close(self) -> None:
        """End the session, without waiting for a response, and the connection."""
        self._hang_up(('TEARDOWN', self._address.location))
        self._recording = False

    def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b'') -> RtspResponse:
        answer = self._response(method, target, headers, body)
        if answer.status == 200:
            return answer
        words = _STATUS.get(answer.status, 'it answers {status} {reason}')
        why = self._cannot(words.format(status=answer.status, reason=answer.reason).strip())
        raise PublishRefused(str(why)) if answer.status in (401, 403) else why

    def _keep_packets(self) -> None:
        """The packets at the front of the buffer: a server sends receiver reports, and may ask for a key frame."""
        buffer = self._buffer
        while len(buffer) >= 4 and buffer[0] == PACKET:
            length = buffer[2] << 8 | buffer[3]
            if len(buffer) < 4 + length:
                return
            if asks_for_key_frame(bytes(buffer[4 : 4 + length])):
                self._key_frame_wanted = True
                self.counts['key frames that the server asked for'] += 1
            del buffer[: 4 + length]

    def _take_answers(self) -> None:
        """Those to keep-alives. A session that is not known any more is over; a new challenge is answered."""
        buffer = self._buffer
        while buffer and buffer[0] != PACKET:
            try:
                answer = take_answer(buffer)
            except BadMessage:
                raise self._ended('it sends something that is not RTSP') from None
            if answer is None:
                return
            self._answers_keep_alives, self._asked_s = True, None
            if answer.status == 401 and self._challenged(answer):
                self._keep_alive_due_s = time.monotonic()
            elif answer.status in (401, 404, 454):
                raise self._ended(f'it answers {answer.status} {answer.reason}'.strip())
            self._keep_packets()

    def _no_connection(self, error: NoConnection) -> PublishError:
        nothing = f'nothing listens on port {self._address.port} of {self._address.host}: start it, or check `server`'
        return self._cannot(nothing if error.refused else str(error))

    def _cannot(self, why: str) -> PublishError:
        return PublishError(f'The video server {self._address.shown} cannot be published to: {why}.')

    def _ended(self, why: str) -> PublishError:
        because = f' ({why})' if why else ''
        if not self._recording:
            return self._cannot(f'it ended the connection{because}')
        return PublishError(
            f'The video server {self._address.shown} ended the connection{because}: it is published to again.'
        )


def _session_description(address: StreamAddress, key_picture: bytes) -> bytes:
    sets = {unit[0] & 0x1F: unit for unit in nal_units(key_picture) if unit[0] & 0x1F in (_SPS, _PPS)}
    parameters = ','.join(base64.b64encode(sets[kind]).decode() for kind in (_SPS, _PPS))
    format_line = (
        f'a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={sets[_SPS][1:4].hex().upper()};'
        f'sprop-parameter-sets={parameters}'
    )
    family = 'IP6' if ':' in address.host else 'IP4'
    lines = (
        'v=0',
        f'o=- 0 0 IN {family} {address.host}',
        's=gremsy_camera',
        f'c=IN {family} {address.host}',
        't=0 0',
        f'm=video 0 RTP/AVP {PAYLOAD_TYPE}',
        f'a=rtpmap:{PAYLOAD_TYPE} H264/{RTP_CLOCK_HZ}',
        format_line,
        f'a=control:{_TRACK}',
    )
    return ('\r\n'.join(lines) + '\r\n').encode()
