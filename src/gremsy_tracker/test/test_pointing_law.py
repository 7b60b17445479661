# SPDX-License-Identifier: Apache-2.0
"""The law's limits and the prediction of the gimbal against the plant itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL, Plant, PlantParameters
from gremsy_tracker.pointing.bearing_filter import BearingEstimate, BearingMotion
from gremsy_tracker.pointing.gimbal_predictor import GimbalPredictor, Servo
from gremsy_tracker.pointing.pointing_law import PointingLaw
from gremsy_tracker.tracker_parameters import TrackerParameters


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@pytest.mark.parametrize('plant_parameters', [IDEAL, GREMSY])
def test_the_gimbal_is_predicted_as_the_plant_moves(plant_parameters: PlantParameters) -> None:
    random = np.random.default_rng(1)
    plant, predictor = Plant(plant_parameters), GimbalPredictor()
    measured = BearingMotion(0, np.zeros(2), np.zeros(2))
    for i in range(100):
        at = 0.02 * i
        plant.advance(at)
        if at <= 1.5:
            measured = BearingMotion(ns(at), plant.angles_rad, plant.rates_rad_s)
        # Above the dead zone and below the acceleration limit, where the model is the plant.
        command = 0.2 + random.uniform(-0.05, 0.05, 2)
        predictor.commanded(ns(at), command)
        plant.command(at, command)
    plant.advance(2.0)
    predicted = predictor.predict(
        measured, ns(2.0), plant_delay_s=plant_parameters.delay_s, servo=Servo(plant_parameters.lag_s)
    )
    # A quarter of a radian per second for half a second: 0.1 rad of motion predicted to 0.4 mrad.
    assert np.allclose(predicted.bearing_rad, plant.angles_rad, atol=4e-4)
    assert np.allclose(predicted.rate_rad_s, plant.rates_rad_s, atol=2e-3)


def test_with_nothing_asked_the_gimbal_goes_on_as_it_goes() -> None:
    measured = BearingMotion(ns(1.0), np.array([0.1, 0.0]), np.array([0.3, 0.0]))
    predicted = GimbalPredictor().predict(measured, ns(1.1), plant_delay_s=0.02, servo=Servo(0.06))
    assert np.allclose(predicted.bearing_rad, [0.13, 0.0])


FIELD_RAD = 0.7


def estimate(bearing: float, rate: float = 0.0, acceleration: float = 0.0) -> BearingEstimate:
    azimuth, tilt = np.array([1.0, 0.0]), np.full(2, 0.001)
    return BearingEstimate(0, bearing * azimuth, rate * azimuth, acceleration * azimuth, std_rad=tilt)


def at_rest(azimuth: float = 0.0) -> BearingMotion:
    return BearingMotion(0, np.array([azimuth, 0.0]), np.zeros(2))


def follow(law: PointingLaw, at: float, error: float, rate: float = 0.0, field_rad: float = FIELD_RAD) -> np.ndarray:
    """With the gimbal turning as the target does."""
    gimbal = BearingMotion(0, np.zeros(2), np.array([rate, 0.0]))
    return law.follow(ns(at), estimate(error, rate), gimbal, field_rad)


def test_with_no_error_it_asks_for_the_target_s_rate() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0))
    assert np.allclose(follow(law, 1.0, 0.0, rate=0.05), [0.05, 0.0])


def test_a_setpoint_changes_no_faster_than_the_acceleration_limit_and_grows_no_larger_than_the_rate_limit() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=2.0, max_rate_rad_s=0.3))
    asked = [follow(law, 1.0 + 0.02 * i, 1.0)[0] for i in range(20)]
    assert np.diff([0.0, *asked]).max() == pytest.approx(0.04)
    assert max(asked) == pytest.approx(0.3)


def test_inside_the_deadband_only_the_target_s_rate_is_asked_for() -> None:
    law = PointingLaw(TrackerParameters(deadband_field_share=0.01 / FIELD_RAD, max_acceleration_rad_s2=100.0))
    assert np.allclose(follow(law, 1.0, 0.009, rate=0.02), [0.02, 0.0])
    assert follow(law, 1.02, 0.011, rate=0.02)[0] > 0.02


def test_after_rest_a_setpoint_starts_from_zero() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=2.0))
    for i in range(20):
        follow(law, 1.0 + 0.02 * i, 1.0)
    law.rest()
    assert follow(law, 1.41, 1.0)[0] == pytest.approx(0.04)


def test_home_is_approached_at_no_more_than_its_rate_on_a_straight_line() -> None:
    law = PointingLaw(TrackerParameters(home_rate_rad_s=0.2, max_acceleration_rad_s2=100.0))
    assert np.allclose(law.home(ns(1.0), BearingMotion(0, np.array([-1.0, 0.5]), np.zeros(2))), [0.2, -0.1])


def test_the_short_way_round_is_taken() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0))
    asked = law.follow(ns(1.0), estimate(-3.1), at_rest(3.1), FIELD_RAD)
    assert asked[0] > 0.0


def test_a_target_that_accelerates_is_led_by_the_gimbal_s_lag() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0, plant_lag_s=0.1))
    asked = law.follow(ns(1.0), estimate(0.0, 0.1, 0.5), BearingMotion(0, np.zeros(2), np.array([0.1, 0.0])), 0.7)
    assert asked[0] == pytest.approx(0.1 + 0.5 * 0.1)


@pytest.mark.parametrize(('lag_s', 'gain', 'lead'), [(0.06, 20.0, 1.0), (0.06, 20.0, 1.4), (0.1, 10.0, 2.0)])
def test_a_small_error_dies_down_as_the_law_s_poles_say(lag_s: float, gain: float, lead: float) -> None:
    law = PointingLaw(
        TrackerParameters(
            gain_per_s=gain, lag_lead=lead, plant_delay_s=0.0, plant_lag_s=lag_s, max_acceleration_rad_s2=100.0
        )
    )
    angle, rate, step = 0.0, 0.0, 0.0005
    error = []
    for i in range(1200):
        gimbal = BearingMotion(0, np.array([angle, 0.0]), np.array([rate, 0.0]))
        asked = float(law.follow(ns(1.0 + i * step), estimate(0.01), gimbal, FIELD_RAD)[0])
        left = math.exp(-step / lag_s)
        angle, rate = angle + asked * step + (rate - asked) * lag_s * (1 - left), asked + (rate - asked) * left
        error.append(0.01 - angle)
    t = np.arange(1, 1201) * step
    slow, fast = sorted((gain, lead / lag_s))
    closed = 0.01 * (fast * np.exp(-slow * t) - slow * np.exp(-fast * t)) / (fast - slow)
    assert np.allclose(error, closed, atol=3e-4)
    assert min(error) > -1e-5


@pytest.mark.parametrize('error_deg', [2.0, 8.0, 30.0])
def test_a_large_error_is_braked_into_without_overshoot(error_deg: float) -> None:
    parameters = TrackerParameters(plant_delay_s=0.0)
    law = PointingLaw(parameters)
    goal, angle, rate, furthest = math.radians(error_deg), 0.0, 0.0, 0.0
    for i in range(100):
        gimbal = BearingMotion(0, np.array([angle, 0.0]), np.array([rate, 0.0]))
        asked = float(law.follow(ns(1.0 + 0.02 * i), estimate(goal), gimbal, FIELD_RAD)[0])
        left = math.exp(-0.02 / 0.06)
        angle, rate = angle + asked * 0.02 + (rate - asked) * 0.06 * (1 - left), asked + (rate - asked) * left
        furthest = max(furthest, angle)
    assert angle == pytest.approx(goal, abs=math.radians(0.01))
    assert furthest < goal + math.radians(0.35)


def test_a_slow_gimbal_is_given_less_gain() -> None:
    slow = PointingLaw(TrackerParameters(plant_delay_s=0.3, plant_lag_s=0.1, max_acceleration_rad_s2=100.0))
    quick = PointingLaw(TrackerParameters(plant_delay_s=0.0, plant_lag_s=0.1, max_acceleration_rad_s2=100.0))
    assert follow(slow, 1.0, 0.001)[0] == pytest.approx(1.4 * 0.01)
    assert follow(quick, 1.0, 0.001)[0] == pytest.approx(1.4 * 0.04)


def test_zoomed_in_it_turns_no_faster_than_the_eye_can_follow_and_its_deadband_shrinks() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0, deadband_field_share=0.02))
    assert follow(law, 1.0, 1.0, field_rad=0.1)[0] == pytest.approx(0.2)
    law.rest()
    assert follow(law, 2.0, 0.005, field_rad=0.7)[0] == 0.0
    assert follow(law, 2.02, 0.005, field_rad=0.1)[0] > 0.0


def test_gains_changed_while_it_moves_bend_the_setpoint_but_do_not_break_it() -> None:
    law = PointingLaw(TrackerParameters())
    asked = [0.0]
    for i in range(60):
        if i in (10, 20, 30, 40, 50):
            law.parameters = TrackerParameters(
                gain_per_s=(2.0, 40.0)[i // 10 % 2],
                lag_lead=(1.0, 1.8)[i // 10 % 2],
                max_rate_rad_s=(1.0, 0.3, 2.0)[i // 10 % 3],
                deadband_field_share=0.05 * (i // 10 % 2),
            )
        asked.append(float(follow(law, 1.0 + 0.02 * i, 0.2 * math.cos(i), rate=0.1)[0]))
    assert np.abs(np.diff(asked)).max() <= TrackerParameters().max_acceleration_rad_s2 * 0.02 + 1e-9


def test_an_axis_nearly_on_a_target_at_rest_is_left_alone_by_a_gimbal_with_a_dead_zone() -> None:
    law = PointingLaw(TrackerParameters(plant_dead_zone_rad_s=0.035))
    assert follow(law, 1.0, 0.0005)[0] == 0.0
    assert follow(law, 1.02, 0.002)[0] > 0.0
