# SPDX-License-Identifier: Apache-2.0
"""The accuracy gate: a rewritten model may take the place of its float32 original only if it still sees the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from gremsy_detector.backends.backend import Backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.errors import FrameError
from gremsy_model_tools.frames.frame_source import FrameSource
from gremsy_model_tools.precision.agreement import Agreement, agreement
from gremsy_model_tools.precision.onnx_file import write_atomically

# The node's default threshold: what the reference reports is what users have had so far.
CONFIDENCE = 0.25
# The candidate's boxes at half of it count too: less certain is late, not lost; half as certain is lost.
_CANDIDATE_CONFIDENCE = CONFIDENCE / 2
# A class of fewer boxes is an accident of the frames: of two equally good calibrations, one had .57 and one .63 on a
# class of 10, where no class of 80 and more moved by over .02.
LEAST_BOXES = 20
# Least mAP .5:.95 against the original. Of the default model on vtest.avi, fp16 has .99 and int8 calibrated on real
# frames .87 to .97, by the frames and the way; int8 that also rounds behind each layer .58, calibrated on noise .50 to
# .71, on black frames .18 to .39.
DEFAULT_LIMIT = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of one candidate.

    Attributes:
        passed: may it take the original's place?
        limit: least mAP .5:.95.
        measured: what it rests on.
        sentence: the same for a person.
    """

    passed: bool
    limit: float
    measured: Agreement
    sentence: str


def measure(reference: Backend, candidate: Backend, frames: FrameSource, positions: Sequence[int]) -> Agreement:
    """How far the candidate's boxes agree with the reference's on some frames, each looked at by both.

    Raises:
        ModelError: when one of the models cannot be opened.
        InferenceError: when one fails on a frame.
        FrameError: when no frame can be read.
    """
    sure = Detector(reference, Selection(confidence=CONFIDENCE))
    unsure = Detector(candidate, Selection(confidence=_CANDIDATE_CONFIDENCE))
    with closing(sure), closing(unsure):
        sure.open()
        unsure.open()
        pairs = [(sure.detect(frame).detections, unsure.detect(frame).detections) for frame in frames.read(positions)]
    if not pairs:
        raise FrameError('There are no frames to check a model on: give a folder of images, or a video file.')
    return agreement(
        [truth for truth, _ in pairs],
        [found for _, found in pairs],
        confidence=CONFIDENCE,
        least_boxes=LEAST_BOXES,
    )


def judge(measured: Agreement, precision: str, limit: float = DEFAULT_LIMIT) -> Verdict:
    """Hold a measurement against the limit; frames that show nothing prove nothing."""
    if not measured.counted_boxes:
        return Verdict(
            False,
            limit,
            measured,
            f'{precision} cannot be judged: the original sees fewer than {LEAST_BOXES} objects of any class '
            f'in the {measured.images} frames to check on',
        )
    figures = (
        f'{precision} agrees with the original by {measured.map50_95:.3f} (mAP .5:.95; {measured.map50:.3f} at .5) '
        f'on {measured.images} frames'
    )
    passed = measured.map50_95 >= limit
    comparison = 'and the limit is' if passed else 'which is below the limit of'
    return Verdict(passed, limit, measured, f'{figures}, {comparison} {limit:g}')


def verdict_path(candidate: Path) -> Path:
    """Where the verdict on a file lies: beside it."""
    return candidate.with_name(f'{candidate.name}.agreement.json')


def write_verdict(verdict: Verdict, precision: str, original: Path, candidate: bytes, path: Path) -> None:
    """Write the verdict as JSON.

    Args:
        verdict: to write.
        precision: what the candidate computes in.
        original: the model it was made from.
        candidate: its content; one that did not pass is not kept, its hash is.
        path: of the JSON file.

    Raises:
        ModelError: when it cannot be written.
    """
    report = {
        'precision': precision,
        'passed': verdict.passed,
        'limit': verdict.limit,
        'map50_95': round(verdict.measured.map50_95, 6),
        'map50': round(verdict.measured.map50, 6),
        'images': verdict.measured.images,
        'confidence': CONFIDENCE,
        'least_boxes': LEAST_BOXES,
        'original': original.name,
        'original_sha256': hashlib.sha256(original.read_bytes()).hexdigest(),
        'candidate_sha256': hashlib.sha256(candidate).hexdigest(),
        'classes': [asdict(each) for each in verdict.measured.classes],
        'sentence': verdict.sentence,
    }
    write_atomically((json.dumps(report, indent=2) + '\n').encode(), path)
