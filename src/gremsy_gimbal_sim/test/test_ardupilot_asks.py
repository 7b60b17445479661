# SPDX-License-Identifier: Apache-2.0
"""The simulated gimbal, asked as ArduPilot asks a Gremsy (ardupilot.py says from where)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload
from src.gremsy_gimbal_sim.test.ardupilot import ArduPilot

RETRACT = dialect.GIMBAL_DEVICE_FLAGS_RETRACT


@pytest.fixture
def payload() -> InstantPayload:
    return InstantPayload(PayloadOptions())


@pytest.fixture
def ardupilot(payload) -> ArduPilot:
    """It has found the gimbal."""
    made = ArduPilot(payload)
    made.find()
    return made


def angles_deg(payload: InstantPayload) -> tuple[float, float]:
    """Pitch up +, yaw right +, not wrapped."""
    state = payload.payload.true_state(0)
    return -math.degrees(state.tilt_rad), -math.degrees(state.azimuth_rad)


def test_it_is_found_and_says_who_it_is(payload):
    ardupilot = ArduPilot(payload)
    information = ardupilot.find()
    assert (information.vendor_name, information.firmware_version & 0xFFFFFF) == ('GREMSY', 0x000907)
    assert [ack.result for _, ack in payload.messages(77)] == [dialect.MAV_RESULT_ACCEPTED]
    assert ardupilot.healthy


@pytest.mark.parametrize('earth_frame', [False, True])
def test_angles_are_gone_to_and_telemetry_comes_at_its_rate(payload, ardupilot, earth_frame):
    begun_s = payload.now_s
    ardupilot.run(4.0, (ardupilot.angle, -20.0, 30.0, earth_frame))
    assert angles_deg(payload) == (pytest.approx(-20.0, abs=0.1), pytest.approx(30.0, abs=0.1))
    assert len(payload.messages(285, begun_s)) == pytest.approx(80, abs=2)
    assert ardupilot.healthy


def test_rates_turn_it_while_they_come_and_neutral_brings_it_ahead(payload, ardupilot):
    ardupilot.run(2.0, (ardupilot.rate, -5.0, 15.0))
    pitch, yaw = angles_deg(payload)
    assert (pitch, yaw) == (pytest.approx(-10.0, abs=1.0), pytest.approx(30.0, abs=2.0))
    ardupilot.run(3.0, (ardupilot.angle, 0.0, 0.0))
    assert angles_deg(payload) == (pytest.approx(0.0, abs=0.1), pytest.approx(0.0, abs=0.1))


@pytest.mark.parametrize('earth_frame', [False, True])
@pytest.mark.parametrize('side', [1.0, -1.0])
def test_a_yaw_that_wraps_goes_on_the_short_way(payload, ardupilot, earth_frame, side):
    yaws = []
    for target in range(0, 200, 2):
        wrapped = math.remainder(side * target, 360.0)
        ardupilot.run(0.2, (ardupilot.angle, 0.0, wrapped, earth_frame))
        yaws.append(side * angles_deg(payload)[1])
    ardupilot.run(1.0, (ardupilot.angle, 0.0, math.remainder(side * 198.0, 360.0), earth_frame))
    assert side * angles_deg(payload)[1] == pytest.approx(198.0, abs=0.1)
    assert all(-0.1 <= after - before <= 5.0 for before, after in pairwise(yaws))


def test_retract_with_the_angle_behind_it_centres_and_the_next_target_is_obeyed(payload, ardupilot):
    """Both messages of an update come together, so the motors are never off for longer than between the two."""
    ardupilot.run(2.0, (ardupilot.angle, -30.0, 20.0))
    begun_s = payload.now_s
    ardupilot.run(2.0, (ardupilot.retract,))
    flags = [message.flags for _, message in payload.messages(285, begun_s + 0.5)]
    assert not any(each & RETRACT for each in flags)
    assert angles_deg(payload) == (pytest.approx(0.0, abs=0.5), pytest.approx(0.0, abs=0.5))
    ardupilot.run(3.0, (ardupilot.angle, -30.0, 20.0))
    assert angles_deg(payload) == (pytest.approx(-30.0, abs=0.1), pytest.approx(20.0, abs=0.1))


def test_the_heading_that_it_is_fed_is_what_lock_counts_from(payload, ardupilot):
    """RC_REVERSE_AXIS bit 0x10: with 286 lock counts from north, where a vehicle that looks east has pan 0 at 90."""
    ardupilot.heading_deg = 90.0
    ardupilot.run(4.0, (ardupilot.angle, 0.0, 90.0, True))
    _, pan = angles_deg(payload)
    assert pan == pytest.approx(0.0, abs=0.5)
