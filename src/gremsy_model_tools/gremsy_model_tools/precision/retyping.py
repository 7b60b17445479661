# SPDX-License-Identifier: Apache-2.0
"""Letting some nodes of a graph compute in another type, with casts only where the two meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gremsy_model_tools.precision.onnx_file import import_onnx, types_of, unused_name

Slots = tuple[list[int], list[int]]
"""Which inputs and which outputs of a node change their type, by position."""


class Retyping:
    """One pass over a model, which is changed in place.

    A tensor's own name goes on meaning its old form, and its new form gets a name beside it: what keeps its type,
    nested graphs and outputs included, is not touched at all.
    """

    def __init__(self, model: Any, old: int, new: int, suffix: str, slots: Callable[[Any], Slots]) -> None:
        """Nothing is changed yet.

        Args:
            model: an `onnx.ModelProto` whose tensors have known types.
            old: the element type that some tensors lose, of `onnx.TensorProto`.
            new: the one they get.
            suffix: of their new forms' names.
            slots: says of each node which of its tensors change; all of them must be of the old type.
        """
        self._onnx = import_onnx()
        self._graph = model.graph
        self._old, self._new = old, new
        self._suffix = suffix
        self._slots = slots
        self._constants = {tensor.name: tensor for tensor in self._graph.initializer}
        self._new_names: dict[str, str] = {}
        self._taken = set(types_of(model)) | {name for node in self._graph.node for name in (*node.input, *node.output)}

    def run(self) -> None:
        """Rewrite the graph; the shapes that were inferred before contradict it, and go."""
        produced: set[str] = set()
        available: set[str] = {entry.name for entry in self._graph.input} | set(self._constants)
        nodes: list[Any] = []
        for node in list(self._graph.node):
            inputs, outputs = self._slots(node)
            if inputs or outputs:
                nodes.extend(self._casts_to_new([node.input[slot] for slot in inputs], produced))
                self._rewrite(node, inputs, outputs, produced)
            nodes.extend(self._casts_back(node, produced, available))
            nodes.append(node)
            available.update(node.output)
        nodes.extend(
            self._cast(self._new_names[entry.name], entry.name, self._old)
            for entry in self._graph.output
            if entry.name not in available
        )
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        self._drop_unused_constants()
        del self._graph.value_info[:]

    def _new_name(self, name: str) -> str:
        if name not in self._new_names:
            self._new_names[name] = unused_name(f'{name}_{self._suffix}', self._taken)
            self._taken.add(self._new_names[name])
        return self._new_names[name]

    def _casts_to_new(self, names: Iterable[str], produced: set[str]) -> list[Any]:
        """What makes the new forms that are not there yet: constants are converted, the rest is cast."""
        casts: list[Any] = []
        for name in names:
            if name in produced:
                continue
            produced.add(name)
            if name in self._constants:
                kind: np.dtype[Any] = self._onnx.helper.tensor_dtype_to_np_dtype(self._new)
                values = self._onnx.numpy_helper.to_array(self._constants[name]).astype(kind)
                self._graph.initializer.append(self._onnx.numpy_helper.from_array(values, self._new_name(name)))
            else:
                casts.append(self._cast(name, self._new_name(name), self._new))
        return casts

    def _casts_back(self, node: Any, produced: set[str], available: set[str]) -> list[Any]:
        """What makes the old forms that a node reads and only new ones are there of."""
        casts: list[Any] = []
        for name in read_by(node):
            if name in produced and name not in available:
                available.add(name)
                casts.append(self._cast(self._new_names[name], name, self._old))
        return casts

    def _rewrite(self, node: Any, inputs: Iterable[int], outputs: Iterable[int], produced: set[str]) -> None:
        for slot in inputs:
            node.input[slot] = self._new_name(node.input[slot])
        for slot in outputs:
            name = node.output[slot]
            node.output[slot] = self._new_name(name)
            produced.add(name)
            if node.op_type == 'Cast':
                next(attribute for attribute in node.attribute if attribute.name == 'to').i = self._new

    def _cast(self, source: str, target: str, kind: int) -> Any:
        return self._onnx.helper.make_node('Cast', [source], [target], name=f'cast_{target}', to=kind)

    def _drop_unused_constants(self) -> None:
        used = {name for node in self._graph.node for name in read_by(node)}
        used |= {entry.name for entry in self._graph.output}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def read_by(node: Any) -> list[str]:
    """Names that a node reads, those that its nested graphs take from around them included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField('g') else [])):
            names.extend(name for inner in graph.node for name in read_by(inner))
            names.extend(entry.name for entry in graph.output)
    return names
