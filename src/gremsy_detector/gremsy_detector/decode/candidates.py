# SPDX-License-Identifier: Apache-2.0
"""The boxes that pass the threshold, whatever layout they came in, before duplicates are suppressed.

Greedy, class-aware non-maximum suppression: of boxes of one class that overlap, the best scored stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV compares every box with every better one that stays. In blocks, best first, it is done when so many stay as
# are wanted, which the first block usually gives when it is a quarter larger: of 300 boxes 100 take 0.1 ms instead of
# 0.24 in blocks of 256. Of a network gone wrong, 8000 boxes take milliseconds instead of 240.
_LEAST_BLOCK, _LARGEST_BLOCK = 128, 384


def suppress(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    classes: NDArray[np.intp],
    *,
    iou: float,
    max_boxes: int,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, best score first; of equal scores the earlier one is better.

    Args:
        boxes: (N, 4) corners, in any one unit.
        scores: (N,).
        classes: (N,); boxes of different classes never suppress each other.
        iou: a box goes when its overlap with a staying better one is above this.
        max_boxes: stop when so many stay.
    """
    order = np.argsort(-scores, kind='stable')
    if not len(order):
        return order
    rectangles = np.empty((len(order), 4))  # x, y, width, height
    rectangles[:, :2] = boxes[order, :2]
    rectangles[:, 2:] = boxes[order, 2:] - rectangles[:, :2]
    # Each class beside the one before, where none of its boxes reaches. (OpenCV's own way, NMSBoxesBatched, came with
    # 4.7 and takes boxes that begin left of the image for another class's.)
    first_px = rectangles[:, :2].min()
    rectangles[:, :2] += (classes[order] * (boxes.max() - first_px + 1.0) - first_px)[:, None]
    ranks = np.arange(len(order), 0, -1, dtype=np.float32)  # a score of 0 would go
    kept = order[:0]
    block = min(max(_LEAST_BLOCK, max_boxes + max_boxes // 4), _LARGEST_BLOCK)
    for begin in range(0, len(order), block):
        tried = np.concatenate([kept, np.arange(begin, min(begin + block, len(order)))])
        kept = tried[cv2.dnn.NMSBoxes(rectangles[tried], ranks[tried], 0.0, iou)]
        if len(kept) >= max_boxes:
            break
    return order[kept[:max_boxes]]


Outputs = Sequence[NDArray[np.floating]]


@dataclass(frozen=True, slots=True, eq=False)
class DecodeSettings:
    """Which boxes are wanted.

    Attributes:
        confidence: least score, exclusive, 0..1.
        iou: overlap above which the worse of two boxes of one class goes, 0..1; unused where the network suppresses.
        max_detections: most boxes per image, best first.
        class_mask: (nc,) bool, None for every class.
        class_confidence: (nc,) float32, the least score of each class in place of `confidence`; None for one for all.
    """

    confidence: float
    iou: float
    max_detections: int
    class_mask: NDArray[np.bool_] | None = None
    class_confidence: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedBoxes:
    """Boxes in network-input pixels: (K, 4) corners, (K,) scores and (K,) class indices."""

    boxes_network_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """(N, 4) corners in source pixels, (N,) scores in [0, 1] and (N,) class indices."""

    corners_px: NDArray[np.float64]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Boxes:
        return Boxes(self.corners_px[which], self.scores[which], self.classes[which])

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, least: float | NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,): does it score more than `least`, or than its class's entry of (nc,) thresholds?"""
        return np.asarray(self.scores > (least[self.classes] if isinstance(least, np.ndarray) else least))


def passing(scores: NDArray[np.floating], settings: DecodeSettings) -> NDArray[np.intp]:
    """Which of N boxes may pass: some wanted class of theirs does. What it leaves out is out.

    Args:
        scores: (nc, N), or the transposed view of rows.
        settings: what is wanted. The best class of a box passes only if a wanted class does.
    """
    least: float | NDArray[np.float32] = settings.confidence
    if settings.class_confidence is not None:
        least = settings.class_confidence[:, None]
    if settings.class_mask is not None:
        scores = scores[settings.class_mask]  # a few rows instead of 80
        if isinstance(least, np.ndarray):
            least = least[settings.class_mask]
    if scores.flags.c_contiguous or len(scores) == 0:
        return np.flatnonzero((scores > least).any(axis=0))
    # Rows: `any(axis=1)` over 80 columns takes 0.5 ms at 8400 anchors, a flat search for the few hits 0.3.
    above = (least if isinstance(least, float) else least[:, 0]) < scores.T
    return np.unique(np.flatnonzero(above) // len(scores))


def best_class(columns: NDArray[np.floating]) -> DecodedBoxes:
    """(4+nc, K) columns of cx, cy, w, h and class scores to corners, the best score and its class.

    A network gone wrong answers NaN or infinity: a box with such a number is no box.
    """
    columns = np.asarray(columns, dtype=np.float32)
    sound = np.isfinite(columns).all(axis=0)
    if not sound.all():
        columns = columns[:, sound]
    classes = columns[4:].argmax(axis=0)
    scores = columns[4:].max(axis=0, initial=-np.inf)
    return DecodedBoxes(corners(columns[:4]), scores, classes)


def best_class_of(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> DecodedBoxes:
    """The same from (K, 4) corners and (K, nc) scores."""
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores).all(axis=1)
    if not sound.all():
        boxes, scores = boxes[sound], scores[sound]
    return DecodedBoxes(boxes, scores.max(axis=1, initial=-np.inf), scores.argmax(axis=1))


def corners(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4, K) columns of cx, cy, w, h to (K, 4) rows of x_min, y_min, x_max, y_max."""
    half = centred[2:4] * np.float32(0.5)
    boxes = np.empty((centred.shape[1], 4), np.float32)
    np.subtract(centred[:2].T, half.T, out=boxes[:, :2])
    np.add(centred[:2].T, half.T, out=boxes[:, 2:])
    return boxes
