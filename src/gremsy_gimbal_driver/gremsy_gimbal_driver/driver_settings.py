# SPDX-License-Identifier: Apache-2.0
"""What the driver is told and whom it tells: the value objects around `GimbalDriver`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gremsy_common.types.control_state import ControlState
from gremsy_common.types.gimbal_state import ImuReading, LevelHeading, RangeReading, VehicleAttitude, ZoomState
from gremsy_gimbal_driver.attitude.attitude_stamping import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import EncoderSettings, JointAngles
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.goals.goal import GoalProgress
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings
from gremsy_gimbal_driver.payload.payload_control import PayloadSettings


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """How the driver talks and moves.

    Attributes:
        motion: limits and times.
        own: our MAVLink ids; 1 and 191 are what gimbals are known to obey (gimbal.md 1.3).
        gimbal: the gimbal's ids where they must not be learned.
        protocol: `auto`, or `v2` or `v1` where what the device shows must not decide.
        v1_yaw_sign: -1 for firmware of 2021 and older, which turns the other way (gimbal.md 1.7).
        camera_frame: frame of the attitudes, the IMU and the range.
        attitude_rate_hz: asked of the gimbal.
        other_rates_hz: of other streams by message id; 0 switches one off, what is not named is left as it is.
        bytes_per_s: of the slowest link, None for a network: the rates are cut to what it carries.
        least_attitude_delay_s: smallest time from a measurement to its arrival here, where known.
        imu_axes: where x, y and z of the gimbal's IMU point, seen by the camera.
        encoders: how the encoders read; None where joints are worked out from the attitude.
        vehicle_age_limit_s: an older attitude of the vehicle is none.
        lock_is_north: lock's azimuth counts from north, as with a gimbal that is fed the vehicle's attitude.
        payload: which product it is.
        still_number: of the first picture; see `camera_commands.first_still_number`.
        payload_rates_hz: of the payload board's own values by name.
        payload_setup: settings of the payload's camera, by name, to make when it is found.
        claim_control: set a payload's RC_MODE to standard when it is found; without it ignores MAVLink motion.
        read_limits: ask for the gimbal's own RC_LIM_* limits.
        mode_while_following: the mode while a tracker follows and nothing tells how the vehicle turns; None leaves it.
        deadman: whether a child process guards the links.
    """

    motion: MotionSettings = field(default_factory=MotionSettings)
    own: Sender = field(default_factory=lambda: Sender(1, 191))
    gimbal: Sender | None = None
    protocol: str = 'auto'
    v1_yaw_sign: int = 1
    camera_frame: str = 'gimbal_camera'
    attitude_rate_hz: float = 50.0
    other_rates_hz: Mapping[int, float] = field(default_factory=dict)
    bytes_per_s: float | None = None
    least_attitude_delay_s: float = 0.0
    imu_axes: tuple[str, ...] = IMU_AXES
    encoders: EncoderSettings | None = None
    vehicle_age_limit_s: float = 0.5
    lock_is_north: bool = False
    payload: PayloadSettings = field(default_factory=PayloadSettings)
    still_number: int = 1
    payload_rates_hz: Mapping[str, float] = field(default_factory=dict)
    payload_setup: Mapping[str, str] = field(default_factory=dict)
    claim_control: bool = False
    read_limits: bool = True
    mode_while_following: GimbalMode | None = None
    deadman: bool = True


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class WrittenCommand:
    """One rate command on its way.

    Attributes:
        stamp_ns: of the image that the command rests on; repeats carry the same.
        wire_ns: ROS time right after the bytes were handed to the link.
        rates_rad_s: azimuth and tilt as commanded, after the plant's inverse.
    """

    stamp_ns: int
    wire_ns: int
    rates_rad_s: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class GimbalView:
    """Where the camera looks, against everything that is known.

    Attributes:
        measured: against the level frame.
        joints: of the chain.
        reference: how the level frame stands against the earth and the base.
        vehicle: at the same time; None where unknown.
    """

    measured: MeasuredAttitude
    joints: JointAngles
    reference: LevelReference
    vehicle: VehicleAttitude | None


@dataclass(frozen=True, slots=True)
class DriverListener:
    """Whom the driver tells; the functions are called on its threads and must return at once.

    Attributes:
        view: an attitude came.
        status: the message 285 that it came in, and its stamp.
        heading: how the level frame has turned.
        zoom, imu, range_finder: other telemetry.
        control: the arm, the holder, the mode or the goal's state changed.
        goal: the newest goal's progress changed.
        calibrated: a calibration ended well.
        say: a sentence about what is wrong.
        inform: a sentence about what is well.
        command_written: a rate command's bytes were handed to the link.
    """

    view: Callable[[GimbalView], None] = _ignore
    status: Callable[[AttitudeStatus, int], None] = _ignore
    heading: Callable[[LevelHeading], None] = _ignore
    zoom: Callable[[ZoomState], None] = _ignore
    imu: Callable[[ImuReading], None] = _ignore
    range_finder: Callable[[RangeReading], None] = _ignore
    control: Callable[[ControlState], None] = _ignore
    goal: Callable[[GoalProgress], None] = _ignore
    calibrated: Callable[[CalibrationResult], None] = _ignore
    say: Callable[[str], None] = _ignore
    inform: Callable[[str], None] = _ignore
    command_written: Callable[[WrittenCommand], None] = _ignore
