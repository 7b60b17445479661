# SPDX-License-Identifier: Apache-2.0
"""One direction of a wire: how fast bytes leave, how long they travel, in which pieces they arrive, and which do not.

A bad wire's faults come from a seed.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from gremsy_gimbal_sim.options.options_link import LinkOptions


class LinkFaults:
    """Loses and changes single bytes, and repeats whole messages."""

    def __init__(self, options: LinkOptions, seed: int | list[int]) -> None:
        self._lost_share = options.lost_byte_share
        self._corrupted_share = options.corrupted_byte_share
        self._duplicated_share = options.duplicated_message_share
        self._random = np.random.default_rng(seed)

    def through(self, data: bytes) -> bytes:
        """What comes out of the other end."""
        if not data:
            return data
        if self._duplicated_share and self._random.random() < self._duplicated_share:
            data += data
        if self._corrupted_share:
            values = np.frombuffer(data, dtype=np.uint8).copy()
            hit = self._random.random(len(values)) < self._corrupted_share
            # Any other byte: adding 1 to 255 never gives the same one.
            values[hit] += self._random.integers(1, 256, int(hit.sum()), dtype=np.uint8)
            data = values.tobytes()
        if self._lost_share:
            kept = self._random.random(len(data)) >= self._lost_share
            data = np.frombuffer(data, dtype=np.uint8)[kept].tobytes()
        return data


class Wire:
    """Bytes go in with `put` and come out with `take`, in order; nothing overtakes.

    Args:
        options: the link's.
        seed: of its faults.
    """

    def __init__(self, options: LinkOptions, seed: int | list[int]) -> None:
        self._options = options
        self._faults = LinkFaults(options, seed)
        self._random = np.random.default_rng([9, *seed] if isinstance(seed, list) else [9, seed])
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free_s = 0.0
        self._newest_s = 0.0
        self._travels = options.paced_bytes_per_s or options.latency_s or options.jitter_s or options.fragment_bytes
        self.overflowed = 0
        """Messages for which a paced wire's buffer had no room."""

    def put(self, data: bytes, now_s: float, datagram: bool = False) -> None:
        """These bytes were written; a datagram stays in one piece."""
        data = self._faults.through(data)
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
        if not self._waiting:
            return []
        arrived = []
        while self._waiting and self._waiting[0][0] <= now_s:
            arrived.append(self._waiting.popleft())
        return arrived

    def clear(self) -> None:
        """The wire was pulled out: what is under way is lost."""
        self._waiting.clear()
