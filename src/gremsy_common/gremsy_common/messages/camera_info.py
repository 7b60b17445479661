# SPDX-License-Identifier: Apache-2.0
"""StampedCamera <-> sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo

from gremsy_common.camera_model import CameraModel
from gremsy_common.messages.header import header, stamp_of

# CameraInfo and OpenCV count the centre of the first pixel as (0, 0); the suite counts its corner so.
_HALF_PIXEL = 0.5


@dataclass(frozen=True, slots=True)
class StampedCamera:
    """The camera's intrinsics (zoom included) for the image of that stamp."""

    stamp_ns: int
    frame_id: str
    model: CameraModel


def camera_info_message(camera: StampedCamera) -> CameraInfo:
    """Plumb-bob or rational model by the number of coefficients; no rectification."""
    model = camera.model
    matrix = model.matrix - [[0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, 0.0]]
    coefficients = list(model.distortion) or [0.0] * 5
    return CameraInfo(
        header=header(camera.stamp_ns, camera.frame_id),
        width=model.width,
        height=model.height,
        distortion_model='rational_polynomial' if len(coefficients) > 5 else 'plumb_bob',
        d=coefficients,
        k=matrix.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist(),
    )


def camera_from_info(message: CameraInfo) -> StampedCamera:
    """An uncalibrated camera (K of zeros) comes through with focal length 0; `model.usable` tells."""
    k = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
    distortion = tuple(float(each) for each in message.d)
    model = CameraModel(
        int(message.width),
        int(message.height),
        float(k[0, 0]),
        float(k[1, 1]),
        float(k[0, 2]) + _HALF_PIXEL,
        float(k[1, 2]) + _HALF_PIXEL,
        distortion if any(distortion) else (),
    )
    return StampedCamera(stamp_of(message.header.stamp), message.header.frame_id, model)
