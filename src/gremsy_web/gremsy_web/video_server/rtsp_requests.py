# SPDX-License-Identifier: Apache-2.0
"""What comes from a client of an RTSP server: requests and interleaved packets (RFC 2326), and the answers' texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LONGEST_HEAD = 16_384
_LONGEST_BODY = 65_536
_METHOD = re.compile(rb'[A-Z_]{1,20} ')
_REASONS = {
    200: 'OK',
    400: 'Bad Request',
    404: 'Not Found',
    405: 'Method Not Allowed',
    454: 'Session Not Found',
    455: 'Method Not Valid in This State',
    461: 'Unsupported Transport',
}


class BadRequest(ValueError):
    """What came is no RTSP, or longer than anything that is."""


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """One request; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The part of the address after the host, without slashes at its ends and without a query."""
        return urlsplit(self.target).path.strip('/')


@dataclass(frozen=True, slots=True)
class Interleaved:
    """One packet between the requests."""

    channel: int
    data: bytes


def take(buffer: bytearray) -> RtspRequest | Interleaved | None:
    """Take one whole thing off the front of the buffer; None while it is not all there.

    Raises:
        BadRequest: for what does not begin like one.
    """
    if not buffer:
        return None
    if buffer[0] == 0x24:
        if len(buffer) < 4:
            return None
        end = 4 + int.from_bytes(buffer[2:4], 'big')
        if len(buffer) < end:
            return None
        packet = Interleaved(buffer[1], bytes(buffer[4:end]))
        del buffer[:end]
        return packet
    return _take_request(buffer)


def _take_request(buffer: bytearray) -> RtspRequest | None:
    end = buffer.find(b'\r\n\r\n', 0, _LONGEST_HEAD)
    if end < 0:
        if len(buffer) >= _LONGEST_HEAD or (len(buffer) > 21 and not _METHOD.match(buffer)):
            raise BadRequest('no RTSP request')
        return None
    first, *lines = bytes(buffer[:end]).decode('utf-8', 'replace').split('\r\n')
    match = re.fullmatch(r'([A-Z_]{1,20}) (\S+) RTSP/1\.0', first)
    if match is None:
        raise BadRequest('no RTSP request')
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(':')
        headers.setdefault(name.strip().lower(), value.strip())
    text = headers.get('content-length', '0')
    length = int(text) if re.fullmatch(r'[0-9]{1,6}', text) else _LONGEST_BODY + 1
    if length > _LONGEST_BODY:
        raise BadRequest('the body is too long')
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    try:
        urlsplit(match[2])
    except ValueError as error:
        raise BadRequest('no address') from error
    return RtspRequest(match[1], match[2], headers, body)


def answer_text(status: int, number: str, headers: Mapping[str, str], body: str = '') -> bytes:
    """As it goes over the wire."""
    lines = [f'RTSP/1.0 {status} {_REASONS[status]}', f'CSeq: {number}', 'Server: gremsy']
    lines += [f'{name}: {value}' for name, value in headers.items()]
    if body:
        lines.append(f'Content-Length: {len(body.encode())}')
    return ('\r\n'.join(lines) + '\r\n\r\n' + body).encode()


def interleaved(channel: int, data: bytes) -> bytes:
    """A packet as it goes between the answers."""
    return b'$' + bytes((channel,)) + len(data).to_bytes(2, 'big') + data


def picture_loss(media_source: bytes) -> bytes:
    """RTCP's picture loss indication (RFC 4585, 6.3.1): the receiver wants a key frame of that source (4 bytes)."""
    return b'\x81\xce\x00\x02' + b'\x00\x00\x00\x01' + media_source
