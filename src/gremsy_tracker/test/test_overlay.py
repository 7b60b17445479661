# SPDX-License-Identifier: Apache-2.0
"""What must be visible where; how it looks is for eyes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_tracker.overlay import draw_overlay
from gremsy_tracker.pointing_view import PointingView
from gremsy_tracker.target_lock import LockState, LockStatus


def view(boxes: np.ndarray, state: LockState = LockState.TRACKING) -> PointingView:
    count = len(boxes)
    return PointingView(
        stamp_ns=0,
        boxes_px=boxes,
        ids=np.arange(1, count + 1),
        labels=np.array(['person'] * count, dtype=np.str_),
        scores=np.full(count, 0.8),
        status=LockStatus(state, 'chosen by click', 1, 'person'),
        enabled=True,
        still_because='',
        predicted_px=np.array([420.0, 200.0]),
        target_bearing_rad=None,
        target_rate_rad_s=None,
        target_std_rad=None,
        gimbal_bearing_rad=None,
        error_rad=math.radians(0.3),
        latency_s=0.09,
        zoom=1.0,
        camera=None,
        level_from_camera=None,
        track_bearings_rad=None,
    )


@pytest.mark.parametrize(('height', 'width'), [(480, 640), (1080, 1920)])
def test_the_picture_itself_is_left_alone_and_the_lock_is_the_only_warm_colour(height: int, width: int) -> None:
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    image.flags.writeable = False
    boxes = np.array([[300.0, 150, 360, 300], [100, 150, 160, 300]])
    drawn = draw_overlay(image, view(boxes))
    assert drawn.shape == image.shape
    assert (image == 90).all()
    blue, red = drawn[..., 0].astype(int), drawn[..., 2].astype(int)
    warm = np.argwhere(red > blue + 100)
    assert warm[:, 1].min() > 280
    cool = np.argwhere(blue > red + 60)
    assert 90 < cool[:, 1].min() < 110


def test_a_box_that_is_not_a_number_or_far_outside_does_not_break_the_drawing() -> None:
    boxes = np.array([[math.nan, 0, 1, 1], [-1e12, -1e12, 1e12, 1e12], [5000.0, 5000, 5100, 5100]])
    for state in LockState:
        drawn = draw_overlay(np.zeros((480, 640), dtype=np.uint8), view(boxes, state))
        assert drawn.shape == (480, 640, 3)
