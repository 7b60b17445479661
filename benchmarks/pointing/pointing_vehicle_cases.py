# SPDX-License-Identifier: Apache-2.0
"""The group `vehicle` of `./gremsy bench pointing`: the core on a vehicle that turns, with its heading and without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.pointing.pointing_baselines import tune
from benchmarks.pointing.pointing_closed_loop import run_core
from benchmarks.pointing.pointing_scenarios import Scenario, rest, scenario
from benchmarks.pointing.pointing_vehicle import HELD_DEG, MID, HeadingFeed, TurningVehicle, quarter_turns, sway
from benchmarks.pointing.pointing_world import World
from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL, PlantParameters

SEEDS = (1, 2, 3)
PLANTS: dict[str, tuple[PlantParameters, float]] = {
    'ideal': (IDEAL, 0.120),
    'mid': (MID, 0.120),
    'gremsy': (GREMSY, 0.250),
}
"""With how late their images are, s."""
REST = Scenario('rest', rest)
WALKING = scenario('walking')
SWAY = sway(5.0, 0.5)


@dataclass(frozen=True, slots=True)
class VehicleCase:
    """A target, seen from a vehicle, on a plant; `against_pid` where a PID tuned for it is run beside."""

    plant: str
    target: Scenario
    vehicle: TurningVehicle
    against_pid: bool = False

    @property
    def name(self) -> str:
        """As in the report."""
        return f'{self.target.name}, {self.vehicle.name}'


CASES = (
    *(
        VehicleCase(plant, REST, TurningVehicle(name, SWAY, window_deg))
        for plant in PLANTS
        for name, window_deg in (('lock', None), ('window', 10.0), ('rigid', 0.0))
    ),
    *(
        VehicleCase(plant, WALKING, TurningVehicle(name, motion, HELD_DEG))
        for plant in ('mid', 'gremsy')
        for name, motion in (('held', SWAY), ('turn', quarter_turns))
    ),
    *(VehicleCase(plant, WALKING, TurningVehicle('rigid', SWAY, 0.0)) for plant in ('mid', 'gremsy')),
    *(VehicleCase(plant, REST, TurningVehicle('edge', SWAY, 2.0), against_pid=True) for plant in ('ideal', 'gremsy')),
    *(
        VehicleCase(plant, REST, vehicle)
        for plant in ('ideal', 'gremsy')
        for vehicle in (
            TurningVehicle('rigid, stamped 20 ms wrong', SWAY, 0.0, HeadingFeed(stamped_wrong_s=0.020)),
            TurningVehicle('rigid, 10 Hz', SWAY, 0.0, HeadingFeed(rate_hz=10.0)),
            TurningVehicle('rigid, 100 ms late', SWAY, 0.0, HeadingFeed(age_s=0.100)),
            TurningVehicle('rigid, 1 deg at 2 Hz', sway(1.0, 2.0), 0.0),
        )
    ),
)


def run_case(case: VehicleCase) -> dict[str, Any]:
    """One row: with the heading, without it, and the PID's."""
    plant, latency_s = PLANTS[case.plant]

    def mean_rms_deg(vehicle: TurningVehicle) -> float:
        worlds = (World(case.target, plant, latency_s, seed, vehicle=vehicle) for seed in SEEDS)
        return round(float(np.mean([float(run_core(world).rms_deg) for world in worlds])), 4)

    row = {
        'plant': case.plant,
        'name': case.name,
        'rms_deg': mean_rms_deg(case.vehicle),
        'without_heading_rms_deg': mean_rms_deg(replace(case.vehicle, feed=None)),
    }
    if case.against_pid:
        tuned = {each.law: each for each in tune(case.target, plant, latency_s, SEEDS, case.vehicle)}
        row['pid_rms_deg'] = round(float(np.mean([float(each.rms_deg) for each in tuned['pid'].errors])), 4)
    return row


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The group's figures, each with the heading and without it."""
    found = {(each['plant'], each['name']): each for each in rows}
    at_rest = [(plant, f'rest, {mode}') for plant in PLANTS for mode in ('lock', 'window', 'rigid')]
    # A slow gimbal that is carried rigidly has a bound of its own.
    at_rest.remove(('gremsy', 'rest, rigid'))
    names = {
        'vehicle_rest': at_rest,
        'vehicle_rest_rigid_gremsy': [('gremsy', 'rest, rigid')],
        'vehicle_walking': [('mid', 'walking, held')],
        'vehicle_walking_gremsy': [('gremsy', 'walking, held')],
        'vehicle_turn': [('mid', 'walking, turn')],
        'vehicle_turn_gremsy': [('gremsy', 'walking, turn')],
    }
    worst: dict[str, Any] = {}
    for key, cases in names.items():
        ending = 'rms_deg_max' if len(cases) > 1 else 'rms_deg'
        worst[f'{key}_{ending}'] = max(found[case]['rms_deg'] for case in cases)
        worst[f'{key}_without_heading_{ending}'] = max(found[case]['without_heading_rms_deg'] for case in cases)
    edges = [each['rms_deg'] / each['pid_rms_deg'] for each in rows if 'pid_rms_deg' in each]
    worst['vehicle_edge_share_of_pid_max'] = round(max(edges, default=math.nan), 3)
    return worst
