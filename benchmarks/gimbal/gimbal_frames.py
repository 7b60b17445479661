# SPDX-License-Identifier: Apache-2.0
"""How exact the gimbal's frames are: REP-103, NED/FRD, 3-1-2 angles, quaternions, joints and earth, there and back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import (
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_yaw_roll_pitch,
    rotation_vector_between,
    yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import GimbalAttitude, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame, reading_from_status
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JointAngles, joints_from_attitude
from gremsy_gimbal_driver.attitude.level_frame import earth_attitude, level_reference
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import (
    enu_from_q_frd_ned,
    q_frd_from_level_camera,
    q_frd_ned_from_enu,
    roll_pitch_yaw_ned,
    yaw_roll_pitch_flu,
)

Array = NDArray[np.float64]

# Vehicles of this tilt and cameras of this roll add up to less than the 90 degrees of roll at which 3-1-2 is singular.
_MOST_TILT_RAD = math.radians(35.0)
_MOST_ROLL_RAD = math.radians(30.0)
_NADIR = math.pi / 2
_UNKNOWN = np.full(3, np.nan)


def frame_roundtrip_error_rad(count: int = 2000, seed: int = 1) -> float:
    """The largest angle by which any way round misses where it began, over the sphere; a tenth of it at nadir.

    Args:
        count: of random attitudes on random vehicles.
        seed: of both.
    """
    random = np.random.default_rng(seed)
    yaw = random.uniform(-math.pi, math.pi, count)
    roll = random.uniform(-_MOST_ROLL_RAD, _MOST_ROLL_RAD, count)
    # Over the sphere: the sine of tilt is spread evenly. Then nadir, zenith, and past nadir, where some gimbals reach.
    pitch = np.arcsin(random.uniform(-1.0, 1.0, count))
    tenth = max(1, count // 10)
    pitch[:tenth] = _NADIR
    pitch[tenth : 2 * tenth] = random.choice([-_NADIR, _NADIR + 0.3, _NADIR + 1e-9, _NADIR - 1e-9], tenth)
    roll[: tenth // 2] = 0.0
    heading = random.uniform(-math.pi, math.pi, count)
    nose, side = random.uniform(-_MOST_TILT_RAD, _MOST_TILT_RAD, (2, count)) / math.sqrt(2)
    vehicles = quaternion_from_yaw_roll_pitch(heading, side, nose)
    cameras = quaternion_from_yaw_roll_pitch(yaw, roll, pitch)
    worst = _wire_error(cameras)
    for camera, vehicle in zip(cameras, vehicles, strict=True):
        worst = max(worst, _chain_error(camera, vehicle))
    return worst


def _wire_error(cameras: Array) -> float:
    """Quaternion to the wire and back by message 284/285, by NED angles, and by the earth frames."""
    by_quaternion = _reading_quaternions(q_frd_from_level_camera(cameras))
    angles_ned = [roll_pitch_yaw_ned(*angles) for angles in yaw_roll_pitch(cameras).tolist()]
    back = np.array([yaw_roll_pitch_flu(*angles) for angles in angles_ned])
    by_angles = quaternion_from_yaw_roll_pitch(back[:, 0], back[:, 1], back[:, 2])
    by_earth = enu_from_q_frd_ned(q_frd_ned_from_enu(cameras))
    return max(_angle(cameras, each) for each in (by_quaternion, by_angles, by_earth))


def _reading_quaternions(q_frd_wxyz: Array) -> Array:
    """What the driver reads from a 285 with these quaternions."""
    unknown = (math.nan,) * 3
    statuses = [AttitudeStatus(Sender(1, 154), 0, 0, tuple(q), unknown, 0) for q in q_frd_wxyz.tolist()]
    return np.array([reading_from_status(status).level_from_camera_wxyz for status in statuses])


def _chain_error(level_from_camera: Array, earth_from_vehicle: Array) -> float:
    """By joints on a tilted vehicle, and through the earth frame in both conventions."""
    yaw, roll, pitch = yaw_roll_pitch(level_from_camera).tolist()
    attitude = GimbalAttitude(0, 'camera', level_from_camera, np.zeros(3))
    measured = MeasuredAttitude(attitude, yaw, roll, pitch, YawFrame.VEHICLE)
    vehicle = VehicleAttitude(0, 'base_link', 'map', earth_from_vehicle, _UNKNOWN, _UNKNOWN, _UNKNOWN)
    reference = level_reference(YawFrame.VEHICLE, None, vehicle, '')
    earth = earth_attitude(measured, reference)
    if earth is None or reference.level_from_base_wxyz is None or reference.earth_from_level_rad is None:
        return math.inf
    joints = joints_from_attitude(measured, reference)
    by_joints = matrix_from_quaternion(reference.level_from_base_wxyz) @ _forward_kinematics(joints)
    # The vehicle and the joints alone must give the camera on the earth as well.
    by_vehicle = matrix_from_quaternion(earth_from_vehicle) @ _forward_kinematics(joints)
    # In NED the same is the vehicle's yaw (right +, from north), then the wire's quaternion.
    yaw_ned = math.pi / 2 - reference.earth_from_level_rad
    about_down = np.array([math.cos(yaw_ned / 2), 0.0, 0.0, math.sin(yaw_ned / 2)])
    in_ned = multiply_quaternions(about_down, q_frd_from_level_camera(level_from_camera))
    return max(
        _angle_of_matrices(matrix_from_quaternion(level_from_camera), by_joints),
        _angle_of_matrices(matrix_from_quaternion(earth.earth_from_camera_wxyz), by_vehicle),
        _angle(enu_from_q_frd_ned(in_ned), earth.earth_from_camera_wxyz),
    )


def _forward_kinematics(joints: JointAngles) -> Array:
    """Written out axis by axis, so that it shares nothing with the code that took the angles apart."""
    (cy, sy), (cr, sr), (cp, sp) = (
        (math.cos(angle), math.sin(angle)) for angle in (joints.yaw_rad, joints.roll_rad, joints.pitch_rad)
    )
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    about_y = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    return np.asarray(about_z @ about_x @ about_y)


def _angle(a: Array, b: Array) -> float:
    return float(np.linalg.norm(np.atleast_2d(rotation_vector_between(a, b)), axis=-1).max())


def _angle_of_matrices(a: Array, b: Array) -> float:
    """For small angles the skew part is the angle; a half turn would hide there, so the trace is looked at too."""
    turn = a.T @ b
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    return math.atan2(float(np.linalg.norm(skew)), (float(np.trace(turn)) - 1.0) / 2)
