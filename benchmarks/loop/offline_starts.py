# SPDX-License-Identifier: Apache-2.0
"""The loop in invented time from several places of the footage, with the real detector and with the reference's boxes.

One run says little: whom the lock takes first, and who hides whom, moves its error by a factor of three. The starts are
spread evenly over the footage, each with a seed of its own for the times that inference takes and the payload's faults.
No run goes past the footage's end: there everybody is somebody else from one picture to the next.
The network runs on every picture, which the view decides; the time that it takes is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loop.pointing_score import score_pointing
from benchmarks.offline_loop import OfflineLoop, OfflineOptions, Timing, oracle, run_offline, tracker_parameters
from benchmarks.reference.reference_tracks import read_reference
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_camera.scene.scene import SceneGeometry

# Long enough for two or three people, short enough for ten starts to be other people's.
_DURATION_S = 20.0
_FOOTAGE_FRAMES, _FOOTAGE_HZ = 795, 10.0
_FOOTAGE_SIZE_PX = (768, 576)
# What the default detector takes beside the rest of the loop on the machine of docs/figures.md.
_INFERENCE_S = 0.06
# Of each start; medians and maxima are over all.
_KEPT = ('rms_deg', 'rms_first_person_deg', 'wrong_target_fraction', 'coasting_share', 'locked_fraction')


def offline_figures(presets: Sequence[str], starts: int, say: Callable[[str], None]) -> dict[str, Any]:
    """`offline_<preset>_...`: medians and maxima over the starts, beside the same with the reference's boxes."""
    footage = default_footage(cache_directory(os.environ), say)
    figures: dict[str, Any] = {'offline_starts': starts, 'offline_inference_ms': _INFERENCE_S * 1e3}
    for preset in presets:
        runs, oracles = [], []
        for start in range(starts):
            runs.append(one_start(preset, start, starts, footage))
            oracles.append(_with_true_boxes(preset, start, starts))
            error, wrong = runs[-1]['rms_deg'], runs[-1]['wrong_target_fraction']
            say(f'{preset}, start {start + 1} of {starts}: {error} deg, {oracles[-1]} with true boxes, wrong {wrong}')
        figures |= summary(preset, runs, oracles)
    if {'ideal', 'moving'} <= set(presets):
        at_rest, moving = (figures[f'offline_{preset}_rms_deg_median'] for preset in ('ideal', 'moving'))
        figures['offline_moving_to_rest'] = round(moving / at_rest, 3) if at_rest and moving else None
    return figures


def summary(preset: str, runs: Sequence[dict[str, Any]], oracles: Sequence[float | None]) -> dict[str, Any]:
    """Medians and maxima of one preset's starts, with what each start gave."""
    figures: dict[str, Any] = {}
    for name in _KEPT:
        values = [run[name] for run in runs if run[name] is not None]
        figures[f'offline_{preset}_{name}_median'] = _rounded(np.median, values)
        figures[f'offline_{preset}_{name}_max'] = _rounded(np.max, values)
    known = [each for each in oracles if each is not None]
    figures[f'offline_{preset}_oracle_rms_deg_median'] = _rounded(np.median, known)
    figures[f'offline_{preset}_oracle_rms_deg_max'] = _rounded(np.max, known)
    each = [{**run, 'oracle_rms_deg': true} for run, true in zip(runs, oracles, strict=True)]
    return figures | {f'offline_{preset}_by_start': each}


def one_start(preset: str, start: int, starts: int, footage: Path, duration_s: float = _DURATION_S) -> dict[str, Any]:
    """What one run with the real detector gave."""
    options = OfflineOptions(
        duration_s,
        preset,
        timing=Timing(inference_s=_INFERENCE_S),
        seed=start + 1,
        fed_s=_fed_s(preset, duration_s),
        first_frame=first_frame(start, starts),
    )
    _, score = run_offline(options, footage)
    return {'first_frame': options.first_frame, **{name: score[name] for name in (*_KEPT, 'people_followed')}}


def first_frame(start: int, starts: int) -> int:
    """The footage's frame with which that one of so many starts begins."""
    last = _FOOTAGE_FRAMES - round(_DURATION_S * _FOOTAGE_HZ)
    return round(last * start / max(1, starts - 1))


def _with_true_boxes(preset: str, start: int, starts: int) -> float | None:
    """The error that is left with a detector without fault."""
    reference, geometry = read_reference(), SceneGeometry.of(*_FOOTAGE_SIZE_PX)
    loop = OfflineLoop(
        oracle(geometry, lambda frame: reference.at(frame)[1]),
        tracker_parameters(preset, {}),
        Timing(inference_s=_INFERENCE_S),
        preset=preset,
        footage_frames=_FOOTAGE_FRAMES,
        first_frame=first_frame(start, starts),
        seed=start + 1,
        fed_s=_fed_s(preset, _DURATION_S),
    )
    score = asdict(score_pointing(loop.run(_DURATION_S), reference, geometry)[0])
    return None if score['rms_deg'] is None else round(score['rms_deg'], 3)


def _fed_s(preset: str, duration_s: float) -> float:
    """Whoever has a vehicle that moves feeds its attitude to the driver."""
    return duration_s if preset == 'moving' else 0.0


def _rounded(over: Callable[[list[float]], Any], values: list[float]) -> float | None:
    return round(float(over(values)), 3) if values else None
