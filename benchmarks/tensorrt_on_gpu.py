# SPDX-License-Identifier: Apache-2.0
"""The TensorRT back end on a real NVIDIA GPU with the real lean runtime: what can be shown without an engine.

PyPI has no builder for this runtime, so the run itself is stood in for by copies on the GPU; everything round it is
real: the probe, the runtime and what it refuses, page-locked and device memory, the stream, capture and replay.
TensorRT for RTX, where it is installed, is asked whether it runs here, and runs the shipped model if it does.
Stand-alone, with numpy, cuda-bindings and the tensorrt-lean wheels (and tensorrt-rtx, onnxruntime and OpenCV):

    PYTHONPATH=src/gremsy_detector:src/gremsy_common python3 benchmarks/tensorrt_on_gpu.py [--iterations 10000]

Prints one JSON object; `failed` lists what did not hold, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gremsy_common.machine.cuda_probe import CudaProbe, Gpu, probe_cuda
from gremsy_detector.backends.backend import Backend, BackendOptions
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.backend_registry import backends_for
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.backends.gpu.engine_runner import EngineRunner
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.shared_model import Member, SharedModel
from gremsy_detector.backends.tensorrt.engine_file import EngineHeader, write_engine
from gremsy_detector.backends.tensorrt.engine_key import EngineKey
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_kinds import RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt, load_library, not_installed, why_not
from gremsy_detector.backends.tensorrt_backend import TensorRtBackend
from gremsy_detector.backends.tensorrt_rtx_backend import TensorRtRtxBackend
from gremsy_detector.detector import Detector
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.model.default_model import DEFAULT, model_path
from gremsy_detector.model.model_facts import TensorFacts
from gremsy_detector.selection import Selection

# What a YOLO of 640x640 takes and gives: 1.2 MB up, 2.8 MB down.
_INPUT = TensorFacts('images', (1, 640, 640, 3), 'uint8')
_OUTPUT = TensorFacts('output0', (1, 84, 8400), 'float32')
_MIB = 1024 * 1024
# Of GPU memory, the driver gives out 2 MiB at a time; of host memory, the interpreter's own heap breathes by more.
_GROWTH_DEVICE_BYTES, _GROWTH_HOST_BYTES = 0, 8 * _MIB
_ABSURD_BYTES = 1 << 50
# TensorRT computes float32 in the GPU's TF32, of 10 bits.
_MOST_ERROR = 3e-3


class CopyEngine:
    """Stands in for an engine: its run copies the input's first bytes to the output, on the GPU and on its stream.

    With `most_images` above one it takes several at a time, and copies each image to its own answer.
    """

    title = 'copies'
    recordable = True

    def __init__(self, runtime: Any, most_images: int = 1) -> None:
        open_batch = most_images > 1
        self.inputs: tuple[TensorFacts, ...] = (_with_batch(_INPUT, None) if open_batch else _INPUT,)
        self.outputs: tuple[TensorFacts, ...] = (_with_batch(_OUTPUT, None) if open_batch else _OUTPUT,)
        self._cuda = runtime
        self._most_images = most_images
        self._images = 1
        self._address: dict[str, int] = {}
        self.enqueued = 0

    def another_context(self) -> CopyEngine:
        return CopyEngine(self._cuda, self._most_images)

    def kernels(self) -> bytes:
        return b''

    def set_input_shape(self, _name: str, shape: tuple[int, ...]) -> bool:
        self._images = shape[0]
        return True

    def input_range(self, _name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        _, *size = cast('tuple[int, ...]', _INPUT.shape)
        return (1, *size), (self._most_images, *size)

    def shape(self, _name: str) -> tuple[int, ...]:
        _, *size = cast('tuple[int, ...]', _OUTPUT.shape)
        return (self._images, *size)

    def set_address(self, name: str, address: int) -> bool:
        self._address[name] = address
        return True

    def enqueue(self, stream: int) -> bool:
        self.enqueued += 1
        cuda = self._cuda
        source, target = self._address['images'], self._address['output0']
        size, answer = int(np.prod(cast('tuple[int, ...]', _INPUT.shape))), 4 * 84 * 8400
        success = cuda.cudaError_t.cudaSuccess
        cleared = cuda.cudaMemsetAsync(target, 0, self._images * answer, stream)
        if cleared[0] != success:
            return False
        for image in range(self._images):
            places = target + image * answer, source + image * size
            copied = cuda.cudaMemcpyAsync(*places, size, cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice, stream)
            if copied[0] != success:
                return False
        return True

    def last_error(self) -> str:
        return 'a copy failed'

    def close(self) -> None:
        self._address.clear()


def _with_batch(facts: TensorFacts, batch: int | None) -> TensorFacts:
    return replace(facts, shape=(batch, *facts.shape[1:]))


class Findings:
    """What was found, and what did not hold."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.failed: list[str] = []

    def hold(self, claim: str, *, true: bool) -> None:
        """Note a claim that turned out false."""
        if not true:
            self.failed.append(claim)

    def run(self, name: str, part: Callable[[Findings], Any]) -> None:
        """One part; an error of it is a finding, and the others are still run."""
        try:
            self.values[name] = part(self)
        except Exception as error:  # noqa: BLE001 - reported as a failure
            self.values[name] = f'{type(error).__name__}: {error}'
            self.failed.append(f'{name} ended with an error')


