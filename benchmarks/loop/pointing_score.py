# SPDX-License-Identifier: Apache-2.0
"""How well the gimbal pointed at the person it had locked, against reference tracks of the footage.

For every frame that the simulated camera drew, the trace tells the true optical axis and which footage frame was shown;
the reference tells where every person's centre was in that footage frame. The error is the angle between the two. Which
person is meant is settled once per lock, by the box that the tracker had locked on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gremsy_camera.scene.scene import SceneGeometry, View
from gremsy_common.geometry import direction_from_bearing

Array = NDArray[np.float64]

# The figure counts from here on after each lock: before it the gimbal is on its way (issue's definition).
SETTLE_S = 1.5
_LOCKED_STATES = ('tracking', 'coasting')
# A lock whose box is farther than this from every reference person locked on something that is nobody.
_NOBODY_BEYOND_BOXES = 0.75


class Reference(Protocol):
    """Where the people of the footage are."""

    def at(self, frame: int) -> tuple[NDArray[np.int64], Array]:
        """Ids (N,) and boxes (N, 4) x0, y0, x1, y1 in footage pixels of that footage frame."""


@dataclass(frozen=True, slots=True)
class PointingScore:
    """What came out; None where there was nothing to measure.

    Attributes:
        rms_deg, p99_deg: over all frames from 1.5 s after each lock in which the locked person is in the reference and
            the tracker's box is not on somebody else; that time is `wrong_target_fraction`'s.
        rms_first_person_deg: the same with the time on somebody else counted against the person first locked on.
        locked_fraction: of the frames in which a reference person is in view, those with a lock.
        wrong_target_fraction: of the locked frames, those in which another person than the one first locked on (or
            nobody) is what the tracker's box is on.
        locks: how many times a target was taken.
        people_followed: how many different reference persons were locked on.
        coasting_share: of the squared errors in `rms_deg`, what came while the target was not seen; None without any.
    """

    rms_deg: float | None
    rms_first_person_deg: float | None
    p99_deg: float | None
    locked_fraction: float | None
    wrong_target_fraction: float | None
    locks: int
    people_followed: int
    frames_scored: int
    coasting_share: float | None = None


@dataclass(frozen=True, slots=True)
class PlottedError:
    """One frame of one lock, for the plot."""

    stamp_ns: int
    error_deg: float
    person: int
    settled: bool
    on_another: bool
    coasting: bool


def score_pointing(
    events: Sequence[dict[str, Any]], reference: Reference, geometry: SceneGeometry
) -> tuple[PointingScore, list[PlottedError]]:
    """Score one run from its trace events (kinds `frame` and `track`; see gremsy_common.timing.trace)."""
    frames = sorted((each for each in events if each['kind'] == 'frame'), key=_stamp)
    tracks = sorted((each for each in events if each['kind'] == 'track'), key=_stamp)
    in_view = locked_in_view = locked = wrong = 0
    errors: list[PlottedError] = []
    people: set[int] = set()
    locks = 0
    lock = _Lock()
    for frame, track in _with_newest_track(frames, tracks):
        view = View(frame['azimuth_rad'], frame['tilt_rad'], frame['zoom'])
        ids, boxes = reference.at(frame['footage_frame'])
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        is_locked = track is not None and track['state'] in _LOCKED_STATES
        someone_in_view = bool(_inside_image(geometry, geometry.camera_px_from_footage_px(centres, view)).any())
        in_view += someone_in_view
        locked_in_view += someone_in_view and is_locked
        if not is_locked or track is None:
            lock = _Lock()
            continue
        fresh = track['stamp_ns'] == frame['stamp_ns'] and track['box_px'] is not None
        on = _person_under(geometry, view, track['box_px'], ids, boxes) if fresh else lock.last_on
        if lock.since_ns is None:
            lock.since_ns = frame['stamp_ns']
            locks += 1
        if fresh and lock.person is None and on is not None:
            lock.person = on
            people.add(on)
        # A box on nobody (hidden, or between two people) leaves open who is followed: as before, then.
        lock.last_on = lock.last_on if on is None else on
        if track['state'] == 'tracking' and lock.person is not None:
            locked += 1
            wrong += on != lock.person
        if lock.person is not None and lock.person in ids:
            centre = centres[ids == lock.person]
            settled = frame['stamp_ns'] - lock.since_ns >= SETTLE_S * 1e9
            on_another = lock.last_on is not None and lock.last_on != lock.person
            error_deg = _angle_deg(geometry, view, centre)
            coasting = track['state'] == 'coasting'
            errors.append(PlottedError(frame['stamp_ns'], error_deg, lock.person, bool(settled), on_another, coasting))
    scored = [each for each in errors if each.settled and not each.on_another]
    settled_errors = np.array([each.error_deg for each in scored])
    score = PointingScore(
        rms_deg=_root_mean_square(settled_errors),
        rms_first_person_deg=_root_mean_square(np.array([each.error_deg for each in errors if each.settled])),
        p99_deg=float(np.percentile(settled_errors, 99)) if len(settled_errors) else None,
        locked_fraction=locked_in_view / in_view if in_view else None,
        wrong_target_fraction=wrong / locked if locked else None,
        locks=locks,
        people_followed=len(people),
        frames_scored=len(settled_errors),
        coasting_share=_share_of_squares(settled_errors, np.array([each.coasting for each in scored], dtype=bool)),
    )
    return score, errors


@dataclass(slots=True)
class _Lock:
    since_ns: int | None = None
    person: int | None = None
    last_on: int | None = None


def _root_mean_square(values: Array) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None


def _share_of_squares(errors: Array, which: NDArray[np.bool_]) -> float | None:
    total = float((errors**2).sum())
    return float((errors[which] ** 2).sum()) / total if total > 0.0 else None


def _stamp(event: dict[str, Any]) -> int:
    return int(event['stamp_ns'])


def _with_newest_track(
    frames: Sequence[dict[str, Any]], tracks: Sequence[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    position = 0
    for frame in frames:
        while position < len(tracks) and tracks[position]['stamp_ns'] <= frame['stamp_ns']:
            position += 1
        yield frame, tracks[position - 1] if position else None


def _inside_image(geometry: SceneGeometry, points_px: Array) -> NDArray[np.bool_]:
    size = np.array([geometry.camera.width, geometry.camera.height])
    return np.asarray(np.all((points_px >= 0) & (points_px <= size), axis=1))


def _person_under(
    geometry: SceneGeometry, view: View, box_px: Sequence[float], ids: NDArray[np.int64], boxes: Array
) -> int | None:
    """The reference person whose centre is nearest to the box's centre, None when all are too far away."""
    if len(ids) == 0:
        return None
    box = np.asarray(box_px, dtype=np.float64)
    point = geometry.footage_px_from_camera_px((box[:2] + box[2:])[None, :] / 2, view)[0]
    sizes = boxes[:, 2:] - boxes[:, :2]
    offsets = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - point) / np.maximum(sizes, 1.0)
    distance = np.where(np.isfinite(offsets).all(axis=1), offsets.max(axis=1), np.inf)
    nearest = int(np.argmin(distance))
    return int(ids[nearest]) if distance[nearest] <= _NOBODY_BEYOND_BOXES else None


def _angle_deg(geometry: SceneGeometry, view: View, centre_px: Array) -> float:
    towards = direction_from_bearing(*geometry.bearing_from_footage_px(centre_px)[0])
    axis = direction_from_bearing(view.azimuth_rad, view.tilt_rad)
    # atan2 keeps its accuracy at small angles, acos does not.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(towards, axis)), towards @ axis)))
