# SPDX-License-Identifier: Apache-2.0
"""A network for the real detector that finds the trial camera's bright target, and fails when its lamp says so.

It takes the place of a model that is trained: half a millisecond a picture, and its failures are ONNX Runtime's own.
A lamp at `RAISING` makes a `Gather` reach outside of its data, which ends the run with an error; one at `HANGING` makes
a `Loop` go round for hours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Grey levels of the lamp.
DARK, RAISING, HANGING = 0, 147, 183
TARGET_CLASS = 'person'
# The trial camera's 640x360 a quarter as large, letterboxed by three rows above and below.
_WIDTH, _HEIGHT = 160, 96
# Brighter than everything but the target, as a share of white.
_BRIGHT = 0.85
_RAISES_FROM, _HANGS_FROM = 0.53, 0.68
# Of the lamp, within its borders; and of a box, the target's 40x60 px.
_LAMP_ROWS, _LAMP_COLUMNS = (29, 45), (123, 137)
_HALF_BOX_PX = (5.0, 7.5)
# A whole target has a sum of some 20; a third of one is believed.
_SCORE_PER_BRIGHTNESS = 0.1
_BEST_SCORE = 0.95
_ROUNDS_OF_A_HANG = 10**12


class _Graph:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f'constant{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, name: str = '', **attributes: Any) -> str:
        result = name or f'{operator.lower()}{len(self.nodes)}'
        self.nodes.append(helper.make_node(operator, list(inputs), [result], **attributes))
        return result


def write_target_model(path: Path, *, fails: bool = True) -> Path:
    """Write the file; the path again. With `fails` false it heeds no lamp."""
    graph = _Graph()
    luma = graph.node('ReduceMax', 'images', axes=[1], keepdims=1)
    bright = graph.node('Relu', graph.node('Sub', luma, graph.constant(_BRIGHT)))
    total = graph.node('ReduceSum', bright, keepdims=0)
    centre_x = _centre(graph, bright, total, np.arange(_WIDTH) + 0.5, rows=False)
    centre_y = _centre(graph, bright, total, np.arange(_HEIGHT) + 0.5, rows=True)
    lamp = _lamp(graph, luma) if fails else graph.constant(0.0)
    failing = graph.node('Add', _raises(graph, lamp), _hangs(graph, lamp))
    score = graph.node('Mul', total, graph.constant(_SCORE_PER_BRIGHTNESS))
    score = graph.node('Clip', score, graph.constant(0.0), graph.constant(_BEST_SCORE))
    score = graph.node('Add', score, failing)
    values = []
    for sign in (-1.0, 1.0):
        for centre, half in zip((centre_x, centre_y), _HALF_BOX_PX, strict=True):
            values.append(graph.node('Add', centre, graph.constant(sign * half)))
    values += [score, graph.constant(0.0)]
    one = graph.constant([1], np.int64)
    flat = [graph.node('Reshape', value, one) for value in values]
    row = graph.node('Concat', *flat, axis=0)
    graph.node('Reshape', row, graph.constant([1, 1, 6], np.int64), name='output0')
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            'target',
            [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, _HEIGHT, _WIDTH])],
            [helper.make_tensor_value_info('output0', TensorProto.FLOAT, [1, 1, 6])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid('', 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {'names': repr({0: TARGET_CLASS})})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def _centre(graph: _Graph, bright: str, total: str, places: NDArray[Any], *, rows: bool) -> str:
    """The brightness' centre along one axis; 0 where nothing is bright."""
    shape = (1, 1, len(places), 1) if rows else (1, 1, 1, len(places))
    weighted = graph.node('Mul', bright, graph.constant(places.reshape(shape)))
    return graph.node(
        'Div', graph.node('ReduceSum', weighted, keepdims=0), graph.node('Max', total, graph.constant(1e-6))
    )


def _lamp(graph: _Graph, luma: str) -> str:
    (top, bottom), (left, right) = _LAMP_ROWS, _LAMP_COLUMNS
    corners = ([0, 0, top, left], [1, 1, bottom, right])
    part = graph.node('Slice', luma, *(graph.constant(corner, np.int64) for corner in corners))
    return graph.node('ReduceMean', part, axes=[0, 1, 2, 3], keepdims=0)


def _between(graph: _Graph, value: str, low: float, high: float) -> str:
    above = graph.node('Greater', value, graph.constant(low))
    return graph.node('And', above, graph.node('Less', value, graph.constant(high)))


def _raises(graph: _Graph, lamp: str) -> str:
    """0; or an index far outside."""
    index = graph.node('Cast', _between(graph, lamp, _RAISES_FROM, _HANGS_FROM), to=TensorProto.INT64)
    return graph.node('Gather', graph.constant([0.0]), graph.node('Mul', index, graph.constant(99, np.int64)), axis=0)


def _hangs(graph: _Graph, lamp: str) -> str:
    """0, at once or in hours."""
    lit = graph.node('Cast', graph.node('Greater', lamp, graph.constant(_HANGS_FROM)), to=TensorProto.INT64)
    rounds = graph.node('Mul', lit, graph.constant(_ROUNDS_OF_A_HANG, np.int64))
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['go_on_in'], ['go_on_out']),
            # Not to be left out by an optimiser, and 0 for ever.
            helper.make_node('Sin', ['sum_in'], ['sum_out']),
        ],
        'round',
        [
            helper.make_tensor_value_info('round', TensorProto.INT64, []),
            helper.make_tensor_value_info('go_on_in', TensorProto.BOOL, []),
            helper.make_tensor_value_info('sum_in', TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info('go_on_out', TensorProto.BOOL, []),
            helper.make_tensor_value_info('sum_out', TensorProto.FLOAT, []),
        ],
    )
    return graph.node('Loop', rounds, graph.constant(True, np.bool_), graph.constant(0.0), body=body)
