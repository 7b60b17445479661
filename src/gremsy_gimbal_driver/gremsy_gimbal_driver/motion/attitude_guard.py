# SPDX-License-Identifier: Apache-2.0
"""Where the camera looks, as far as it can be trusted: neither old nor further than any gimbal can have turned.

An attitude out of reach comes from a corrupted or foreign message and is dropped. When they persist, the camera really
looks elsewhere (another frame, another gimbal, a device that restarted): then the new attitude is trusted, but nothing
moves until attitudes are steady again.
"""

from __future__ import annotations

import math
from collections import Counter

from gremsy_common.types.attitude_screen import GIMBAL_LIMITS
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters

# Attitudes arrive in bunches: a step is never compared with less time than this.
_LEAST_TIME_NS = nanoseconds(0.05)
# A refused attitude counts two, a trusted one takes one back: up to a third of garbage is tolerated (14 % were seen,
# gimbal.md 1.4). Five in a row are too many: 0.1 s at 50 Hz, 0.5 s at the 10 Hz of a bare gimbal.
_REFUSED = 2
_PATIENCE = 5 * _REFUSED
_CALM_NS = nanoseconds(0.5)


class AttitudeGuard:
    """The newest attitude that is trusted.

    Args:
        parameters: for the age limit.
        counts: where dropped ones are counted.
    """

    def __init__(self, parameters: MotionParameters, counts: Counter[str]) -> None:
        self._timeout_ns = nanoseconds(parameters.attitude_timeout_s)
        self._counts = counts
        self._measured_ns = 0
        self._any_step = True
        self._excess = 0
        self._calm_ns = 0
        self.angles_rad: Pair | None = None
        self.speed_rad_s = 0.0
        self.taken = 0
        """How many were trusted, so that a new one can be recognised."""

    @property
    def lost_ns(self) -> int:
        """When it is too old to move by, unless another comes (monotonic)."""
        return self._measured_ns + self._timeout_ns

    def take(self, angles_rad: Pair, speed_rad_s: float, now: Instant) -> None:
        """An attitude arrived: azimuth (continuous over +-pi) and tilt, and how fast the camera turns."""
        now_ns = now.monotonic_ns
        if not all(map(math.isfinite, angles_rad)):
            self._counts['attitude_not_finite'] += 1
            return
        if not self._reachable(angles_rad, now_ns):
            self._counts['attitude_jump'] += 1
            self._excess += _REFUSED
            if self._excess < _PATIENCE:
                return
            self._excess = _PATIENCE - _REFUSED
            self._calm_ns = now_ns + _CALM_NS
        else:
            self._excess = max(0, self._excess - 1)
        self._any_step = False
        self._measured_ns = now_ns
        self.angles_rad = angles_rad
        self.speed_rad_s = speed_rad_s if math.isfinite(speed_rad_s) else 0.0
        self.taken += 1

    def is_fresh(self, now: Instant) -> bool:
        """Whether there is an attitude that is not too old."""
        return self.angles_rad is not None and now.monotonic_ns < self.lost_ns

    def is_jumping(self, now: Instant) -> bool:
        """Whether attitudes jumped so often recently that nothing may move by them."""
        return now.monotonic_ns < self._calm_ns

    def expect_a_jump(self) -> None:
        """The frame of the angles changed: the next one may be anywhere."""
        self._any_step = True
        self._excess = 0

    def _reachable(self, angles_rad: Pair, now_ns: int) -> bool:
        if self._any_step or self.angles_rad is None:
            return True
        elapsed_s = max(now_ns - self._measured_ns, _LEAST_TIME_NS) * 1e-9
        reach = GIMBAL_LIMITS.reach_margin_rad + GIMBAL_LIMITS.reach_rad_s * elapsed_s
        return all(abs(new - old) <= reach for new, old in zip(angles_rad, self.angles_rad, strict=True))
