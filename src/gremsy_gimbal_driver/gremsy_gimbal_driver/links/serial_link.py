# SPDX-License-Identifier: Apache-2.0
"""Serial port, 8N1. On a Gremsy's USB cable RTS drives BOOT0 and DTR drives RESET (gimbal.md 1.2), so both stay low."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios
import time
from contextlib import suppress

import serial

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.port_access import refusal

_LARGEST_READ = 4096
# A frame of 44 bytes takes 4 ms at 115200 baud; a driver's buffer that is full for longer is stuck.
_WRITE_PATIENCE_S = 0.02
# Linux' majors of pseudo-terminals (Documentation/admin-guide/devices.txt, UNIX98 pty slaves).
_PSEUDO_TERMINALS = range(136, 144)


class SerialLink:
    """A tty opened exclusively with DTR and RTS low.

    Args:
        device: a path; one of /dev/serial/by-id finds the same adapter again after it was plugged in elsewhere.
        baud: of the port.
        dtr: whether that line is raised.
        rts: whether that line is raised.
    """

    is_datagram = False
    fault = ''

    def __init__(self, device: str, baud: int = 115200, dtr: bool = False, rts: bool = False) -> None:
        self._device = device
        self._baud = baud
        self._lines = dtr, rts
        self._port: serial.Serial | None = None
        self._node = 0, 0
        self._unfinished = b''
        self._is_stuck = False
        self.name = f'serial://{device}'

    def open(self) -> None:
        """Raises LinkError for a port that is not there, not permitted, held by another, or no serial port."""
        # Created closed: pyserial raises DTR and RTS on open unless set otherwise before. (The kernel itself may
        # raise them for the moment of the open; that cannot be helped from here.)
        port = serial.Serial()
        port.port, port.baudrate = self._device, self._baud
        port.dtr, port.rts = self._lines
        port.timeout, port.exclusive = 0, True
        try:
            port.open()
            port.reset_input_buffer()
            self._node = _claim(int(port.fileno()))
        except (OSError, ValueError, termios.error) as error:
            port.close()
            raise LinkError(refusal(self._device, self._baud, error)) from error
        # Bytes are handed over at once where the port's driver can (an FTDI's keeps them for 16 ms otherwise).
        with suppress(OSError, ValueError, NotImplementedError):
            port.set_low_latency_mode(True)
        self._unfinished, self._is_stuck = b'', False
        self._port = port

    def close(self) -> None:
        """Idempotent; a port that was pulled out closes too."""
        if self._port is not None:
            port, self._port = self._port, None
            if self._is_stuck:
                # The kernel would wait up to 30 s for bytes that the port does not take; one that is gone has none.
                with suppress(OSError, termios.error):
                    termios.tcflush(port.fileno(), termios.TCOFLUSH)
            try:
                port.close()
            except OSError as error:
                if error.errno not in (errno.EIO, errno.ENODEV, errno.EBADF):
                    raise

    def fileno(self) -> int:
        """-1 while closed."""
        return -1 if self._port is None else int(self._port.fileno())

    def read(self, timeout_s: float) -> bytes:
        """What waits in the port."""
        descriptor = self._opened()
        try:
            readable, _, _ = select.select([descriptor], [], [], timeout_s)
            if not readable:
                self._see_the_same_node()
                return b''
            data = os.read(descriptor, _LARGEST_READ)
        except BlockingIOError:
            return b''
        except (OSError, ValueError) as error:
            raise LinkError(self._lost()) from error
        if not data:
            # Readable and empty: the other end of the wire, or the adapter, is gone.
            raise LinkError(self._lost())
        return data

    def write(self, data: bytes) -> bool:
        """Goes on with a frame that the port took half of for as long as a frame lasts; false if it takes no more.

        What is left of a half-written frame goes out before the next one, so that never two are run into each other.
        """
        rest = self._push(self._unfinished + data)
        if len(rest) >= len(data):
            # Nothing of this frame has gone: it has not begun, only the one before is to be finished.
            self._unfinished = rest[: len(rest) - len(data)]
        else:
            self._unfinished = rest
        self._is_stuck = bool(rest)
        return not rest

    def _push(self, data: bytes) -> bytes:
        """What did not go out."""
        descriptor = self._opened()
        rest = memoryview(data)
        # A port that was stuck a moment ago is not waited for again: the writer has another link to serve.
        give_up = time.monotonic() + (0.0 if self._is_stuck else _WRITE_PATIENCE_S)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                left = give_up - time.monotonic()
                if left <= 0:
                    break
                select.select([], [descriptor], [], left)
            except OSError as error:
                raise LinkError(self._lost()) from error
        return bytes(rest)

    def _see_the_same_node(self) -> None:
        """Nothing came: is the path still this device? An adapter that reset may leave its old descriptor mute."""
        try:
            status = os.stat(self._device)  # noqa: PTH116 - a string everywhere
        except OSError:
            # The name may be away for a moment while udev works; a device that is gone reads as an error.
            return
        if (status.st_ino, status.st_rdev) != self._node:
            raise LinkError(self._lost())

    def _opened(self) -> int:
        if self._port is None:
            raise LinkError(f'The gimbal link {self.name} is not open.')
        return int(self._port.fileno())

    def _lost(self) -> str:
        return f'The serial port {self._device} was disconnected: check its plug; it is reopened as soon as it is back.'


def _claim(descriptor: int) -> tuple[int, int]:
    """Keep others out; which node it is (inode and device number).

    pyserial's flock keeps a second driver out; TIOCEXCL also those that lock nothing, as ModemManager, until the last
    holder closes. A pseudo-terminal outlives its holders where the simulated payload keeps it open, so not there.
    """
    status = os.fstat(descriptor)
    if os.major(status.st_rdev) not in _PSEUDO_TERMINALS:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
    return status.st_ino, status.st_rdev
