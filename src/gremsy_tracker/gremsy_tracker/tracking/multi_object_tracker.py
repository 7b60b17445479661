# SPDX-License-Identifier: Apache-2.0
"""Detections of one image after the other in, the same with identity out.

Association in two stages by confidence (Zhang et al., "ByteTrack", ECCV 2022): confident detections are matched first,
then the doubtful ones may keep a known track alive but never begin one. Unlike there: they also bring back a track that
was missed, time is in seconds, classes never mix, an empty image ages the tracks, ids belong to this instance, and a
new track is believed by evidence (`UsualScores`) instead of a number of sightings.

What a detection is worth as evidence that something is there: its score beside those of what is known to be there.

A score means something else with every network: a Faster R-CNN gives a clearly seen person 0.98 and false alarms up to
0.9, a small YOLO gives the same person 0.75. So a score counts by how it compares with what established tracks of its
class have had of late.

Of two sets of boxes only the pairs that overlap are looked at, and of these the best one-to-one choice is taken. Boxes
that no tracker should see are left out before: not finite, without area, outside the image, below the lowest score.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gremsy_common.boxes import areas, overlaps_of
from gremsy_common.geometry import Array
from gremsy_common.types.detections import Detections, Tracks
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.box_filter import BoxNoise, BoxStates
from gremsy_tracker.tracking.camera_motion import ImageMotion, move_states

Index = NDArray[np.intp]

# Of so few it takes longer to sort them out than to compute them all.
_FEW_PAIRS = 256
_FIRST, _NONE = np.zeros(1, dtype=np.intp), np.zeros(0, dtype=np.intp)
_FIRST.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Boxes of two sets that overlap, the other pairs left out: of 300 x 300, some hundreds remain.

    Attributes:
        rows, columns: (K,) which box of the first set, and of the second; ascending by row, then column.
        overlap: (K,) intersection over union, above 0.
    """

    rows: Index
    columns: Index
    overlap: Array

    def where(self, mask: NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.rows[mask], self.columns[mask], self.overlap[mask])


def overlapping(a_px: Array, b_px: Array, least: float = 1e-9) -> Pairs:
    """Pairs of boxes (N, 4) and (M, 4), given by their corners, that overlap by at least `least` (above 0)."""
    count = len(b_px)
    if len(a_px) == count == 1:
        overlap = np.array([_overlap_of_two(*a_px[0].tolist(), *b_px[0].tolist())])
        which = _FIRST if overlap[0] >= least else _NONE
        return Pairs(which, which, overlap[which])
    a_areas, b_areas = areas(a_px), areas(b_px)
    if len(a_px) * count <= _FEW_PAIRS:
        overlap = overlaps_of(a_px[:, None], b_px, a_areas[:, None] + b_areas).ravel()
        place = (overlap >= least).nonzero()[0]
        rows = place // max(1, count)
        return Pairs(rows, place - rows * count, overlap[place])
    # Two comparisons on all pairs sort out most of them; the arithmetic is done on what is left.
    near = a_px[:, 0, None] < b_px[:, 2]
    near &= a_px[:, 2, None] > b_px[:, 0]
    # Of a flat array this is several times as fast.
    place = near.ravel().nonzero()[0]
    rows = place // count
    columns = place - rows * count
    overlap = overlaps_of(a_px[rows], b_px[columns], a_areas[rows] + b_areas[columns])
    enough = overlap >= least
    return Pairs(rows[enough], columns[enough], overlap[enough])


def one_to_one(pairs: Pairs) -> tuple[Index, Index]:
    """Rows and columns, in the pairs' order, of the greatest summed overlap in which no box is used twice.

    It is optimal: a pair whose boxes are in no other is in every best choice, and only the rest, where there is
    something to choose, goes to the assignment solver, whose time grows with the cube of the boxes.
    """
    rows, columns = pairs.rows, pairs.columns
    if len(rows) <= 1:
        return rows, columns
    row_count, column_count = np.bincount(rows), np.bincount(columns)
    contested = (row_count[rows] > 1) | (column_count[columns] > 1)
    disputed = contested.nonzero()[0]
    if not len(disputed):
        return rows, columns
    row, column = _compact(rows[disputed], len(row_count)), _compact(columns[disputed], len(column_count))
    worth = np.zeros((int(row.max()) + 1, int(column.max()) + 1))
    number = np.full(worth.shape, -1, dtype=np.intp)
    worth[row, column] = pairs.overlap[disputed]
    number[row, column] = disputed
    chosen = number[linear_sum_assignment(worth, maximize=True)]
    picked = ~contested
    picked[chosen[chosen >= 0]] = True
    return rows[picked], columns[picked]


