# SPDX-License-Identifier: Apache-2.0
"""The still frame on /tf: a child of the gimbal's level frame, from which it turns back with the vehicle's heading."""

from __future__ import annotations

import math

from geometry_msgs.msg import Quaternion, Transform, TransformStamped
from tf2_msgs.msg import TFMessage

from gremsy_common.ros.messages.header_messages import header


def still_transform(stamp_ns: int, level_frame: str, still_frame: str, heading_rad: float) -> TFMessage:
    """One transform; the two frames have one origin, and an azimuth in the still frame is larger by the heading."""
    half = -heading_rad / 2.0
    turned = Transform(rotation=Quaternion(w=math.cos(half), z=math.sin(half)))
    return TFMessage(
        transforms=[
            TransformStamped(header=header(stamp_ns, level_frame), child_frame_id=still_frame, transform=turned)
        ]
    )
