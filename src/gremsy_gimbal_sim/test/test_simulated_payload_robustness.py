# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent to the simulated payload, it neither breaks nor becomes anything but a payload."""

from __future__ import annotations

import gc
import math
import struct
from dataclasses import replace

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA, MESSAGE_STRUCT, dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import checksum
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload
from gremsy_gimbal_sim.plant.plant import GREMSY

TAKEN = (0, 20, 21, 23, 30, 33, 76, 284, 286, 320, 321, 323)
COMMANDS = (511, 512, 204, 205, 31010, 31011, 31012, 31013, 179, 42503, 246, 526, 530, 531, 532, 2000, 2001)
COMMANDS += (2004, 2005, 2010, 2500, 2501, 521, 2504, 12345)
ODD = (math.nan, math.inf, -math.inf, 3.4e38, -3.4e38, 0.0, -1.0, 1.0, 2.0, 4.0, 255.0, 0.5)


def frame(message_id: int, payload: bytes) -> bytes:
    """A whole MAVLink 2 frame around any payload."""
    header = bytes((len(payload), 0, 0, 0, 1, 191)) + message_id.to_bytes(3, 'little')
    body = header + payload
    return b'\xfd' + body + checksum(body + bytes((CHECKSUM_EXTRA[message_id],))).to_bytes(2, 'little')


def assert_is_a_payload(bench: InstantPayload) -> None:
    state = bench.payload.true_state(0)
    assert all(map(math.isfinite, (state.azimuth_rad, state.tilt_rad, state.azimuth_rate_rad_s, state.tilt_rate_rad_s)))
    assert math.radians(-90.001) <= state.tilt_rad <= math.radians(120.001)
    assert abs(state.azimuth_rad) <= math.radians(320.001)
    assert 1.0 <= state.zoom <= bench.payload.options.zoom_max


@pytest.mark.parametrize('seed', range(4))
def test_any_payload_of_any_message_is_taken_or_left(seed):
    random = np.random.default_rng(seed)
    bench = InstantPayload(PayloadOptions(boot_s=0.5, autotune_s=0.5, calibration_s=0.2), seed, heartbeats=True)
    for _ in range(1500):
        message_id = int(random.choice(TAKEN))
        payload = bytearray(random.bytes(MESSAGE_STRUCT[message_id].size))
        if random.random() < 0.7:  # for one of its components
            targets = {76: 30, 284: 30, 20: 2, 21: 0, 23: 4, 320: 2, 321: 0, 323: 0}
            if message_id in targets:
                at = targets[message_id]
                payload[at : at + 2] = bytes((1, int(random.choice((0, 154, 101, 26)))))
        bench.write(frame(message_id, bytes(payload)))
        bench.run(bench.now_s + 0.01)
        assert_is_a_payload(bench)


@pytest.mark.parametrize('seed', range(4))
def test_every_command_takes_any_numbers(seed):
    random = np.random.default_rng(100 + seed)
    bench = InstantPayload(PayloadOptions(boot_s=0.5, autotune_s=0.5, calibration_s=0.2), seed, heartbeats=True)
    for _ in range(2000):
        parameters = [float(random.choice(ODD)) for _ in range(7)]
        component = int(random.choice((154, 101, 26)))
        bench.command(component, int(random.choice(COMMANDS)), *parameters)
        bench.run(bench.now_s + 0.01)
        assert_is_a_payload(bench)
    for _ in range(300):
        numbers = [float(random.choice(ODD)) for _ in range(7)]
        flags = int(random.integers(0, 2**16))
        message = dialect.MAVLink_gimbal_device_set_attitude_message(1, 154, flags, numbers[:4], *numbers[4:])
        bench.send(message)
        bench.run(bench.now_s + 0.02)
        assert_is_a_payload(bench)


@pytest.mark.parametrize('seed', range(3))
def test_noise_is_no_message(seed):
    random = np.random.default_rng(seed)
    bench = InstantPayload(PRESETS['realistic'], seed)
    for _ in range(200):
        bench.write(random.bytes(500), datagram=bool(random.integers(2)))
        bench.run(bench.now_s + 0.01)
    assert bench.sent == []
    assert bench.payload.true_state(0).azimuth_rad == 0.0


