# SPDX-License-Identifier: Apache-2.0
"""What the detector reports with its defaults, held against the people who are in the footage.

In each frame the boxes that are called person, best scored first, each take the reference box that they overlap most of
those still free; from `LEAST_OVERLAP` on a box is right. Precision is right boxes over boxes, recall right boxes over
people in the reference. Who is fully hidden is not in it: a box there counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference.reference_tracks import ReferenceTracks, read_reference
from gremsy_camera.footage.footage_reader import AtEnd, FootageReader
from gremsy_common.boxes import intersection_over_union
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import DetectionResult, Detector
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_detector.model.default_model import default_model_path

PERSON = 'person'
LEAST_OVERLAP = 0.5


@dataclass(slots=True)
class Tally:
    """Counts over frames; `others` are boxes of other classes, by class."""

    frames: int = 0
    people: int = 0
    boxes: int = 0
    right: int = 0
    others: Counter[str] = field(default_factory=Counter)

    def add(self, found: Detections, people_px: NDArray[np.float64]) -> None:
        """One frame's boxes, and the people (N, 4) who are in it."""
        persons = found.labels == PERSON
        self.frames += 1
        self.people += len(people_px)
        self.boxes += int(persons.sum())
        self.right += right_boxes(found.boxes_px[persons], found.scores[persons], people_px)
        self.others.update(found.labels[~persons].tolist())

    @property
    def precision(self) -> float | None:
        """Of the boxes that are called person, how many are right; None without any."""
        return self.right / self.boxes if self.boxes else None

    @property
    def recall(self) -> float | None:
        """Of the people, how many have a right box; None without any."""
        return self.right / self.people if self.people else None


def right_boxes(boxes_px: NDArray[np.float64], scores: NDArray[np.float64], people_px: NDArray[np.float64]) -> int:
    """How many of the boxes (N, 4) find one of the people (M, 4), each another one."""
    overlap = intersection_over_union(boxes_px, people_px)
    right = 0
    for row in np.argsort(-scores, kind='stable').tolist() if len(people_px) else []:
        nearest = int(overlap[row].argmax())
        if overlap[row, nearest] >= LEAST_OVERLAP:
            right += 1
            overlap[:, nearest] = 0.0  # taken
    return right


def default_figures(footage: Path, stride: int = 1) -> dict[str, Any]:
    """The default model with the default parameters on every `stride`th frame; candidates beside it."""
    reported, candidates = tallies(_looks(footage, stride), read_reference())
    return {
        'default_precision': _rounded(reported.precision),
        'default_recall': _rounded(reported.recall),
        'default': {
            'frames': reported.frames,
            'people': reported.people,
            'boxes': reported.boxes,
            'other_boxes_per_frame': {
                label: round(count / reported.frames, 3) for label, count in reported.others.most_common()
            },
            'candidates_precision': _rounded(candidates.precision),
            'candidates_recall': _rounded(candidates.recall),
            'candidates_per_frame': round((candidates.boxes + candidates.others.total()) / candidates.frames, 1),
        },
    }


def tallies(looks: Iterable[tuple[int, DetectionResult]], reference: ReferenceTracks) -> tuple[Tally, Tally]:
    """Of what is reported, and of the candidates; looks are frame numbers and what was seen in that frame."""
    reported, candidates = Tally(), Tally()
    for number, result in looks:
        _, people_px = reference.at(number)
        reported.add(result.detections, people_px)
        candidates.add(result.candidates, people_px)
    return reported, candidates


def _looks(footage: Path, stride: int) -> Iterable[tuple[int, DetectionResult]]:
    model = default_model_path()
    detector = Detector(choose_backend(model)(model), DetectorParameters().selection)
    reader = FootageReader(footage, AtEnd.HOLD)
    detector.open()
    try:
        reader.open()
        while (frame := reader.next()) is not None:
            if frame.index % stride == 0:
                yield frame.index, detector.detect(Frame(lock_read_only(frame.image), 0, ''))
    finally:
        reader.close()
        detector.close()


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 3)
