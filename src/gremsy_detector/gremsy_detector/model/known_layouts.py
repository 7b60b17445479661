# SPDX-License-Identifier: Apache-2.0
"""The ways in which networks lay their boxes out, and how each family is fed where a file does not say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

KNOWN_OUTPUTS = (
    '[1, 4+classes, N] (YOLOv8, 11, 26), [1, N, 4+classes] (transposed, or RT-DETR), [1, N, 6] (end-to-end), '
    '[1, N, 5+classes] (YOLOX), [1, N, classes+32] (NanoDet-Plus), two outputs [1, N, 4] and [1, N, classes] (DETR) or '
    '[1, N, 5] and [1, N] (MMDeploy), and three [1, N, 4], [1, N] and [1, N] (D-FINE)'
)


class ResizeMode(Enum):
    """How an image is brought to the network's size; what the network was trained with."""

    LETTERBOX = 'letterbox'
    STRETCH = 'stretch'
    TOP_LEFT = 'top_left'


Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class UsualInput:
    """How the networks of one family are fed: what their makers train and export with.

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


class Layout(Enum):
    """How the outputs lay the boxes out; nc is the number of classes, N that of boxes."""

    DENSE = '[1, 4+nc, N]'
    """cx, cy, w, h in input pixels, then a score per class; a column per anchor."""
    TRANSPOSED = '[1, N, 4+nc]'
    """The same, a row per anchor."""
    END_TO_END = '[1, N, 6]'
    """x_min, y_min, x_max, y_max in input pixels, score, class index; duplicates already suppressed."""
    QUERIES = '[1, N, 4+nc] in fractions'
    """cx, cy, w, h in fractions of the input, then a score per class; a row per query (RT-DETR, Ultralytics to 8.3)."""
    TOP_QUERIES = '[1, N, 6] in fractions'
    """cx, cy, w, h in fractions of the input, score, class index (RT-DETR, Ultralytics from 8.4)."""
    TWO_OUTPUTS = '[1, N, 4] and [1, N, nc]'
    """cx, cy, w, h in fractions of the input, and a logit or score per class, in either order (DETR exports)."""

    YOLOX = '[1, N, 5+nc] on a grid'
    """Offsets and logarithms of sizes in cells of a grid, objectness, then a score per class (YOLOX)."""
    YOLOX_DECODED = '[1, N, 5+nc]'
    """cx, cy, w, h in input pixels, objectness, then a score per class (YOLOX with decode_in_inference)."""
    NANODET_PLUS = '[1, N, nc+4*bins] on a grid'
    """A score per class, then the distribution of each side's distance from the cell (NanoDet-Plus)."""
    DETS_LABELS = '[1, N, 5] and [1, N]'
    """x_min, y_min, x_max, y_max in input pixels, score; class indices; duplicates suppressed (RTMDet, MMDeploy)."""
    BOXES_SCORES_LABELS = '[1, N, 4], [1, N] and [1, N]'
    """x_min, y_min, x_max, y_max in input pixels; scores; class indices (D-FINE and RT-DETR by their authors)."""

    BEST_BOXES = '[1, K, 6] with duplicates'
    """x_min, y_min, x_max, y_max in input pixels, score, class index: the best scored boxes of one of those above, each
    with its best class, chosen in the graph (`gremsy_model_tools`); duplicates are not suppressed."""

    @property
    def has_duplicates(self) -> bool:
        """Does an object get several boxes, so that duplicates must be removed here?"""
        return self in (*MANY_BOXES, Layout.BEST_BOXES)

    @property
    def usual_input(self) -> UsualInput:
        """How networks that answer so are fed where their file does not say it."""
        return _USUAL_INPUTS.get(self, YOLO)


MANY_BOXES = (Layout.DENSE, Layout.TRANSPOSED, Layout.YOLOX, Layout.YOLOX_DECODED, Layout.NANODET_PLUS)
"""A box per anchor, thousands of them."""

_USUAL_INPUTS = {
    Layout.QUERIES: DETR,
    Layout.TOP_QUERIES: DETR,
    Layout.TWO_OUTPUTS: DETR,
    Layout.BOXES_SCORES_LABELS: DETR,
    Layout.YOLOX: YOLOX,
    Layout.YOLOX_DECODED: YOLOX,
    Layout.NANODET_PLUS: NANODET_PLUS,
}


@dataclass(frozen=True, slots=True)
class OutputDescription:
    """How to read the network's answer.

    Attributes:
        layout: of its outputs.
        box_count: N, how many boxes the output has room for.
        class_count: nc.
        input_width_px, input_height_px: what a fraction is a fraction of.
        boxes_index, scores_index, labels_index: of the output that has them, where there are several.
        logits: the scores still want a sigmoid.
        strides_px: of the grids that the boxes are relative to; empty where they are not.
    """

    layout: Layout
    box_count: int
    class_count: int
    input_width_px: int
    input_height_px: int
    boxes_index: int = 0
    scores_index: int = 0
    logits: bool = False
    labels_index: int = 0
    strides_px: tuple[int, ...] = ()
