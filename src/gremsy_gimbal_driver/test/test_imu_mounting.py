# SPDX-License-Identifier: Apache-2.0
"""A calibration holds the IMU's mounting against gravity, which no two of the 24 share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_gimbal_driver.calibration.imu_mounting import ImuMounting
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES, camera_from_imu, imu_mountings

GRAVITY_M_S2 = 9.80665
BIAS_M_S2 = 234 / 8192 * GRAVITY_M_S2  # the vendor's log (gSDK's README, 6.16)
VECTORS = {
    'forward': (1, 0, 0),
    'back': (-1, 0, 0),
    'left': (0, 1, 0),
    'right': (0, -1, 0),
    'up': (0, 0, 1),
    'down': (0, 0, -1),
}


def felt(axes: tuple[str, ...], tilt_rad: float) -> np.ndarray:
    """By a sensor whose axes point so, on a camera that looks down by that, in the axes that are taken for granted."""
    up = np.array([-math.sin(tilt_rad), 0.0, math.cos(tilt_rad)])
    sensor = [GRAVITY_M_S2 * float(np.dot(VECTORS[axis], up)) for axis in axes]
    return camera_from_imu(IMU_AXES) @ (np.array(sensor) + np.array([BIAS_M_S2, 0.0, 0.0]))


def calibrated(axes: tuple[str, ...], middle_deg: float = 0.0, travel_deg: float = 12.0, dead: bool = False):
    mounting = ImuMounting(IMU_AXES)
    random = np.random.default_rng(1)
    for number in range(300):
        tilt = math.radians(middle_deg + travel_deg * math.sin(number / 20.0))
        mounting.attitude(quaternion_from_bearing(0.3, tilt))
        mounting.imu(np.zeros(3) if dead else felt(axes, tilt) + random.normal(0.0, 0.3, 3))
    return mounting.found()


@pytest.mark.parametrize('middle_deg', [0.0, 45.0, 88.0])
def test_every_mounting_is_found_from_any_tilt(middle_deg):
    names = [axes for axes, _ in imu_mountings()]
    assert len(set(names)) == 24
    assert [calibrated(axes, middle_deg)[0] for axes in names] == names
    assert calibrated(IMU_AXES, middle_deg) == (IMU_AXES, '')


def test_another_mounting_than_the_one_in_force_is_said():
    assert calibrated(('forward', 'right', 'down'), travel_deg=5.0) == (
        ('forward', 'right', 'down'),
        'Gravity shows that the axes of the IMU point forward, right, down, not right, forward, up: '
        '`imu_axes` is corrected.',
    )


def test_an_imu_that_does_not_feel_gravity_is_no_imu():
    assert calibrated(IMU_AXES, dead=True) == (
        None,
        'In no mounting does the IMU measure gravity where it should: calibrate its accelerometer; until then do '
        'not use `gimbal/imu`.',
    )


def test_without_an_imu_nothing_was_held_against_gravity():
    assert ImuMounting(IMU_AXES).found() == (
        None,
        'The gimbal sends no IMU data (message 27), so `imu_axes` was not checked against gravity.',
    )
