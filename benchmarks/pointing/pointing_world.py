# SPDX-License-Identifier: Apache-2.0
"""The plant with a camera and telemetry around it, one gimbal or a batch of them: everything that a law cannot change.

Times are whole milliseconds. Which image is missed, how late each is and every error of measurement are drawn before
the run, so that all laws of one seed are given the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from benchmarks.pointing.pointing_scenarios import DURATION_S, GRID_S, SETTLE_S, STEP_AT_S, Scenario
from benchmarks.pointing.pointing_vehicle import HeadingFeed, TurningVehicle
from gremsy_gimbal_sim.plant.plant import ZOOM_RATE_GAIN, Plant, PlantParameters

Array = NDArray[np.float64]

_TELEMETRY_AGE_S = 0.02
_COMMAND_HZ = 50.0
_JITTER = 0.10
_MISSED = 0.05
BEARING_NOISE_DEG = 0.05
_TELEMETRY_NOISE_DEG = 0.02
# Not in the issue; a gyro's rate is better than differences of the angles, and not perfect.
_RATE_NOISE_DEG_S = 0.1
_SAMPLE_MS = 5
_SETTLED_DEG = 0.5
_SWING_S = 3.0
_CATCHING_S = 1.0


class Happening(IntEnum):
    """What happens at a time; at equal times in this order."""

    MEASURED = 0  # telemetry measures
    SHUTTER = 1  # an image is taken
    HEADING = 2  # the level frame's heading arrives
    TELEMETRY = 3  # telemetry arrives
    IMAGE = 4  # an image arrives
    COMMAND = 5  # a rate is asked for
    SAMPLE = 6  # the error is noted


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Of one law in one scenario.

    Attributes:
        times_s: (N,).
        angle_deg: (..., N), of the target against the optical axis.
        azimuth_deg: (..., N), the azimuth's alone with its sign.
        hidden: (N,) when the target is out of view and nothing counts; nor does it in the second after that, in which
            the camera has a way to go that tells of the scenario and not of the law.
    """

    times_s: Array
    angle_deg: Array
    azimuth_deg: Array
    hidden: NDArray[np.bool_]

    @property
    def _counts(self) -> NDArray[np.bool_]:
        counts = (self.times_s >= SETTLE_S) & ~self.hidden
        for back_s in self._back_s:
            counts &= (self.times_s < back_s) | (self.times_s >= back_s + _CATCHING_S)
        return counts

    @property
    def _back_s(self) -> list[float]:
        """When the target came back into view."""
        return [float(each) for each in self.times_s[1:][self.hidden[:-1] & ~self.hidden[1:]]]

    @property
    def rms_deg(self) -> Array:
        """(...) from 5 s on."""
        return np.asarray(np.sqrt((self.angle_deg[..., self._counts] ** 2).mean(axis=-1)))

    @property
    def p99_deg(self) -> Array:
        """(...) from 5 s on."""
        return np.asarray(np.percentile(self.angle_deg[..., self._counts], 99, axis=-1))

    @property
    def settle_s(self) -> Array:
        """(...) from the step to the last time that the error is 0.5 deg or more; inf if it is so at the end."""
        after = self.times_s >= STEP_AT_S
        times = self.times_s[after] - STEP_AT_S
        outside = self.angle_deg[..., after] >= _SETTLED_DEG
        last = np.where(outside, times, 0.0).max(axis=-1)
        return np.asarray(np.where(outside[..., -1], np.inf, last))

    @property
    def overshoot_deg(self) -> Array:
        """(...) how far the azimuth went beyond the step."""
        return np.asarray(np.maximum(-self.azimuth_deg[..., self.times_s >= STEP_AT_S].min(axis=-1), 0.0))

    @property
    def swing_deg(self) -> Array:
        """(...) how far at most the azimuth went past a target that had come back into view, within 3 s."""
        furthest = np.zeros(self.azimuth_deg.shape[:-1])
        for back_s in self._back_s:
            after = (self.times_s >= back_s) & (self.times_s < back_s + _SWING_S) & ~self.hidden
            azimuth = self.azimuth_deg[..., after]
            furthest = np.maximum(furthest, (-np.sign(azimuth[..., :1]) * azimuth).max(axis=-1))
        return np.asarray(furthest)


