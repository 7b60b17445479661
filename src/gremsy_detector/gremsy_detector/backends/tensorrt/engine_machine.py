# SPDX-License-Identifier: Apache-2.0
"""What this machine offers TensorRT: the library, the GPU, a builder, and the precision step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from gremsy_common.machine.cuda_probe import CudaProbe, Gpu, probe_cuda
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.gpu.graph_maker import GpuGraphs, installed_graphs
from gremsy_detector.backends.tensorrt.engine_builder import EngineBuilder, PrecisionStep, Prepared
from gremsy_detector.backends.tensorrt.engine_cache import EngineCache, default_engine_folder
from gremsy_detector.backends.tensorrt.engine_key import EngineTarget
from gremsy_detector.backends.tensorrt.kernel_file import KernelFile
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, Kind
from gremsy_detector.backends.tensorrt.tensorrt_library import (
    EngineRefused,
    TensorRt,
    load_library,
    not_installed,
    why_not,
)
from gremsy_detector.errors import FrameError, ModelError

PRECISION_STEP = 'gremsy_detector.precision_step'
"""Entry point of a `PrecisionStep`, which makes the ONNX file of a precision other than `model`."""


def prepare_model(
    model: Path,
    precision: str,
    out_dir: Path,
    *,
    calibration: Path | None,
    check: Path | None,
    say: Callable[[str], None],
) -> Prepared:
    """The installed package's `PrecisionStep`, looked up on use: running an engine needs none."""
    # What is asked for as the file has it is prepared only where TensorRT does not take the file so.
    way_out = 'install it' if precision == 'model' else "install it, or build with precision 'model'"
    steps = entry_points(group=PRECISION_STEP)
    if not steps:
        raise ModelError(
            f'Model file {model} cannot be prepared because package gremsy_model_tools is not installed: {way_out}.'
        )
    try:
        step: PrecisionStep = next(iter(steps)).load()
    except ImportError as error:
        raise ModelError(
            f'Model file {model} cannot be prepared because Python package {error.name} is missing: {way_out}.'
        ) from error
    try:
        return step(model, precision, out_dir, calibration=calibration, check=check, say=say)
    except (FrameError, ParameterError) as error:
        raise ModelError(str(error)) from error


def _builder_of(library: TensorRt) -> EngineBuilder | None:
    return TensorRtBuilder(library) if library.has_builder else None


@dataclass(frozen=True)
class Machine:
    """The real one by default; tests hand in another's parts."""

    kind: Kind = FULL
    unavailable: Callable[[Kind], str | None] = why_not
    not_installed: Callable[[Kind], str | None] = not_installed
    load: Callable[[Kind], TensorRt] = load_library
    probe: Callable[[], CudaProbe] = probe_cuda
    new_stream: Callable[[int], CudaStream] = CudaStream
    builder_of: Callable[[TensorRt], EngineBuilder | None] = _builder_of
    prepare: PrecisionStep = prepare_model
    graphs: Callable[[], GpuGraphs] = installed_graphs

    def library(self, *, to_build_only: bool = False) -> TensorRt:
        """TensorRT, loaded, after making sure that it would not end the process.

        Args:
            to_build_only: a kind whose engines are portable builds them without a GPU.

        Raises:
            ModelError: when it cannot be used.
        """
        needs_no_gpu = to_build_only and self.kind.portable
        reason = self.not_installed(self.kind) if needs_no_gpu else self.unavailable(self.kind)
        if reason is not None:
            raise ModelError(f'{self.kind.title} {reason}.')
        try:
            return self.load(self.kind)
        except EngineRefused as error:
            raise ModelError(f'{self.kind.title} cannot be used: {error}.') from error

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

    def target(self, library: TensorRt, device: int) -> EngineTarget:
        """What will run engines.

        Raises:
            ModelError: when there is no such GPU, or the kind does not run on it.
        """
        gpu = self.gpu(device)
        refusal = self.kind.refusal(gpu)
        if refusal is not None:
            raise ModelError(
                f'{self.kind.title} cannot use GPU {device}: {refusal}, so set `device` to another one, or '
                '`backend: onnxruntime`.'
            )
        return EngineTarget(self.kind, library.version, gpu)

    def target_to_build_for(self, library: TensorRt, device: int) -> EngineTarget:
        """What engines are built for: `target`, or every GPU of a kind whose engines are portable.

        Raises:
            ModelError: see `target`; not for a kind whose engines are portable.
        """
        if not self.kind.portable:
            return self.target(library, device)
        gpus = self.probe().gpus
        usable = 0 <= device < len(gpus) and self.kind.refusal(gpus[device]) is None
        return EngineTarget(self.kind, library.version, gpus[device] if usable else None)

    def kernels(self, engine: Path, plan_sha256: str, gpu: Gpu) -> KernelFile:
        """Where what is compiled for a GPU at the start is kept."""
        return KernelFile(engine, plan_sha256, gpu.identity, self.probe().driver_version)

    def cache(
        self, library: TensorRt, target: EngineTarget, folder: Path | None, say: Callable[[str], None]
    ) -> EngineCache:
        """The engines in a folder.

        Raises:
            ModelError: when there is no folder to keep engines in.
        """
        return EngineCache(
            folder=folder.expanduser() if folder is not None else default_engine_folder(),
            target=target,
            builder=self.builder_of(library),
            prepare=self.prepare,
            say=say,
            graphs=self.graphs,
        )
