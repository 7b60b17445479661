# SPDX-License-Identifier: Apache-2.0
"""Byte for byte what another encoder packs: `data/golden_vectors.json` comes from node-mavlink, not from pymavlink."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from gremsy_gimbal_driver.mavlink.gimbal_protocol import ProtocolChoice
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder, VehicleState
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    ExtendedParameter,
    Heartbeat,
    MountOrientation,
    ParameterValue,
    RawImu,
    Sender,
)
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput

GOLDEN = json.loads((Path(__file__).parent / 'data' / 'golden_vectors.json').read_text(encoding='utf-8'))
VECTORS = {vector['name']: vector for vector in GOLDEN['vectors']}
OWN = Sender(1, 191)
GIMBAL = Sender(1, 154)
CAMERA = Sender(1, 100)


def moved(protocol: str, encoder: MavlinkEncoder, mode: GimbalMode, **motion: tuple[float, float]) -> bytes:
    (message,) = ProtocolChoice(encoder, protocol).protocol.messages(MotionOutput(mode, **motion), GIMBAL)
    return message


VEHICLE = VehicleState(
    time_boot_us=123456789,
    q_ned_wxyz=(0.9689124217106447, 0.0, 0.0, 0.24740395925452294),
    q_delay_us=4000,
    velocity_ned_m_s=(1.5, -0.25, 0.0),
    velocity_delay_us=8000,
    yaw_rate_rad_s=0.125,
    estimator_status=1,
    landed_state=2,
)

SENT = {
    'heartbeat_of_driver': lambda encoder: encoder.heartbeat(),
    'set_attitude_angle_lock': lambda encoder: moved('v2', encoder, GimbalMode.LOCK, angles_rad=(-0.0, 1.0)),
    'set_attitude_rate_follow': lambda encoder: moved('v2', encoder, GimbalMode.FOLLOW, rates_rad_s=(0.3, -0.2)),
    'set_attitude_stop_mapping': lambda encoder: moved('v2', encoder, GimbalMode.MAPPING, rates_rad_s=(-0.0, -0.0)),
    'mount_control_angle': lambda encoder: moved(
        'v1', encoder, GimbalMode.LOCK, angles_rad=(math.radians(-30), math.radians(45))
    ),
    'mount_control_speed': lambda encoder: moved(
        'v1', encoder, GimbalMode.LOCK, rates_rad_s=(math.radians(12.5), math.radians(-5))
    ),
    'mount_mode_mapping': lambda encoder: encoder.mount_mode(GIMBAL, 4, 13),
    'mount_mode_lock': lambda encoder: encoder.mount_mode(GIMBAL, 1),
    'motors_off': lambda encoder: encoder.motors(GIMBAL, False),
    'message_interval': lambda encoder: encoder.command(GIMBAL, 511, 285.0, 20000.0),
    'request_information': lambda encoder: encoder.command(GIMBAL, 512, 283.0),
    'param_set': lambda encoder: encoder.set_parameter(GIMBAL, 'PWR_TILT', -45),
    'param_request_read': lambda encoder: encoder.read_parameter(GIMBAL, 'RC_LIM_MIN_TILT'),
    'param_ext_set_256': lambda encoder: encoder.set_extended_parameter(CAMERA, 'C_V_FV', 256),
    'param_ext_set_200': lambda encoder: encoder.set_extended_parameter(CAMERA, 'C_SOURCE', 200),
    'vehicle_state': lambda encoder: encoder.vehicle_state(GIMBAL, VEHICLE),
}

HALF = math.radians(0.5)
HEARD = {
    'heartbeat_of_gimbal': Heartbeat(GIMBAL, 26, 8, 4),
    'attitude_status_full': AttitudeStatus(
        GIMBAL, 345678, 0x2C, (0.5, 0.5, -0.5, 0.5), (0.25, -0.5, 0.125), 8, 0.75, 0.0625
    ),
    'attitude_status_old': AttitudeStatus(GIMBAL, 345698, 0x0C, (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0, math.nan),
    'mount_orientation': MountOrientation(GIMBAL, 345700, HALF, math.radians(-30), math.radians(45), math.radians(120)),
    'mount_orientation_without_absolute': MountOrientation(
        GIMBAL, 345701, HALF, math.radians(-30), math.radians(45), math.nan
    ),
    'param_value': ParameterValue(GIMBAL, 'RC_LIM_MAX_TILT', 90.0, 31, 70),
    'param_ext_ack_256': ExtendedParameter(CAMERA, 'C_V_FV', bytes([0, 1]).ljust(128, b'\0'), 5, 0),
    'raw_imu': RawImu(GIMBAL, 345700123, (0.0, -9.80665 / 2, -9.80665), (math.radians(10), 0.0, math.radians(-20))),
}


def test_every_vector_is_used_and_their_origin_is_told():
    assert SENT.keys() | HEARD.keys() == VECTORS.keys()
    assert 'Not pymavlink' in GOLDEN['provenance']
    numbers = {vector['message_id'] for vector in VECTORS.values()}
    assert numbers >= {0, 284, 285, 265, 76, 323, 324, 22, 23, 286}
    commands = {vector['values'].get('command') for vector in VECTORS.values()}
    assert commands >= {205, 31011, 511}


@pytest.mark.parametrize('name', SENT)
def test_the_driver_sends_these_very_bytes(name):
    vector = VECTORS[name]
    encoder = MavlinkEncoder(OWN)
    for _ in range(vector['sequence']):
        encoder.heartbeat()
    assert SENT[name](encoder).hex() == vector['hex']


@pytest.mark.parametrize('name', HEARD)
def test_the_driver_understands_these_very_bytes(name):
    decoder = MavlinkDecoder(OWN, pinned=GIMBAL)
    (event,) = decoder.feed(bytes.fromhex(VECTORS[name]['hex']))
    expected = HEARD[name]
    assert type(event) is type(expected)
    for field in (each.name for each in fields(expected)):
        heard, wanted = getattr(event, field), getattr(expected, field)
        if isinstance(wanted, float | tuple):
            assert heard == pytest.approx(wanted, rel=1e-12, nan_ok=True), field
        else:
            assert heard == wanted, field
    assert decoder.rejects == {}


def test_a_value_with_a_zero_low_byte_survives_the_way_there_and_back():
    # The vendor's SDK and pymavlink's string both make 0 of it (gimbal.md 1.12, 1.13).
    (event,) = MavlinkDecoder(OWN).feed(bytes.fromhex(VECTORS['param_ext_ack_256']['hex']))
    assert isinstance(event, ExtendedParameter)
    assert int.from_bytes(event.raw[:4], 'little') == 256
