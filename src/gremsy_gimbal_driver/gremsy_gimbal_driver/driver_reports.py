# SPDX-License-Identifier: Apache-2.0
"""What the driver reports: to its listener as it happens, and to whoever asks how it and its device stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gremsy_common.types.control_state import ControlState
from gremsy_common.types.gimbal_state import ImuReading, LevelHeading, RangeReading, ZoomState
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JointAngles
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.device.device_requests import StreamRequest
from gremsy_gimbal_driver.device.device_status import Condition
from gremsy_gimbal_driver.goals.goal import GoalProgress
from gremsy_gimbal_driver.links.link_health import LinkHealth
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, DeviceInformation, Sender, SystemStatus
from gremsy_gimbal_driver.motion.mode_machine import ModeStatus
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


@dataclass(frozen=True, slots=True)
class DeviceSnapshot:
    """The gimbal and its payload.

    Attributes:
        gimbal, camera, payload: who was found.
        information: what the gimbal reported of itself.
        system_status: its newest; None before the first.
        protocol: how it is commanded.
        attitude_source: the message that attitudes are taken from; empty before the first.
        attitude_age_s: since the last one; None before the first.
        streams: rates by message id.
        health: the faults that the gimbal reports.
        vehicle: why there is no attitude of the vehicle; empty where there is one.
        heading_source: what reports how the level frame turns with the vehicle; empty where nothing does.
        zoom_factor: as reported; None where it is not.
        cameras_gone: those whose heartbeats have ended.
        payload_tracking: what the payload reports of its own tracking; empty where it reports nothing.
    """

    gimbal: Sender | None
    camera: Sender | None
    payload: Sender | None
    information: DeviceInformation | None
    system_status: SystemStatus | None
    protocol: str
    attitude_source: str
    attitude_age_s: float | None
    streams: Mapping[int, StreamRequest]
    health: Condition
    vehicle: str
    heading_source: str
    zoom_factor: float | None
    cameras_gone: tuple[Sender, ...]
    payload_tracking: str


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """The whole driver.

    Attributes:
        links: of each link; `fault` with what its facts add up to.
        device: at their other end.
        mode, control, goal: of motion control; the goal is None before the first.
        calibration: the progress of a calibration, as a sentence; empty where none runs.
        failure: why a thread ended.
        counts: running totals by name.
    """

    links: tuple[LinkHealth, ...]
    device: DeviceSnapshot
    mode: ModeStatus
    control: ControlState
    goal: GoalProgress | None
    calibration: str
    failure: str
    counts: Mapping[str, int]
