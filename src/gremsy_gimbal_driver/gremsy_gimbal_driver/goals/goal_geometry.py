# SPDX-License-Identifier: Apache-2.0
"""Requests in any frame (an orientation, a point, joints) to azimuth and tilt in the gimbal's level frame.

An azimuth that is not defined stays as it is (None): the camera looks straight down at a point below it. A camera that
looks straight down because its orientation says so does have an azimuth, which 3-1-2 angles keep (`yaw_roll_pitch`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import (
    bearing_from_direction,
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import JointRequest, OrientationRequest, PointRequest
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.frame_tree import IDENTITY, FrameTree, Pose, frame_name
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.notices import Refusal

Array = NDArray[np.float64]

# Roll motors reach 40 to 45 degrees (gimbal.md 1.8), and the horizon stays level: a camera on its side is a mistake.
_MOST_ROLL_RAD = math.radians(45.0)
# Closer to straight down (or up) than this the direction has no azimuth: 1 degree there is 1 cm on the map at 60 cm.
_VERTICAL_SINE = math.sin(math.radians(1.0))
_NEAREST_POINT_M = 0.01
_NO_ROLL_RAD = math.radians(0.5)
# Of a transform that moves.
_AGE_LIMIT_S = 0.5


Angles = tuple[float | None, float | None]
FramedRequest = OrientationRequest | PointRequest | JointRequest
_NAMES: dict[type[FramedRequest], str] = {
    OrientationRequest: 'An attitude goal',
    PointRequest: 'A look-at goal',
    JointRequest: 'A joint goal',
}


class GoalGeometry:
    """Finds a frame below the level frame (the camera), in the vehicle's tree, or as its attitude's earth frame.

    Args:
        tree: of the transforms on /tf; the level frame is its `own`, and the driver gives it level to camera itself.
        parameters: names of the frames and joints, and the goals' times. The level frame's origin is where the camera
            is (a gimbal turns it about its own centre); from the base frame, `gimbal_base` of the URDF, the gimbal
            hangs.
    """

    def __init__(self, tree: FrameTree, parameters: GimbalDriverParameters) -> None:
        self._tree = tree
        self._parameters = parameters
        self._level = frame_name(parameters.level_frame)
        self._base = frame_name(parameters.base_frame)

    def goal(self, request: FramedRequest, reference: LevelReference, now_ns: int) -> AngleGoal:
        """What a request comes to now.

        Args:
            request: in any frame.
            reference: how the level frame and the vehicle stand.
            now_ns: ROS clock, for the age of transforms.

        Raises:
            Refusal: with one sentence.
        """
        match request:
            case OrientationRequest():
                azimuth, tilt = self._orientation(request, reference, now_ns)
            case PointRequest():
                azimuth, tilt = self._bearing(request, reference, now_ns)
            case JointRequest():
                azimuth, tilt = self._joint_angles(request, reference)
        # A stamp of 0 is none (`ros2 topic pub` without one). A yaw joint may go beyond half a turn: it is not wrapped.
        any_turn, stamp_ns = not isinstance(request, JointRequest), request.stamp_ns or None
        parameters = self._parameters
        return AngleGoal(azimuth, tilt, parameters.goal_timeout_s, parameters.goal_hold_s, any_turn, stamp_ns)

    def _orientation(self, request: OrientationRequest, reference: LevelReference, now_ns: int) -> Angles:
        """The camera's; its roll is dropped, where its x axis looks is kept."""
        norm = float(np.linalg.norm(request.frame_from_camera_wxyz))
        if not (math.isfinite(norm) and abs(norm - 1.0) < 0.01):
            raise Refusal(
                'goal_not_a_rotation',
                'An attitude goal was refused: its quaternion is not of length 1 or its numbers are not finite.',
            )
        level_from_frame = self._level_from(request, reference, now_ns)
        quaternion = multiply_quaternions(level_from_frame.rotation_wxyz, request.frame_from_camera_wxyz / norm)
        return _angles_of(quaternion, request)

    def _bearing(self, request: PointRequest, reference: LevelReference, now_ns: int) -> Angles:
        """Of a point."""
        if not all(map(math.isfinite, request.point_m)):
            raise Refusal('goal_not_finite', 'A look-at goal was refused: its point is not of finite numbers.')
        direction = self._level_from(request, reference, now_ns).point(np.array(request.point_m))
        distance_m = float(np.linalg.norm(direction))
        if distance_m < _NEAREST_POINT_M:
            raise Refusal(
                'goal_at_the_camera',
                f'A look-at goal was refused: its point is {distance_m * 1e3:.0f} mm from the camera itself.',
            )
        azimuth, tilt = bearing_from_direction(direction).tolist()
        is_vertical = math.hypot(direction[0], direction[1]) < _VERTICAL_SINE * distance_m
        return None if is_vertical else azimuth, tilt

    def _joint_angles(self, request: JointRequest, reference: LevelReference) -> Angles:
        """Of the yaw and the pitch joint, counted from the base; an axis that is not named stays.

        Where the base's tilt is known and both joints are named, the camera is turned to where these joints would point
        it; else the vehicle is taken as level.
        """
        joints = self._parameters.joints
        angles = _named(request, joints)
        yaw, roll, pitch = (angles.get(joint) for joint in joints)
        if roll is not None and abs(roll) > _NO_ROLL_RAD:
            raise Refusal(
                'goal_with_roll',
                f"A joint goal was refused: '{joints[1]}' is {math.degrees(roll):.1f} degrees, but the "
                'horizon is held level; leave it out.',
            )
        if yaw is None:
            return None, pitch
        base = _base(request, reference)
        if pitch is None or reference.vehicle is None:
            return yaw + float(yaw_roll_pitch(base)[0]), pitch
        azimuth, tilt = _angles_of(multiply_quaternions(base, quaternion_from_bearing(yaw, pitch)), request)
        return azimuth + 2 * math.pi * round((yaw - azimuth) / (2 * math.pi)), tilt

    def _level_from(self, request: OrientationRequest | PointRequest, reference: LevelReference, now_ns: int) -> Pose:
        """`level_from_frame`; for a point the translation counts, for an orientation only the rotation."""
        what, frame = _NAMES[type(request)], frame_name(request.frame_id)
        if not frame:
            raise Refusal('no_frame', f"{what} was refused: its header has no frame_id; use '{self._level}'.")
        if frame == self._level:
            return IDENTITY
        below_level = self._try(self._level, frame, now_ns)
        if isinstance(below_level, Pose):
            return below_level
        base_from_frame = IDENTITY if frame == self._base else self._try(self._base, frame, now_ns)
        if isinstance(base_from_frame, Pose):
            return Pose(_base(request, reference), np.zeros(3)) @ base_from_frame
        vehicle = reference.vehicle
        if vehicle is None or not vehicle.earth_frame or frame != frame_name(vehicle.earth_frame):
            fault = below_level if below_level.kind == 'stale_transform' else base_from_frame
            raise Refusal(fault.kind, f'{what} was refused. {fault}')
        azimuth = reference.earth_from_level_rad
        if azimuth is None:
            raise Refusal('earth_unknown', f'{what} was refused. {reference.reason}')
        rotation = quaternion_from_bearing(-azimuth, 0.0)
        if isinstance(request, OrientationRequest):
            return Pose(rotation, np.zeros(3))
        if not np.isfinite(vehicle.position_earth_m).all():
            raise Refusal(
                'position_unknown',
                f"{what} was refused: where the camera is in '{vehicle.earth_frame}' is not known; feed "
                '`vehicle/odometry` or publish the transform.',
            )
        mount = self._try(vehicle.vehicle_frame, self._base, now_ns)
        # Without a description of the robot the gimbal is taken to hang at the vehicle's origin.
        camera_in_vehicle_m = mount.translation_m if isinstance(mount, Pose) else np.zeros(3)
        camera_m = Pose(vehicle.earth_from_vehicle_wxyz, vehicle.position_earth_m).point(camera_in_vehicle_m)
        return Pose(rotation, -(matrix_from_quaternion(rotation) @ camera_m))

    def _try(self, a: str, b: str, now_ns: int) -> Pose | Refusal:
        try:
            return self._tree.lookup(a, b, now_ns, _AGE_LIMIT_S)
        except Refusal as refusal:
            return refusal


