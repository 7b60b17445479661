# SPDX-License-Identifier: Apache-2.0
"""From the network's outputs to boxes in network-input pixels.

The threshold comes first: one pass over the scores leaves tens of thousands of anchors' worth of numbers behind, and
everything after it (best class, corners, suppression) works on the few dozen that remain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.decode.candidates import DecodedBoxes, DecodeSettings, Outputs, best_class, passing, suppress
from gremsy_detector.decode.detr_decoder import known_rows, queries, top_queries, two_outputs
from gremsy_detector.decode.grid_decoder import nanodet_plus, yolox, yolox_decoded
from gremsy_detector.model.known_layouts import Layout, OutputDescription

__all__ = ['DecodeSettings', 'DecodedBoxes', 'decode']


def decode(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """Read one image's answer: its boxes without duplicates, best score first, scores in [0, 1].

    A network gone wrong answers NaN or infinity: a box with such a number is no box, nor is one of an unknown class.

    Args:
        outputs: every tensor that the network answered with, (1, ...) float32 or float16.
        output: how to read them.
        settings: what to keep. A box has the one class that scores best; a class that is not wanted, or does not pass
            its own threshold, does not pass its boxes on to its runner-up (as in Ultralytics).
    """
    found = _CANDIDATES[output.layout](outputs, output, settings)
    boxes, scores, classes = found.boxes_network_px, found.scores, found.classes
    sound = np.isfinite(boxes).all(axis=1)
    if settings.class_mask is not None:
        sound &= settings.class_mask[classes]
    if settings.class_confidence is not None:
        sound &= scores > settings.class_confidence[classes]
    if not sound.all():
        boxes, scores, classes = boxes[sound], scores[sound], classes[sound]
    scores = np.minimum(scores, np.float32(1.0))
    if output.layout.has_duplicates:
        best = suppress(boxes, scores, classes, iou=settings.iou, max_boxes=settings.max_detections)
    else:
        best = np.argsort(-scores, kind='stable')[: settings.max_detections]
    return DecodedBoxes(boxes[best], scores[best], classes[best])


def _dense(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(4+nc, N): a column per anchor."""
    columns = outputs[0][0]
    return best_class(columns[:, passing(columns[4 : 4 + output.class_count], settings)])


def _transposed(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 4+nc): a row per anchor."""
    rows = outputs[0][0]
    return best_class(rows[passing(rows[:, 4 : 4 + output.class_count].T, settings)].T)


def _end_to_end(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 6): x_min, y_min, x_max, y_max, score, class index; rows without a box have score 0."""
    return _ended(outputs[0][0], output, settings)


def _dets_labels(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 5) x_min, y_min, x_max, y_max, score, and (N,) class indices."""
    boxes, labels = outputs[output.boxes_index][0], outputs[output.labels_index][0]
    return _ended(np.concatenate([boxes, labels[:, None]], axis=1), output, settings)


def _boxes_scores_labels(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 4) x_min, y_min, x_max, y_max, (N,) scores and (N,) class indices."""
    boxes, scores, labels = (
        outputs[index][0] for index in (output.boxes_index, output.scores_index, output.labels_index)
    )
    return _ended(np.concatenate([boxes, scores[:, None], labels[:, None]], axis=1), output, settings)


def _ended(rows: NDArray[np.floating], output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    rows = known_rows(rows, output.class_count, settings)
    return DecodedBoxes(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.intp))


_CANDIDATES: dict[Layout, Callable[[Outputs, OutputDescription, DecodeSettings], DecodedBoxes]] = {
    Layout.DENSE: _dense,
    Layout.TRANSPOSED: _transposed,
    Layout.END_TO_END: _end_to_end,
    Layout.BEST_BOXES: _end_to_end,
    Layout.QUERIES: queries,
    Layout.TOP_QUERIES: top_queries,
    Layout.TWO_OUTPUTS: two_outputs,
    Layout.YOLOX: yolox,
    Layout.YOLOX_DECODED: yolox_decoded,
    Layout.NANODET_PLUS: nanodet_plus,
    Layout.DETS_LABELS: _dets_labels,
    Layout.BOXES_SCORES_LABELS: _boxes_scores_labels,
}
