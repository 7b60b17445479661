# SPDX-License-Identifier: Apache-2.0
"""What a bad wire does to bytes, from a seed."""

from __future__ import annotations

import numpy as np


class LinkFaults:
    """One direction of a link that loses single bytes."""

    def __init__(self, lost_byte_share: float, seed: int) -> None:
        self._lost_share = lost_byte_share
        self._random = np.random.default_rng(seed)

    def through(self, data: bytes) -> bytes:
        """What comes out of the other end."""
        if self._lost_share == 0.0 or not data:
            return data
        kept = self._random.random(len(data)) >= self._lost_share
        return np.frombuffer(data, dtype=np.uint8)[kept].tobytes()