def _overlap_of_two(
    ax0: float, ay0: float, ax1: float, ay1: float, bx0: float, by0: float, bx1: float, by1: float
) -> float:
    """The same for two boxes: with one person in view, NumPy's calls take ten times as long as these sums."""
    shared = max(min(ax1, bx1) - max(ax0, bx0), 0.0) * max(min(ay1, by1) - max(ay0, by0), 0.0)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared
    return shared / max(union, 1e-12)


def _compact(numbers: Index, limit: int) -> Index:
    """The same numbers, below `limit`, renamed to 0 .. n - 1 in their order."""
    used = np.zeros(limit, dtype=np.intp)
    used[numbers] = 1
    return (np.cumsum(used) - 1)[numbers]


def screen(
    detections: Detections,
    *,
    low_score: float,
    max_detections: int,
    image_size_px: tuple[int, int] | None,
    dropped: Counter[str],
) -> Detections:
    """The usable boxes, in their order; what is left out is counted by reason in `dropped`.

    Args:
        detections: as received.
        low_score: lowest score of use; boxes below are left out, not counted (they are normal).
        max_detections: the best so many are kept.
        image_size_px: (width, height), or None where it is not known; then no box counts as outside.
        dropped: reasons: `boxes_not_finite`, `boxes_without_area`, `boxes_outside_image`, `boxes_beyond_limit`.
    """
    boxes, scores = detections.boxes_px, detections.scores
    if len(boxes) <= max_detections and _all_good(boxes, scores, low_score, image_size_px):
        return detections
    with np.errstate(invalid='ignore'):
        area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # False for NaN, too
        inside: NDArray[np.bool_] = np.ones(len(boxes), dtype=bool)
        if image_size_px is not None:
            inside &= ((boxes[:, 2:] > 0) & (boxes[:, :2] < image_size_px)).all(axis=1)
        keep = area & inside & (scores >= low_score)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    keep &= finite
    for reason, bad in (
        ('boxes_not_finite', ~finite),
        ('boxes_without_area', finite & ~area),
        ('boxes_outside_image', finite & area & ~inside),
    ):
        if bad.any():
            dropped[reason] += int(bad.sum())
    index = np.flatnonzero(keep)
    if len(index) > max_detections:
        dropped['boxes_beyond_limit'] += len(index) - max_detections
        # Stable, so that equal scores keep their order and a replay gives the same ids.
        index = np.sort(index[np.argsort(-scores[index], kind='stable')[:max_detections]])
    if len(index) == len(boxes):
        return detections
    return detections.where(index)


def _all_good(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], low_score: float, image_size_px: tuple[int, int] | None
) -> bool:
    """The usual case, in a third of the array operations; False also where that is not certain."""
    if not len(boxes):
        return True
    low, high = boxes[:, :2], boxes[:, 2:]
    # A comparison with NaN is False; one number that is not finite makes the sum of squares not finite (and a dot
    # product is twice as fast as a sum).
    numbers = boxes.ravel()
    squares = float(numbers @ numbers) + float(scores @ scores)
    if not (scores.min() >= low_score and math.isfinite(squares) and (high > low).all()):
        return False
    return image_size_px is None or bool(high.min() > 0 and (low < image_size_px).all())


# Detections of established tracks, summed over their time, by which the usual score follows (five tracks: in 1 s).
_TIME_CONSTANT_S = 5.0
# A detection of 0.9 of the usual score counts for a fifth of one that has it.
_STEEPNESS = 16.0


