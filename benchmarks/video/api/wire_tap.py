# SPDX-License-Identifier: Apache-2.0
"""A process between driver and payload that hands every datagram on and writes down when rates came by.

Times are the kernel's own (SO_TIMESTAMPNS), taken when a datagram arrived and not when this process came to read it;
pymavlink says what is in it. Nothing here is the driver's.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import SuiteError

# <asm-generic/socket.h>; Python has no name for it.
_SO_TIMESTAMPNS = 35
_LARGEST = 4096
_START_S = 10.0
_RATE = struct.Struct('<qff')


class WireTap:
    """The process, between the ports of this machine's loopback."""

    def __init__(self, port: int, payload_port: int, file: Path) -> None:
        self._file = file
        words = ['--port', str(port), '--payload', str(payload_port), '--file', str(file)]
        self._words = [sys.executable, '-m', __name__, *words]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> WireTap:
        """Raises SuiteError where it does not start."""
        self._process = subprocess.Popen(self._words)
        end_s = time.monotonic() + _START_S
        while not self._file.exists():
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise SuiteError('The tap on the wire does not start: its words are above.')
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5.0)

    def rates(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Of every message 284 so far: (N,) ns of the monotonic clock, (N, 2) pitch and yaw rate, rad/s."""
        content = self._file.read_bytes()
        rows = np.frombuffer(
            content[: len(content) // _RATE.size * _RATE.size], np.dtype([('at', '<i8'), ('rate', '<f4', 2)])
        )
        return rows['at'].astype(np.int64), rows['rate'].astype(np.float32)


def _relay(port: int, payload_port: int, file: Path) -> None:
    # Loaded by this process alone.
    from pymavlink.dialects.v20 import common

    decoder: Any = common.MAVLink(None)
    decoder.robust_parsing = True
    to_driver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to_driver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    to_driver.bind(('127.0.0.1', port))
    to_payload = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to_payload.connect(('127.0.0.1', payload_port))
    driver: tuple[str, int] | None = None
    with file.open('wb', buffering=0) as rows:
        while True:
            readable, _, _ = select.select([to_driver, to_payload], [], [])
            if to_driver in readable:
                content, ancillary, _, driver = to_driver.recvmsg(_LARGEST, 64)
                _hand_on(to_payload, content)
                at_ns = _arrived_ns(ancillary)
                for message in decoder.parse_buffer(content) or ():
                    if message.get_type() == 'GIMBAL_DEVICE_SET_ATTITUDE':
                        rows.write(_RATE.pack(at_ns, message.angular_velocity_y, message.angular_velocity_z))
            if to_payload in readable:
                try:
                    content = to_payload.recv(_LARGEST)
                except ConnectionError:
                    # Nobody is at the payload's port yet, which the last datagram was told.
                    continue
                if driver is not None:
                    to_driver.sendto(content, driver)


def _hand_on(outlet: socket.socket, content: bytes) -> None:
    try:
        outlet.send(content)
    except ConnectionError:
        # As above; the driver says its heartbeat again in a second.
        return


def _arrived_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """On the monotonic clock; both clocks are read together, since the wall clock may be stepped."""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack('ll', content[:16])
            return int(seconds * 1_000_000_000 + nanoseconds - (time.time_ns() - time.monotonic_ns()))
    return time.monotonic_ns()


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--payload', type=int, required=True)
    parser.add_argument('--file', type=Path, required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _relay(given.port, given.payload, given.file)
