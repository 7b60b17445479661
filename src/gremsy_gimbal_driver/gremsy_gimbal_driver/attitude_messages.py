# SPDX-License-Identifier: Apache-2.0
"""A measured attitude as joint_states and /tf."""

from __future__ import annotations

from collections.abc import Sequence

from geometry_msgs.msg import Quaternion, Transform, TransformStamped
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from gremsy_common.messages.header import header
from gremsy_gimbal_driver.attitude_stamping import MeasuredAttitude

JOINTS = ('gimbal_yaw_joint', 'gimbal_roll_joint', 'gimbal_pitch_joint')

# gremsy_common.rotations.CAMERA_FROM_OPTICAL (z forward to x forward) as a quaternion.
_CAMERA_FROM_OPTICAL = Quaternion(w=0.5, x=-0.5, y=0.5, z=-0.5)


def joint_state(measured: MeasuredAttitude) -> JointState:
    """Yaw about up, roll about forward, pitch about left: the gimbal's own order."""
    return JointState(
        header=header(measured.attitude.stamp_ns, ''),
        name=list(JOINTS),
        position=[measured.yaw_rad, measured.roll_rad, measured.pitch_rad],
    )


def transforms(measured: MeasuredAttitude, level_frame: str, optical_frames: Sequence[str]) -> TFMessage:
    """Level frame to camera, and camera to each optical frame, all with the attitude's stamp."""
    attitude = measured.attitude
    w, x, y, z = attitude.level_from_camera_wxyz.tolist()
    level = TransformStamped(
        header=header(attitude.stamp_ns, level_frame),
        child_frame_id=attitude.frame_id,
        transform=Transform(rotation=Quaternion(w=w, x=x, y=y, z=z)),
    )
    optical = [
        TransformStamped(
            header=header(attitude.stamp_ns, attitude.frame_id),
            child_frame_id=frame,
            transform=Transform(rotation=_CAMERA_FROM_OPTICAL),
        )
        for frame in optical_frames
    ]
    return TFMessage(transforms=[level, *optical])
