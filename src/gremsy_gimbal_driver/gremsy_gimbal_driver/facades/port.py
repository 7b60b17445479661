# SPDX-License-Identifier: Apache-2.0
"""What a facade needs of the driver; everything goes through its arbiter, its arm and its limits like any wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gremsy_common.gimbal_state import OrientationWish, PointWish, RateSetpoint
from gremsy_gimbal_driver.answer import Answer
from gremsy_gimbal_driver.gimbal_mode import GimbalMode
from gremsy_gimbal_driver.goals import AngleGoal, GoalProgress

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
