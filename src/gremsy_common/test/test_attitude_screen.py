# SPDX-License-Identifier: Apache-2.0
"""One table of what an attitude can be; the driver's tests of telemetry and the tracker's of histories use it too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.attitude_screen import (
    GIMBAL_LIMITS,
    VEHICLE_LIMITS,
    AttitudeFault,
    AttitudeScreen,
    DamageGate,
    Judgement,
    fault_of,
    reaches,
)


@pytest.mark.parametrize(
    ('norm', 'rates', 'fault'),
    [
        (1.0, (0.0, math.nan, -20.0), None),
        (1.0019, (), None),
        (1.0021, (), AttitudeFault.NOT_UNIT),
        (0.0, (), AttitudeFault.NOT_UNIT),
        (math.nan, (), AttitudeFault.NOT_FINITE),
        (math.inf, (), AttitudeFault.NOT_FINITE),
        (1.0, (0.0, 20.1), AttitudeFault.RATE_IMPOSSIBLE),
        (1.0, (-math.inf,), AttitudeFault.RATE_IMPOSSIBLE),
    ],
)
def test_what_one_attitude_alone_gives_away(norm, rates, fault):
    assert fault_of(norm, rates) is fault


def test_a_vehicles_quaternion_may_be_rounded_to_three_digits():
    assert fault_of(1.009, (), VEHICLE_LIMITS) is None
    assert fault_of(1.011, (), VEHICLE_LIMITS) is AttitudeFault.NOT_UNIT


@pytest.mark.parametrize(('turned_deg', 'reached'), [(22.9, True), (23.1, False)])
def test_every_check_of_a_jump_has_the_same_reach(turned_deg, reached):
    """360 deg/s for 50 ms, and 5 degrees."""
    first, second = quaternion_from_bearing(0.0, 0.0), quaternion_from_bearing(math.radians(turned_deg), 0.0)
    assert GIMBAL_LIMITS.reach_margin_rad + 0.05 * GIMBAL_LIMITS.reach_rad_s == pytest.approx(math.radians(23.0))
    assert reaches(-float(first @ second), 0.05) == reached  # either sign is the same rotation
    gate = DamageGate()
    assert gate.passes(1000, tuple(first.tolist()))
    assert gate.passes(1050, tuple(second.tolist())) == reached
    screen = AttitudeScreen()
    assert screen.judge(1000, first, 1_010_000_000, 'frame') is Judgement.GOOD
    judgement = screen.judge(1050, second, 1_060_000_000, 'frame')
    assert judgement is (Judgement.GOOD if reached else Judgement.ANGLE_JUMP)


def test_across_two_frames_no_turn_is_held_against_an_attitude():
    screen, away = AttitudeScreen(), quaternion_from_bearing(np.pi / 2, 0.0)
    screen.judge(1000, quaternion_from_bearing(0.0, 0.0), 1_010_000_000, 'vehicle')
    assert screen.judge(1050, away, 1_060_000_000, 'earth') is Judgement.GOOD
