# SPDX-License-Identifier: Apache-2.0
"""One image in, its detections out: resize, run the network, decode, map back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import Interruptible, ModelRunner, TakesPictures
from gremsy_detector.decode.candidates import Boxes
from gremsy_detector.decode.decoder import DecodeSettings, decode
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.image.region_of_interest import Window
from gremsy_detector.image.tiling import merge
from gremsy_detector.model.class_names import class_mask
from gremsy_detector.model.model_description import InputDescription, ModelDescription, describe, describe_input
from gremsy_detector.selection import Selection

__all__ = ['DetectionResult', 'DetectionTimes', 'Detector', 'Selection']

# More boxes than any network answers with.
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class DetectionTimes:
    """How long the stages of one image took, ns of a monotonic clock; over all its tiles."""

    preprocess_ns: int
    inference_ns: int
    decode_ns: int


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The detections of one image, and what they cost.

    Attributes:
        detections: what scores above `confidence`.
        candidates: what scores above `candidate_confidence`, the detections among them.
        times: of the stages.
    """

    detections: Detections
    candidates: Detections
    times: DetectionTimes


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """A selection, worked out for the open model: replaced as one, so that no image sees half of a change.

    Attributes:
        selection: what was asked for.
        decode: what the network's answer is read down to: the candidates.
        sure_above: what a box must score more than to be reported, one for all or (nc,).
    """

    selection: Selection
    decode: DecodeSettings
    sure_above: float | NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """What there is exactly while the model is open."""

    model: ModelDescription
    input: NetworkInput
    labels: NDArray[np.str_]


