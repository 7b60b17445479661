# SPDX-License-Identifier: Apache-2.0
"""Walks the fields of a Protocol Buffers message that nobody trusts; knows the wire format and no message.

The format (protobuf.dev/programming-guides/encoding) is a sequence of fields: a varint with number and wire type, then
a varint, 8 bytes, 4 bytes, or a length and as many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10


class TruncatedError(ValueError):
    """A field ends behind the message: `missing` bytes are not there."""

    def __init__(self, missing: int) -> None:
        super().__init__(f'{missing} byte{" is" if missing == 1 else "s are"} missing')
        self.missing = missing


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of every field: an int for varints, else the field's bytes.

    Raises:
        TruncatedError: when the last field is longer than the message.
        ValueError: when it is no such message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise ValueError(f'it has a field number {number}')
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _LENGTH:
            length, at = _varint(message, at)
        elif wire_type == _EIGHT_BYTES:
            length = 8
        elif wire_type == _FOUR_BYTES:
            length = 4
        else:
            raise ValueError(f'it has a wire type {wire_type}')
        if at + length > end:
            raise TruncatedError(at + length - end)
        yield number, message[at : at + length]
        at += length


def parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The bytes of every field of that number: a message, a text; a field of another kind is stepped over.

    Raises:
        ValueError: as `fields`.
    """
    return (value for number, value in fields(message) if number == wanted and isinstance(value, memoryview))


def text(message: memoryview, wanted: int) -> str:
    """The last text of that number, empty for none; raises as `fields`."""
    return ([''] + [bytes(part).decode(errors='replace') for part in parts(message, wanted)])[-1]


def signed(value: int) -> int:
    """A varint of type int64 as the negative number that it may be."""
    return value - (1 << 64) if value >= 1 << 63 else value


def packed_or_single(value: int | memoryview) -> list[int]:
    """The numbers of a repeated int64 field, whichever of its two forms it comes in."""
    if isinstance(value, int):
        return [signed(value)]
    numbers = []
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(signed(number))
    return numbers


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Its value, and where the next byte is."""
    value = 0
    for position in range(_LONGEST_VARINT):
        if at + position >= len(message):
            raise TruncatedError(1)
        byte = message[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + position + 1
    raise ValueError('it has a number of more than 10 bytes')
