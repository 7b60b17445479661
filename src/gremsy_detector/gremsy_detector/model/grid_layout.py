# SPDX-License-Identifier: Apache-2.0
"""Tells the answers of YOLOX and NanoDet-Plus, whose boxes are relative to a grid, from those of other networks.

A file that `fetch_model` wrote says what it is (metadata key `layout`). Of one that does not, the number of boxes must
be that of the grids' cells, and one answer's values must leave no doubt: YOLOX' offsets from its cells are small, where
centres in pixels lie all over the input; NanoDet-Plus begins with scores in 0..1, where all others begin with a box.
What stays in doubt is refused, since such networks also want to be fed in their own way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.errors import ModelError
from gremsy_detector.model.anchor_grid import cells, strides_of
from gremsy_detector.model.known_layouts import Layout, OutputDescription
from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.model_metadata import says_detr, says_end_to_end

# nanodet's reg_max is 7.
_NANODET_BINS = 8
# In cells: where a network's boxes have their centres, from the middle of the cell, half of them at least.
_NEAR_CELLS = 2.0
_COCO_AND_OBJECTNESS = 85
# What follows or precedes the class scores.
_OTHER_COLUMNS = {Layout.YOLOX: 5, Layout.YOLOX_DECODED: 5, Layout.NANODET_PLUS: 4 * _NANODET_BINS}


def describe_on_grid(
    facts: ModelFacts,
    answer: NDArray[Any],
    class_count: int | None,
    input_size_px: tuple[int, int],
    stated: Layout | None,
) -> OutputDescription | None:
    """Read the layout of (N, ...) rows.

    Args:
        facts: of the file.
        answer: to any image.
        class_count: of the file's names, None where it has none.
        input_size_px: width and height.
        stated: the layout that the file states, None for none.

    Returns:
        What it is, None for another kind of network.

    Raises:
        ModelError: when the file states what its answer is not, or when it could be one or the other.
    """
    if stated in _OTHER_COLUMNS:
        return _as_stated(facts, answer, class_count, input_size_px, stated)
    strides_px = strides_of(len(answer), *input_size_px)
    if strides_px is None or says_detr(facts.metadata) or says_end_to_end(facts.metadata, default=False):
        return None
    columns = answer.shape[1]
    classes = columns - 4 * _NANODET_BINS if class_count is None else class_count
    if (
        columns == classes + 4 * _NANODET_BINS
        and classes > 0
        and len(strides_px) == 4
        and _scores_first(answer, classes)
    ):
        return _described(Layout.NANODET_PLUS, answer, classes, input_size_px, strides_px)
    classes = columns - 5 if class_count is None else class_count
    if columns != classes + 5 or classes < 1 or len(answer) == classes + 4:
        return None
    offsets_cells, centres_cells = _from_cells(answer, strides_px, input_size_px)
    if offsets_cells < _NEAR_CELLS <= centres_cells:
        return _described(Layout.YOLOX, answer, classes, input_size_px, strides_px)
    if class_count is None and columns != _COCO_AND_OBJECTNESS:
        return None
    raise ModelError(
        f'Model file {facts.path} answers with [1, {len(answer)}, {columns}], which may be one of several networks: '
        'add metadata `layout` (`yolox` or `yolox_decoded`) and `names`, and `channel_order`, `mean`, `std` and '
        '`resize` where it is not fed like YOLOX.'
    )


def _as_stated(
    facts: ModelFacts, answer: NDArray[Any], class_count: int | None, input_size_px: tuple[int, int], stated: Layout
) -> OutputDescription:
    rows, columns = answer.shape
    others = _OTHER_COLUMNS[stated]
    classes = columns - others if class_count is None else class_count
    strides_px = () if stated is Layout.YOLOX_DECODED else strides_of(rows, *input_size_px)
    if classes < 1 or columns != classes + others or strides_px is None:
        named = 'no class names' if class_count is None else f'{class_count} class names'
        raise ModelError(
            f"Model file {facts.path} has metadata `layout` = '{stated.name.lower()}', but answers with "
            f'[1, {rows}, {columns}] to an image of {input_size_px[0]}x{input_size_px[1]} pixels and has {named}: '
            'correct the metadata, or export it again.'
        )
    return _described(stated, answer, classes, input_size_px, strides_px)


def _described(
    layout: Layout,
    answer: NDArray[Any],
    class_count: int,
    input_size_px: tuple[int, int],
    strides_px: tuple[int, ...],
) -> OutputDescription:
    return OutputDescription(layout, len(answer), class_count, *input_size_px, strides_px=strides_px)


def _scores_first(answer: NDArray[Any], classes: int) -> bool:
    scores = answer[:, :classes]
    return bool(np.all((scores >= 0.0) & (scores <= 1.0)))


def _from_cells(
    answer: NDArray[Any], strides_px: tuple[int, ...], input_size_px: tuple[int, int]
) -> tuple[float, float]:
    """How far the centres are from the middle of their cells: if they are offsets in cells, and if they are pixels."""
    across, down, stride = cells(np.arange(len(answer)), strides_px, *input_size_px)
    centres = answer[:, :2].astype(np.float64)
    as_offsets = np.abs(centres - 0.5)
    as_pixels = np.abs(centres / stride[:, None] - np.stack([across, down], axis=1) - 0.5)
    return _median(as_offsets), _median(as_pixels)


def _median(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.inf
