# SPDX-License-Identifier: Apache-2.0
"""A JPEG as an image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged


def decode_jpeg(data: NDArray[Any]) -> NDArray[Any]:
    """BGR, of a grey one too, as the camera sees it: an orientation in its EXIF is not followed.

    Raises:
        PictureDamaged: it cannot be decoded.
    """
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise PictureDamaged('A JPEG picture cannot be decoded: it is left out.')
    return np.asarray(image)
