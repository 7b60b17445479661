# SPDX-License-Identifier: Apache-2.0
"""tf2_msgs/TFMessage as what `FrameTree` takes."""

from __future__ import annotations

import numpy as np
from tf2_msgs.msg import TFMessage

from gremsy_common.ros.messages.header_messages import stamp_of
from gremsy_gimbal_driver.goals.frame_tree import FrameTransform


def frame_transforms(message: TFMessage, is_static: bool) -> list[FrameTransform]:
    """As they came; the tree judges them."""
    heard = []
    for each in message.transforms:
        t, q = each.transform.translation, each.transform.rotation
        heard.append(
            FrameTransform(
                each.header.frame_id,
                each.child_frame_id,
                np.array([t.x, t.y, t.z]),
                np.array([q.w, q.x, q.y, q.z]),
                stamp_of(each.header.stamp),
                is_static,
            )
        )
    return heard
