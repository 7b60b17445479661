# SPDX-License-Identifier: Apache-2.0
"""A goal to look at, and how it stands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum

from gremsy_gimbal_driver.motion.motion_output import Pair


@dataclass(frozen=True, slots=True)
class AngleGoal:
    """Look there: attitude, joint, look-at and home commands all become one of these.

    Attributes:
        azimuth_rad, tilt_rad: in the level frame; None keeps that axis where it is.
        timeout_s: give up after this.
        hold_s: once reached, stay in control and hold it for so long.
        any_turn: the azimuth is a bearing, which a pan of more than one turn may reach in more than one way.
        stamp_ns: when the goal was set, where it has a stamp; an old one is refused.
        frame_id: the frame it was given in, where it names one; only the level frame is taken.
    """

    azimuth_rad: float | None
    tilt_rad: float | None
    timeout_s: float
    hold_s: float = 0.0
    any_turn: bool = False
    stamp_ns: int | None = None
    frame_id: str | None = None


class GoalState(str, Enum):
    """All but MOVING end the goal; REACHED does when it was held as long as was asked."""

    MOVING = 'moving'
    REACHED = 'reached'
    BLOCKED = 'blocked'
    STALLED = 'stalled'
    TIMED_OUT = 'timed_out'
    CANCELLED = 'cancelled'
    REFUSED = 'refused'


class GoalPath(str, Enum):
    """How the gimbal is brought there."""

    ANGLE = 'angle'
    RATE = 'rate'


@dataclass(frozen=True, slots=True)
class GoalProgress:
    """How one goal stands.

    Attributes:
        number: of the goal, as it was returned for it; 0 for one that was refused.
        source: who asked, as it is published.
        state: how it stands.
        ended: nothing more happens to it.
        reason: a sentence for every state but MOVING.
        remaining_rad: goal less measured, azimuth and tilt; 0 for an axis that is kept.
        path: by angle commands or by rates.
    """

    number: int
    source: str
    state: GoalState
    ended: bool
    reason: str
    remaining_rad: Pair
    path: GoalPath

    def to_json(self) -> str:
        """For the latched topic."""
        fields = asdict(self)
        azimuth, tilt = fields.pop('remaining_rad')
        return json.dumps(fields | {'remaining_azimuth_rad': round(azimuth, 5), 'remaining_tilt_rad': round(tilt, 5)})
