# SPDX-License-Identifier: Apache-2.0
"""The lens and its two motors: zoom in equal times per doubling of the magnification, and focus."""

from __future__ import annotations

from gremsy_gimbal_sim.options.options_camera import PayloadCameraOptions

_STEP = 1.25  # of one command 531 of type step

FARTHEST = 61440
_FULL_TRAVEL_S = 3.0
# Where the simulated scene is sharp.
_SHARP = 40960


class ZoomLens:
    """Magnification between 1 and the largest, with a finite speed.

    On one payload only a range moved it, and neither steps nor a vendor's command or parameter (gimbal.md 2.1).
    """

    def __init__(self, options: PayloadCameraOptions, start_s: float) -> None:
        self._largest = options.zoom_max
        self._speed = options.zoom_doublings_per_s
        self._only_by_range = options.zoom_only_by_range
        self._time_s = start_s
        self._wanted = 1.0
        self.factor = 1.0

    def go_to_percent(self, percent: float) -> None:
        """COMMAND_LONG 531 of type range: 0 % is the widest view, 100 % the narrowest, geometric between."""
        self._wanted = self._largest ** (min(max(percent, 0.0), 100.0) / 100.0)

    def go_to(self, factor: float) -> None:
        """To a magnification."""
        if not self._only_by_range:
            self._wanted = min(max(factor, 1.0), self._largest)

    def step(self, direction: float) -> None:
        """A quarter nearer, or as much wider."""
        self.go_to(self._wanted * _STEP if direction > 0 else self._wanted / _STEP)

    def drive(self, direction: float) -> None:
        """COMMAND_LONG 531 of type continuous: -1 to the widest, 1 to the largest, 0 stay."""
        self.go_to(self.factor if direction == 0 else (self._largest if direction > 0 else 1.0))

    def advance(self, to_s: float, speed_share: float = 1.0) -> None:
        """Move on, at that share of the full speed; going back does nothing."""
        elapsed = to_s - self._time_s
        if elapsed <= 0:
            return
        self._time_s = to_s
        if self.factor == self._wanted:
            return
        step = 2.0 ** (self._speed * speed_share * elapsed)
        self.factor = min(max(self._wanted, self.factor / step), self.factor * step)


class FocusMotor:
    """0 near to 61440 far (C_V_FV, gimbal.md 2.3); driven by hand, or by itself to where the scene is sharp."""

    def __init__(self, start_s: float) -> None:
        self._time_s = start_s
        self.position = float(_SHARP)
        self._wanted = self.position

    def drive(self, direction: float) -> None:
        """-1 nearer, 1 farther, 0 stop; by hand from now on."""
        self._wanted = self.position if direction == 0 else (float(FARTHEST) if direction > 0 else 0.0)

    def go_to(self, position: float) -> None:
        """By hand, to a position."""
        self._wanted = min(max(position, 0.0), float(FARTHEST))

    def auto(self) -> None:
        """By itself."""
        self._wanted = float(_SHARP)

    @property
    def percent(self) -> float:
        """As in CAMERA_SETTINGS."""
        return 100.0 * self.position / FARTHEST

    def advance(self, to_s: float, speed_share: float) -> None:
        """As of the zoom."""
        elapsed = to_s - self._time_s
        if elapsed <= 0:
            return
        self._time_s = to_s
        if self.position != self._wanted:
            step = FARTHEST * elapsed / _FULL_TRAVEL_S * speed_share
            self.position = min(max(self._wanted, self.position - step), self.position + step)
