# SPDX-License-Identifier: Apache-2.0
"""What one update costs, ours and the peers', in turns so that a busy moment of the machine hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracker.tracker_contestants import Contestant

Array = NDArray[np.float64]

# Boxes, and how many pictures are timed: a peer takes most of a second for one picture of 300.
PICTURES_OF_SIZE = {1: 400, 10: 300, 50: 150, 100: 60, 300: 12}
_WARM_UP = 5
_RATE_HZ = 30.0


def update_ms(
    makers: dict[str, Callable[[], Contestant]], pictures_of_size: dict[int, int] | None = None
) -> dict[str, dict[str, float]]:
    """Size -> tracker -> median ms of an update, after warming up."""
    wanted = PICTURES_OF_SIZE if pictures_of_size is None else pictures_of_size
    return {str(size): _medians(makers, crowd(size, pictures + _WARM_UP)) for size, pictures in wanted.items()}


def crowd(size: int, pictures: int) -> list[tuple[Array, Array]]:
    """Boxes (size, 4) and scores of so many walkers in a picture as large as they need; 4 % are missed each time."""
    random = np.random.default_rng(size)
    width = 300.0 * np.sqrt(size)
    centre = random.uniform(60.0, width, (size, 2))
    velocity = random.normal(0.0, 2.0, (size, 2))
    half = np.array([1.0, 2.5]) * random.uniform(15.0, 40.0, (size, 1)) / 2
    made = []
    for _ in range(pictures):
        centre = centre + velocity
        velocity = np.where((centre < 0) | (centre > width), -velocity, velocity)
        boxes = np.concatenate([centre - half, centre + half], axis=1) + random.normal(0.0, 1.0, (size, 4))
        seen = random.random(size) >= 0.04 if size > 1 else np.ones(1, dtype=bool)
        made.append((boxes[seen], random.uniform(0.3, 0.95, int(seen.sum()))))
    return made


def _medians(makers: dict[str, Callable[[], Contestant]], inputs: list[tuple[Array, Array]]) -> dict[str, float]:
    playing = {name: maker() for name, maker in makers.items()}
    took_s: dict[str, list[float]] = {name: [] for name in playing}
    gc.collect()
    gc.disable()  # a collection would fall on one of them by chance
    try:
        for number, (boxes, scores) in enumerate(inputs):
            stamp_ns = 10**18 + round(number / _RATE_HZ * 1e9)
            for name, contestant in playing.items():
                own_boxes, own_scores = boxes.copy(), scores.copy()
                began_s = time.perf_counter()
                contestant(stamp_ns, own_boxes, own_scores, None)
                took_s[name].append(time.perf_counter() - began_s)
    finally:
        gc.enable()
    return {name: round(1e3 * median(each[_WARM_UP:]), 4) for name, each in took_s.items()}
