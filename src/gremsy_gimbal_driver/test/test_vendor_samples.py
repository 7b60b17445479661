# SPDX-License-Identifier: Apache-2.0
"""What a real gimbal said, in the vendor's own log: github.com/Gremsy/gSDK, README.md, 6.16, of commit 931ac06.

It prints RAW_IMU 27 as it came, the attitude as pitch, roll, yaw in degrees, and MOUNT_STATUS 158 in counts.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import pytest

from gremsy_gimbal_driver.attitude.joint_chain import joints_from_encoders
from gremsy_gimbal_driver.device.payload_readings import ImuConversion
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import MountStatus, Sender
from gremsy_gimbal_driver.motion.instant import Instant

GIMBAL = Sender(1, 154)
GRAVITY_M_S2 = 9.80665
BIAS_M_S2 = 0.35  # its x reads +234 of 8192 counts when level


class Sample(NamedTuple):
    imu: tuple[int, int, int, int, int, int]  # xacc, yacc, zacc, xgyro, ygyro, zgyro
    pitch_deg: float
    roll_deg: float
    encoders: tuple[int, int, int]  # pitch, roll, yaw


SAMPLES = (
    Sample((234, -12, 8034, -32, -21, -35), 0.40, -0.30, (-23336, -216, 0)),
    Sample((-851, -15, 8014, -70, 1019, -5), 0.56, 6.29, (-23348, 1024, 0)),
    Sample((-2342, -20, 7639, -60, 323, -37), 0.28, 18.23, (-23276, 3252, 0)),
    Sample((-3069, -37, 7401, -34, 55, -34), 0.32, 23.68, (-23268, 4276, 0)),
)


def reading(sample: Sample):
    message = dialect.MAVLink_raw_imu_message(1_000_000, *sample.imu, 0, 0, 0)
    (event,) = MavlinkDecoder(Sender(1, 191), GIMBAL).feed(bytes(message.pack(dialect.MAVLink(None, 1, 154))), True)
    return ImuConversion('camera').reading(event, Instant(0, 0))


def joints(sample: Sample):
    pitch, roll, yaw = sample.encoders
    return joints_from_encoders(MountStatus(GIMBAL, pitch, roll, yaw), 'counts', (1, 1, 1), (0, 0, 0))


@pytest.mark.parametrize('sample', SAMPLES, ids=lambda sample: f'roll {sample.roll_deg}')
def test_the_imu_feels_gravity_where_the_attitude_has_up(sample):
    # Roll is right side down +, pitch up + (MAVLink): up leans to the left of the camera, and forward.
    roll, pitch = math.radians(sample.roll_deg), math.radians(sample.pitch_deg)
    forward, left, up = math.sin(pitch), math.cos(pitch) * math.sin(roll), math.cos(pitch) * math.cos(roll)
    expected = [GRAVITY_M_S2 * each for each in (forward, left, up)]
    assert reading(sample).acceleration_m_s2 == pytest.approx(expected, abs=BIAS_M_S2)


def test_the_roll_that_grows_is_a_turn_about_forward():
    # From -0.30 to 6.29 and on to 18.23 degrees: the right side goes down, which is + about forward.
    assert reading(SAMPLES[1]).rate_rad_s == pytest.approx([math.radians(1019 / 32.8), 0.0, 0.0], abs=math.radians(3))


def test_the_encoders_turn_as_the_joints_do():
    rolls = [math.degrees(joints(sample).roll_rad) for sample in SAMPLES]
    assert rolls == pytest.approx([sample.roll_deg for sample in SAMPLES], abs=1.1)
    # The camera was held and hardly tilted; of the three changes the last is as small as the noise.
    for before, after in list(pairwise(SAMPLES))[:2]:
        went_up_deg = after.pitch_deg - before.pitch_deg
        assert (joints(after).pitch_rad - joints(before).pitch_rad) * went_up_deg < 0
