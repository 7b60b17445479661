# SPDX-License-Identifier: Apache-2.0
"""Requests in any frame (an orientation, a point, joints) to azimuth and tilt in the gimbal's level frame.

An azimuth that is not defined stays as it is (None): the camera looks straight down at a point below it. A camera that
looks straight down because its orientation says so does have an azimuth, which 3-1-2 angles keep (`yaw_roll_pitch`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import SuiteError
from gremsy_common.geometry import (
    bearing_from_direction,
    matrix_from_quaternion,
    multiply_quaternions,
    quaternion_from_bearing,
    yaw_roll_pitch,
)
from gremsy_common.types.gimbal_state import JointRequest, OrientationRequest, PointRequest, VehicleAttitude
from gremsy_gimbal_driver.attitude.joint_chain import JOINTS
from gremsy_gimbal_driver.attitude.level_frame import LevelReference
from gremsy_gimbal_driver.goals.frame_tree import IDENTITY, FrameTree, Pose, TransformError, frame_name
from gremsy_gimbal_driver.goals.goal import AngleGoal

Array = NDArray[np.float64]

# Roll motors reach 40 to 45 degrees (gimbal.md 1.8), and the horizon stays level: a camera on its side is a mistake.
_MOST_ROLL_RAD = math.radians(45.0)
# Closer to straight down (or up) than this the direction has no azimuth: 1 degree there is 1 cm on the map at 60 cm.
_VERTICAL_SINE = math.sin(math.radians(1.0))
_NEAREST_POINT_M = 0.01
_NO_ROLL_RAD = math.radians(0.5)


class GoalRefused(SuiteError):
    """A request that cannot be turned into a goal; `kind` is a key to count by."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What a goal is worked out from, at one time.

    Attributes:
        now_ns: ROS clock, for the age of transforms.
        reference: how the level frame stands.
        vehicle: the vehicle's attitude; None where unknown.
    """

    now_ns: int
    reference: LevelReference
    vehicle: VehicleAttitude | None = None


class GoalGeometry:
    """Finds a frame below the level frame (the camera), in the vehicle's tree, or as its attitude's earth frame.

    Args:
        tree: of the transforms on /tf; the level frame is its `own`, and the driver gives it level to camera itself.
        level_frame: whose origin is where the camera is (a gimbal turns it about its own centre).
        base_frame: what the gimbal hangs from, `gimbal_base` of the URDF.
        age_limit_s: of a transform that moves.
        joints: names of the yaw, the roll and the pitch joint.
        timeout_s, hold_s: of the goals.
    """

    def __init__(
        self,
        tree: FrameTree,
        level_frame: str,
        base_frame: str,
        age_limit_s: float = 0.5,
        joints: Sequence[str] = JOINTS,
        timeout_s: float = 10.0,
        hold_s: float = 0.0,
    ) -> None:
        self._tree = tree
        self._level = frame_name(level_frame)
        self._base = frame_name(base_frame)
        self._age_limit_s = age_limit_s
        self._joints = tuple(joints)
        self._timeout_s = timeout_s
        self._hold_s = hold_s

    def orientation(self, request: OrientationRequest, around: Surroundings) -> AngleGoal:
        """The camera's orientation; its roll is dropped, where its x axis looks is kept.

        Raises:
            GoalRefused: with one sentence.
        """
        norm = float(np.linalg.norm(request.frame_from_camera_wxyz))
        if not (math.isfinite(norm) and abs(norm - 1.0) < 0.01):
            raise GoalRefused(
                'goal_not_a_rotation',
                'An attitude goal was refused: its quaternion is not of length 1 or its numbers are not finite.',
            )
        level_from_frame = self._level_from(request.frame_id, around, 'An attitude goal', is_point=False)
        quaternion = multiply_quaternions(level_from_frame.rotation_wxyz, request.frame_from_camera_wxyz / norm)
        return self._goal(request, *_angles_of(quaternion, 'An attitude goal'))

    def look_at(self, request: PointRequest, around: Surroundings) -> AngleGoal:
        """The bearing of a point.

        Raises:
            GoalRefused: with one sentence.
        """
        if not all(map(math.isfinite, request.point_m)):
            raise GoalRefused('goal_not_finite', 'A look-at goal was refused: its point is not of finite numbers.')
        pose = self._level_from(request.frame_id, around, 'A look-at goal', is_point=True)
        direction = pose.point(np.array(request.point_m))
        distance_m = float(np.linalg.norm(direction))
        if distance_m < _NEAREST_POINT_M:
            raise GoalRefused(
                'goal_at_the_camera',
                f'A look-at goal was refused: its point is {distance_m * 1e3:.0f} mm from the camera itself.',
            )
        azimuth, tilt = bearing_from_direction(direction).tolist()
        is_vertical = math.hypot(direction[0], direction[1]) < _VERTICAL_SINE * distance_m
        return self._goal(request, None if is_vertical else azimuth, tilt)

    def joints(self, request: JointRequest, around: Surroundings) -> AngleGoal:
        """Angles of the yaw and the pitch joint, counted from the base; an axis that is not named stays.

        Yaw may go beyond half a turn: it is not wrapped. Where the base's tilt is known and both joints are named,
        the camera is turned to where these joints would point it; else the vehicle is taken as level.

        Raises:
            GoalRefused: with one sentence.
        """
        angles = _named(request, self._joints)
        yaw, roll, pitch = (angles.get(joint) for joint in self._joints)
        if roll is not None and abs(roll) > _NO_ROLL_RAD:
            raise GoalRefused(
                'goal_with_roll',
                f"A joint goal was refused: '{self._joints[1]}' is {math.degrees(roll):.1f} degrees, but the "
                'horizon is held level; leave it out.',
            )
        if yaw is None:
            return self._goal(request, None, pitch, any_turn=False)
        base = around.reference.level_from_base_wxyz
        if base is None:
            raise GoalRefused('base_unknown', f'A joint goal was refused. {around.reference.reason}')
        if pitch is None or not around.reference.tilt_known:
            return self._goal(request, yaw + float(yaw_roll_pitch(base)[0]), pitch, any_turn=False)
        quaternion = multiply_quaternions(base, quaternion_from_bearing(yaw, pitch))
        azimuth, tilt = _angles_of(quaternion, 'A joint goal')
        whole_turns = round((yaw - azimuth) / (2 * math.pi))
        return self._goal(request, azimuth + 2 * math.pi * whole_turns, tilt, any_turn=False)

    def _goal(
        self,
        request: OrientationRequest | PointRequest | JointRequest,
        azimuth_rad: float | None,
        tilt_rad: float | None,
        any_turn: bool = True,
    ) -> AngleGoal:
        # A stamp of 0 is none (`ros2 topic pub` without one).
        stamp_ns = request.stamp_ns or None
        return AngleGoal(azimuth_rad, tilt_rad, self._timeout_s, self._hold_s, any_turn, stamp_ns)

    def _level_from(self, frame_id: str, around: Surroundings, what: str, is_point: bool) -> Pose:
        """`level_from_frame`; for a point the translation counts, for an orientation only the rotation."""
        frame = frame_name(frame_id)
        if not frame:
            raise GoalRefused('no_frame', f"{what} was refused: its header has no frame_id; use '{self._level}'.")
        if frame == self._level:
            return IDENTITY
        below_level = self._try(self._level, frame, around.now_ns)
        if isinstance(below_level, Pose):
            return below_level
        base_from_frame = IDENTITY if frame == self._base else self._try(self._base, frame, around.now_ns)
        if isinstance(base_from_frame, Pose):
            base = around.reference.level_from_base_wxyz
            if base is None:
                raise GoalRefused('base_unknown', f'{what} was refused. {around.reference.reason}')
            return Pose(base, np.zeros(3)) @ base_from_frame
        vehicle = around.vehicle
        if vehicle is not None and vehicle.earth_frame and frame == frame_name(vehicle.earth_frame):
            return self._level_from_earth(vehicle, around, what, is_point)
        trouble = below_level if below_level.kind == 'stale_transform' else base_from_frame
        raise GoalRefused(trouble.kind, f'{what} was refused. {trouble}')

    def _level_from_earth(self, vehicle: VehicleAttitude, around: Surroundings, what: str, is_point: bool) -> Pose:
        azimuth = around.reference.earth_from_level_rad
        if azimuth is None:
            raise GoalRefused('earth_unknown', f'{what} was refused. {around.reference.reason}')
        rotation = quaternion_from_bearing(-azimuth, 0.0)
        if not is_point:
            return Pose(rotation, np.zeros(3))
        if not np.isfinite(vehicle.position_earth_m).all():
            raise GoalRefused(
                'position_unknown',
                f"{what} was refused: where the camera is in '{vehicle.earth_frame}' is not known; feed "
                '`vehicle/odometry` or publish the transform.',
            )
        earth_from_vehicle = Pose(vehicle.earth_from_vehicle_wxyz, vehicle.position_earth_m)
        mount = self._try(vehicle.vehicle_frame, self._base, around.now_ns)
        # Without a description of the robot the gimbal is taken to hang at the vehicle's origin.
        camera_m = earth_from_vehicle.point(mount.translation_m if isinstance(mount, Pose) else np.zeros(3))
        return Pose(rotation, -(matrix_from_quaternion(rotation) @ camera_m))

    def _try(self, a: str, b: str, now_ns: int) -> Pose | TransformError:
        try:
            return self._tree.lookup(a, b, now_ns, self._age_limit_s)
        except TransformError as error:
            return error


def _angles_of(level_from_camera_wxyz: Array, what: str) -> tuple[float, float]:
    """Azimuth and tilt."""
    yaw, roll, pitch = yaw_roll_pitch(level_from_camera_wxyz).tolist()
    if abs(roll) > _MOST_ROLL_RAD:
        raise GoalRefused(
            'goal_with_roll',
            f'{what} was refused: it lays the camera {math.degrees(abs(roll)):.0f} degrees on its side, and the '
            'horizon is held level; give an orientation with an upright image (x forward, y left, z up).',
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
        GoalRefused: for names without positions, twice named, unknown or none at all, and for what is not finite.
    """
    if len(request.names) != len(request.positions_rad):
        raise GoalRefused(
            'joints_without_positions',
            f'A joint goal was refused: it has {len(request.names)} names and {len(request.positions_rad)} positions.',
        )
    angles = dict(zip(request.names, request.positions_rad, strict=True))
    unknown = sorted(set(angles).difference(joints))
    if unknown or not angles or len(angles) != len(request.names):
        listed = ', '.join(request.names) or 'nothing'
        raise GoalRefused(
            'unknown_joint',
            f'A joint goal was refused: it names {listed}; name each of {", ".join(joints)} once at most.',
        )
    if not all(map(math.isfinite, angles.values())):
        raise GoalRefused('joints_not_finite', 'A joint goal was refused: its positions are not finite numbers.')
    return angles
