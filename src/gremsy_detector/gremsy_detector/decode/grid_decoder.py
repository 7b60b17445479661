# SPDX-License-Identifier: Apache-2.0
"""The candidates of networks whose boxes are still relative to the cells of a grid: YOLOX and NanoDet-Plus.

Only what passes the threshold is brought to pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.decode.candidates import DecodedBoxes, DecodeSettings, Outputs, best_class, best_class_of, passing
from gremsy_detector.model.anchor_grid import cells
from gremsy_detector.model.known_layouts import OutputDescription


def yolox(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 5+nc): offset of the centre in cells, logarithm of the size in cells, objectness, class scores.

    As `demo_postprocess` of yolox/utils/demo_utils.py: centre (cell + offset) * stride, size exp(size) * stride.
    """
    rows, columns = _with_objectness(outputs[0][0], output, settings)
    # Before `exp` makes a size of 0 of minus infinity.
    sound = np.isfinite(columns[:4]).all(axis=0)
    rows, columns = rows[sound], columns[:, sound]
    across, down, stride = cells(rows, output.strides_px, output.input_width_px, output.input_height_px)
    columns[0] = (columns[0] + across) * stride
    columns[1] = (columns[1] + down) * stride
    with np.errstate(over='ignore'):  # to infinity, which is no box
        columns[2:4] = np.exp(columns[2:4]) * stride
    return best_class(columns)


def yolox_decoded(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, 5+nc): cx, cy, w, h in input pixels, objectness, class scores (YOLOX exported with decode_in_inference)."""
    return best_class(_with_objectness(outputs[0][0], output, settings)[1])


def nanodet_plus(outputs: Outputs, output: OutputDescription, settings: DecodeSettings) -> DecodedBoxes:
    """(N, nc + 4*bins): class scores, then for each side of the box a distribution of its distance from the cell.

    As `get_bboxes` of nanodet/model/head/nanodet_plus_head.py: the mean of softmax(bins), in strides, left, top, right
    and bottom of the cell's top left corner; boxes end where the input does.
    """
    answer = outputs[0][0]
    scores = answer[:, : output.class_count]
    chosen = passing(scores.T, settings)
    across, down, stride = cells(chosen, output.strides_px, output.input_width_px, output.input_height_px)
    bins = (answer.shape[1] - output.class_count) // 4
    logits = np.asarray(answer[chosen, output.class_count :], np.float32).reshape(len(chosen), 4, bins)
    # A network gone wrong: where one bin is no number, the box is none.
    logits[~np.isfinite(logits).all(axis=(1, 2))] = np.nan
    shares = np.exp(logits - logits.max(axis=2, keepdims=True, initial=-np.inf))
    shares /= shares.sum(axis=2, keepdims=True)
    distances = (shares @ np.arange(bins, dtype=np.float32)) * stride[:, None]
    x, y = across * stride, down * stride
    boxes = np.stack([x - distances[:, 0], y - distances[:, 1], x + distances[:, 2], y + distances[:, 3]], axis=1)
    width, height = output.input_width_px, output.input_height_px
    boxes = np.clip(boxes, 0.0, np.array([width, height, width, height], np.float32))
    return best_class_of(boxes, np.asarray(scores[chosen], np.float32))


def _with_objectness(
    answer: NDArray[np.floating], output: OutputDescription, settings: DecodeSettings
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Indices of the rows that may pass, and (4+nc, K) columns of them: the box as it came, and products as scores."""
    least = settings.confidence if settings.class_confidence is None else float(settings.class_confidence.min())
    # A class scores 1 at most, so no product exceeds its objectness: one column leaves most rows behind.
    likely = np.flatnonzero(answer[:, 4] > least)
    rows = np.asarray(answer[likely, : 5 + output.class_count], np.float32)
    columns = np.concatenate([rows[:, :4], rows[:, 4:5] * rows[:, 5:]], axis=1).T
    chosen = passing(columns[4:], settings)
    return likely[chosen], columns[:, chosen].copy()
