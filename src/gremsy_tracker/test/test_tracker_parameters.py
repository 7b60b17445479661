# SPDX-License-Identifier: Apache-2.0
"""What the tracker's parameters make of the place where the node runs."""

import pytest

from gremsy_tracker.tracker_parameters import TrackerParameters


@pytest.mark.parametrize(
    ('namespace', 'frame'),
    [('/robot/eo', 'robot/gimbal_level'), ('/fleet/robot/ir', 'fleet/robot/gimbal_level'), ('/', 'gimbal_level')],
)
def test_the_level_frame_is_that_of_the_robots_driver(namespace: str, frame: str) -> None:
    assert TrackerParameters().in_namespace(namespace).level_frame == frame


def test_a_level_frame_that_was_given_is_kept() -> None:
    assert TrackerParameters(level_frame='earth').in_namespace('/robot/eo').level_frame == 'earth'
