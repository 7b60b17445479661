# SPDX-License-Identifier: Apache-2.0
"""Aspect-keeping resize: the image is centred in the network's input and the rest is grey.

Rounding follows Ultralytics' LetterBox (size rounded to whole pixels, odd padding to the right and bottom), so a
network sees the pixels it was trained on. The way back uses the rounded size, not the nominal gain: at 1920x1080 to
640 they agree, at 768x577 to 416 the gain alone is 0.8 source pixels off at the far edge.
"""

from __future__ import annotations

from gremsy_detector.image.resize import Placement

# The grey that Ultralytics pads with in training.
PADDING_GREY = 114


def letterbox(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """Place a source image, as large as it fits, in the middle of the `width_px` x `height_px` input."""
    gain = min(width_px / source_width_px, height_px / source_height_px)
    placed_width_px = max(1, round(source_width_px * gain))
    placed_height_px = max(1, round(source_height_px * gain))
    return Placement(
        source_width_px,
        source_height_px,
        (width_px - placed_width_px) // 2,
        (height_px - placed_height_px) // 2,
        placed_width_px,
        placed_height_px,
    )
