# SPDX-License-Identifier: Apache-2.0
"""Key-value texts at the end of an ONNX file, without touching what is there.

A Protocol Buffers message may be continued: fields that follow are read as if they had stood in it from the start, and
of two texts under one key every reader here takes the last (protobuf.dev/programming-guides/encoding). So the file that
was downloaded remains, byte for byte, the beginning of the file that is written, and the `onnx` package is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from gremsy_detector.model.model_file import seems_to_be
from gremsy_detector.model.protobuf_fields import fields

# ModelProto.graph and .metadata_props; StringStringEntryProto.key and .value (onnx.proto).
_GRAPH, _METADATA, _KEY, _VALUE = 7, 14, 1, 2
_LENGTH_DELIMITED = 2


def not_a_model(content: bytes) -> str | None:
    """Why the bytes are no ONNX model, as the end of a sentence; None when they are one, as far as this looks."""
    what = seems_to_be(content)
    if what is not None:
        return f'it seems to be {what}'
    try:
        numbers = {number for number, _ in fields(memoryview(content))}
    except ValueError as error:
        return f'{error}'
    return None if _GRAPH in numbers else 'it has no graph'


def metadata_fields(metadata: Mapping[str, str]) -> bytes:
    """The texts as they are added to a model's end."""
    return b''.join(
        _field(_METADATA, _field(_KEY, key.encode()) + _field(_VALUE, value.encode()))
        for key, value in metadata.items()
    )


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
