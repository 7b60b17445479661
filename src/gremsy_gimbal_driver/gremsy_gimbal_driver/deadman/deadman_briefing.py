# SPDX-License-Identifier: Apache-2.0
"""Keeps the deadman told: what it would have to write to this gimbal, over which links, and that the driver lives."""

from __future__ import annotations

from collections.abc import Sequence

from gremsy_gimbal_driver.deadman.deadman_guard import BEATS_PER_TIME_TO_LIVE, DeadmanGuard
from gremsy_gimbal_driver.mavlink.gimbal_protocol import GimbalProtocol, motion_messages
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings, nanoseconds
from gremsy_gimbal_driver.motion.notices import Say

# The deadman cannot see whether the gimbal rests, so it writes more zeros: at 2 % lost bytes six frames in ten are
# lost, and all fifteen once in two thousand times.
_BURSTS = 3


class DeadmanBriefing:
    """One deadman; without one, where none is wanted, everything here does nothing.

    Args:
        settings: its time to live and its burst.
        say: told when a child had to be replaced.
        wanted: whether there is one.
    """

    def __init__(self, settings: MotionSettings, say: Say, wanted: bool) -> None:
        self._guard = DeadmanGuard(settings.time_to_live_s, settings.burst_interval_s, say) if wanted else None
        self._frames = _BURSTS * settings.burst_count
        self._interval_ns = nanoseconds(settings.time_to_live_s) // (2 * BEATS_PER_TIME_TO_LIVE)
        self._briefed: tuple[Sender, str, GimbalMode, bool] | None = None
        self._armed = False
        self._due_ns = 0

    @property
    def process_id(self) -> int | None:
        """The child's; None while there is none."""
        return None if self._guard is None else self._guard.process_id

    @property
    def replaced(self) -> int:
        """How often a child had died and was started again."""
        return 0 if self._guard is None else self._guard.replaced

    def open(self) -> None:
        """Start it."""
        if self._guard is not None:
            self._guard.open()

    def close(self) -> None:
        """End it: the driver has stopped the gimbal itself."""
        if self._guard is not None:
            self._guard.close()

    def link_opened(self, link: int, descriptor: int) -> None:
        """It gets a duplicate."""
        if self._guard is not None:
            self._guard.link_opened(descriptor, link)

    def link_lost(self, link: int) -> None:
        """It lets go, so that the port can be opened again."""
        if self._guard is not None:
            self._guard.link_lost(link)

    def update(
        self,
        gimbal: Sender | None,
        protocol: GimbalProtocol,
        mode: GimbalMode,
        armed: bool,
        now_ns: int,
        also: Sequence[bytes] = (),
    ) -> None:
        """Call it before anything that moves is written: a driver may die or hang in its first command.

        `also` is written before and behind the zeros: what ends other motion than ours, as the payload's tracking.
        """
        if self._guard is None:
            return
        if gimbal is not None and self._briefed != (gimbal, protocol.name, mode, bool(also)):
            self._briefed = (gimbal, protocol.name, mode, bool(also))
            # In the mode that holds now: flags of another would turn the camera when it is to stand still.
            still = MotionOutput(GimbalMode.FOLLOW if mode is GimbalMode.HOME else mode, rates_rad_s=(0.0, 0.0))
            messages = motion_messages(still, protocol, gimbal)
            self._guard.burst([*also, *(message for _ in range(self._frames) for message in messages), *also])
        # Each beat wakes the child, so not one with every command; but a change of the arm at once.
        if armed != self._armed or now_ns >= self._due_ns:
            self._armed = armed
            self._due_ns = now_ns + self._interval_ns
            self._guard.beat(armed)
