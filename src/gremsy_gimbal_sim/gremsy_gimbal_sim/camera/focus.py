# SPDX-License-Identifier: Apache-2.0
"""The focus motor: 0 near to 61440 far (C_V_FV, gimbal.md 2.3)."""

from __future__ import annotations

FARTHEST = 61440
_FULL_TRAVEL_S = 3.0
# Where the simulated scene is sharp.
_SHARP = 40960


class Focus:
    """Driven by hand, or by itself to where the scene is sharp."""

    def __init__(self, start_s: float) -> None:
        self._time_s = start_s
        self.position = float(_SHARP)
        self._wanted = self.position
        self.automatic = True
        self.speed_share = 1.0

    def drive(self, direction: float) -> None:
        """-1 nearer, 1 farther, 0 stop; by hand from now on."""
        self.automatic = False
        self._wanted = self.position if direction == 0 else (float(FARTHEST) if direction > 0 else 0.0)

    def go_to(self, position: float) -> None:
        """By hand, to a position."""
        self.automatic = False
        self._wanted = min(max(position, 0.0), float(FARTHEST))

    def auto(self) -> None:
        """By itself."""
        self.automatic = True
        self._wanted = float(_SHARP)

    @property
    def percent(self) -> float:
        """As in CAMERA_SETTINGS."""
        return 100.0 * self.position / FARTHEST

    def advance(self, to_s: float) -> None:
        """Move on."""
        elapsed = to_s - self._time_s
        if elapsed <= 0:
            return
        self._time_s = to_s
        if self.position != self._wanted:
            step = FARTHEST * elapsed / _FULL_TRAVEL_S * self.speed_share
            self.position = min(max(self._wanted, self.position - step), self.position + step)
