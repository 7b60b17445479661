# SPDX-License-Identifier: Apache-2.0
"""The level frame's heading between its samples, beyond them, and where its source jumps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gremsy_common.types.gimbal_state import LevelHeading
from gremsy_tracker.tracking.heading_history import HeadingHistory

MS = 1_000_000
T0 = 10_000 * MS
Path = Callable[[float], tuple[float, float]]


def sway(amplitude_deg: float, frequency_hz: float) -> Path:
    """Heading and rate of it, deg."""
    turn = 2 * math.pi * frequency_hz
    return lambda t: (amplitude_deg * math.sin(turn * t), amplitude_deg * turn * math.cos(turn * t))


def fed(
    path: Path, until_s: float, rate_hz: float = 50.0, *, noise: bool = False, rates: bool = True
) -> HeadingHistory:
    random, history = np.random.default_rng(1), HeadingHistory()
    for number in range(round(until_s * rate_hz) + 1):
        feed_one(history, path, number / rate_hz, random if noise else None, rates=rates)
    return history


def feed_one(
    history: HeadingHistory, path: Path, at_s: float, random: np.random.Generator | None = None, *, rates: bool = True
) -> None:
    heading, rate = path(at_s)
    if random is not None:
        heading, rate = heading + random.normal(0.0, 0.02), rate + random.normal(0.0, 0.1)
    told = math.radians(rate) if rates else math.nan
    history.offer(LevelHeading(T0 + round(at_s * 1e9), 'level', math.radians(heading), told))


def error_deg(history: HeadingHistory, path: Path, at_s: float) -> float:
    """Against where the history began, which is its zero."""
    return math.degrees(history.at(T0 + round(at_s * 1e9)).heading_rad) - (path(at_s)[0] - path(0.0)[0])


def ahead_rms_deg(path: Path, ahead_s: float, rate_hz: float = 50.0) -> float:
    """Of what is foretold so long after the newest sample, in the seconds 3 to 12."""
    random, history, errors = np.random.default_rng(1), HeadingHistory(), []
    for number in range(round(12 * rate_hz)):
        at_s = number / rate_hz
        feed_one(history, path, at_s, random)
        wrong = error_deg(history, path, at_s + ahead_s)
        errors += [wrong] if at_s > 3.0 else []
    return float(np.sqrt(np.mean(np.square(errors))))


def test_where_nothing_tells_the_level_frame_does_not_turn() -> None:
    here = HeadingHistory().at(T0)
    assert (here.heading_rad, here.rate_rad_s, here.acceleration_rad_s2) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize('rates', [True, False], ids=['with rates', 'without'])
def test_between_samples_it_is_the_curve_through_them(rates: bool) -> None:
    path = sway(5.0, 0.5)
    history = fed(path, 3.0, rates=rates)
    # A cubic through sway samples 20 ms apart misses by w^4 h^4 / 384 of the amplitude: 2e-7 degrees.
    assert abs(error_deg(history, path, 2.51)) < (1e-5 if rates else 0.01)
    there = history.at(T0 + 2_510 * MS)
    assert math.degrees(there.rate_rad_s) == pytest.approx(path(2.51)[1], abs=0.01 if rates else 0.5)


@pytest.mark.parametrize(
    ('path', 'ahead_s', 'bound_deg'),
    [
        (sway(5.0, 0.5), 0.06, 0.04),
        (sway(5.0, 0.5), 0.20, 0.08),
        (sway(1.0, 2.0), 0.20, 0.08),
        (lambda _t: (0.0, 0.0), 0.20, 0.04),
        (lambda t: (20.0 * t, 20.0), 0.20, 0.08),
    ],
    ids=['slow sway, 60 ms', 'slow sway', 'quick sway', 'at rest', 'steady turn'],
)
def test_what_is_ahead_is_foretold(path: Path, ahead_s: float, bound_deg: float) -> None:
    """0.02 degrees of noise in each heading, 0.1 deg/s in each rate; the newest rate misses by 0.8 and 2.1."""
    assert ahead_rms_deg(path, ahead_s) < bound_deg


def test_ten_headings_a_second_foretell_a_slow_sway_too() -> None:
    assert ahead_rms_deg(sway(5.0, 0.5), 0.20, rate_hz=10.0) < 0.15


def test_what_was_never_done_before_is_foretold_by_a_line() -> None:
    """At rest for five seconds, then 40 deg/s^2."""

    def path(t: float) -> tuple[float, float]:
        turning_s = max(0.0, t - 5.0)
        return 20.0 * turning_s**2, 40.0 * turning_s

    history = fed(path, 5.3)
    # Of the 0.8 degrees that it gathers beyond the rate of the newest, and the 3.2 beyond where it is.
    assert abs(error_deg(history, path, 5.5)) < 0.5


def test_a_jump_that_the_rates_know_nothing_of_is_the_sources_and_turns_nothing() -> None:
    history = fed(sway(0.0, 1.0), 2.0)
    for number in range(1, 11):
        feed_one(history, lambda _t: (15.0, 0.0), 2.0 + number / 50)
    assert abs(math.degrees(history.at(T0 + 2_150 * MS).heading_rad)) < 0.01
    assert history.dropped['heading_jumps'] == 1


def test_after_a_pause_it_goes_on_from_where_it_was() -> None:
    history = fed(lambda t: (10.0 * t, 10.0), 2.0)
    left_off_deg = math.degrees(history.at(T0 + 2_500 * MS).heading_rad)
    assert left_off_deg == pytest.approx(25.0, abs=0.2)
    assert math.degrees(history.at(T0 + 3_400 * MS).heading_rad) == pytest.approx(left_off_deg, abs=0.01)
    feed_one(history, lambda _t: (170.0, 0.0), 3.5)
    assert math.degrees(history.at(T0 + 3_500 * MS).heading_rad) == pytest.approx(left_off_deg, abs=0.01)
    assert history.dropped['heading_jumps'] == 0


def test_it_goes_on_over_a_half_turn() -> None:
    history = fed(lambda t: (math.remainder(40.0 * t, 360.0), 40.0), 12.0)
    assert math.degrees(history.at(T0 + 11_990 * MS).heading_rad) == pytest.approx(40.0 * 11.99, abs=0.01)


def test_what_is_of_no_use_is_counted() -> None:
    history = fed(sway(1.0, 1.0), 1.0)
    assert not history.offer(LevelHeading(T0 + 1_100 * MS, 'level', math.nan, 0.0))
    assert not history.offer(LevelHeading(T0 + 900 * MS, 'level', 0.0, 0.0))
    assert history.dropped == {'headings_not_finite': 1, 'headings_unsorted': 1}


@pytest.mark.parametrize(('heading_rad', 'rate_rad_s'), [(1e300, 0.0), (-1e12, 0.0), (0.0, 1e9), (0.0, -math.inf)])
def test_one_absurd_heading_spoils_none_of_those_after_it(heading_rad: float, rate_rad_s: float) -> None:
    """After 1e300 as the first, each that followed was a jump."""
    history, path = HeadingHistory(), sway(5.0, 0.5)
    history.offer(LevelHeading(T0 - 20 * MS, 'level', heading_rad, rate_rad_s))
    for number in range(50):
        feed_one(history, path, number / 50)
    assert history.dropped['heading_jumps'] <= 1
    seen = [history.at(T0 + number * 20 * MS).heading_rad for number in (10, 40)]
    assert math.degrees(seen[1] - seen[0]) == pytest.approx(path(0.8)[0] - path(0.2)[0], abs=0.01)


def test_two_headings_that_arrive_one_upon_the_other_do_not_set_it_spinning() -> None:
    """Stamped on arrival and without rates: the slope between them led to a jump, and each jump to the next."""
    history = HeadingHistory()
    for number in range(100):
        at_ns = T0 + number * 20 * MS
        late_ns = 20 * MS - 1000 if number == 50 else 0  # its arrival is 1 us before the next one's
        history.offer(LevelHeading(at_ns + late_ns, 'level', math.radians(0.2 * number), math.nan))
    assert history.dropped['heading_jumps'] <= 2
    seen_deg = [math.degrees(history.at(T0 + number * 20 * MS).heading_rad) for number in (60, 99)]
    assert seen_deg[1] - seen_deg[0] == pytest.approx(0.2 * 39, abs=0.1)
