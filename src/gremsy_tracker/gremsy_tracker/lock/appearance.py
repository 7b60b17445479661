# SPDX-License-Identifier: Apache-2.0
"""What an object looks like, so that it is known again: colours of its upper and its lower half.

A box is sampled on a grid of fixed size, so the cost does not depend on the picture's; the samples' lightness and two
colour axes (CIELAB, in which equal steps look about equal) are counted in histograms of the two halves, compared by
the Bhattacharyya coefficient (Comaniciu, Ramesh & Meer, "Kernel-based object tracking", PAMI 2003). Colour only, no
network: it tells a black coat from a blue one, not two black coats.

On vtest.avi, people of the reference against their own sightings of the 5 s before: median distance 0.05, 95 % below
0.10; against other people: median 0.21, 95 % above 0.09.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array

_ROWS, _COLUMNS = 32, 12
# Of the box's width and height: its sides are background, its top is hair and its end the street, for everybody alike.
_ACROSS, _DOWN = (0.2, 0.8), (0.08, 0.92)
_HALVES = 2
_BINS = 16
# Where values lie in OpenCV's 8-bit L, a, b: lightness uses all of it, clothes' colours the middle.
_LOWEST = np.array([0.0, 104.0, 98.0])
_WIDTH = np.array([256.0, 48.0, 60.0])
# A model is the mean of so many sightings, later ones replace it by this share: 1.5 s at 20 images a second.
_REMEMBERED = 30


def signatures(image: NDArray[np.uint8], boxes_px: Array) -> Array:
    """(N, 2 halves, 3 or 1 channels, 16) histograms, each of sum 1, of boxes (N, 4) given by their corners.

    Args:
        image: (height, width, 3) BGR or (height, width) mono; a mono image has the lightness channel only.
        boxes_px: may lie partly or wholly outside; the nearest pixels count there.
    """
    samples = _samples(image, boxes_px)
    if image.ndim == 2:
        lab, lowest, width = samples[..., None], _LOWEST[:1], _WIDTH[:1]
    else:
        flat = np.ascontiguousarray(samples.reshape(-1, _COLUMNS, 3))
        lab = np.asarray(cv2.cvtColor(flat, cv2.COLOR_BGR2LAB), dtype=np.uint8) if len(flat) else flat
        lab = lab.reshape(samples.shape)
        lowest, width = _LOWEST, _WIDTH
    count, channels = len(boxes_px), lab.shape[-1]
    bins = np.clip(((lab - lowest) * (_BINS / width)).astype(np.intp), 0, _BINS - 1)
    # Every (box, half, channel) counts in bins of its own.
    by_half = bins.reshape(count, _HALVES, _ROWS // _HALVES * _COLUMNS, channels).swapaxes(2, 3)
    by_half = by_half + _BINS * np.arange(count * _HALVES * channels).reshape(count, _HALVES, channels, 1)
    counts = np.bincount(by_half.ravel(), minlength=count * _HALVES * channels * _BINS)
    return counts.reshape(count, _HALVES, channels, _BINS) / (_ROWS * _COLUMNS / _HALVES)


class AppearanceModel:
    """What one object has looked like of late."""

    def __init__(self) -> None:
        self._mean: Array | None = None
        self._sightings = 0

    @property
    def sightings(self) -> int:
        """How many it has learned from."""
        return self._sightings

    def clear(self) -> None:
        """Know nothing."""
        self._mean, self._sightings = None, 0

    def learn(self, signature: Array) -> None:
        """One more sighting: a row of `signatures`."""
        if self._mean is None or self._mean.shape != signature.shape:
            self._mean, self._sightings = signature.copy(), 1
            return
        self._sightings += 1
        self._mean += (signature - self._mean) / min(self._sightings, _REMEMBERED)

    def distances(self, seen: Array) -> Array | None:
        """(N,) in [0, 1], 0 for the same colours, of rows of `signatures`; None while nothing comparable is known."""
        if self._mean is None or self._mean.shape != seen.shape[1:]:
            return None
        return np.asarray(1.0 - np.sqrt(seen * self._mean).sum(axis=-1).mean(axis=(1, 2)))


def _samples(image: NDArray[np.uint8], boxes_px: Array) -> NDArray[np.uint8]:
    """(N, rows, columns[, 3]) pixels on the grid."""
    height, width = image.shape[:2]
    across = np.linspace(*_ACROSS, 2 * _COLUMNS + 1)[1::2]
    down = np.linspace(*_DOWN, 2 * _ROWS + 1)[1::2]
    size = boxes_px[:, 2:] - boxes_px[:, :2]
    x = np.clip(boxes_px[:, :1] + size[:, :1] * across, 0, width - 1).astype(np.intp)
    y = np.clip(boxes_px[:, 1:2] + size[:, 1:] * down, 0, height - 1).astype(np.intp)
    return np.asarray(image[y[:, :, None], x[:, None, :]])
