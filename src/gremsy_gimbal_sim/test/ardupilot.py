# SPDX-License-Identifier: Apache-2.0
"""An autopilot as ArduPilot's Gremsy back end asks a gimbal, message by message, in invented time.

From ArduPilot's `libraries/AP_Mount/AP_Mount_Gremsy.cpp` (01ae266): it waits for a heartbeat of type gimbal from
component 154 or 171 on; asks for 283 by 512 once a second until it comes; then sends 286 at 50 Hz, and at each update
of the mount (50 Hz) a 284 from 1/1: an angle as a quaternion with rates of NaN, a rate with a quaternion of NaN, with
all three lock flags where the target is in the earth's frame and none where it is in the vehicle's. NEUTRAL is the
angle 0. RETRACT is a 284 with that flag and rates of 0, and behind it, in the same update, the angle 0 without it.
"""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.payload_fixture import InstantPayload

UPDATE_S = 0.02
_EARTH_FRAME = (
    dialect.GIMBAL_DEVICE_FLAGS_ROLL_LOCK
    | dialect.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
    | dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
)
_NAN3, _NAN4 = (math.nan,) * 3, [math.nan] * 4
_CRITICAL = sum(
    getattr(dialect, f'GIMBAL_DEVICE_ERROR_FLAGS_{what}_ERROR')
    for what in ('ENCODER', 'POWER', 'MOTOR', 'SOFTWARE', 'COMMS')
)


class ArduPilot:
    """Call `run` with what is to be asked at each update; `heading_deg` of the vehicle is what 286 tells."""

    def __init__(self, payload: InstantPayload) -> None:
        self._payload = payload
        self._voice = dialect.MAVLink(None, 1, dialect.MAV_COMP_ID_AUTOPILOT1)
        self._system = payload.payload.options.system
        self._beat_s = 0.0
        self.heading_deg = 0.0

    def find(self, within_s: float = 5.0) -> dialect.MAVLink_message:
        """The gimbal's 283; it fails where none comes."""
        begun_s, asked_s = self._payload.now_s, -math.inf
        while not (found := self._payload.messages(283, begun_s)):
            assert self._payload.now_s < begun_s + within_s, 'no GIMBAL_DEVICE_INFORMATION came'
            self._beat()
            has_heartbeat = any(message.type == dialect.MAV_TYPE_GIMBAL for _, message in self._payload.messages(0))
            if has_heartbeat and self._payload.now_s >= asked_s + 1.0:
                asked_s = self._payload.now_s
                command = dialect.MAV_CMD_REQUEST_MESSAGE
                self._tell(dialect.MAVLink_command_long_message(self._system, 154, command, 0, 283.0, 0, 0, 0, 0, 0, 0))
            self._payload.run(self._payload.now_s + UPDATE_S)
        return found[0][1]

    @property
    def healthy(self) -> bool:
        """As its `healthy()`: an attitude within the last second, without a critical failure."""
        attitudes = self._payload.messages(285, self._payload.now_s - 1.0)
        return bool(attitudes) and not attitudes[-1][1].failure_flags & _CRITICAL

    def run(self, seconds: float, *asks: object) -> None:
        """Each of `asks` (a bound method and its arguments in a tuple) at every update, and 286."""
        for _ in range(round(seconds / UPDATE_S)):
            self._beat()
            self._state()
            for ask, *values in asks:
                ask(*values)
            self._payload.run(self._payload.now_s + UPDATE_S)

    def angle(self, pitch_deg: float, yaw_deg: float, earth_frame: bool = False) -> None:
        """Pitch up +, yaw right +."""
        half_pitch, half_yaw = math.radians(pitch_deg) / 2, math.radians(yaw_deg) / 2
        cp, sp, cy, sy = math.cos(half_pitch), math.sin(half_pitch), math.cos(half_yaw), math.sin(half_yaw)
        self._set([cy * cp, -sy * sp, cy * sp, sy * cp], _NAN3, _EARTH_FRAME if earth_frame else 0)

    def rate(self, pitch_deg_s: float, yaw_deg_s: float, earth_frame: bool = False) -> None:
        """Pitch up +, yaw right +."""
        rates = (0.0, math.radians(pitch_deg_s), math.radians(yaw_deg_s))
        self._set(_NAN4, rates, _EARTH_FRAME if earth_frame else 0)

    def retract(self) -> None:
        """Both messages of one update."""
        self._set(_NAN4, (0.0, 0.0, 0.0), dialect.GIMBAL_DEVICE_FLAGS_RETRACT)
        self.angle(0.0, 0.0)

    def _set(self, q: list[float], rates: tuple[float, float, float], flags: int) -> None:
        self._tell(dialect.MAVLink_gimbal_device_set_attitude_message(self._system, 154, flags, q, *rates))

    def _state(self) -> None:
        half = math.radians(self.heading_deg) / 2
        self._tell(
            dialect.MAVLink_autopilot_state_for_gimbal_device_message(
                self._system, 154, round(self._payload.now_s * 1e6), [math.cos(half), 0.0, 0.0, math.sin(half)], 0,
                0.0, 0.0, 0.0, 0, 0.0, dialect.ESTIMATOR_ATTITUDE, dialect.MAV_LANDED_STATE_IN_AIR,
            )
        )  # fmt: skip

    def _beat(self) -> None:
        if self._payload.now_s >= self._beat_s:
            self._beat_s = self._payload.now_s + 1.0
            kind, autopilot = dialect.MAV_TYPE_QUADROTOR, dialect.MAV_AUTOPILOT_ARDUPILOTMEGA
            self._tell(dialect.MAVLink_heartbeat_message(kind, autopilot, 0, 0, dialect.MAV_STATE_ACTIVE, 3))

    def _tell(self, message: dialect.MAVLink_message) -> None:
        self._payload.write(bytes(message.pack(self._voice)))
        self._voice.seq = (self._voice.seq + 1) % 256
