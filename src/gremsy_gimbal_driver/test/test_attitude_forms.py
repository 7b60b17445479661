# SPDX-License-Identifier: Apache-2.0
"""Both forms of 285: before firmware 7.8.7 nothing says what the yaw counts from, since then it is the vehicle.

What a Pixy LR of 7.8.7 sends is told in ArduPilot #33870 and QGC #14865: delta_yaw from a zero of its own, and
YAW_IN_VEHICLE_FRAME in every mode. What both mean is in common.xml, and in the vendor's client, which turns one into
the other as `q_north = q(delta_yaw) * q_forward` (gSDK, src/gimbal_interface.cpp, get_gimbal_attitude).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.geometry import yaw_roll_pitch
from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame, reading_from_status
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping, MeasuredAttitude
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_sim.gimbal.simulated_modes import LEVEL, YAW_LOCK
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

FORMS = {
    'before 7.8.7': PayloadOptions(firmware=(7, 8, 6), vehicle_turn_rad_s=0.2, own_heading_rad=0.6),
    'from 7.8.7': PayloadOptions(firmware=(7, 8, 7), vehicle_turn_rad_s=0.2, own_heading_rad=0.6),
    'from 7.8.7, by mode': PayloadOptions(vehicle_turn_rad_s=0.2, own_heading_rad=0.6, yaw_frame_by_mode=True),
}
LOCKED = LEVEL | YAW_LOCK
IN_VEHICLE, IN_EARTH = (
    dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME,
    dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME,
)


def heard(options: PayloadOptions, flags: int) -> tuple[InstantPayload, list[AttitudeStatus]]:
    """In that mode from 1 s on, until 4 s, on a vehicle that turns left."""
    bench = InstantPayload(options, heartbeats=True)
    bench.run(1.0)
    bench.turn(0.0, 0.0, flags)
    bench.run(4.0)
    mavlink = dialect.MAVLink(None, 1, 154)
    decoder = MavlinkDecoder(Sender(1, 191), Sender(1, 154))
    packed = [message.pack(mavlink) for _, message in bench.messages(285, since_s=2.0)]
    return bench, [event for each in packed for event in decoder.feed(bytes(each), True)]


def measured(events: list[AttitudeStatus]) -> list[MeasuredAttitude]:
    stamping = AttitudeStamping('camera')
    taken = [stamping.measured(event, Instant(*[event.time_boot_ms * 1_000_000] * 2)) for event in events]
    assert None not in taken
    return taken


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(('flags', 'frame'), [(LEVEL, YawFrame.VEHICLE), (LOCKED, YawFrame.EARTH)])
def test_the_driver_has_the_modes_azimuth_and_its_rate(form, flags, frame):
    bench, events = heard(FORMS[form], flags)
    taken = measured(events)
    assert {each.yaw_frame for each in taken} == {frame}
    # In follow the joint stands still; in lock the camera does, which turned by 0.2 rad before it was told so.
    expected = 0.0 if frame is YawFrame.VEHICLE else 0.6 + 0.2
    assert [each.yaw_rad for each in taken] == pytest.approx([expected] * len(taken), abs=0.02)
    assert np.abs([each.attitude.rate_rad_s for each in taken]).max() < 0.01
    world_rad = bench.payload.true_state(0).azimuth_rad
    assert world_rad == pytest.approx(0.2 * (4.0 if frame is YawFrame.VEHICLE else 1.0), abs=0.02)


@pytest.mark.parametrize(
    ('form', 'follow', 'lock'),
    [
        ('before 7.8.7', LEVEL, LOCKED),
        ('from 7.8.7', LEVEL | IN_VEHICLE, LOCKED | IN_VEHICLE),
        ('from 7.8.7, by mode', LEVEL | IN_VEHICLE, LOCKED | IN_EARTH),
    ],
)
def test_each_form_says_its_frame_and_tells_the_heading_or_neither(form, follow, lock):
    for given, expected in ((LEVEL, follow), (LOCKED, lock)):
        _, events = heard(FORMS[form], given)
        assert {event.flags for event in events} == {expected}
        heading = [reading_from_status(event).heading_rad for event in events]
        if form == 'before 7.8.7':
            assert set(heading) == {None}
        else:
            assert heading[-1] - heading[0] == pytest.approx(0.2 * (len(heading) - 1) / 20.0, abs=0.02)


@pytest.mark.parametrize(
    ('flags', 'azimuth_deg', 'rate_deg_s'),
    [
        (LOCKED | IN_VEHICLE, -150.0, 11.0),  # 130 + 20 to the right, and 1 - 12 to the left
        (LEVEL | IN_VEHICLE, -20.0, -1.0),
        (LOCKED | IN_EARTH, -20.0, -1.0),
        (LEVEL | IN_EARTH, 110.0, -13.0),
    ],
)
def test_the_other_frames_yaw_is_as_the_vendors_client_has_it(flags, azimuth_deg, rate_deg_s):
    yaw = math.radians(20.0) / 2
    q = (math.cos(yaw), 0.0, 0.0, math.sin(yaw))
    rates = (0.0, 0.0, math.radians(1.0))
    delta = (math.radians(130.0), math.radians(-12.0))
    reading = reading_from_status(AttitudeStatus(Sender(1, 154), 0, flags, q, rates, 0, *delta))
    assert math.degrees(yaw_roll_pitch(reading.level_from_camera_wxyz)[0]) == pytest.approx(azimuth_deg)
    assert np.degrees(reading.rate_rad_s) == pytest.approx([0.0, 0.0, rate_deg_s], abs=1e-9)


def test_there_is_a_preset_of_either_form():
    assert PRESETS['ideal'].firmware >= (7, 8, 7) > PRESETS['old_firmware'].firmware
    assert [PRESETS[name].sends_delta_yaw for name in ('ideal', 'old_firmware')] == [True, False]
    assert [PRESETS[name].sends_yaw_frame for name in ('ideal', 'old_firmware')] == [True, False]
