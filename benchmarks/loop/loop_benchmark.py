# SPDX-License-Identifier: Apache-2.0
"""The composed demo, measured: how long a frame takes to the wire, how well it points, and what it costs.

Three runs of the same footage from its beginning: the default, the same with the detector's other way to take frames,
and the default on the realistic payload. Headless: no overlay, no film. `--preset` makes one run on that payload alone;
`--offline` none, but in invented time from ten places of the footage (`offline_starts`).

Whom the lock goes over to where two people meet moves the error of a single run by more than the way to take frames
does. So the two ways are also compared in invented time, at the inference time just measured, with the reference's own
boxes in the detector's place: nothing is left there but how many results there are and how old they are. With a real
detector, which misses people, more results are worth more than fresher ones.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.arguments import LOOP_PRESETS
from benchmarks.bench_progress import report
from benchmarks.loop import target_outputs
from benchmarks.loop.offline_starts import offline_figures
from benchmarks.loop.pointing_score import PointingScore, score_pointing
from benchmarks.offline_loop import OfflineLoop, SceneCamera, Timing, oracle, tracker_parameters
from benchmarks.reference.reference_tracks import read_reference
from gremsy_bringup.demo.demo_options import DemoOptions
from gremsy_bringup.demo.demo_session import DemoSession
from gremsy_bringup.report.report_folder import ReportFolder
from gremsy_bringup.report.report_summary import summarise
from gremsy_bringup.report.trace_join import STAGES, join
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_camera.scene.scene import SceneGeometry
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_gimbal_sim.options.options import PRESETS

_REPOSITORY = Path(__file__).resolve().parents[2]
_FOOTAGE_SIZE_PX = (768, 576)
# Of the preset `moving`: the vehicle, and the window in which it does not carry the camera.
_SWAYING = ('vehicle_yaw_rad', 'vehicle_period_s', 'follow_window_rad')
_TAKES = ('newest', 'next')


@dataclass(frozen=True, slots=True)
class LoopRun:
    """One run: the demo's own summary, the score against the reference, and the trace that both come from."""

    summary: dict[str, Any]
    score: PointingScore
    queued_frames_max: int


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue, flat; None where a run had nothing to measure."""
    if options.offline:
        presets = LOOP_PRESETS if options.preset is None else (options.preset,)
        return offline_figures(presets, options.starts, report)
    if options.preset is not None:
        return _live_on(options.preset, options)
    default_take = DetectorParameters.take
    other_take = next(each for each in _TAKES if each != default_take)
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as scratch:
        folder = options.keep if options.keep is not None else Path(scratch)
        # Now, not after the minutes of the first run.
        for name in ('ideal', f'ideal-{other_take}', 'realistic'):
            claimed = ReportFolder(folder / name)
            claimed.open()
            claimed.close()
        main = _measure('ideal', default_take, options.duration, folder / 'ideal')
        other = _measure('ideal', other_take, options.duration, folder / f'ideal-{other_take}')
        realistic = _measure('realistic', default_take, options.duration, folder / 'realistic')
    return {
        **_figures(main, options.duration),
        **_comparison(other, realistic, other_take),
        **_takes_without_mistakes(main.summary['inference_ms_p50'], options.duration),
        **_on_a_moving_vehicle(),
        **_what_others_get(),
        **_setup_times(),
    }


def _live_on(preset: str, options: argparse.Namespace) -> dict[str, Any]:
    """One live run on that payload."""
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as scratch:
        folder = options.keep if options.keep is not None else Path(scratch)
        only = _measure(preset, DetectorParameters.take, options.duration, folder / preset)
    return {'preset': preset, **_figures(only, options.duration)}


def _measure(preset: str, take: str, duration_s: float, folder: Path) -> LoopRun:
    report(f'{duration_s:.0f} s, payload {preset}, detector takes {take} ...')
    options = DemoOptions(report=folder, headless=True, preset=preset, parameters={'detector': {'take': take}})
    with DemoSession(options, report) as session:
        session.wait(duration_s)
    events = list(session.events())
    joined = join(events)
    score, _ = score_pointing(events, read_reference(), SceneGeometry.of(*_FOOTAGE_SIZE_PX))
    return LoopRun(summarise(joined, session.usage, session.restarts), score, longest_queue(events))


def longest_queue(events: list[dict[str, Any]]) -> int:
    """The largest number of frames that waited for the detector at one time and were then used."""
    detections = [each for each in events if each['kind'] == 'detection']
    # +1 when a frame arrives, -1 when it is taken; at equal times the taking comes first.
    steps = sorted([(each['arrived_ns'], 1) for each in detections] + [(each['taken_ns'], -1) for each in detections])
    longest = waiting = 0
    for _, change in steps:
        waiting += change
        longest = max(longest, waiting)
    return longest


def _figures(main: LoopRun, duration_s: float) -> dict[str, Any]:
    summary, score = main.summary, main.score
    figures: dict[str, Any] = {
        'duration_s': duration_s,
        'fps': summary['fps'],
        'detections_per_s': summary['detections_per_s'],
        'overhead_ms_p50': summary['overhead_ms_p50'],
        'latency_ms_p50': summary['latency_ms_p50'],
        'latency_ms_p99': summary['latency_ms_p99'],
    }
    figures |= {f'{name.replace(" ", "_")}_ms_p50': summary[f'{name.replace(" ", "_")}_ms_p50'] for name in STAGES}
    return figures | {
        'queued_frames_max': main.queued_frames_max,
        'take': DetectorParameters.take,
        'pointing_rms_deg': _rounded(score.rms_deg),
        'pointing_rms_first_person_deg': _rounded(score.rms_first_person_deg),
        'pointing_p99_deg': _rounded(score.p99_deg),
        'locked_fraction': _rounded(score.locked_fraction),
        'wrong_target_fraction': _rounded(score.wrong_target_fraction),
        'locks': score.locks,
        'people_followed': score.people_followed,
        'rss_mb': summary['rss_mb'].get('loop'),
        'cpu_s_per_s': _rounded(sum(summary['cpu_s'].values()) / max(1.0, summary['duration_s'])),
        'cpu_s_per_s_by_process': {
            name: _rounded(used / max(1.0, summary['duration_s'])) for name, used in summary['cpu_s'].items()
        },
    }


def _comparison(other: LoopRun, realistic: LoopRun, other_take: str) -> dict[str, Any]:
    """The default beside the other way to take frames, and beside the realistic payload."""
    return {
        f'pointing_rms_deg_{other_take}': _rounded(other.score.rms_deg),
        f'latency_ms_p50_{other_take}': other.summary['latency_ms_p50'],
        f'detections_per_s_{other_take}': other.summary['detections_per_s'],
        f'locked_fraction_{other_take}': _rounded(other.score.locked_fraction),
        'pointing_rms_deg_realistic': _rounded(realistic.score.rms_deg),
        'locked_fraction_realistic': _rounded(realistic.score.locked_fraction),
        'wrong_target_fraction_realistic': _rounded(realistic.score.wrong_target_fraction),
    }


def _takes_without_mistakes(inference_ms: float | None, duration_s: float) -> dict[str, Any]:
    """`pointing_rms_deg_oracle_<take>`; empty where no inference was measured."""
    if inference_ms is None:
        return {}
    reference, geometry = read_reference(), SceneGeometry.of(*_FOOTAGE_SIZE_PX)
    errors: dict[str, float] = {}
    for take in _TAKES:
        report(f'{duration_s:.0f} s in invented time, the detector without fault takes {take} ...')
        detect = oracle(geometry, lambda frame: reference.at(frame)[1])
        timing = Timing(inference_s=inference_ms * 1e-3, take=take)
        events = OfflineLoop(detect, tracker_parameters('ideal', {}), timing).run(duration_s)
        score, _ = score_pointing(events, reference, geometry)
        if score.rms_deg is not None:
            errors[take] = score.rms_deg
    return {f'pointing_rms_deg_oracle_{take}': _rounded(error) for take, error in errors.items()}


def _on_a_moving_vehicle() -> dict[str, Any]:
    """People of the footage from a vehicle that sways, the reference's boxes in the detector's place, in invented time.

    On *ideal* (the preset `moving`) and *gremsy*, at rest, with the attitude fed to the driver, with the pictures
    alone, and with nothing that tells.
    """
    footage = default_footage(cache_directory(os.environ), report)
    swaying = {name: getattr(PRESETS['moving'], name) for name in _SWAYING}
    worst_wrong: dict[str, float] = {}
    figures: dict[str, Any] = {}
    for plant in ('ideal', 'gremsy'):
        for case, payload, fed_s, shown in (
            ('at_rest', {}, 0.0, None),
            ('fed', swaying, math.inf, None),
            ('pictures', swaying, 0.0, footage),
            ('not_fed', swaying, 0.0, None),
        ):
            report(f'A vehicle that sways under {plant}, {case} ...')
            score = score_on_vehicle(plant, payload, fed_s, footage=shown)
            figures[f'vehicle_people_{plant}_{case}_rms_deg'] = _rounded(score.rms_deg)
            worst_wrong[case] = max(worst_wrong.get(case, 0.0), score.wrong_target_fraction or 0.0)
    figures['vehicle_people_wrong_fraction'] = _rounded(worst_wrong['fed'])
    return figures | {f'vehicle_people_wrong_fraction_{case}': _rounded(wrong) for case, wrong in worst_wrong.items()}


def _what_others_get() -> dict[str, Any]:
    report('Where the tracker tells others that the target is ...')
    return target_outputs.figures()


def score_on_vehicle(
    plant: str, payload: Mapping[str, Any], fed_s: float, duration_s: float = 40.0, footage: Path | None = None
) -> PointingScore:
    """One run of the off-line loop with true boxes, which take 60 ms to be found.

    Args:
        plant: the payload's preset.
        payload: changes of it.
        fed_s: for so long the driver is fed the vehicle's attitude.
        duration_s: of the run.
        footage: where the tracker is to see the pictures too; they are drawn then.
    """
    reference, geometry = read_reference(), SceneGeometry.of(*_FOOTAGE_SIZE_PX)
    detect = oracle(geometry, lambda frame: reference.at(frame)[1])
    camera = None if footage is None else SceneCamera(footage)
    loop = OfflineLoop(
        detect,
        # Nobody is known by his looks, as where no picture is shown: what differs is what tells of the turning.
        tracker_parameters(plant, {} if footage is None else {'appearance_cue': False}),
        Timing(inference_s=0.06),
        preset=plant,
        payload=payload,
        fed_s=fed_s,
        picture=None if camera is None else camera.picture,
    )
    try:
        score, _ = score_pointing(loop.run(duration_s), reference, geometry)
    finally:
        if camera is not None:
            camera.close()
    return score


def _setup_times() -> dict[str, Any]:
    """The last set-up from nothing (recorded by `./gremsy setup`) and one with nothing to do, timed now."""
    state = Path(os.environ.get('GREMSY_STATE', _REPOSITORY / '.gremsy'))
    try:
        recorded = json.loads((state / 'setup.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        recorded = {}
    began = time.perf_counter()
    subprocess.run([_REPOSITORY / 'gremsy', 'setup'], check=True, stdout=subprocess.DEVNULL)
    again_s = time.perf_counter() - began
    cold = recorded.get('last_cold') or {}
    return {'setup_s': cold.get('setup_s'), 'setup_measured': cold.get('finished'), 'setup_again_s': round(again_s, 2)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
