# SPDX-License-Identifier: Apache-2.0
"""Where the simulated payload is plugged in: a UDP server that answers its last peer, and a pseudo-terminal."""

from __future__ import annotations

import errno
import os
import socket
import tty
from pathlib import Path
from typing import TypeAlias

from gremsy_common.errors import SuiteError

_LARGEST_READ = 65536


class PortUnavailable(SuiteError):
    """The payload cannot be reached where it was asked to be."""


class UdpPort:
    """A server that sends to where the last packet came from; nothing ever waits.

    Unplugged, its socket stays, so that the port is still ours: a pulled network cable sends no refusal.
    """

    is_datagram = True

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._peer: tuple[str, int] | None = None

    @property
    def port(self) -> int:
        """The port in use, the system's choice where 0 was asked for; 0 while closed."""
        return 0 if self._socket is None else int(self._socket.getsockname()[1])

    @property
    def uri(self) -> str:
        """On this machine, as the driver's parameter `link` takes it."""
        return f'udp://127.0.0.1:{self.port}'

    @property
    def announcement(self) -> str:
        """Where it is, in one line for who started the payload."""
        return f'udp port {self.port}'

    def open(self) -> None:
        """Bind. Raises PortUnavailable."""
        host, port = self._address
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.bind(self._address)
        except OSError as error:
            opened.close()
            if error.errno == errno.EADDRINUSE:
                raise PortUnavailable(
                    f'UDP port {port} on {host} is already in use: stop the other payload, '
                    "or choose another port with --udp HOST:PORT (and the driver's parameter `link`)."
                ) from error
            raise PortUnavailable(
                f'UDP port {port} on {host} cannot be opened ({error.strerror}): choose another with --udp HOST:PORT.'
            ) from error
        self._socket = opened

    def close(self) -> None:
        """Unbind; idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """To wait on; -1 while closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def read(self) -> bytes:
        """One datagram; empty when none came."""
        if self._socket is None:
            return b''
        try:
            data, self._peer = self._socket.recvfrom(_LARGEST_READ)
        except (BlockingIOError, ConnectionRefusedError):
            return b''
        return data

    def write(self, messages: list[bytes]) -> None:
        """One datagram a message; nothing before somebody has spoken."""
        if self._socket is None or self._peer is None:
            return
        for message in messages:
            try:
                self._socket.sendto(message, self._peer)
            except (BlockingIOError, ConnectionRefusedError):
                # The peer went away or does not read: a wire would lose it too.
                continue

    def unplug(self) -> None:
        """The network is silent: it has nothing to do for that."""

    def replug(self) -> None:
        """As above."""

    def forget_peer(self) -> None:
        """The device restarted: it does not know any more who spoke last."""
        self._peer = None


def _leads_to_a_terminal(link: Path) -> bool:
    """Whether it is such a link as we make, left by a payload that was killed; any other is somebody's own."""
    return link.is_symlink() and str(link.readlink()).startswith('/dev/pts/')


class PtyPort:
    """A pseudo-terminal, which never waits either; `link_path`, where given, becomes a symbolic link to it."""

    is_datagram = False

    def __init__(self, link_path: str = '') -> None:
        self.link_path = link_path
        self._master = -1
        self._slave = -1
        self.path = ''

    @property
    def uri(self) -> str:
        """By its lasting name if it has one."""
        return f'serial://{self.link_path or self.path}'

    @property
    def announcement(self) -> str:
        """The terminal, without its name."""
        return f'pty {self.path}'

    def open(self) -> None:
        """Create it in raw mode; its far end is kept open, so that drivers may come and go. Raises PortUnavailable."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        if self.link_path:
            link = Path(self.link_path)
            try:
                if _leads_to_a_terminal(link):
                    link.unlink()
                link.symlink_to(self.path)
            except OSError as error:
                self.close()
                raise PortUnavailable(
                    f"The serial port's name {link} cannot be made ({error.strerror}): give --pty another path."
                ) from error

    def close(self) -> None:
        """Remove it and its name; idempotent."""
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        link = Path(self.link_path or '.')
        # Another payload may have taken the name in the meantime.
        if self._master >= 0 and link.is_symlink() and str(link.readlink()) == self.path:
            link.unlink()
        self._master = self._slave = -1

    def fileno(self) -> int:
        """To wait on; -1 while closed."""
        return self._master

    def read(self) -> bytes:
        """What the driver wrote; empty when nothing came."""
        if self._master < 0:
            return b''
        try:
            return os.read(self._master, _LARGEST_READ)
        except BlockingIOError:
            return b''

    def write(self, messages: list[bytes]) -> None:
        """A full buffer means that nobody reads: what nobody takes is lost, as on a wire."""
        if self._master < 0:
            return
        try:
            os.write(self._master, b''.join(messages))
        except BlockingIOError:
            return

    def unplug(self) -> None:
        """Whoever has it open gets a hang-up, and its name is gone."""
        self.close()

    def replug(self) -> None:
        """It comes back under its name, as another tty."""
        self.open()

    def forget_peer(self) -> None:
        """A tty has none."""


PayloadPort: TypeAlias = UdpPort | PtyPort
"""Where one plug leads."""
