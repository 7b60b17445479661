# SPDX-License-Identifier: Apache-2.0
"""Frames of any encoding as pictures to look at, bgr8 or mono8: for an overlay, a film, a JPEG, an operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import Unusable
from gremsy_common.picture.infrared_stretch import InfraredStretch
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS, PixelLayout

_AS_THEY_ARE = {'bgr8': 'bgr8', '8UC3': 'bgr8', 'mono8': 'mono8', '8UC1': 'mono8'}
DEEP_GREY = ('mono16', '16UC1')
"""The encodings of 16-bit infrared."""


class ViewablePictures:
    """The pictures of one source, used by one thread: the gain of its 16-bit infrared follows from frame to frame."""

    def __init__(self) -> None:
        self._stretch = InfraredStretch()

    def of(self, frame: Frame) -> Frame:
        """The frame itself where it is bgr8 or mono8 already, else a new one under its stamp.

        Raises:
            Unusable: when the encoding is not known, or the frame's size cannot have it.
        """
        layout = PIXEL_LAYOUTS.get(frame.encoding)
        if layout is None:
            raise Unusable(
                'unknown encoding',
                f"the encoding '{frame.encoding}' is unknown: publish one of {', '.join(PIXEL_LAYOUTS)}.",
            )
        plain = _AS_THEY_ARE.get(frame.encoding)
        if plain is not None:
            return frame if plain == frame.encoding else replace(frame, encoding=plain)
        if frame.encoding in DEEP_GREY:
            grey = self._stretch.stretch(frame.image, frame.stamp_ns)
            return replace(frame, image=lock_read_only(grey), encoding='mono8')
        _refuse_odd(frame, layout)
        assert layout.to_bgr is not None
        bgr: NDArray[Any] = np.asarray(cv2.cvtColor(np.ascontiguousarray(frame.image), layout.to_bgr))
        return replace(frame, image=lock_read_only(bgr), encoding='bgr8')


def _refuse_odd(frame: Frame, layout: PixelLayout) -> None:
    rows, width = frame.image.shape[:2]
    height = layout.height_px(rows)
    if (layout.even_width and width % 2) or (layout.even_height and (height % 2 or layout.rows(height) != rows)):
        raise Unusable(
            'odd size',
            f'the image is {width}x{height} px, and {frame.encoding} shares colour between two pixels: publish it in '
            'an even size, or as bgr8.',
        )
