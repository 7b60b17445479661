# SPDX-License-Identifier: Apache-2.0
"""The plant does what design.md section 7 says, whatever the call pattern and the batch shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL, ZOOM_RATE_GAIN, Plant, PlantParameters

RATE = math.radians(20.0)


def step_response(parameters: PlantParameters, rate_rad_s: float, until_s: float) -> tuple[np.ndarray, np.ndarray]:
    plant = Plant(parameters)
    plant.command(0.0, (rate_rad_s, 0.0))
    times = np.arange(0.001, until_s, 0.001)
    rates = []
    for time in times:
        plant.advance(time)
        rates.append(plant.rates_rad_s[0])
    return times, np.array(rates)


@pytest.mark.parametrize('parameters', [IDEAL, GREMSY])
def test_nothing_moves_before_the_delay_and_the_lag_is_a_time_constant(parameters):
    times, rates = step_response(parameters, math.radians(5.0), 1.5)
    assert (rates[times <= parameters.delay_s] == 0.0).all()
    assert (rates[times > parameters.delay_s + 0.002] > 0.0).all()
    at_lag = rates[np.searchsorted(times, parameters.delay_s + parameters.lag_s)]
    assert at_lag == pytest.approx(math.radians(5.0) * (1 - math.exp(-1)), rel=0.02)
    assert rates[-1] == pytest.approx(math.radians(5.0), rel=1e-4)


@pytest.mark.parametrize('overshoot', [0.05, 0.2, 0.4])
def test_a_servo_of_second_order_overshoots_by_as_much_as_it_says_and_lags_as_the_first_order(overshoot):
    parameters = PlantParameters(0.02, 0.06, overshoot=overshoot)
    times, rates = step_response(parameters, math.radians(5.0), 3.0)
    assert np.degrees(rates.max()) == pytest.approx(5.0 * (1.0 + overshoot), rel=0.01)
    assert np.degrees(rates[-1]) == pytest.approx(5.0, rel=1e-3)
    # The area between step and response is the lag, of either order.
    behind = np.trapezoid(math.radians(5.0) - rates[times > 0.02], dx=0.001) / math.radians(5.0)
    assert behind == pytest.approx(0.06, rel=0.03)


def test_a_batch_of_servos_that_overshoot_moves_like_its_members_into_a_stop_and_back():
    random = np.random.default_rng(8)
    parameters = PlantParameters(0.02, 0.06, overshoot=0.2)
    batch, single = Plant(parameters, shape=(3,)), Plant(parameters)
    for number in range(80):
        rates, angles = random.normal(0, 0.8, (2, 3, 2))
        for plant, pick in ((batch, slice(None)), (single, 1)):
            plant.set_stops((-0.2, -0.2), (0.2, 0.2))
            if number % 4:
                plant.command(0.05 * number, rates[pick])
            else:
                plant.command_angles(0.05 * number, angles[pick])
            plant.advance(0.05 * (number + 1))
    assert (batch.angles_rad[1] == single.angles_rad).all()
    assert (batch.rates_rad_s[1] == single.rates_rad_s).all()
    assert np.abs(batch.angles_rad).max() <= 0.2


def test_rate_is_limited_to_60_and_acceleration_to_400_degrees():
    _, rates = step_response(IDEAL, math.radians(500.0), 2.0)
    assert np.degrees(rates.max()) == pytest.approx(60.0, rel=1e-6)
    assert np.degrees(np.diff(rates).max() / 0.001) == pytest.approx(400.0, rel=1e-6)


@pytest.mark.parametrize(('commanded_deg_s', 'moves'), [(1.99, False), (2.01, True)])
def test_dead_zone_ignores_smaller_commands_and_takes_larger_ones_whole(commanded_deg_s, moves):
    _, rates = step_response(GREMSY, math.radians(commanded_deg_s), 3.0)
    assert np.degrees(rates[-1]) == pytest.approx(commanded_deg_s if moves else 0.0, abs=1e-6)


def test_motion_does_not_depend_on_how_often_advance_is_called():
    random = np.random.default_rng(3)
    commands = [(0.013 * number, random.normal(0, 0.4, 2)) for number in range(100)]
    results = []
    for stride in (0.001, 0.0037, 0.013):
        plant = Plant(GREMSY, start_s=0.0)
        now = 0.0
        for stamp, rates in commands:
            while now + stride < stamp:
                now += stride
                plant.advance(now)
            plant.command(stamp, rates)
        plant.advance(2.0)
        results.append(np.concatenate([plant.angles_rad, plant.rates_rad_s]))
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_a_batch_moves_like_its_members_one_by_one():
    random = np.random.default_rng(5)
    commands = random.normal(0, 0.5, (30, 4, 3, 2))
    batch = Plant(GREMSY, shape=(4, 3))
    single = Plant(GREMSY)
    for number, rates in enumerate(commands):
        for plant, own in ((batch, rates), (single, rates[2, 1])):
            plant.command(0.02 * number, own)
            plant.advance(0.02 * (number + 1))
    assert (batch.angles_rad[2, 1] == single.angles_rad).all()


def test_a_batch_takes_angles_displacements_and_stops_like_its_members():
    random = np.random.default_rng(6)
    batch, single = Plant(GREMSY, shape=(4,)), Plant(GREMSY)
    for number in range(60):
        rates, angles, delta = random.normal(0, 1.0, (3, 4, 2))
        for plant, pick in ((batch, slice(None)), (single, 2)):
            if number % 3:
                plant.command_angles(0.1 * number, angles[pick])
            else:
                plant.command(0.1 * number, rates[pick])
            plant.displace(0.01 * delta[pick])
            plant.set_stops((-1.0, -0.5 - 0.01 * number), (1.2, 0.8))
            plant.advance(0.1 * (number + 1))
    assert (batch.angles_rad[2] == single.angles_rad).all()
    assert (batch.rates_rad_s[2] == single.rates_rad_s).all()
    assert (batch.angles_rad <= (1.2, 0.8)).all()


def test_displaced_angles_carry_the_commanded_angle_along():
    plant = Plant(IDEAL)
    plant.command_angles(0.0, (0.5, 0.0))
    plant.displace((0.1, 0.0))
    plant.advance(3.0)
    assert plant.angles_rad[0] == pytest.approx(0.6, abs=1e-4)
    plant.displace((-0.2, 0.0))
    plant.advance(6.0)
    assert plant.angles_rad[0] == pytest.approx(0.4, abs=1e-4)


def test_zoom_scales_rates_by_the_measured_table():
    parameters = PlantParameters(0.02, 0.06, rate_gain_by_zoom=ZOOM_RATE_GAIN)
    assert parameters.rate_gain(1.0) == pytest.approx(1.04)
    assert parameters.rate_gain(6.29) == pytest.approx(0.061)
    plant = Plant(parameters)
    plant.command(0.0, (0.5, 0.0))
    plant.set_zoom(6.29)
    plant.advance(1.0)
    assert plant.rates_rad_s[0] == pytest.approx(0.5 * 0.061, rel=1e-3)


def test_stops_end_the_motion_at_the_mechanical_limit():
    plant = Plant(IDEAL, angles_rad=(0.0, math.radians(115.0)))
    plant.command(0.0, (0.0, 1.0))
    plant.advance(2.0)
    assert np.degrees(plant.angles_rad[1]) == pytest.approx(120.0)
    assert plant.rates_rad_s[1] == 0.0


@pytest.mark.parametrize('parameters', [IDEAL, GREMSY])
def test_angle_commands_arrive_without_overshoot(parameters):
    plant = Plant(parameters)
    plant.command_angles(0.0, (0.5, -0.2))
    highest = 0.0
    for step in range(6000):
        plant.advance(step * 0.001)
        highest = max(highest, plant.angles_rad[0])
    assert plant.angles_rad == pytest.approx([0.5, -0.2], abs=1e-4)
    assert highest <= 0.5 + 1e-3


def test_returned_state_is_a_copy():
    plant = Plant()
    plant.angles_rad[0] = 9.0
    assert plant.angles_rad[0] == 0.0


def test_system_time_in_seconds_is_fine_enough_for_whole_steps():
    origin = 1.79e9
    plant = Plant(IDEAL, start_s=origin)
    plant.command(origin, (RATE, 0.0))
    plant.advance(origin + 0.5)
    reference = Plant(IDEAL)
    reference.command(0.0, (RATE, 0.0))
    reference.advance(0.5)
    assert plant.angles_rad[0] == pytest.approx(reference.angles_rad[0], abs=1.1e-3 * RATE)
