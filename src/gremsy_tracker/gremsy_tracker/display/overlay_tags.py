# SPDX-License-Identifier: Apache-2.0
"""Where a box's name goes: beside its box, inside the picture, on no other name and not on the state bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class TagPlacer:
    """Hands out places, first come, first served: ask for the most important box first.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        taken: (4,) x_min, y_min, x_max, y_max of what is covered already, px.
    """

    def __init__(self, width: int, height: int, taken: Array) -> None:
        self._limits = np.array([0.0, taken[3], width, height])
        self._taken = [taken]

    def place(self, box_px: Array, size_px: tuple[float, float], *, always: bool = False) -> Array | None:
        """(4,) of a tag of that size for a box (4,), None where every place is taken (unless `always`)."""
        width, height = size_px
        x0, y0, x1, y1 = box_px.tolist()
        # Above and below, flush with either side, then within: where people look for it first.
        corners = np.array(
            [
                [x0, y0 - height],
                [x0, y1],
                [x1 - width, y0 - height],
                [x1 - width, y1],
                [x0, y0],
                [x0, y1 - height],
            ]
        )
        # A box half outside keeps its tag in sight.
        least, most = self._limits[:2], np.maximum(self._limits[:2], self._limits[2:] - np.array([width, height]))
        inside = np.clip(corners, least, most)
        moved = np.abs(inside - corners)
        places = np.concatenate([inside, inside + np.array([width, height])], axis=1)
        taken = np.array(self._taken)
        over = (places[:, None, :2] < taken[None, :, 2:]) & (places[:, None, 2:] > taken[None, :, :2])
        free = ~np.any(np.all(over, axis=2), axis=1) & (places[:, 3] <= self._limits[3])
        # Above the picture's top is not above the box: pushed down, the tag would hide it. Sideways is no harm.
        best = free & (moved[:, 1] < 0.5)
        if not free.any() and not always:
            return None
        found: Array = places[int(np.argmax(best if best.any() else free))]
        self._taken.append(found)
        return found