class World:
    """One scenario on one plant with one seed; iterate `happenings` and act on them.

    Args:
        scenario: what the target does.
        plant: which gimbal.
        latency_s: mean time from the shutter to the arrival of what was seen.
        seed: of the target and all errors.
        shape: of the batch.
        vehicle: what carries the gimbal; None for one that stands still.
    """

    def __init__(
        self,
        scenario: Scenario,
        plant: PlantParameters,
        latency_s: float,
        seed: int,
        shape: tuple[int, ...] = (),
        vehicle: TurningVehicle | None = None,
    ) -> None:
        self.scenario, self.latency_s, self.seed = scenario, latency_s, seed
        if scenario.zoom != 1.0:
            plant = replace(plant, rate_gain_by_zoom=ZOOM_RATE_GAIN)
        if scenario.overshoot > 0.0:
            plant = replace(plant, overshoot=scenario.overshoot)
        self._path = scenario.path_deg(seed)
        self.plant = Plant(plant, shape=shape, angles_rad=np.radians(self._path[0]))
        self.plant.set_zoom(scenario.zoom)
        random = np.random.default_rng([3, seed])
        self._shutters_ms = self._grid(scenario.camera_hz, random)
        count = len(self._shutters_ms)
        lateness = latency_s * (1.0 + _JITTER * random.uniform(-1.0, 1.0, count))
        # Results come in the images' order: a slow one holds up those behind it.
        self._arrivals_ms = np.maximum.accumulate(self._shutters_ms + np.round(lateness * 1e3).astype(int))
        self._seen = (random.random(count) >= _MISSED) & ~_inside(self._shutters_ms, scenario)
        noise_deg = BEARING_NOISE_DEG / scenario.zoom
        self._image_errors = np.radians(random.normal(0.0, noise_deg, (count, 2)))
        self._measured_ms = self._grid(scenario.telemetry_hz, random)
        count = len(self._measured_ms)
        self._angle_errors = np.radians(random.normal(0.0, _TELEMETRY_NOISE_DEG, (count, 2)))
        self._rate_errors = np.radians(random.normal(0.0, _RATE_NOISE_DEG_S, (count, 2)))
        self._offsets: dict[int, Array] = {}
        self._telemetry: dict[int, tuple[Array, Array]] = {}
        self._errors: list[Array] = []
        self._carried, self._level = np.zeros(len(self._path)), np.zeros(len(self._path))
        self._headings_ms = self._heading_arrivals_ms = np.zeros(0, dtype=np.int64)
        if vehicle is not None:
            self._carried, self._level = np.radians(vehicle.carried_deg()), np.radians(vehicle.level_deg())
            if vehicle.feed is not None:
                self._feed(vehicle.feed, np.random.default_rng([4, seed]))
        self._samples_ms = np.arange(0, round(DURATION_S * 1e3), _SAMPLE_MS)

    def happenings(self) -> Iterator[tuple[int, Happening, int]]:
        """(time in ms, what, its number), in order; the plant is moved on to each, errors are noted on the way."""
        commands_ms = np.arange(0, DURATION_S * 1e3, 1e3 / _COMMAND_HZ).astype(int)
        telemetry_ms = self._measured_ms + round(_TELEMETRY_AGE_S * 1e3)
        kinds = (
            (Happening.MEASURED, self._measured_ms),
            (Happening.SHUTTER, self._shutters_ms),
            (Happening.HEADING, self._heading_arrivals_ms),
            (Happening.TELEMETRY, telemetry_ms),
            (Happening.IMAGE, self._arrivals_ms),
            (Happening.COMMAND, commands_ms),
            (Happening.SAMPLE, self._samples_ms),
        )
        times = np.concatenate([each for _, each in kinds])
        what = np.concatenate([np.full(len(each), int(kind)) for kind, each in kinds])
        numbers = np.concatenate([np.arange(len(each)) for _, each in kinds])
        order = np.lexsort((numbers, what, times))
        order = order[times[order] < DURATION_S * 1e3]
        for at_ms, kind, number in zip(
            times[order].tolist(), what[order].tolist(), numbers[order].tolist(), strict=True
        ):
            self.plant.advance(at_ms * 1e-3)
            if kind == Happening.SAMPLE:
                self._errors.append(self.target_rad(at_ms) - self._axis(at_ms))
            elif kind == Happening.SHUTTER:
                self._offsets[number] = self.target_rad(at_ms) - self._axis(at_ms) + self._image_errors[number]
            elif kind == Happening.MEASURED:
                angles = self._axis(at_ms) + self._angle_errors[number]
                angles[..., 0] -= self._level[at_ms]
                rates = self.plant.rates_rad_s + self._rate_errors[number]
                # The reported azimuth's own, as the simulated payload's: the rates of the joint.
                rates[..., 0] += _slope(self._carried, at_ms) - _slope(self._level, at_ms)
                self._telemetry[number] = angles, rates
            else:
                yield at_ms, Happening(kind), number

    def image(self, number: int) -> tuple[int, Array | None]:
        """Of an image that arrived: shutter time, ms, and the target's (..., 2) offset from the axis, None: missed."""
        offset = self._offsets.pop(number)
        return int(self._shutters_ms[number]), offset if self._seen[number] else None

    def telemetry(self, number: int) -> tuple[int, Array, Array]:
        """Of telemetry that arrived: when it was measured, ms, angles and rates, (..., 2)."""
        return int(self._measured_ms[number]), *self._telemetry.pop(number)

    def heading(self, number: int) -> tuple[int, float, float]:
        """Of a heading that arrived: when it is said to be measured, ms, rad and rad/s."""
        return int(self._headings_ms[number]), *self._headings[number].tolist()

    def errors(self) -> Errors:
        """After the run."""
        errors = np.moveaxis(np.array(self._errors), 0, -2)  # (..., N, 2)
        tilt = np.radians(self._path[self._samples_ms, 1])
        # Angle between two bearings, by haversines: exact for small angles and right for large ones.
        havers = np.sin(errors[..., 1] / 2) ** 2
        havers += np.cos(tilt) * np.cos(tilt - errors[..., 1]) * np.sin(errors[..., 0] / 2) ** 2
        angles = 2 * np.arcsin(np.sqrt(np.minimum(havers, 1.0)))
        times = np.asarray(self._samples_ms * 1e-3, dtype=np.float64)
        hidden = _inside(self._samples_ms, self.scenario) & self.scenario.in_view_only
        return Errors(times, np.degrees(angles), np.degrees(errors[..., 0]), hidden)

    def _axis(self, at_ms: int) -> Array:
        """(..., 2) where the camera looks in the world: by its own motion, and carried along by the vehicle."""
        axis = self.plant.angles_rad
        axis[..., 0] += self._carried[at_ms]
        return axis

    def _feed(self, feed: HeadingFeed, random: np.random.Generator) -> None:
        measured_ms = self._grid(feed.rate_hz, random)
        heading = self._level[measured_ms] + np.radians(feed.drift_deg_s) * measured_ms * 1e-3
        for at_s, jump_deg in feed.jumps:
            heading = heading + np.where(measured_ms >= at_s * 1e3, np.radians(jump_deg), 0.0)
        heading += np.radians(random.normal(0.0, feed.noise_deg, len(measured_ms)))
        rates = np.array([_slope(self._level, each) for each in measured_ms.tolist()])
        rates += np.radians(random.normal(0.0, feed.rate_noise_deg_s, len(measured_ms)))
        if not feed.has_rates:
            rates[:] = np.nan
        self._headings = np.stack([heading, rates], axis=1)
        self._headings_ms = measured_ms + round(feed.stamped_wrong_s * 1e3)
        self._heading_arrivals_ms = measured_ms + round(feed.age_s * 1e3)

    @property
    def end_ms(self) -> int:
        """The last time on the grid."""
        return len(self._path) - 1

    def target_rad(self, at_ms: int) -> Array:
        """(2,) where the target is at that time."""
        return np.asarray(np.radians(self._path[round(at_ms * 1e-3 / GRID_S)]))

    @staticmethod
    def _grid(rate_hz: float, random: np.random.Generator) -> NDArray[np.int64]:
        phase = random.uniform(0.0, 1.0 / rate_hz)
        count = math.floor((DURATION_S - phase) * rate_hz)
        return np.asarray(np.round((phase + np.arange(count) / rate_hz) * 1e3), dtype=np.int64)


def _inside(times_ms: NDArray[np.int64], scenario: Scenario) -> NDArray[np.bool_]:
    """(N,) whether the target is hidden at those times."""
    hidden = np.zeros(len(times_ms), dtype=np.bool_)
    for begin_s, end_s in scenario.hidden_s:
        hidden |= (times_ms >= round(begin_s * 1e3)) & (times_ms < round(end_s * 1e3))
    return hidden


def _slope(values: Array, at_ms: int) -> float:
    """Of what is on the grid of 1 ms, per second."""
    before, after = max(at_ms - 1, 0), min(at_ms + 1, len(values) - 1)
    return float(values[after] - values[before]) / ((after - before) * GRID_S)
