# SPDX-License-Identifier: Apache-2.0
"""Who moves the gimbal: takes or refuses rate setpoints, and says which one holds now.

Newest wins within a source, the higher source wins over the lower, and every command dies by itself: by its time to
live since it arrived, and by the age of the image that it rests on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from gremsy_common.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.instant import Instant
from gremsy_gimbal_driver.motion_settings import MotionSettings, nanoseconds


class Source(IntEnum):
    """Who asks; the greater number beats the smaller."""

    TRACKER = 1
    OPERATOR = 2

    @property
    def word(self) -> str:
        """As it is published."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was not taken: a key to count by and a sentence for the log."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class HeldCommand:
    """A command taken: `number` goes up by one with each."""

    number: int
    source: Source
    setpoint: RateSetpoint
    arrived: Instant


class CommandArbiter:
    """Keeps the newest command of each source."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._held: dict[Source, HeldCommand] = {}
        self._number = 0

    def offer(self, source: Source, setpoint: RateSetpoint, now: Instant) -> Refusal | None:
        """Take a command, or say why not. A refused command also ends what its source had asked before."""
        refusal = self._refusal(source, setpoint, now)
        if refusal is not None:
            self._held.pop(source, None)
            return refusal
        self._number += 1
        self._held[source] = HeldCommand(self._number, source, setpoint, now)
        return None

    def chosen(self, now: Instant) -> HeldCommand | None:
        """The command that moves the gimbal now; None where nobody's does."""
        holder = self.holder(now)
        held = self._held.get(holder) if holder is not None else None
        return held if held is not None and self._alive(held, now) else None

    def holder(self, now: Instant) -> Source | None:
        """Who holds control: the highest source with a live command, or an operator within the lease."""
        operator = self._held.get(Source.OPERATOR)
        lease = nanoseconds(self._settings.time_to_live_s + self._settings.operator_lease_s)
        if operator is not None and now.monotonic_ns - operator.arrived.monotonic_ns < lease:
            return Source.OPERATOR
        alive = [source for source, held in self._held.items() if self._alive(held, now)]
        return max(alive, default=None)

    def expires_ns(self, held: HeldCommand, now: Instant) -> int:
        """When the command dies, on the monotonic clock."""
        by_arrival = held.arrived.monotonic_ns + nanoseconds(self._settings.time_to_live_s)
        left_by_age = held.setpoint.stamp_ns + nanoseconds(self._settings.age_limit_s) - now.ros_ns
        return min(by_arrival, now.monotonic_ns + left_by_age)

    def clear(self) -> None:
        """Nobody asks for anything."""
        self._held.clear()

    def _alive(self, held: HeldCommand, now: Instant) -> bool:
        return now.monotonic_ns < self.expires_ns(held, now)

    def _refusal(self, source: Source, setpoint: RateSetpoint, now: Instant) -> Refusal | None:
        who = f'A rate command from the {source.word}'
        if not (math.isfinite(setpoint.azimuth_rate_rad_s) and math.isfinite(setpoint.tilt_rate_rad_s)):
            return Refusal('not_finite', f'{who} was refused: its rates are not finite numbers.')
        frame = self._settings.level_frame
        if setpoint.frame_id != frame:
            return Refusal(
                'wrong_frame',
                f"{who} was refused: it is in the frame '{setpoint.frame_id}', rates must be in '{frame}'.",
            )
        age_s = (now.ros_ns - setpoint.stamp_ns) * 1e-9
        if age_s >= self._settings.age_limit_s:
            return Refusal(
                'too_old',
                f'{who} was refused: its stamp is {_duration(age_s)} old, the limit is '
                f'{self._settings.age_limit_s:g} s; stamp it with the time of what it rests on.',
            )
        if age_s < -self._settings.future_limit_s:
            return Refusal(
                'from_the_future',
                f'{who} was refused: its stamp is {_duration(-age_s)} ahead of this machine; synchronise the clocks.',
            )
        return None


def _duration(seconds: float) -> str:
    return f'{seconds:.2f} s' if seconds < 1e6 else 'many days'
