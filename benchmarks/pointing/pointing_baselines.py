# SPDX-License-Identifier: Apache-2.0
"""What others point with: P, PI and PID on the pixel error, and move-and-wait; each for a whole grid of gains at once.

They are given what they are given elsewhere, and then some: the newest image as it comes, a target that never leaves
the frame, this driver's answer to the dead zone and the zoom, and for every scenario the gains that are best in it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.pointing.pointing_driver import BatchDriver
from benchmarks.pointing.pointing_scenarios import Scenario
from benchmarks.pointing.pointing_vehicle import TurningVehicle
from benchmarks.pointing.pointing_world import Errors, Happening, World
from gremsy_gimbal_sim.plant.plant import PlantParameters

Array = NDArray[np.float64]

# 640 pixels across 40 degrees, as the suite's simulated camera; times the zoom.
_FOCAL_PX = 320.0 / math.tan(math.radians(20.0))
_FURTHEST_RAD = math.radians(80.0)
_LARGEST_RATE_RAD_S = math.radians(60.0)
_DERIVATIVE_KEPT = 0.6
# Of a target that has left the view, as the tracker does (`coast_s`): a PID that went on would never meet it again.
_GIVES_UP_MS = 700

_PROPORTIONAL = (0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 3.5, 4.5, 6.0, 8.0)
_INTEGRAL = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 8.0, 12.0, 18.0, 27.0, 40.0)
_DERIVATIVE = (0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 1.8)
_DEADBANDS_DEG = (0.2, 0.5, 1.0, 2.0)
_LOOKS = (1, 2, 3, 5, 8)
_PATIENCES = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """The best of one law in one scenario: `gains` as its law names them, errors by seed."""

    law: str
    gains: dict[str, float]
    errors: tuple[Errors, ...]


def tune(
    scenario: Scenario,
    plant: PlantParameters,
    latency_s: float,
    seeds: tuple[int, ...],
    vehicle: TurningVehicle | None = None,
) -> list[Tuned]:
    """Every law at its best: the smallest mean of the seeds' RMS on these very seeds."""
    gains = np.array(list(itertools.product(_PROPORTIONAL, _INTEGRAL, _DERIVATIVE)))
    runs = [run_pid(World(scenario, plant, latency_s, seed, (len(gains),), vehicle), gains) for seed in seeds]
    mean = np.mean([each.rms_deg for each in runs], axis=0)
    tuned = []
    for law, allowed in (
        ('p', (gains[:, 1] == 0.0) & (gains[:, 2] == 0.0)),
        ('pi', gains[:, 2] == 0.0),
        ('pid', np.full(len(gains), True)),
    ):
        best = int(np.argmin(np.where(allowed, mean, np.inf)))
        named = dict(zip(('kp_per_s', 'ki_per_s2', 'kd'), gains[best].tolist(), strict=True))
        tuned.append(Tuned(law, named, tuple(_one(each, best) for each in runs)))
    choices = np.array(list(itertools.product(_DEADBANDS_DEG, _LOOKS, _PATIENCES)))
    runs = [
        run_move_and_wait(World(scenario, plant, latency_s, seed, (len(choices),), vehicle), choices) for seed in seeds
    ]
    best = int(np.argmin(np.mean([each.rms_deg for each in runs], axis=0)))
    named = dict(zip(('deadband_deg', 'looks', 'patience'), choices[best].tolist(), strict=True))
    return [*tuned, Tuned('move_and_wait', named, tuple(_one(each, best) for each in runs))]


