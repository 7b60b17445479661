# SPDX-License-Identifier: Apache-2.0
"""How far one model's boxes agree with another's: mean average precision, with the other's boxes as the truth.

COCO's measure (101-point precision, IoU .50 to .95 in steps of .05), so its numbers can be read by whoever knows that
one. It needs no labels: the model before the change says what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.boxes import intersection_over_union
from gremsy_common.types.detections import Detections

IOU_LEVELS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
_RECALL_LEVELS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
# COCO's evaluator subtracts the same: an overlap of exactly .5 must not fail by a rounding.
_ROUNDING = 1e-10


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """Of one class: how many boxes the truth and the candidate have, average precision, and whether the mean has it."""

    name: str
    truth_boxes: int
    candidate_boxes: int
    ap50_95: float
    ap50: float
    counted: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over all images.

    Attributes:
        map50_95: mean over the counted classes of the mean over `IOU_LEVELS`, 0..1.
        map50: the same at IoU .5.
        classes: every class that either side has boxes of, by name.
        images: how many were looked at.
    """

    map50_95: float
    map50: float
    classes: tuple[ClassAgreement, ...]
    images: int

    @property
    def counted_boxes(self) -> int:
        """Boxes that the means rest on; 0 when there is nothing to judge by."""
        return sum(max(each.truth_boxes, each.candidate_boxes) for each in self.classes if each.counted)


def agreement(
    truth: Sequence[Detections], candidate: Sequence[Detections], *, confidence: float, least_boxes: int
) -> Agreement:
    """Compare two models' results on the same images, in the same order.

    Args:
        truth: of the reference model.
        candidate: of the model in question, found with a threshold of or below `confidence`: boxes that score a little
            less than in the truth are found late, not lost.
        confidence: least score, exclusive, of a box of the truth.
        least_boxes: a class counts in the means when either side has so many boxes above `confidence`: one box that
            scores .26 here and .24 there is no news about a class. A class that only the candidate sees has a
            precision of 0.

    Raises:
        ValueError: when the two have not the same number of images.
    """
    if len(truth) != len(candidate):
        raise ValueError(f'{len(truth)} images of the truth and {len(candidate)} of the candidate')
    sure = [_above(result, confidence) for result in truth]
    names = sorted({str(label) for result in (*sure, *candidate) for label in np.unique(result.labels)})
    each_class = (_of_class(name, sure, candidate, confidence, least_boxes) for name in names)
    classes = tuple(each for each in each_class if each.truth_boxes or each.candidate_boxes)
    counted = [each for each in classes if each.counted]
    return Agreement(
        map50_95=float(np.mean([each.ap50_95 for each in counted])) if counted else 0.0,
        map50=float(np.mean([each.ap50 for each in counted])) if counted else 0.0,
        classes=classes,
        images=len(truth),
    )


def average_precision(hits: NDArray[np.bool_], scores: NDArray[np.float64], truth_boxes: int) -> NDArray[np.float64]:
    """Area under the precision-recall curve, at COCO's 101 recalls, for each overlap that is asked.

    Args:
        hits: (L, N), whether each box found a box of the truth at each of L overlaps.
        scores: (N,); of equal scores the earlier box ranks first.
        truth_boxes: how many there were to find.
    """
    levels = len(hits)
    if truth_boxes == 0 or hits.shape[1] == 0:
        return np.zeros(levels)
    found = np.cumsum(hits[:, np.argsort(-scores, kind='stable')], axis=1)
    precision = found / np.arange(1, found.shape[1] + 1)
    # The best precision at this recall or any higher one, which makes the curve fall only.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # Columns in which each recall is first reached; N where it never is.
    needed = np.ceil(_RECALL_LEVELS * truth_boxes - 1e-9)
    reached = np.stack([np.searchsorted(each, needed) for each in found])
    padded = np.concatenate([precision, np.zeros((levels, 1))], axis=1)
    return np.take_along_axis(padded, reached, axis=1).mean(axis=1)


def match(overlaps: NDArray[np.floating], levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each box finds a box of the truth that no better scored one has taken, at each overlap.

    The greedy rule goes by rank: one step deals with the boxes of that rank in all images and at all levels.

    Args:
        overlaps: (images, boxes, truth boxes) IoU, boxes by falling score; padded with -1.
        levels: (L,) least overlaps.

    Returns:
        (L, images, boxes).
    """
    images, boxes, truths = overlaps.shape
    hits: NDArray[np.bool_] = np.zeros((len(levels), images, boxes), dtype=np.bool_)
    if truths == 0:
        return hits
    free: NDArray[np.bool_] = np.ones((len(levels), images, truths), dtype=np.bool_)
    for rank in range(boxes):
        available = np.where(free, overlaps[None, :, rank, :], -1.0)
        best = available.argmax(axis=2)[..., None]
        hit = np.take_along_axis(available, best, axis=2) >= levels[:, None, None] - _ROUNDING
        np.put_along_axis(free, best, np.take_along_axis(free, best, axis=2) & ~hit, axis=2)
        hits[:, :, rank] = hit[..., 0]
    return hits


def _of_class(
    name: str, truth: Sequence[Detections], candidate: Sequence[Detections], confidence: float, least_boxes: int
) -> ClassAgreement:
    wanted = [_boxes_of(result, name) for result in truth]
    found = [_boxes_of(result, name) for result in candidate]
    truth_boxes = sum(len(boxes) for boxes, _ in wanted)
    sure_boxes = sum(int((scores > confidence).sum()) for _, scores in found)
    overlaps = np.full(
        (len(truth), max(len(boxes) for boxes, _ in found), max(len(boxes) for boxes, _ in wanted)), -1.0
    )
    for image, ((wanted_boxes, _), (found_boxes, _)) in enumerate(zip(wanted, found, strict=True)):
        overlaps[image, : len(found_boxes), : len(wanted_boxes)] = intersection_over_union(found_boxes, wanted_boxes)
    present = np.arange(overlaps.shape[1])[None, :] < np.array([len(boxes) for boxes, _ in found])[:, None]
    hits = match(overlaps, IOU_LEVELS)[:, present]
    precision = average_precision(hits, np.concatenate([scores for _, scores in found]), truth_boxes)
    return ClassAgreement(
        name=name,
        truth_boxes=truth_boxes,
        candidate_boxes=sure_boxes,
        ap50_95=float(precision.mean()),
        ap50=float(precision[0]),
        counted=max(truth_boxes, sure_boxes) >= least_boxes,
    )


def _boxes_of(result: Detections, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (N, 4) and scores (N,) of one class, best first."""
    of_class = np.flatnonzero(result.labels == name)
    order = of_class[np.argsort(-result.scores[of_class], kind='stable')]
    return result.boxes_px[order], result.scores[order]


def _above(result: Detections, confidence: float) -> Detections:
    sure = result.scores > confidence
    return result.where(sure)
