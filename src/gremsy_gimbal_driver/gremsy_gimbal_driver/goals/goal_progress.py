# SPDX-License-Identifier: Apache-2.0
"""Whether a goal is reached, and whether the gimbal still comes nearer to it."""

from __future__ import annotations

from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings, nanoseconds

# An axis that came so much nearer moves: twelve times the noise of an attitude, 0.02 degrees (gimbal.md 6), and what
# the slowest `max_rate_rad_s` (0.01 rad/s) covers in a third of the stall time.
_NEARER_RAD = 0.0044


class GoalWatch:
    """Watches what is left of the way."""

    def __init__(self, settings: MotionSettings, now_ns: int) -> None:
        self._settings = settings
        self._settle_ns = nanoseconds(settings.goal_settle_s)
        self._stall_ns = nanoseconds(settings.stall_time_s)
        self._inside_since_ns: int | None = None
        self.begin_again(now_ns)

    def begin_again(self, now_ns: int) -> None:
        """The way of driving changed: what the axes did before does not count."""
        self._best: list[float | None] = [None, None]
        self._since_ns = [now_ns, now_ns]
        self._nearer = [False, False]

    def watch(self, now_ns: int, remaining_rad: Pair, pushed: tuple[bool, bool]) -> None:
        """Take note; `pushed` says which axes are commanded to go on from where they are."""
        tolerance = self._settings.goal_tolerance_rad
        if not all(abs(each) <= tolerance for each in remaining_rad):
            self._inside_since_ns = None
        elif self._inside_since_ns is None:
            self._inside_since_ns = now_ns
        for axis, (left, is_pushed) in enumerate(zip(map(abs, remaining_rad), pushed, strict=True)):
            best = self._best[axis]
            if best is None or not is_pushed:
                self._best[axis], self._since_ns[axis] = left, now_ns
            elif left < best - _NEARER_RAD:
                self._best[axis], self._since_ns[axis] = left, now_ns
                self._nearer[axis] = True

    def settled(self, now_ns: int) -> bool:
        """Whether both axes have been within tolerance for the settling time."""
        return self._inside_since_ns is not None and now_ns - self._inside_since_ns >= self._settle_ns

    def came_nearer(self, axis: int) -> bool:
        """Whether the axis has moved towards the goal since the watch began (again)."""
        return self._nearer[axis]

    def stalled(self, now_ns: int) -> list[int]:
        """The axes that were pushed and came no nearer for the stall time."""
        return [axis for axis in (0, 1) if now_ns - self._since_ns[axis] >= self._stall_ns]
