# SPDX-License-Identifier: Apache-2.0
"""Makes reference tracks of a video once, off line: the truth that the closed loop is scored against.

python -m benchmarks.reference --video vtest.avi --out benchmarks/data/vtest_reference.csv

The detector looks at every whole frame and at nine overlapping tiles of it (20 minutes for vtest.avi on one core), the
boxes of one frame are merged, linked from frame to frame, put right by hand where somebody looked
(`hand_corrections.py`), and smoothed forward and backward. `--looks` keeps the detector's answers, so that the rest can
be tried again in seconds.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.reference.clothing_colours import colours_of
from benchmarks.reference.hand_corrections import correct, read_corrections
from benchmarks.reference.reference_tracks import PeopleInFrame, read_reference, write_reference
from benchmarks.reference.tiled_detection import Detect, TileLayout, look_tiled, merge_boxes
from benchmarks.reference.track_linking import (
    LinkingRules,
    SeenBoxes,
    SmoothTrack,
    is_certain,
    link,
    smooth_track,
    whole_people,
)
from gremsy_camera.footage.footage_reader import AtEnd, FootageReader
from gremsy_common.atomic_file import refuse_others
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model.default_model import default_model_path

Array = NDArray[np.float64]

# Low: a doubtful box can carry on a track that sure ones began.
_LEAST_SCORE = 0.25
_METHOD = (
    'detector on the whole frame and 3x3 half-size tiles, boxes voted, half-hidden people left out, Hungarian linking '
    'on motion and clothing, corrections by hand, Kalman filter forward and RTS smoother backward'
)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What the detector said: of box i, the frame it is in (N,), where it is (N, 4) and its score (N,)."""

    frame: NDArray[np.int64]
    boxes_px: Array
    scores: Array
    frames: int


def person_detector(model: Path) -> Detect:
    """The suite's own detector with the model, asked for people only."""
    selection = Selection(confidence=_LEAST_SCORE, iou=0.5, classes=('person',))
    # The reference of 2026-11 was made so, before the model's file said how it had been trained.
    detector = Detector(choose_backend(model)(model), selection, resize='stretch')
    detector.open()

    def detect(image: NDArray[np.uint8]) -> tuple[Array, Array]:
        found = detector.detect(Frame(lock_read_only(image), 0, '')).detections
        return found.boxes_px, found.scores

    return detect


def images_of(video: Path) -> Iterator[NDArray[np.uint8]]:
    """Every frame, by the reader that the simulated camera uses, so that the indices are the same."""
    reader = FootageReader(video, AtEnd.HOLD)
    reader.open()
    try:
        while (frame := reader.next()) is not None:
            yield frame.image
    finally:
        reader.close()


def look_at_video(video: Path, detect: Detect) -> Looks:
    """The detector on every frame and its tiles."""
    tiling = TileLayout()
    frame, boxes, scores = [], [], []
    count = 0
    for image in images_of(video):
        found, found_scores = look_tiled(image, detect, tiling)
        frame.append(np.full(len(found), count))
        boxes.append(found)
        scores.append(found_scores)
        count += 1
        if count % 50 == 0:
            print(f'{count} frames looked at', file=sys.stderr)
    return Looks(np.concatenate(frame), np.concatenate(boxes), np.concatenate(scores), count)


def linked_people(video: Path, looks: Looks, corrections: Path, rules: LinkingRules) -> list[SmoothTrack]:
    """Merged, linked, corrected and smoothed."""
    tiling = TileLayout()
    seen = []
    size = (0, 0)
    for index, image in enumerate(images_of(video)):
        size = (image.shape[1], image.shape[0])
        mine = looks.frame == index
        boxes, scores = merge_boxes(looks.boxes_px[mine], looks.scores[mine], tiling.same_iou, tiling.same_cover)
        seen.append(SeenBoxes(boxes, scores, colours_of(image, boxes)))
    tracks = [track for track in link(whole_people(seen, *size), rules) if is_certain(track, rules)]
    smoothed = [
        smooth_track(track, rules.longest_gap_frames) for track in correct(tracks, read_corrections(corrections))
    ]
    return [_inside(track, *size) for track in smoothed]


def _inside(track: SmoothTrack, width: int, height: int) -> SmoothTrack:
    """Without filled gaps in which most of the person is out of the picture."""
    centres = (track.boxes_px[:, :2] + track.boxes_px[:, 2:]) / 2
    wanted = track.detected | ((centres > 0) & (centres < [width, height])).all(axis=1)
    return SmoothTrack(track.frames[wanted], track.boxes_px[wanted], track.detected[wanted])


def people_by_frame(tracks: Sequence[SmoothTrack], frames: int) -> list[PeopleInFrame]:
    """Turned round: for every frame who is in it; ids count the tracks from 1."""
    frame = np.concatenate([track.frames for track in tracks])
    ids = np.concatenate([np.full(len(track.frames), number) for number, track in enumerate(tracks, start=1)])
    boxes = np.concatenate([track.boxes_px for track in tracks])
    detected = np.concatenate([track.detected for track in tracks])
    return [PeopleInFrame(ids[frame == k], boxes[frame == k], detected[frame == k]) for k in range(frames)]


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--video', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--model', type=Path, default=default_model_path(), help='default: the one that is shipped')
    parser.add_argument('--corrections', type=Path, help='default: beside --out, *_corrections.csv')
    parser.add_argument('--looks', type=Path, help='.npz to keep the detector answers in, or to take them from')
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    if options.looks and options.looks.is_file():
        kept = np.load(options.looks)
        looks = Looks(kept['frame'], kept['boxes'], kept['scores'], int(kept['frames']))
    else:
        looks = look_at_video(options.video, person_detector(options.model))
        if options.looks:
            np.savez(options.looks, frame=looks.frame, boxes=looks.boxes_px, scores=looks.scores, frames=looks.frames)
    corrections = options.corrections or options.out.with_name(options.out.name.replace('_reference', '_corrections'))
    rules = LinkingRules()
    tracks = linked_people(options.video, looks, corrections, rules)
    people = people_by_frame(tracks, looks.frames)
    provenance = {
        'SPDX-License-Identifier': 'Apache-2.0',
        'what': 'reference tracks of people, made by python -m benchmarks.reference',
        'footage': f'{options.video.name} sha256 {sha256_of(options.video)}',
        'model': f'{options.model.name} sha256 {sha256_of(options.model)}',
        'method': _METHOD,
        'date': dt.datetime.now(dt.timezone.utc).date().isoformat(),
        'frames': str(looks.frames),
        'people': str(len(tracks)),
        'boxes': str(sum(len(each.ids) for each in people)),
        'boxes filled in': str(sum(int((~each.detected).sum()) for each in people)),
        'corrections by hand': str(len(read_corrections(corrections))),
    }
    refuse_others(options.out, 'file of reference tracks', lambda there: bool(read_reference(there)))
    write_reference(options.out, provenance, people)
    for key, value in provenance.items():
        print(f'{key}: {value}', file=sys.stderr)


if __name__ == '__main__':
    main()
