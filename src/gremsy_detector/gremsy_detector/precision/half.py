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

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.precision.decoding_tail import decoding_tail
from gremsy_detector.precision.onnx_file import (
    image_inputs,
    import_onnx,
    import_onnxruntime,
    types_of,
    unused_name,
)

_HALF = 'tensor(float16)'
_LARGEST = float(np.finfo(np.float16).max)
# Other images excite a layer more than those looked at.
_MARGIN = 0.25
# Where an attribute decides the type of what comes out.
_TYPED_BY_ATTRIBUTE = ('Constant', 'ConstantOfShape', 'EyeLike', 'RandomNormal', 'RandomUniform', 'Range')


def to_half(model: Any, keep: Iterable[str] = (), tail: Iterable[str] | None = None) -> Any:
    """A copy that computes in float16.

    A tensor's own name goes on meaning its float32 form, and its float16 form gets a name beside it: what stays
    float32, nested graphs and outputs included, is not touched at all.

    Args:
        model: an `onnx.ModelProto` that was `simplified`.
        keep: names of nodes that stay float32 beside those of the decoding tail, see `beyond_half`.
        tail: names of the decoding tail's nodes; None finds them, which takes a graph that is not quantised.
    """
    onnx = import_onnx()
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    _Conversion(half, frozenset(decoding_tail(half) if tail is None else tail) | frozenset(keep)).run()
    # The inferred shapes of tensors that have changed their type would contradict it.
    del graph.value_info[:]
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
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
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


class _Conversion:
    def __init__(self, model: Any, keep: Iterable[str]) -> None:
        self._onnx = import_onnx()
        self._graph = model.graph
        self._opset = next((entry.version for entry in model.opset_import if entry.domain in ('', 'ai.onnx')), 1)
        self._keep = frozenset(keep)
        self._types = types_of(model)
        self._constants = {tensor.name: tensor for tensor in self._graph.initializer}
        self._half_names: dict[str, str] = {}
        self._taken = set(self._types) | {name for node in self._graph.node for name in (*node.input, *node.output)}

    def run(self) -> None:
        produced: set[str] = set()
        available: set[str] = {entry.name for entry in self._graph.input} | set(self._constants)
        nodes: list[Any] = []
        for node in list(self._graph.node):
            inputs, outputs = self._half_slots(node)
            if inputs or outputs:
                nodes.extend(self._casts_down([node.input[slot] for slot in inputs], produced))
                self._rewrite(node, inputs, outputs, produced)
            nodes.extend(self._casts_up(node, produced, available))
            nodes.append(node)
            available.update(node.output)
        nodes.extend(
            self._cast(self._half_names[entry.name], entry.name, self._onnx.TensorProto.FLOAT)
            for entry in self._graph.output
            if entry.name not in available
        )
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        self._drop_unused_constants()

    def _half_slots(self, node: Any) -> tuple[list[int], list[int]]:
        """Which inputs and outputs of a node become float16; none where it stays as it is."""
        if node.name in self._keep or not self._may_be_half(node):
            return [], []
        schema = self._onnx.defs.get_schema(node.op_type, self._opset, '')
        inputs = [slot for slot, name in enumerate(node.input) if self._becomes_half(name, schema.inputs, slot)]
        outputs = [slot for slot, name in enumerate(node.output) if self._becomes_half(name, schema.outputs, slot)]
        return inputs, outputs

    def _may_be_half(self, node: Any) -> bool:
        if node.domain not in ('', 'ai.onnx') or node.op_type in _TYPED_BY_ATTRIBUTE:
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

    def _half_name(self, name: str) -> str:
        if name not in self._half_names:
            self._half_names[name] = unused_name(f'{name}_fp16', self._taken)
            self._taken.add(self._half_names[name])
        return self._half_names[name]

    def _casts_down(self, names: Iterable[str], produced: set[str]) -> list[Any]:
        """What makes the float16 forms that are not there yet: constants are converted, the rest is cast."""
        casts: list[Any] = []
        for name in names:
            if name in produced:
                continue
            produced.add(name)
            if name in self._constants:
                values = self._onnx.numpy_helper.to_array(self._constants[name]).astype(np.float16)
                self._graph.initializer.append(self._onnx.numpy_helper.from_array(values, self._half_name(name)))
            else:
                casts.append(self._cast(name, self._half_name(name), self._onnx.TensorProto.FLOAT16))
        return casts

    def _casts_up(self, node: Any, produced: set[str], available: set[str]) -> list[Any]:
        """What makes the float32 forms that a node reads and only float16 ones are there of."""
        casts: list[Any] = []
        for name in _read_by(node):
            if name in produced and name not in available:
                available.add(name)
                casts.append(self._cast(self._half_names[name], name, self._onnx.TensorProto.FLOAT))
        return casts

    def _rewrite(self, node: Any, inputs: Iterable[int], outputs: Iterable[int], produced: set[str]) -> None:
        for slot in inputs:
            node.input[slot] = self._half_name(node.input[slot])
        for slot in outputs:
            name = node.output[slot]
            node.output[slot] = self._half_name(name)
            produced.add(name)
            if node.op_type == 'Cast':
                _attribute(node, 'to').i = self._onnx.TensorProto.FLOAT16

    def _cast(self, source: str, target: str, kind: int) -> Any:
        return self._onnx.helper.make_node('Cast', [source], [target], name=f'cast_{target}', to=kind)

    def _drop_unused_constants(self) -> None:
        used = {name for node in self._graph.node for name in _read_by(node)}
        used |= {entry.name for entry in self._graph.output}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _read_by(node: Any) -> list[str]:
    """Names that a node reads, those that its nested graphs take from around them included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField('g') else [])):
            names.extend(name for inner in graph.node for name in _read_by(inner))
            names.extend(entry.name for entry in graph.output)
    return names


def _attribute(node: Any, name: str) -> Any:
    return next(attribute for attribute in node.attribute if attribute.name == name)
