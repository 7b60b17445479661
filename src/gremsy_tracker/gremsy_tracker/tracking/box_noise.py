# SPDX-License-Identifier: Apache-2.0
"""How far a detector's box is from the true one: by its size and by its score.

Fitted to 10 725 boxes of a Faster R-CNN against ground truth (four sequences of 2DMOT2015) by
`benchmarks/tracker/box_noise_fit.py`. Without any one of the sequences the shares come out within 7 % of these, the
doubt within 11 %, and the floor between 2.2 and 3.5 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BoxNoise:
    """Standard deviations of a box's centre and size.

    Attributes:
        shares: of centre x, centre y, width and height, as shares of the box's width (x and width) or height, at a
            score of 1.
        doubt: they grow by e to so many times what is missing of a score of 1 (1.8: twice at 0.6).
        floor_px: what is added of the centre whatever the size, and twice that of the size.
    """

    shares: tuple[float, float, float, float] = (0.073, 0.027, 0.157, 0.066)
    doubt: float = 1.8
    floor_px: float = 2.5

    def variance(self, boxes_px: Array, scores: Array) -> Array:
        """(N, 4) px^2 of centre x, centre y, width and height of boxes (N, 4), by their corners, with scores (N,)."""
        size = boxes_px[:, 2:] - boxes_px[:, :2]
        variance = np.concatenate([size, size], axis=1)
        variance *= self.shares
        variance *= np.exp(self.doubt * (1.0 - scores))[:, None]
        variance *= variance
        floor = self.floor_px * self.floor_px
        variance += (floor, floor, 4.0 * floor, 4.0 * floor)
        return variance
