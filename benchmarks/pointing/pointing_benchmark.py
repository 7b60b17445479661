# SPDX-License-Identifier: Apache-2.0
"""How well the tracker points, on the payload's own plant in invented time, beside what others point with.

Image delay 120 ms on *ideal* and 250 ms on *gremsy*, each time up to 10 % more or less; 30 images a second, 0.05 deg of
noise, 5 % missed; telemetry at 20 Hz, 20 ms old, 0.02 deg; rates at 50 Hz through the driver's rules. Two axes; an
error is the angle between target and optical axis. RMS and 99th percentile are from 5 s on, the mean of three seeds.
Scenarios that end in `hz` have images or telemetry that often instead, `walking_overshoot` a servo that overshoots.
The group `vehicle` has the gimbal on a vehicle that turns (`pointing_vehicle_cases`).
`PointingCore` runs with the tracker's default parameters throughout, the others each with the best gains for the very
scenario and seeds.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.bench_progress import report
from benchmarks.pointing.pointing_baselines import tune
from benchmarks.pointing.pointing_bound import singer_bound_deg
from benchmarks.pointing.pointing_closed_loop import run_core
from benchmarks.pointing.pointing_scenarios import SCENARIOS, SETTLE_S, Scenario, scenario
from benchmarks.pointing.pointing_vehicle_cases import CASES, run_case
from benchmarks.pointing.pointing_vehicle_cases import figures as vehicle_figures
from benchmarks.pointing.pointing_world import Errors, World
from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL, PlantParameters

SEEDS = (1, 2, 3)
OURS = 'gremsy'
LATENCIES_MS = (20, 60, 120, 180, 250, 320, 400, 500)
# A target further off than half the simulated camera's field has left the picture.
BOUNDED_DEG = 20.0
_BOUNDED_IN = ('sine', 'singer', 'step')
_RATIO_IN = ('sine', 'singer')
# Scenarios in which a PID once was ahead.
_AHEAD_IN = ('reversal', 'reversal_15hz', 'reversal_7hz', 'walking_10hz', 'walking_overshoot', 'reentry')


@dataclass(frozen=True, slots=True)
class Bench:
    """One plant and how late its images are."""

    plant: str
    parameters: PlantParameters
    latency_s: float


BENCHES = (Bench('ideal', IDEAL, 0.120), Bench('gremsy', GREMSY, 0.250))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue, flat, and every scenario."""
    del options
    cases = [(bench, each) for bench in BENCHES for each in SCENARIOS]
    delays = [(bench, latency_ms) for bench in BENCHES for latency_ms in LATENCIES_MS]
    # Spawned: a forked child of a process with threads (NumPy's) may hang.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context('spawn')) as pool:
        tables = [pool.submit(_case, *case) for case in cases]
        carried = [pool.submit(run_case, case) for case in CASES]
        sweeps = [pool.submit(_delayed, *case) for case in delays]
        bounds = [pool.submit(_bound, bench) for bench in BENCHES]
        rows = []
        for (bench, each), table in zip(cases, tables, strict=True):
            rows += table.result()
            report(f'{bench.plant}: {each.name} is done.')
        vehicle = [each.result() for each in carried]
        report('The vehicle that turns is done.')
        swept = [each.result() for each in sweeps]
        bound = {bench.plant: each.result() for bench, each in zip(BENCHES, bounds, strict=True)}
    totals = figures(rows, swept, bound) | vehicle_figures(vehicle)
    return {'scenarios': rows, 'latency_sweep': swept, 'vehicle': vehicle, **totals}


def _case(bench: Bench, each: Scenario) -> list[dict[str, Any]]:
    """Ours and the others' in one scenario."""
    return [
        _row(bench, each, OURS, core_errors(bench, each)),
        *(
            _row(bench, each, tuned.law, tuned.errors) | {'gains': tuned.gains}
            for tuned in tune(each, bench.parameters, bench.latency_s, SEEDS)
        ),
    ]


def core_errors(bench: Bench, each: Scenario, latency_s: float | None = None) -> tuple[Errors, ...]:
    """The tracker's own core in one scenario, by seed."""
    latency_s = bench.latency_s if latency_s is None else latency_s
    return tuple(run_core(World(each, bench.parameters, latency_s, seed)) for seed in SEEDS)


def _bound(bench: Bench) -> float:
    """What no law can leave less than of `singer`."""
    return float(np.mean([singer_bound_deg(bench.parameters, bench.latency_s, seed) for seed in SEEDS]))


