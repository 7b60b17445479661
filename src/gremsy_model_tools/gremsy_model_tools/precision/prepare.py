# SPDX-License-Identifier: Apache-2.0
"""Making of a model file the one that is to run: in the precision that was asked for, if that is good enough.

Precision lives in the file itself, so that TensorRT 10 and 11 and ONNX Runtime all run the same, and what will run on
the robot can be checked on any machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.detector import Detector
from gremsy_detector.errors import FrameError, ModelError
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.model_description import InputDescription, describe_input
from gremsy_detector.model.onnx_facts import read_onnx_facts
from gremsy_model_tools.frames.frame_source import FrameSource, open_source, spread
from gremsy_model_tools.precision import gate
from gremsy_model_tools.precision.agreement import Agreement
from gremsy_model_tools.precision.decoding_tail import decoding_tail
from gremsy_model_tools.precision.folded_input import fold_input as fold
from gremsy_model_tools.precision.graph_facts import precision_of
from gremsy_model_tools.precision.half import beyond_half, to_half
from gremsy_model_tools.precision.onnx_file import (
    at_opset,
    read_model,
    refuse_place_of_model,
    signed,
    simplified,
    with_types,
    write_atomically,
    write_model,
)
from gremsy_model_tools.precision.quantization import quantize

PRECISIONS = ('model', 'fp32', 'fp16', 'int8')
# More frames to calibrate on change nothing: 4, 8 and 24 of vtest.avi agree within .03, which is this measure's noise.
_MOST_TO_CALIBRATE = 64
_MOST_TO_CHECK = 100
_LEAST_TO_CALIBRATE = 10
_SAMPLES = 5
# From it on, scales may be float16.
_OPSET_OF_HALF_SCALES = 19


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """The file to run.

    Attributes:
        path: the file; the original itself where nothing had to be changed.
        precision: what it computes in: `fp32`, `fp16` or `int8`, which need not be what was asked for.
        agreement: with the original, None where it was not measured.
        sentence: what was done and why, for a person.
    """

    path: Path
    precision: str
    agreement: Agreement | None
    sentence: str


def prepare_model(
    model: Path,
    precision: str,
    out_dir: Path,
    *,
    calibration: Path | None = None,
    check: Path | None = None,
    fold_input: bool = True,
    limit: float = gate.DEFAULT_LIMIT,
    say: Callable[[str], None] = say_nothing,
) -> PreparedModel:
    """Write the model in a precision, and give back a coarser one's predecessor where it sees too differently.

    Args:
        model: an ONNX file, float32 for `fp16` and `int8`.
        precision: `model` for the file's own, `fp32`, `fp16` or `int8`.
        out_dir: where to write; made where missing. The verdict of a check lies beside the file as JSON.
        calibration: real frames for `int8`, a folder of images or a video.
        check: frames to check on; None holds back the last quarter of `calibration`.
        fold_input: let the file take uint8 [1, H, W, 3] BGR.
        limit: least agreement (mAP .5:.95) with the original.
        say: takes sentences on progress.

    Raises:
        ParameterError: for a precision that is none, or `int8` without frames.
        ModelError: when the file is no model, or cannot be brought to that precision, or not be written.
        FrameError: when there are no frames where they should be.
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"Precision '{precision}' is not known: use one of {', '.join(PRECISIONS)}.")
    return _Preparation(model, out_dir, fold_input, limit, say).to(precision, calibration, check)


