# SPDX-License-Identifier: Apache-2.0
"""Which mode is right while a tracker moves the gimbal and nothing reports how the vehicle turns.

In follow the vehicle's turning moves everything that stands still in the gimbal's azimuth, and a tracker that does not
know of it takes that for the targets' motion. In lock nothing turns, whatever the vehicle does. But there the azimuth
has another zero (pointing waits for a moment), the pan stop does not show in it, and home is another direction; so the
operator must allow it, and the previous mode comes back when the tracker has ended.
"""

from __future__ import annotations

from gremsy_common.types.control_state import ControlState
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

# Time for a source of the turning to start, or for the next one to take over.
_PATIENCE_NS = nanoseconds(0.5)
# A target that is lost for a moment is followed again in the mode in which it was lost.
_LEFT_AFTER_NS = nanoseconds(3.0)
_TRACKER = 'tracker'


class ModeWhileFollowing:
    """Polled; for one thread, or under a lock.

    Args:
        allowed: the mode to change to; empty for none.
    """

    def __init__(self, allowed: str) -> None:
        self._allowed = GimbalMode(allowed) if allowed else None
        self._unknown_since_ns: int | None = None
        self._followed_ns: int | None = None
        self._before: GimbalMode | None = None
        self._reported = False
        self.sentence = ''
        """What to log now, once."""

    def change(
        self, control: ControlState, wanted: GimbalMode, *, turning_known: bool, now_ns: int
    ) -> GimbalMode | None:
        """The mode to change to; None to leave it.

        Args:
            control: who moves the gimbal.
            wanted: the mode that the gimbal should be in.
            turning_known: whether something reports how the level frame turns.
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
            if not self._reported:
                self._reported = True
                self.sentence = (
                    'Nothing reports how the vehicle turns, and in follow that is taken for the motion of what is '
                    'followed: if it turns, feed its attitude (`vehicle_attitude`), or set `mode_while_following` to '
                    'lock.'
                )
            return None
        self._before, self._unknown_since_ns = wanted, None
        self.sentence = f'Nothing reports how the vehicle turns: mode {self._allowed.value} while a tracker follows.'
        return self._allowed

    def _back(self, wanted: GimbalMode, now_ns: int) -> GimbalMode | None:
        assert self._followed_ns is not None
        if wanted is not self._allowed:
            self._before = None  # somebody has chosen another in the meantime
            return None
        if now_ns - self._followed_ns < _LEFT_AFTER_NS:
            return None
        before, self._before = self._before, None
        return before
