# SPDX-License-Identifier: Apache-2.0
"""Choosing the best boxes in the graph: of thousands of anchors with a score a class, a thousand boxes with one class.

2.8 MB of a YOLO's answer then need not come down from the GPU, nor be searched. What is chosen is what the CPU's
decoder would take first, by the score of the best class; thresholds, wanted classes and suppression are the decoder's.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from gremsy_detector.backends.gpu.graph_maker import GraphRefused
from gremsy_detector.errors import ModelError
from gremsy_detector.model.anchor_grid import cells
from gremsy_detector.model.known_layouts import MANY_BOXES, Layout, OutputDescription
from gremsy_model_tools.precision.nodes import Nodes
from gremsy_model_tools.precision.onnx_file import at_opset, import_onnx, opset_of, types_of

MOST_BOXES = 1024
"""A busy street has some 50 objects, each detected by 10 to 20 anchors."""
BEST_BOXES = 'best_boxes'
_LEAST_OPSET = 13
_NANODET_BINS = 8
# From it on, the axes of ReduceMax are an input.
_OPSET_OF_AXES_AS_INPUT = 18


def with_best_boxes(model: Any, output: OutputDescription) -> Any:
    """A copy whose only output is `Layout.BEST_BOXES`.

    Args:
        model: an `onnx.ModelProto` that was `simplified`.
        output: how to read its answer.

    Raises:
        ModelError: when its layout has few boxes anyway, or its operators are too old.
    """
    if output.layout not in MANY_BOXES:
        raise ModelError(f'The output {output.layout.value} has few boxes: there is nothing to choose.')
    onnx = import_onnx()
    later = at_opset(model, _LEAST_OPSET)
    if later is None:
        raise GraphRefused(f'The model cannot be brought to opset {_LEAST_OPSET}: export it again with opset=17.')
    changed = copy.deepcopy(later)
    graph, kinds = changed.graph, onnx.TensorProto
    (answer,) = graph.output
    tail = _Tail(Nodes(onnx, BEST_BOXES), output, opset_of(changed))
    source = answer.name
    if types_of(changed)[source] != kinds.FLOAT:
        source = tail.nodes.add('Cast', source, to=kinds.FLOAT)
    count = min(output.box_count, MOST_BOXES)
    rows, first = tail.best(source, count), tail.nodes.constant(np.array([0], np.int64))
    named = onnx.helper.make_node('Unsqueeze', [rows, first], [BEST_BOXES], name=BEST_BOXES)
    graph.node.extend([*tail.nodes.nodes, named])
    graph.initializer.extend(tail.nodes.constants)
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(BEST_BOXES, kinds.FLOAT, [1, count, 6]))
    onnx.checker.check_model(changed)
    return changed


class _Tail:
    """The operators behind one network."""

    def __init__(self, nodes: Nodes, output: OutputDescription, opset: int) -> None:
        self.nodes = nodes
        self._add = nodes.add
        self._output = output
        self._axes_as_input = opset >= _OPSET_OF_AXES_AS_INPUT
        first = 0 if output.layout is Layout.NANODET_PLUS else 4
        self._with_objectness = output.layout in (Layout.YOLOX, Layout.YOLOX_DECODED)
        first += self._with_objectness
        self._classes = (first, first + output.class_count)

    def best(self, answer: str, count: int) -> str:
        """(count, 6) rows of corners, score and class, the best first."""
        anchors = self._add('Squeeze', answer, np.array([0], np.int64))
        columns = self._output.layout is Layout.DENSE
        score = self._best_score(anchors, 0 if columns else 1)
        # NaN is greater than nothing.
        sound = self._add('Where', self._add('Greater', score, np.float32(0)), score, np.float32(0))
        _, chosen = self._add('TopK', sound, np.array([count], np.int64), outputs=2, axis=0)
        rows = self._add('Gather', anchors, chosen, axis=1 if columns else 0)
        if columns:
            rows = self._add('Transpose', rows, perm=[1, 0])
        scores = self._part(rows, *self._classes)
        if self._with_objectness:
            scores = self._add('Mul', scores, self._part(rows, 4, 5))
        score, label = self._add('TopK', scores, np.array([1], np.int64), outputs=2, axis=1)
        # NaN for a row with NaN or infinity in it: 0 times infinity is NaN too.
        nothing = self._add('Mul', scores, np.float32(0))
        score = self._add('Add', score, self._add('ReduceSum', nothing, np.array([1], np.int64), keepdims=1))
        return str(self._add('Concat', self._corners(rows, chosen), score, self._add('Cast', label, to=1), axis=1))

    def _best_score(self, anchors: str, axis: int) -> str:
        best = self._max(self._part(anchors, *self._classes, axis=axis), axis)
        if not self._with_objectness:
            return best
        return str(self._add('Mul', best, self._add('Squeeze', self._part(anchors, 4, 5), np.array([1], np.int64))))

    def _max(self, scores: str, axis: int) -> str:
        if self._axes_as_input:
            return str(self._add('ReduceMax', scores, np.array([axis], np.int64), keepdims=0))
        return str(self._add('ReduceMax', scores, axes=[axis], keepdims=0))

    def _part(self, tensor: str, first: int, end: int, axis: int = 1) -> str:
        return str(self._add('Slice', tensor, *(np.array([each], np.int64) for each in (first, end, axis))))

    def _corners(self, rows: str, chosen: str) -> str:
        layout, half = self._output.layout, np.float32(0.5)
        if layout is Layout.NANODET_PLUS:
            return self._from_distances(rows, chosen)
        centre, size = self._part(rows, 0, 2), self._part(rows, 2, 4)
        if layout is Layout.YOLOX:
            corner, stride = self._cells(chosen)
            centre = self._add('Mul', self._add('Add', centre, corner), stride)
            size = self._add('Mul', self._add('Exp', size), stride)
        half_size = self._add('Mul', size, half)
        return str(
            self._add('Concat', self._add('Sub', centre, half_size), self._add('Add', centre, half_size), axis=1)
        )

    def _from_distances(self, rows: str, chosen: str) -> str:
        """The mean of each side's distribution, in strides from the cell's corner; see `nanodet_plus`."""
        end = self._classes[1]
        width = 4 * _NANODET_BINS
        logits = self._part(rows, end, end + width)
        shares = self._add('Softmax', self._add('Reshape', logits, np.array([-1, 4, _NANODET_BINS], np.int64)), axis=2)
        bins = np.arange(_NANODET_BINS, dtype=np.float32).reshape(-1, 1)
        corner, stride = self._cells(chosen)
        sides = self._add(
            'Mul', self._add('Squeeze', self._add('MatMul', shares, bins), np.array([2], np.int64)), stride
        )
        point = self._add('Mul', corner, stride)
        low = self._add('Sub', point, self._part(sides, 0, 2))
        high = self._add('Add', point, self._part(sides, 2, 4))
        ends = np.array([self._output.input_width_px, self._output.input_height_px] * 2, np.float32)
        inside = self._add('Max', self._add('Concat', low, high, axis=1), np.float32(0))
        return str(self._add('Min', inside, ends))

    def _cells(self, chosen: str) -> tuple[str, str]:
        """(K, 2) column and row, and (K, 1) stride, of the cells that were chosen."""
        output = self._output
        across, down, stride = cells(
            np.arange(output.box_count), output.strides_px, output.input_width_px, output.input_height_px
        )
        corners = self._add('Gather', np.stack([across, down], axis=1), chosen, axis=0)
        return str(corners), str(self._add('Gather', stride[:, None], chosen, axis=0))
