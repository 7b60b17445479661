# SPDX-License-Identifier: Apache-2.0
"""The trackers that are compared, each behind the same call: boxes and scores of a picture in, boxes and ids out.

What the call costs includes making each tracker's own input type and reading its own output type, since a user has to.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.detections import Detections
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.box_filter import BoxNoise
from gremsy_tracker.tracking.multi_object_tracker import MultiObjectTracker

Array = NDArray[np.float64]
Ids = NDArray[np.int64]
Answer = tuple[Array, Ids]

OURS = 'gremsy'
_ROBOFLOW = {
    'trackers_sort': 'SORTTracker',
    'trackers_bytetrack': 'ByteTrackTracker',
    'trackers_ocsort': 'OCSORTTracker',
    'trackers_cbiou': 'CBIoUTracker',
    'trackers_botsort': 'BoTSORTTracker',
}


class Contestant(Protocol):
    """One tracker at the beginning of one sequence."""

    def __call__(self, stamp_ns: int, boxes_px: Array, scores: Array, after_from_before: Array | None) -> Answer:
        """Boxes (K, 4) and ids (K,) of the confirmed tracks that are in this picture."""


class Ours:
    """`MultiObjectTracker` as the node runs it, unless set otherwise."""

    def __init__(self, parameters: TrackerParameters | None = None, noise: BoxNoise | None = None) -> None:
        self._tracker = MultiObjectTracker(parameters or TrackerParameters(), noise)
        self._labels = np.full(4096, 'person')  # a detector of one class makes them once, too

    def __call__(self, stamp_ns: int, boxes_px: Array, scores: Array, after_from_before: Array | None) -> Answer:
        labels = self._labels[: len(boxes_px)]
        tracks = self._tracker.update(
            Detections(stamp_ns, 'optical', boxes_px, scores, labels), after_from_before=after_from_before
        )
        assert tracks is not None
        return tracks.boxes_px, tracks.ids


class Roboflow:
    """A tracker of `trackers`, which speaks supervision.Detections; it is given no pictures, as we are not."""

    def __init__(self, name: str) -> None:
        self._detections = import_module('supervision').Detections
        kind = getattr(import_module('trackers'), _ROBOFLOW[name])
        # BoT-SORT without its optical flow: that would need the pictures, which synthetic boxes do not have.
        self._tracker: Any = kind(enable_cmc=False) if name == 'trackers_botsort' else kind()

    def __call__(self, stamp_ns: int, boxes_px: Array, scores: Array, after_from_before: Array | None) -> Answer:
        del stamp_ns, after_from_before  # it counts pictures and knows nothing of the camera
        seen = self._detections(xyxy=boxes_px, confidence=scores, class_id=np.zeros(len(boxes_px), dtype=np.int64))
        found = self._tracker.update(seen)
        if found.tracker_id is None or not len(found):
            return np.zeros((0, 4)), np.zeros(0, dtype=np.int64)
        known = found.tracker_id >= 0
        return found.xyxy[known], found.tracker_id[known].astype(np.int64)


class Norfair:
    """norfair with the faster of its two overlap distances; the threshold, which has no default, is its examples'."""

    def __init__(self) -> None:
        norfair = import_module('norfair')
        self._detection = norfair.Detection
        self._tracker: Any = norfair.Tracker(distance_function='iou_opt', distance_threshold=0.7)

    def __call__(self, stamp_ns: int, boxes_px: Array, scores: Array, after_from_before: Array | None) -> Answer:
        del stamp_ns, after_from_before  # it counts pictures and knows nothing of the camera
        seen = [
            self._detection(points=box.reshape(2, 2), scores=np.array([score, score]))
            for box, score in zip(boxes_px, scores, strict=True)
        ]
        # It also hands out tracks that were not seen in this picture; like the others, only those that were count.
        now = set(map(id, seen))
        found = [each for each in self._tracker.update(seen) if id(each.last_detection) in now]
        boxes = np.array([each.estimate.reshape(4) for each in found]).reshape(-1, 4)
        return boxes, np.array([each.id for each in found], dtype=np.int64)


def contestants() -> dict[str, Callable[[], Contestant]]:
    """A maker of each tracker, ours first; a peer that this installation's `trackers` does not have is left out."""
    warnings.filterwarnings('ignore', module='supervision|trackers|norfair')
    trackers = import_module('trackers')
    made: dict[str, Callable[[], Contestant]] = {OURS: Ours}
    for name, kind in _ROBOFLOW.items():
        if hasattr(trackers, kind):
            made[name] = lambda name=name: Roboflow(name)  # type: ignore[misc]
    made['norfair'] = Norfair
    return made


def versions() -> Iterator[tuple[str, str]]:
    """Of what was compared and what judged it."""
    for package in ('trackers', 'supervision', 'norfair', 'trackeval', 'motmetrics', 'numpy', 'scipy'):
        yield package, version(package)
