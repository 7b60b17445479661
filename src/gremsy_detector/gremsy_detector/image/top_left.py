# SPDX-License-Identifier: Apache-2.0
"""Aspect-keeping resize into the top left corner, the rest is grey: what YOLOX and OpenMMLab's detectors are fed.

Rounding follows YOLOX's `preproc` (yolox/data/data_augment.py): both sides are cut off to whole pixels. OpenMMLab
rounds them, which can give its networks one row or column of pixels more; the way back is exact for either.
"""

from __future__ import annotations

from gremsy_detector.image.resize import Placement


def top_left(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """Place a source image, as large as it fits, in the top left corner of the `width_px` x `height_px` input."""
    gain = min(height_px / source_height_px, width_px / source_width_px)
    placed_width_px = max(1, int(source_width_px * gain))
    placed_height_px = max(1, int(source_height_px * gain))
    return Placement(source_width_px, source_height_px, 0, 0, placed_width_px, placed_height_px)
