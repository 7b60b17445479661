# SPDX-License-Identifier: Apache-2.0
"""Judges an ONNX file before a library that trusts it gets to see it.

ONNX Runtime follows what a file says: to other files (external data), to sizes (memory), into nesting. A parser for a
hostile file must not be written in C++, and the `onnx` package is no run-time dependency: the few fields that matter
are walked here. The numbers are those of onnx.proto (field numbers never change, by the format's own promise).

What cannot be seen without running a model is what its operators make inside (a ConstantOfShape of a terabyte, a Loop
without end).
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_file import read_model_file, seems_to_be
from gremsy_detector.model.protobuf_fields import TruncatedError, fields, packed_or_single, parts, text

# ModelProto
_IR_VERSION, _GRAPH, _OPSET_IMPORT, _TRAINING_INFO, _FUNCTIONS = 1, 7, 8, 20, 25
_DOMAIN, _VERSION = 1, 2  # OperatorSetIdProto
_VALUE_TYPE, _TENSOR_TYPE, _ELEMENT_TYPE, _SHAPE, _DIM, _DIM_VALUE = 2, 1, 1, 2, 1, 1  # ValueInfoProto and below
_DIMS, _EXTERNAL_DATA, _DATA_LOCATION = 1, 13, 14  # TensorProto
_KEY, _VALUE = 1, 2  # StringStringEntryProto
_EXTERNAL = 1

# Which fields of which message hold which messages; what is not here (raw weights, names, texts) is not entered.
# A graph's inputs (11) are judged later, by `describe_input`, with a better sentence: they cost nothing before a run.
_INSIDE: dict[str, dict[int, str]] = {
    'model': {_GRAPH: 'graph', _TRAINING_INFO: 'training', _FUNCTIONS: 'function'},
    'training': {1: 'graph', 2: 'graph'},
    'graph': {1: 'node', 5: 'tensor', 12: 'value', 13: 'value', 15: 'sparse'},
    'function': {7: 'node', 11: 'attribute', 12: 'value'},
    'node': {5: 'attribute'},
    'attribute': {5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse'},
    'sparse': {1: 'tensor', 2: 'tensor'},
}
_SPARSE_DIMS = 3
# Nodes nest in If and Loop bodies: detectors have two levels at most.
_DEEPEST = 32
# yolov8x has 40 thousand; a walk over two million takes 3 s.
_MOST_FIELDS = 2_000_000
# 1 GiB of float32 in one tensor.
_MOST_NUMBERS = 2**28


@dataclass
class _Found:
    """What the walk came across."""

    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    has_graph: bool = False
    external: list[dict[str, str]] = field(default_factory=list)
    largest_numbers: int = 0
    largest_shape: tuple[int, ...] = ()

    def see_shape(self, shape: Iterable[int]) -> None:
        known = tuple(size for size in shape if size > 0)
        if math.prod(known) > self.largest_numbers:
            self.largest_numbers, self.largest_shape = math.prod(known), known


def check_onnx_file(model: Path) -> int:
    """Refuse what no runtime should load.

    Returns:
        The opset of the standard operators that it uses, 0 where it names none.

    Raises:
        ModelError: in one sentence with what the file seems to be, or what is wrong in it.
    """
    content = read_model_file(model)
    what = seems_to_be(content)
    if what is not None:
        raise ModelError(f'Model file {model} is not an ONNX model: it seems to be {what}.')
    found = _Found()
    try:
        _walk(memoryview(content), found)
    except TruncatedError as error:
        raise ModelError(
            f'Model file {model} is truncated or corrupt: it has {len(content)} bytes, and at least {error.missing} '
            'are missing, so copy or export it again.'
        ) from error
    except ValueError as error:
        raise ModelError(f'Model file {model} is corrupt or not ONNX ({error}), so copy or export it again.') from error
    if not found.has_graph or not found.ir_version:
        raise ModelError(f'Model file {model} is corrupt or not ONNX (it has no graph), so copy or export it again.')
    if found.largest_numbers > _MOST_NUMBERS:
        raise ModelError(
            f'Model file {model} has a tensor of {list(found.largest_shape)}, more than {_MOST_NUMBERS} numbers: '
            'export it for a smaller image.'
        )
    for entry in found.external:
        _check_external(model, entry)
    return found.opsets.get('', found.opsets.get('ai.onnx', 0))


def files_of_weights(model: Path) -> tuple[Path, ...]:
    """The files that hold weights of a model, by what it says; without what `check_onnx_file` would refuse.

    Raises:
        ModelError: when the model cannot be read.
    """
    found = _Found()
    try:
        _walk(memoryview(read_model_file(model)), found)
    except ValueError:
        return ()
    named = sorted({entry.get('location', '') for entry in found.external})
    paths = (_beside(model, location) for location in named)
    return tuple(path for path in paths if path is not None and path.is_file())


def _walk(content: memoryview, found: _Found) -> None:
    """Every message that may hold a tensor, without recursion: nesting is the file's to choose."""
    waiting: list[tuple[str, memoryview, int]] = [('model', content, 0)]
    count = 0
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f'it nests deeper than {_DEEPEST} messages')
        inside = _INSIDE.get(kind, {})
        for number, value in fields(message):
            count += 1
            if count > _MOST_FIELDS:
                raise ValueError(f'it has more than {_MOST_FIELDS} fields')
            if number in inside and isinstance(value, memoryview):
                waiting.append((inside[number], value, depth + 1))
            if kind == 'model':
                _note_header(number, value, found)
        if kind == 'tensor':
            _note_tensor(message, found)
        elif kind == 'sparse':
            # Its dense form, which is what ONNX Runtime makes of it.
            dims = [packed_or_single(value) for number, value in fields(message) if number == _SPARSE_DIMS]
            found.see_shape(size for each in dims for size in each)
        elif kind == 'value':
            _note_shape(message, found)


