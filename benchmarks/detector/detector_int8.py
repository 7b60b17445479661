# SPDX-License-Identifier: Apache-2.0
"""What float16 and int8 make of the default model on this CPU: size, speed, agreement, and the gate both ways.

Calibrated on frames of the first three quarters of the footage and checked on the last, and once more on black frames,
which the accuracy gate has to refuse.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.detector.detector_timing import medians_ms, over, take_turns
from benchmarks.detector.detector_ways import FrameWay
from gremsy_common.types.frame import Frame
from gremsy_model_tools.precision.gate import verdict_path
from gremsy_model_tools.precision.prepare import PreparedModel, prepare_model

_MIB = 1024 * 1024
_BLACK_FRAMES = 10


def int8_figures(model: Path, footage: Path, frames: list[Frame], rounds: int) -> dict[str, Any]:
    """Figures by precision, and the gate's verdicts.

    Args:
        model: in float32.
        footage: a video to calibrate and check on.
        frames: to take times on.
        rounds: of taking times, all in turns.
    """
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-int8-') as name:
        folder = Path(name)
        half = prepare_model(model, 'fp16', folder / 'fp16', check=footage)
        good = prepare_model(model, 'int8', folder / 'good', calibration=footage)
        spoiled = prepare_model(
            model, 'int8', folder / 'spoiled', calibration=_black_frames(folder / 'black'), check=footage
        )
        with FrameWay(model) as fp32_way, FrameWay(half.path) as fp16_way, FrameWay(good.path) as int8_way:
            ways = {'fp32': fp32_way, 'fp16': fp16_way, good.precision: int8_way}
            took_ns = take_turns({key: _on(way, frames) for key, way in ways.items()}, rounds)
        return {
            'size_mb': {
                'fp32': _megabytes(model),
                'fp16': _megabytes(half.path),
                good.precision: _megabytes(good.path),
            },
            'ms': medians_ms(took_ns),
            'over_fp32': {key: over(took_ns, key, 'fp32') for key in took_ns if key != 'fp32'},
            'agreement': {'fp16': _agreement(half), good.precision: _agreement(good)},
            'gate': {'good': _verdict(good), 'spoiled': _verdict(spoiled)},
        }


def _on(way: FrameWay, frames: list[Frame]) -> Callable[[int], object]:
    return lambda number: way(frames[number % len(frames)])


def _black_frames(folder: Path) -> Path:
    folder.mkdir()
    for number in range(_BLACK_FRAMES):
        cv2.imwrite(str(folder / f'{number}.png'), np.zeros((576, 768, 3), np.uint8))
    return folder


def _megabytes(path: Path) -> float:
    return round(path.stat().st_size / _MIB, 2)


def _agreement(prepared: PreparedModel) -> dict[str, float] | None:
    measured = prepared.agreement
    return None if measured is None else {'map50_95': round(measured.map50_95, 3), 'map50': round(measured.map50, 3)}


def _verdict(prepared: PreparedModel) -> dict[str, Any]:
    """What the gate verdict of int8, whatever came of it."""
    asked = prepared.path.with_name(prepared.path.name.replace('.fp16.', '.int8.').replace('.fp32.', '.int8.'))
    verdict = json.loads(verdict_path(asked).read_text(encoding='utf-8'))
    return {'map50_95': round(verdict['map50_95'], 3), 'passed': verdict['passed'], 'kept': prepared.precision}
