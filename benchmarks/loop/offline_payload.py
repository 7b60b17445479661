# SPDX-License-Identifier: Apache-2.0
"""The gimbal's side of the offline loop: setpoints in, attitudes out, by the driver's rules and the wire's bytes.

`MotionControl`, the MAVLink encoder and decoder and the simulated payload are the suite's own; only the threads and the
link are left out, so that a run in invented time gives the same motion bit for bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.pointing.pointing_driver import calibrated
from gremsy_camera.scene.scene import View
from gremsy_common.errors import SuiteError
from gremsy_common.geometry import (
    multiply_quaternions,
    quaternion_from_bearing,
    quaternion_from_rotation_vector,
)
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading, RateSetpoint, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping
from gremsy_gimbal_driver.attitude.level_heading import LevelHeadings
from gremsy_gimbal_driver.device.payload_readings import ImuConversion
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import FLAGS_FOLLOW, MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, RawImu, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import wire_rates
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_gimbal_sim.payload import SimulatedPayload

_OWN = Sender(1, 191)
_VEHICLE_PERIOD_NS = 20_000_000
_VEHICLE_AGE_NS = 20_000_000
_ATTITUDE_HZ = 50.0  # what the driver asks a gimbal for


class OfflinePayload:
    """A payload and its driver on one clock, ns; call `advance` often (every millisecond) and in order.

    Args:
        preset: of the payload: `ideal`, `gremsy` or `realistic`.
        start_ns: the first time.
        level_frame: of the setpoints.
        seed: of the payload's random faults.
        changes: of the preset's options. But for `moving`, its 285 is that of before 7.8.7, which tells of no vehicle.
        fed_s: for so long the driver is fed the vehicle's attitude, 50 times a second and 20 ms old.
    """

    def __init__(
        self,
        preset: str,
        start_ns: int,
        level_frame: str,
        seed: int,
        changes: Mapping[str, Any] | None = None,
        *,
        fed_s: float = 0.0,
    ) -> None:
        without_vehicle = {} if preset == 'moving' else {'attitude_extensions': False, 'yaw_frame_flags': False}
        options = replace(PRESETS[preset], attitude_rate_hz=_ATTITUDE_HZ, **{**without_vehicle, **(changes or {})})
        self.plant = options.plant
        self.refused: list[str] = []
        self._payload = SimulatedPayload(options, seed, start_ns * 1e-9, speaks_first=True)
        # The demo's calibration: the inverse knows the dead zone, the link's delay is the telemetry's age.
        parameters = MotionParameters(
            frame_prefix=level_frame.removesuffix('gimbal_level'), **asdict(calibrated(options.plant))
        )
        self._motion = MotionControl(parameters, self.refused.append, lambda _: None)
        self._encoder = MavlinkEncoder(_OWN)
        self._gimbal = Sender(options.system, options.gimbal_component)
        self._decoder = MavlinkDecoder(_OWN, self._gimbal)
        self._stamping = AttitudeStamping('camera', round(options.attitude_age_s * 1e9))
        self._wake_ns: int | None = 0
        self._imu = ImuConversion('camera')
        self._level_headings = LevelHeadings(level_frame)
        self._fed_until_ns = start_ns + fed_s * 1e9
        self._vehicles: deque[VehicleAttitude] = deque()
        self._next_vehicle_ns = start_ns
        self.mode_flags = FLAGS_FOLLOW
        """Of the mode that goes with each command."""
        self.headings: list[LevelHeading] = []
        """What `gimbal/heading` carried since the last `advance`."""

    def offer(self, setpoint: RateSetpoint, now_ns: int) -> None:
        """What `gimbal/setpoint` would carry."""
        self._motion.offer(Source.TRACKER, setpoint, Instant(now_ns, now_ns))
        self._wake_ns = now_ns

    def advance(self, now_ns: int) -> list[GimbalAttitude]:
        """Move on to this time; the attitudes that arrived."""
        now = Instant(now_ns, now_ns)
        attitudes = []
        self.headings = []
        self._feed(now_ns)
        for message in self._payload.advance(now_ns * 1e-9):
            for event in self._decoder.feed(message, True):
                if isinstance(event, RawImu) and (reading := self._imu.reading(event, now)) is not None:
                    self._level_headings.imu(reading)
                measured = self._stamping.measured(event, now) if isinstance(event, AttitudeStatus) else None
                if measured is not None:
                    speed = math.hypot(*measured.attitude.rate_rad_s.tolist())
                    self._motion.attitude((measured.yaw_rad, measured.pitch_rad), now, speed)
                    attitudes.append(measured.attitude)
                    self._keep_heading(self._level_headings.attitude(measured))
        if attitudes and not self._motion.armed:
            self._arm(now)
        if attitudes or (self._wake_ns is not None and now_ns >= self._wake_ns):
            output, self._wake_ns = self._motion.step(now)
            # Rates only: the bench asks for no goal.
            if output is not None and output.rates_rad_s is not None:
                rates = wire_rates(*output.rates_rad_s)
                self._payload.receive(
                    self._encoder.motion(self._gimbal, rates, flags=self.mode_flags), now_ns * 1e-9, True
                )
        return attitudes

    def true_view(self) -> View:
        """Where the camera looks at the newest time."""
        state = self._payload.true_state(0)
        return View(state.azimuth_rad, state.tilt_rad, state.zoom)

    def _feed(self, now_ns: int) -> None:
        """The vehicle's attitude: measured now, and what was measured 20 ms ago arrives."""
        while self._vehicles and self._vehicles[0].stamp_ns <= now_ns - _VEHICLE_AGE_NS:
            self._keep_heading(self._level_headings.vehicle(self._vehicles.popleft()))
        if self._next_vehicle_ns <= now_ns < self._fed_until_ns:
            self._next_vehicle_ns += _VEHICLE_PERIOD_NS
            body = self._payload.gimbal.body
            heading, pitch, roll = body.vehicle.attitude(now_ns * 1e-9)
            attitude = multiply_quaternions(
                quaternion_from_bearing(heading, pitch), quaternion_from_rotation_vector([roll, 0.0, 0.0])
            )
            unknown = np.full(3, math.nan)
            rate = np.array([0.0, 0.0, body.heading_rate_rad_s]) if pitch == roll == 0.0 else unknown
            self._vehicles.append(VehicleAttitude(now_ns, 'vehicle', 'earth', attitude, rate, unknown, unknown))

    def _keep_heading(self, heading: LevelHeading | None) -> None:
        if heading is not None:
            self.headings.append(heading)

    def _arm(self, now: Instant) -> None:
        answer = self._motion.arm(True, now)
        if not answer.done:
            raise SuiteError(answer.text)
