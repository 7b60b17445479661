# SPDX-License-Identifier: Apache-2.0
"""The deadman: a small process that stops the gimbal when the driver cannot.

It holds duplicates of the links' descriptors and one end of a socket pair. When the other end closes (the driver died,
by SIGKILL too) or, while armed, no beat came for one time to live (the driver hangs), it writes the zero-rate burst
that the driver encoded for it in advance, to every link it holds. It ends with the driver.

Started by path with `python -I -S`, it imports the standard library only: it is there in 20 ms and stays small. It is
in a session of its own, so a Ctrl-C or a kill of the driver's process group does not end it before its work is done.

Messages, each one packet of the socket pair (`deadman_guard` is the other end); INDEX is one byte:
    L INDEX  that link's descriptor comes along (SCM_RIGHTS), in place of the one before
    X INDEX  that link was lost: let go of its descriptor
    Z  time to live and burst interval (two doubles, s), then the burst's frames, each behind its size (uint16)
    A  a beat while armed; D a beat while disarmed; Q the driver ends in good order and has stopped the gimbal itself
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import termios
import time

LARGEST_MESSAGE = 65536


class Deadman:
    """Serves one socket until it closes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._links: dict[int, int] = {}
        self._frames: list[bytes] = []
        self._time_to_live_s = 0.2
        self._interval_s = 0.02
        self._deadline: float | None = None
        self._was_armed = False

    def run(self) -> None:
        """Until the driver is gone."""
        while True:
            wait = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            readable, _, _ = select.select([self._control], [], [], wait)
            if not readable:
                self._deadline = None
                self._burst()
                continue
            try:
                message, descriptors, _, _ = socket.recv_fds(self._control, LARGEST_MESSAGE, 1)
            except ConnectionError:
                message, descriptors = b'', []
            if not message:
                if self._was_armed:
                    self._burst()
                return
            if message == b'Q':
                return
            self._take(message, descriptors)

    def _take(self, message: bytes, descriptors: list[int]) -> None:
        kind = message[:1]
        if kind == b'A':
            self._was_armed = True
            self._deadline = time.monotonic() + self._time_to_live_s
        elif kind == b'D':
            self._was_armed = False
            self._deadline = None
        elif kind == b'Z':
            self._time_to_live_s, self._interval_s = struct.unpack_from('<dd', message, 1)
            self._frames, position = [], 17
            while position < len(message):
                (size,) = struct.unpack_from('<H', message, position)
                self._frames.append(message[position + 2 : position + 2 + size])
                position += 2 + size
        elif kind in (b'L', b'X'):
            link = self._links.pop(message[1], None)
            if link is not None:
                os.close(link)
            for descriptor in descriptors:
                os.set_blocking(descriptor, False)
                self._links[message[1]] = descriptor

    def _burst(self) -> None:
        """All frames, an interval apart; a beat in between does not cut it short: the driver stalled, so stop first."""
        for link in self._links.values():
            _drop_what_waits(link)
        for number, frame in enumerate(self._frames):
            if number:
                time.sleep(self._interval_s)
            for link in self._links.values():
                _write(link, frame)


def _drop_what_waits(link: int) -> None:
    """Motion that a serial port has not sent yet would go out first: 4 kB of it last 0.36 s at 115200 baud."""
    try:
        termios.tcflush(link, termios.TCOFLUSH)
    except termios.error:
        # A socket, which queues nothing that matters, or a port that was pulled out.
        return


def _write(link: int, frame: bytes) -> None:
    # Twice: on UDP the first write may only report that an earlier datagram was refused.
    for _ in range(2):
        try:
            os.write(link, frame)
        except BlockingIOError:
            return
        except OSError:
            continue
        return


def main() -> None:
    """`deadman.py FD`: FD is the socket to the driver."""
    # Ctrl-C and polite kills are for the driver; this process ends when the driver's socket closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        Deadman(control).run()


if __name__ == '__main__':
    main()
