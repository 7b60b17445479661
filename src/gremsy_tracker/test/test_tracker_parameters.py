# SPDX-License-Identifier: Apache-2.0
"""What the tracker's parameters make of the place where the node runs."""

import pytest

from gremsy_common.plant_model import PlantModel
from gremsy_tracker.tracker_parameters import TrackerParameters


@pytest.mark.parametrize(
    ('namespace', 'frame'),
    [('/robot/eo', 'robot/gimbal_level'), ('/fleet/robot/ir', 'fleet/robot/gimbal_level'), ('/', 'gimbal_level')],
)
def test_the_level_frame_is_that_of_the_robots_driver(namespace: str, frame: str) -> None:
    assert TrackerParameters().in_namespace(namespace).level_frame == frame


def test_a_level_frame_that_was_given_is_kept() -> None:
    assert TrackerParameters(level_frame='earth').in_namespace('/robot/eo').level_frame == 'earth'


def test_the_plant_that_the_driver_tells_is_compensated_unless_it_is_not_wanted() -> None:
    plant = PlantModel(0.15, 0.1, 0.035, 'calibrated')
    taken = TrackerParameters().with_plant(plant)
    assert (taken.plant_delay_s, taken.plant_lag_s) == (0.15, 0.1)
    own = TrackerParameters(plant_from_driver=False, plant_delay_s=0.3)
    assert own.with_plant(plant) == own
    for nothing in (None, PlantModel(0.02, 0.06, 0.0, 'default')):
        assert TrackerParameters(plant_delay_s=0.3).with_plant(nothing).plant_delay_s == 0.3
