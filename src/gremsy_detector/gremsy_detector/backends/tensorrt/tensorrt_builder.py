# SPDX-License-Identifier: Apache-2.0
"""Builds engines with the full TensorRT or with that for RTX; the lean runtime has no builder."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe, BuiltEngine
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt, tensor_facts
from gremsy_detector.errors import ModelError
from gremsy_detector.model.onnx_facts import operators_of

# A build has thousands of steps: one sentence every two seconds shows enough progress.
_SAY_EVERY_S = 2.0


class TensorRtBuilder:
    """`EngineBuilder` on a TensorRT that has one."""

    def __init__(self, library: TensorRt, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._library = library
        self._clock_s = clock_s

    def build(self, onnx: Path, recipe: BuildRecipe, say: Callable[[str], None]) -> BuiltEngine:
        """Parse, configure, build; see `EngineBuilder.build`."""
        library, trt = self._library, self._library.module
        builder = trt.Builder(library.logger)
        network = builder.create_network(library.network_flags)
        parser = trt.OnnxParser(network, library.logger)
        # By its path, so that weights in a file beside it are found.
        if not parser.parse_from_file(str(onnx)):
            raise ModelError(
                f'Model file {onnx} cannot be built by {library.title} ({_parser_errors(parser)}): '
                f'{_way_out(onnx)}, or run it with `backend: onnxruntime`.'
            )
        if network.num_inputs != 1:
            raise ModelError(
                f'Model file {onnx} has {network.num_inputs} inputs: the detector needs one with one image.'
            )
        config = builder.create_builder_config()
        _set_shape(builder, network, config, recipe.shape)
        library.aim(config, recipe.compute_capability)
        if recipe.workspace_bytes and library.measures:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace_bytes)
        if recipe.lean:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
            config.set_flag(trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
        if library.measures:
            _set_timing_cache(config, recipe.timing_cache)
        progress = _progress_monitor(trt, say, self._clock_s)
        config.progress_monitor = progress
        with _interrupts_to(progress):
            plan = builder.build_serialized_network(network, config)
        if progress.interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise ModelError(
                f'Model file {onnx} cannot be built by {library.title} '
                f'({library.last_error("it gives no reason")}): '
                + ('free GPU memory, ' if library.measures else '')
                + f'{_way_out(onnx)}, or run it with `backend: onnxruntime`.'
            )
        return BuiltEngine(
            plan=bytes(plan),
            inputs=tuple(_facts(network.get_input(index)) for index in range(network.num_inputs)),
            outputs=tuple(_facts(network.get_output(index)) for index in range(network.num_outputs)),
            timing_cache=_timing_cache_of(config) if library.measures else b'',
        )


@contextlib.contextmanager
def _interrupts_to(progress: Any) -> Iterator[None]:
    """Ctrl-C ends the build at its next step: as an exception in a callback, it would end the process in C++."""
    before = signal.getsignal(signal.SIGINT)
    # None: handled outside Python, as under rclpy, where Ctrl-C raises nothing here and could not be put back.
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        progress.interrupted = True

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _set_shape(builder: Any, network: Any, config: Any, shape: tuple[int, ...]) -> None:
    """Dynamic axes are built for the one size that will be used: the fastest engine, and no surprise at run time.

    Where several images may go in one run, for each number of them from one on, and for two best.
    """
    tensor = network.get_input(0)
    if all(int(size) >= 0 for size in tensor.shape):
        return
    profile = builder.create_optimization_profile()
    images, *size = shape
    profile.set_shape(tensor.name, (1, *size), (min(images, 2), *size), shape)
    config.add_optimization_profile(profile)


def _set_timing_cache(config: Any, content: bytes) -> None:
    """Begin with what earlier builds measured; a cache that TensorRT refuses is replaced by an empty one."""
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b''), False)


def _timing_cache_of(config: Any) -> bytes:
    cache = config.get_timing_cache()
    return b'' if cache is None else bytes(cache.serialize())


def _facts(tensor: Any) -> Any:
    return tensor_facts(tensor.name, tensor.shape, tensor.dtype)


def _way_out(onnx: Path) -> str:
    """The remedy for a refused file; TensorRT for RTX cannot suppress duplicates, and no model has to."""
    if 'NonMaxSuppression' in operators_of(onnx):
        return 'export it again without `nms`, which the detector does itself'
    return 'export it again with another opset'


def _parser_errors(parser: Any) -> str:
    """What the parser refused, with the node's name and operator where it says them."""
    texts = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        text = ' '.join(str(error.desc()).split()).rstrip('. ')
        node, operator = str(error.node_name() or ''), str(error.node_operator() or '')
        # It gives the condition that did not hold, which for an operator without an importer is this one.
        text = 'it has no such operator' if text == 'false' else text
        where = f'node {node} ({operator})' if node else f'a node {operator}'
        texts.append(f'{text} at {where}' if node or operator else text)
    return '; '.join(texts[:3])[:400] or 'the parser gives no reason'


def _progress_monitor(trt: Any, say: Callable[[str], None], clock_s: Callable[[], float]) -> Any:
    """A monitor whose callbacks never raise: they are called from C++ threads that cannot pass it on."""

    class Progress(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.interrupted = False
            self._steps: dict[str, int] = {}
            self._said_s = clock_s()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            if parent_phase is None:
                self._report(f'Building the engine: {phase_name}.', always=True)

        def step_complete(self, phase_name: str, step: int) -> bool:
            total = self._steps.get(phase_name, 0)
            self._report(f'Building the engine: {phase_name}, step {step + 1} of {total}.')
            # False ends the build.
            return not self.interrupted

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _report(self, sentence: str, *, always: bool = False) -> None:
            now_s = clock_s()
            if not always and now_s - self._said_s < _SAY_EVERY_S:
                return
            self._said_s = now_s
            try:
                say(sentence)
            except OSError:
                # The terminal is closed: the user of this build is gone.
                self.interrupted = True

    return Progress()