class Detector:
    """A model, open, and the buffers that go with it.

    `open`, `detect` and `close` belong to one thread; `select` may be called from another at any time.
    """

    def __init__(
        self,
        backend: ModelRunner,
        selection: Selection | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        *,
        resize: str = 'auto',
        warm_up_runs: int = 1,
    ) -> None:
        """Remember; nothing is read before `open`.

        Args:
            backend: runs the model, alone or for others too.
            selection: what to report.
            clock_ns: for the stages' times.
            resize: `letterbox` or `stretch` whatever the file says, or `auto` for what it says.
            warm_up_runs: on an empty image in `open`; at least one.
        """
        self._backend = backend
        self._selection = selection if selection is not None else Selection()
        self._clock_ns = clock_ns
        self._resize = resize
        self._warm_up_runs = max(1, warm_up_runs)
        self._opened: _Opened | None = None
        self._settings: _Settings | None = None
        # The windows of the last image, which are those of the next as long as size and selection stay.
        self._planned_for: tuple[int, int, Selection] | None = None
        self._windows: tuple[Window, ...] = ()

    def open(self) -> ModelDescription:
        """Load the model, run it on an empty image, and read how its answer is laid out.

        The runs warm up the library, and tell the true size of outputs that the file leaves open.

        Raises:
            ModelError: when the file cannot be used.
            ParameterError: when a wanted class is not one of the model's.
        """
        try:
            facts = self._backend.open()
            described = describe_input(facts, self._resize)
            tensor = NetworkInput(described, self._backend.new_input(described.shape, described.dtype)).tensor
            try:
                for _ in range(self._warm_up_runs):
                    outputs = self._backend.infer(tensor)
            except InferenceError as error:
                raise ModelError(
                    f'Model file {facts.path} loads but does not run on an input of '
                    f'{list(tensor.shape)} ({str(error).rstrip(".")}): '
                    'export it again, or free memory if that is what it lacks.'
                ) from error
            model = describe(facts, outputs, self._resize)
            # That it is a DETR, fed stretched, may show in its answer only.
            network_input = self._new_network_input(model.input, tensor)
            settings = _settings_of(self._selection, model)
        except BaseException:
            self._backend.close()
            raise
        self._opened = _Opened(model, network_input, np.asarray(model.class_names))
        self._settings = settings
        return model

    def close(self) -> None:
        """Let go of the model; harmless when not open."""
        self._opened = self._settings = None
        self._backend.close()

    def interrupt(self) -> None:
        """From another thread: let `detect` end with an InferenceError, where the back end can."""
        if isinstance(self._backend, Interruptible):
            self._backend.interrupt()

    @property
    def model(self) -> ModelDescription | None:
        """What the open model says about itself."""
        opened = self._opened
        return opened.model if opened is not None else None

    @property
    def description(self) -> str:
        """What computes: library, version and device."""
        return self._backend.description

    def select(self, selection: Selection) -> None:
        """Ask for other detections from the next image on.

        Raises:
            ParameterError: when a wanted class is not one of the model's; the old selection stays.
        """
        opened = self._opened
        if opened is not None:
            # One assignment: an image that is being decoded keeps the settings it began with.
            self._settings = _settings_of(selection, opened.model)
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
        opened, settings = self._opened, self._settings
        if opened is None or settings is None:
            raise InferenceError('The detector has no model open: call open() first.')
        started_ns = self._clock_ns()
        # An array that is no image has no size to cut: it goes on whole, to be refused.
        if settings.selection.is_one_run or frame.image.ndim < 2 or frame.image.size == 0:
            boxes, preprocess_ns, inference_ns = self._run_on(frame, opened, settings.decode, started_ns)
        else:
            boxes, preprocess_ns, inference_ns = self._detect_in_windows(frame, opened, settings, started_ns)
        # Suppression goes by score, so the boxes above a threshold are those that it alone would have left.
        most = settings.selection.max_detections
        sure = boxes.above(settings.sure_above)
        detections = _named(boxes[sure][:most], frame, opened.labels)
        # Where a class's own threshold is low, others that score better and are not reported do not crowd it out.
        kept = np.sort(np.argsort(~sure, kind='stable')[:most])
        candidates = _named(boxes[kept], frame, opened.labels)
        decode_ns = self._clock_ns() - started_ns - preprocess_ns - inference_ns
        return DetectionResult(detections, candidates, DetectionTimes(preprocess_ns, inference_ns, decode_ns))

    def _new_network_input(self, described: InputDescription, tensor: NDArray[Any]) -> NetworkInput:
        backend = self._backend
        if not isinstance(backend, TakesPictures):
            return NetworkInput(described, tensor)
        return NetworkInput(described, tensor, lambda form: backend.picture(tensor, form, described))

    def _run_on(
        self, frame: Frame, opened: _Opened, settings: DecodeSettings, started_ns: int
    ) -> tuple[Boxes, int, int]:
        """One run of the network: boxes in the frame's own pixels, clipped to it; the first two stages' times, ns."""
        placement = opened.input.fill(frame)
        filled_ns = self._clock_ns()
        outputs = self._backend.infer(opened.input.tensor)
        inferred_ns = self._clock_ns()
        decoded = decode(outputs, opened.model.output, settings)
        corners_px = placement.clip_to_source(placement.to_source(decoded.boxes_network_px))
        # A box wholly in the padding, or turned inside out, has nothing of the image in it.
        seen = (corners_px[:, 2] > corners_px[:, 0]) & (corners_px[:, 3] > corners_px[:, 1])
        boxes = Boxes(corners_px[seen], decoded.scores[seen], decoded.classes[seen])
        return boxes, filled_ns - started_ns, inferred_ns - filled_ns

    def _detect_in_windows(
        self, frame: Frame, opened: _Opened, settings: _Settings, started_ns: int
    ) -> tuple[Boxes, int, int]:
        """One run for each window of the region: boxes in the whole image's pixels, and the stages' times together."""
        selection = settings.selection
        frame = opened.input.cuttable(frame)
        area = selection.region.window(frame.width, frame.height)
        if self._planned_for != (frame.width, frame.height, selection):
            self._windows = selection.tiling.windows(area)
            self._planned_for = (frame.width, frame.height, selection)
        found: list[Boxes] = []
        preprocess_ns = inference_ns = 0
        for window in self._windows:
            boxes, filling_ns, inferring_ns = self._run_on(window.of(frame), opened, settings.decode, started_ns)
            offset_px = (window.x_px, window.y_px, window.x_px, window.y_px)
            found.append(Boxes(boxes.corners_px + offset_px, boxes.scores, boxes.classes))
            preprocess_ns += filling_ns
            inference_ns += inferring_ns
            started_ns = self._clock_ns()
        if len(found) == 1:
            return found[0], preprocess_ns, inference_ns
        merged = merge(
            found,
            self._windows,
            area,
            iou=selection.iou,
            max_boxes=settings.decode.max_detections,
            sure_above=settings.sure_above,
        )
        return merged, preprocess_ns, inference_ns


def _named(boxes: Boxes, frame: Frame, labels: NDArray[np.str_]) -> Detections:
    return Detections(
        stamp_ns=frame.stamp_ns,
        frame_id=frame.frame_id,
        boxes_px=boxes.corners_px,
        scores=boxes.scores.astype(np.float64),
        labels=labels[boxes.classes],
    )


def _settings_of(selection: Selection, model: ModelDescription) -> _Settings:
    name = model.path.name
    reported = selection.thresholds(model.class_names, name)
    decode_settings = DecodeSettings(
        confidence=selection.least_candidate,
        iou=selection.iou,
        # With thresholds of their own, what is reported need not be among the best scored candidates.
        max_detections=selection.max_detections if reported is None else _ALL,
        class_mask=class_mask(selection.classes, model.class_names, name),
        class_confidence=selection.candidate_thresholds(model.class_names, name),
    )
    return _Settings(selection, decode_settings, selection.confidence if reported is None else reported)
