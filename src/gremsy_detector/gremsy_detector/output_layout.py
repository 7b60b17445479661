# SPDX-License-Identifier: Apache-2.0
"""How a network's outputs lay its boxes out, told from their shapes, the file's metadata and one answer's values.

The shapes tell most. One question is left to the values: a DETR answers in fractions of the image (0..1), a YOLO in
pixels, and Ultralytics' RT-DETR comes in the shapes of a transposed or of an end-to-end YOLO. An anchor grid has its
centres all over the input, so no YOLO answers with every coordinate below `_LARGEST_FRACTION`; a file whose answer is
all zeros (suppressed by the graph, nothing found) is a YOLO unless it calls itself a DETR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.errors import ModelError
from gremsy_detector.model_facts import ModelFacts
from gremsy_detector.model_metadata import says_detr, says_end_to_end

# 300: the most that any exporter keeps after suppression by default; dense networks have thousands of anchors.
_MOST_SUPPRESSED = 300
# DETRs have 100 to 900 queries.
_MOST_QUERIES = 1000
# A sigmoid ends at 1; a box may be a little larger than the image where a decoder adds offsets.
_LARGEST_FRACTION = 1.5
_BOX_WORDS = ('box', 'dets')
_SCORE_WORDS = ('logit', 'score', 'label', 'prob', 'class', 'cls')
KNOWN_OUTPUTS = (
    '[1, 4+classes, N] (YOLOv8, 11, 26), [1, N, 4+classes] (transposed, or RT-DETR), [1, N, 6] (end-to-end), '
    'and two outputs [1, N, 4] and [1, N, classes] (DETR)'
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

    @property
    def has_duplicates(self) -> bool:
        """Does an object get several boxes, so that they must be suppressed here?"""
        return self in (Layout.DENSE, Layout.TRANSPOSED)

    @property
    def is_detr(self) -> bool:
        """Trained on stretched images, unlike every YOLO."""
        return self in (Layout.QUERIES, Layout.TOP_QUERIES, Layout.TWO_OUTPUTS)


@dataclass(frozen=True, slots=True)
class OutputDescription:
    """How to read the network's answer.

    Attributes:
        layout: of its outputs.
        box_count: N, how many boxes the output has room for.
        class_count: nc.
        input_width_px, input_height_px: what a fraction is a fraction of.
        boxes_index, scores_index: of the output that has them; they differ in `TWO_OUTPUTS` only.
        logits: the scores still want a sigmoid.
    """

    layout: Layout
    box_count: int
    class_count: int
    input_width_px: int
    input_height_px: int
    boxes_index: int = 0
    scores_index: int = 0
    logits: bool = False


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
    shapes = [output.shape for output in outputs]
    if any(len(shape) != 3 or shape[0] != 1 or 0 in shape for shape in shapes):
        raise _unlike(facts, shapes, names)
    if len(outputs) == 1:
        layout, box_count, class_count = _of_one(facts, outputs[0][0], names)
        return OutputDescription(layout, box_count, class_count, *input_size_px)
    if len(outputs) == 2:
        return _of_two(facts, outputs, names, input_size_px)
    raise _unlike(facts, shapes, names)


def _of_one(facts: ModelFacts, answer: NDArray[Any], names: Sequence[str] | None) -> tuple[Layout, int, int]:
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


def _unlike(facts: ModelFacts, shapes: Sequence[tuple[int, ...]], names: Sequence[str] | None) -> ModelError:
    found = '; '.join(str(list(shape)) for shape in shapes) or 'none'
    classes = 'no class names' if names is None else f'{len(names)} class names'
    return ModelError(
        f'Model file {facts.path} answers with the outputs {found} and has {classes}: known are {KNOWN_OUTPUTS}.'
    )
