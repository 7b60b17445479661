# SPDX-License-Identifier: Apache-2.0
"""Notices that the picture does not move although the camera turns: it is frozen, and nothing may be followed in it.

A camera's or an encoder's fault that cannot be told from a still scene by looking at it alone, so the camera node waits
for seconds. Whoever follows must not: the target stays where it is in the picture, and the gimbal turns for ever. That
the camera turns, and how far, is what the tracker knows. Of a picture that is cut into tiles, each tile with something
in it says whether it is more like what was there before, or like what should have moved there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_tracker.tracking.camera_motion import ImageMotion, move_points

# The pictures are looked at as small ones of about this width: every fourth pixel of 640.
_WIDTH = 160
_COLUMNS, _ROWS = 6, 4
# How far what stands still should have moved in the small picture, for it to show beside its neighbours' likeness.
_LEAST_SHIFT = 2.0
_LEAST_NS, _LONGEST_NS = 150_000_000, 700_000_000
_REMEMBERED = 48
# A tile is still where it is so many grey levels, and twice, more like itself than like what should be there. An
# encoder that is fed one picture with noise of three levels gives pictures that differ by one.
_CLEAR_LEVELS, _CLEAR_RATIO = 1.5, 0.5
# So many tiles, so that a caption or the mount in a corner before an empty sky is no frozen picture, ...
_LEAST_STILL = 5
# ... and one of so many that moved as it should says that it is none.
_MOST_MOVED_SHARE = 0.1
# A picture that has thawed is another than the frozen one; where it is not, it is tried again after a while.
_THAWED_LEVELS, _THAWED_SHARE = 3.0, 0.25
_TRIED_AGAIN_NS = 3_000_000_000


class FrozenView:
    """Takes the pictures as they come, and judges each with what is known of the camera's motion."""

    def __init__(self) -> None:
        self._pictures: TimedHistory[tuple[int, NDArray[Any]]] = TimedHistory(most=_REMEMBERED)
        self._still_since_ns: int | None = None
        self._frozen: tuple[int, NDArray[Any]] | None = None

    def clear(self) -> None:
        """What was seen before says nothing about what comes."""
        self._pictures.clear()
        self._still_since_ns = self._frozen = None

    def see(self, image: NDArray[Any], stamp_ns: int) -> None:
        """Take the next picture: (H, W) or (H, W, C)."""
        step = max(1, round(image.shape[1] / _WIDTH))
        small = image[::step, ::step]
        grey = small if small.ndim == 2 else small[..., 1 if small.shape[2] > 1 else 0]
        before = self._pictures.newest
        if before is not None and before[1].shape != grey.shape:
            self.clear()
        self._pictures.put(stamp_ns, (step, grey.astype(np.float32)))

    def judge(
        self,
        stamp_ns: int,
        boxes_px: Array,
        motion_since: Callable[[int], ImageMotion | None],
        longest_silence_ns: Callable[[int, int], int],
    ) -> bool:
        """Whether the picture of that stamp is frozen.

        What is said of the motion inside a gap of the telemetry is a guess: a gimbal that starts at the gap's end is
        taken to have turned throughout. So the picture has to stay the same for longer than the longest of these gaps.

        Args:
            stamp_ns: of a picture that was seen.
            boxes_px: (N, 4) of what may move by itself, in source pixels.
            motion_since: from the picture of an earlier stamp to this one; None where nothing tells.
            longest_silence_ns: the longest time without telemetry from one stamp to a later one.
        """
        now = self._pictures.exactly(stamp_ns)
        if now is None:
            return self._frozen is not None
        step, picture = now
        if self._frozen is not None:
            self._look_for_a_thaw(stamp_ns, picture)
        still, moved = self._votes(stamp_ns, step, picture, boxes_px, motion_since)
        if still >= _LEAST_STILL and moved <= _MOST_MOVED_SHARE * still:
            if self._still_since_ns is None:
                self._still_since_ns = stamp_ns
            elif stamp_ns - self._still_since_ns > longest_silence_ns(self._still_since_ns - _LONGEST_NS, stamp_ns):
                self._frozen = stamp_ns, picture
        elif still + moved:
            self._still_since_ns = None
        return self._frozen is not None

    def _look_for_a_thaw(self, stamp_ns: int, picture: NDArray[Any]) -> None:
        assert self._frozen is not None
        since_ns, before = self._frozen
        other = [np.abs(picture[tile] - before[tile]).mean() > _THAWED_LEVELS for tile, _ in _tiles(picture.shape)]
        if np.mean(other) >= _THAWED_SHARE or not 0 <= stamp_ns - since_ns < _TRIED_AGAIN_NS:
            self._still_since_ns = self._frozen = None

    def _votes(
        self,
        stamp_ns: int,
        step: int,
        picture: NDArray[Any],
        boxes_px: Array,
        motion_since: Callable[[int], ImageMotion | None],
    ) -> tuple[int, int]:
        """How many tiles stayed, and how many moved as they should."""
        tiles = list(_tiles(picture.shape))
        centres_px = np.array([centre for _, centre in tiles]) * step
        for before_ns, (_, before) in reversed(self._pictures):
            if stamp_ns - before_ns < _LEAST_NS:
                continue
            if stamp_ns - before_ns > _LONGEST_NS:
                break
            motion = motion_since(before_ns)
            if motion is None:
                break
            shifts = (move_points(centres_px, motion)[0] - centres_px) / step
            if not np.isfinite(shifts).all() or np.abs(shifts).max(axis=1).min() < _LEAST_SHIFT:
                continue
            still = moved = 0
            for (tile, centre), shift in zip(tiles, shifts, strict=True):
                vote = _vote(picture, before, tile, np.round(shift).astype(int))
                if vote and not _within_any(centre * step, boxes_px):
                    still, moved = still + (vote < 0), moved + (vote > 0)
            return still, moved
        return 0, 0


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Each with its centre, x and y, in the small picture."""
    rows = np.linspace(0, shape[0], _ROWS + 1).astype(int)
    columns = np.linspace(0, shape[1], _COLUMNS + 1).astype(int)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield (slice(top, bottom), slice(left, right)), np.array([left + right, top + bottom]) / 2


def _vote(picture: NDArray[Any], before: NDArray[Any], tile: tuple[slice, slice], shift: NDArray[Any]) -> int:
    """-1 for a tile that stayed, 1 for one that moved by that shift (x, y), 0 for one that does not tell."""
    rows, columns = (
        slice(part.start - int(by), part.stop - int(by)) for part, by in zip(tile, shift[::-1], strict=True)
    )
    if rows.start < 0 or columns.start < 0 or rows.stop > picture.shape[0] or columns.stop > picture.shape[1]:
        return 0
    now = picture[tile]
    unlike_itself = float(np.abs(now - before[tile]).mean())
    unlike_expected = float(np.abs(now - before[rows, columns]).mean())
    low, high = sorted((unlike_itself, unlike_expected))
    if high - low < _CLEAR_LEVELS or low > _CLEAR_RATIO * high:
        return 0
    return -1 if unlike_itself < unlike_expected else 1


def _within_any(point_px: Array, boxes_px: Array) -> bool:
    boxes = boxes_px[np.isfinite(boxes_px).all(axis=1)]
    return bool(((boxes[:, :2] <= point_px) & (point_px <= boxes[:, 2:])).all(axis=1).any())