def resident_bytes() -> int:
    """Of this process."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def free_device_bytes(runtime: Any) -> int:
    """Of the GPU's memory."""
    return int(runtime.cudaMemGetInfo()[1])


def probe(findings: Findings) -> dict[str, Any]:
    """The child process that looks for a GPU."""
    started = time.perf_counter()
    found: CudaProbe = probe_cuda()
    took_ms = (time.perf_counter() - started) * 1e3
    findings.hold('the probe finds a GPU', true=bool(found.gpus))
    findings.hold('TensorRT is available', true=why_not() is None)
    return {
        'gpus': [f'{gpu.identity}, {gpu.compute_capability}, {gpu.memory_bytes // _MIB} MiB' for gpu in found.gpus],
        'driver': found.driver_version,
        'reason': found.reason,
        'unavailable': why_not(),
        'took_ms': round(took_ms, 1),
    }


def library(findings: Findings) -> dict[str, Any]:
    """The real runtime, loaded and made."""
    started = time.perf_counter()
    loaded = load_library()
    runtime = loaded.module.Runtime(loaded.logger)
    findings.hold('a Runtime is made', true=runtime is not None)
    return {
        'title': loaded.title,
        'module': loaded.module.__name__,
        'has_builder': loaded.has_builder,
        'took_ms': round((time.perf_counter() - started) * 1e3, 1),
    }


def _write_ours(path: Path, version: str, gpu: Gpu, plan: bytes, *, lean: bool = False) -> None:
    key = EngineKey('0' * 64, version, gpu.identity, gpu.compute_capability, 'fp16', (1, 3, 640, 640), lean)
    write_engine(path, EngineHeader(key, 'fp16', '/nowhere/m.onnx', (), (), {}, '2026-01-01T00:00:00+00:00'), plan)


