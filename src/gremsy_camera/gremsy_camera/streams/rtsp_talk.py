# SPDX-License-Identifier: Apache-2.0
"""Requests and responses over one RTSP connection, TCP or TLS, to read a stream or to publish one."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Protocol

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


def connect(address: StreamAddress, handshake_s: float) -> socket.socket:
    """A connection without Nagle's delay.

    An encrypted one is not authenticated: cameras, and servers on a robot, sign their own certificates.

    Args:
        address: of the server; its scheme says whether to encrypt.
        handshake_s: longest time that TLS may take to begin.

    Raises:
        NoConnection: with the reason.
    """
    try:
        plain = socket.create_connection((address.host, address.port), _CONNECT_S)
    except OSError as error:
        why = explain_connect(error, address.host, address.port)
        raise NoConnection(why, refused=error.errno == errno.ECONNREFUSED) from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.scheme != 'rtsps':
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain.settimeout(handshake_s)
        return context.wrap_socket(plain, server_hostname=address.host)
    except OSError as error:
        plain.close()
        raise NoConnection(
            f'it does not speak TLS on port {address.port} ({getattr(error, "reason", None) or error}): write rtsp:// '
            'for one that does not encrypt'
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


class TalkErrors(Protocol):
    """What is raised about the server of that address, in the words of who talks."""

    def no_connection(self, address: StreamAddress, error: NoConnection) -> SuiteError:
        """There is no way to it."""

    def cannot(self, address: StreamAddress, why: str) -> SuiteError:
        """It does not answer as it should; why, as the end of a sentence."""

    def silent(self, address: StreamAddress, for_s: float) -> SuiteError:
        """It has not answered."""

    def ended(self, address: StreamAddress, why: str) -> SuiteError:
        """The connection is over; '' where no reason is known."""


class RtspTalk:
    """Used by one thread.

    Attributes:
        address, credentials: of the server; who is sent elsewhere sets others before `connect`.
        socket: None while there is no connection.
        buffer: what came and was not taken yet, beginning with an answer or a packet.
        arrived_ns: when the newest of it came, monotonic.
        session_id: goes with each request once it is set.
    """

    def __init__(
        self,
        address: StreamAddress,
        errors: TalkErrors,
        *,
        answer_s: float,
        send_s: float,
    ) -> None:
        """Nothing is opened yet.

        Args:
            address: of the server.
            errors: makes what is raised.
            answer_s: longest time that an answer may take.
            send_s: longest time that the server may take nothing.
        """
        self.address = address
        self.credentials = Credentials(address.user, address.password)
        self.socket: socket.socket | None = None
        self.buffer = bytearray()
        self.arrived_ns = 0
        self.session_id = ''
        self._errors = errors
        self._answer_s = answer_s
        self._send_s = send_s
        self._number = 0

    def connect(self) -> socket.socket:
        """A new connection, in the place of the last one.

        Raises:
            SuiteError: as `errors` has it.
        """
        self.close()
        try:
            self.socket = connect(self.address, self._answer_s)
        except NoConnection as error:
            raise self._errors.no_connection(self.address, error) from None
        return self.socket

    def close(self, goodbye: tuple[str, str] | None = None) -> bool:
        """Let go; whether the goodbye, a method and its target, got through. No answer is waited for."""
        connection, self.socket = self.socket, None
        through = True
        if connection is not None:
            try:
                if goodbye is not None and self.session_id:
                    connection.settimeout(_GOODBYE_S)
                    connection.sendall(self.request(*goodbye))
            except OSError:
                through = False
            connection.close()
        self.buffer.clear()
        self.session_id = ''
        return through

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b'') -> bytes:
        """The next one's text."""
        self._number += 1
        session = {'Session': self.session_id} if self.session_id else {}
        whole = {**session, **(headers or {}), **self.credentials.header(method, target)}
        return request_text(method, target, self._number, whole, body)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        take_packets: Callable[[], None],
        body: bytes = b'',
    ) -> RtspResponse:
        """The answer, whatever its status, to the request with the credentials that are asked for.

        Args:
            method: of the request, as its `target`, `headers` and `body`.
            target: likewise.
            headers: besides those of session and credentials.
            take_packets: takes the packets at the front of the buffer while the answer is waited for.
            body: b'' for none.

        Raises:
            SuiteError: as `errors` has it.
        """
        for _ in range(2):
            self.send(self.request(method, target, headers, body))
            answer = self._answer(take_packets)
            if answer.status != 401 or not self.credentials.challenged(answer.headers.get('www-authenticate', ())):
                return answer
            if answer.header('connection').lower() == 'close' and not self.session_id:
                self.connect()
        self.send(self.request(method, target, headers, body))
        return self._answer(take_packets)

    def send(self, data: bytes) -> None:
        """All of it.

        Raises:
            SuiteError: as `errors` has it.
        """
        if self.socket is None:
            raise self._errors.cannot(self.address, 'the connection is not open: call `open` first')
        try:
            self.socket.settimeout(self._send_s)
            self.socket.sendall(data)
        except TimeoutError:
            raise self._errors.ended(self.address, f'it took nothing for {self._send_s:g} s') from None
        except OSError as error:
            raise self._errors.ended(self.address, error.strerror or str(error)) from None

    def fill(self, timeout_s: float) -> None:
        """Have more bytes in the buffer, if they come within the timeout.

        Raises:
            SuiteError: as `errors` has it.
        """
        assert self.socket is not None
        try:
            self.socket.settimeout(max(0.001, timeout_s))
            data = self.socket.recv(_RECEIVE_BYTES)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise self._errors.ended(self.address, error.strerror or str(error)) from None
        if not data:
            raise self._errors.ended(self.address, '')
        self.arrived_ns = time.monotonic_ns()
        self.buffer += data

    def _answer(self, take_packets: Callable[[], None]) -> RtspResponse:
        """To the newest request; packets that come in the meantime are taken, and older responses skipped."""
        until_s = time.monotonic() + self._answer_s
        while (left_s := until_s - time.monotonic()) > 0:
            take_packets()
            if self.buffer and self.buffer[0] != PACKET:
                try:
                    answer = take_answer(self.buffer)
                except BadMessage:
                    raise self._errors.cannot(
                        self.address,
                        f'what answers on port {self.address.port} does not speak RTSP: check the port',
                    ) from None
                if answer is not None and answer.header('cseq') in ('', str(self._number)):
                    return answer
                if answer is not None:
                    continue
            self.fill(left_s)
        raise self._errors.silent(self.address, self._answer_s)
