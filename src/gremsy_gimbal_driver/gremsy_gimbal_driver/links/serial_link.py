# SPDX-License-Identifier: Apache-2.0
"""Serial port, 8N1. On a Gremsy's USB cable RTS drives BOOT0 and DTR drives RESET (gimbal.md 1.2), so both stay low."""

from __future__ import annotations

import errno
import os
import select
import time

import serial

from gremsy_gimbal_driver.links.link import LinkError

_LARGEST_READ = 4096
# A frame of 44 bytes takes 4 ms at 115200 baud; a driver's buffer that is full for longer is stuck.
_WRITE_PATIENCE_S = 0.02


class SerialLink:
    """A tty opened exclusively with DTR and RTS low."""

    is_datagram = False

    def __init__(self, device: str, baud: int = 115200) -> None:
        self._device = device
        self._baud = baud
        self._port: serial.Serial | None = None
        self.name = f'serial://{device}'

    def open(self) -> None:
        """Raises LinkError for a port that is not there, not permitted, held by another, or no serial port."""
        # Created closed: pyserial raises DTR and RTS on open unless told otherwise before. (The kernel itself may
        # raise them for the moment of the open; that cannot be helped from here.)
        port = serial.Serial()
        port.port, port.baudrate = self._device, self._baud
        port.dtr = port.rts = False
        port.timeout, port.exclusive = 0, True
        try:
            port.open()
            port.reset_input_buffer()
        except (OSError, ValueError) as error:
            port.close()
            raise LinkError(self._refusal(error)) from error
        self._port = port

    def close(self) -> None:
        """Idempotent; a port that was pulled out closes too."""
        if self._port is not None:
            port, self._port = self._port, None
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
        """Goes on with a frame that the port took half of for as long as a frame lasts; false if it takes no more."""
        descriptor = self._opened()
        rest = memoryview(data)
        give_up = time.monotonic() + _WRITE_PATIENCE_S
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                left = give_up - time.monotonic()
                if left <= 0:
                    return False
                select.select([], [descriptor], [], left)
            except OSError as error:
                raise LinkError(self._lost()) from error
        return True

    def _opened(self) -> int:
        if self._port is None:
            raise LinkError(f'The gimbal link {self.name} is not open.')
        return int(self._port.fileno())

    def _lost(self) -> str:
        return f'The serial port {self._device} went away: check its plug; it is opened again as soon as it is back.'

    def _refusal(self, error: Exception) -> str:
        number = getattr(error, 'errno', None)
        if number == errno.ENOENT:
            return f'There is no serial port {self._device}: plug the gimbal in, or correct the parameter `link`.'
        if number in (errno.EACCES, errno.EPERM):
            return (
                f'No permission to open the serial port {self._device}: '
                'add this user to the group dialout (sudo usermod -aG dialout $USER) and log in again.'
            )
        if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK):
            return f'Another program holds the serial port {self._device}: close it (gTune, a second driver) first.'
        return (
            f'{self._device} is no serial port that opens at {self._baud} baud ({error}): correct the parameter `link`.'
        )
