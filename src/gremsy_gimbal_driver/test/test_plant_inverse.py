# SPDX-License-Identifier: Apache-2.0
"""Rates below the dead zone: their mean is right, and pointing with them is better than with the nearest command."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant, PlantInverse
from gremsy_gimbal_sim.plant.plant import GREMSY, ZOOM_RATE_GAIN, Plant, PlantParameters
from src.gremsy_gimbal_driver.test.motion_bench import ZERO, Gimbal, PlantBench

DEG = math.radians(1.0)
CALIBRATED = MeasuredPlant(dead_zone_rad_s=GREMSY.dead_zone_rad_s)


def bench_with(plant: PlantParameters = GREMSY, **parameters: object) -> PlantBench:
    bench = PlantBench(Gimbal(plant), **{'dead_zone_rad_s': GREMSY.dead_zone_rad_s, **parameters})
    bench.run(0)
    bench.armed()
    return bench


def turned_deg_s(bench: PlantBench, rate_rad_s: float, seconds: float, every_ms: int = 20) -> float:
    """The camera's mean rate while this one is wished, once it has begun to turn."""
    begun = bench.now_ms
    while bench.now_ms < begun + 500 + seconds * 1e3:
        if int(bench.now_ms - begun) % every_ms == 0:
            bench.offer(rate_rad_s, -rate_rad_s)
        bench.run(bench.now_ms)
    track = [(ms, angles) for ms, angles in bench.track if ms >= begun + 500]
    (from_ms, first), (to_ms, last) = track[0], track[-1]
    assert last[1] - first[1] == pytest.approx(first[0] - last[0], abs=0.1 * DEG)
    return (last[0] - first[0]) / ((to_ms - from_ms) * 1e-3) / DEG


@pytest.mark.parametrize('wished_deg_s', [0.3, 0.5, 1.0, 1.5, 1.9, -1.0])
def test_a_wished_rate_below_the_dead_zone_is_turned_in_the_mean(wished_deg_s):
    assert turned_deg_s(bench_with(), wished_deg_s * DEG, 4.0) == pytest.approx(wished_deg_s, rel=0.1)


def test_today_s_nearest_command_turns_twice_as_fast_or_not_at_all():
    """What the pulses replace."""
    assert turned_deg_s(bench_with(pulse_in_dead_zone=False), 1.0 * DEG, 4.0) == pytest.approx(2.0, rel=0.01)
    assert turned_deg_s(bench_with(pulse_in_dead_zone=False), 0.9 * DEG, 4.0) == 0.0


@pytest.mark.parametrize('every_ms', [10, 33, 100, 150])
def test_the_mean_does_not_depend_on_how_often_it_is_wished(every_ms):
    assert turned_deg_s(bench_with(), 1.0 * DEG, 4.0, every_ms) == pytest.approx(1.0, rel=0.1)


def test_a_dead_zone_that_is_4_per_cent_wider_than_measured_is_still_left():
    wider = PlantParameters(GREMSY.delay_s, GREMSY.lag_s, dead_zone_rad_s=GREMSY.dead_zone_rad_s * 1.04)
    assert turned_deg_s(bench_with(wider), 1.0 * DEG, 4.0) == pytest.approx(1.0, rel=0.1)


def test_the_zoom_s_gain_is_part_of_the_mean():
    """At zoom 3 the gimbal turns with 0.16 of the command, so that 0.2 deg/s is still in its dead zone."""
    parameters = PlantParameters(
        GREMSY.delay_s, GREMSY.lag_s, dead_zone_rad_s=GREMSY.dead_zone_rad_s, rate_gain_by_zoom=ZOOM_RATE_GAIN
    )
    zooms, gains = zip(*ZOOM_RATE_GAIN, strict=True)
    bench = bench_with(parameters, rate_gain_zooms=zooms, rate_gains=gains)
    bench.gimbal.plant.set_zoom(3.0)
    bench.motion.writer.zoom = 3.0
    assert turned_deg_s(bench, 0.2 * DEG, 4.0) == pytest.approx(0.2, rel=0.1)


def test_pulses_and_pauses_last_40_ms_at_least():
    bench = bench_with()
    turned_deg_s(bench, 0.7 * DEG, 4.0, every_ms=10)
    rates = [(ms, round(rates[0], 9)) for ms, rates in bench.written if rates is not None]
    changes = [ms for (_, before), (ms, after) in itertools.pairwise(rates) if after != before]
    assert min(after - before for before, after in itertools.pairwise(changes)) >= 40
    assert {rate for _, rate in rates} == {0.0, round(1.05 * GREMSY.dead_zone_rad_s, 9)}


