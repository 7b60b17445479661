# SPDX-License-Identifier: Apache-2.0
"""The ways in which networks lay their boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gremsy_detector.model.usual_input import DETR, NANODET_PLUS, YOLO, YOLOX, UsualInput

KNOWN_OUTPUTS = (
    '[1, 4+classes, N] (YOLOv8, 11, 26), [1, N, 4+classes] (transposed, or RT-DETR), [1, N, 6] (end-to-end), '
    '[1, N, 5+classes] (YOLOX), [1, N, classes+32] (NanoDet-Plus), two outputs [1, N, 4] and [1, N, classes] (DETR) or '
    '[1, N, 5] and [1, N] (MMDeploy), and three [1, N, 4], [1, N] and [1, N] (D-FINE)'
)


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

    @property
    def has_duplicates(self) -> bool:
        """Does an object get several boxes, so that they must be suppressed here?"""
        return self in (Layout.DENSE, Layout.TRANSPOSED, Layout.YOLOX, Layout.YOLOX_DECODED, Layout.NANODET_PLUS)

    @property
    def usual_input(self) -> UsualInput:
        """How networks that answer so are fed where their file does not say it."""
        return _USUAL_INPUTS.get(self, YOLO)


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