def test_parameters_of_any_bytes_change_nothing_but_parameters():
    random = np.random.default_rng(9)
    bench = InstantPayload(heartbeats=True)
    names = ('GB_MODE', 'RC_MODE', 'LRF_MODE', 'C_V_FV', 'C_V_ZM_CB_LV', 'C_V_Z_SPD', 'C_V_FM')
    for _ in range(500):
        name = str(random.choice(names)).encode()
        raw = struct.pack('<I', int(random.integers(0, 70_000))).ljust(128, b'\0')
        bench.send(dialect.MAVLink_param_ext_set_message(1, 101, name, raw, int(random.integers(1, 12))))
        bench.run(bench.now_s + 0.02)
        assert_is_a_payload(bench)


EVERYTHING = PayloadOptions(
    plant=GREMSY,
    lost_byte_share=0.01,
    corrupted_byte_share=0.001,
    duplicated_message_share=0.05,
    latency_s=0.01,
    jitter_s=0.02,
    fragment_bytes=30,
    paced_bytes_per_s=11520.0,
    attitude_age_s=0.02,
    attitude_noise_rad=0.001,
    yaw_dither_rad=0.002,
    attitude_extensions=True,
    yaw_frame_flags=True,
    zero_triple_share=0.14,
    foreign_orientation_hz=2.0,
    encoder_tilt_inverted=True,
    imu_acceleration_noise_m_s2=0.05,
    imu_rate_noise_rad_s=0.01,
    version_every_s=3.0,
    missed_home_share=0.3,
    mode_delay_s=0.1,
    rate_expiry_s=0.5,
    follow_window_rad=0.1,
    follow_rate_rad_s=0.5,
    smoothing=0.3,
    drift_rad_s=0.01,
    vehicle_yaw_rad=0.3,
    vehicle_pitch_rad=0.2,
    vehicle_roll_rad=0.2,
    angle_needs_twice=True,
    angles_dead='after_tracking',
    parameter_lost_share=0.2,
    parameter_delay_s=0.1,
    overload_hz=60.0,
    ack_lost_share=0.2,
    ack_duplicated_share=0.2,
    ack_foreign_share=0.1,
    ack_delay_s=0.1,
    recording_status_text=True,
    ext_failed_share=0.1,
    ext_ignored_share=0.1,
    ext_in_progress_s=0.2,
    telemetry_rate_hz=2.0,
    laser_mode=2,
    laser_noise_m=1.0,
    position_age_s=0.7,
)


def session(seed: int) -> bytes:
    """Half a minute with every fault on at once."""
    bench = InstantPayload(EVERYTHING, seed, heartbeats=True)
    for number in range(300):
        bench.run(0.1 * (number + 1))
        bench.turn(0.2 * math.sin(number / 20), 0.3)
        if number % 10 == 0:
            bench.command(154, 511, 285, 20_000)
            bench.send(dialect.MAVLink_param_request_list_message(1, 154))
            bench.send(dialect.MAVLink_param_ext_request_list_message(1, 101))
        if number == 150:
            bench.command(101, 2004, 0.5, 0.5)
        assert_is_a_payload(bench)
    return b''.join(data for _, data in bench.sent)


def test_with_every_fault_at_once_the_seed_decides_all():
    first = session(5)
    assert session(5) == first
    assert session(6) != first
    assert len(first) > 50_000


def test_minutes_leave_nothing_behind_in_memory():
    bench = InstantPayload(replace(EVERYTHING, telemetry_rate_hz=0.0), heartbeats=True, wake_s=0.05)

    def minutes(count: int) -> int:
        for _ in range(count * 60):
            bench.turn(0.0, 0.1)
            bench.send(dialect.MAVLink_global_position_int_message(0, 1, 1, 1, 0, 0, 0, 0, 0))
            bench.run(bench.now_s + 1.0)
            bench.sent.clear()
        gc.collect()
        return len(gc.get_objects())

    minutes(1)
    before = minutes(1)
    assert minutes(2) - before < 50
