# SPDX-License-Identifier: Apache-2.0
"""How the networks of a family are fed where a file does not say so: what their makers train and export with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ResizeMode(Enum):
    """How an image is brought to the network's size; what the network was trained with."""

    LETTERBOX = 'letterbox'
    STRETCH = 'stretch'
    TOP_LEFT = 'top_left'


Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class UsualInput:
    """Of one family.

    Attributes:
        resize: metadata key `resize`.
        bgr: metadata key `channel_order` is `bgr`.
        mean, std: metadata keys `mean` and `std`: the network takes (pixel - mean) / std of pixels 0..255, a number a
            channel in the network's own order.
    """

    resize: ResizeMode
    bgr: bool = False
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (255.0, 255.0, 255.0)


YOLO = UsualInput(ResizeMode.LETTERBOX)
"""Ultralytics: RGB 0..1, centred."""
DETR = UsualInput(ResizeMode.STRETCH)
"""RT-DETR, D-FINE: RGB 0..1, stretched (their configurations' `val_dataloader`)."""
YOLOX = UsualInput(ResizeMode.TOP_LEFT, bgr=True, std=(1.0, 1.0, 1.0))
"""Release 0.1.1 and later: BGR 0..255 (demo/ONNXRuntime/onnx_inference.py)."""
NANODET_PLUS = UsualInput(ResizeMode.STRETCH, bgr=True, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
"""BGR less ImageNet's mean, stretched (config/nanodet-plus-m_416.yml)."""