def _note_header(number: int, value: int | memoryview, found: _Found) -> None:
    if number == _IR_VERSION and isinstance(value, int):
        found.ir_version = value
    elif number == _GRAPH:
        found.has_graph = True
    elif number == _OPSET_IMPORT and isinstance(value, memoryview):
        version = dict(fields(value)).get(_VERSION, 0)
        if isinstance(version, int):
            found.opsets[text(value, _DOMAIN)] = version


def _note_tensor(message: memoryview, found: _Found) -> None:
    shape: list[int] = []
    entry: dict[str, str] = {}
    external = False
    for number, value in fields(message):
        if number == _DIMS:
            shape += packed_or_single(value)
        elif number == _EXTERNAL_DATA and isinstance(value, memoryview):
            key = text(value, _KEY)
            if key in entry:
                raise ValueError(f'it states {key[:20]!r} of external data twice')
            entry[key] = text(value, _VALUE)
        elif number == _DATA_LOCATION:
            external = value == _EXTERNAL
    found.see_shape(shape)
    if external or entry:
        found.external.append(entry)


def _note_shape(message: memoryview, found: _Found) -> None:
    """ValueInfoProto.type.tensor_type.shape.dim.dim_value."""
    shapes = [message]
    for level in (_VALUE_TYPE, _TENSOR_TYPE, _SHAPE):
        shapes = [part for each in shapes for part in parts(each, level)]
    for shape in shapes:
        dims = [value for dim in parts(shape, _DIM) for number, value in fields(dim) if number == _DIM_VALUE]
        found.see_shape(value for value in dims if isinstance(value, int))


def _check_external(model: Path, entry: dict[str, str]) -> None:
    """Weights in a file of their own: beside the model or below its folder, and long enough."""
    location = entry.get('location', '')
    allowed = 'weights may lie only beside the model, in its own folder'
    if not _is_relative(location):
        raise ModelError(f'Model file {model} keeps weights in {location[:100]!r}: {allowed}.')
    target = _beside(model, location)
    if target is None:
        raise ModelError(f'Model file {model} keeps weights in {location[:100]!r}, outside its folder: {allowed}.')
    try:
        about = target.stat()
    except OSError as error:
        raise ModelError(
            f'Model file {model} keeps weights in {location[:100]!r}, which cannot be read ({error.strerror}): '
            'copy that file too, or export the model in one file.'
        ) from error
    if not stat.S_ISREG(about.st_mode):
        raise ModelError(f'Model file {model} keeps weights in {location[:100]!r}, which is no regular file.')
    offset, length = (_whole(entry.get(key, '0')) for key in ('offset', 'length'))
    if offset is None or length is None or offset + length > about.st_size:
        raise ModelError(
            f'Model file {model} keeps weights in {location[:100]!r}, which has {about.st_size} bytes, fewer than the '
            'model asks for: copy it again, or export the model in one file.'
        )


def _is_relative(location: str) -> bool:
    # ONNX Runtime takes the text `*/_ORT_MEM_ADDR_/*` for an address in its own memory: no such file exists.
    return bool(location) and '\0' not in location and '\\' not in location and not Path(location).is_absolute()


def _beside(model: Path, location: str) -> Path | None:
    """Where weights lie, in the model's folder or below; None for anywhere else."""
    folder = model.resolve().parent
    if not _is_relative(location) or '..' in Path(location).parts:
        return None
    target = Path(os.path.realpath(folder / location))
    return target if target.is_relative_to(folder) else None


def _whole(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
