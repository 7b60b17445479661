# SPDX-License-Identifier: Apache-2.0
"""By how much the stamps of a camera are off, from a lamp in its picture that is switched at times that are known.

The lamp is switched at random times, so that nothing periodic in the picture can be taken for it. Its place is where
the brightness follows the switching best, and the offset is the one at which it does: `stamp + offset` is when the
light fell on the sensor, in the middle of the exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Cells of a 1080p picture are 30x30 pixels: a light-emitting diode of 5x5 changes the mean of one by some levels.
_COLUMNS, _ROWS = 64, 36
_COARSE_NS, _FINE_NS = 4_000_000, 500_000
# A sender that stamps after x264 with its defaults is 0.28 s late at 30 Hz, and at 10 Hz three times that.
_SEARCHED_NS = 1_500_000_000
_LEAST_FRAMES, _LEAST_SWITCHES = 30, 8
# Of a lamp that is seen well the brightness follows the switching with 0.96 and more; of a picture without one, the
# best of 2304 cells at 751 offsets came to 0.35 in 10 s at 30 Hz, and to 0.5 at 10 Hz (noise alone, 20 times).
_SEEN = 0.7
# What is this close to the best agreement is as good: switches fall between pictures.
_AS_GOOD = 0.01
_PARTS = 4


@dataclass(frozen=True, slots=True)
class LampSwitch:
    """The lamp was switched at a time of the ROS clock."""

    at_ns: int
    lit: bool


@dataclass(frozen=True, slots=True)
class BlinkDelay:
    """What came of it.

    Attributes:
        offset_ns: to add to the stamps.
        uncertainty_ns: half of what the quarters of the measurement differ by.
        agreement: 0 to 1, how well the brightness followed.
        place: of the lamp in the picture, 0 to 1 from its top left corner, right and down.
    """

    offset_ns: int
    uncertainty_ns: int
    agreement: float
    place: tuple[float, float]


class BlinkWatch:
    """Sees the pictures while the lamp is switched; keeps their brightness cell by cell."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._cells: list[NDArray[np.float32]] = []

    def see(self, image: NDArray[Any], stamp_ns: int) -> None:
        """The next picture, of whatever encoding."""
        small = cv2.resize(image, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
        self._cells.append((small if small.ndim == 2 else small.mean(axis=2)).ravel())
        self._stamps.append(stamp_ns)

    def delay(self, switches: Sequence[LampSwitch]) -> BlinkDelay | None:
        """The offset; None where no place of the picture follows the lamp.

        Args:
            switches: in the order of time, with the state of the lamp before the first of them its opposite.
        """
        if len(self._stamps) < _LEAST_FRAMES or len(switches) < _LEAST_SWITCHES:
            return None
        stamps, cells = np.array(self._stamps), np.stack(self._cells)
        coarse = np.arange(-_SEARCHED_NS, _SEARCHED_NS + 1, _COARSE_NS)
        agreements = _agreements(stamps, cells, switches, coarse)
        where = np.unravel_index(int(np.argmax(agreements)), agreements.shape)
        if agreements[where] < _SEEN:
            return None
        # All cells that the lamp lights, for less noise.
        follow = agreements[where[0]] >= max(_SEEN, 0.9 * agreements[where])
        brightness = _standard(cells[:, follow]).mean(axis=1, keepdims=True)
        near = coarse[where[0]]
        offset_ns, agreement = _best(stamps, brightness, switches, near)
        parts = [
            _best(stamps[part], brightness[part], switches, near)
            for part in np.array_split(np.arange(len(stamps)), _PARTS)
            if len(part) >= _LEAST_FRAMES // _PARTS
        ]
        spread_ns = max(each for each, _ in parts) - min(each for each, _ in parts)
        cell = int(where[1])
        place = ((cell % _COLUMNS + 0.5) / _COLUMNS, (cell // _COLUMNS + 0.5) / _ROWS)
        return BlinkDelay(offset_ns, spread_ns // 2, agreement, place)


def _best(
    stamps: NDArray[np.int64], brightness: NDArray[np.floating[Any]], switches: Sequence[LampSwitch], near_ns: int
) -> tuple[int, float]:
    """The middle of the offsets that agree best, and how well they do."""
    offsets = np.arange(near_ns - 30 * _COARSE_NS, near_ns + 30 * _COARSE_NS + 1, _FINE_NS)
    agreements = _agreements(stamps, brightness, switches, offsets)[:, 0]
    best = float(agreements.max())
    # Weighted beyond what is as good as nothing: the agreement falls off to both sides alike.
    weights = np.clip(agreements - (1.0 - _AS_GOOD) * best, 0.0, None)
    return round(float((offsets * weights).sum() / weights.sum())), best


def _agreements(
    stamps: NDArray[np.int64],
    cells: NDArray[np.floating[Any]],
    switches: Sequence[LampSwitch],
    offsets: NDArray[np.int64],
) -> NDArray[np.floating[Any]]:
    """Correlation of each cell (columns) with the lamp at each offset (rows)."""
    times = np.array([switch.at_ns for switch in switches])
    states = np.array([not switches[0].lit, *(switch.lit for switch in switches)], np.float32)
    lit = states[np.searchsorted(times, stamps[np.newaxis, :] + offsets[:, np.newaxis], side='right')]
    agreement: NDArray[np.floating[Any]] = _standard(lit.T).T @ _standard(cells) / len(stamps)
    return agreement


def _standard(columns: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Each column with mean 0 and variance 1; one that does not change is 0."""
    centred = columns - columns.mean(axis=0)
    spread = centred.std(axis=0)
    standard: NDArray[np.floating[Any]] = centred / np.where(spread > 1e-6, spread, np.inf)
    return standard
