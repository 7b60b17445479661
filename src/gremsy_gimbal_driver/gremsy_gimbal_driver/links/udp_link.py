# SPDX-License-Identifier: Apache-2.0
"""UDP client: a payload answers to where the last packet came from, so we speak first (gimbal.md 1.2)."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable

from gremsy_gimbal_driver.links.link import LinkError

_LARGEST_DATAGRAM = 65535
_ASK_AGAIN_S = 5.0
"""A payload known by name may come back under another address; so long a silence is worth a question."""

_FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)


class UdpLink:
    """A socket connected to the payload's address, so that only the payload is received.

    Connecting sends nothing, so a payload that is off is no error.

    Args:
        host: name or address.
        port: the payload's.
        bind: our own address and port, for a payload or a firewall that wants a fixed one.
        clock: s, monotonic.
    """

    is_datagram = True

    def __init__(
        self,
        host: str,
        port: int,
        bind: tuple[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = (host, port)
        self._bind = bind
        self._clock = clock
        self._socket: socket.socket | None = None
        self._peer: object = None
        self._asked_s = 0.0
        self.name = f'udp://[{host}]:{port}' if ':' in host else f'udp://{host}:{port}'
        self.fault = ''

    def open(self) -> None:
        """Raises LinkError when the name cannot be resolved, no network leads there, or our own port is taken."""
        family, peer = self._resolve()[0]
        try:
            opened = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise LinkError(
                f'This machine cannot reach the gimbal link {self.name} ({error.strerror}): '
                'give an address of the other kind (IPv4 or IPv6) in the parameter `link`.'
            ) from error
        try:
            opened.setblocking(False)
            if self._bind is not None:
                self._bind_socket(opened, self._bind)
            opened.connect(peer)
        except LinkError:
            opened.close()
            raise
        except OSError as error:
            opened.close()
            raise LinkError(
                f'No network leads to the gimbal link {self.name} ({error.strerror}): '
                "check this machine's address and the cable to the payload."
            ) from error
        self._peer, self._asked_s, self.fault = peer, self._clock(), ''
        self._socket = opened

    def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """-1 while closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def read(self, timeout_s: float) -> bytes:
        """One datagram; empty on time-out, and when the payload's machine reports that nobody listens (yet)."""
        opened = self._opened()
        readable, _, _ = select.select([opened], [], [], timeout_s)
        if not readable:
            self._ask_again()
            return b''
        try:
            data = opened.recv(_LARGEST_DATAGRAM)
        except ConnectionRefusedError:
            self._note_refusal()
            return b''
        except BlockingIOError:
            return b''
        except OSError as error:
            raise LinkError(self._unreachable(error)) from error
        self.fault, self._asked_s = '', self._clock()
        return data

    def write(self, data: bytes) -> bool:
        """False when nobody listens there or the socket is full."""
        opened = self._opened()
        # Twice: a refusal belongs to an earlier datagram, and this one was not sent yet.
        for _ in range(2):
            try:
                return opened.send(data) == len(data)
            except ConnectionRefusedError:
                self._note_refusal()
            except OSError as error:
                if error.errno in _FULL:
                    return False
                raise LinkError(self._unreachable(error)) from error
        return False

    def _resolve(self) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
        try:
            found = socket.getaddrinfo(*self.address, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            reason = _why_unresolved(error)
            raise LinkError(
                f'The address of the gimbal link {self.name} cannot be resolved ({reason}): '
                'check the host in the parameter `link` and the network.'
            ) from error
        if self._bind is not None:
            ours = socket.AF_INET6 if ':' in self._bind[0] else socket.AF_INET
            found = [each for each in found if each[0] == ours]
            if not found:
                raise LinkError(
                    f'The gimbal link {self.name} has no address of the kind that `bind` names ({self._bind[0]}): '
                    'bind to an IPv4 address for an IPv4 host, to an IPv6 address for an IPv6 host.'
                )
        # IPv4 first: payloads speak nothing else, and `localhost` is often ::1 before it is 127.0.0.1.
        found.sort(key=lambda each: each[0] != socket.AF_INET)
        return [(family, address) for family, _, _, _, address in found]

    def _bind_socket(self, opened: socket.socket, own: tuple[str, int]) -> None:
        try:
            opened.bind(own)
        except OSError as error:
            where = f'{own[0]}:{own[1]}'
            if error.errno == errno.EADDRINUSE:
                sentence = (
                    f'Another program holds {where}, where the gimbal link {self.name} is to bind: '
                    'close it (a ground station, a second driver) first, or bind elsewhere.'
                )
            else:
                sentence = (
                    f'The gimbal link {self.name} cannot bind to {where} ({error.strerror}): '
                    "name one of this machine's addresses, or 0.0.0.0 for any, and a port above 1023."
                )
            raise LinkError(sentence) from error

    def _ask_again(self) -> None:
        """Check whether a silent payload that is known by name has another address now."""
        if self._clock() - self._asked_s < _ASK_AGAIN_S:
            return
        self._asked_s = self._clock()
        try:
            addresses = [address for _, address in self._resolve()]
        except LinkError:
            # No reply of the name server means nothing for the payload; the address that was right is kept.
            return
        if self._peer not in addresses:
            raise LinkError(
                f'The gimbal link {self.name} is silent and its name now resolves to another address: trying that.'
            )

    def _note_refusal(self) -> None:
        self.fault = (
            f'Nothing is listening on the gimbal link {self.name}: wait for the payload to start, '
            'or correct the port in the parameter `link` (payloads use 14566).'
        )

    def _unreachable(self, error: OSError) -> str:
        return (
            f'The gimbal link {self.name} cannot be reached ({error.strerror}): '
            "check the payload's power, its cable and this machine's address."
        )

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise LinkError(f'The gimbal link {self.name} is not open.')
        return self._socket


def _why_unresolved(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
        return 'the host name was not found'
    return getattr(error, 'strerror', None) or str(error)
