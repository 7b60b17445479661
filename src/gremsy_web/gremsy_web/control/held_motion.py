# SPDX-License-Identifier: Apache-2.0
"""A rate that somebody asked for: sent on while its time to live runs, then zeros, then nothing."""

from __future__ import annotations

# The driver takes the newest; three, because one message may be lost.
_ZEROS = 3


class HeldMotion:
    """Stepped at a fixed rate by whoever sends; not for several threads."""

    def __init__(self) -> None:
        self._rates = (0.0, 0.0)
        self._until_s = float('-inf')
        self._zeros_left = 0
        self.expired = 0

    @property
    def moving(self) -> bool:
        """Whether something is to be sent."""
        return self._until_s > float('-inf') or self._zeros_left > 0

    def ask(self, azimuth_rad_s: float, tilt_rad_s: float, ttl_s: float, now_s: float) -> None:
        """Move so until then, unless asked for something else before."""
        self._rates = (azimuth_rad_s, tilt_rad_s)
        self._until_s = now_s + ttl_s
        self._zeros_left = 0

    def end(self) -> None:
        """Zeros next, if it moves."""
        if self._until_s > float('-inf'):
            self._until_s = float('-inf')
            self._zeros_left = _ZEROS

    def step(self, now_s: float) -> tuple[float, float] | None:
        """The rates to send now, rad/s; None where nothing is to be sent."""
        if self._until_s > float('-inf'):
            if now_s < self._until_s:
                return self._rates
            # Zeros asked for are no motion that ran out.
            self.expired += self._rates != (0.0, 0.0)
            self.end()
        if self._zeros_left:
            self._zeros_left -= 1
            return (0.0, 0.0)
        return None
