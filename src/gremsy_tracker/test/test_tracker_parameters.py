# SPDX-License-Identifier: Apache-2.0
"""What the tracker's parameters make of the place where the node runs."""

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.types.plant_model import PlantModel
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_tracker.tracker_parameters import TrackerParameters


@pytest.mark.parametrize(
    ('namespace', 'frame'),
    [('/robot/eo', 'robot/gimbal_level'), ('/fleet/robot/ir', 'fleet/robot/gimbal_level'), ('/', 'gimbal_level')],
)
def test_the_level_frame_is_that_of_the_robots_driver(namespace: str, frame: str) -> None:
    assert TrackerParameters().in_namespace(namespace).level_frame == frame


def test_a_level_frame_that_was_given_is_kept() -> None:
    assert TrackerParameters(level_frame='earth').in_namespace('/robot/eo').level_frame == 'earth'


@pytest.mark.parametrize('level_frame', ['', 'robot/gimbal_level'], ids=['filled in', 'given'])
def test_a_still_frame_that_is_the_level_frame_is_refused_in_a_sentence(level_frame: str) -> None:
    parameters = TrackerParameters(still_frame='robot/gimbal_level', level_frame=level_frame)
    with pytest.raises(ParameterError) as refused:
        parameters.in_namespace('/robot/eo')
    assert str(refused.value) == (
        "Parameters `still_frame` and `level_frame` are both 'robot/gimbal_level': give one of them another name, "
        'since the level frame turns with the vehicle.'
    )


def test_the_plant_that_the_driver_tells_is_compensated_unless_it_is_not_wanted() -> None:
    plant = PlantModel(0.15, 0.1, 0.035, 'calibrated')
    taken = TrackerParameters().with_plant(plant)
    assert (taken.plant_delay_s, taken.plant_lag_s) == (0.15, 0.1)
    own = TrackerParameters(plant_from_driver=False, plant_delay_s=0.3)
    assert own.with_plant(plant) == own
    for nothing in (None, PlantModel(0.02, 0.06, 0.0, 'default')):
        assert TrackerParameters(plant_delay_s=0.3).with_plant(nothing).plant_delay_s == 0.3


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        (
            {'low_score': 0.6},
            'Parameter `low_score` is 0.6, above `high_score` 0.45: lower it or raise the other.',
        ),
        (
            {'alike_distance': 0.3},
            'Parameter `alike_distance` is 0.3, above `unlike_distance` 0.2: lower it or raise the other.',
        ),
        (
            {'coast_s': 2.0},
            'Parameter `coast_s` is 2 s, above `lost_after_s` 1.5 s: lower it or raise the other.',
        ),
        (
            {'calm_acceleration_rad_s2': 0.5},
            'Parameter `calm_acceleration_rad_s2` is 0.5 rad/s^2, above `target_acceleration_rad_s2` 0.13 rad/s^2: '
            'lower it or raise the other.',
        ),
        (
            {'search_rate_rad_s': 1.5},
            'Parameter `search_rate_rad_s` is 1.5 rad/s, above `max_rate_rad_s` 1.04 rad/s: lower it or raise '
            'the other.',
        ),
        (
            {'home_rate_rad_s': 1.5},
            'Parameter `home_rate_rad_s` is 1.5 rad/s, above `max_rate_rad_s` 1.04 rad/s: lower it or raise the other.',
        ),
        (
            {'gain_per_s': 40.0, 'lag_lead': 2.0},
            'Parameters `gain_per_s` 40 1/s and `lag_lead` 2 together exceed 75 1/s, more than setpoints at 50 Hz can '
            'carry: lower one.',
        ),
        (
            {'zoom_min': 5.0, 'zoom_max': 2.0},
            'Parameter `zoom_min` is 5, above `zoom_max` 2: lower it or raise the other.',
        ),
        (
            {'zoom_target_share': 0.8, 'zoom_hysteresis': 1.5},
            'Parameters `zoom_target_share` 0.8 and `zoom_hysteresis` 1.5 let a target fill the whole frame before it '
            'is zoomed out: lower one.',
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_in_one_sentence(
    values: dict[str, float], sentence: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        from_values(TrackerParameters, values)
    assert str(refused.value) == sentence


def test_the_tracker_stops_before_the_driver_would_refuse() -> None:
    """With one limit for both, an image that the tracker still used was too old where its setpoint arrived."""
    way_s = 0.05
    assert GimbalDriverParameters().age_limit_s == 0.8
    assert TrackerParameters().max_image_age_s == pytest.approx(GimbalDriverParameters().age_limit_s - way_s)
