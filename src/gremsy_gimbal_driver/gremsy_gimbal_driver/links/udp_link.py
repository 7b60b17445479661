# SPDX-License-Identifier: Apache-2.0
"""UDP client: a payload answers to where the last packet came from, so we speak first (gimbal.md 1.2)."""

from __future__ import annotations

import select
import socket

from gremsy_gimbal_driver.links.link import LinkError

_LARGEST_DATAGRAM = 65535


class UdpLink:
    """A socket connected to the payload's address; connecting sends nothing, so a payload that is off is no error."""

    is_datagram = True

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self.name = f'udp://{host}:{port}'
        self.refused = 0
        """How often the machine answered that nobody listens on that port."""

    def open(self) -> None:
        """Raises LinkError when the name cannot be resolved or no network leads there."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            raise LinkError(
                f'The address of the gimbal link {self.name} cannot be resolved ({error.strerror}): '
                'check the host in the parameter `link` and the network.'
            ) from error
        try:
            opened.setblocking(False)
            opened.connect(address)
        except OSError as error:
            opened.close()
            raise LinkError(
                f'No network leads to the gimbal link {self.name} ({error.strerror}): '
                "check this machine's address and the cable to the payload."
            ) from error
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
        """One datagram; empty on time-out, and when the payload's machine says that nobody listens (yet)."""
        opened = self._opened()
        readable, _, _ = select.select([opened], [], [], timeout_s)
        if not readable:
            return b''
        try:
            return opened.recv(_LARGEST_DATAGRAM)
        except ConnectionRefusedError:
            self.refused += 1
            return b''
        except BlockingIOError:
            return b''
        except OSError as error:
            raise LinkError(f'The gimbal link {self.name} failed while reading ({error.strerror}).') from error

    def write(self, data: bytes) -> bool:
        """False when nobody listens there or the socket is full."""
        opened = self._opened()
        try:
            return opened.send(data) == len(data)
        except ConnectionRefusedError:
            # The refusal belongs to an earlier datagram; this one was not sent yet.
            self.refused += 1
        except BlockingIOError:
            return False
        except OSError as error:
            raise LinkError(f'The gimbal link {self.name} failed while writing ({error.strerror}).') from error
        try:
            return opened.send(data) == len(data)
        except OSError:
            return False

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise LinkError(f'The gimbal link {self.name} is not open.')
        return self._socket
