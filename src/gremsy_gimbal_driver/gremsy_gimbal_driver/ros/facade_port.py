# SPDX-License-Identifier: Apache-2.0
"""What a facade needs of the driver, and what the driver needs of the facades that are installed.

Everything a facade asks for goes through the driver's arbiter, its arm and its limits like any wish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol

from gremsy_common.types.gimbal_state import OrientationWish, PointWish, RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalProgress
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.command_arbiter import Answer
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Say

FACADES = 'gremsy_gimbal_driver.facades'
"""Entry points of packages that serve facades."""

GoalWish = AngleGoal | OrientationWish | PointWish


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the camera looks now and why it moves.

    Attributes:
        azimuth_rad, tilt_rad: in the level frame; the azimuth goes on over +-pi.
        zoom_factor: None where it is not reported.
        by_goal, by_rate: what moves it, if anything does.
    """

    azimuth_rad: float
    tilt_rad: float
    zoom_factor: float | None = None
    by_goal: bool = False
    by_rate: bool = False


class GimbalPort(Protocol):
    """The driver, as facades see it. Nothing waits, and all may be called on the executor's thread."""

    level_frame: str

    def now_ns(self) -> int:
        """The ROS clock."""

    def pointing(self) -> Pointing | None:
        """None while no attitude comes."""

    def mode(self) -> GimbalMode | None:
        """As the gimbal reports it; None while it is not known."""

    def set_mode(self, mode: GimbalMode) -> Answer:
        """Begin to change the mode."""

    def offer_rate(self, setpoint: RateSetpoint) -> bool:
        """Whether it was taken; the driver says why not, once."""

    def offer_goal(self, wish: GoalWish) -> Answer:
        """Begin to turn there; `number` of the answer asks for its progress."""

    def goal_progress(self, number: int) -> GoalProgress | None:
        """None for a goal that is forgotten."""

    def cancel_goal(self, number: int, by: str) -> Answer:
        """End it where it still runs."""

    def zoom_to(self, factor: float) -> Answer:
        """Begin to zoom."""


class Facades(Protocol):
    """Those that are served, together."""

    @property
    def names(self) -> str:
        """Of those that are served."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What was refused."""

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Message 285 came."""

    def close(self) -> None:
        """Idempotent."""


class NoFacades:
    """Stands in for package `gremsy_gimbal_facades` where it is not installed."""

    names = ''
    counts: Mapping[str, int] = {}

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Nobody wants to know."""

    def close(self) -> None:
        """There is nothing to close."""


def installed_facades(node: Any, port: GimbalPort, say: Say, *, mavros: bool, ptz: bool) -> Facades:
    """Those of package `gremsy_gimbal_facades` that are wanted; make and close them on the executor's thread."""
    for entry in entry_points(group=FACADES):
        facades: Facades = entry.load()(node, port, say, mavros=mavros, ptz=ptz)
        return facades
    return NoFacades()