def _bad_files(folder: Path, version: str, gpu: Gpu) -> dict[str, Path]:
    """Everything that must not become an engine."""
    noise = np.random.default_rng(0).bytes(200_000)
    other_gpu = Gpu('Orin', '8.7', 16, 0)
    major = int(version.split('.')[0])
    metadata = json.dumps({'names': {'0': 'person'}, 'task': 'detect'}).encode()
    head = len(metadata).to_bytes(4, 'little') + metadata
    plain = {
        'empty': b'',
        'text': b'this is no engine\n' * 100,
        'noise': noise,
        'bare_plan': b'ptrt' + noise,
        'ultralytics_noise': head + noise,
        'ultralytics_zeros': head + bytes(100_000),
        'ultralytics_plan_magic': head + b'ptrt' + noise,
        'ultralytics_plan_magic_reversed': head + b'ftrt' + noise,
        'ultralytics_short': head + b'p',
    }
    files = {}
    for name, content in plain.items():
        files[name] = folder / f'{name}.engine'
        files[name].write_bytes(content)
    written: dict[str, tuple[str, Gpu, bool]] = {
        'ours_other_version': (f'{major}.0.0.1', gpu, False),
        'ours_other_major': (f'{major - 1}.3.0', gpu, True),
        'ours_other_gpu': (version, other_gpu, False),
        'ours_fitting_key_noise': (version, gpu, False),
        'ours_lean_older_noise': (f'{major}.0.0.1', gpu, True),
        'ours_truncated': (version, gpu, False),
        'ours_flipped': (version, gpu, False),
    }
    for name, (built_with, built_for, lean) in written.items():
        files[name] = folder / f'{name}.engine'
        _write_ours(files[name], built_with, built_for, noise, lean=lean)
    files['ours_truncated'].write_bytes(files['ours_truncated'].read_bytes()[:-1])
    flipped = bytearray(files['ours_flipped'].read_bytes())
    flipped[-1] ^= 1
    files['ours_flipped'].write_bytes(flipped)
    files['missing'] = folder / 'missing.engine'
    return files


def refusals(findings: Findings) -> dict[str, Any]:
    """Every bad file through the real back end: one sentence each, and nothing left of it."""
    version, gpu = load_library().version, probe_cuda().gpus[0]
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = BackendOptions(engine_dir=folder / 'engines')
        files = _bad_files(folder, version, gpu)
        for kind, path in files.items():
            try:
                TensorRtBackend(path, options).open()
                findings.hold(f'{kind} is refused', true=False)
            except ModelError as error:
                said[kind] = str(error).replace(str(folder), '')
                findings.hold(f'{kind}: one line', true='\n' not in str(error))
        runtime = importlib.import_module('cuda.bindings.runtime')
        gc.collect()
        device, host = free_device_bytes(runtime), resident_bytes()
        repeats = 200
        for _ in range(repeats):
            for kind in ('ultralytics_noise', 'ours_fitting_key_noise', 'ours_other_version'):
                try:
                    TensorRtBackend(files[kind], options).open()
                except ModelError:
                    continue
        gc.collect()
        grown_device, grown_host = device - free_device_bytes(runtime), resident_bytes() - host
    findings.hold('refusing leaks no GPU memory', true=grown_device <= _GROWTH_DEVICE_BYTES)
    findings.hold('refusing leaks no host memory', true=grown_host <= _GROWTH_HOST_BYTES)
    return {
        'sentences': said,
        'repeated': 3 * repeats,
        'device_growth_bytes': grown_device,
        'host_growth_bytes': grown_host,
    }


def copies(findings: Findings) -> dict[str, Any]:
    """Up and down again through page-locked memory, of odd sizes too."""
    stream = CudaStream()
    stream.open()
    generator = np.random.default_rng(1)
    sizes = (1, 3, 4097, 640 * 640 * 3, 16 * _MIB + 1)
    for size in sizes:
        there, back = stream.new_host_array((size,), 'uint8'), stream.new_host_array((size,), 'uint8')
        there[...] = np.frombuffer(generator.bytes(size), np.uint8)
        memory = stream.new_device_memory(size)
        stream.upload(memory, there)
        stream.download(back, memory)
        stream.wait()
        findings.hold(f'{size} bytes come back as they went', true=bool(np.array_equal(there, back)))
        stream.free(memory)
    stream.close()
    back[...] = 7
    findings.hold('a page-locked array outlives its stream', true=bool((back == 7).all()))
    return {'sizes': sizes}


