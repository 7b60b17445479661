# SPDX-License-Identifier: Apache-2.0
"""Whom the driver calls, and with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gremsy_common.types.control_state import ControlState
from gremsy_common.types.gimbal_state import ImuReading, LevelHeading, RangeReading, ZoomState
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JointAngles
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.goals.goal import GoalProgress
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.motion_output import Pair


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class GimbalView:
    """Where the camera looks, against everything that is known.

    Attributes:
        measured: against the level frame.
        joints: of the chain.
        reference: how the level frame stands against the earth and the base.
        status: the message 285 that it came in; None where it came in another.
    """

    measured: MeasuredAttitude
    joints: JointAngles
    reference: LevelReference
    status: AttitudeStatus | None = None


@dataclass(frozen=True, slots=True)
class DriverListener:
    """What the driver calls; the functions run on its threads and must return at once.

    Attributes:
        view: an attitude came.
        heading: how the level frame has turned.
        zoom, imu, range_finder: other telemetry.
        control: the arm, the holder, the mode or the goal's state changed.
        goal: the newest goal's progress changed.
        calibrated: a calibration succeeded.
        report: a fault, in a sentence.
        inform: anything else worth logging, in a sentence.
        command_written: a rate command's bytes were handed to the link: the stamp of the image that it rests on, which
            repeats share, azimuth and tilt rate after the plant's inverse, and the ROS time right after.
    """

    view: Callable[[GimbalView], None] = _ignore
    heading: Callable[[LevelHeading], None] = _ignore
    zoom: Callable[[ZoomState], None] = _ignore
    imu: Callable[[ImuReading], None] = _ignore
    range_finder: Callable[[RangeReading], None] = _ignore
    control: Callable[[ControlState], None] = _ignore
    goal: Callable[[GoalProgress], None] = _ignore
    calibrated: Callable[[CalibrationResult], None] = _ignore
    report: Callable[[str], None] = _ignore
    inform: Callable[[str], None] = _ignore
    command_written: Callable[[int, Pair, int], None] = _ignore
