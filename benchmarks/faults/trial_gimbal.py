# SPDX-License-Identifier: Apache-2.0
"""The simulated payload in real time on a thread of this process, with its truth in a ring, and a link that can be bad.

In this process, so that a fault and the payload's receipt of what follows are on one clock.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import deque

from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.payload_fixture import RunningPayload
from gremsy_gimbal_sim.truth_ring import TruthRingWriter
from gremsy_gimbal_sim.wire.ports import UdpPort

_WAKE_S = 0.005
# A payload has a processor of its own; as root, its thread goes before all others.
_NICENESS = -10


class GarblingPort(UdpPort):
    """A link whose messages from the payload may arrive as garbage, in part or all of them."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        super().__init__(host, port)
        self._random = random.Random(seed)
        self.garbage_share = 0.0

    def write(self, messages: list[bytes]) -> None:
        """Of its length, but of random bytes."""
        if self.garbage_share > 0.0:
            messages = [
                self._random.randbytes(len(each)) if self._random.random() < self.garbage_share else each
                for each in messages
            ]
        super().write(messages)


class TrialGimbal(RunningPayload):
    """Between `open` and `close` a payload that speaks over UDP on loopback.

    Args:
        ring: the name under which it writes its true attitude.
        options: of the payload.
    """

    def __init__(self, ring: str, options: PayloadOptions) -> None:
        self.options = options
        self._port = GarblingPort('127.0.0.1', 0, seed=1)
        super().__init__(SimulatedPayload(options, 0, start_s=time.monotonic(), plugs=('udp',)), {'udp': self._port})
        self._ring = TruthRingWriter(ring)
        self._forgotten: deque[tuple[float, float, float]] = deque(maxlen=64)
        self._was_running = True

    def open(self) -> None:
        """Raises PortUnavailable or TruthUnavailable."""
        self._ring.open()
        super().open()

    def close(self) -> None:
        """End the thread, close the port, remove the ring."""
        super().close()
        self._ring.close()

    @property
    def commands(self) -> list[tuple[float, float, float]]:
        """(receipt, s of `time.monotonic`; azimuth and tilt rate, rad/s) of the newest rate commands.

        A command that the payload forgot by itself, as it starts again, ends in a zero of its own.
        """
        while True:
            try:
                return sorted([*self.payload.rate_commands, *self._forgotten])
            except RuntimeError:
                # One came while they were copied.
                continue

    def garble(self, share: float) -> None:
        """Make garbage of so many of its messages, 0 to 1."""
        self._port.garbage_share = share

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while not self._end.is_set():
            self._server.send()
            if self._was_running and not self.payload.power.running:
                self._forgotten.append((time.monotonic(), 0.0, 0.0))
            self._was_running = self.payload.power.running
            self._ring.write(self.payload.true_state(time.time_ns() - time.monotonic_ns()))
            self._server.receive_until(time.monotonic() + _WAKE_S)