def test_above_the_dead_zone_and_at_a_stop_there_are_no_pulses():
    bench = bench_with()
    bench.offer(3.0 * DEG)
    bench.run(400)
    rates = [rates[0] for _, rates in bench.written if rates is not None]
    assert set(rates) == {3.0 * DEG, 0.0}
    bench.offer(0.9 * DEG)
    bench.run(bench.now_ms + 500)
    bench.motion.stop()
    before = len(bench.written)
    bench.run(bench.now_ms + 500)
    assert [rates for _, rates in bench.written[before:]] == [ZERO] * 5


def test_what_is_owed_does_not_outlive_a_stop():
    inverse = PlantInverse(CALIBRATED, 0.04)
    first = [inverse.command((0.9 * DEG, 0.0), 1.0, 0.04) for _ in range(7)]
    inverse.reset()
    assert [inverse.command((0.9 * DEG, 0.0), 1.0, 0.04) for _ in range(7)] == first


@pytest.mark.parametrize('seed', range(10))
def test_the_camera_is_never_further_off_than_a_pulse_turns_it(seed):
    """Whatever is wished below the dead zone, and however irregularly it is written."""
    random = np.random.default_rng(seed)
    inverse = PlantInverse(CALIBRATED, 0.04)
    owed, wish, command = 0.0, 0.0, 0.0
    for _ in range(3000):
        elapsed_s = float(random.choice([0.010, 0.020, 0.040]))
        owed += (wish - command) * elapsed_s
        wish = float(random.uniform(-1.0, 1.0)) * 0.999 * GREMSY.dead_zone_rad_s
        command, _ = inverse.command((wish, 0.0), 1.0, elapsed_s)
        # Half a pulse, and what a wish that changed its sign adds until the pulse has had its 40 to 79 ms.
        assert abs(owed) <= (0.5 * 0.04 * 1.05 + 0.08 * 2.05) * GREMSY.dead_zone_rad_s


def pointing_error_deg(bench: PlantBench, target_rad_s, seconds: float) -> float:
    """RMS error of a proportional pointing law on a moving target; the law sees the camera 20 ms late, at 50 Hz."""
    target = 0.0
    errors = []
    while bench.now_ms < seconds * 1e3:
        if bench.now_ms % 20 == 0:
            time_s = bench.now_ms * 1e-3
            error = target - bench.angles[0]
            bench.offer(target_rad_s(time_s) + 1.0 * error)
            target += target_rad_s(time_s) * 0.020
            if time_s > 2.0:
                errors.append(error)
        bench.run(bench.now_ms)
    return float(np.sqrt(np.mean(np.square(errors)))) / DEG


@pytest.mark.parametrize(
    ('name', 'rate'),
    [
        ('0.5 to 1.9 deg/s', lambda t: (0.5 + 1.4 * t / 20.0) * DEG),
        ('1.9 to 0.5 deg/s', lambda t: (1.9 - 1.4 * t / 20.0) * DEG),
        ('to and fro', lambda t: 1.9 * math.sin(0.7 * t) * DEG),
        ('at rest', lambda t: 0.0),
        ('3 deg/s', lambda t: 3.0 * DEG),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_a_slow_target_is_pointed_at_no_worse_than_with_the_nearest_command(name, rate):
    del name
    pulses = pointing_error_deg(bench_with(), rate, 20.0)
    nearest = pointing_error_deg(bench_with(pulse_in_dead_zone=False), rate, 20.0)
    assert pulses <= nearest + 1e-9


def test_a_slow_ramp_is_pointed_at_more_than_twice_as_well():
    def ramp(t: float) -> float:
        return (0.5 + 1.4 * t / 20.0) * DEG

    pulses = pointing_error_deg(bench_with(), ramp, 20.0)
    assert pulses < 0.5 * pointing_error_deg(bench_with(pulse_in_dead_zone=False), ramp, 20.0)
    assert pulses < 0.4


def test_the_plant_of_these_tests_has_the_dead_zone():
    plant = Plant(GREMSY)
    plant.command(0.0, (1.0 * DEG, 2.1 * DEG))
    plant.advance(1.0)
    assert plant.angles_rad[0] == 0.0
    assert plant.angles_rad[1] > 0.0