def _delayed(bench: Bench, latency_ms: int) -> dict[str, Any]:
    """The same core with images earlier or later than the scenarios'; it knows by their stamps only."""
    runs = {name: core_errors(bench, scenario(name), latency_ms * 1e-3) for name in _BOUNDED_IN}
    worst = max(float(each.angle_deg[each.times_s >= SETTLE_S].max()) for errors in runs.values() for each in errors)
    rms = {f'{name}_rms_deg': _mean([each.rms_deg for each in errors]) for name, errors in runs.items()}
    return {'plant': bench.plant, 'latency_ms': latency_ms, 'worst_deg': _rounded(worst), **rms}


def figures(
    rows: Sequence[dict[str, Any]], swept: Sequence[dict[str, Any]], bound_deg: dict[str, float]
) -> dict[str, Any]:
    """The issues' figures from the scenarios, the sweep, and what bounds the error in `singer`, by plant."""
    found = {(each['plant'], each['name'], each['law']): each for each in rows}

    def ours(plant: str, name: str, key: str = 'rms_deg') -> float:
        return float(found[plant, name, OURS][key])

    def best_baseline(plant: str, name: str) -> float:
        laws = [law for each_plant, each_name, law in found if (each_plant, each_name) == (plant, name)]
        return min(float(found[plant, name, law]['rms_deg']) for law in laws if law != OURS)

    def pid(plant: str, name: str, key: str = 'rms_deg') -> float:
        return float(found[plant, name, 'pid'][key])

    ratios = [best_baseline(bench.plant, name) / ours(bench.plant, name) for bench in BENCHES for name in _RATIO_IN]
    reachable = [best_baseline(bench.plant, 'singer') / bound_deg[bench.plant] for bench in BENCHES]
    ahead = {
        f'{bench.plant}_{name}_{ending}': of(bench.plant, name)
        for bench in BENCHES
        for name in _AHEAD_IN
        for ending, of in (('rms_deg', ours), ('pid_rms_deg', pid))
    }
    swings = {
        f'{bench.plant}_reentry_{ending}': of(bench.plant, 'reentry', 'swing_deg')
        for bench in BENCHES
        for ending, of in (('swing_deg', ours), ('pid_swing_deg', pid))
    }
    shares = [ours(bench.plant, name) / pid(bench.plant, name) for bench in BENCHES for name in _AHEAD_IN]
    return {
        'ideal_mean_rms_deg': _mean([ours('ideal', name) for name in ('sine', 'ramp', 'singer')]),
        'ideal_step_settle_s': ours('ideal', 'step', 'settle_s'),
        'ideal_step_overshoot_deg': ours('ideal', 'step', 'overshoot_deg'),
        'gremsy_constant_rms_deg': max(ours('gremsy', name) for name in ('constant_1', 'constant_3')),
        'gremsy_walking_rms_deg': ours('gremsy', 'walking'),
        'gremsy_singer_rms_deg': ours('gremsy', 'singer'),
        'ideal_singer_bound_deg': _rounded(bound_deg['ideal']),
        'gremsy_singer_bound_deg': _rounded(bound_deg['gremsy']),
        'ramp_rms_deg': max(ours(bench.plant, 'ramp') for bench in BENCHES),
        'min_ratio_to_best_baseline': _rounded(min(ratios)),
        'min_ratio_reachable': _rounded(min(reachable)),
        'ahead_share_of_pid_max': _rounded(max(shares)),
        **ahead,
        **swings,
        'stable_latency_ms_max': stable_latency_ms(swept),
    }


def stable_latency_ms(swept: Sequence[dict[str, Any]]) -> int | None:
    """The longest delay up to which, from the shortest on, the target never left the picture on either plant."""
    stable = None
    for latency_ms in sorted({each['latency_ms'] for each in swept}):
        worst = max(each['worst_deg'] for each in swept if each['latency_ms'] == latency_ms)
        if worst >= BOUNDED_DEG:
            break
        stable = latency_ms
    return stable


def _row(bench: Bench, each: Scenario, law: str, errors: Sequence[Errors]) -> dict[str, Any]:
    is_step = each.name == 'step'
    return {
        'plant': bench.plant,
        'name': each.name,
        'law': law,
        'rms_deg': _mean([run.rms_deg for run in errors]),
        'p99_deg': _mean([run.p99_deg for run in errors]),
        'settle_s': _mean([run.settle_s for run in errors]) if is_step else None,
        'overshoot_deg': _mean([run.overshoot_deg for run in errors]) if is_step else None,
        'swing_deg': _mean([run.swing_deg for run in errors]) if each.in_view_only else None,
    }


def _mean(values: Sequence[Any]) -> float | None:
    """Rounded; None where one of them is not finite: a step that never settled has no time."""
    return _rounded(float(np.mean(values)))


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