class UsualScores:
    """The mean score of each class's established tracks, older ones fading."""

    def __init__(self) -> None:
        self._usual = np.zeros(0)  # by class number, NaN where none was seen yet

    def learn(self, classes: NDArray[np.int64], scores: Array, established: NDArray[np.bool_], dt_s: float) -> None:
        """One picture's detections of tracks.

        Args:
            classes: (N,) number of each one's class, small and from 0.
            scores: (N,) of the detections.
            established: (N,) which are of known tracks and clearly seen; a class that has none yet learns from all.
            dt_s: since the picture before.
        """
        if not len(classes):
            return
        if len(self._usual) == 1 and not classes.any():
            # One class is the usual case, and needs no table.
            usual = float(self._usual[0])
            of = scores if math.isnan(usual) else scores[established]
            self._usual[0] = _followed(usual, len(of), float(of.sum()), dt_s)
            return
        largest = int(classes.max())
        if largest >= len(self._usual):
            self._usual = np.append(self._usual, np.full(largest + 1 - len(self._usual), np.nan))
        new = np.isnan(self._usual)
        taken = established | new[classes]
        if not taken.any():
            return
        count = np.bincount(classes[taken], minlength=len(self._usual))
        total = np.bincount(classes[taken], weights=scores[taken], minlength=len(self._usual))
        self._usual = np.array(
            [_followed(*each, dt_s) for each in zip(self._usual.tolist(), count.tolist(), total.tolist(), strict=True)]
        )

    def worth(self, classes: NDArray[np.int64], scores: Array) -> Array:
        """(N,) in 0..1: 1 for a detection as sure as usual; all of classes that `learn` was given."""
        return np.asarray(np.minimum(scores / self._usual[classes], 1.0) ** _STEEPNESS)


def _followed(usual: float, count: int, total: float, dt_s: float) -> float:
    """A class's usual score after one more picture with so many detections of that summed score."""
    if not count:
        return usual
    if math.isnan(usual):
        return total / count
    return usual - math.expm1(-dt_s / _TIME_CONSTANT_S * count) * (total / count - usual)


# Least overlap of a pair, by stage (the values of ByteTrack's authors; their costs are 1 - overlap); the first is the
# smallest.
_LEAST_OVERLAP_CONFIDENT = 0.2
_LEAST_OVERLAP_DOUBTFUL = 0.5
_LEAST_OVERLAP_NEW = 0.3
# A detection farther (in standard deviations) from where a track is expected is somebody else, however much the boxes
# overlap. Who was missed may come back half hidden, so one edge is enough, but it is then that ids jump to neighbours.
_FARTHEST_CENTRE_IF_SEEN, _FARTHEST_EDGE_IF_MISSED = 3.5, 2.5
# Who overlaps by more is not asked for the distance: nobody else's box is that alike.
_SURELY_NEAR_OVERLAP = 0.8
# A leftover detection that overlaps a better one by more is the same object seen twice.
_DUPLICATE_OVERLAP = 0.6
# An unconfirmed track that is not seen for this long was a false alarm.
_NEW_TRACK_LOST_AFTER_S = 0.3
# A detection is worth the time since the picture before, and this at most: of a longer gap nothing is known, and two
# false alarms of a slow detector are no evidence (10 pictures/s on KITTI-13: 23 switches with 0.1, 9 with 0.04). A miss
# costs a new track this share of the time in which it was not seen.
_LONGEST_STEP_S, _MISS_COSTS = 0.04, 0.75


