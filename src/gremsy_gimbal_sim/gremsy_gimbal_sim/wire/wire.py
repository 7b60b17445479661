# SPDX-License-Identifier: Apache-2.0
"""The device's plugs and their wires: which bytes arrive, in which pieces, and how late.

A bad wire's faults come from a seed.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer
from gremsy_gimbal_sim.options.options_link import LinkOptions
from gremsy_gimbal_sim.wire.component import ReceivedMessage


class Wire:
    """One direction: bytes go in with `put` and come out with `take`, in order; nothing overtakes.

    Args:
        options: the link's.
        seed: of its faults.
    """

    def __init__(self, options: LinkOptions, seed: int | list[int]) -> None:
        self._options = options
        self._fault_random = np.random.default_rng(seed)
        self._random = np.random.default_rng([9, *seed] if isinstance(seed, list) else [9, seed])
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free_s = 0.0
        self._newest_s = 0.0
        self._travels = options.paced_bytes_per_s or options.latency_s or options.jitter_s or options.fragment_bytes
        self.overflowed = 0
        """Messages for which a paced wire's buffer had no room."""

    def put(self, data: bytes, now_s: float, datagram: bool = False) -> None:
        """These bytes were written; a datagram stays in one piece."""
        data = self._damaged(data)
        if not self._travels:
            self._waiting.append((now_s, data))
            return
        options = self._options
        if options.paced_bytes_per_s:
            backlog = max(self._free_s - now_s, 0.0) * options.paced_bytes_per_s
            if backlog + len(data) > options.send_buffer_bytes:
                self.overflowed += 1
                return
        size = options.fragment_bytes if options.fragment_bytes and not datagram else max(len(data), 1)
        jitter = self._random.uniform(0.0, options.jitter_s) if options.jitter_s else 0.0
        for number, begin in enumerate(range(0, len(data), size)):
            piece = data[begin : begin + size]
            sent_s = now_s + number * options.fragment_gap_s
            if options.paced_bytes_per_s:
                sent_s = self._free_s = max(self._free_s, sent_s) + len(piece) / options.paced_bytes_per_s
            self._newest_s = max(self._newest_s, sent_s + options.latency_s + jitter)
            self._waiting.append((self._newest_s, piece))

    def take(self, now_s: float) -> list[tuple[float, bytes]]:
        """What has arrived by now, each with its time."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now_s:
            arrived.append(self._waiting.popleft())
        return arrived

    def clear(self) -> None:
        """The wire was pulled out: what is under way is lost."""
        self._waiting.clear()

    def _damaged(self, data: bytes) -> bytes:
        """What comes out of the other end: single bytes get lost or changed, whole messages are repeated."""
        options, random = self._options, self._fault_random
        if not data:
            return data
        if options.duplicated_message_share and random.random() < options.duplicated_message_share:
            data += data
        if options.corrupted_byte_share:
            values = np.frombuffer(data, dtype=np.uint8).copy()
            hit = random.random(len(values)) < options.corrupted_byte_share
            # Any other byte: adding 1 to 255 never gives the same one.
            values[hit] += random.integers(1, 256, int(hit.sum()), dtype=np.uint8)
            data = values.tobytes()
        if options.lost_byte_share:
            kept = random.random(len(data)) >= options.lost_byte_share
            data = np.frombuffer(data, dtype=np.uint8)[kept].tobytes()
        return data


class Plug:
    """A UART or a socket of the device.

    Args:
        options: the link's.
        seeds: of the incoming and of the outgoing wire.
        speaks_first: a real one is silent until it receives a heartbeat there (gimbal.md 1.2).
    """

    def __init__(
        self, options: LinkOptions, seeds: tuple[int | list[int], int | list[int]], speaks_first: bool
    ) -> None:
        self.incoming = Wire(options, seeds[0])
        self.outgoing = Wire(options, seeds[1])
        self.talking = self._speaks_first = speaks_first
        self.plugged = True
        self._datagram = False
        self._framer = Framer(CHECKSUM_EXTRA)

    def written(self, data: bytes, now_s: float, datagram: bool) -> None:
        """The other side wrote this."""
        self._datagram = datagram
        if self.plugged:
            self.incoming.put(data, now_s, datagram)

    def messages(self, now_s: float) -> list[tuple[float, ReceivedMessage]]:
        """What has arrived whole, each with its time."""
        return [
            (at_s, ReceivedMessage.of(frame))
            for at_s, data in self.incoming.take(now_s)
            for frame in self._framer.feed(data, self._datagram)
        ]

    def send(self, messages: list[bytes], now_s: float) -> None:
        """To the other side, if anybody has spoken there."""
        if self.plugged and self.talking:
            for message in messages:
                self.outgoing.put(message, now_s, self._datagram)

    def read(self, now_s: float) -> list[bytes]:
        """What the other side gets by now."""
        return [data for _, data in self.outgoing.take(now_s)]

    def pull(self) -> None:
        """Unplug: nothing goes through, and what is under way is lost."""
        self.plugged = False
        self.incoming.clear()
        self.outgoing.clear()
        self._framer.reset()

    def restart(self) -> None:
        """The device went down: half-received frames are forgotten, and so is whoever spoke."""
        self.incoming.clear()
        self._framer.reset()
        self.talking = self._speaks_first
