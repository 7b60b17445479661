# SPDX-License-Identifier: Apache-2.0
"""GET requests to one camera over HTTP or HTTPS: credentials, redirects, and the body as it comes.

The standard library's `http.client` reads a body in blocking pieces, and a time limit once passed leaves it unusable;
here a read gives up in time and goes on later, which a stream without an end needs.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urljoin

from gremsy_camera.errors import SourceError, SourceRefused, SourceUnusable
from gremsy_camera.streams.credentials import redacted
from gremsy_camera.streams.rtsp_messages import Credentials, first_of, headers_of
from gremsy_camera.streams.rtsp_talk import NoConnection, connect
from gremsy_camera.streams.stream_address import StreamAddress, explain_status

_AGENT = 'gremsy_camera'
_RECEIVE_BYTES = 64 * 1024
_LONGEST_HEAD = 64 * 1024
_MOST_ASKINGS = 6
# `ICY` is what some of the oldest say.
_STATUS_LINE = re.compile(r'(?:HTTP/\d(?:\.\d)?|ICY) (\d{3}) ?(.*)')
# Python's own `int` also takes a minus, with which a chunk would never end.
_CHUNK_SIZE = re.compile(rb'[0-9A-Fa-f]{1,16}')
_STALE = re.compile(r'\bstale\s*=\s*"?true', re.IGNORECASE)
_UNAUTHORIZED = 401
_REDIRECTS = (301, 302, 303, 307, 308)


class BodyEnded(Exception):
    """All of an answer's body has come."""


class _Silence(Exception):
    """A connection gave no answer: the camera has closed it."""


@dataclass(slots=True)
class HttpAnswer:
    """An answer whose head has come.

    Attributes:
        headers: names in lower case, values in the order in which they came.
        arrived_ns: of the head, monotonic.
    """

    status: int
    reason: str
    headers: dict[str, list[str]]
    arrived_ns: int
    _socket: socket.socket
    _waiting: bytearray
    _left: int | None
    _chunks: _Chunks | None
    ended: bool = field(default=False)

    def header(self, name: str) -> str:
        """The first of that name; '' for none."""
        return first_of(self.headers, name)

    @property
    def content_type(self) -> str:
        """In lower case, without its parameters."""
        return self.header('content-type').partition(';')[0].strip().lower()

    @property
    def keeps_connection(self) -> bool:
        """Whether another request may follow on it once the body has ended."""
        return (self._left is not None or self._chunks is not None) and 'close' not in self.header('connection').lower()

    def receive(self, timeout_s: float) -> bytes:
        """What has come of the body; b'' for nothing within the timeout.

        Raises:
            BodyEnded: it is over.
            OSError: the connection broke.
        """
        if self.ended:
            raise BodyEnded
        data = bytes(self._waiting)
        self._waiting.clear()
        if not data and self._left != 0:
            received = _receive(self._socket, timeout_s)
            if received is None:
                return b''
            if not received:
                self._left = self._chunks = None
                self.ended = True
                raise BodyEnded
            data = received
        if self._chunks is not None:
            data = self._chunks.feed(data)
            self.ended = self._chunks.ended and not data
        elif self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.ended = not data and self._left == 0
        if self.ended:
            raise BodyEnded
        return data


