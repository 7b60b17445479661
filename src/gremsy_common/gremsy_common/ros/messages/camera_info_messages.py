# SPDX-License-Identifier: Apache-2.0
"""StampedCamera <-> sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.header_messages import header, origin_of
from gremsy_common.types.camera_model import CameraModel


@dataclass(frozen=True, slots=True)
class StampedCamera:
    """The camera's intrinsics (zoom included) for the image of that stamp."""

    stamp_ns: int
    frame_id: str
    model: CameraModel


def camera_info_message(camera: StampedCamera) -> CameraInfo:
    """The lens by its name; R and P of the calibration, else the identity and K, which rectify nothing."""
    model = camera.model
    k, r, p = model.matrices
    return CameraInfo(
        header=header(camera.stamp_ns, camera.frame_id),
        width=model.width,
        height=model.height,
        distortion_model=model.distortion_model,
        d=list(model.distortion) or [0.0] * (4 if model.fisheye else 5),
        k=k.ravel().tolist(),
        r=r.ravel().tolist(),
        p=p.ravel().tolist(),
    )


def camera_from_info(message: CameraInfo) -> StampedCamera:
    """The camera of the image as it is sent: K and P, which are the whole sensor's, cut to the region and binned.

    An uncalibrated camera (K of zeros) comes through with focal length 0; `model.usable` tells.

    Raises:
        Unusable: for a lens that is not known, or a size of nothing.
    """
    try:
        size = int(message.width), int(message.height)
        whole = CameraModel.calibrated(*size, message.distortion_model, message.d, message.k, message.r, message.p)
    except ValueError as error:
        raise Unusable('unknown lens', f'it {error}: calibrate the camera with one of these.') from error
    region, across, down = message.roi, message.binning_x or 1, message.binning_y or 1
    width, height = (region.width or message.width) // across, (region.height or message.height) // down
    if width <= 0 or height <= 0:
        raise Unusable('no image size', f'it is of an image of {width}x{height} px: set its width and height.')
    # What does not fill a bin at the right and below is left out.
    model = whole.cut(region.x_offset, region.y_offset, width * across, height * down, width, height)
    return StampedCamera(*origin_of(message), model)
