# SPDX-License-Identifier: Apache-2.0
"""Putting the preparation of the image into the network: a graph that takes uint8 [1, H, W, 3] BGR, as a camera gives.

The resized image then is the input tensor. The copy to the GPU is a quarter as large (1.2 MB instead of 4.9 at 640),
and the CPU is spared 2-4 ms per 1080p image (research/perception.md §1.8); the operators in front cost the GPU next to
nothing.

TensorRT takes uint8 as a network's input and nowhere else, and only into a Cast. So the bytes become float32 first,
which holds each of them exactly, and are moved as such.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from gremsy_detector.model.known_layouts import Triple
from gremsy_detector.model.model_description import InputDescription
from gremsy_model_tools.precision.nodes import Nodes
from gremsy_model_tools.precision.onnx_file import (
    STANDARD_DOMAINS,
    image_inputs,
    import_onnx,
    metadata_of,
    set_metadata,
    types_of,
    unused_name,
    with_types,
)
from gremsy_model_tools.precision.retyping import Retyping, Slots

CHANNEL_ORDER = 'channel_order'
# What leaves every number as it is; `Resize` only where it takes the nearest.
_MOVES = frozenset({
    'Concat', 'DepthToSpace', 'Expand', 'Flatten', 'Gather', 'Identity', 'Pad', 'Reshape', 'Slice', 'SpaceToDepth',
    'Split', 'Squeeze', 'Tile', 'Transpose', 'Unsqueeze',
})  # fmt: skip


def is_folded(description: InputDescription) -> bool:
    """Does the model take a camera's bytes as they are?"""
    return description.channels_last and description.bgr and description.dtype == 'uint8'


def fold_input(model: Any, description: InputDescription) -> Any:
    """A copy of the model whose input is uint8 [1, H, W, 3] BGR.

    The arithmetic is that of `NetworkInput` in its precision, so that both ways answer alike: a cast, transpose and
    channel swap, which change no number, and then, as float32, a mean less where there is one and a division by `std`
    (255, or what the model states). H and W become fixed.

    Args:
        model: an `onnx.ModelProto` of any precision.
        description: of its input as it is now. One that takes uint8 already is only laid out again, and its own
            operators on bytes work on float32 (`cast_first`).
    """
    if is_folded(description):
        return cast_first(model)
    onnx = import_onnx()
    folded = copy.deepcopy(model)
    graph, kinds = folded.graph, onnx.TensorProto
    (fed,) = image_inputs(folded)
    name, taken = fed.name, _names(graph)
    source = unused_name(f'{name}_bgr8', taken)
    front = Nodes(onnx, 'fold_input', taken)
    last = front.add('Cast', source, to=kinds.FLOAT) if description.dtype != 'uint8' else source
    front.chain(last, steps_to_network(description))
    # The tensor keeps its name and is now made by the last of the new nodes: whoever reads it, a nested graph too,
    # reads on.
    front.nodes[-1].output[0] = name
    shape = [1, description.height_px, description.width_px, 3]
    fed.CopyFrom(onnx.helper.make_tensor_value_info(source, kinds.UINT8, shape))
    graph.initializer.extend(front.constants)
    old_nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(front.nodes + old_nodes)
    set_metadata(folded, {**metadata_of(folded), CHANNEL_ORDER: 'bgr'})
    return cast_first(folded) if description.dtype == 'uint8' else folded


def cast_first(model: Any) -> Any:
    """A copy in which bytes are moved as float32, as far as they are only moved, so that TensorRT takes them.

    A model that has nothing to change comes back as it was.

    Args:
        model: an `onnx.ModelProto` that takes uint8.
    """
    onnx = import_onnx()
    kinds = onnx.TensorProto
    changed = with_types(model)
    moves = _Moves(changed)
    if not moves.any:
        return copy.deepcopy(model)
    Retyping(changed, kinds.UINT8, kinds.FLOAT, 'real', moves.slots).run()
    return with_types(changed)


class _Moves:
    """Where the image's bytes go without being computed with."""

    def __init__(self, model: Any) -> None:
        self._bytes_kind = import_onnx().TensorProto.UINT8
        (self._image,) = (entry.name for entry in image_inputs(model))
        self._constants = {tensor.name for tensor in model.graph.initializer}
        self._types = types_of(model)
        self._moved = {self._image}
        self.any = False
        for node in model.graph.node:
            inputs, outputs = self.slots(node)
            self._moved.update(node.output[slot] for slot in outputs)
            self.any = self.any or bool(inputs)

    def slots(self, node: Any) -> Slots:
        """The tensors of a node that may be float32 too."""
        inputs = [slot for slot, name in enumerate(node.input) if self._types.get(name) == self._bytes_kind]
        names = {node.input[slot] for slot in inputs}
        if node.domain not in STANDARD_DOMAINS or not names & self._moved or not names <= self._moved | self._constants:
            return [], []
        if _only_moves(node, self._bytes_kind):
            return inputs, list(range(len(node.output)))
        if node.op_type == 'Cast' and self._image in names:
            return [], []
        return (inputs, []) if node.op_type in ('Cast', 'Shape', 'Size') else ([], [])


def _only_moves(node: Any, bytes_kind: int) -> bool:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == 'Cast':
        return bool(attributes['to'].i == bytes_kind)
    if node.op_type == 'Resize':
        return 'mode' not in attributes or attributes['mode'].s == b'nearest'
    return node.op_type in _MOVES


def steps_to_network(description: InputDescription) -> list[tuple[str, Any, dict[str, Any]]]:
    """Operators from [1, H, W, 3] BGR to what the network reads: name, constant input, attributes.

    They take the picture as float32, but for a network that takes bytes.
    """
    kinds = import_onnx().TensorProto
    steps: list[tuple[str, Any, dict[str, Any]]] = []
    if not description.channels_last:
        steps.append(('Transpose', None, {'perm': [0, 3, 1, 2]}))
    if not description.bgr:
        axis = 3 if description.channels_last else 1
        steps.append(('Gather', np.array([2, 1, 0], dtype=np.int64), {'axis': axis}))
    if description.dtype != 'uint8':
        # A float input has its channels first.
        if any(description.mean):
            steps.append(('Sub', _per_channel(description.mean), {}))
        if set(description.std) != {1.0}:
            steps.append(('Div', _per_channel(description.std), {}))
    if description.dtype == 'float16':
        # Last: a quotient of two float16 would be rounded twice.
        steps.append(('Cast', None, {'to': kinds.FLOAT16}))
    return steps


def _per_channel(values: Triple) -> Any:
    alike = len(set(values)) == 1
    return np.array(values[0], np.float32) if alike else np.array(values, np.float32).reshape(1, 3, 1, 1)


def _names(graph: Any) -> set[str]:
    names = {entry.name for entry in (*graph.input, *graph.output, *graph.value_info, *graph.initializer)}
    return names | {name for node in graph.node for name in (node.name, *node.input, *node.output)}
