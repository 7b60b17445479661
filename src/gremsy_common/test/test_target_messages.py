# SPDX-License-Identifier: Apache-2.0
"""Where the target is, there and back; needs the built workspace."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from geometry_msgs.msg import Vector3Stamped

from gremsy_common.ros import topics
from gremsy_common.types.target_place import TargetBearing, TargetPosition

STAMP = 1_700_000_000_123_456_789
COVARIANCE = np.array([[4.0, 0.1, 0.2], [0.1, 0.5, 0.3], [0.2, 0.3, 0.6]])


def test_a_bearing_is_a_unit_vector_with_the_images_stamp():
    direction, pair = np.array([0.36, 0.48, -0.8]), np.array([0.1, 0.2])
    message = topics.TARGET_BEARING.to_message(TargetBearing(STAMP, 'robot/eo_still', direction, pair, pair, pair))
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    back = topics.TARGET_BEARING.from_message(message)
    assert (back.stamp_ns, back.frame_id) == (STAMP, 'robot/eo_still')
    assert back.direction == pytest.approx(direction)
    assert np.isnan(back.std_rad).all(), 'the message has no place for it'


@pytest.mark.parametrize('vector', [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (math.nan, 0.0, 0.0)])
def test_a_vector_that_is_no_direction_is_refused(vector):
    message = Vector3Stamped()
    message.vector.x, message.vector.y, message.vector.z = vector
    with pytest.raises(ValueError, match='is no unit vector'):
        topics.TARGET_BEARING.from_message(message)


def test_a_position_has_its_covariance_and_no_known_turn():
    position = TargetPosition(STAMP, 'robot/eo_still', np.array([30.0, -4.0, -2.5]), COVARIANCE)
    message = topics.TARGET_POSITION.to_message(position)
    six = np.array(message.pose.covariance).reshape(6, 6)
    assert six[:3, :3].tolist() == COVARIANCE.tolist()
    assert not six[:3, 3:].any() and not six[3:, :3].any()
    # Evenly anywhere in a turn: the variance of 2 pi is (2 pi)^2 / 12.
    assert np.diag(six)[3:] == pytest.approx(np.full(3, (2 * math.pi) ** 2 / 12))
    back = topics.TARGET_POSITION.from_message(message)
    assert (back.stamp_ns, back.frame_id) == (STAMP, 'robot/eo_still')
    assert back.position_m.tolist() == [30.0, -4.0, -2.5]
    assert back.covariance_m2.tolist() == COVARIANCE.tolist()
    message.pose.pose.position.x = math.inf
    with pytest.raises(ValueError, match='not finite'):
        topics.TARGET_POSITION.from_message(message)
