# SPDX-License-Identifier: Apache-2.0
"""Plain resize: the image fills the network's input, its aspect ratio is lost."""

from __future__ import annotations

from gremsy_detector.image.resize import Placement


def stretch(source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
    """Place a source image over the whole `width_px` x `height_px` input."""
    return Placement(source_width_px, source_height_px, 0, 0, width_px, height_px)