class _Preparation:
    """One model on its way to another precision."""

    def __init__(self, model: Path, out_dir: Path, folded: bool, limit: float, say: Callable[[str], None]) -> None:
        self._model = model
        self._out_dir = out_dir
        self._folded = folded
        self._limit = limit
        self._say = say

    def to(self, precision: str, calibration: Path | None, check: Path | None) -> PreparedModel:
        seen = _try_out(self._model)
        graph = read_model(self._model)
        stated = describe_input(read_onnx_facts(self._model))
        # How it is fed may show in its answer only.
        description = stated if seen is None else seen
        own = precision_of(graph)
        if precision in ('model', own):
            return self._as_it_is(graph, description, own)
        if own != 'fp32':
            raise ModelError(
                f'Model file {self._model} computes in {own} already and cannot become {precision}: '
                'use precision `model`, or give the float32 file it was made from.'
            )
        frames = _open_frames(precision, calibration, check, self._say)
        plain = simplified(graph, description)
        if not _is_sound(self._model):
            raise ModelError(
                f'Model file {self._model} answers NaN or infinity on an ordinary image, so there is nothing to keep '
                'to: export it again.'
            )
        reasons: list[str] = []
        attempts = ('int8', 'fp16') if precision == 'int8' else ('fp16',)
        for attempt in attempts:
            # Now, not after minutes of calibration.
            refuse_place_of_model(self._path_of(attempt))
        for attempt in attempts:
            done, sentence = self._attempt(attempt, plain, description, frames)
            if done is not None:
                return replace(done, sentence=f'{self._model.name}: {"; ".join([*reasons, sentence])}.')
            reasons.append(f'{sentence}, so {"fp16" if attempt == "int8" else "fp32"} is kept')
            self._say(f'{self._model.name}: {reasons[-1]}.')
        kept = self._as_it_is(graph, description, own)
        return replace(kept, sentence=f'{self._model.name}: {"; ".join(reasons)}.')

    def _as_it_is(self, graph: Any, description: InputDescription, own: str) -> PreparedModel:
        folded = fold(graph, description) if self._folded else graph
        if folded == graph:
            return PreparedModel(self._model, own, None, f'{self._model.name} runs in {own}, as it is.')
        path = self._out_dir / f'{self._model.stem}.bgr8.onnx'
        refuse_place_of_model(path)
        write_model(signed(folded), path)
        return PreparedModel(path, own, None, f'{self._model.name} runs in {own} and takes images as they come.')

    def _attempt(
        self, precision: str, plain: Any, description: InputDescription, frames: _Frames | None
    ) -> tuple[PreparedModel | None, str]:
        """The model in a precision, or None where it is not good enough; with what there is to say."""
        changed = self._rewritten(precision, plain, description, frames)
        if self._folded:
            changed = fold(changed, description)
        path = self._path_of(precision)
        with tempfile.TemporaryDirectory(prefix='gremsy_candidate_') as scratch:
            candidate = Path(scratch) / path.name
            write_model(signed(changed), candidate)
            content = candidate.read_bytes()
            sound = _is_sound(candidate)
            measured: Agreement | None = None
            passed, sentence = sound, f'runs in {precision}'
            if not sound:
                sentence = f'{precision} answers NaN or infinity on an ordinary image'
            elif frames is not None:
                self._say(
                    f'{self._model.name}: comparing {precision} with the original on {len(frames.to_check)} frames.'
                )
                backends = OnnxRuntimeBackend(self._model), OnnxRuntimeBackend(candidate)
                measured = gate.measure(*backends, frames.checking, frames.to_check)
                verdict = gate.judge(measured, precision, self._limit)
                gate.write_verdict(verdict, precision, self._model, content, gate.verdict_path(path))
                passed, sentence = verdict.passed, verdict.sentence
                # Frames that show nothing say nothing against float16, whose rounding is known; int8 must prove itself.
                if precision == 'fp16' and not measured.counted_boxes:
                    passed, sentence = True, 'runs in fp16, unchecked: the frames to check on show nothing'
        if not passed:
            # A file of an earlier run must not pass for the one that this verdict is about.
            path.unlink(missing_ok=True)
            return None, sentence
        write_atomically(content, path)
        return PreparedModel(path, precision, measured, sentence), sentence

    def _path_of(self, precision: str) -> Path:
        return self._out_dir / f'{self._model.stem}.{precision}{".bgr8" if self._folded else ""}.onnx'

    def _rewritten(self, precision: str, plain: Any, description: InputDescription, frames: _Frames | None) -> Any:
        if precision == 'fp16' or frames is None:
            return to_half(plain, keep=beyond_half(plain, _tensors(description, _samples(frames))))
        self._say(f'{self._model.name}: calibrating int8 on {len(frames.to_calibrate)} frames.')
        later = at_opset(plain, _OPSET_OF_HALF_SCALES)
        to_calibrate = frames.calibrating.read(frames.to_calibrate)
        quantized = quantize(plain if later is None else later, _tensors(description, to_calibrate), str(self._model))
        if later is None:
            return quantized
        # What is not int8 would run in float32 on a GPU, at twice the memory traffic.
        keep = beyond_half(plain, _tensors(description, _samples(frames)))
        return to_half(with_types(quantized), keep, decoding_tail(plain))


