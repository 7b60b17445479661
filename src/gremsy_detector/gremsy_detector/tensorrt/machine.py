# SPDX-License-Identifier: Apache-2.0
"""What this machine has for TensorRT: the library, the GPU, a builder, and the precision step."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters import ParameterError
from gremsy_detector.errors import FrameError, ModelError
from gremsy_detector.tensorrt.cuda_memory import CudaStream
from gremsy_detector.tensorrt.cuda_probe import CudaProbe, Gpu, probe_cuda
from gremsy_detector.tensorrt.engine_builder import EngineBuilder, PrecisionStep, Prepared
from gremsy_detector.tensorrt.engine_cache import EngineCache, default_engine_folder
from gremsy_detector.tensorrt.library import EngineRefused, TensorRt, load_library, why_not
from gremsy_detector.tensorrt.tensorrt_builder import TensorRtBuilder


def prepare_model(
    model: Path,
    precision: str,
    out_dir: Path,
    *,
    calibration: Path | None,
    check: Path | None,
    say: Callable[[str], None],
) -> Prepared:
    """The suite's own `PrecisionStep`, imported when used: it needs packages that running an engine does not."""
    try:
        step = importlib.import_module('gremsy_detector.precision.prepare')
    except ImportError as error:
        raise ModelError(
            f'Model file {model} cannot be prepared because Python package {error.name} is missing: install it, or '
            "build with precision 'model'."
        ) from error
    try:
        prepared: Prepared = step.prepare_model(
            model, precision, out_dir, calibration=calibration, check=check, say=say
        )
    except (FrameError, ParameterError) as error:
        raise ModelError(str(error)) from error
    return prepared


def _builder_of(library: TensorRt) -> EngineBuilder | None:
    return TensorRtBuilder(library) if library.has_builder else None


@dataclass(frozen=True)
class Machine:
    """The real one by default; tests hand in another's parts."""

    unavailable: Callable[[], str | None] = why_not
    load: Callable[[], TensorRt] = load_library
    probe: Callable[[], CudaProbe] = probe_cuda
    new_stream: Callable[[int], CudaStream] = CudaStream
    builder_of: Callable[[TensorRt], EngineBuilder | None] = _builder_of
    prepare: PrecisionStep = prepare_model

    def library(self) -> TensorRt:
        """TensorRT, loaded, after making sure that it would not end the process.

        Raises:
            ModelError: when it cannot be used.
        """
        reason = self.unavailable()
        if reason is not None:
            raise ModelError(f'TensorRT {reason}.')
        try:
            return self.load()
        except EngineRefused as error:
            raise ModelError(f'TensorRT cannot be used: {error}.') from error

    def gpu(self, device: int) -> Gpu:
        """By its number.

        Raises:
            ModelError: when there is none of that number.
        """
        gpus = self.probe().gpus
        if not 0 <= device < len(gpus):
            raise ModelError(
                f'There is no GPU {device}: this machine has {len(gpus)}, counted from 0, so set `device` to one of '
                'them.'
            )
        return gpus[device]

    def cache(self, library: TensorRt, device: int, folder: Path | None, say: Callable[[str], None]) -> EngineCache:
        """The engines in a folder, for one GPU.

        Raises:
            ModelError: when there is no such GPU, or no folder to keep engines in.
        """
        return EngineCache(
            folder=folder.expanduser() if folder is not None else default_engine_folder(),
            tensorrt_version=library.version,
            gpu=self.gpu(device),
            builder=self.builder_of(library),
            prepare=self.prepare,
            say=say,
        )
