# SPDX-License-Identifier: Apache-2.0
"""The connection below RTSP, for who reads from a server and who gives to one: TCP, by TLS where the address asks."""

from __future__ import annotations

import errno
import select
import socket
import ssl

from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_camera.streams.unreachable import explain_connect

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
