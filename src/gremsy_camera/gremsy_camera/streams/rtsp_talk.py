# SPDX-License-Identifier: Apache-2.0
"""Requests and responses over one RTSP connection, TCP or TLS, to read a stream or to publish one."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from gremsy_camera.streams.rtsp_messages import BadMessage, Credentials, RtspResponse, request_text, take_answer
from gremsy_camera.streams.stream_address import StreamAddress, explain_connect
from gremsy_common.errors import SuiteError

_CONNECT_S = 2.0


class NoConnection(Exception):
    """There is no way to talk to the server; the text is the end of a sentence that names it.

    Attributes:
        refused: nothing listens there.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


def connect(
    address: StreamAddress, handshake_s: float, context: ssl.SSLContext | None, connect_s: float = _CONNECT_S
) -> socket.socket:
    """A connection without Nagle's delay.

    Args:
        address: of the server.
        handshake_s: longest time that TLS may take to begin.
        context: to encrypt with; None for what is not encrypted.
        connect_s: longest time for the connection.

    Raises:
        NoConnection: with the reason.
    """
    try:
        plain = socket.create_connection((address.host, address.port), connect_s)
    except OSError as error:
        why = explain_connect(error, address.host, address.port)
        raise NoConnection(why, refused=error.errno == errno.ECONNREFUSED) from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        return plain
    try:
        plain.settimeout(handshake_s)
        return context.wrap_socket(plain, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise NoConnection(
            f'its certificate is not trusted here ({error.verify_message}): put it into the file that the environment '
            'variable SSL_CERT_FILE names'
        ) from None
    except OSError as error:
        plain.close()
        reason = 'no answer' if isinstance(error, TimeoutError) else getattr(error, 'reason', None) or error
        raise NoConnection(
            f'it does not speak TLS on port {address.port} ({reason}): write '
            f'{address.scheme.removesuffix("s")}:// for one that does not encrypt'
        ) from None


def readable(connection: socket.socket) -> bool:
    """Whether a read would not wait; TLS may hold back what the kernel no longer has."""
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return True
    return bool(select.select([connection], [], [], 0.0)[0])


_RECEIVE_BYTES = 262_144
_GOODBYE_S = 0.2
# What begins a packet between the answers (RFC 2326, section 10.12).
PACKET = 0x24


class RtspTalk(ABC):
    """Requests and responses; who talks has the words for what goes wrong. Used by one thread.

    Attributes:
        counts: what went wrong without an end, by a reason of few words.
    """

    # What to do about a server that does not answer.
    _silent_hint: ClassVar[str]

    def __init__(self, address: StreamAddress, *, answer_s: float, send_s: float) -> None:
        """Nothing is opened yet.

        Args:
            address: of the server; who is sent elsewhere sets others, and its credentials, before connecting.
            answer_s: longest time that an answer may take.
            send_s: longest time that the server may take nothing.
        """
        self._address = address
        self._credentials = Credentials(address.user, address.password)
        self._socket: socket.socket | None = None
        # What came and was not taken yet, beginning with an answer or a packet, and when the newest of it came.
        self._buffer = bytearray()
        self._arrived_ns = 0
        # Goes with each request once it is set.
        self._session_id = ''
        # Of RTP and RTCP between the answers.
        self._channels = (0, 1)
        self._answer_s = answer_s
        self._send_s = send_s
        self._number = 0
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def _cannot(self, why: str) -> SuiteError:
        """The server does not answer as it should; why, as the end of a sentence."""

    @abstractmethod
    def _ended(self, why: str) -> SuiteError:
        """The connection is over; '' where no reason is known."""

    @abstractmethod
    def _keep_packets(self) -> None:
        """Take the packets at the front of the buffer, while an answer is waited for."""

    def _no_connection(self, error: NoConnection) -> SuiteError:
        """There is no way to the server."""
        return self._cannot(str(error))

    def _connect(self) -> socket.socket:
        """A new connection, in the place of the last one."""
        self._hang_up()
        try:
            self._socket = connect(self._address, self._answer_s, self._encryption())
        except NoConnection as error:
            raise self._no_connection(error) from None
        return self._socket

    def _encryption(self) -> ssl.SSLContext | None:
        """Not authenticated: cameras, and servers on a robot, sign their own certificates."""
        if self._address.scheme != 'rtsps':
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _hang_up(self, goodbye: tuple[str, str] | None = None) -> None:
        """Let go, after a goodbye, a method and its target, whose answer is not waited for."""
        connection, self._socket = self._socket, None
        if connection is not None:
            try:
                if goodbye is not None and self._session_id:
                    connection.settimeout(_GOODBYE_S)
                    connection.sendall(self._request(*goodbye))
            except OSError:
                self.counts['goodbyes that did not get through'] += 1
            connection.close()
        self._buffer.clear()
        self._session_id = ''

    def _request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b'') -> bytes:
        """The next one's text."""
        self._number += 1
        session = {'Session': self._session_id} if self._session_id else {}
        whole = {**session, **(headers or {}), **self._credentials.header(method, target)}
        return request_text(method, target, self._number, whole, body)

    def _response(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b'') -> RtspResponse:
        """Whatever its status, to the request with the credentials that are asked for."""
        for _ in range(2):
            self._send(self._request(method, target, headers, body))
            answer = self._answer()
            if answer.status != 401 or not self._challenged(answer):
                return answer
            if answer.header('connection').lower() == 'close' and not self._session_id:
                self._connect()
        self._send(self._request(method, target, headers, body))
        return self._answer()

    def _challenged(self, answer: RtspResponse) -> bool:
        """Whether asking again, with credentials, makes sense."""
        return self._credentials.challenged(answer.headers.get('www-authenticate', ()))

    def _transport(self, answer: RtspResponse) -> dict[str, str]:
        """The fields of the transport that the server takes; those of the channels are noted."""
        fields = dict(each.strip().partition('=')[::2] for each in answer.header('transport').split(';'))
        first, _, second = fields.get('interleaved', '0-1').partition('-')
        if first.isdecimal():
            channels = (int(first), int(second) if second.isdecimal() else int(first) + 1)
            self._channels = channels if max(channels) < 256 else self._channels
        return fields

    def _send(self, data: bytes) -> None:
        """All of it."""
        if self._socket is None:
            raise self._cannot('the connection is not open: call `open` first')
        try:
            self._socket.settimeout(self._send_s)
            self._socket.sendall(data)
        except TimeoutError:
            raise self._ended(f'it took nothing for {self._send_s:g} s') from None
        except OSError as error:
            raise self._ended(error.strerror or str(error)) from None

    def _fill(self, timeout_s: float) -> None:
        """Have more bytes in the buffer, if they come within the timeout."""
        assert self._socket is not None
        try:
            self._socket.settimeout(max(0.001, timeout_s))
            data = self._socket.recv(_RECEIVE_BYTES)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise self._ended(error.strerror or str(error)) from None
        if not data:
            raise self._ended('')
        self._arrived_ns = time.monotonic_ns()
        self._buffer += data

    def _answer(self) -> RtspResponse:
        """To the newest request; packets that come in the meantime are taken, and older responses skipped."""
        until_s = time.monotonic() + self._answer_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._keep_packets()
            if self._buffer and self._buffer[0] != PACKET:
                try:
                    answer = take_answer(self._buffer)
                except BadMessage:
                    raise self._cannot(
                        f'what answers on port {self._address.port} does not speak RTSP: check the port'
                    ) from None
                if answer is not None and answer.header('cseq') in ('', str(self._number)):
                    return answer
                if answer is not None:
                    continue
            self._fill(left_s)
        raise self._cannot(
            f'it has not answered for {self._answer_s:g} s, though its port is open: {self._silent_hint}'
        )
