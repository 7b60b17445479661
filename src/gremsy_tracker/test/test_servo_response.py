# SPDX-License-Identifier: Apache-2.0
"""The gimbal's response, learned from its motion, against the plant itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL, Plant, PlantParameters
from gremsy_tracker.pointing.bearing_filter import BearingMotion
from gremsy_tracker.pointing.gimbal_predictor import GimbalPredictor, Servo, ServoResponse


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def learned(parameters: PlantParameters, seed: int, told_lag_s: float | None = None, still: bool = False) -> float:
    """Ten seconds of rates asked for at 50 Hz, as after a walking target, and telemetry at 20 Hz with its noise."""
    random = np.random.default_rng(seed)
    plant, predictor, response = Plant(parameters), GimbalPredictor(), ServoResponse()
    rate = np.full(2, math.radians(5.0))
    lag_s = parameters.lag_s if told_lag_s is None else told_lag_s
    for tick in range(500):
        at = 0.02 * tick
        plant.advance(at)
        if tick % 10 in (0, 3, 5, 8):
            acting = (
                [] if response.newest_ns is None else predictor.acting(response.newest_ns, ns(at), parameters.delay_s)
            )
            noise = random.normal(0.0, math.radians(0.1), 2)
            response.take(ns(at), plant.rates_rad_s + noise, acting, lag_s)
        if not still and tick % 5 == 0:
            rate = np.radians(5.0 + random.normal(0.0, 1.0, 2))
        predictor.commanded(ns(at), rate * (not still))
        plant.command(at, rate * (not still))
    return response.overshoot


@pytest.mark.parametrize('parameters', [IDEAL, GREMSY])
@pytest.mark.parametrize('wrong', [0.8, 1.0, 1.2])
def test_a_lag_is_no_servo_that_overshoots_much_even_where_it_is_told_wrong(
    parameters: PlantParameters, wrong: float
) -> None:
    assert learned(parameters, 1, parameters.lag_s * wrong) <= (0.0 if wrong == 1.0 else 0.15)


@pytest.mark.parametrize('overshoot', [0.1, 0.2, 0.3])
@pytest.mark.parametrize(('delay_s', 'lag_s'), [(0.02, 0.06), (0.15, 0.1)])
def test_an_overshoot_is_found_within_a_step_of_the_table(overshoot: float, delay_s: float, lag_s: float) -> None:
    assert learned(PlantParameters(delay_s, lag_s, overshoot=overshoot), 2) == pytest.approx(overshoot, abs=0.05)


def test_noise_at_rest_tells_nothing() -> None:
    assert learned(PlantParameters(0.02, 0.06, overshoot=0.3), 3, still=True) == 0.0


@pytest.mark.parametrize('overshoot', [0.0, 0.08, 0.3])
def test_a_servo_is_advanced_as_its_differential_equation_says(overshoot: float) -> None:
    servo = Servo(0.1, overshoot)
    asked = np.array([0.2, -0.1])
    state = BearingMotion(0, np.array([0.1, 0.0]), np.array([0.0, 0.3]), np.array([0.0, -0.5]))
    once = servo.advance(state, asked, 0.13)
    angle, rate, slope = (each.copy() for each in (state.bearing_rad, state.rate_rad_s, state.acceleration_rad_s2))
    step = 1e-5
    for _ in range(13_000):
        if overshoot:
            natural, ratio = servo.natural_rad_s, servo.damping_ratio
            slope += step * (natural**2 * (asked - rate) - 2 * ratio * natural * slope)
        else:
            slope = (asked - rate) / servo.lag_s
        rate += step * slope
        angle += step * rate
    assert np.allclose(once.bearing_rad, angle, atol=1e-4)
    assert np.allclose(once.rate_rad_s, rate, atol=1e-4)
    assert np.allclose(once.acceleration_rad_s2, slope, atol=1e-3)


def test_a_gimbal_that_overshoots_is_predicted_as_it_moves() -> None:
    parameters = PlantParameters(0.06, 0.06, overshoot=0.2)
    plant, predictor, servo = Plant(parameters), GimbalPredictor(), Servo(0.06, 0.2)
    state = BearingMotion(0, np.zeros(2), np.zeros(2))
    random = np.random.default_rng(4)
    for tick in range(60):
        command = random.uniform(0.05, 0.25, 2)
        predictor.commanded(ns(0.02 * tick), command)
        plant.command(0.02 * tick, command)
        plant.advance(0.02 * (tick + 1))
    measured = BearingMotion(0, state.bearing_rad, state.rate_rad_s)
    predicted = predictor.predict(measured, ns(1.2), plant_delay_s=0.06, servo=servo)
    assert np.allclose(predicted.bearing_rad, plant.angles_rad, atol=1e-3)
    assert np.allclose(predicted.rate_rad_s, plant.rates_rad_s, atol=5e-3)
