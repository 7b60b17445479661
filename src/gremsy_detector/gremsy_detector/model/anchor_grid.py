# SPDX-License-Identifier: Apache-2.0
"""The grids of cells that a one-stage network answers on: one for each stride, finest first, row by row.

A stride that does not divide the input leaves a cell at its end (3x3 convolutions of stride 2 with padding round up):
416 pixels at stride 64 are 7 cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# YOLOX and RTMDet have three levels; YOLOX' P6 variants and NanoDet-Plus a fourth.
_KNOWN_STRIDES_PX = ((8, 16, 32), (8, 16, 32, 64))


def strides_of(cell_count: int, width_px: int, height_px: int) -> tuple[int, ...] | None:
    """Which strides make so many cells on an input of that size; None where no known ones do."""
    for strides_px in _KNOWN_STRIDES_PX:
        if sum(columns * rows for columns, rows in _levels(strides_px, width_px, height_px)) == cell_count:
            return strides_px
    return None


def cells(
    indices: NDArray[np.intp], strides_px: tuple[int, ...], width_px: int, height_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Column, row and stride of the cells with these indices."""
    levels = _levels(strides_px, width_px, height_px)
    ends = np.cumsum([columns * rows for columns, rows in levels])
    level = np.searchsorted(ends, indices, side='right')
    within = indices - np.concatenate([[0], ends])[level]
    rows, columns = np.divmod(within, np.array([columns for columns, _ in levels])[level])
    strides = np.array(strides_px, np.float32)[level]
    return columns.astype(np.float32), rows.astype(np.float32), strides


def _levels(strides_px: tuple[int, ...], width_px: int, height_px: int) -> list[tuple[int, int]]:
    """Columns and rows of each."""
    return [(-(-width_px // stride), -(-height_px // stride)) for stride in strides_px]
