# SPDX-License-Identifier: Apache-2.0
"""Who moves the gimbal: takes or refuses rate setpoints and goals, and decides which one is in control.

Within a source the newest wins, and a higher source wins over a lower one. A rate command expires by itself: when its
time to live since its arrival is over, or when the image that it rests on is too old. A goal lives until it is
finished. An operator may zoom at any time, the tracker only some time after an operator did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Refusal

Command = RateSetpoint | AngleGoal

# A stamp further ahead of our clock than this is refused.
_FUTURE_LIMIT_S = 0.1
_CALIBRATION_LEASE_S = 0.5


class Source(IntEnum):
    """Who asks; the higher number wins."""

    OTHER = 1
    TRACKER = 2
    OPERATOR = 3
    CALIBRATION = 4

    @property
    def word(self) -> str:
        """As it is published."""
        return self.name.lower()

    @property
    def who(self) -> str:
        """As it is written in a sentence."""
        return 'another source' if self is Source.OTHER else f'the {self.word}'


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a request; `number` is the accepted goal's."""

    done: bool
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """A command taken: `number` goes up by one with each."""

    number: int
    source: Source
    command: Command
    arrived: Instant


class CommandArbiter:
    """Keeps the newest command of each source."""

    def __init__(self, parameters: MotionParameters) -> None:
        self._parameters = parameters
        # For so long after its last rate command ended lower sources stay shut out.
        self._lease_ns = {
            Source.OPERATOR: nanoseconds(parameters.operator_lease_s),
            Source.CALIBRATION: nanoseconds(_CALIBRATION_LEASE_S),
        }
        self._held: dict[Source, HeldCommand] = {}
        self._number = 0

    def offer(self, source: Source, command: Command, now: Instant) -> HeldCommand:
        """Take a command. Also a refused one ends what its source asked for before.

        A setpoint of a lower source is taken and waits, since another follows soon; a goal of one is refused.

        Raises:
            Refusal: with the reason.
        """
        self._held.pop(source, None)
        self._check(source, command, now)
        if isinstance(command, AngleGoal):
            self.check_free(source, 'An angle goal', now)
        self._number += 1
        held = HeldCommand(self._number, source, command, now)
        self._held[source] = held
        return held

    def check_free(self, source: Source, what: str, now: Instant) -> None:
        """Whether this source may ask for `what` now.

        Raises:
            Refusal: while a higher one holds control.
        """
        holder = self.holder(now)
        if holder is not None and holder > source:
            raise Refusal('shut_out', f'{what} from {source.who} was refused: {holder.who} holds control.')

    def chosen(self, now: Instant) -> HeldCommand | None:
        """The command that moves the gimbal now; None where nobody's does."""
        holder = self.holder(now)
        held = self._held.get(holder) if holder is not None else None
        return held if held is not None and self._alive(held, now) else None

    def holder(self, now: Instant) -> Source | None:
        """Who holds control: the highest source with a live command, or within its lease after one."""
        return max((source for source, held in self._held.items() if self._holds(held, now)), default=None)

    def expires_ns(self, held: HeldCommand, now: Instant) -> int | None:
        """When a rate command dies, on the monotonic clock; None for a goal."""
        if isinstance(held.command, AngleGoal):
            return None
        by_arrival = held.arrived.monotonic_ns + nanoseconds(self._parameters.time_to_live_s)
        left_by_age = held.command.stamp_ns + nanoseconds(self._parameters.age_limit_s) - now.ros_ns
        return min(by_arrival, now.monotonic_ns + left_by_age)

    def finish(self, number: int) -> None:
        """That command has ended; its source gives up control."""
        self._held = {source: held for source, held in self._held.items() if held.number != number}

    def drop(self, source: Source) -> None:
        """Forget what this source asked for."""
        self._held.pop(source, None)

    def clear(self) -> None:
        """Nobody asks for anything."""
        self._held.clear()

    def _holds(self, held: HeldCommand, now: Instant) -> bool:
        if self._alive(held, now):
            return True
        lease_ns = self._lease_ns.get(held.source, 0)
        end_ns = held.arrived.monotonic_ns + nanoseconds(self._parameters.time_to_live_s) + lease_ns
        return lease_ns > 0 and now.monotonic_ns < end_ns

    def _alive(self, held: HeldCommand, now: Instant) -> bool:
        expires_ns = self.expires_ns(held, now)
        return expires_ns is None or now.monotonic_ns < expires_ns

    def _check(self, source: Source, command: Command, now: Instant) -> None:
        if isinstance(command, AngleGoal):
            who, what = f'An angle goal from {source.who}', 'angles'
            numbers = [each for each in (command.azimuth_rad, command.tilt_rad) if each is not None]
        else:
            who, what = f'A rate command from {source.who}', 'rates'
            numbers = [command.azimuth_rate_rad_s, command.tilt_rate_rad_s]
        if not numbers:
            raise Refusal('no_angle', f'{who} was refused: it names neither an azimuth nor a tilt.')
        if not all(map(math.isfinite, numbers)):
            raise Refusal('not_finite', f'{who} was refused: its {what} are not finite numbers.')
        if isinstance(command, AngleGoal) and not (0.0 < command.timeout_s < math.inf and command.hold_s >= 0.0):
            raise Refusal(
                'bad_timeout',
                f'{who} was refused: a time-out of {command.timeout_s:g} s and a hold of {command.hold_s:g} s make no '
                'sense.',
            )
        frame = self._parameters.level_frame
        if command.frame_id not in (None, frame):
            raise Refusal(
                'wrong_frame',
                f"{who} was refused: it is in the frame '{command.frame_id}', {what} must be in '{frame}'.",
            )
        if command.stamp_ns is None:
            return
        age_s = (now.ros_ns - command.stamp_ns) * 1e-9
        if age_s >= self._parameters.age_limit_s:
            raise Refusal(
                'too_old',
                f'{who} was refused: its stamp is {_duration(age_s)} old, the limit is '
                f'{self._parameters.age_limit_s:g} s; stamp it with the time of the image it was computed from.',
            )
        if age_s < -_FUTURE_LIMIT_S:
            raise Refusal(
                'from_the_future',
                f'{who} was refused: its stamp is {_duration(-age_s)} ahead of this machine; synchronise the clocks.',
            )


class ZoomArbiter:
    """Remembers the operator's last zoom; times are ns of any monotonic clock.

    Zooming is not motion: it needs no arm and has no time to live, so it has a lease of its own, a longer one.

    Attributes:
        refused: how many of the tracker's requests an operator's lease shut out.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_ns = round(lease_s * 1e9)
        self._operator_ns: int | None = None
        self.refused = 0

    def operator_zooms(self, now_ns: int) -> None:
        """An operator set the zoom."""
        self._operator_ns = now_ns

    def tracker_may(self, now_ns: int) -> bool:
        """Whether to pass on a tracker's request."""
        if self._operator_ns is None or now_ns - self._operator_ns >= self._lease_ns:
            return True
        self.refused += 1
        return False


def _duration(seconds: float) -> str:
    return f'{seconds:.2f} s' if seconds < 1e6 else 'many days'
