# SPDX-License-Identifier: Apache-2.0
"""Keeps the deadman told: what it would have to write to this gimbal, over which links, and that the driver lives."""

from __future__ import annotations

from collections.abc import Sequence

from gremsy_gimbal_driver.deadman.deadman_guard import BEATS_PER_TIME_TO_LIVE, DeadmanGuard
from gremsy_gimbal_driver.mavlink.gimbal_protocol import GimbalProtocol, motion_messages
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Say
from gremsy_gimbal_driver.motion.setpoint_streamer import BURST_COUNT, BURST_INTERVAL_S

# The deadman cannot see whether the gimbal rests, so it writes more zeros: at 2 % lost bytes six frames in ten are
# lost, and all fifteen once in two thousand times.
_BURSTS = 3


class DeadmanBriefing:
    """One deadman.

    Args:
        parameters: its time to live.
        say: told when a child had to be replaced.
    """

    def __init__(self, parameters: MotionParameters, say: Say) -> None:
        self._guard = DeadmanGuard(parameters.time_to_live_s, BURST_INTERVAL_S, say)
        self._interval_ns = nanoseconds(parameters.time_to_live_s) // (2 * BEATS_PER_TIME_TO_LIVE)
        self._briefed: tuple[Sender, str, GimbalMode, bool] | None = None
        self._armed = False
        self._due_ns = 0

    @property
    def process_id(self) -> int | None:
        """The child's; None while there is none."""
        return self._guard.process_id

    @property
    def replaced(self) -> int:
        """How often a child had died and was started again."""
        return self._guard.replaced

    def open(self) -> None:
        """Start it."""
        self._guard.open()

    def close(self) -> None:
        """End it: the driver has stopped the gimbal itself."""
        self._guard.close()

    def link_opened(self, link: int, descriptor: int) -> None:
        """It gets a duplicate."""
        self._guard.link_opened(descriptor, link)

    def link_lost(self, link: int) -> None:
        """It lets go, so that the port can be opened again."""
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
        if gimbal is not None and self._briefed != (gimbal, protocol.name, mode, bool(also)):
            self._briefed = (gimbal, protocol.name, mode, bool(also))
            # In the mode that holds now: flags of another would turn the camera when it is to stand still.
            still = MotionOutput(GimbalMode.FOLLOW if mode is GimbalMode.HOME else mode, rates_rad_s=(0.0, 0.0))
            messages = motion_messages(still, protocol, gimbal)
            self._guard.burst([*also, *(message for _ in range(_BURSTS * BURST_COUNT) for message in messages), *also])
        # Each beat wakes the child, so not one with every command; but a change of the arm at once.
        if armed != self._armed or now_ns >= self._due_ns:
            self._armed = armed
            self._due_ns = now_ns + self._interval_ns
            self._guard.beat(armed)
