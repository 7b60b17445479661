# SPDX-License-Identifier: Apache-2.0
"""The law's limits and the prediction of the gimbal against the plant itself."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_gimbal_driver.plant import GREMSY, IDEAL, Plant, PlantParameters
from gremsy_tracker.gimbal_predictor import GimbalPrediction, GimbalPredictor
from gremsy_tracker.pointing_law import PointingLaw
from gremsy_tracker.tracker_parameters import TrackerParameters


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@pytest.mark.parametrize('plant_parameters', [IDEAL, GREMSY])
def test_the_gimbal_is_predicted_as_the_plant_moves(plant_parameters: PlantParameters) -> None:
    random = np.random.default_rng(1)
    plant, predictor = Plant(plant_parameters), GimbalPredictor()
    measured = GimbalPrediction(0, np.zeros(2), np.zeros(2))
    for i in range(100):
        at = 0.02 * i
        plant.advance(at)
        if at <= 1.5:
            measured = GimbalPrediction(ns(at), plant.angles_rad, plant.rates_rad_s)
        # Above the dead zone and below the acceleration limit, where the model is the plant.
        command = 0.2 + random.uniform(-0.05, 0.05, 2)
        predictor.commanded(ns(at), command)
        plant.command(at, command)
    plant.advance(2.0)
    predicted = predictor.predict(
        measured, ns(2.0), plant_delay_s=plant_parameters.delay_s, plant_lag_s=plant_parameters.lag_s
    )
    # A quarter of a radian per second for half a second: 0.1 rad of motion predicted to 0.4 mrad.
    assert np.allclose(predicted.bearing_rad, plant.angles_rad, atol=4e-4)
    assert np.allclose(predicted.rate_rad_s, plant.rates_rad_s, atol=2e-3)


def test_with_nothing_asked_the_gimbal_goes_on_as_it_goes() -> None:
    measured = GimbalPrediction(ns(1.0), np.array([0.1, 0.0]), np.array([0.3, 0.0]))
    predicted = GimbalPredictor().predict(measured, ns(1.1), plant_delay_s=0.02, plant_lag_s=0.06)
    assert np.allclose(predicted.bearing_rad, [0.13, 0.0])


def follow(law: PointingLaw, at: float, error: float, rate: float = 0.0) -> np.ndarray:
    return law.follow(
        ns(at),
        target_bearing_rad=np.array([error, 0.0]),
        target_rate_rad_s=np.array([rate, 0.0]),
        gimbal_bearing_rad=np.zeros(2),
    )


def test_with_no_error_it_asks_for_the_target_s_rate() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0))
    assert np.allclose(follow(law, 1.0, 0.0, rate=0.05), [0.05, 0.0])


def test_a_setpoint_changes_no_faster_than_the_acceleration_limit_and_grows_no_larger_than_the_rate_limit() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=2.0, max_rate_rad_s=0.3))
    asked = [follow(law, 1.0 + 0.02 * i, 1.0)[0] for i in range(20)]
    assert np.diff([0.0, *asked]).max() == pytest.approx(0.04)
    assert max(asked) == pytest.approx(0.3)


def test_inside_the_deadband_only_the_target_s_rate_is_asked_for() -> None:
    law = PointingLaw(TrackerParameters(deadband_rad=0.01, max_acceleration_rad_s2=100.0))
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
    assert np.allclose(law.home(ns(1.0), np.array([-1.0, 0.5])), [0.2, -0.1])


def test_the_short_way_round_is_taken() -> None:
    law = PointingLaw(TrackerParameters(max_acceleration_rad_s2=100.0))
    asked = law.follow(
        ns(1.0),
        target_bearing_rad=np.array([-3.1, 0.0]),
        target_rate_rad_s=np.zeros(2),
        gimbal_bearing_rad=np.array([3.1, 0.0]),
    )
    assert asked[0] > 0.0
