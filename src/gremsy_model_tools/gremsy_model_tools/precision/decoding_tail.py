# SPDX-License-Identifier: Apache-2.0
"""Which nodes of a graph turn the network's last features into boxes; they stay float32 whatever the rest becomes.

They cost next to nothing (a soft-max, some additions) and suffer most: float16 has steps of half a pixel from 512 on,
int8 of five pixels over 640, while the features before them are used to noise of that relative size.
"""

from __future__ import annotations

from typing import Any

LAYERS = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')
"""Operators that may have learnt weights."""


def decoding_tail(model: Any) -> frozenset[str]:
    """Names of the nodes after the last learnt layers.

    A layer counts as learnt when its constant weights make more than one output channel: what YOLO calls DFL (the mean
    of a distribution over distances) is exported as a convolution or matrix product with one, and belongs to the tail.

    Args:
        model: an `onnx.ModelProto` with named nodes and folded constants.
    """
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    consumers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    before_layer: set[str] = set()
    # Nodes are stored in topological order, so that backwards every consumer comes before its producer.
    for node in reversed(graph.node):
        after = [each for name in node.output for each in consumers.get(name, [])]
        if _is_learnt(node, shapes) or any(each.name in before_layer for each in after):
            before_layer.add(node.name)
    return frozenset(node.name for node in graph.node) - before_layer


def _is_learnt(node: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    if node.op_type not in LAYERS or len(node.input) < 2 or node.input[1] not in shapes:
        return False
    return _output_channels(node, shapes[node.input[1]]) > 1


def _output_channels(node: Any, shape: tuple[int, ...]) -> int:
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == 'Conv':
        return shape[0]
    if node.op_type == 'ConvTranspose':
        return shape[1] * attributes.get('group', 1)
    if node.op_type == 'Gemm' and attributes.get('transB', 0):
        return shape[0]
    return shape[-1]
