# SPDX-License-Identifier: Apache-2.0
"""RTSP's texts: requests, answers, credentials (basic and digest) and the description of a stream (SDP).

RFC 2326 (RTSP), 7617 (basic), 2617 and 7616 (digest), 8866 (SDP). Nothing here touches a network.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urljoin

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256}
_LONGEST_HEAD = 65_536


class BadMessage(ValueError):
    """What came is no RTSP."""


@dataclass(frozen=True, slots=True)
class RtspResponse:
    """To one request; names of headers in lower case."""

    status: int
    reason: str
    headers: Mapping[str, Sequence[str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first of that name; '' for none."""
        return first_of(self.headers, name.lower())

    @property
    def session(self) -> tuple[str, int | None]:
        """The session's id, and after how many seconds of silence it ends, if the server says."""
        session, *options = self.header('session').split(';')
        timeout_s = None
        for option in options:
            name, _, value = option.strip().partition('=')
            if name == 'timeout' and value.isdecimal():
                timeout_s = int(value)
        return session.strip(), timeout_s


def request_text(method: str, target: str, number: int, headers: Mapping[str, str], body: bytes = b'') -> bytes:
    """As it goes over the wire."""
    lines = [f'{method} {target} RTSP/1.0', f'CSeq: {number}', 'User-Agent: gremsy_camera']
    lines += [f'{name}: {value}' for name, value in headers.items()]
    lines += [f'Content-Length: {len(body)}'] if body else []
    return ('\r\n'.join(lines) + '\r\n\r\n').encode() + body


def take_answer(buffer: bytearray) -> RtspResponse | None:
    """Take one whole answer off the front of the buffer; None while it is not all there.

    Raises:
        BadMessage: for what does not begin like one.
    """
    end = buffer.find(b'\r\n\r\n')
    if end < 0:
        if len(buffer) > _LONGEST_HEAD or not b'RTSP/'.startswith(bytes(buffer[:5])):
            raise BadMessage('no RTSP answer')
        return None
    first, *lines = bytes(buffer[:end]).decode('utf-8', 'replace').split('\r\n')
    match = re.match(r'RTSP/\d\.\d (\d{3}) ?(.*)', first)
    if match is None:
        raise BadMessage('no RTSP answer')
    headers = headers_of(lines)
    length_text = first_of(headers, 'content-length')
    length = int(length_text) if length_text.isdecimal() else 0
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    return RtspResponse(int(match[1]), match[2], headers, body)


def headers_of(lines: Sequence[str]) -> dict[str, list[str]]:
    """Of RTSP or HTTP: names in lower case, values in the order in which they came."""
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(':')
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return headers


def first_of(values: Mapping[str, Sequence[str]], name: str) -> str:
    """The first value of that name; '' for none."""
    return next(iter(values.get(name, ())), '')


class Credentials:
    """Answers a camera's challenge, by digest where it is offered."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._challenge: dict[str, str] = {}
        self._scheme = ''
        self._uses = 0

    def challenged(self, challenges: Sequence[str]) -> bool:
        """Take what `WWW-Authenticate` says; whether asking again with it makes sense."""
        if not self._user:
            return False
        best = ''
        for text in challenges:
            scheme, _, rest = text.partition(' ')
            parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
            known = parameters.get('algorithm', 'MD5').upper().removesuffix('-SESS') in _HASHES
            if scheme.lower() == 'digest' and known and best != 'digest':
                stale = parameters.get('stale', '').lower() == 'true'
                answered = self._scheme == 'digest' and not stale and self._uses > 0
                if answered and parameters.get('nonce') == self._challenge.get('nonce'):
                    return False
                best, self._challenge = 'digest', parameters
            elif scheme.lower() == 'basic' and not best:
                best = 'basic'
        self._scheme, self._uses = best, 0
        return bool(best)

    def header(self, method: str, target: str) -> dict[str, str]:
        """`Authorization` of a request; nothing before a challenge."""
        if self._scheme == 'basic':
            token = base64.b64encode(f'{self._user}:{self._password}'.encode()).decode()
            return {'Authorization': f'Basic {token}'}
        return {'Authorization': self._digest(method, target)} if self._scheme == 'digest' else {}

    def _digest(self, method: str, target: str) -> str:
        challenge = self._challenge
        algorithm = challenge.get('algorithm', 'MD5').upper()
        make = _HASHES[algorithm.removesuffix('-SESS')]

        def hashed(text: str) -> str:
            return make(text.encode()).hexdigest()

        self._uses += 1
        realm, nonce = challenge.get('realm', ''), challenge.get('nonce', '')
        count, mine = f'{self._uses:08x}', secrets.token_hex(8)
        who = hashed(f'{self._user}:{realm}:{self._password}')
        if algorithm.endswith('-SESS'):
            who = hashed(f'{who}:{nonce}:{mine}')
        what = hashed(f'{method}:{target}')
        parts = [f'username="{self._user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{target}"']
        if 'auth' in [each.strip() for each in challenge.get('qop', '').split(',')]:
            parts += [
                f'response="{hashed(f"{who}:{nonce}:{count}:{mine}:auth:{what}")}"',
                f'qop=auth, nc={count}, cnonce="{mine}"',
            ]
        else:
            parts.append(f'response="{hashed(f"{who}:{nonce}:{what}")}"')
        if 'algorithm' in challenge:
            parts.append(f'algorithm={challenge["algorithm"]}')
        if 'opaque' in challenge:
            parts.append(f'opaque="{challenge["opaque"]}"')
        return 'Digest ' + ', '.join(parts)


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The first video of a description that is known here.

    Attributes:
        encoding: as RTP names it, 'H264', 'H265' or 'JPEG'.
        clock_rate: of RTP times, Hz.
        payload_type: of its packets.
        control: where SETUP goes.
        parameters: of `fmtp`, names in lower case.
        rate_hz: as announced, 0 where it is not.
        size: likewise, (0, 0) where it is not.
    """

    encoding: str
    clock_rate: int
    payload_type: int
    control: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    rate_hz: float = 0.0
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """What DESCRIBE brought.

    Attributes:
        track: the video; None where there is none that is known here.
        kinds: what there is else, in the camera's words: 'audio PCMU', 'video VP8'.
        control: where PLAY and TEARDOWN go.
    """

    track: VideoTrack | None
    kinds: tuple[str, ...]
    control: str


