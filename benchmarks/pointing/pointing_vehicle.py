# SPDX-License-Identifier: Apache-2.0
"""The vehicle under the gimbal in `./gremsy bench pointing`: how it turns, how it carries the camera, what reports it.

Headings are on the scenarios' grid of 1 ms, left +. What carries the camera is the simulated payload's rule
(`GimbalBody`): LOCK nothing, FOLLOW all but for its window, of which the camera takes part only at the edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.pointing.pointing_scenarios import DURATION_S, GRID_S
from gremsy_gimbal_sim.plant.plant import PlantParameters

Array = NDArray[np.float64]

MID = PlantParameters(delay_s=0.060, lag_s=0.040)
"""Between *ideal* and *gremsy*: 60 ms of delay, 40 ms of lag, no dead zone."""
HELD_DEG = 360.0
"""A follow window that is never left: the camera is held in the world, and its azimuth is against the heading."""

_TIMES_S = np.arange(round(DURATION_S / GRID_S) + 1) * GRID_S
_TURN_SMOOTHED_S = 0.5


@dataclass(frozen=True, slots=True)
class HeadingFeed:
    """How the vehicle's heading reaches the tracker: 50 times a second, 20 ms old, as an autopilot's at its best.

    Attributes:
        rate_hz, age_s: of the samples.
        noise_deg, rate_noise_deg_s: their errors.
        stamped_wrong_s: so much later than it was measured each one is stamped.
        drift_deg_s: of the heading; a magnetometer that drifts, or none.
        jumps: (when, s; by how much, deg) the heading alone jumps.
        has_rates: whether the rates are reported.
    """

    rate_hz: float = 50.0
    age_s: float = 0.020
    noise_deg: float = 0.02
    rate_noise_deg_s: float = 0.1
    stamped_wrong_s: float = 0.0
    drift_deg_s: float = 0.0
    jumps: tuple[tuple[float, float], ...] = ()
    has_rates: bool = True


@dataclass(frozen=True, slots=True)
class TurningVehicle:
    """One way to turn, and to carry.

    Attributes:
        name: as in the report.
        heading_deg: on the grid.
        window_deg: what of a turn FOLLOW leaves, 0 for a camera carried rigidly; None for LOCK.
        feed: what tells of the heading; None where nothing does.
    """

    name: str
    heading_deg: Callable[[], Array]
    window_deg: float | None
    feed: HeadingFeed | None = HeadingFeed()

    def carried_deg(self) -> Array:
        """On the grid, how far the camera is turned in the world by the vehicle alone."""
        heading = self.heading_deg()
        if self.window_deg is None:
            return np.zeros_like(heading)
        if self.window_deg == 0.0:
            return heading - heading[0]
        carried, at = np.zeros_like(heading), 0.0
        for number, relative in enumerate((heading - heading[0]).tolist()):
            at = min(max(at, relative - self.window_deg), relative + self.window_deg)
            carried[number] = at
        return carried

    def level_deg(self) -> Array:
        """On the grid, how far the frame of the reported azimuth has turned: not at all in LOCK."""
        heading = self.heading_deg()
        return np.zeros_like(heading) if self.window_deg is None else heading


def sway(amplitude_deg: float, frequency_hz: float) -> Callable[[], Array]:
    """To and fro for ever."""
    return partial(_sway, amplitude_deg, frequency_hz)


def _sway(amplitude_deg: float, frequency_hz: float) -> Array:
    return np.asarray(amplitude_deg * np.sin(2 * math.pi * frequency_hz * _TIMES_S))


def quarter_turns() -> Array:
    """90 degrees to the left at 20 deg/s, 4 s later back; begun and ended within half a second."""
    rates = np.zeros_like(_TIMES_S)
    for begin_s, sign in ((8.0, 1.0), (16.5, -1.0)):
        rates[(begin_s <= _TIMES_S) & (begin_s + 4.5 > _TIMES_S)] = sign * 20.0
    smoothing = round(_TURN_SMOOTHED_S / GRID_S)
    sums = np.cumsum(np.concatenate([np.zeros(smoothing), rates]))
    return np.asarray(np.cumsum((sums[smoothing:] - sums[:-smoothing]) / smoothing) * GRID_S)
