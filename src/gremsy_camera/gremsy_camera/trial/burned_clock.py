# SPDX-License-Identifier: Apache-2.0
"""A clock that is drawn into the picture and read back from it, whatever codec lies between.

Eight rows of eight cells of 16x16 pixels at the top left, white for 1: 52 bits of microseconds since 1970, the highest
first, then a checksum of 12 bits, so that a damaged picture has no time. 16 pixels are a macroblock, so that
no cell's edge falls into another's. Debian's own Python runs the drawing half: it needs the standard library only.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_PX = 16
CELLS_A_SIDE = 8
SIDE_PX = CELL_PX * CELLS_A_SIDE
_TIME_BITS, _CHECK_BITS = 52, 12
_BLACK, _WHITE = 24, 226


def has_room(width: int, height: int) -> bool:
    """Whether the clock fits into such a picture."""
    return width >= SIDE_PX and height >= SIDE_PX


def draw(luma: bytearray, width: int, time_us: int) -> None:
    """Draw the clock into the luma plane, whose rows are `width` bytes long."""
    word = time_us << _CHECK_BITS | _checksum(time_us)
    for row in range(CELLS_A_SIDE):
        line = bytearray()
        for column in range(CELLS_A_SIDE):
            bit = word >> (CELLS_A_SIDE**2 - 1 - row * CELLS_A_SIDE - column) & 1
            line += bytes((_WHITE if bit else _BLACK,)) * CELL_PX
        for y in range(row * CELL_PX, (row + 1) * CELL_PX):
            luma[y * width : y * width + SIDE_PX] = line


def read(image: NDArray[Any]) -> int | None:
    """Microseconds since 1970 from a `bgr8` or `mono8` picture; None where none, or a damaged one, stands in it."""
    if not has_room(image.shape[1], image.shape[0]):
        return None
    clock = image[:SIDE_PX, :SIDE_PX].astype(float)
    grey = clock if clock.ndim == 2 else clock.mean(axis=2)
    cells = grey.reshape(CELLS_A_SIDE, CELL_PX, CELLS_A_SIDE, CELL_PX).mean(axis=(1, 3)).ravel()
    word = 0
    for level in cells:
        word = word << 1 | int(level > (_BLACK + _WHITE) / 2)
    return time_of_word(word)


def time_of_word(word: int) -> int | None:
    """Microseconds since 1970 from the 64 bits that the cells stand for; None where the checksum is another."""
    time_us, check = word >> _CHECK_BITS, word & (1 << _CHECK_BITS) - 1
    return time_us if check == _checksum(time_us) else None


def _checksum(time_us: int) -> int:
    return zlib.crc32(time_us.to_bytes(8, 'big')) & (1 << _CHECK_BITS) - 1