def out_of_memory(findings: Findings) -> dict[str, Any]:
    """Absurd requests are refused with a sentence, and the next sane one works."""
    stream = CudaStream()
    stream.open()
    said: dict[str, str] = {}
    requests: dict[str, Callable[[], Any]] = {
        'device': lambda: stream.new_device_memory(_ABSURD_BYTES),
        'host': lambda: stream.new_host_array((_ABSURD_BYTES,), 'uint8'),
    }
    for name, request in requests.items():
        try:
            request()
            findings.hold(f'{name}: an absurd request is refused', true=False)
        except InferenceError as error:
            said[name] = str(error)
            findings.hold(f'{name}: the sentence says out of memory', true='out of memory' in str(error))
    memory, array = stream.new_device_memory(1000), stream.new_host_array((1000,), 'uint8')
    stream.upload(memory, array)
    stream.wait()
    try:
        stream.upload(SimpleNamespace(address=0, size=1000), array)  # type: ignore[arg-type]
        stream.wait()
        findings.hold('a copy to nowhere is refused', true=False)
    except InferenceError as error:
        said['bad_address'] = str(error)
    stream.upload(memory, array)
    stream.wait()
    stream.close()
    try:
        CudaStream(device=99).open()
        findings.hold('GPU 99 is refused', true=False)
    except InferenceError as error:
        said['gpu_99'] = str(error)
    return said


def refused_capture(findings: Findings) -> dict[str, Any]:
    """Work that cannot be captured leaves a stream that works."""
    runtime = importlib.import_module('cuda.bindings.runtime')
    stream = CudaStream()
    stream.open()
    memory, array = stream.new_device_memory(4096), stream.new_host_array((4096,), 'uint8')

    def waits_within() -> None:
        stream.upload(memory, array)
        # Not allowed while capturing; spoils the capture.
        runtime.cudaStreamSynchronize(stream.handle)

    def fails_within() -> None:
        raise InferenceError('on purpose')

    findings.hold('a spoiled capture gives no graph', true=stream.capture(waits_within) is None)
    findings.hold('a failed capture gives no graph', true=stream.capture(fails_within) is None)
    array[...] = 5
    back = stream.new_host_array((4096,), 'uint8')
    stream.upload(memory, array)
    stream.download(back, memory)
    stream.wait()
    findings.hold('the stream works after a spoiled capture', true=bool((back == 5).all()))
    graph = stream.capture(lambda: stream.upload(memory, array))
    findings.hold('the stream captures after a spoiled capture', true=graph is not None)
    stream.close()
    return {'captures_after': graph is not None}


def _machine(engine: CopyEngine) -> Machine:
    real = load_library()

    class StandIn(TensorRt):
        def open_engine(self, plan: Any, kernels: bytes = b'') -> Any:
            del plan, kernels
            return engine

    return Machine(load=lambda _kind: StandIn(real.module))


def _expected(value: int) -> NDArray[np.float32]:
    size = 640 * 640 * 3
    content = np.zeros(84 * 8400 * 4, np.uint8)
    content[:size] = value
    return content.view(np.float32).reshape(1, 84, 8400)


