# SPDX-License-Identifier: Apache-2.0
"""The ways from an image to boxes that the detector's benchmark compares: the network alone, and the node's two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detector.detector_peer import session_options
from gremsy_common.ros.messages.detection_messages import detections_message
from gremsy_common.ros.messages.image_messages import frame_as_sent, image_message
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime
from gremsy_detector.detector import DetectionResult, Detector, Selection


class BareRun:
    """The model file on a ready float32 tensor, in bound buffers: nothing is prepared, nothing is decoded."""

    def __init__(self, model: Path) -> None:
        self._session = load_onnxruntime().InferenceSession(
            str(model), session_options(), providers=['CPUExecutionProvider']
        )
        tensor = self._session.get_inputs()[0]
        self._input = np.random.default_rng(0).random(tensor.shape, dtype=np.float32)
        outputs = self._session.run(None, {tensor.name: self._input})
        self._outputs: list[NDArray[Any]] = [np.empty_like(each) for each in outputs]
        self._binding = self._session.io_binding()
        _bind(self._binding.bind_input, [tensor], [self._input])
        _bind(self._binding.bind_output, self._session.get_outputs(), self._outputs)

    def __call__(self) -> list[NDArray[Any]]:
        """One run."""
        self._session.run_with_iobinding(self._binding)
        return self._outputs


def _bind(bind: Any, tensors: Sequence[Any], arrays: Sequence[NDArray[Any]]) -> None:
    for tensor, array in zip(tensors, arrays, strict=True):
        bind(tensor.name, 'cpu', 0, array.dtype.type, array.shape, array.ctypes.data)


class FrameWay:
    """What the node does inside the loop: a `Frame` is handed over, `Detections` are handed on."""

    def __init__(self, model: Path, selection: Selection | None = None) -> None:
        backend = choose_backend(model, 'onnxruntime')(model, BackendOptions(threads=1))
        self._detector = Detector(backend, selection)
        self._results: list[DetectionResult] = []

    def __enter__(self) -> FrameWay:
        self._detector.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._detector.close()

    def __call__(self, frame: Frame) -> Detections:
        """One image."""
        result = self._detector.detect(frame)
        self._results.append(result)
        return result.detections

    def stages_ms(self) -> dict[str, float]:
        """Medians of the detector's own stages over all calls."""
        names = ('preprocess_ns', 'inference_ns', 'decode_ns')
        return {
            name.replace('_ns', ''): round(1e-6 * median(getattr(each.times, name) for each in self._results), 3)
            for name in names
        }

    def mean_count(self) -> float:
        """Detections an image."""
        return round(fmean(len(each.detections) for each in self._results), 1)


class MessageWay:
    """What the node does across processes: a sensor_msgs/Image comes in, a Detection2DArray goes out (DDS left out)."""

    def __init__(self, model: Path, frames: Sequence[Frame]) -> None:
        self._way = FrameWay(model)
        self._messages = [image_message(frame) for frame in frames]

    def __enter__(self) -> MessageWay:
        self._way.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._way.__exit__(kind, error, trace)

    def __call__(self, number: int) -> object:
        """The message of that number."""
        return detections_message(self._way(frame_as_sent(self._messages[number])))
