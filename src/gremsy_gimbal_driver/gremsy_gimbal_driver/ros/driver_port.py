# SPDX-License-Identifier: Apache-2.0
"""Requests in any form and frame, to what the driver takes: the operator's topics and the facades all come this way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gremsy_common.types.control_state import NOBODY
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.frame_tree import FrameTransform, FrameTree
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalProgress, GoalState
from gremsy_gimbal_driver.goals.goal_geometry import FramedRequest, GoalGeometry
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult, Source
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Notices, Refusal
from gremsy_gimbal_driver.payload.payload_requests import ZoomTo
from gremsy_gimbal_driver.payload.pending_request import RequestState
from gremsy_gimbal_driver.ros.telemetry_topics import CAMERA_FROM_OPTICAL_WXYZ

GoalRequest = AngleGoal | FramedRequest


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the camera points now and why it moves.

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


class DriverPort:
    """One source's way to the driver, the operator's or a facade's. Nothing waits; for the executor's thread only.

    Args:
        driver: open.
        source: whose requests these are.
        tree: of the transforms on /tf; shared by all ports of the node.
        parameters: frames and times.
        now_ns: the ROS clock.
        notices: reports once why a request was not followed.
    """

    def __init__(
        self,
        driver: GimbalDriver,
        source: Source,
        tree: FrameTree,
        parameters: GimbalDriverParameters,
        now_ns: Callable[[], int],
        notices: Notices,
    ) -> None:
        self._driver = driver
        self._source = source
        self._tree = tree
        self._parameters = parameters
        self._geometry = GoalGeometry(tree, parameters)
        self._notices = notices
        self._refused: set[str] = set()
        self.now_ns = now_ns
        self.level_frame = parameters.level_frame

    # Motion.

    def offer_rate(self, setpoint: RateSetpoint) -> bool:
        """Whether it was taken; the driver reports why not, once."""
        return self._driver.offer(self._source, setpoint)

    def offer_goal(self, request: GoalRequest) -> CommandResult:
        """Begin to turn there, found from where every frame is now; the result's `number` asks for its progress."""
        try:
            goal = request if isinstance(request, AngleGoal) else self._goal(request)
        except Refusal as refused:
            self._refused.add(refused.kind)
            self._notices.fault(refused.kind, str(refused))
            return self._driver.refuse_goal(self._source, str(refused))
        self._notices.recovered(*self._refused)
        self._refused.clear()
        result = self._driver.go_to(self._source, goal)
        self._notices.check('goal_not_begun', '' if result.done else result.text)
        return result

    def goal_progress(self, number: int) -> GoalProgress | None:
        """None for a goal that is forgotten."""
        return self._driver.goal_progress(number)

    def cancel_goal(self, number: int, by: str) -> CommandResult:
        """End it where it still runs."""
        return self._driver.cancel_goal(number, by)

    def set_mode(self, mode: GimbalMode) -> CommandResult:
        """Begin to change the mode."""
        return self._driver.set_mode(self._source, mode)

    def zoom_to(self, factor: float) -> CommandResult:
        """Begin to zoom."""
        pending = self._driver.request(ZoomTo(factor))
        return CommandResult(pending.state is not RequestState.FAILED, pending.result.sentence)

    # How it stands.

    def pointing(self) -> Pointing | None:
        """None while no attitude comes."""
        view = self._driver.view
        if view is None:
            return None
        control, status = self._driver.control(), self._driver.goal_progress()
        by_goal = status is not None and not status.ended and status.state is GoalState.MOVING
        by_rate = not by_goal and control.holder not in ('', NOBODY)
        measured = view.measured
        return Pointing(measured.yaw_rad, measured.pitch_rad, self._driver.zoom_factor, by_goal, by_rate)

    def mode(self) -> GimbalMode | None:
        """As the gimbal reports it; None while it is not known."""
        return self._driver.mode().reported

    # Inside.

    def _goal(self, request: FramedRequest) -> AngleGoal:
        """Raises Refusal."""
        view = self._driver.view
        if view is None:
            raise Refusal('no_attitude', 'A goal was refused: no attitude has been received from the gimbal yet.')
        attitude, parameters, origin = view.measured.attitude, self._parameters, np.zeros(3)
        camera = parameters.camera_frame
        ours = {camera: (parameters.level_frame, attitude.level_from_camera_wxyz)}
        ours |= dict.fromkeys(parameters.cameras_frames, (camera, CAMERA_FROM_OPTICAL_WXYZ))
        try:
            for child, (parent, rotation) in ours.items():
                self._tree.take_own(FrameTransform(parent, child, origin, rotation, attitude.stamp_ns))
        except Refusal as refusal:
            raise Refusal(refusal.kind, f'A goal was refused. {refusal}') from refusal
        return self._geometry.goal(request, view.reference, self.now_ns())