def run_pid(world: World, gains: Array) -> Errors:
    """Ask for kp e + ki (sum of e) + kd (slope of e), of the pixel error of the newest image; gains (B, 3)."""
    zoom = world.scenario.zoom
    driver = BatchDriver(world.plant, zoom)
    kp, ki, kd = (gains[:, each, None] for each in range(3))
    focal_px = _FOCAL_PX * zoom
    asked, integral, slope = (np.zeros((len(gains), 2)) for _ in range(3))
    # Conditional anti-windup: the integral alone never asks for more than the gimbal can do.
    most = _LARGEST_RATE_RAD_S / np.maximum(ki, 1e-9)
    before: tuple[int, Array] | None = None
    for at_ms, kind, number in world.happenings():
        if kind is Happening.IMAGE:
            shutter_ms, offset = world.image(number)
            if offset is None:
                continue
            # A pixel's rate is worth 1 / focal length of an angle's: the gains are those of angles.
            error = _pixels(offset, focal_px) / focal_px
            if before is not None and shutter_ms > before[0]:
                dt_s = (shutter_ms - before[0]) * 1e-3
                integral = np.clip(integral + error * dt_s, -most, most)
                slope = _DERIVATIVE_KEPT * slope + (1.0 - _DERIVATIVE_KEPT) * (error - before[1]) / dt_s
            before = (shutter_ms, error)
            asked = np.clip(kp * error + ki * integral + kd * slope, -_LARGEST_RATE_RAD_S, _LARGEST_RATE_RAD_S)
        elif kind is Happening.TELEMETRY:
            world.telemetry(number)
        elif kind is Happening.COMMAND:
            if world.scenario.in_view_only and before is not None and at_ms - before[0] > _GIVES_UP_MS:
                asked, integral, slope = (np.zeros((len(gains), 2)) for _ in range(3))
                before = None
            driver.ask(at_ms * 1e-3, asked)
    return world.errors()


def run_move_and_wait(world: World, choices: Array) -> Errors:
    """Look while still, then move by an angle command to where the target will be, then wait until it is done.

    Frigate's way (perception.md 3.1), with the gimbal's own angle loop, which knows no dead zone. Choices (B, 3):
    error below which nothing is done, looks before a move (their slope is the target's rate), and the time that is
    allowed for a move over the time that it should take.
    """
    plant = world.plant.parameters
    focal_px = _FOCAL_PX * world.scenario.zoom
    deadband_rad, looks, patience = np.radians(choices[:, 0]), choices[:, 1], choices[:, 2]
    count = len(choices)
    goal = world.plant.angles_rad
    axis = goal.copy()
    still_ms = np.zeros(count)
    seen = np.zeros(count)
    first_ms, first = np.zeros(count), np.zeros((count, 2))
    for at_ms, kind, number in world.happenings():
        if kind is Happening.TELEMETRY:
            _, axis, _ = world.telemetry(number)
        elif kind is Happening.IMAGE:
            shutter_ms, offset = world.image(number)
            if offset is None:
                continue
            error = np.arctan(_pixels(offset, focal_px) / focal_px)
            usable = shutter_ms > still_ms
            begins = usable & (seen == 0)
            first_ms, first = np.where(begins, shutter_ms, first_ms), np.where(begins[:, None], error, first)
            seen = np.where(usable, seen + 1, 0)
            size = np.abs(error).max(axis=1)
            move = usable & (seen >= looks) & (size > deadband_rad)
            elapsed_s = np.maximum(shutter_ms - first_ms, 1.0) * 1e-3
            rate = np.where((looks > 1)[:, None], (error - first) / elapsed_s[:, None], 0.0)
            # The angle loop's time constant is four lags (`plant_axes`); three of them are 95 %.
            takes_s = plant.delay_s + 12.0 * plant.lag_s + size / plant.max_rate_rad_s
            ahead_s = (at_ms - shutter_ms) * 1e-3 + takes_s
            goal = np.where(move[:, None], axis + error + rate * ahead_s[:, None], goal)
            still_ms = np.where(move, at_ms + 1e3 * patience * takes_s, still_ms)
            seen = np.where(move, 0, seen)
        elif kind is Happening.COMMAND:
            world.plant.command_angles(at_ms * 1e-3, goal)
    return world.errors()


def _pixels(offset_rad: Array, focal_px: float) -> Array:
    return np.asarray(focal_px * np.tan(np.clip(offset_rad, -_FURTHEST_RAD, _FURTHEST_RAD)))


def _one(errors: Errors, index: int) -> Errors:
    return Errors(errors.times_s, errors.angle_deg[index], errors.azimuth_deg[index], errors.hidden)