def replays(iterations: int) -> Callable[[Findings], dict[str, Any]]:
    """The back end frame after frame: right, without growth, and how long a frame takes."""

    def part(findings: Findings) -> dict[str, Any]:
        runtime = importlib.import_module('cuda.bindings.runtime')
        engine = CopyEngine(runtime)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / 'copy.engine'
            _write_ours(path, load_library().version, probe_cuda().gpus[0], b'stand-in')
            backend = TensorRtBackend(path, BackendOptions(), _machine(engine))
            backend.open()
        tensor = backend.new_input(cast('tuple[int, ...]', _INPUT.shape), 'uint8')
        expected = [_expected(value) for value in range(4)]
        wrong = 0
        # From another thread than the one that opened it, as in the node.
        outcome: dict[str, Any] = {}

        def frames() -> None:
            nonlocal wrong
            for warm in range(200):
                tensor[...] = warm % 4
                backend.infer(tensor)
            gc.collect()
            device, host = free_device_bytes(runtime), resident_bytes()
            times = np.empty(iterations)
            busy = time.thread_time()
            for index in range(iterations):
                value = index % 4
                tensor[...] = value
                started = time.perf_counter()
                result = backend.infer(tensor)[0]
                times[index] = time.perf_counter() - started
                # The whole of every 50th, the edges of each: comparing takes longer than running.
                edges = result[0, (0, 0, -1), (0, -1, -1)] == expected[value][0, (0, 0, -1), (0, -1, -1)]
                wrong += int(not edges.all() or (index % 50 == 0 and not np.array_equal(result, expected[value])))
            outcome['thread_cpu_s'] = time.thread_time() - busy
            gc.collect()
            outcome['device'] = device - free_device_bytes(runtime)
            outcome['host'] = resident_bytes() - host
            outcome['times'] = times

        worker = threading.Thread(target=frames)
        worker.start()
        worker.join()
        findings.hold('every frame is right', true=wrong == 0)
        findings.hold('it replays a CUDA graph', true='CUDA graph' in backend.description)
        findings.hold('enqueued twice: the first run and the capture', true=engine.enqueued == 2)
        findings.hold('no growth of GPU memory', true=outcome['device'] <= _GROWTH_DEVICE_BYTES)
        findings.hold('no growth of host memory', true=outcome['host'] <= _GROWTH_HOST_BYTES)
        description = backend.description
        backend.close()
        milliseconds = outcome['times'] * 1e3
        return {
            'description': description,
            'iterations': iterations,
            'wrong': wrong,
            'device_growth_bytes': outcome['device'],
            'host_growth_bytes': outcome['host'],
            'infer_ms_p50': round(float(np.percentile(milliseconds, 50)), 4),
            'infer_ms_p99': round(float(np.percentile(milliseconds, 99)), 4),
        }

    return part


