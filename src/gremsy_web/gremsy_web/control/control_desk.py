# SPDX-License-Identifier: Apache-2.0
"""The controls as a whole: who holds them, what moves because of them, and that it ends with them.

A rate that was requested is sent on while its time to live runs, then zeros, then nothing. After the server's loop was
blocked, what it then reads may be older than it looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gremsy_web.control.control_lease import ControlLease, Hold
from gremsy_web.http.api_errors import ApiError
from gremsy_web.robot.robot_commands import RobotCommands, RobotService

# The driver takes the newest; three, because one message may be lost.
_ZEROS = 3


class HeldMotion:
    """The rates that somebody steers with, until they expire. Stepped at a fixed rate; not for several threads."""

    def __init__(self) -> None:
        self._rates = (0.0, 0.0)
        self._until_s = float('-inf')
        self._zeros_left = 0
        self.expired = 0

    @property
    def moving(self) -> bool:
        """Whether something is to be sent: the rates, or zeros behind them."""
        return self._until_s > float('-inf') or self._zeros_left > 0

    def ask(self, azimuth_rad_s: float, tilt_rad_s: float, ttl_s: float, now_s: float) -> None:
        """Move at these rates until then, unless asked for something else before."""
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


# No motion that is asked for lives longer: what waited for so long must move nothing.
_HELD_UP_S = 1.0
_BEAT_S = 0.1
# What waited in the sockets is read within milliseconds; with room for a machine that was starved.
_SETTLES_S = 0.25


class LoopPulse:
    """Notices that the server's loop was blocked, by a beat that came late; not for several threads.

    Args:
        now_s: the monotonic clock, which goes on while the process is stopped.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._beat_s: float | None = None
        self._held_up_s = float('-inf')
        self.held_up = 0

    def beat(self) -> None:
        """The loop goes on."""
        now_s = self._now_s()
        if self._beat_s is not None and now_s - self._beat_s > _HELD_UP_S:
            self._held_up_s = now_s
            self.held_up += 1
        self._beat_s = now_s

    @property
    def is_late(self) -> bool:
        """Whether a request that is read now may have waited for longer than any motion may last."""
        now_s = self._now_s()
        missed = self._beat_s is not None and now_s - self._beat_s > _HELD_UP_S
        return missed or now_s - self._held_up_s < _SETTLES_S

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(_BEAT_S)


# As often as the driver's own feedback: sending a rate once more costs 0.1 ms.
_SENT_EVERY_S = 0.02
_LATE = 'The server was held up for more than 1 s, so this request may be old: send it again.'


class ControlDesk:
    """On the server's loop only.

    Args:
        lease: who holds them.
        commands: the robot.
        now_s: the monotonic clock.
    """

    def __init__(
        self, lease: ControlLease, commands: RobotCommands, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.lease = lease
        self.motion = HeldMotion()
        self.pulse = LoopPulse(now_s)
        self._commands = commands
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
            self.end_motion()
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

    def give(self, lease: str) -> None:
        """Nobody holds them now, if that lease did."""
        if self.lease.give(lease, self._now_s()):
            self.end_motion()

    def drop(self, live: str) -> None:
        """That socket is gone."""
        if self.lease.drop(live):
            self.end_motion()

    def rate(self, lease: str, azimuth_rad_s: float, tilt_rad_s: float, ttl_s: float) -> None:
        """Turn at these rates for that long; raises LeaseRefused and ApiError."""
        self.use(lease)
        self.motion.ask(azimuth_rad_s, tilt_rad_s, ttl_s, self._now_s())
        self._commands.rate(azimuth_rad_s, tilt_rad_s)
        self._moves.set()

    def end_motion(self) -> None:
        """Zeros, now and twice more, where a rate was held."""
        self.motion.end()
        self._step()

    async def stop(self) -> str:
        """Everything that moves, whoever asked for it: for anybody, always; raises ApiError."""
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
