# SPDX-License-Identifier: Apache-2.0
"""The detector's own stages, without a network: filling the input, and reading an output of 8400 anchors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.detector.detector_timing import medians_ms, take_turns
from gremsy_common.types.frame import Frame
from gremsy_detector.detector import Detector
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.model_description import InputDescription, ResizeMode
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts

SIDE_PX, CLASSES, ANCHORS = 640, 80, 8400
_FOLDED = InputDescription('images', SIDE_PX, SIDE_PX, 'uint8', True, True, ResizeMode.LETTERBOX)
_FLOAT = InputDescription('images', SIDE_PX, SIDE_PX, 'float32', False, False, ResizeMode.LETTERBOX)
# As dense as a crowd: every object is answered by the anchors around it.
OBJECTS, ANSWERS_EACH = 20, 8


def preprocess_ms(frames: Sequence[Frame], rounds: int) -> dict[str, float]:
    """Of an image into a network that takes bytes, and into one that takes float32 planes."""
    folded, planes = NetworkInput(_FOLDED), NetworkInput(_FLOAT)
    ways = {
        'preprocess_ms': lambda number: folded.fill(frames[number % len(frames)]),
        'preprocess_float_ms': lambda number: planes.fill(frames[number % len(frames)]),
    }
    return medians_ms(take_turns(ways, rounds))


def decode_nms_ms(frames: Sequence[Frame], rounds: int) -> float:
    """Of an output of `OBJECTS` objects to detections in source pixels, as the detector times it."""
    detector = Detector(AnsweringBackend(crowded_output()))
    detector.open()
    took_ns = [detector.detect(frames[number % len(frames)]).times.decode_ns for number in range(rounds)]
    detector.close()
    return round(1e-6 * median(took_ns), 3)


def crowded_output(seed: int = 0) -> NDArray[np.float32]:
    """(1, 4+80, 8400): a background that scores below 0.1, and objects each found by several anchors."""
    random = np.random.default_rng(seed)
    output = np.empty((1, 4 + CLASSES, ANCHORS), np.float32)
    output[0, :2] = random.uniform(0, SIDE_PX, (2, ANCHORS))
    output[0, 2:4] = random.uniform(10, 120, (2, ANCHORS))
    output[0, 4:] = random.beta(1.0, 60.0, (CLASSES, ANCHORS)).clip(max=0.1)
    anchors = random.choice(ANCHORS, (OBJECTS, ANSWERS_EACH), replace=False)
    # In the picture itself, not in the grey above and below it.
    centre = np.stack([random.uniform(30, 610, OBJECTS), random.uniform(170, 470, OBJECTS)])
    size = random.uniform(20, 60, (2, OBJECTS))
    for row, about in ((slice(0, 2), centre), (slice(2, 4), size)):
        output[0, row, anchors] = np.moveaxis(
            about[..., None] + random.normal(0.0, 1.5, (2, OBJECTS, ANSWERS_EACH)), 0, -1
        )
    output[0, 4 + random.integers(0, CLASSES, (OBJECTS, 1)), anchors] = random.uniform(
        0.4, 0.95, (OBJECTS, ANSWERS_EACH)
    )
    return output


class AnsweringBackend:
    """A back end that always answers the same, in no time."""

    name: ClassVar[str] = 'answering'
    suffixes: ClassVar[tuple[str, ...]] = ()
    preference: ClassVar[int] = 0
    builds: ClassVar[bool] = False
    description: str = 'answers the same every time'

    def __init__(self, output: NDArray[np.float32]) -> None:
        self._output = output

    @staticmethod
    def unavailable() -> str | None:
        """Always there."""
        return None

    def open(self) -> ModelFacts:
        """A YOLOv8 of 80 classes."""
        names = str({number: f'class {number}' for number in range(CLASSES)})
        return ModelFacts(
            Path('answering'),
            (TensorFacts('images', (1, 3, SIDE_PX, SIDE_PX), 'float32'),),
            (TensorFacts('output0', self._output.shape, 'float32'),),
            {'names': names, 'stride': '32', 'task': 'detect'},
        )

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Plain memory."""
        return np.zeros(shape, dtype)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """The answer."""
        del tensor
        return [self._output]

    def close(self) -> None:
        """Nothing is held."""