class MultiObjectTracker:
    """Keeps the identities; deterministic, no clock of its own.

    Attributes:
        dropped: counts by reason of what was not used.
        stamp_ns: of the newest image, None before the first.
    """

    def __init__(self, parameters: TrackerParameters, noise: BoxNoise | None = None) -> None:
        self.parameters = parameters
        self._noise = noise or BoxNoise()
        self.dropped: Counter[str] = Counter()
        self._next_id = 1
        self._class_codes: dict[str, int] = {}
        # Of the image associated last, for the filters: which, with what boxes, of what variance.
        self._measured = np.zeros(0, dtype=np.intp), np.zeros((0, 4)), np.zeros((0, 4))
        self.restart_time()

    @property
    def newest_id(self) -> int:
        """The highest id given so far, to an unconfirmed track perhaps; 0 before the first."""
        return self._next_id - 1

    def restart_time(self) -> None:
        """The clock was set: forget all tracks; no id is given again."""
        self.stamp_ns: int | None = None
        self._states = BoxStates.empty()
        self._ids = np.zeros(0, dtype=np.int64)
        self._classes = np.zeros(0, dtype=np.int64)
        self._evidence_s = np.zeros(0)
        self._usual_scores = UsualScores()
        self._unseen_s = np.zeros(0)
        self._confirmed_mask = np.zeros(0, dtype=bool)
        self._detection = np.zeros(0, dtype=np.intp)  # the detection that each track is in this image, or -1

    def update(
        self,
        detections: Detections,
        *,
        after_from_before: ImageMotion | None = None,
        image_size_px: tuple[int, int] | None = None,
    ) -> Tracks:
        """Take one image's detections: `associate` and `correct` in one."""
        return self.correct(
            self.associate(detections, after_from_before=after_from_before, image_size_px=image_size_px)
        )

    def associate(
        self,
        detections: Detections,
        *,
        after_from_before: ImageMotion | None = None,
        image_size_px: tuple[int, int] | None = None,
    ) -> Tracks:
        """Find the tracks among one image's detections; `correct` must follow before the next image.

        Args:
            detections: of an image later than the last; none is an image too, and ages the tracks.
            after_from_before: by which the camera's motion since the previous image moved what
                stands still (`camera_motion`), or None for a camera that stood still or is not known.
            image_size_px: (width, height) where known.

        Returns:
            The confirmed tracks seen in this image, with the boxes as detected.
        """
        seen = screen(
            detections,
            low_score=self.parameters.low_score,
            max_detections=self.parameters.max_detections,
            image_size_px=image_size_px,
            dropped=self.dropped,
        )
        dt_s = 0.0 if self.stamp_ns is None else (detections.stamp_ns - self.stamp_ns) * 1e-9
        self.stamp_ns = detections.stamp_ns
        if after_from_before is not None:
            move_states(self._states, after_from_before)
        self._states.predict(dt_s)
        self._unseen_s += dt_s
        codes = self._codes(seen.labels)
        variance = self._noise.variance(seen.boxes_px, seen.scores)
        track_index, detection_index = self._match(seen, codes, variance)
        self._detection.fill(-1)
        self._detection[track_index] = detection_index
        self._unseen_s[track_index] = 0.0
        self._weigh(track_index, detection_index, seen, dt_s)
        self._measured = track_index, seen.boxes_px[detection_index], variance[detection_index]
        self._begin(seen, codes, detection_index, variance)
        return self._confirmed(seen)

    def correct(self, associated: Tracks) -> Tracks:
        """What the filters learn of the image that was associated last, and its tracks for others: smoothed boxes."""
        self._states.update(*self._measured)
        if len(self._measured[0]) < len(self._states):
            self._end_old()
        if not self.parameters.smooth_boxes:
            return associated
        return replace(associated, boxes_px=self._states.boxes_px[self._shown()])

    def _codes(self, labels: NDArray[np.str_]) -> NDArray[np.int64]:
        """(N,) a number for each class name; a name's number never changes."""
        codes = self._class_codes
        return np.array([codes.setdefault(name, len(codes)) for name in labels.tolist()], dtype=np.int64)

    def _match(self, seen: Detections, codes: NDArray[np.int64], variance: Array) -> tuple[Index, Index]:
        """Rows of tracks and, beside them, the detections that they are; no index twice."""
        pairs = overlapping(self._states.boxes_px, seen.boxes_px, _LEAST_OVERLAP_CONFIDENT)
        if len(self._class_codes) > 1:
            pairs = pairs.where(self._classes[pairs.rows] == codes[pairs.columns])
        pairs = self._near(pairs, seen, variance)
        confident = (seen.scores >= self.parameters.high_score)[pairs.columns]
        known = self._confirmed_mask[pairs.rows]
        sure = known & confident
        only_sure = bool(sure.all())
        tracks, detections = one_to_one(pairs if only_sure else pairs.where(sure))
        if only_sure or len(detections) == len(seen):
            return tracks, detections
        # Doubtful detections of known tracks, and confident ones of new tracks, have no box in common: one choice.
        free_tracks, free_detections = np.ones(len(self._states), dtype=bool), np.ones(len(seen), dtype=bool)
        free_tracks[tracks] = False
        free_detections[detections] = False
        # For a track that was missed, too: on the footage that is 2 points of IDF1, in a synthetic crowd 6.
        may = np.where(known, ~confident, confident)
        least = np.where(known, _LEAST_OVERLAP_DOUBTFUL, _LEAST_OVERLAP_NEW)
        may &= (pairs.overlap >= least) & free_tracks[pairs.rows] & free_detections[pairs.columns]
        more_tracks, more_detections = one_to_one(pairs.where(may))
        return np.concatenate([tracks, more_tracks]), np.concatenate([detections, more_detections])

    def _near(self, pairs: Pairs, seen: Detections, variance: Array) -> Pairs:
        """Without those whose boxes overlap while the motion says that it is somebody else's box."""
        doubtful = (pairs.overlap < _SURELY_NEAR_OVERLAP).nonzero()[0]
        if not len(doubtful):
            return pairs
        rows, columns = pairs.rows[doubtful], pairs.columns[doubtful]
        missed = self._detection[rows] < 0
        distances = self._states.distances(rows, seen.boxes_px[columns], variance[columns], missed)
        far = doubtful[distances > np.where(missed, _FARTHEST_EDGE_IF_MISSED, _FARTHEST_CENTRE_IF_SEEN)]
        if not len(far):
            return pairs
        near = np.ones(len(pairs.rows), dtype=bool)
        near[far] = False
        return pairs.where(near)

    def _weigh(self, track_index: Index, detection_index: Index, seen: Detections, dt_s: float) -> None:
        """Evidence for each track, and who is confirmed by it."""
        scores, classes = seen.scores[detection_index], self._classes[track_index]
        clear = self._confirmed_mask[track_index] & (scores >= self.parameters.high_score)
        self._usual_scores.learn(classes, scores, clear, dt_s)
        if self._confirmed_mask.all():
            return
        step_s = min(dt_s, _LONGEST_STEP_S)
        gained = np.full(len(self._states), -_MISS_COSTS * step_s)
        gained[track_index] = step_s * self._usual_scores.worth(classes, scores)
        np.maximum(self._evidence_s + gained, 0.0, out=self._evidence_s)
        # Once confirmed it stays so, also when more is asked of new tracks from now on.
        self._confirmed_mask |= (self._detection >= 0) & (self._evidence_s >= self.parameters.confirm_evidence_s)

    def _end_old(self) -> None:
        shortest_s = min(_NEW_TRACK_LOST_AFTER_S, self.parameters.track_lost_after_s)
        if self._unseen_s.max() <= shortest_s:
            return
        limit = np.where(self._confirmed_mask, self.parameters.track_lost_after_s, _NEW_TRACK_LOST_AFTER_S)
        keep = self._unseen_s <= limit
        if keep.all():
            return
        self._states = self._states.take(keep)
        self._ids, self._classes, self._evidence_s = self._ids[keep], self._classes[keep], self._evidence_s[keep]
        self._unseen_s, self._confirmed_mask = self._unseen_s[keep], self._confirmed_mask[keep]
        self._detection = self._detection[keep]

    def _begin(self, seen: Detections, codes: NDArray[np.int64], used: Index, variance: Array) -> None:
        if len(used) == len(seen):
            return
        free = seen.scores >= self.parameters.new_track_score
        free[used] = False
        born = free.nonzero()[0]
        if not len(born):
            return
        born = born[~self._seen_twice(seen, codes, born, used)]
        count = len(born)
        self._states = self._states.join(BoxStates.begin(seen.boxes_px[born], variance[born]))
        self._ids = np.concatenate([self._ids, np.arange(self._next_id, self._next_id + count, dtype=np.int64)])
        self._next_id += count
        self._classes = np.concatenate([self._classes, codes[born]])
        self._evidence_s = np.concatenate([self._evidence_s, np.zeros(count)])
        self._unseen_s = np.concatenate([self._unseen_s, np.zeros(count)])
        at_once = np.full(count, self.parameters.confirm_evidence_s <= 0.0)
        self._confirmed_mask = np.concatenate([self._confirmed_mask, at_once])
        self._detection = np.concatenate([self._detection, born])

    @staticmethod
    def _seen_twice(seen: Detections, codes: NDArray[np.int64], born: Index, used: Index) -> NDArray[np.bool_]:
        """(N,) whether a detection that would begin a track is one already, or a better one, seen once more."""
        rivals = np.concatenate([used, born])
        pairs = overlapping(seen.boxes_px[born], seen.boxes_px[rivals])
        this, other = born[pairs.rows], rivals[pairs.columns]
        better = seen.scores[other] > seen.scores[this]
        better |= (seen.scores[other] == seen.scores[this]) & (other < this)  # of equal ones the first
        better |= pairs.columns < len(used)
        twice = np.zeros(len(born), dtype=bool)
        twice[pairs.rows[better & (pairs.overlap > _DUPLICATE_OVERLAP) & (codes[this] == codes[other])]] = True
        return twice

    def _shown(self) -> Index:
        return (self._confirmed_mask & (self._detection >= 0)).nonzero()[0]

    def _confirmed(self, seen: Detections) -> Tracks:
        shown = self._shown()
        index = self._detection[shown]
        return Tracks(
            seen.stamp_ns, seen.frame_id, seen.boxes_px[index], seen.scores[index], seen.labels[index], self._ids[shown]
        )