class HttpSession:
    """Asks one camera; a connection that it keeps serves the next request too.

    Args:
        address: of the stream or picture.
        patience_s: for connection and head of an answer.
    """

    def __init__(self, address: StreamAddress, patience_s: float) -> None:
        self._address = address
        self._credentials = Credentials(address.user, address.password)
        self._first = address
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._answer: HttpAnswer | None = None

    @property
    def address(self) -> StreamAddress:
        """Where redirects have led."""
        return self._address

    @property
    def redirected(self) -> bool:
        """Whether they have led elsewhere."""
        return self._address.shown != self._first.shown

    def get(self) -> HttpAnswer:
        """Ask, with credentials where they are wanted and where redirects lead.

        Raises:
            SourceRefused: the credentials are not taken.
            SourceError: with the reason.
        """
        refused = False
        for _ in range(_MOST_ASKINGS):
            answer = self._ask()
            if answer.status == _UNAUTHORIZED and self._may_answer(answer, refused):
                refused = True
                self._leave(answer)
            elif answer.status in _REDIRECTS and answer.header('location'):
                self._follow(answer.header('location'))
            elif answer.status in (_UNAUTHORIZED, 403):
                raise SourceRefused(self.sentence(explain_status(answer.status)))
            elif answer.status != 200:
                raise SourceError(self.sentence(explain_status(answer.status, answer.reason)))
            else:
                self._answer = answer
                return answer
        raise SourceError(self.sentence(f'it asks and redirects in a circle ({_MOST_ASKINGS} times)'))

    def close(self) -> None:
        """Close the connection; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._answer = None

    def sentence(self, why: str) -> str:
        """On why it cannot be opened."""
        there = f' (redirected to {self._address.shown})' if self.redirected else ''
        return f'The camera {self._first.shown}{there} cannot be opened: {why}.'

    def _ask(self) -> HttpAnswer:
        if self._answer is not None:
            self._leave(self._answer)
        # A connection that was kept may have been closed by the camera in the meantime.
        for _ in range(1 if self._socket is None else 2):
            with suppress(_Silence):
                return self._ask_once()
            self.close()
        raise SourceError(self.sentence('it closes the connection without a response'))

    def _ask_once(self) -> HttpAnswer:
        address = self._address
        deadline_s = time.monotonic() + self._patience_s
        if self._socket is None:
            encryption = ssl.create_default_context() if address.scheme == 'https' else None
            try:
                self._socket = connect(address, self._patience_s, encryption, self._patience_s)
            except NoConnection as error:
                raise SourceError(self.sentence(str(error))) from None
        host = f'[{address.host}]' if ':' in address.host else address.host
        default = address.port == (443 if address.scheme == 'https' else 80)
        lines = [
            f'GET {address.target} HTTP/1.1',
            f'Host: {host if default else f"{host}:{address.port}"}',
            f'User-Agent: {_AGENT}',
            'Accept: multipart/x-mixed-replace, image/jpeg, */*;q=0.1',
            *(f'{name}: {value}' for name, value in self._credentials.header('GET', address.target).items()),
        ]
        try:
            self._socket.settimeout(self._patience_s)
            self._socket.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
            return self._read_head(self._socket, deadline_s)
        except TimeoutError as error:
            raise SourceError(
                self.sentence(f'it accepts the connection and does not answer within {self._patience_s:g} s')
            ) from error
        except OSError as error:
            raise _Silence from error

    def _read_head(self, connection: socket.socket, deadline_s: float) -> HttpAnswer:
        received = bytearray()
        while True:
            found = re.search(rb'\r?\n\r?\n', received)
            if found is not None:
                break
            if len(received) > _LONGEST_HEAD or not _may_be_http(received):
                raise SourceError(self.sentence('it does not speak HTTP on this port: check the port'))
            data = _receive(connection, max(0.0, deadline_s - time.monotonic()))
            if data is None:
                raise TimeoutError
            if not data:
                raise _Silence
            received += data
        status_line, *lines = bytes(received[: found.start()]).decode('latin-1').splitlines()
        del received[: found.end()]
        match = _STATUS_LINE.match(status_line)
        if match is None:
            raise SourceError(self.sentence('it does not speak HTTP on this port: check the port'))
        headers = headers_of(lines)
        chunked = 'chunked' in ','.join(headers.get('transfer-encoding', ())).lower()
        length_text = first_of(headers, 'content-length')
        multipart = first_of(headers, 'content-type').lower().startswith('multipart/')
        # webcamXP announces a stream without an end as 9999999 bytes.
        left = int(length_text) if length_text.isdecimal() and not chunked and not multipart else None
        return HttpAnswer(
            int(match[1]),
            match[2].strip(),
            headers,
            time.monotonic_ns(),
            connection,
            received,
            left,
            _Chunks() if chunked else None,
        )

    def _may_answer(self, answer: HttpAnswer, refused: bool) -> bool:
        """Whether to ask again with credentials; after those were refused only where they had become too old."""
        challenges = answer.headers.get('www-authenticate', ())
        if refused and not any(_STALE.search(each) for each in challenges):
            return False
        return self._credentials.challenged(challenges)

    def _leave(self, answer: HttpAnswer) -> None:
        """Have the connection ready for the next request, or none."""
        self._answer = None
        with suppress(BodyEnded, OSError, ValueError):
            while answer.keeps_connection and not answer.ended and answer.receive(0.2):
                pass
        if not (answer.ended and answer.keeps_connection):
            self.close()

    def _follow(self, location: str) -> None:
        self.close()
        before = self._address
        try:
            target = urljoin(before.location, location)
            if not target.startswith(('http://', 'https://')):
                raise SourceError(self.sentence(f'it redirects to {target.partition(":")[0]}:, which is not HTTP'))
            there = StreamAddress.of(target, 'source')
        except (ValueError, SourceUnusable) as error:
            # Its mistake, and not one of `source`: it may be over when the camera is asked again.
            raise SourceError(
                self.sentence(f'it redirects to {redacted(location)}, which is not an address')
            ) from error
        same = there.host == before.host and not (before.scheme == 'https' and there.scheme == 'http')
        # Credentials go to nobody else, and not from an encrypted connection to an open one.
        if not same:
            self._credentials = Credentials(there.user, there.password)
        self._address = there


class _Chunks:
    """Takes a chunked body apart (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._between = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """What is in it.

        Raises:
            ConnectionError: it is no chunked body.
        """
        self._buffer += data
        out = bytearray()
        while self._buffer and not self.ended:
            if self._left:
                piece = self._buffer[: self._left]
                out += piece
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                self._between = self._left == 0
                continue
            end = self._buffer.find(b'\n')
            if end < 0:
                if len(self._buffer) > _LONGEST_HEAD:
                    raise ConnectionError('no chunk')
                break
            line = bytes(self._buffer[:end]).partition(b';')[0].strip()
            del self._buffer[: end + 1]
            if self._between and not line:
                self._between = False
                continue
            if _CHUNK_SIZE.fullmatch(line) is None:
                raise ConnectionError('no chunk')
            self._left = int(line, 16)
            self.ended = self._left == 0
        return bytes(out)


def _receive(connection: socket.socket, timeout_s: float) -> bytes | None:
    """What has come; b'' at the end, None for nothing within the timeout."""
    # 0 would be a socket that never waits, which raises another error.
    connection.settimeout(max(timeout_s, 0.001))
    try:
        return connection.recv(_RECEIVE_BYTES)
    except TimeoutError:
        return None


def _may_be_http(received: bytearray) -> bool:
    return any(word.startswith(bytes(received[: len(word)])) for word in (b'HTTP/', b'ICY '))
