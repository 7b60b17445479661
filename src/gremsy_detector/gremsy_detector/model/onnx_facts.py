# SPDX-License-Identifier: Apache-2.0
"""Inputs, outputs and metadata of an ONNX file, without the onnx package, which robots do not have.

Reads only the few protobuf fields that say so and steps over the rest. Field numbers: onnx.proto.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts
from gremsy_detector.model.model_file import read_model_file
from gremsy_detector.model.protobuf_fields import fields, parts, signed, text

_DTYPES = {1: 'float32', 2: 'uint8', 3: 'int8', 6: 'int32', 7: 'int64', 9: 'bool', 10: 'float16', 11: 'float64'}
# onnx.proto: ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto, TensorTypeProto, TensorShapeProto,
# StringStringEntry.
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OPERATOR = 1, 4
_INITIALIZER_NAME = 8  # of a TensorProto
_VALUE_NAME, _VALUE_TYPE, _TENSOR_TYPE, _ELEMENT_TYPE, _SHAPE, _DIM = 1, 2, 1, 1, 2, 1
_DIM_VALUE, _DIM_PARAM = 1, 2

_Found = TypeVar('_Found')


def read_onnx_facts(path: Path) -> ModelFacts:
    """What the file says about itself.

    Raises:
        ModelError: when it is missing, unreadable or no ONNX file.
    """
    return _read(path, _facts)


def moves_bytes(path: Path) -> bool:
    """Does the graph do anything with an image of uint8 but cast it? TensorRT takes such an image only into a Cast.

    Raises:
        ModelError: when it is missing, unreadable or no ONNX file.
    """
    images = {tensor.name for tensor in read_onnx_facts(path).inputs if tensor.dtype == 'uint8'}
    return bool(images) and any(
        operator != 'Cast' and not images.isdisjoint(inputs) for operator, inputs in _read(path, _nodes)
    )


def operators_of(path: Path) -> frozenset[str]:
    """The operators of the graph, without those of graphs inside it.

    Raises:
        ModelError: when it is missing, unreadable or no ONNX file.
    """
    return frozenset(operator for operator, _ in _read(path, _nodes))


def _read(path: Path, parse: Callable[[Path, memoryview], _Found]) -> _Found:
    # Read, not mapped: a model that is being copied over would end the process with SIGBUS.
    content = read_model_file(path)
    try:
        return parse(path, memoryview(content))
    except ValueError as error:
        raise ModelError(
            f'Model file {path} is not ONNX ({error}): it is truncated, corrupt or of another kind, so copy or export '
            'it again.'
        ) from error


def _facts(path: Path, model: memoryview) -> ModelFacts:
    graphs = list(parts(model, _MODEL_GRAPH))
    if len(graphs) != 1:
        raise ValueError(f'it has {len(graphs)} graphs')
    graph = graphs[0]
    # Before IR 4, weights had to be listed among the inputs too.
    weights = {text(each, _INITIALIZER_NAME) for each in parts(graph, _GRAPH_INITIALIZER)}
    inputs, outputs = (
        [_tensor(each) for each in parts(graph, number) if text(each, _VALUE_NAME) not in unwanted]
        for number, unwanted in ((_GRAPH_INPUT, weights), (_GRAPH_OUTPUT, frozenset[str]()))
    )
    metadata = {text(each, 1): text(each, 2) for each in parts(model, _MODEL_METADATA)}
    return ModelFacts(path, tuple(inputs), tuple(outputs), metadata)


def _nodes(_path: Path, model: memoryview) -> list[tuple[str, list[str]]]:
    """Operator and inputs of each node."""
    nodes = [node for graph in parts(model, _MODEL_GRAPH) for node in parts(graph, _GRAPH_NODE)]
    return [
        (text(node, _NODE_OPERATOR), [bytes(name).decode(errors='replace') for name in parts(node, _NODE_INPUT)])
        for node in nodes
    ]


def _tensor(entry: memoryview) -> TensorFacts:
    dtype = 'unknown'
    sizes: list[int | str | None] = []
    for tensor in (each for kind in parts(entry, _VALUE_TYPE) for each in parts(kind, _TENSOR_TYPE)):
        for number, value in fields(tensor):
            if number == _ELEMENT_TYPE and isinstance(value, int):
                dtype = _DTYPES.get(value, f'type {value}')
            elif number == _SHAPE and isinstance(value, memoryview):
                sizes = [_size(dimension) for dimension in parts(value, _DIM)]
    return TensorFacts(text(entry, _VALUE_NAME), tuple(sizes), dtype)


def _size(dimension: memoryview) -> int | str | None:
    size: int | str | None = text(dimension, _DIM_PARAM) or None
    for number, value in fields(dimension):
        if number == _DIM_VALUE and isinstance(value, int):
            size = value if signed(value) >= 0 else None
    return size
