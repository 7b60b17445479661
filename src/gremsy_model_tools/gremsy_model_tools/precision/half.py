# SPDX-License-Identifier: Apache-2.0
"""Converting a float32 graph to float16, where float16 can hold it.

Input and output keep their types, and so does the decoding tail: a box at 600 pixels would move by a quarter. An
operator stays float32 when its definition knows no float16, when it is not standard ONNX, when it has graphs inside,
or when a constant of it does not fit (beyond 65504, or a lone number that would become 0, as epsilons do),
and where its results did not fit on the images that were looked at.

The converters of ONNX Runtime and onnxconverter-common are not used: they put casts around every excepted node, so that
a run of them rounds to float16 in between, which is what the exception is against.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_model_tools.precision.decoding_tail import decoding_tail
from gremsy_model_tools.precision.onnx_file import (
    STANDARD_DOMAINS,
    image_inputs,
    import_onnx,
    import_onnxruntime,
    opset_of,
    types_of,
)
from gremsy_model_tools.precision.retyping import Retyping, Slots

_HALF = 'tensor(float16)'
_LARGEST = float(np.finfo(np.float16).max)
# Other images excite a layer more than those looked at.
_MARGIN = 0.25
# Where an attribute decides the type of what comes out.
_TYPED_BY_ATTRIBUTE = ('Constant', 'ConstantOfShape', 'EyeLike', 'RandomNormal', 'RandomUniform', 'Range')


def to_half(model: Any, keep: Iterable[str] = (), tail: Iterable[str] | None = None) -> Any:
    """A copy that computes in float16.

    Args:
        model: an `onnx.ModelProto` that was `simplified`.
        keep: names of nodes that stay float32 beside those of the decoding tail, see `beyond_half`.
        tail: names of the decoding tail's nodes; None finds them, which takes a graph that is not quantised.
    """
    onnx = import_onnx()
    half = copy.deepcopy(model)
    choice = _Choice(half, frozenset(decoding_tail(half) if tail is None else tail) | frozenset(keep))
    kinds = onnx.TensorProto
    Retyping(half, kinds.FLOAT, kinds.FLOAT16, 'fp16', choice.slots).run()
    return onnx.shape_inference.infer_shapes(half)


def beyond_half(model: Any, tensors: Iterable[NDArray[Any]]) -> frozenset[str]:
    """Names of the nodes that write or read a number which float16 cannot hold, on some inputs.

    It is looked for in float32: ONNX Runtime's CPU leaves out casts to float16 and back, so that a converted graph
    shows no overflow there which a GPU would have.

    Args:
        model: an `onnx.ModelProto` that was `simplified`.
        tensors: inputs to run it on; each is used before the next is asked for.
    """
    onnx, runtime = import_onnx(), import_onnxruntime()
    types = types_of(model)
    names = [name for node in model.graph.node for name in node.output if types.get(name) == onnx.TensorProto.FLOAT]
    watched = copy.deepcopy(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(watched.SerializeToString(), options, providers=['CPUExecutionProvider'])
    (entry,) = image_inputs(model)
    large: set[str] = set()
    for tensor in tensors:
        answers = session.run(names, {entry.name: tensor})
        # NaN compares as false: what is not surely within is kept.
        large.update(
            name
            for name, values in zip(names, answers, strict=True)
            if values.size and not float(np.abs(values).max()) < _LARGEST * _MARGIN
        )
    return frozenset(node.name for node in model.graph.node if not large.isdisjoint((*node.input, *node.output)))


class _Choice:
    """Which tensors of a node become float16."""

    def __init__(self, model: Any, keep: Iterable[str]) -> None:
        self._onnx = import_onnx()
        self._opset = opset_of(model) or 1
        self._keep = frozenset(keep)
        self._types = types_of(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def slots(self, node: Any) -> Slots:
        """None where the node stays as it is."""
        if node.name in self._keep or not self._may_be_half(node):
            return [], []
        schema = self._onnx.defs.get_schema(node.op_type, self._opset, '')
        inputs = [slot for slot, name in enumerate(node.input) if self._becomes_half(name, schema.inputs, slot)]
        outputs = [slot for slot, name in enumerate(node.output) if self._becomes_half(name, schema.outputs, slot)]
        return inputs, outputs

    def _may_be_half(self, node: Any) -> bool:
        if node.domain not in STANDARD_DOMAINS or node.op_type in _TYPED_BY_ATTRIBUTE:
            return False
        if any(attribute.HasField('g') or attribute.graphs for attribute in node.attribute):
            return False
        if not self._onnx.defs.has(node.op_type, self._opset, ''):
            return False
        return all(self._fits(name) for name in node.input if name in self._constants and self._is_float(name))

    def _fits(self, name: str) -> bool:
        values = self._onnx.numpy_helper.to_array(self._constants[name])
        if values.size == 0:
            return True
        largest = float(np.abs(values).max())
        if not largest <= _LARGEST:
            return False
        return values.size > 1 or largest == 0.0 or float(np.float16(largest)) != 0.0

    def _becomes_half(self, name: str, formals: Any, slot: int) -> bool:
        # The last formal parameter may stand for any number of actual ones.
        return self._is_float(name) and _HALF in formals[min(slot, len(formals) - 1)].types

    def _is_float(self, name: str) -> bool:
        return self._types.get(name) == self._onnx.TensorProto.FLOAT
