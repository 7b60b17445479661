# SPDX-License-Identifier: Apache-2.0
"""The detector beside the model alone and beside Ultralytics: what the node adds to a network's run, on the CPU.

One process, one thread, everything in turns picture by picture, so that a busy moment of the machine hits all alike.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import cv2

from benchmarks.bench_progress import report
from benchmarks.detector.detector_frames import footage_frames
from benchmarks.detector.detector_gpu import gpu_figures
from benchmarks.detector.detector_int8 import int8_figures
from benchmarks.detector.detector_peer import UltralyticsPeer, agreement, unavailable, write_yolo
from benchmarks.detector.detector_sharing import sharing_figures
from benchmarks.detector.detector_stages import decode_nms_ms, preprocess_ms
from benchmarks.detector.detector_timing import medians_ms, over, take_turns
from benchmarks.detector.detector_truth import default_figures
from benchmarks.detector.detector_ways import BareRun, FrameWay, MessageWay
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime
from gremsy_detector.detector import Selection
from gremsy_detector.model.default_model import default_model_path

_ROUNDS = {'nanodet': 200, 'yolov8n': 100, 'int8': 60}
_STAGE_ROUNDS = 300
# Every frame of the footage.
_STRIDE = 1
BARE, NODE, MESSAGE, PEER = 'bare', 'node', 'message', 'ultralytics'


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue; None where what they need is not installed, and why."""
    if options.gpu:
        return gpu_figures(default_footage(cache_directory(os.environ), report))
    threads, cv2_threads = 1, cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        footage = default_footage(cache_directory(os.environ), report)
        frames = footage_frames(footage)
        figures = {**_stages(frames), **_nanodet(frames), **_yolov8n_or_why(frames)}
        report('people in the footage ...')
        figures |= default_figures(footage, _STRIDE)
        report('two cameras on one model ...')
        figures['two_cameras'] = sharing_figures()
        report('fp16 and int8 ...')
        figures['int8'] = int8_figures(default_model_path(), footage, frames, _ROUNDS['int8'])
    finally:
        cv2.setNumThreads(cv2_threads)
    return _joined(figures) | {
        'image': f'{frames[0].width}x{frames[0].height} {frames[0].encoding}',
        'threads': threads,
        'versions': {'onnxruntime': load_onnxruntime().__version__, 'opencv': cv2.__version__},
    }


def _stages(frames: list[Frame]) -> dict[str, Any]:
    report('stages ...')
    return {**preprocess_ms(frames, _STAGE_ROUNDS), 'decode_nms_ms': decode_nms_ms(frames, _STAGE_ROUNDS)}


def _nanodet(frames: list[Frame]) -> dict[str, Any]:
    report('nanodet ...')
    return {'nanodet': compare(default_model_path(), frames, _ROUNDS['nanodet'])}


def _yolov8n_or_why(frames: list[Frame]) -> dict[str, Any]:
    why = unavailable()
    if why is not None:
        return {'yolov8n': None, 'ultralytics': None, 'ultralytics_unavailable': why}
    report('yolov8n, and Ultralytics ...')
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as folder:
        model = write_yolo('yolov8n', Path(folder), frames)
        peer = UltralyticsPeer(model, Selection())
        figures = compare(model, frames, _ROUNDS['yolov8n'], peer)
        with FrameWay(model) as ours:
            agreed = [agreement(ours(frame), peer(frame)) for frame in frames]
        return {'yolov8n': figures, 'ultralytics': peer.describe(agreed)}


def compare(model: Path, frames: list[Frame], rounds: int, peer: UltralyticsPeer | None = None) -> dict[str, Any]:
    """Medians of every way from an image to boxes, and the node's own stages."""
    bare = BareRun(model)
    with FrameWay(model) as node, MessageWay(model, frames) as message:
        ways = {
            BARE: lambda _: bare(),
            NODE: lambda number: node(frames[number % len(frames)]),
            MESSAGE: lambda number: message(number % len(frames)),
        }
        if peer is not None:
            ways[PEER] = lambda number: peer(frames[number % len(frames)])
        took_ns = take_turns(ways, rounds)
        return {
            'node_over_model': over(took_ns, NODE, BARE),
            'message_over_model': over(took_ns, MESSAGE, BARE),
            'over_ultralytics': over(took_ns, NODE, PEER) if peer is not None else None,
            'ms': medians_ms(took_ns),
            'stages_ms': node.stages_ms(),
            'detections': node.mean_count(),
        }


def _joined(figures: dict[str, Any]) -> dict[str, Any]:
    """The issue's keys first: ratios by model."""
    models = {name: figures[name] for name in ('nanodet', 'yolov8n') if figures[name] is not None}
    yolov8n = figures['yolov8n']
    return {
        'node_over_model': {name: each['node_over_model'] for name, each in models.items()},
        'node_over_model_message': {name: each['message_over_model'] for name, each in models.items()},
        'over_ultralytics': yolov8n['over_ultralytics'] if yolov8n is not None else None,
        **figures,
    }
