# SPDX-License-Identifier: Apache-2.0
"""The trial camera's view from the gimbal: the ring as its writer writes it, the suite's camera model."""

import math
import os
import secrets

import pytest

from gremsy_camera.trial.turning_view import TurningView, swayed_rad
from gremsy_common.types.camera_model import CameraModel
from gremsy_gimbal_sim.truth_ring import TrueState, TruthRingWriter

FIELD_RAD = math.radians(60.0)


@pytest.fixture
def ring():
    return f'{os.getpid()}-{secrets.token_hex(4)}'


def test_the_target_goes_to_and_fro_and_is_fastest_in_the_middle():
    sway, speed = math.radians(30.0), math.radians(10.0)
    quarter_s = math.pi / 2 * 3.0
    assert swayed_rad(0.0, sway, speed) == 0.0
    assert swayed_rad(0.01, sway, speed) == pytest.approx(0.01 * speed, rel=1e-4)
    assert swayed_rad(quarter_s, sway, speed) == pytest.approx(sway)
    assert swayed_rad(3 * quarter_s, sway, speed) == pytest.approx(-sway)


def test_what_is_ahead_is_in_the_middle_and_what_is_left_is_left(ring):
    view = TurningView(ring, FIELD_RAD, 640, 360)
    with TruthRingWriter(ring, 4) as writer:
        for number in range(6):  # more than the ring holds: the newest counts
            writer.write(TrueState(number, 0.1 * number, 0.2, 0.0, 0.0, 1.0))
        assert view.place_px(0.5, 0.2) == pytest.approx((320.0, 180.0))
        turned_px = view.turned_px
        left = view.place_px(0.5 + math.radians(10.0), 0.2)
        below = view.place_px(0.5, 0.2 + math.radians(5.0))
        assert view.place_px(0.5 + math.pi, 0.2) is None
    view.close()
    focal = CameraModel.from_horizontal_field(640, 360, FIELD_RAD).matrix[0, 0]
    assert turned_px == pytest.approx(0.5 * focal)
    assert left == pytest.approx((320.0 - focal * math.tan(math.radians(10.0)), 180.0))
    assert below == pytest.approx((320.0, 180.0 + focal * math.tan(math.radians(5.0))))


def test_without_a_payload_nothing_is_seen_until_there_is_one_again(ring):
    view = TurningView(ring, FIELD_RAD, 640, 360)
    assert view.place_px(0.0, 0.0) is None
    assert view.turned_px == 0.0
    for azimuth in (0.0, 0.3):
        with TruthRingWriter(ring, 4) as writer:
            assert view.place_px(azimuth, 0.0) is None
            writer.write(TrueState(1, azimuth, 0.0, 0.0, 0.0, 1.0))
            assert view.place_px(azimuth, 0.0) == pytest.approx((320.0, 180.0))
    assert view.place_px(0.3, 0.0) is None
    view.close()
