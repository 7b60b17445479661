# SPDX-License-Identifier: Apache-2.0
"""Boxes of single frames linked to tracks, off line: who in this frame is who in the next.

Each track predicts its next box with a Kalman filter; boxes and predictions are paired at the least total cost
(Hungarian method), sure boxes first, then what is left with doubtful ones, which can carry a track on but not begin one
(ByteTrack, Zhang et al. 2022). The cost joins where a box is, how large, and how it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.reference.rts_smoother import FilterState, MotionModel, first_state, predict, smooth, update

Array = NDArray[np.float64]

# Centre x, y, width, height of a walking person 30 x 80 px large, 10 frames a second; the legs swing the width.
PERSON_MOTION = MotionModel(np.array([2.5, 2.5, 5.0, 4.0]), np.array([1.0, 0.5, 0.3, 0.3]))


@dataclass(frozen=True, slots=True)
class LinkingRules:
    """Distances are in box heights, so that near and far people are treated alike.

    Attributes:
        sure_score: a box of at least this score may begin a track.
        gate: largest cost of a pair.
        gate_per_gap_frame: added for every frame that the track has not been seen.
        longest_gap_frames: a track unseen for longer has ended.
        appearance_weight: of the Bhattacharyya distance (0..1) between a box's colours and the track's.
        colour_memory: share of the track's colours that one more box leaves as it was; somebody who stands behind a
            sign for five seconds must not take on its colour.
        least_frames: a track seen in fewer frames is dropped.
        least_mean_score: so is one whose mean score is lower.
        least_path: and one that never moves further, unless its mean score is at least `still_mean_score`: bollards
            and stones are found again and again at one place, with low scores.
    """

    sure_score: float = 0.5
    gate: float = 0.9
    gate_per_gap_frame: float = 0.03
    longest_gap_frames: int = 20
    appearance_weight: float = 1.0
    colour_memory: float = 0.97
    least_frames: int = 10
    least_mean_score: float = 0.4
    least_path: float = 0.7
    still_mean_score: float = 0.65


@dataclass(frozen=True, slots=True, eq=False)
class SeenBoxes:
    """One frame's boxes (N, 4) as x_min, y_min, x_max, y_max, their scores (N,) and colours (N, B), rows of sum 1."""

    boxes_px: Array
    scores: Array
    colours: Array


@dataclass(slots=True, eq=False)
class LinkedTrack:
    """What belongs to one object: the frames it was seen in, and its boxes and scores there."""

    state: FilterState
    colours: Array
    frames: list[int] = field(default_factory=list)
    boxes_px: list[Array] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class SmoothTrack:
    """One object: `frames` (N,) ascending, smoothed `boxes_px` (N, 4), `detected` (N,) False in gaps."""

    frames: NDArray[np.int64]
    boxes_px: Array
    detected: NDArray[np.bool_]


