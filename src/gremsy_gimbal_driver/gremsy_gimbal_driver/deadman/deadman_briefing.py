# SPDX-License-Identifier: Apache-2.0
"""What the deadman would have to write to this gimbal in its mode, and how often it must see that the driver lives."""

from __future__ import annotations

from collections.abc import Sequence

from gremsy_gimbal_driver.deadman.deadman_guard import BEATS_PER_TIME_TO_LIVE, DeadmanGuard
from gremsy_gimbal_driver.mavlink.gimbal_protocol import GimbalProtocol
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_driver.motion.motion_writer import BURST_COUNT

# The deadman cannot see whether the gimbal rests, so it writes more zeros: at 2 % lost bytes six frames in ten are
# lost, and all fifteen once in two thousand times.
_BURSTS = 3


class DeadmanBriefing:
    """Keeps one deadman up to date.

    Args:
        deadman: gets the burst and the beats.
        time_to_live_s: of a command.
    """

    def __init__(self, deadman: DeadmanGuard, time_to_live_s: float) -> None:
        self._deadman = deadman
        self._interval_ns = nanoseconds(time_to_live_s) // (2 * BEATS_PER_TIME_TO_LIVE)
        self._briefed: tuple[Sender, str, GimbalMode, bool] | None = None
        self._armed = False
        self._due_ns = 0

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
            zeros = _BURSTS * BURST_COUNT * protocol.messages(still, gimbal)
            self._deadman.burst([*also, *zeros, *also])
        # Each beat wakes the child, so not one with every command; but a change of the arm at once.
        if armed != self._armed or now_ns >= self._due_ns:
            self._armed = armed
            self._due_ns = now_ns + self._interval_ns
            self._deadman.beat(armed)
