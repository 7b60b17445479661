# SPDX-License-Identifier: Apache-2.0
"""Bearing and position with their covariance, against SciPy's rotations and drawn samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gremsy_tracker.place.target_range import RangeSource, TargetRange, bearing_of, position_of
from gremsy_tracker.pointing.bearing_filter import BearingEstimate

T0 = 10**18


def estimate(azimuth: float, tilt: float, std: float = 0.002) -> BearingEstimate:
    rate = np.array([0.05, -0.01])
    return BearingEstimate(T0, np.array([azimuth, tilt]), rate, std_rad=np.full(2, std))


@pytest.mark.parametrize(('azimuth', 'tilt'), [(0.0, 0.0), (2.5, 0.6), (-3.0, -0.3), (0.4, 1.2)])
def test_the_direction_is_the_x_axis_of_a_camera_that_looks_there(azimuth: float, tilt: float) -> None:
    bearing = bearing_of(estimate(azimuth, tilt), np.array([0.01, 0.02]), 'robot/eo_still', 0.0)
    # Azimuth about up, then tilt about the new left axis, which is + down: intrinsic z, y.
    looked = Rotation.from_euler('ZY', [azimuth, tilt]).apply([1.0, 0.0, 0.0])
    assert bearing.direction == pytest.approx(looked)
    assert (bearing.stamp_ns, bearing.frame_id) == (T0, 'robot/eo_still')
    assert bearing.rate_rad_s.tolist() == [0.05, -0.01]
    assert bearing.rate_std_rad_s.tolist() == [0.01, 0.02]


def test_the_telemetrys_own_error_adds_to_the_estimates() -> None:
    bearing = bearing_of(estimate(0.0, math.radians(60.0)), np.zeros(2), 'still', 0.003)
    # Half a degree sideways is a degree of azimuth, 60 degrees down.
    assert bearing.std_rad == pytest.approx([math.hypot(0.002, 0.006), math.hypot(0.002, 0.003)])


@pytest.mark.parametrize(('azimuth', 'tilt'), [(0.0, 0.0), (2.5, 0.6), (-1.0, -0.4)])
def test_the_covariance_is_that_of_ten_thousand_drawn_positions(azimuth: float, tilt: float) -> None:
    random = np.random.default_rng(2)
    bearing = bearing_of(estimate(azimuth, tilt, 0.01), np.zeros(2), 'still', 0.0)
    position = position_of(bearing, TargetRange(T0, 50.0, 2.0, RangeSource.FINDER))
    turned = Rotation.from_euler('ZY', np.array([azimuth, tilt]) + random.normal(0.0, 0.01, (10_000, 2)))
    drawn = turned.apply([1.0, 0.0, 0.0]) * random.normal(50.0, 2.0, (10_000, 1))
    assert position.position_m == pytest.approx(drawn.mean(axis=0), abs=0.1)
    assert position.covariance_m2 == pytest.approx(np.cov(drawn.T), abs=0.15)
    along = bearing.direction @ position.covariance_m2 @ bearing.direction
    assert along == pytest.approx(4.0)
    assert np.linalg.eigvalsh(position.covariance_m2).min() > 0.0
