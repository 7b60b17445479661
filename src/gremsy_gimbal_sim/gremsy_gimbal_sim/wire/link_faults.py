# SPDX-License-Identifier: Apache-2.0
"""What a bad wire does to bytes, from a seed."""

from __future__ import annotations

import numpy as np

from gremsy_gimbal_sim.options.options_link import LinkOptions


class LinkFaults:
    """One direction of a link that loses and changes single bytes, and repeats whole messages."""

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
