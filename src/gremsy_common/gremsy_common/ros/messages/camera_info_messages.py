# SPDX-License-Identifier: Apache-2.0
"""StampedCamera <-> sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.types.camera_model import CameraModel, lens_of

# CameraInfo and OpenCV count the centre of the first pixel as (0, 0); the suite counts its corner so.
_HALF_PIXEL = 0.5


@dataclass(frozen=True, slots=True)
class StampedCamera:
    """The camera's intrinsics (zoom included) for the image of that stamp."""

    stamp_ns: int
    frame_id: str
    model: CameraModel


def camera_info_message(camera: StampedCamera) -> CameraInfo:
    """The lens by its name; no rectification."""
    model = camera.model
    matrix = model.matrix - [[0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, _HALF_PIXEL], [0.0, 0.0, 0.0]]
    coefficients = list(model.distortion) or [0.0] * (4 if model.fisheye else 5)
    pinhole = 'rational_polynomial' if len(coefficients) > 5 else 'plumb_bob'
    return CameraInfo(
        header=header(camera.stamp_ns, camera.frame_id),
        width=model.width,
        height=model.height,
        distortion_model='equidistant' if model.fisheye else pinhole,
        d=coefficients,
        k=matrix.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist(),
    )


def camera_from_info(message: CameraInfo) -> StampedCamera:
    """The camera of the image as it is sent: K, which is the whole sensor's, cut to the region and binned.

    An uncalibrated camera (K of zeros) comes through with focal length 0; `model.usable` tells.

    Raises:
        Unusable: for a lens that is not known, or a size of nothing.
    """
    try:
        distortion, fisheye = lens_of(message.distortion_model, message.d)
    except ValueError as error:
        raise Unusable('unknown lens', f'it {error}: calibrate the camera with one of these.') from error
    k = np.asarray(message.k, dtype=np.float64).reshape(3, 3)
    region, across, down = message.roi, message.binning_x or 1, message.binning_y or 1
    model = CameraModel(
        int((region.width or message.width) // across),
        int((region.height or message.height) // down),
        float(k[0, 0]) / across,
        float(k[1, 1]) / down,
        (float(k[0, 2]) + _HALF_PIXEL - region.x_offset) / across,
        (float(k[1, 2]) + _HALF_PIXEL - region.y_offset) / down,
        distortion,
        fisheye,
    )
    if model.width <= 0 or model.height <= 0:
        raise Unusable(
            'no image size', f'it is of an image of {model.width}x{model.height} px: set its width and height.'
        )
    return StampedCamera(stamp_of(message.header.stamp), message.header.frame_id, model)