@dataclass(frozen=True, slots=True)
class _Frames:
    """Which frames of which source are for what."""

    calibrating: FrameSource
    to_calibrate: Sequence[int]
    checking: FrameSource
    to_check: Sequence[int]


def _samples(frames: _Frames | None) -> Iterator[Frame]:
    """Pictures to look for large numbers on: noise, and a few of the frames."""
    yield noise()
    if frames is not None:
        yield from frames.checking.read(frames.to_check[:: max(1, len(frames.to_check) // _SAMPLES)])


def _tensors(description: InputDescription, frames: Iterable[Frame]) -> Iterator[NDArray[Any]]:
    """The model's input for each frame, resized as the node does it; always in the same array."""
    network_input = NetworkInput(description)
    for frame in frames:
        network_input.fill(frame)
        yield network_input.tensor


def _open_frames(
    precision: str, calibration: Path | None, check: Path | None, say: Callable[[str], None]
) -> _Frames | None:
    """The frames there are; None where a check was not asked for."""
    if precision != 'int8':
        if check is None:
            return None
        checking = open_source(check, say)
        return _Frames(checking, (), checking, spread(0, len(checking), _MOST_TO_CHECK))
    if calibration is None:
        raise ParameterError(
            'Precision int8 takes real frames to calibrate on: give --calibration a folder of images or a video, '
            'for example what `ros2 run gremsy_model_tools capture_frames` stored.'
        )
    calibrating = open_source(calibration, say)
    count = len(calibrating)
    if count < _LEAST_TO_CALIBRATE:
        raise FrameError(
            f'{calibration} has {count} frame{"s" if count != 1 else ""}, too few to calibrate on: '
            f'give at least {_LEAST_TO_CALIBRATE} that differ.'
        )
    if check is not None and check != calibration:
        checking, end, start = open_source(check, say), count, 0
    else:
        # The last ones, not every fourth: neighbours in a video look alike, and would be checked on what they were
        # calibrated with.
        checking, end = calibrating, count - count // 4
        start = end
    to_check = spread(start, len(checking), _MOST_TO_CHECK)
    return _Frames(calibrating, spread(0, end, _MOST_TO_CALIBRATE), checking, to_check)


def _try_out(model: Path) -> InputDescription | None:
    """Open the file as the node would, so that whatever is wrong with it is reported now and not after a long build.

    Returns:
        How it is fed; None where nothing here can run it.
    """
    if OnnxRuntimeBackend.unavailable() is not None:
        return None
    with closing(Detector(OnnxRuntimeBackend(model))) as detector:
        return detector.open().input


def _is_sound(model: Path) -> bool:
    """Are all numbers finite that it answers to an image of noise, which excites every layer?"""
    with closing(OnnxRuntimeBackend(model)) as backend:
        (tensor,) = _tensors(describe_input(backend.open()), [noise()])
        return all(bool(np.isfinite(output).all()) for output in backend.infer(tensor))


def noise() -> Frame:
    """A picture that excites every layer."""
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    return Frame(lock_read_only(image), 0, 'noise')
