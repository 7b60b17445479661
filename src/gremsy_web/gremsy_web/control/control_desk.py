# SPDX-License-Identifier: Apache-2.0
"""The controls as a whole: who holds them, what moves because of them, and that it ends with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gremsy_web.control.control_lease import ControlLease, Hold
from gremsy_web.control.held_motion import HeldMotion
from gremsy_web.control.loop_pulse import LoopPulse
from gremsy_web.http.api_errors import ApiError
from gremsy_web.robot.robot_commands import RobotAnswer, RobotCommands, RobotService

# As often as the driver's own feedback: a rate that is said once more costs 0.1 ms.
_SENT_EVERY_S = 0.02
_LATE = 'The server was held up for more than 1 s, so this request may be old: send it again.'


class ControlDesk:
    """On the server's loop only.

    Args:
        lease: who holds them.
        commands: the robot.
        changed: called when another holds them, or nobody.
        now_s: the monotonic clock.
    """

    def __init__(
        self,
        lease: ControlLease,
        commands: RobotCommands,
        changed: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lease = lease
        self.motion = HeldMotion()
        self.pulse = LoopPulse(now_s)
        self._commands = commands
        self._changed = changed
        self._now_s = now_s
        self._moves = asyncio.Event()

    @property
    def hold(self) -> Hold | None:
        """Who holds the controls."""
        return self.lease.held(self._now_s())

    def take(self, holder: str, live: str = '', *, take_over: bool = False, lease: str = '') -> Hold:
        """Raises LeaseRefused; what the one before had in motion ends."""
        before = self.hold
        hold = self.lease.take(holder, live, take_over=take_over, lease=lease, now_s=self._now_s())
        if before is None or before.lease != hold.lease:
            self._ended()
        return hold

    def use(self, lease: str, *, ends: bool = False) -> Hold:
        """The holder's; `ends`: what is asked for only ends something, so that it is never too late.

        Raises:
            LeaseRefused: for another's.
            ApiError: for what may have waited here since before its sender gave up or vanished.
        """
        hold = self.lease.use(lease, self._now_s())
        if self.pulse.is_late and not ends:
            raise ApiError(503, _LATE)
        return hold

    def give(self, lease: str) -> bool:
        """Whether it held them."""
        given = self.lease.give(lease, self._now_s())
        if given:
            self._ended()
        return given

    def drop(self, live: str) -> None:
        """That socket is gone."""
        if self.lease.drop(live):
            self._ended()

    def rate(self, lease: str, azimuth_rad_s: float, tilt_rad_s: float, ttl_s: float) -> None:
        """Turn so for that long; raises LeaseRefused and ApiError."""
        self.use(lease)
        self.motion.ask(azimuth_rad_s, tilt_rad_s, ttl_s, self._now_s())
        self._commands.rate(azimuth_rad_s, tilt_rad_s)
        self._moves.set()

    def end_motion(self) -> None:
        """Zeros, now and twice more, where a rate was held."""
        self.motion.end()
        self._step()

    async def stop(self) -> RobotAnswer:
        """Everything that moves, whoever asked for it: for anybody, always; raises RobotAway."""
        self.end_motion()
        return await self._commands.ask(RobotService.STOP)

    async def run(self) -> None:
        """Send on what moves, until it is cancelled."""
        while True:
            await self._moves.wait()
            while self.motion.moving:
                await asyncio.sleep(_SENT_EVERY_S)
                self._step()
            self._moves.clear()

    def _step(self) -> None:
        rates = self.motion.step(self._now_s())
        if rates is not None:
            self._commands.rate(*rates)

    def _ended(self) -> None:
        self.end_motion()
        self._changed()
