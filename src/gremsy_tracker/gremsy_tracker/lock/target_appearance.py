# SPDX-License-Identifier: Apache-2.0
"""Compares the tracks of an image with what the target has looked like, and learns that while nothing is in its way."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from gremsy_common.boxes import intersection_over_union
from gremsy_common.geometry import Array
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame
from gremsy_tracker.lock.appearance import AppearanceModel, signatures
from gremsy_tracker.tracker_parameters import TrackerParameters

# Enough for a crowd round the target; more would only cost time.
_MOST_COMPARED = 16
# A box that overlaps another's by more shows both.
_CLEAR_OVERLAP = 0.05
# What it looks like is known after so many clear sightings.
_SIGHTINGS_TO_KNOW = 5
# Larger pictures are kept as every second, third ... pixel: colours are sampled, not read.
_WIDEST_PX = 800
_PICTURES_KEPT = 24


class FrameHistory:
    """The last pictures, small, by stamp; the newest 24 (0.8 s at 30 per second).

    A picture's detections come some frames after the picture.
    A picture that is small enough is kept by reference, which the transport allows: nobody changes a frame.
    """

    def __init__(self) -> None:
        self._images: TimedHistory[tuple[NDArray[np.uint8], int]] = TimedHistory(most=_PICTURES_KEPT)

    def offer(self, stamp_ns: int, image: NDArray[np.uint8]) -> None:
        """One more picture."""
        step = -(-max(image.shape[:2]) // _WIDEST_PX)
        if step > 1:
            image = np.ascontiguousarray(image[::step, ::step])
        self._images.put(stamp_ns, (image, step))

    def at(self, stamp_ns: int) -> tuple[NDArray[np.uint8], int] | None:
        """The picture of that stamp, and of how many pixels one was kept, by row and by column; None if it is gone."""
        return self._images.exactly(stamp_ns)

    def forget_before(self, stamp_ns: int) -> None:
        """Pictures older than that are needed no more."""
        self._images.forget_before(stamp_ns)

    def clear(self) -> None:
        """Keep nothing."""
        self._images.clear()


class TargetAppearance:
    """One target's looks, and the pictures that are still to be searched.

    Attributes:
        counts: `looks_without_picture`: how often the picture of a stamp was not there (any more).
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self.counts: Counter[str] = Counter()
        self._frames = FrameHistory()
        self._model = AppearanceModel()
        self._looks_before: dict[int, float] = {}  # by track
        self._looked_ns: int | None = None

    @property
    def known(self) -> bool:
        """Whether it was seen often enough to be compared."""
        return self._model.sightings >= _SIGHTINGS_TO_KNOW

    def forget_target(self) -> None:
        """It is another one from now on."""
        self._model.clear()
        self._looks_before.clear()
        self._looked_ns = None

    def forget_pictures(self) -> None:
        """Stamps mean nothing any more, or no target is looked for."""
        self._frames.clear()

    def offer_frame(self, frame: Frame) -> None:
        """A picture whose detections are still to come."""
        self._frames.offer(frame.stamp_ns, frame.image)

    def looks(self, tracks: Tracks, which: NDArray[np.bool_], near: Array) -> Array | None:
        """(N,) distance of each track's colours from the target's.

        Args:
            tracks: of one image.
            which: (N,) those that matter; the others are NaN.
            near: (N,) of more than 16 those with the least are compared.

        Returns:
            None where the target's looks are not known, or the picture is gone.
        """
        rows = np.flatnonzero(which)
        if not self.known or not len(rows):
            return None
        if len(rows) > _MOST_COMPARED:
            rows = rows[np.argsort(near[rows], kind='stable')[:_MOST_COMPARED]]
        seen = self._signatures(tracks, rows)
        distances = None if seen is None else self._model.distances(seen)
        if distances is None:
            return None
        looks = np.full(len(tracks), np.nan)
        looks[rows] = distances
        return looks

    def keep_looks(self, tracks: Tracks, looks: Array | None) -> None:
        """What `looks` found in an image, for the next; None for nothing."""
        self._looked_ns = tracks.stamp_ns
        self._looks_before = {} if looks is None else dict(zip(tracks.ids.tolist(), looks.tolist(), strict=True))

    def looked_at(self, stamp_ns: int) -> bool:
        """Whether the looks that were kept last are of that image."""
        return self._looked_ns == stamp_ns

    def looks_before(self, tracks: Tracks) -> Array | None:
        """(N,) the distances that were kept of these tracks, NaN for one that was not there; None for none."""
        if not self._looks_before:
            return None
        return np.array([self._looks_before.get(each, math.nan) for each in tracks.ids.tolist()])

    def learn(self, tracks: Tracks, row: int, image_size_px: tuple[int, int] | None) -> None:
        """That row is the target: remember what it looks like, if its box shows nobody else and all of it."""
        box = tracks.boxes_px[row]
        if tracks.scores[row] < self.parameters.high_score:
            return
        others = np.delete(tracks.boxes_px, row, axis=0)
        if len(others) and intersection_over_union(box[None], others).max() > _CLEAR_OVERLAP:
            return
        if image_size_px is not None and not bool((box[:2] >= 0).all() and (box[2:] <= image_size_px).all()):
            return
        seen = self._signatures(tracks, np.array([row]))
        if seen is None:
            return
        if self.known:
            distances = self._model.distances(seen)
            # Half behind a post, it looks like the post: that is not to be learned.
            if distances is not None and distances[0] > self.parameters.unlike_distance:
                return
        self._model.learn(seen[0])

    def _signatures(self, tracks: Tracks, rows: NDArray[np.intp]) -> Array | None:
        self._frames.forget_before(tracks.stamp_ns)
        kept = self._frames.at(tracks.stamp_ns)
        if kept is None:
            self.counts['looks_without_picture'] += 1
            return None
        image, step = kept
        return signatures(image, tracks.boxes_px[rows] / step)