class CodecName(NamedTuple):
    """As people write it, and as EncodedFormat and FFmpeg have it."""

    name: str
    short: str


# Those that can be decoded, as RTP names them.
CODECS = {
    'H264': CodecName('H.264', 'h264'),
    'H265': CodecName('H.265', 'hevc'),
    'JPEG': CodecName('MJPEG', 'mjpeg'),
}
# Payload types that need no rtpmap.
_STATIC = {'26': 'JPEG/90000', '0': 'PCMU/8000', '8': 'PCMA/8000', '14': 'MPA/90000', '32': 'MPV/90000'}


def read_description(text: str, base: str) -> StreamDescription:
    """An SDP, with its controls made whole by the address `base`."""
    session: dict[str, str] = {}
    sections: list[tuple[list[str], dict[str, list[str]]]] = []
    for line in text.splitlines():
        kind, _, value = line.strip().partition('=')
        if kind == 'm':
            sections.append((value.split(), {}))
        elif kind == 'a':
            name, _, rest = value.partition(':')
            if sections:
                sections[-1][1].setdefault(name.lower(), []).append(rest.strip())
            else:
                session.setdefault(name.lower(), rest.strip())
    control = join_location(base, session.get('control', '*'))
    kinds, track = [], None
    for media, attributes in sections:
        if len(media) < 4:
            continue
        maps = dict(each.partition(' ')[::2] for each in attributes.get('rtpmap', ()))
        payload_type = media[3]
        name, _, rate = maps.get(payload_type, _STATIC.get(payload_type, payload_type)).partition('/')
        kinds.append(f'{media[0]} {name}')
        if media[0] != 'video' or name.upper() not in CODECS or track is not None or not payload_type.isdecimal():
            continue
        formats = dict(each.partition(' ')[::2] for each in attributes.get('fmtp', ()))
        track = VideoTrack(
            encoding=name.upper(),
            clock_rate=(int(rate.partition('/')[0]) if rate.partition('/')[0].isdecimal() else 0) or 90_000,
            payload_type=int(payload_type),
            control=join_location(
                control if session.get('control', '*') != '*' else base, first_of(attributes, 'control')
            ),
            parameters=_format_parameters(formats.get(payload_type, '')),
            rate_hz=_number(first_of(attributes, 'framerate')),
            size=_size(first_of(attributes, 'x-dimensions') or first_of(attributes, 'framesize').partition(' ')[2]),
        )
    return StreamDescription(track, tuple(kinds), control)


def _format_parameters(text: str) -> dict[str, str]:
    pairs = (each.strip().partition('=') for each in text.split(';'))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 < value <= 1000.0 else 0.0


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d{1,5})\s*[,-]\s*(\d{1,5})', text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def join_location(base: str, control: str) -> str:
    """Where a control or a redirect leads: whole as it stands, or behind the base, whether that ends in / or not."""
    if control in ('', '*'):
        return base
    if '://' in control:
        return control
    if control.startswith('/'):
        return urljoin(base.replace('rtsp', 'http', 1), control).replace('http', 'rtsp', 1)
    return f'{base.rstrip("/")}/{control}'
