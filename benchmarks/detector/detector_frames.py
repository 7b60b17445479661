# SPDX-License-Identifier: Apache-2.0
"""The pictures of the detector's benchmark: real footage, enlarged to what the cameras send."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gremsy_common.errors import SuiteError
from gremsy_common.types.frame import Frame, lock_read_only

SIZE_PX = (1920, 1080)
# Four pictures of 6 MB are more than the caches of the machines here hold of their own.
NUMBERS = (30, 230, 430, 630)


def footage_frames(video: Path, numbers: tuple[int, ...] = NUMBERS) -> list[Frame]:
    """Those frames of the video, cut to the picture's shape and enlarged, BGR.

    Raises:
        SuiteError: when the video has no such frame.
    """
    capture = cv2.VideoCapture(str(video))
    try:
        frames = []
        for number in numbers:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            done, image = capture.read()
            if not done:
                raise SuiteError(f'{video} has no frame {number}: use the footage that the demo fetches.')
            height = image.shape[1] * SIZE_PX[1] // SIZE_PX[0]
            top = (image.shape[0] - height) // 2
            enlarged = cv2.resize(image[top : top + height], SIZE_PX, interpolation=cv2.INTER_CUBIC)
            frames.append(Frame(lock_read_only(np.asarray(enlarged, np.uint8)), number, 'eo_optical'))
        return frames
    finally:
        capture.release()
