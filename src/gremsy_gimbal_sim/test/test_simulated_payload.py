# SPDX-License-Identifier: Apache-2.0
"""The simulated payload with invented times: it speaks like a Gremsy and moves like the plant."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    PayloadTelemetry,
    Sender,
)
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_from_level_camera, wire_rates
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.payload.camera_commands import zoom_range
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.plant.plant import IDEAL, Plant

OWN = Sender(1, 191)
GIMBAL = Sender(1, 154)
CAMERA = Sender(1, 101)


class Bench:
    """A payload, an encoder to it and a decoder from it, on one time in seconds."""

    def __init__(self, options: PayloadOptions | None = None, seed: int = 0, heartbeat: bool = True) -> None:
        self.payload = SimulatedPayload(options, seed)
        self.encoder = MavlinkEncoder(OWN)
        self.decoder = MavlinkDecoder(OWN)
        self.now_s = 0.0
        self.messages: list[tuple[float, bytes]] = []
        self.events: list[tuple[float, object]] = []
        self.heartbeat = heartbeat
        if heartbeat:
            self.send(self.encoder.heartbeat())

    def send(self, data: bytes) -> Bench:
        self.payload.receive(data, self.now_s)
        return self

    def run(self, until_s: float, wake_s: float = 0.005) -> Bench:
        while self.now_s < until_s:
            self.now_s = round(self.now_s + wake_s, 6)
            if self.heartbeat and int(self.now_s) != int(self.now_s - wake_s):
                self.send(self.encoder.heartbeat())
            for message in self.payload.advance(self.now_s):
                self.messages.append((self.now_s, message))
                self.events += [(self.now_s, event) for event in self.decoder.feed(message)]
        return self

    def of(self, kind: type) -> list:
        return [event for _, event in self.events if isinstance(event, kind)]

    def count(self, message_id: int) -> int:
        return sum(int.from_bytes(message[7:10], 'little') == message_id for _, message in self.messages)


def test_it_is_silent_until_it_hears_a_heartbeat():
    bench = Bench(heartbeat=False).run(3.0)
    assert bench.messages == []
    bench.send(bench.encoder.motion(GIMBAL, wire_rates(0.1, 0.0))).run(4.0)
    assert bench.messages == []
    bench.send(bench.encoder.heartbeat()).run(4.1)
    assert bench.messages


def test_default_rates_are_those_of_a_payload():
    bench = Bench().run(10.0)
    counts = {number: bench.count(number) for number in (0, 1, 265, 285)}
    assert counts[285] == pytest.approx(200, abs=2)
    assert counts[265] == pytest.approx(100, abs=2)
    assert counts[1] == pytest.approx(10, abs=1)
    assert counts[0] == 3 * counts[1]


@pytest.mark.parametrize(('interval_us', 'expected_hz'), [(20000, 50), (0, 20), (-1, 0)])
def test_message_interval_is_honoured_and_acknowledged(interval_us, expected_hz):
    bench = Bench().run(1.0)
    bench.send(bench.encoder.command(GIMBAL, 511, 285.0, float(interval_us))).run(1.1)
    before = bench.count(285)
    bench.run(3.1)
    assert (bench.count(285) - before) / 2 == pytest.approx(expected_hz, abs=1)
    assert bench.of(CommandAck) == [CommandAck(GIMBAL, 511, dialect.MAV_RESULT_ACCEPTED)]


def test_information_comes_on_request_and_an_unknown_command_is_refused():
    bench = Bench().run(1.0)
    bench.send(bench.encoder.command(GIMBAL, 512, 283.0)).send(bench.encoder.command(GIMBAL, 42503)).run(1.1)
    (information,) = bench.of(DeviceInformation)
    assert (information.vendor, information.model, information.firmware) == ('GREMSY', 'SIMULATED', (7, 9, 0))
    assert information.pitch_limits_rad == pytest.approx((math.radians(-120), math.radians(90)), abs=1e-6)
    assert [ack.result for ack in bench.of(CommandAck)] == [0, dialect.MAV_RESULT_UNSUPPORTED]


def test_a_rate_command_moves_it_exactly_like_the_plant():
    bench = Bench().run(1.0)
    bench.send(bench.encoder.motion(GIMBAL, wire_rates(0.25, -0.125))).run(2.0)
    plant = Plant(IDEAL)
    plant.command(1.0, (0.25, -0.125))
    plant.advance(2.0)
    state = bench.payload.true_state(ros_minus_own_ns=5)
    assert (state.azimuth_rad, state.tilt_rad) == tuple(plant.angles_rad)
    assert (state.azimuth_rate_rad_s, state.tilt_rate_rad_s) == tuple(plant.rates_rad_s)
    assert state.stamp_ns == 2_000_000_005


def test_its_telemetry_read_by_the_driver_is_its_true_state():
    bench = Bench().run(0.5)
    bench.send(bench.encoder.motion(GIMBAL, wire_rates(0.4, 0.3)))
    stamping = AttitudeStamping('camera')
    wrong_angle, wrong_rate = [], []
    plant = Plant(IDEAL)
    plant.command(0.5, (0.4, 0.3))
    bench.run(2.0)
    for at_s, event in bench.events:
        if isinstance(event, AttitudeStatus):
            measured = stamping.measured(event, Instant(int(at_s * 1e9), int(at_s * 1e9)))
            plant.advance(at_s)
            azimuth, tilt = plant.angles_rad
            wrong_angle.append(max(abs(measured.yaw_rad - azimuth), abs(measured.pitch_rad - tilt)))
            azimuth_rate, tilt_rate = plant.rates_rad_s
            expected = [-math.sin(tilt) * azimuth_rate, tilt_rate, math.cos(tilt) * azimuth_rate]
            wrong_rate.append(np.abs(measured.attitude.rate_rad_s - expected).max())
    assert max(wrong_angle) < 1e-6  # float32 on the wire
    assert max(wrong_rate) < 1e-6


def test_an_angle_command_goes_to_that_bearing():
    bench = Bench().run(0.1)
    q = q_frd_from_level_camera(quaternion_from_bearing(0.4, -0.2)).tolist()
    bench.send(bench.encoder.motion(GIMBAL, q_frd_wxyz=tuple(q))).run(5.0)
    state = bench.payload.true_state(0)
    assert (state.azimuth_rad, state.tilt_rad) == pytest.approx((0.4, -0.2), abs=1e-3)


@pytest.mark.parametrize('to', [Sender(1, 171), Sender(2, 154)])
def test_commands_to_another_target_do_not_move_it(to):
    bench = Bench().run(0.1)
    bench.send(bench.encoder.motion(to, wire_rates(0.4, 0.0))).run(1.0)
    assert bench.payload.true_state(0).azimuth_rad == 0.0


@pytest.mark.parametrize(('expiry_s', 'moves'), [(0.0, True), (0.3, False)])
def test_a_rate_command_latches_or_expires_as_told(expiry_s, moves):
    bench = Bench(PayloadOptions(rate_expiry_s=expiry_s)).run(0.1)
    bench.send(bench.encoder.motion(GIMBAL, wire_rates(0.2, 0.0))).run(2.0)
    assert (bench.payload.true_state(0).azimuth_rate_rad_s > 0.1) == moves


def test_zoom_takes_its_time_and_is_reported_by_the_payload_board():
    bench = Bench(PayloadOptions(zoom_max=16.0, zoom_doublings_per_s=1.0)).run(0.1)
    bench.send(zoom_range(CAMERA, 50.0).pack(bench.encoder)).run(1.1)
    assert bench.payload.true_state(0).zoom == pytest.approx(2.0, rel=0.02)
    bench.run(3.0)
    assert bench.payload.true_state(0).zoom == pytest.approx(4.0)
    assert [each.value for each in bench.of(PayloadTelemetry) if each.name == 'EO_ZOOM'][-1] == pytest.approx(4.0)
    assert bench.of(CommandAck)[-1] == CommandAck(CAMERA, 531, 0)


def test_realistic_preset_has_the_faults_it_names():
    preset = PRESETS['realistic']
    quiet = replace(preset, lost_byte_share=0.0)
    bench = Bench(quiet, seed=4).run(30.0)
    triples = [
        dialect.MAVLink(None).parse_buffer(message)[0]
        for _, message in bench.messages
        if int.from_bytes(message[7:10], 'little') == 265
    ]
    zeros = sum(each.pitch == 0.0 and each.yaw == 0.0 for each in triples)
    assert zeros / len(triples) == pytest.approx(0.14, abs=0.06)
    angles = []
    stamping = AttitudeStamping('camera')
    for at_s, event in bench.events:
        if isinstance(event, AttitudeStatus):
            angles.append(stamping.measured(event, Instant(int(at_s * 1e9), int(at_s * 1e9))).yaw_rad)
            # 12 s is what the device's clock shows at the start; each is sent 20 ms after it was measured.
            assert (at_s - (event.time_boot_ms / 1e3 - 12.0)) == pytest.approx(0.020, abs=0.006)
    assert np.degrees(np.std(angles)) == pytest.approx(0.02, rel=0.15)
    lossy = Bench(preset, seed=4).run(30.0)
    assert 0.1 < len(lossy.of(AttitudeStatus)) / len(bench.of(AttitudeStatus)) < 0.5  # 0.98 ** 50 is 0.36


@pytest.mark.parametrize('preset', sorted(PRESETS))
def test_same_seed_same_bytes(preset):
    def bytes_of(seed: int) -> bytes:
        bench = Bench(PRESETS[preset], seed).run(2.0)
        bench.send(bench.encoder.motion(GIMBAL, wire_rates(0.2, 0.1))).run(5.0)
        return b''.join(message for _, message in bench.messages)

    assert bytes_of(3) == bytes_of(3)
    assert (bytes_of(3) != bytes_of(4)) == (preset == 'realistic')


def test_a_late_wake_does_not_send_what_was_missed():
    bench = Bench().run(1.0)
    before = bench.count(285)
    bench.run(3.0, wake_s=2.0)
    assert bench.count(285) - before == 1
