# SPDX-License-Identifier: Apache-2.0
"""What a person who looked at the linked tracks put right, as a CSV beside the reference.

Columns `action,frame_a,x_a,y_a,frame_b,x_b,y_b`; a track is named by a point inside its box in one frame, since its
number changes whenever the linking does. `same`: the tracks at a and at b are one person. `drop`: the track at a is
wrong (a box around two people, say) from frame a to frame b.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from benchmarks.reference.track_linking import LinkedTrack


@dataclass(frozen=True, slots=True)
class Point:
    """Footage pixels in one frame."""

    frame: int
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True)
class Correction:
    """One line; of `drop` only the frame of `b` counts."""

    action: str
    a: Point
    b: Point


def read_corrections(path: Path) -> list[Correction]:
    """Load the CSV; none where there is no file."""
    if not path.is_file():
        return []
    lines = [line for line in path.read_text(encoding='utf-8').splitlines() if line and not line.startswith('#')]
    return [
        Correction(
            row['action'],
            Point(int(row['frame_a']), float(row['x_a']), float(row['y_a'])),
            Point(int(row['frame_b']), float(row['x_b'] or 'nan'), float(row['y_b'] or 'nan')),
        )
        for row in csv.DictReader(lines)
    ]


def correct(tracks: list[LinkedTrack], corrections: list[Correction]) -> list[LinkedTrack]:
    """The tracks put right, in place.

    Raises:
        ValueError: when a correction names no track: it was made for another linking.
    """
    tracks = list(tracks)
    for correction in corrections:
        track = _track_at(tracks, correction.a)
        if correction.action == 'drop':
            _keep(track, [not correction.a.frame <= frame <= correction.b.frame for frame in track.frames])
        elif correction.action == 'same':
            later = _track_at(tracks, correction.b)
            if later is track:
                continue
            # Where both have a box, the later one's is of the person who comes out of the crossing.
            _keep(track, [frame < later.frames[0] for frame in track.frames])
            track.frames.extend(later.frames)
            track.boxes_px.extend(later.boxes_px)
            track.scores.extend(later.scores)
            tracks = [each for each in tracks if each is not later]
        else:
            raise ValueError(f"There is no correction '{correction.action}': use same or drop.")
    return tracks


def _track_at(tracks: list[LinkedTrack], point: Point) -> LinkedTrack:
    """The track whose box in that frame holds the point, the one with the nearest centre if several do."""
    found: list[tuple[float, LinkedTrack]] = []
    for track in tracks:
        if point.frame not in track.frames:
            continue
        x_min, y_min, x_max, y_max = track.boxes_px[track.frames.index(point.frame)]
        if x_min <= point.x_px <= x_max and y_min <= point.y_px <= y_max:
            away = abs(point.x_px - (x_min + x_max) / 2) + abs(point.y_px - (y_min + y_max) / 2)
            found.append((away, track))
    if not found:
        raise ValueError(
            f'No track has a box around ({point.x_px:g}, {point.y_px:g}) in frame {point.frame}: '
            'look at the tracks again and renew the correction.'
        )
    return min(found, key=lambda each: each[0])[1]


def _keep(track: LinkedTrack, wanted: list[bool]) -> None:
    track.frames = list(compress(track.frames, wanted))
    track.boxes_px = list(compress(track.boxes_px, wanted))
    track.scores = list(compress(track.scores, wanted))
