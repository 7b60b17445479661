# SPDX-License-Identifier: Apache-2.0
"""The driver's end of the deadman: starts it, hands it the links, and beats. `deadman.py` has the protocol."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from gremsy_gimbal_driver.deadman import deadman

BEATS_PER_TIME_TO_LIVE = 4
"""So often at least the driver's writer sends a beat, which shows the child that it lives."""

_END_PATIENCE_S = 1.0


class DeadmanGuard:
    """One deadman child; a child that died is started again with the next beat.

    Args:
        time_to_live_s: the child acts when no beat came for so long while armed.
        interval_s: between the frames of its burst.
        report: called with a sentence when a child had to be replaced.
    """

    def __init__(self, time_to_live_s: float, interval_s: float, report: Callable[[str], None]) -> None:
        self._times = struct.pack('<dd', time_to_live_s, interval_s)
        self._report = report
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._links: dict[int, int | None] = {}  # descriptors; None for a link that is lost
        self._burst = b''
        self._owes = False
        self.replaced = 0

    def open(self) -> None:
        """Start the child."""
        with self._lock:
            self._start()

    def link_opened(self, descriptor: int, link: int = 0) -> None:
        """Give the child a duplicate of that link's descriptor."""
        with self._lock:
            self._drop(link)
            self._links[link] = os.dup(descriptor)
            self._send(b'L' + bytes([link]), descriptor)

    def link_lost(self, link: int = 0) -> None:
        """The child lets go of it, so that the port can be opened again."""
        with self._lock:
            self._drop(link)
            self._send(b'X' + bytes([link]))

    def burst(self, frames: Sequence[bytes]) -> None:
        """What the child writes to every link: zero-rate frames for the gimbal that was found."""
        packed = b''.join(struct.pack('<H', len(frame)) + frame for frame in frames)
        message = b'Z' + self._times + packed
        if len(message) > deadman.LARGEST_MESSAGE:
            raise ValueError(f'{len(frames)} frames are more than a deadman takes: {len(message)} bytes.')
        with self._lock:
            self._burst = message
            self._send(message)

    def beat(self, armed: bool) -> None:
        """We live; to be called several times within a time to live. Never waits."""
        with self._lock:
            if self._owes:
                self._send_all()
            if self._send(b'A' if armed else b'D') or self._control is None:
                return
            self.replaced += 1
            self._end()
            self._start()
            self._send(b'A' if armed else b'D')
        self._report('The deadman process had ended and was started again.')

    def close(self) -> None:
        """End the child in good order: the driver has stopped the gimbal itself."""
        with self._lock:
            self._send(b'Q')
            self._end()
            for link in list(self._links):
                self._drop(link)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # stdin and stdout are not the child's to hold; its errors may be seen. -I -S: no site, so no .pth file
            # (the ROS wheels' re-executes Python) and nothing imported but the standard library.
            self._child = subprocess.Popen(
                [sys.executable, '-I', '-S', deadman.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours
        self._send_all()

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._child is not None:
            child, self._child = self._child, None
            try:
                child.wait(_END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _send_all(self) -> None:
        """All that a child must know, to a new one or to one that did not read in time."""
        self._owes = False
        if self._burst:
            self._send(self._burst)
        for link, descriptor in self._links.items():
            if descriptor is None:
                self._send(b'X' + bytes([link]))
            else:
                self._send(b'L' + bytes([link]), descriptor)

    def _drop(self, link: int) -> None:
        descriptor = self._links.get(link)
        self._links[link] = None
        if descriptor is not None:
            os.close(descriptor)

    def _send(self, message: bytes, *descriptors: int) -> bool:
        """False where there is no child, or a dead one: the next beat starts another, which is sent all again."""
        if self._control is None:
            return False
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', each)) for each in descriptors]
        try:
            # Not socket.send_fds: Python 3.11's drops the flags, and would wait for a child that hangs.
            self._control.sendmsg([message], rights, socket.MSG_DONTWAIT)
        except BlockingIOError:
            # The child is behind on reading beats; it has unread ones, so it is not going to act. Whatever is not a
            # beat is sent again.
            self._owes = self._owes or message[:1] in (b'L', b'X', b'Z')
            return True
        except OSError:
            return False
        return True