def ways(findings: Findings) -> dict[str, Any]:
    """One frame's copies each way: replayed, call by call, and from pageable memory, interleaved."""
    runtime = importlib.import_module('cuda.bindings.runtime')
    stream = CudaStream()
    stream.open()
    runner = EngineRunner(CopyEngine(runtime), stream)
    tensor = runner.new_input(cast('tuple[int, ...]', _INPUT.shape), 'uint8')
    for _ in range(50):
        runner.run(tensor)
    engine = CopyEngine(runtime)
    engine.recordable = False
    by_call = EngineRunner(engine, stream)
    other = by_call.new_input(cast('tuple[int, ...]', _INPUT.shape), 'uint8')
    by_call.run(other)
    pageable_in, pageable_out = np.zeros(tensor.nbytes, np.uint8), np.empty(4 * 84 * 8400, np.uint8)
    up, down = stream.new_device_memory(pageable_in.nbytes), stream.new_device_memory(pageable_out.nbytes)

    def pageable() -> None:
        stream.upload(up, pageable_in)
        stream.download(pageable_out, down)
        stream.wait()

    kinds: dict[str, Callable[[], Any]] = {
        'graph_replay': lambda: runner.run(tensor),
        'call_by_call': lambda: by_call.run(other),
        'pageable_memory': pageable,
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    busy: dict[str, float] = dict.fromkeys(kinds, 0.0)
    for _ in range(500):
        for name, run in kinds.items():
            cpu, started = time.thread_time(), time.perf_counter()
            run()
            took[name].append(time.perf_counter() - started)
            busy[name] += time.thread_time() - cpu
    findings.hold('the runner replays', true=runner.replays)
    findings.hold('the other goes call by call', true=not by_call.replays and engine.enqueued > 500)
    stream.close()
    return {
        name: {
            'wall_ms_p50': round(float(np.percentile(times, 50)) * 1e3, 4),
            'cpu_ms_mean': round(busy[name] / len(times) * 1e3, 4),
        }
        for name, times in took.items()
    }


def two_cameras(iterations: int) -> Callable[[Findings], dict[str, Any]]:
    """Two detectors' threads on one back end: inputs, contexts and graphs of their own on one stream, and batches."""

    def part(findings: Findings) -> dict[str, Any]:
        return {
            'in_turn': _shared(findings, iterations, most_images=1, batch='never'),
            'together': _shared(findings, iterations, most_images=2, batch='always'),
        }

    return part


def _shared(findings: Findings, iterations: int, *, most_images: int, batch: str) -> dict[str, Any]:
    runtime = importlib.import_module('cuda.bindings.runtime')
    engine = CopyEngine(runtime, most_images)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / 'copy.engine'
        _write_ours(path, load_library().version, probe_cuda().gpus[0], b'stand-in')
        model = SharedModel(TensorRtBackend(path, BackendOptions(), _machine(engine)), batch=batch)
        model.open()
    members = [Member(str(number), lambda: True) for number in range(2)]
    for member in members:
        model.join(member)
    tensors = [model.new_input(each, cast('tuple[int, ...]', _INPUT.shape), 'uint8') for each in members]
    # Each camera's pictures have values of their own, so that an answer that went to the other shows.
    expected = [_expected(value) for value in range(8)]
    wrong, times = [0, 0], [np.empty(iterations), np.empty(iterations)]

    def camera(number: int, images: int) -> None:
        for index in range(images):
            value = 2 * (index % 4) + number
            tensors[number][...] = value
            started = time.perf_counter()
            result = model.infer(members[number], tensors[number])[0]
            times[number][index] = time.perf_counter() - started
            edges = result[0, (0, 0, -1), (0, -1, -1)] == expected[value][0, (0, 0, -1), (0, -1, -1)]
            wrong[number] += int(
                result.shape != expected[value].shape
                or not edges.all()
                or (index % 50 == 0 and not np.array_equal(result, expected[value]))
            )

    def both(images: int) -> None:
        threads = [threading.Thread(target=camera, args=(number, images)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for number in range(2):
        # Alone, as at a detector's start: what that takes is not taken in mid-run.
        camera(number, 10)
    both(200)
    gc.collect()
    device, host = free_device_bytes(runtime), resident_bytes()
    several = model.runs_of_several
    both(iterations)
    gc.collect()
    grown = {'device': device - free_device_bytes(runtime), 'host': resident_bytes() - host}
    several, images_per_run = model.runs_of_several - several, model.images_per_run
    for member in members:
        model.leave(member)
    how = 'together' if batch == 'always' else 'in turn'
    findings.hold(f'{how}, every image is right and goes to whom it is of', true=wrong == [0, 0])
    findings.hold(f'{how}, no growth of GPU memory', true=grown['device'] <= _GROWTH_DEVICE_BYTES)
    findings.hold(f'{how}, no growth of host memory', true=grown['host'] <= _GROWTH_HOST_BYTES)
    findings.hold(f'{how}, images go in one run exactly where they may', true=(several > 0) == (batch == 'always'))
    return {
        'images': 2 * iterations,
        'wrong': sum(wrong),
        'runs_of_two': several,
        'device_growth_bytes': grown['device'],
        'host_growth_bytes': grown['host'],
        'infer_ms_p50': round(float(np.percentile(np.concatenate(times), 50)) * 1e3, 4),
        'images_per_run': images_per_run,
    }


def reopening(findings: Findings) -> dict[str, Any]:
    """Opened, run and closed over and over, as a node that restarts its back end."""
    runtime = importlib.import_module('cuda.bindings.runtime')
    grown: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / 'copy.engine'
        _write_ours(path, load_library().version, probe_cuda().gpus[0], b'stand-in')

        def cycle() -> None:
            backend = TensorRtBackend(path, BackendOptions(), _machine(CopyEngine(runtime)))
            backend.open()
            tensor = backend.new_input(cast('tuple[int, ...]', _INPUT.shape), 'uint8')
            backend.infer(tensor)
            backend.infer(tensor)
            backend.close()

        for _ in range(20):
            cycle()
        gc.collect()
        device, host = free_device_bytes(runtime), resident_bytes()
        for _ in range(300):
            cycle()
        gc.collect()
        grown = {'device': device - free_device_bytes(runtime), 'host': resident_bytes() - host}
    findings.hold('reopening leaks no GPU memory', true=grown['device'] <= _GROWTH_DEVICE_BYTES)
    findings.hold('reopening leaks no host memory', true=grown['host'] <= _GROWTH_HOST_BYTES)
    return {'cycles': 300, 'device_growth_bytes': grown['device'], 'host_growth_bytes': grown['host']}


def rtx(findings: Findings) -> dict[str, Any]:
    """TensorRT for RTX: refused in a sentence before anything is built, or built, run, and started again."""
    started = time.perf_counter()
    reason = why_not(RTX)
    values: dict[str, Any] = {'unavailable': reason, 'asked_ms': round((time.perf_counter() - started) * 1e3, 1)}
    model = model_path(DEFAULT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = BackendOptions(engine_dir=folder)

        def make(kind: type[Backend], selection: Selection) -> Detector:
            return Detector(kind(model, options), selection)

        started = time.perf_counter()
        order = backends_for(model)
        chain = BackendChain(model, order.candidates, make, values.setdefault('said', []).append)
        detector = chain.open(Selection())
        values |= {
            'passed_over': order.passed_over,
            'chain': chain.states,
            'runs_on': detector.description,
            'chain_opened_ms': round((time.perf_counter() - started) * 1e3, 1),
        }
        detector.close()
        if reason is not None:
            findings.hold('what cannot run builds nothing', true=not list(folder.iterdir()))
            return values
        image = np.random.default_rng(0).random((1, 3, 416, 416), np.float32)
        outputs = []
        for start in ('first_start_ms', 'second_start_ms'):
            backend = TensorRtRtxBackend(model, replace(options, engine_dir=folder / 'timed'))
            started = time.perf_counter()
            backend.open()
            outputs.append(backend.infer(image)[0].copy())
            values[start] = round((time.perf_counter() - started) * 1e3, 1)
            backend.close()
        on_cpu = OnnxRuntimeBackend(model, BackendOptions(provider='cpu'))
        on_cpu.open()
        expected = on_cpu.infer(image)[0]
        error = float(np.linalg.norm(outputs[1] - expected) / np.linalg.norm(expected))
        findings.hold('it gives what the CPU gives', true=error < _MOST_ERROR)
        return values | {'error': error, 'files': sorted(path.suffix for path in (folder / 'timed').iterdir())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every part and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--iterations', type=int, default=10_000, help='frames of the long run (%(default)s)')
    options = parser.parse_args(arguments)
    findings = Findings()
    findings.values['machine'] = {'python': platform.python_version(), 'cores': os.cpu_count()}
    findings.run('probe', probe)
    if why_not() is None:
        parts: dict[str, Callable[[Findings], Any]] = {
            'library': library,
            'refusals': refusals,
            'copies': copies,
            'out_of_memory': out_of_memory,
            'refused_capture': refused_capture,
            'replays': replays(options.iterations),
            'ways': ways,
            'two_cameras': two_cameras(options.iterations),
            'reopening': reopening,
        }
        for name, part in parts.items():
            findings.run(name, part)
    if not_installed(RTX) is None:
        findings.run('rtx', rtx)
    print(json.dumps(findings.values | {'failed': findings.failed}, ensure_ascii=False))
    return 1 if findings.failed else 0


if __name__ == '__main__':
    sys.exit(main())
