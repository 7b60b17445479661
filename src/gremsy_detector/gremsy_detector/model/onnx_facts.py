# SPDX-License-Identifier: Apache-2.0
"""Inputs, outputs and metadata of an ONNX file, without the onnx package, which robots do not have.

Reads only the few protobuf fields that say so and steps over the rest. Field numbers: onnx.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts
from gremsy_detector.model.model_file import read_model_file

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_DTYPES = {1: 'float32', 2: 'uint8', 3: 'int8', 6: 'int32', 7: 'int64', 9: 'bool', 10: 'float16', 11: 'float64'}
# onnx.proto: ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto, TensorTypeProto, TensorShapeProto,
# StringStringEntry.
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OPERATOR = 1, 4
_INITIALIZER_NAME = 8


_Found = TypeVar('_Found')


class _Malformed(Exception):
    """The bytes are no protobuf of the expected form."""


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
    except _Malformed as error:
        raise ModelError(
            f'Model file {path} is not ONNX ({error}): it is truncated, corrupt or of another kind, so copy or export '
            'it again.'
        ) from error


def _facts(path: Path, view: memoryview) -> ModelFacts:
    metadata: dict[str, str] = {}
    inputs: list[TensorFacts] = []
    outputs: list[TensorFacts] = []
    graphs = 0
    for number, _, part in _fields(view):
        if number == _MODEL_METADATA:
            key, value = _texts(part, 1, 2)
            metadata[key] = value
        elif number == _MODEL_GRAPH:
            graphs += 1
            found_inputs, found_outputs = _graph(part)
            inputs += found_inputs
            outputs += found_outputs
    if graphs != 1:
        raise _Malformed(f'it has {graphs} graphs')
    return ModelFacts(path, tuple(inputs), tuple(outputs), metadata)


def _nodes(_path: Path, view: memoryview) -> list[tuple[str, list[str]]]:
    """Operator and inputs of each node."""
    graphs = [part for number, _, part in _fields(view) if number == _MODEL_GRAPH]
    nodes = [part for graph in graphs for number, _, part in _fields(graph) if number == _GRAPH_NODE]
    return [
        (_texts(node, _NODE_OPERATOR)[0], [_text(part) for number, _, part in _fields(node) if number == _NODE_INPUT])
        for node in nodes
    ]


def _graph(view: memoryview) -> tuple[list[TensorFacts], list[TensorFacts]]:
    inputs: list[TensorFacts] = []
    outputs: list[TensorFacts] = []
    constants: set[str] = set()
    for number, _, part in _fields(view):
        if number == _GRAPH_INITIALIZER:
            constants.update(_text(value) for field, _, value in _fields(part) if field == _INITIALIZER_NAME)
        elif number == _GRAPH_INPUT:
            inputs.append(_tensor(part))
        elif number == _GRAPH_OUTPUT:
            outputs.append(_tensor(part))
    # Before IR 4, weights had to be listed among the inputs too.
    return [tensor for tensor in inputs if tensor.name not in constants], outputs


def _tensor(view: memoryview) -> TensorFacts:
    name, dtype = '', 'unknown'
    shape: tuple[int | str | None, ...] = ()
    for number, _, part in _fields(view):
        if number == 1:
            name = _text(part)
        elif number == 2:
            for kind, _, tensor in _fields(part):
                if kind == 1:
                    dtype, shape = _type(tensor)
    return TensorFacts(name, shape, dtype)


def _type(view: memoryview) -> tuple[str, tuple[int | str | None, ...]]:
    dtype = 'unknown'
    sizes: list[int | str | None] = []
    for number, value, part in _fields(view):
        if number == 1:
            dtype = _DTYPES.get(value, f'type {value}')
        elif number == 2:
            sizes = [_size(dimension) for field, _, dimension in _fields(part) if field == 1]
    return dtype, tuple(sizes)


def _size(view: memoryview) -> int | str | None:
    size: int | str | None = None
    for number, value, part in _fields(view):
        if number == 1:
            # Negative numbers are stored as their 64-bit complement.
            size = value if value < 1 << 63 else None
        elif number == 2:
            size = _text(part) or None
    return size


def _texts(view: memoryview, *wanted: int) -> tuple[str, ...]:
    found = {number: _text(part) for number, _, part in _fields(view) if number in wanted}
    return tuple(found.get(number, '') for number in wanted)


def _text(view: memoryview) -> str:
    return bytes(view).decode('utf-8', errors='replace')


def _fields(view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, integer value and bytes of each field of a message; the one that a field has not is 0 or empty."""
    position = 0
    while position < len(view):
        tag, position = _varint(view, position)
        number, wire = tag >> 3, tag & 7
        value, length = 0, 0
        if wire == _VARINT:
            value, position = _varint(view, position)
        elif wire == _BYTES:
            length, position = _varint(view, position)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise _Malformed(f'wire type {wire} at byte {position}')
        if number == 0 or position + length > len(view):
            raise _Malformed('a field reaches beyond the end')
        yield number, value, view[position : position + length] if wire == _BYTES else view[0:0]
        position += length


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if position >= len(view):
            raise _Malformed('it ends within a number')
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position
    raise _Malformed('a number is too long')