def _base(request: FramedRequest, reference: LevelReference) -> Array:
    """`level_from_base`."""
    if reference.level_from_base_wxyz is None:
        raise Refusal('base_unknown', f'{_NAMES[type(request)]} was refused. {reference.reason}')
    return reference.level_from_base_wxyz


def _angles_of(level_from_camera_wxyz: Array, request: FramedRequest) -> Pair:
    """Azimuth and tilt."""
    yaw, roll, pitch = yaw_roll_pitch(level_from_camera_wxyz).tolist()
    if abs(roll) > _MOST_ROLL_RAD:
        raise Refusal(
            'goal_with_roll',
            f'{_NAMES[type(request)]} was refused: it lays the camera {math.degrees(abs(roll)):.0f} degrees on its '
            'side, and the horizon is held level; give an orientation with an upright image (x forward, y left, z up).',
        )
    forward = matrix_from_quaternion(level_from_camera_wxyz)[:, 0]
    if math.hypot(forward[0], forward[1]) < _VERTICAL_SINE:
        return yaw, pitch
    azimuth, tilt = bearing_from_direction(forward).tolist()
    # The same direction can be reached over the top (or past nadir), with the image the other way up: keep its side.
    if math.cos(azimuth - yaw) < 0:
        azimuth, tilt = math.remainder(azimuth + math.pi, 2 * math.pi), math.remainder(math.pi - tilt, 2 * math.pi)
    return azimuth, tilt


def _named(request: JointRequest, joints: Sequence[str]) -> dict[str, float]:
    """By joint.

    Raises:
        Refusal: for names without positions, twice named, unknown or none at all, and for what is not finite.
    """
    if len(request.names) != len(request.positions_rad):
        raise Refusal(
            'joints_without_positions',
            f'A joint goal was refused: it has {len(request.names)} names and {len(request.positions_rad)} positions.',
        )
    angles = dict(zip(request.names, request.positions_rad, strict=True))
    unknown = sorted(set(angles).difference(joints))
    if unknown or not angles or len(angles) != len(request.names):
        listed = ', '.join(request.names) or 'nothing'
        raise Refusal(
            'unknown_joint',
            f'A joint goal was refused: it names {listed}; name each of {", ".join(joints)} once at most.',
        )
    if not all(map(math.isfinite, angles.values())):
        raise Refusal('joints_not_finite', 'A joint goal was refused: its positions are not finite numbers.')
    return angles
