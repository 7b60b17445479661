# SPDX-License-Identifier: Apache-2.0
"""How a network's outputs lay its boxes out, recognised by their shapes, the file's metadata and one answer's values.

The shapes tell most. One question is left to the values: a DETR answers in fractions of the image (0..1), a YOLO in
pixels, and Ultralytics' RT-DETR comes in the shapes of a transposed or of an end-to-end YOLO. An anchor grid has its
centres all over the input, so no YOLO answers with every coordinate below `_LARGEST_FRACTION`; a file whose answer is
all zeros (suppressed by the graph, nothing found) is a YOLO unless it calls itself a DETR.

YOLOX and NanoDet-Plus are in `grid_layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.errors import ModelError
from gremsy_detector.model.grid_layout import describe_on_grid
from gremsy_detector.model.known_layouts import KNOWN_OUTPUTS, Layout, OutputDescription
from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.model_metadata import one_of, says_detr, says_end_to_end

__all__ = ['KNOWN_OUTPUTS', 'Layout', 'OutputDescription', 'describe_output', 'stated_layout']

_LAYOUT_KEY = 'layout'
# 300: the most that any exporter keeps after suppression by default; dense networks have thousands of anchors.
_MOST_SUPPRESSED = 300
# DETRs have 100 to 900 queries.
_MOST_QUERIES = 1000
# A sigmoid ends at 1; a box may be a little larger than the image where a decoder adds offsets.
_LARGEST_FRACTION = 1.5
_BOX_WORDS = ('box', 'dets')
_SCORE_WORDS = ('logit', 'score', 'label', 'prob', 'class', 'cls')
# What metadata key `layout` may say; all others tell themselves.
_STATED = {
    'yolox': Layout.YOLOX,
    'yolox_decoded': Layout.YOLOX_DECODED,
    'nanodet_plus': Layout.NANODET_PLUS,
    'dets_labels': Layout.DETS_LABELS,
    'best_boxes': Layout.BEST_BOXES,
}


def describe_output(
    facts: ModelFacts, outputs: Sequence[NDArray[Any]], names: Sequence[str] | None, input_size_px: tuple[int, int]
) -> OutputDescription:
    """Read the layout from one answer.

    Args:
        facts: of the file.
        outputs: the answer to any image.
        names: of the classes, None where the file has none.
        input_size_px: width and height.

    Raises:
        ModelError: when they fit nothing known; with what was found and what is known.
    """
    stated = stated_layout(facts)
    shapes = [output.shape for output in outputs]
    labelled = _with_labels(facts, outputs, names, input_size_px)
    if labelled is not None:
        found = labelled
    elif any(len(shape) != 3 or shape[0] != 1 or 0 in shape for shape in shapes):
        raise _unlike(facts, shapes, names)
    elif len(outputs) == 1:
        found = _of_one(facts, outputs[0][0], names, input_size_px, stated)
    elif len(outputs) == 2:
        found = _of_two(facts, outputs, names, input_size_px)
    else:
        raise _unlike(facts, shapes, names)
    if stated not in (None, found.layout):
        raise ModelError(
            f"Model file {facts.path} has metadata `{_LAYOUT_KEY}` = '{facts.metadata[_LAYOUT_KEY]}', but answers with "
            f'the outputs {_listed(shapes)}: that is {found.layout.value}, so take the key out.'
        )
    return found


def stated_layout(facts: ModelFacts) -> Layout | None:
    """Metadata key `layout`; None where the file has none.

    Raises:
        ModelError: when it is none of the known ones.
    """
    if _LAYOUT_KEY not in facts.metadata:
        return None
    choices = tuple(_STATED)
    return _STATED[one_of(facts.path, facts.metadata, _LAYOUT_KEY, choices, choices[0])]


def _of_one(
    facts: ModelFacts,
    answer: NDArray[Any],
    names: Sequence[str] | None,
    input_size_px: tuple[int, int],
    stated: Layout | None,
) -> OutputDescription:
    if stated is Layout.BEST_BOXES and names is not None and answer.shape[1] == 6:
        return OutputDescription(stated, len(answer), len(names), *input_size_px)
    on_grid = describe_on_grid(facts, answer, None if names is None else len(names), input_size_px, stated)
    if on_grid is not None:
        return on_grid
    layout, box_count, classes = _by_shape(facts, answer, names)
    return OutputDescription(layout, box_count, classes, *input_size_px)


def _by_shape(facts: ModelFacts, answer: NDArray[Any], names: Sequence[str] | None) -> tuple[Layout, int, int]:
    """Layout, N and the number of classes."""
    rows, columns = answer.shape
    ended = columns == 6 and says_end_to_end(facts.metadata, default=rows <= _MOST_SUPPRESSED)
    if names is None:
        if ended:
            raise ModelError(
                f'Model file {facts.path} has an end-to-end output [1, {rows}, 6] but no `names` in its metadata, '
                'so its classes are unknown: export it again with Ultralytics, or add the names.'
            )
        class_count = min(rows, columns) - 4
        if class_count < 1:
            raise _unlike(facts, [(1, rows, columns)], names)
        # Boxes outnumber classes in every network this decoder knows (300 or 8400 against 80).
        if rows < columns:
            return Layout.DENSE, columns, class_count
        return _by_rows(facts, answer), rows, class_count
    values = 4 + len(names)
    # Only two classes need a guess, where 4+nc is 6 as well.
    if columns == 6 and (ended or values != 6):
        return _ended(facts, answer, len(names)), rows, len(names)
    if rows == values:
        return Layout.DENSE, columns, len(names)
    if columns == values:
        return _by_rows(facts, answer), rows, len(names)
    raise _unlike(facts, [(1, rows, columns)], names)


def _by_rows(facts: ModelFacts, answer: NDArray[Any]) -> Layout:
    return Layout.QUERIES if _in_fractions(facts, answer) else Layout.TRANSPOSED


def _ended(facts: ModelFacts, answer: NDArray[Any], class_count: int) -> Layout:
    if not _in_fractions(facts, answer):
        return Layout.END_TO_END
    # Two classes again: a last column that is not whole numbers is a score.
    last = answer[:, 5]
    return Layout.QUERIES if class_count == 2 and np.any(last != np.round(last)) else Layout.TOP_QUERIES


def _in_fractions(facts: ModelFacts, answer: NDArray[Any]) -> bool:
    """Are the boxes of (N, ...) rows fractions of the image?"""
    if len(answer) > _MOST_QUERIES and not says_detr(facts.metadata):
        return False
    boxes = answer[:, :4]
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    largest = float(np.abs(boxes).max(initial=0.0))
    if largest == 0.0:
        return says_detr(facts.metadata)
    return largest <= _LARGEST_FRACTION


def _of_two(
    facts: ModelFacts, outputs: Sequence[NDArray[Any]], names: Sequence[str] | None, input_size_px: tuple[int, int]
) -> OutputDescription:
    """Boxes [1, N, 4] and scores [1, N, nc]."""
    shapes = [output.shape for output in outputs]
    fitting = [
        index for index in (0, 1) if shapes[index][2] == 4 and (names is None or shapes[1 - index][2] == len(names))
    ]
    if not fitting or shapes[0][1] != shapes[1][1]:
        raise _unlike(facts, shapes, names)
    boxes_index = fitting[0] if len(fitting) == 1 else _which_are_boxes(facts, outputs)
    boxes, scores = outputs[boxes_index], outputs[1 - boxes_index]
    if not _all_between(boxes, -0.5, _LARGEST_FRACTION):
        raise ModelError(
            f'Model file {facts.path} answers with boxes that are not fractions of the image (they reach '
            f'{float(np.nanmax(np.abs(boxes))):.6g}): export it with boxes as cx, cy, w, h in 0..1.'
        )
    name = facts.outputs[1 - boxes_index].name.lower() if len(facts.outputs) == 2 else ''
    logits = 'logit' in name or not _all_between(scores, 0.0, 1.0)
    return OutputDescription(
        Layout.TWO_OUTPUTS, shapes[0][1], scores.shape[2], *input_size_px, boxes_index, 1 - boxes_index, logits
    )


def _with_labels(
    facts: ModelFacts, outputs: Sequence[NDArray[Any]], names: Sequence[str] | None, input_size_px: tuple[int, int]
) -> OutputDescription | None:
    """Boxes beside (1, N) of class indices, in any order; None where there are no such outputs. N may be 0."""
    boxes = [index for index, each in enumerate(outputs) if each.ndim == 3 and each.shape[2] in (4, 5)]
    lists = [index for index, each in enumerate(outputs) if each.ndim == 2]
    if len(boxes) != 1 or len(lists) != len(outputs) - 1 or len({each.shape[:2] for each in outputs}) != 1:
        return None
    (boxes_index,) = boxes
    _, box_count, values = outputs[boxes_index].shape
    if outputs[boxes_index].shape[0] != 1 or len(lists) != (2 if values == 4 else 1):
        return None
    labels_index = lists[0]
    if values == 4:
        whole = [index for index in lists if outputs[index].dtype.kind in 'iu']
        if len(whole) != 1:
            return None
        (labels_index,) = whole
        lists.remove(labels_index)
        if not _all_between(outputs[lists[0]], 0.0, 1.0):
            return None
    if names is None:
        raise ModelError(
            f'Model file {facts.path} answers with class indices ({_listed([each.shape for each in outputs])}) but has '
            'no `names` in its metadata, so its classes are unknown: add the names.'
        )
    if values == 5 and 'std' not in facts.metadata:
        # MMDeploy exports whatever MMDetection has, and each is fed in its own way.
        raise ModelError(
            f'Model file {facts.path} answers with {_listed([each.shape for each in outputs])}, as MMDeploy exports '
            'detectors, and does not say how it is fed: add metadata `channel_order`, `mean`, `std` and `resize`.'
        )
    layout = Layout.BOXES_SCORES_LABELS if values == 4 else Layout.DETS_LABELS
    scores_index = lists[0] if values == 4 else boxes_index
    return OutputDescription(
        layout, box_count, len(names), *input_size_px, boxes_index, scores_index, labels_index=labels_index
    )


def _which_are_boxes(facts: ModelFacts, outputs: Sequence[NDArray[Any]]) -> int:
    """Four classes make both outputs [1, N, 4]: their names tell, or values that no box has."""
    for index, tensor in enumerate(facts.outputs):
        name = tensor.name.lower()
        if any(word in name for word in _BOX_WORDS):
            return index
        if any(word in name for word in _SCORE_WORDS):
            return 1 - index
    between = [_all_between(output, -0.5, _LARGEST_FRACTION) for output in outputs]
    if between[0] != between[1]:
        return between.index(True)
    raise ModelError(
        f'Model file {facts.path} answers with two outputs {list(outputs[0].shape)}, and nothing tells which are the '
        'boxes: name that output `boxes`.'
    )


def _all_between(values: NDArray[Any], low: float, high: float) -> bool:
    """Of those that are numbers at all."""
    finite = values[np.isfinite(values)]
    return bool(np.all((finite >= low) & (finite <= high)))


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return '; '.join(str(list(shape)) for shape in shapes) or 'none'


def _unlike(facts: ModelFacts, shapes: Sequence[tuple[int, ...]], names: Sequence[str] | None) -> ModelError:
    found = _listed(shapes)
    classes = 'no class names' if names is None else f'{len(names)} class names'
    return ModelError(
        f'Model file {facts.path} answers with the outputs {found} and has {classes}: supported are {KNOWN_OUTPUTS}.'
    )
