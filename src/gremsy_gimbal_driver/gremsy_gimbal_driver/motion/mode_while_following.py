# SPDX-License-Identifier: Apache-2.0
"""Which mode is right while a tracker moves the gimbal and nothing tells how the vehicle turns.

In follow everything that stands still turns with the vehicle in the gimbal's azimuth, and a tracker that is not told of
it takes that for the targets' motion. In lock nothing turns, whatever the vehicle does. It costs: the azimuth counts
from elsewhere (pointing waits for a moment), the pan stop is not seen in it, and home is another direction; so the
operator must allow it, and the mode before comes back when the tracker has ended.
"""

from __future__ import annotations

from gremsy_common.types.control_state import ControlState
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

# A source that starts, or that is followed by another, is waited for.
_PATIENCE_NS = nanoseconds(0.5)
# Who is lost for a moment is followed again in the mode that he was lost in.
_LEFT_AFTER_NS = nanoseconds(3.0)
_TRACKER = 'tracker'


class ModeWhileFollowing:
    """Asked again and again; for one thread, or under a lock.

    Args:
        allowed: the mode to go over to; empty for none.
    """

    def __init__(self, allowed: str) -> None:
        self._allowed = GimbalMode(allowed) if allowed else None
        self._unknown_since_ns: int | None = None
        self._followed_ns: int | None = None
        self._before: GimbalMode | None = None
        self._told = False
        self.sentence = ''
        """What is to be said now, once."""

    def change(
        self, control: ControlState, wanted: GimbalMode, *, turning_known: bool, now_ns: int
    ) -> GimbalMode | None:
        """The mode to change to; None to leave it.

        Args:
            control: who moves the gimbal.
            wanted: the mode that it is to be in.
            turning_known: whether something tells how the level frame turns.
            now_ns: of the monotonic clock.
        """
        self.sentence = ''
        following = control.armed and control.holder == _TRACKER
        if following:
            self._followed_ns = now_ns
        if self._before is not None:
            return self._back(wanted, now_ns) if not following else None
        if not following or wanted is not GimbalMode.FOLLOW or turning_known:
            self._unknown_since_ns = None
            return None
        if self._unknown_since_ns is None:
            self._unknown_since_ns = now_ns
        if now_ns - self._unknown_since_ns < _PATIENCE_NS:
            return None
        if self._allowed is None:
            if not self._told:
                self._told = True
                self.sentence = (
                    'Nothing tells how the vehicle turns, and in follow that is taken for the motion of what is '
                    'followed: if it turns, feed its attitude (`vehicle_attitude`), or set `mode_while_following` to '
                    'lock.'
                )
            return None
        self._before, self._unknown_since_ns = wanted, None
        self.sentence = f'Nothing tells how the vehicle turns: mode {self._allowed.value} while a tracker follows.'
        return self._allowed

    def _back(self, wanted: GimbalMode, now_ns: int) -> GimbalMode | None:
        assert self._followed_ns is not None
        if wanted is not self._allowed:
            self._before = None  # somebody has chosen another meanwhile
            return None
        if now_ns - self._followed_ns < _LEFT_AFTER_NS:
            return None
        before, self._before = self._before, None
        return before
