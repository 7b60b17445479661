# SPDX-License-Identifier: Apache-2.0
"""The constants of `gremsy_tracker.tracking.box_filter.BoxNoise`, fitted to real detections against ground truth.

python -m benchmarks.tracker.tracker_left_out

prints them. Every detection is given the true box that it overlaps by half or more, one to one. What a detector makes
systematically of everybody in a sequence (boxes 6 % too narrow, say) is the annotators' habit as much as the detector's
fault and moves with the person: each sequence's median is taken away. What is left is the noise, and the constants are
those of the greatest likelihood under Student's t with four degrees of freedom, whose tails are about those of real
boxes; every sequence has the same weight, however many people are in it.

Looked at and left out: beside a neighbour x is a third noisier, but such boxes score lower, too, and that says most of
it; at the image's border the noise is not larger.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import t as student

from benchmarks.tracker.tracker_sequences import Sequence
from gremsy_tracker.tracking.box_filter import BoxNoise
from gremsy_tracker.tracking.multi_object_tracker import one_to_one, overlapping

Array = NDArray[np.float64]

LEAST_OVERLAP = 0.5
_DEGREES_OF_FREEDOM = 4


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """What a detector's boxes were off by.

    Attributes:
        boxes_px: (N, 4) detected.
        scores: (N,).
        error_px: (N, 4) detected less true, of centre x, centre y, width and height; without the sequence's median
            share of the size.
        ids: (N,) whose boxes they are.
        pictures: (N,) in which picture of the sequence.
    """

    boxes_px: Array
    scores: Array
    error_px: Array
    ids: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)


def residuals(sequence: Sequence) -> Residuals:
    """Of every detection that is somebody's."""
    boxes, scores, truth, ids, pictures = [], [], [], [], []
    for number, picture in enumerate(sequence.pictures):
        found, true = one_to_one(overlapping(picture.boxes_px, picture.true_boxes_px, LEAST_OVERLAP))
        boxes.append(picture.boxes_px[found])
        scores.append(picture.scores[found])
        truth.append(picture.true_boxes_px[true])
        ids.append(picture.true_ids[true])
        pictures.append(np.full(len(found), number))
    boxes_px = np.concatenate(boxes)
    size = _sizes(boxes_px)
    error = _centre_and_size(boxes_px) - _centre_and_size(np.concatenate(truth))
    error -= np.median(error / size, axis=0) * size
    return Residuals(boxes_px, np.concatenate(scores), error, np.concatenate(ids), np.concatenate(pictures))


def fit(of: SequenceOf[Residuals]) -> BoxNoise:
    """The noise of greatest likelihood."""
    boxes, scores = (np.concatenate([getattr(each, name) for each in of]) for name in ('boxes_px', 'scores'))
    error = np.concatenate([each.error_px for each in of])
    weight = np.concatenate([np.full(len(each), 1.0 / len(each)) for each in of])

    def noise(parameters: Array) -> BoxNoise:
        sx, sy, sw, sh = np.exp(parameters[:4]).tolist()
        return BoxNoise((sx, sy, sw, sh), float(parameters[4]), float(np.exp(parameters[5])))

    def cost(parameters: Array) -> float:
        std = np.sqrt(noise(parameters).variance(boxes, scores))
        log_likelihood = student.logpdf(error / std, _DEGREES_OF_FREEDOM) - np.log(std)
        return -float(weight @ log_likelihood.sum(axis=1))

    begin = np.array([*np.log([0.1, 0.04, 0.2, 0.09]), 1.5, 0.5])
    return noise(minimize(cost, begin, method='Nelder-Mead', options={'maxiter': 3000, 'xatol': 1e-3}).x)


def _sizes(boxes_px: Array) -> Array:
    size = boxes_px[:, 2:] - boxes_px[:, :2]
    return np.concatenate([size, size], axis=1)


def _centre_and_size(boxes_px: Array) -> Array:
    return np.concatenate([(boxes_px[:, :2] + boxes_px[:, 2:]) / 2, boxes_px[:, 2:] - boxes_px[:, :2]], axis=1)
