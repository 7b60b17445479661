# SPDX-License-Identifier: Apache-2.0
"""One image in, its detections out: resize, run the network, decode, map back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.detections import Detections
from gremsy_common.frame import Frame
from gremsy_detector.backend import Backend
from gremsy_detector.class_names import class_mask
from gremsy_detector.decoder import DecodedBoxes, DecodeSettings, decode
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.model_description import ModelDescription, describe, describe_input
from gremsy_detector.network_input import NetworkInput
from gremsy_detector.resize import Placement


@dataclass(frozen=True, slots=True)
class Selection:
    """Which detections are wanted; may change while the detector runs.

    Attributes:
        confidence: least score, exclusive, 0..1.
        iou: overlap above which the worse of two boxes of one class goes, 0..1.
        max_detections: most boxes per image, best first.
        classes: class names, empty for all.
    """

    confidence: float = 0.35
    iou: float = 0.5
    max_detections: int = 100
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long the stages of one image took, ns of a monotonic clock."""

    preprocess_ns: int
    inference_ns: int
    decode_ns: int


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The detections of one image, and what they cost."""

    detections: Detections
    times: StageTimes


class Detector:
    """A model, open, and the buffers that go with it.

    `open`, `detect` and `close` belong to one thread; `select` may be called from another at any time.
    """

    def __init__(
        self,
        backend: Backend,
        selection: Selection | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._backend = backend
        self._selection = selection if selection is not None else Selection()
        self._clock_ns = clock_ns
        self._model: ModelDescription | None = None
        self._input: NetworkInput | None = None
        self._settings: DecodeSettings | None = None
        self._labels: NDArray[np.str_] = np.zeros(0, dtype=np.str_)

    def open(self) -> ModelDescription:
        """Load the model, run it once on an empty image, and read how its answer is laid out.

        The run warms up the library, and tells the true size of outputs that the file leaves open.

        Raises:
            ModelError: when the file cannot be used.
            ParameterError: when a wanted class is not one of the model's.
        """
        try:
            facts = self._backend.open()
            described = describe_input(facts)
            network_input = NetworkInput(described, self._backend.new_input(described.shape, described.dtype))
            try:
                outputs = self._backend.infer(network_input.tensor)
            except InferenceError as error:
                raise ModelError(
                    f'Model file {facts.path} loads but does not run on an input of '
                    f'{list(network_input.tensor.shape)} ({str(error).rstrip(".")}): export it again.'
                ) from error
            model = describe(facts, outputs)
            if model.input != described:
                # That it is a DETR, fed stretched, may show in its answer only.
                network_input = NetworkInput(model.input, network_input.tensor)
            self._settings = _settings_of(self._selection, model)
        except BaseException:
            self._backend.close()
            raise
        self._model, self._input = model, network_input
        self._labels = np.asarray(model.class_names)
        return model

    def close(self) -> None:
        """Let go of the model; harmless when not open."""
        self._model = self._input = self._settings = None
        self._backend.close()

    @property
    def model(self) -> ModelDescription | None:
        """What the open model says about itself."""
        return self._model

    def select(self, selection: Selection) -> None:
        """Ask for other detections from the next image on.

        Raises:
            ParameterError: when a wanted class is not one of the model's; the old selection stays.
        """
        if self._model is not None:
            # One assignment: an image that is being decoded keeps the settings it began with.
            self._settings = _settings_of(selection, self._model)
        self._selection = selection

    def detect(self, frame: Frame) -> DetectionResult:
        """Detect in one image.

        Returns:
            Boxes in source-image pixels, clipped to the image, best score first, under the image's own stamp and frame;
            zero boxes is a result too.

        Raises:
            FrameError: for an image that cannot be fed to the network.
            InferenceError: when the network failed on it.
        """
        model, network_input, settings = self._model, self._input, self._settings
        if model is None or network_input is None or settings is None:
            raise InferenceError('The detector has no model open: call open() first.')
        started_ns = self._clock_ns()
        placement = network_input.fill(frame)
        filled_ns = self._clock_ns()
        outputs = self._backend.infer(network_input.tensor)
        inferred_ns = self._clock_ns()
        decoded = decode(outputs, model.output, settings)
        detections = self._in_source(decoded, placement, frame)
        decoded_ns = self._clock_ns()
        times = StageTimes(filled_ns - started_ns, inferred_ns - filled_ns, decoded_ns - inferred_ns)
        return DetectionResult(detections, times)

    def _in_source(self, decoded: DecodedBoxes, placement: Placement, frame: Frame) -> Detections:
        boxes_px = placement.clip_to_source(placement.to_source(decoded.boxes_network_px))
        # A box wholly in the padding, or turned inside out, has nothing of the image in it.
        seen = (boxes_px[:, 2] > boxes_px[:, 0]) & (boxes_px[:, 3] > boxes_px[:, 1])
        return Detections(
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            boxes_px=boxes_px[seen],
            scores=decoded.scores[seen].astype(np.float64),
            labels=self._labels[decoded.classes[seen]],
        )


def _settings_of(selection: Selection, model: ModelDescription) -> DecodeSettings:
    return DecodeSettings(
        confidence=selection.confidence,
        iou=selection.iou,
        max_detections=selection.max_detections,
        class_mask=class_mask(selection.classes, model.class_names, model.path.name),
    )
