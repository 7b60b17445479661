# SPDX-License-Identifier: Apache-2.0
"""How far the vehicle carries the camera along, told from telemetry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_tracker.pointing.gimbal_predictor import CarriedShare

LAG_S = 0.1


def watch(
    share: CarriedShare,
    carried: float,
    inertial: bool,
    *,
    begin_s: float = 0.0,
    moved: bool = True,
    lasts_s: float = 2.0,
) -> None:
    """At 50 Hz, of a gimbal that is asked 10 deg/s to and fro under a vehicle that sways."""
    random, answer, own = np.random.default_rng(1), 0.0, 0.0
    share.clear()
    for number in range(round(lasts_s * 50)):
        now_s = begin_s + number * 0.02
        heading = math.radians(5.0) * math.sin(math.pi * now_s) if moved else 0.0
        turning = math.radians(5.0) * math.pi * math.cos(math.pi * now_s) if moved else 0.0
        asked = math.radians(10.0) * math.copysign(1.0, math.sin(3.0 * now_s))
        if number:
            own += asked * 0.02 + (answer - asked) * LAG_S * (1 - math.exp(-0.02 / LAG_S))
            answer = asked + (answer - asked) * math.exp(-0.02 / LAG_S)
        else:
            answer = asked
        world_rate = answer + carried * turning
        azimuth = own + (carried - 1.0) * heading + random.normal(0.0, math.radians(0.02))
        rate = world_rate if inertial else world_rate - turning
        share.take(round(now_s * 1e9), azimuth, rate, heading, asked, LAG_S)


@pytest.mark.parametrize('inertial', [False, True], ids=['rates of the joint', 'rates of a gyro'])
@pytest.mark.parametrize('carried', [0.0, 1.0, 0.5])
def test_it_is_found_out_within_two_seconds(carried: float, inertial: bool) -> None:
    share = CarriedShare()
    watch(share, carried, inertial)
    assert share.carried == pytest.approx(carried, abs=0.1)
    assert share.inertial_rates == float(inertial)


def test_it_follows_a_change_and_stays_while_the_vehicle_rests() -> None:
    share = CarriedShare()
    watch(share, 1.0, inertial=False)
    assert share.carried == 1.0
    watch(share, 1.0, inertial=False, begin_s=2.0, moved=False)
    assert share.carried == 1.0
    watch(share, 0.0, inertial=False, begin_s=4.0, lasts_s=3.0)
    assert share.carried == 0.0


def test_where_it_is_carried_and_held_in_turn_it_is_what_was_so_in_the_mean() -> None:
    share, shares = CarriedShare(), []
    for number in range(24):
        watch(share, float(number % 2), inertial=False, begin_s=number * 0.5, lasts_s=0.5)
        shares += [share.carried] if number >= 8 else []
    assert 0.3 < min(shares) < max(shares) < 0.7


def test_before_the_vehicle_turned_nothing_is_carried() -> None:
    share = CarriedShare()
    watch(share, 1.0, inertial=False, moved=False)
    assert (share.carried, share.inertial_rates) == (0.0, 0.0)
