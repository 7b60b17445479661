# SPDX-License-Identifier: Apache-2.0
"""Where the target is (`target_place`) <-> Vector3Stamped and PoseWithCovarianceStamped."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, Vector3Stamped

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import header, origin_of, vector_message, xyz_of
from gremsy_common.types.target_place import TargetBearing, TargetPosition

# Of an angle that may be anything: spread evenly over a turn.
_ANY_ANGLE_RAD2 = math.pi**2 / 3.0


def bearing_message(bearing: TargetBearing) -> Vector3Stamped:
    """The direction; rates and standard deviations are in /diagnostics."""
    own = header(bearing.stamp_ns, bearing.frame_id)
    return Vector3Stamped(header=own, vector=vector_message(bearing.direction))


def bearing_from(message: Vector3Stamped) -> TargetBearing:
    """Raises ValueError for what is no unit vector."""
    direction = xyz_of(message.vector)
    length = float(np.linalg.norm(direction))
    if not 0.99 < length < 1.01:
        raise Unusable('no direction', f'the vector {direction.tolist()} is no unit vector.')
    unknown = np.full(2, math.nan)
    return TargetBearing(*origin_of(message), direction / length, unknown, unknown, unknown)


def position_message(position: TargetPosition) -> PoseWithCovarianceStamped:
    """How the target is turned is not known: no turn, with the variance of an angle that may be any."""
    message = PoseWithCovarianceStamped(header=header(position.stamp_ns, position.frame_id))
    pose = message.pose.pose
    pose.position.x, pose.position.y, pose.position.z = position.position_m.tolist()
    pose.orientation.w = 1.0
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = position.covariance_m2
    covariance[3:, 3:] = _ANY_ANGLE_RAD2 * np.eye(3)
    message.pose.covariance = covariance.ravel()
    return message


def position_from(message: PoseWithCovarianceStamped) -> TargetPosition:
    """Raises ValueError for what is not finite."""
    position = xyz_of(message.pose.pose.position)
    covariance = np.asarray(message.pose.covariance, dtype=np.float64).reshape(6, 6)[:3, :3]
    if not (np.isfinite(position).all() and np.isfinite(covariance).all()):
        raise Unusable('not finite', f'the position {position.tolist()} with its covariance is not finite.')
    return TargetPosition(*origin_of(message), position, covariance)
