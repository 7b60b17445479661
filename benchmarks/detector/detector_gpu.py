# SPDX-License-Identifier: Apache-2.0
"""The detector on an NVIDIA GPU: what it adds to its model's bare run, beside Ultralytics, and by precision.

`./gremsy bench detector --gpu`; stand-alone too, where there is no ROS, with numpy, OpenCV, onnx, cuda-bindings, torch,
Ultralytics and onnxruntime-gpu:

    PYTHONPATH=.:$(echo src/gremsy_{common,detector,model_tools,camera} | tr ' ' :) \
        python3 -m benchmarks.detector.detector_gpu VIDEO [--json FILE]

Bare and node are in the same precision, on the same provider, both by replay of a CUDA graph; everything in turns,
picture by picture. The pictures lie in memory that is reused, as a camera's buffers do, and the GPU reads them there;
`copied` has them in memory that does not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.bench_progress import report
from benchmarks.detector.detector_frames import footage_frames
from benchmarks.detector.detector_peer import UltralyticsPeer, agreement, unavailable, write_yolo
from benchmarks.detector.detector_timing import medians_ms, over, take_turns
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.onnxruntime_providers import CUDA, load_onnxruntime
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_model_tools.frames.frame_source import open_source, spread
from gremsy_model_tools.gpu import gpu_graphs
from gremsy_model_tools.precision.prepare import prepare_model

MODELS = ('yolov8n', 'yolov8m')
_ROUNDS = 300
_ENDURANCE_FRAMES = 10_000
_SETTLED_FRAMES = 500
_CPU_FRAMES = 500
_MIB = 1024 * 1024
_TO_CALIBRATE, _TO_CHECK = 'calibration', 'check'
# Of the video, to calibrate int8 on, since 64 take five minutes with yolov8m and change nothing (`_MOST_TO_CALIBRATE`);
# and to check it on: on three, yolov8m's random weights show too little to judge it by.
_FRAMES_TO_CALIBRATE, _FRAMES_TO_CHECK = 12, 24


def gpu_figures(video: Path, endurance_frames: int = _ENDURANCE_FRAMES, rounds: int = _ROUNDS) -> dict[str, Any]:
    """All figures; `gpu_unavailable` says why there are none.

    Args:
        video: footage to look at, and to calibrate int8 on.
        endurance_frames: how many frames the memory is watched for.
        rounds: of taking times.
    """
    runtime = load_onnxruntime()
    if CUDA.name not in runtime.get_available_providers():
        return {
            'gpu_unavailable': f'onnxruntime {runtime.__version__} was built without CUDA: install onnxruntime-gpu.'
        }
    frames = footage_frames(video)
    why = unavailable()
    endured = MODELS[0] if why is None else 'nanodet'
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-gpu-') as name:
        folder = Path(name)
        _write_frames(video, folder / _TO_CALIBRATE, _FRAMES_TO_CALIBRATE)
        _write_frames(video, folder / _TO_CHECK, _FRAMES_TO_CHECK)
        figures: dict[str, Any] = {}
        endurance: dict[str, Any] = {}
        for each in ('nanodet', *(MODELS if why is None else ())):
            report(f'{each} ...')
            file = default_model_path() if each == 'nanodet' else write_yolo(each, folder, frames)
            weights = None if each == 'nanodet' else file.with_suffix('.pt')
            model = _Model(each, file, weights, frames, folder)
            figures[each] = model.figures(rounds)
            # A lent machine may be taken away before the end: what is measured by then is not lost.
            report(json.dumps({each: figures[each]}))
            if each == endured:
                report(f'{endurance_frames} frames ...')
                endurance = model.endurance(endurance_frames)
                report(json.dumps({'endurance': endurance}))
    torch_version = version('torch') if why is None else None
    return {
        'gpu_node_over_model': {each: figures[each]['node_over_model'] for each in figures},
        'gpu_node_ms': {each: figures[each]['ms']['node'] for each in figures},
        'gpu_over_ultralytics': {each: figures[each].get('over_ultralytics') for each in figures},
        'gpu_cpu_ms': {each: figures[each]['cpu_ms'] for each in figures},
        'gpu_cpu_copied_ms': {each: figures[each]['cpu_copied_ms'] for each in figures},
        'gpu_precision': {each: figures[each]['precision'] for each in figures},
        'gpu_unlike_cpu': {each: figures[each]['unlike_cpu'] for each in figures},
        **figures,
        'endurance': endurance,
        **({} if why is None else {'ultralytics_unavailable': why}),
        'image': f'{frames[0].width}x{frames[0].height} {frames[0].encoding}',
        'gpu_versions': {'onnxruntime': runtime.__version__, 'opencv': cv2.__version__, 'torch': torch_version},
    }


class _Model:
    """One network in all its forms."""

    def __init__(self, name: str, file: Path, weights: Path | None, frames: Sequence[Frame], folder: Path) -> None:
        self._name = name
        self._file = file
        self._weights = weights
        self._frames = frames
        self._unlent = [_unlent(frame) for frame in frames]
        self._folder = folder / f'{name}-files'
        self._half = prepare_model(file, 'fp16', self._folder, fold_input=False).path
        self._int8 = prepare_model(
            file,
            'int8',
            self._folder,
            calibration=folder / _TO_CALIBRATE,
            check=folder / _TO_CHECK,
            fold_input=False,
            limit=0.0,
        )

    def figures(self, rounds: int) -> dict[str, Any]:
        """Times, agreement and the CPU time."""
        report(f'{self._name}: node, bare, Ultralytics ...')
        nodes = {
            'node': self._node('model'),
            'fp32': self._node('fp32'),
            'fp16': self._node('fp16'),
        }
        if self._int8.precision == 'int8':
            nodes['int8'] = self._node('model', self._int8.path)
        on_cpu = Detector(OnnxRuntimeBackend(self._file, BackendOptions(provider='cpu', threads=4)))
        opened = {'cpu': on_cpu, **nodes}
        try:
            for detector in opened.values():
                detector.open()
            ways: dict[str, Callable[[int], Any]] = {
                name: partial(self._detect, detector) for name, detector in nodes.items()
            }
            ways['copied'] = lambda number: nodes['node'].detect(self._unlent[number % len(self._unlent)])
            bare = {
                'bare': _Bare(self._file),
                'bare_nhwc': _Bare(self._file, prefer_nhwc='1'),
                'bare_fp32': _Bare(self._file, use_tf32='0'),
                'bare_fp16': _Bare(self._half),
            }
            peers = self._peers()
            took_ns = take_turns({**ways, **bare}, rounds)
            # Torch's threads and buffers slow the next run: only the node is timed in turns with Ultralytics.
            ways |= {name: partial(self._predict, peer) for name, peer in peers.items()}
            beside_ns = take_turns({name: ways[name] for name in ('node', *peers)}, rounds)
            found: dict[str, Any] = {
                'node_over_model': over(took_ns, 'node', 'bare'),
                'node_over_model_by_precision': {
                    'nhwc': over(took_ns, 'node', 'bare_nhwc'),
                    'fp32': over(took_ns, 'fp32', 'bare_fp32'),
                    'fp16': over(took_ns, 'fp16', 'bare_fp16'),
                },
                'ms': medians_ms({**beside_ns, **took_ns}),
                'stages_ms': self._stages(nodes['node']),
                'runs_on': {name: detector.description for name, detector in nodes.items()},
                'unlike_cpu': {name: self._unlike(nodes[name], on_cpu) for name in nodes},
                'cpu_ms': self._cpu_ms(ways['node']),
                'int8': self._int8.sentence,
                'cpu_copied_ms': self._cpu_ms(ways['copied']),
            }
            if 'ultralytics_onnx' in peers:
                found['over_ultralytics'] = over(beside_ns, 'node', 'ultralytics_onnx')
            found['precision'] = {
                name: {'ms': found['ms'][name], **self._agreement(way, ways.get('torch_fp32', ways['fp32']))}
                for name, way in ways.items()
                if name in ('torch_fp32', 'torch_fp16', 'node', 'fp32', 'fp16', 'int8')
            }
            return found
        finally:
            for detector in opened.values():
                detector.close()

    def endurance(self, count: int) -> dict[str, Any]:
        """What grows while frame after frame is looked at."""
        detector = self._node('model')
        detector.open()
        try:
            for number in range(_SETTLED_FRAMES):
                self._detect(detector, number)
            before, free = _resident_bytes(), _gpu_free_bytes()
            took_ns = []
            for number in range(count):
                began_ns = time.perf_counter_ns()
                self._detect(detector, number)
                took_ns.append(time.perf_counter_ns() - began_ns)
            return {
                'frames': count,
                'ms_p50': round(1e-6 * median(took_ns), 3),
                'ms_p99': round(1e-6 * float(np.percentile(took_ns, 99)), 3),
                'host_growth_mib': round((_resident_bytes() - before) / _MIB, 2),
                'gpu_growth_mib': round((free - _gpu_free_bytes()) / _MIB, 2),
            }
        finally:
            detector.close()

    def _node(self, precision: str, file: Path | None = None) -> Detector:
        options = BackendOptions(provider='cuda', threads=1, precision=precision, engine_dir=self._folder, say=report)
        return Detector(OnnxRuntimeBackend(file or self._file, options, graphs=lambda: gpu_graphs))

    def _peers(self) -> dict[str, UltralyticsPeer]:
        if self._weights is None:
            return {}
        return {
            'ultralytics_onnx': UltralyticsPeer(self._file, Selection(), device='cuda:0'),
            'torch_fp32': UltralyticsPeer(self._weights, Selection(), device='cuda:0'),
            'torch_fp16': UltralyticsPeer(self._weights, Selection(), device='cuda:0', half=True),
        }

    def _frame(self, number: int) -> Frame:
        return self._frames[number % len(self._frames)]

    def _detect(self, detector: Detector, number: int) -> Any:
        return detector.detect(self._frame(number)).detections

    def _predict(self, peer: UltralyticsPeer, number: int) -> Any:
        return peer(self._frame(number))

    def _stages(self, detector: Detector) -> dict[str, float]:
        times = [detector.detect(self._frame(number)).times for number in range(100)]
        return {
            name: round(1e-6 * median(getattr(each, f'{name}_ns') for each in times), 3)
            for name in ('preprocess', 'inference', 'decode')
        }

    def _unlike(self, one: Detector, other: Detector) -> dict[str, Any]:
        pairs = [agreement(self._detect(one, n), self._detect(other, n)) for n in range(len(self._frames))]
        return {
            'boxes': sum(each.theirs for each in pairs),
            'unmatched': sum(each.unmatched for each in pairs),
            'box_px_max': round(max(each.box_px for each in pairs), 4),
            'score_max': round(max(each.score for each in pairs), 5),
        }

    def _agreement(self, way: Callable[[int], Any], wanted: Callable[[int], Any]) -> dict[str, Any]:
        """Of the boxes that either side has, the share with a partner of its class within 5 px on the other side."""
        boxes = matched = 0
        for number in range(len(self._frames)):
            found, theirs = way(number), wanted(number)
            pairs = agreement(found, theirs, most_px=5.0)
            boxes += pairs.ours + pairs.theirs
            matched += pairs.ours + pairs.theirs - pairs.unmatched
        return {'agreement': round(matched / boxes, 4) if boxes else None, 'boxes': boxes // 2}

    @staticmethod
    def _cpu_ms(way: Callable[[int], Any]) -> float:
        """Of all threads of the process, a frame."""
        began_s = time.process_time()
        for number in range(_CPU_FRAMES):
            way(number)
        return round(1e3 * (time.process_time() - began_s) / _CPU_FRAMES, 3)


class _Bare:
    """The file on a tensor that is on the GPU already, by replay of a CUDA graph: nothing is copied to or from it.

    ONNX Runtime waits for it as it does by itself, spinning.
    """

    def __init__(self, file: Path, **options: str) -> None:
        runtime = load_onnxruntime()
        settings = runtime.SessionOptions()
        settings.log_severity_level = 3
        self._session = runtime.InferenceSession(
            str(file),
            settings,
            providers=[CUDA.name],
            provider_options=[{'enable_cuda_graph': '1', **options}],
            enable_fallback=0,
        )
        tensor = self._session.get_inputs()[0]
        array = np.random.default_rng(0).random(tensor.shape, dtype=np.float32)
        self._binding = self._session.io_binding()
        self._kept = [runtime.OrtValue.ortvalue_from_numpy(array, 'cuda', 0)]
        self._binding.bind_ortvalue_input(tensor.name, self._kept[0])
        for each in self._session.get_outputs():
            self._kept.append(runtime.OrtValue.ortvalue_from_shape_and_type(each.shape, np.float32, 'cuda', 0))
            self._binding.bind_ortvalue_output(each.name, self._kept[-1])

    def __call__(self, _number: int) -> None:
        """One run, to its end."""
        self._session.run_with_iobinding(self._binding)


def _write_frames(video: Path, folder: Path, most: int) -> None:
    """Some frames of a video, evenly apart, as pictures."""
    folder.mkdir()
    source = open_source(video)
    for number, frame in enumerate(source.read(spread(0, len(source), most))):
        cv2.imwrite(str(folder / f'{number:02}.png'), frame.image)


def _unlent(frame: Frame) -> Frame:
    """The same picture in memory without weak references, which is always copied."""
    return replace(frame, image=np.frombuffer(frame.image.tobytes(), np.uint8).reshape(frame.image.shape))


def _resident_bytes() -> int:
    with Path('/proc/self/statm').open(encoding='ascii') as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _gpu_free_bytes() -> int:
    return int(import_module('cuda.bindings.runtime').cudaMemGetInfo()[1])


def main() -> int:
    """Stand-alone; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', type=Path)
    parser.add_argument('--json', type=Path)
    parser.add_argument('--frames', type=int, default=_ENDURANCE_FRAMES)
    parser.add_argument('--rounds', type=int, default=_ROUNDS)
    options = parser.parse_args()
    os.environ.setdefault('YOLO_OFFLINE', 'True')
    try:
        figures = gpu_figures(options.video, options.frames, options.rounds)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + '\n', encoding='utf-8')
    return 1 if 'gpu_unavailable' in figures else 0


if __name__ == '__main__':
    sys.exit(main())
