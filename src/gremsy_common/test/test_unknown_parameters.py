# SPDX-License-Identifier: Apache-2.0
"""Which parameters that were given are said to be none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gremsy_common.parameters.parameter_sections import named_for, sections_of
from gremsy_common.parameters.unknown_parameters import unknown_sentences

NODE = '/robot/eo/camera'
KNOWN = ('source', 'rate_hz', 'horizontal_field_deg')


@pytest.mark.parametrize(
    ('name', 'own', 'sentence'),
    [
        (
            'horizontal_field_degs',
            True,
            '/robot/eo/camera has no parameter `horizontal_field_degs`, and what was given for it is not used: did you '
            'mean `horizontal_field_deg`?',
        ),
        (
            'horizontal_field_degs',
            False,
            '/robot/eo/camera has no parameter `horizontal_field_degs`, and what was given for it is not used: did you '
            'mean `horizontal_field_deg`?',
        ),
        (
            'colour',
            True,
            '/robot/eo/camera has no parameter `colour`, and what was given for it is not used: `ros2 param list '
            '/robot/eo/camera` names those that it has.',
        ),
        # Under `/**` it may be any node's.
        ('colour', False, None),
        # The gimbal driver's, and near one of ours.
        ('imu_rate_hz', False, None),
        ('rate_hz', True, None),
        ('qos_overrides./robot/eo/image_raw.publisher.depth', True, None),
    ],
)
def test_what_is_said_of_a_name(name: str, own: bool, sentence: str | None) -> None:
    said = list(unknown_sentences(NODE, [name], [name] if own else [], KNOWN))
    assert said == ([] if sentence is None else [sentence])


def test_what_is_given_to_a_node_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / 'own.yaml'
    file.write_text(
        """
/**:
  ros__parameters: {shared: 1}
/**/camera:
  ros__parameters: {by_name: 1, nested: {one: 1}}
/robot/*/camera:
  ros__parameters: {by_camera: 1}
robot:
  eo:
    camera:
      ros__parameters: {by_full_name: 1}
    detector:
      ros__parameters: {of_another: 1}
"""
    )
    words = ['--ros-args', '--params-file', str(file), '-p', 'bare:=1', '-p', 'camera:mine:=1', '-p', 'other:not:=1']
    named = {'by_name', 'nested.one', 'by_camera', 'by_full_name', 'mine'}
    assert named_for(NODE, words, alone=False) == named
    assert named_for(NODE, words, alone=True) == named | {'bare'}
    assert list(sections_of(tmp_path / 'none.yaml')) == []