def centre_and_size(boxes_px: Array) -> Array:
    """(..., 4) corners to centre x, y, width, height."""
    low, high = boxes_px[..., :2], boxes_px[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def corners(centres_px: Array) -> Array:
    """The inverse of `centre_and_size`."""
    half = centres_px[..., 2:] / 2
    return np.concatenate([centres_px[..., :2] - half, centres_px[..., :2] + half], axis=-1)


def link(frames: Sequence[SeenBoxes], rules: LinkingRules) -> list[LinkedTrack]:
    """Every track that any sure box began, in order of birth."""
    living: list[LinkedTrack] = []
    every: list[LinkedTrack] = []
    for index, seen in enumerate(frames):
        living = [track for track in living if index - track.frames[-1] <= rules.longest_gap_frames]
        for track in living:
            track.state = predict(track.state, PERSON_MOTION)
        sure = seen.scores >= rules.sure_score
        free = _extend(living, seen, np.flatnonzero(sure), index, rules)
        unseen = [track for track in living if track.frames[-1] != index]
        _extend(unseen, seen, np.flatnonzero(~sure), index, rules)
        born = [_begin(seen, box, index) for box in free]
        living.extend(born)
        every.extend(born)
    return every


def whole_people(
    frames: Sequence[SeenBoxes], width: int, height: int, least_share: float = 0.72, widest: float = 0.7
) -> list[SeenBoxes]:
    """Only the boxes that show somebody from head to foot, in footage of a camera that does not move.

    How tall a person is at some height of the picture is a straight line (a flat ground), fitted to the sure boxes by
    median of slopes. A box much shorter is a person half hidden, whose centre is not the box's; one wider than
    `widest` times its height holds two. Those at the picture's edge are cut by it and stay.
    """
    boxes = np.concatenate([seen.boxes_px for seen in frames])
    sure = boxes[np.concatenate([seen.scores for seen in frames]) >= 0.7]
    slope, level = theil_sen(sure[:, 1], sure[:, 3] - sure[:, 1])
    kept = []
    for seen in frames:
        top, tall = seen.boxes_px[:, 1], seen.boxes_px[:, 3] - seen.boxes_px[:, 1]
        wide = seen.boxes_px[:, 2] - seen.boxes_px[:, 0]
        low, high = seen.boxes_px[:, :2].min(axis=1), [width - 3.0, height - 3.0]
        at_edge = (low < 3.0) | (seen.boxes_px[:, 2:] > high).any(axis=1)
        whole = at_edge | ((tall >= least_share * (level + slope * top)) & (wide <= widest * tall))
        kept.append(SeenBoxes(seen.boxes_px[whole], seen.scores[whole], seen.colours[whole]))
    return kept


def theil_sen(x: Array, y: Array) -> tuple[float, float]:
    """Slope and level at x = 0 of the line through most points (Theil 1950, Sen 1968), taking about 1000 of them."""
    step = max(1, len(x) // 1000)
    x, y = x[::step], y[::step]
    first, second = np.triu_indices(len(x), 1)
    apart = np.abs(x[second] - x[first]) > 1.0
    slopes = (y[second] - y[first])[apart] / (x[second] - x[first])[apart]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    return slope, float(np.median(y - slope * x))


def smooth_track(track: LinkedTrack, longest_gap_frames: int) -> SmoothTrack:
    """Filtered forward and backward, short gaps filled with what the motion before and after makes likely."""
    frames, boxes = np.array(track.frames), np.array(track.boxes_px)
    breaks = np.flatnonzero(np.diff(frames) > longest_gap_frames + 1) + 1
    pieces = [
        _smooth_piece(piece_frames, piece_boxes)
        for piece_frames, piece_boxes in zip(np.split(frames, breaks), np.split(boxes, breaks), strict=True)
    ]
    return SmoothTrack(
        np.concatenate([piece.frames for piece in pieces]),
        np.concatenate([piece.boxes_px for piece in pieces]),
        np.concatenate([piece.detected for piece in pieces]),
    )


def _smooth_piece(frames: NDArray[np.int64], boxes_px: Array) -> SmoothTrack:
    measured = np.full((frames[-1] - frames[0] + 1, 4), np.nan)
    measured[frames - frames[0]] = centre_and_size(boxes_px)
    smoothed = corners(smooth(measured, PERSON_MOTION))
    return SmoothTrack(np.arange(frames[0], frames[-1] + 1), smoothed, ~np.isnan(measured[:, 0]))


def is_certain(track: LinkedTrack, rules: LinkingRules) -> bool:
    """Whether the track is long, sure and moving enough to be somebody."""
    if len(track.frames) < rules.least_frames:
        return False
    mean_score = float(np.mean(track.scores))
    boxes = centre_and_size(np.array(track.boxes_px))
    path = np.ptp(boxes[:, :2], axis=0).max() / np.median(boxes[:, 3])
    return mean_score >= (rules.least_mean_score if path >= rules.least_path else rules.still_mean_score)


def _extend(
    tracks: list[LinkedTrack], seen: SeenBoxes, candidates: NDArray[np.int64], index: int, rules: LinkingRules
) -> NDArray[np.int64]:
    """Pair tracks with the candidate boxes; those that no track took."""
    if not tracks or not len(candidates):
        return candidates
    cost = _costs(tracks, seen, candidates, rules)
    gates = np.array([rules.gate + rules.gate_per_gap_frame * (index - track.frames[-1] - 1) for track in tracks])
    cost = np.where(cost <= gates[:, None], cost, 1e3)
    rows, columns = linear_sum_assignment(cost)
    paired = cost[rows, columns] < 1e3
    for row, column in zip(rows[paired], columns[paired], strict=True):
        _append(tracks[row], seen, candidates[column], index, rules)
    return np.delete(candidates, columns[paired])


def _costs(tracks: list[LinkedTrack], seen: SeenBoxes, candidates: NDArray[np.int64], rules: LinkingRules) -> Array:
    predicted = np.array([track.state.mean[:, 0] for track in tracks])
    measured = centre_and_size(seen.boxes_px[candidates])
    height = np.maximum(predicted[:, None, 3], 1.0)
    away = np.linalg.norm(predicted[:, None, :2] - measured[None, :, :2], axis=2) / height
    resized = np.abs(np.log(np.maximum(measured[None, :, 3], 1.0) / height))
    colours = np.array([track.colours for track in tracks])
    alike = np.sqrt(colours[:, None, :] * seen.colours[None, candidates, :]).sum(axis=2)
    unlike = np.sqrt(np.clip(1.0 - alike, 0.0, 1.0))
    return np.asarray(away + 0.5 * resized + rules.appearance_weight * unlike)


def _begin(seen: SeenBoxes, box: int, index: int) -> LinkedTrack:
    measured = centre_and_size(seen.boxes_px[box])
    track = LinkedTrack(first_state(measured, PERSON_MOTION), seen.colours[box])
    track.frames.append(index)
    track.boxes_px.append(seen.boxes_px[box])
    track.scores.append(float(seen.scores[box]))
    return track


def _append(track: LinkedTrack, seen: SeenBoxes, box: int, index: int, rules: LinkingRules) -> None:
    track.state = update(track.state, centre_and_size(seen.boxes_px[box]), PERSON_MOTION)
    track.colours = rules.colour_memory * track.colours + (1.0 - rules.colour_memory) * seen.colours[box]
    track.frames.append(index)
    track.boxes_px.append(seen.boxes_px[box])
    track.scores.append(float(seen.scores[box]))
