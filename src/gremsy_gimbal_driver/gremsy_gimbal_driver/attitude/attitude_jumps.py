# SPDX-License-Identifier: Apache-2.0
"""Holds back an attitude that no camera can have come to since the last one.

One damaged frame in 65,536 passes its checksum, and gimbals have sent garbage with a good one (gimbal.md 1.4). Of
attitudes with four bits flipped and a checksum that fits, one in seven is more than 20 degrees or a second off and a
unit quaternion all the same; with this, one in a thousand (`test_parser_fuzz`). Never two in a row are held back: a
gimbal that restarted, or counts its time in another unit, is heard with its next message.
"""

from __future__ import annotations

import math

# Three times a Gremsy's fastest slew (180 deg/s, gimbal.md 1.8), so that a hand may turn it too.
_FASTEST_RAD_S = 10.0
# For two messages with the same time.
_ALWAYS_RAD = 0.2
# Damage to the time is caught by this, and excuses a turn of the camera up to it. On a link that loses 2 % of its bytes
# the slowest stream (10 Hz) has a longer gap once in thirty messages, which then costs one more.
_LONGEST_GAP_MS = 1000
_HALF_RANGE_MS = 2**31


class JumpGate:
    """Remembers the last attitude that it let through."""

    def __init__(self) -> None:
        self._boot_ms = 0
        self._q_wxyz = (0.0, 0.0, 0.0, 0.0)
        self._started = False
        self._held_back = False

    def forget(self) -> None:
        """The next one is the first."""
        self._started = False

    def passes(self, boot_ms: int, q_wxyz: tuple[float, float, float, float]) -> bool:
        """Whether this attitude can follow the last one; `q_wxyz` is a unit quaternion."""
        if self._started and not self._held_back and not self._can_follow(boot_ms, q_wxyz):
            self._held_back = True
            return False
        self._boot_ms, self._q_wxyz = boot_ms, q_wxyz
        self._started, self._held_back = True, False
        return True

    def _can_follow(self, boot_ms: int, q_wxyz: tuple[float, float, float, float]) -> bool:
        # The device's clock has 32 bits and goes round.
        elapsed_ms = abs((boot_ms - self._boot_ms + _HALF_RANGE_MS) % (2 * _HALF_RANGE_MS) - _HALF_RANGE_MS)
        if elapsed_ms > _LONGEST_GAP_MS:
            return False
        w, x, y, z = q_wxyz
        last_w, last_x, last_y, last_z = self._q_wxyz
        turned_rad = 2 * math.acos(min(1.0, abs(w * last_w + x * last_x + y * last_y + z * last_z)))
        return turned_rad <= _ALWAYS_RAD + _FASTEST_RAD_S * elapsed_ms * 1e-3
