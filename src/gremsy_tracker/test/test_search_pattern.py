# SPDX-License-Identifier: Apache-2.0
"""The spiral: where it begins and ends, how fast it is, and that it leaves no gap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_tracker.pointing.search_pattern import SpiralSearch

FIELD = math.radians(40.0)
SEARCH = SpiralSearch(np.array([0.3, 0.1]), rate_rad_s=0.2, radius_rad=1.0, field_rad=FIELD)
TIMES = np.linspace(0.0, SEARCH.duration_s - 1e-6, 4000)


def path() -> tuple[np.ndarray, np.ndarray]:
    places, rates = zip(*(SEARCH.at(float(t)) or pytest.fail('over') for t in TIMES), strict=True)
    return np.array(places), np.array(rates)


def test_it_begins_at_the_centre_and_ends_at_the_radius() -> None:
    start, end = SEARCH.at(0.0), SEARCH.at(SEARCH.duration_s - 1e-9)
    assert start is not None
    assert end is not None
    assert start[0] == pytest.approx([0.3, 0.1])
    offset = (end[0] - SEARCH.centre_rad) / [1.0, 0.6]
    assert float(np.hypot(*offset)) == pytest.approx(1.0, abs=1e-6)
    assert SEARCH.at(SEARCH.duration_s) is None


def test_it_turns_at_a_steady_rate_and_never_faster_than_asked() -> None:
    _, rates = path()
    speed = np.hypot(rates[:, 0], rates[:, 1] / 0.6)
    assert speed.max() <= 0.2 + 1e-9
    assert speed.min() >= 0.2 / math.sqrt(2) - 1e-9


def test_its_rate_is_the_derivative_of_its_place() -> None:
    places, rates = path()
    slopes = np.gradient(places, TIMES, axis=0)
    assert slopes[5:-5] == pytest.approx(rates[5:-5], abs=2e-3)


def test_every_bearing_within_the_radius_comes_well_into_view() -> None:
    places, _ = path()
    random = np.random.default_rng(1)
    angle, radius = random.uniform(-math.pi, math.pi, 400), np.sqrt(random.uniform(0.0, 1.0, 400)) * 0.9
    wanted = SEARCH.centre_rad + np.stack([radius * np.cos(angle), 0.6 * radius * np.sin(angle)], axis=1)
    away = np.abs(wanted[:, None] - places[None])
    seen = (away[..., 0] < FIELD / 2) & (away[..., 1] < 0.75 * FIELD / 2)
    assert seen.any(axis=1).all()


def test_it_does_not_look_over_the_zenith() -> None:
    steep = SpiralSearch(np.array([0.0, -1.3]), 0.2, 1.0, FIELD)
    tilts = [found[0][1] for t in np.linspace(0.0, steep.duration_s * 0.99, 300) if (found := steep.at(float(t)))]
    assert min(tilts) >= -math.radians(80.0) - 1e-9
