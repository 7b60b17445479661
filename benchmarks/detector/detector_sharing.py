# SPDX-License-Identifier: Apache-2.0
"""Two cameras on one model beside two with a model each, on the CPU: what the second costs, and how fast both go.

Each case has a process of its own, whose memory is then the case's alone. Alone:
`./gremsy exec python -m benchmarks.detector.detector_sharing`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import onnx
from onnx import numpy_helper

from benchmarks.detector.detector_frames import footage_frames
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import BackendOptions, ModelRunner
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.detector import Detector
from gremsy_detector.model.default_model import default_model_path

OWN, SHARED, IN_TURN, TOGETHER = 'own', 'shared', 'in_turn', 'together'
_IMAGES = 150
_WARM_UP = 10
_OPTIONS = BackendOptions(threads=1)


def sharing_figures(images: int = _IMAGES) -> dict[str, Any]:
    """The figures of each case, and what one model saves."""
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as folder:
        batched = with_open_batch(default_model_path(), Path(folder) / 'nanodet_dynamic.onnx')
        cases = {
            OWN: _in_own_process(OWN, default_model_path(), images),
            SHARED: _in_own_process(SHARED, default_model_path(), images),
            IN_TURN: _in_own_process(IN_TURN, batched, images),
            TOGETHER: _in_own_process(TOGETHER, batched, images),
        }
    return {
        **cases,
        'second_camera_saves_mb': round(cases[OWN]['second_mb'] - cases[SHARED]['second_mb'], 1),
        'shared_over_own': round(cases[SHARED]['ms_p50'] / cases[OWN]['ms_p50'], 3),
        'together_over_in_turn': round(cases[TOGETHER]['ms_p50'] / cases[IN_TURN]['ms_p50'], 3),
        'cores': len(os.sched_getaffinity(0)),
    }


def with_open_batch(source: Path, path: Path) -> Path:
    """The shipped model with its number of images left open, as an export with dynamic axes has it; `path`."""
    model = onnx.load(source)
    graph = model.graph
    for tensor in (*graph.input, *graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = 'batch'
    del graph.value_info[:]
    shapes = {node.input[1] for node in graph.node if node.op_type == 'Reshape'}
    for constant in graph.initializer:
        if constant.name in shapes:
            sizes = numpy_helper.to_array(constant).copy()
            sizes[0] = 0  # as many as come in
            constant.CopyFrom(numpy_helper.from_array(sizes, constant.name))
    onnx.save(model, path)
    return path


def _in_own_process(case: str, model: Path, images: int) -> dict[str, Any]:
    command = [sys.executable, '-m', 'benchmarks.detector.detector_sharing', case, str(model), str(images)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def two_cameras(case: str, model: Path, frames: list[Frame], images: int) -> dict[str, Any]:
    """Two threads that detect without a pause, each an image after the other.

    Args:
        case: a model for each; one, as the node has it; one whose images take turns, or go together.
        model: ONNX file.
        frames: pictures that they go through.
        images: so many each.
    """
    pool, working = ModelPool(), [False, False]

    def backend(number: int) -> ModelRunner:
        if case == OWN:
            return OnnxRuntimeBackend(model, _OPTIONS)
        batch = {SHARED: 'auto', IN_TURN: 'never', TOGETHER: 'always'}[case]
        kind = OnnxRuntimeBackend if case == SHARED else _TakingTurns
        return pool.backend(kind, model, _OPTIONS, name=str(number), due=lambda: working[number], batch=batch)

    before_mb = _memory_mb()
    detectors, grown_mb = [], []
    for number in range(2):
        detector = Detector(backend(number))
        detector.open()
        detector.detect(frames[number])
        detectors.append(detector)
        grown_mb.append(_memory_mb() - before_mb)
        before_mb = _memory_mb()
    took_ms: list[list[float]] = [[], []]
    ready = threading.Barrier(2)

    def run(number: int) -> None:
        ready.wait()
        working[number] = True
        for image in range(images + _WARM_UP):
            began = time.perf_counter()
            detectors[number].detect(frames[(image + number) % len(frames)])
            if image >= _WARM_UP:
                took_ms[number].append(1e3 * (time.perf_counter() - began))
        working[number] = False

    began = time.perf_counter()
    _on_threads(run)
    took_s = time.perf_counter() - began
    for detector in detectors:
        detector.close()
    return {
        'ms_p50': round(median(took_ms[0] + took_ms[1]), 2),
        'images_per_s': round(2 * (images + _WARM_UP) / took_s, 1),
        'first_mb': round(grown_mb[0], 1),
        'second_mb': round(grown_mb[1], 1),
    }


class _TakingTurns(OnnxRuntimeBackend):
    """As a back end that runs one thing at a time."""

    @property
    def concurrent(self) -> bool:
        return False


def _on_threads(run: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory_mb() -> float:
    """Of this process that lies in memory, shared libraries left out."""
    pages = [int(each) for each in Path('/proc/self/statm').read_text().split()]
    return (pages[1] - pages[2]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def _main(arguments: list[str]) -> None:
    if not arguments:
        print(json.dumps(sharing_figures(), indent=2))
        return
    case, model, images = arguments
    # As hosting has it for the nodes.
    cv2.setNumThreads(1)
    sys.setswitchinterval(0.0001)
    frames = footage_frames(default_footage(cache_directory(os.environ), lambda text: print(text, file=sys.stderr)))
    print(json.dumps(two_cameras(case, Path(model), frames, int(images))))


if __name__ == '__main__':
    _main(sys.argv[1:])
