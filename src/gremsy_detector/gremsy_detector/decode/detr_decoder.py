# SPDX-License-Identifier: Apache-2.0
"""The candidates of DETR-like networks: a few hundred queries with boxes in fractions of the input, no duplicates.

A query has the one class that scores best, as in Ultralytics.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.decode.candidates import DecodedBoxes, DecodeSettings, Outputs, best_class, corners, passing
from gremsy_detector.model.known_layouts import OutputDescription


def queries(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 4+nc): a row per query."""
    rows = outputs[0][0]
    return _scaled(best_class(rows[passing(rows[:, 4 : 4 + output.class_count].T, settings)].T), output)


def top_queries(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 6): cx, cy, w, h, score, class index."""
    rows = known_rows(outputs[0][0], output.class_count, settings)
    return _scaled(DecodedBoxes(corners(rows[:, :4].T), rows[:, 4], rows[:, 5].astype(np.intp)), output)


def two_outputs(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 4) boxes and (N, nc) logits or scores: the thresholds become logits, so that few scores want a sigmoid."""
    boxes, scores = outputs[output.boxes_index][0], outputs[output.scores_index][0]
    asked = _as_logits(settings) if output.logits else settings
    chosen = passing(scores.T, asked)
    found = best_class(np.concatenate([boxes[chosen].T, scores[chosen].T]))
    if output.logits:
        found = replace(found, scores=_sigmoid(found.scores))
    return _scaled(found, output)


def known_rows(rows: NDArray[np.floating], class_count: int, settings: DecodeSettings) -> NDArray[np.float32]:
    """Of (N, 6) rows with score and class index last, those above the threshold whose class there is."""
    least = settings.confidence if settings.class_confidence is None else float(settings.class_confidence.min())
    known = (rows[:, 4] > least) & (rows[:, 5] >= 0) & (rows[:, 5] < class_count)
    return np.asarray(rows[known], dtype=np.float32)


def _scaled(found: DecodedBoxes, output: OutputDescription) -> DecodedBoxes:
    width, height = output.input_width_px, output.input_height_px
    return replace(
        found, boxes_network_px=found.boxes_network_px * np.array([width, height, width, height], np.float32)
    )


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    # float32 overflows beyond e**88.
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0))), np.float32)


def _as_logits(settings: DecodeSettings) -> DecodeSettings:
    per_class = settings.class_confidence
    return replace(
        settings,
        confidence=float(_logit(np.float64(settings.confidence))),
        class_confidence=None if per_class is None else _logit(per_class.astype(np.float64)).astype(np.float32),
    )


def _logit(score: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    with np.errstate(divide='ignore'):  # 0 and 1 become the infinities that are meant
        return np.asarray(np.log(score) - np.log1p(-score))
