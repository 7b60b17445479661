# SPDX-License-Identifier: Apache-2.0
"""The gimbal, component 154: its parts, its messages to them, and what it sends by itself, how often."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion, yaw_roll_pitch
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_from_camera_flu, level_rates
from gremsy_gimbal_sim.gimbal.gimbal_commands import GimbalCommands
from gremsy_gimbal_sim.gimbal.gimbal_parameter_table import COMBINE_VEHICLE_ATTITUDE, gimbal_parameters
from gremsy_gimbal_sim.gimbal.gimbal_telemetry import GimbalTelemetry
from gremsy_gimbal_sim.gimbal.simulated_modes import SimulatedModes
from gremsy_gimbal_sim.gimbal.simulated_parameters import SimulatedClassicParameters
from gremsy_gimbal_sim.plant.body import GimbalBody
from gremsy_gimbal_sim.plant.simulated_motion import SimulatedMotion
from gremsy_gimbal_sim.wire.component import (
    ACCEPTED,
    DENIED,
    UNSUPPORTED,
    MavlinkComponent,
    Message,
    ReceivedMessage,
    SimulatedDevice,
    heartbeat,
)
from gremsy_gimbal_sim.wire.outbox import StreamSchedule

_HEARTBEAT = int(dialect.MAVLINK_MSG_ID_HEARTBEAT)
_SYSTEM_STATUS = int(dialect.MAVLINK_MSG_ID_SYS_STATUS)
_ATTITUDE = int(dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS)
_VERSION, _FOREIGN = -1, -2  # no message ids: what nobody can ask for

_FASTEST_HZ = 200.0  # "0-200 Hz, only one message above 50 Hz", gimbal.md 1.4
_FAST_HZ = 50.0
# Sine of the angle between where it looks and straight down, below which the quaternion's float32 hold no azimuth.
_STRAIGHT_DOWN = 1e-4
_INFORMATION = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION
_AUTOPILOT_STATE = dialect.MAVLINK_MSG_ID_AUTOPILOT_STATE_FOR_GIMBAL_DEVICE


class SimulatedGimbal(MavlinkComponent):
    """Everything that answers for the gimbal's component.

    Args:
        device: that it belongs to.
        start_s: the first time.
    """

    def __init__(self, device: SimulatedDevice, start_s: float) -> None:
        options = device.options
        super().__init__(device, options.gimbal_component)
        rest_rad = options.rest_tilt_rad if options.start_mode == 'off' else 0.0
        self.body = GimbalBody(options, start_s, rest_rad)
        self.modes = SimulatedModes(options)
        self.motion = SimulatedMotion(options, self.body, self.modes, device.gimbal_chances)
        self.parameters = SimulatedClassicParameters(
            self, gimbal_parameters(options), lambda *_: self._take_parameters()
        )
        self.telemetry = telemetry = GimbalTelemetry(self)
        self._foreign = MavlinkComponent(device, options.foreign_component)
        self._last_heartbeat_s = start_s + (options.heartbeats_end_after_s or math.inf)
        self._streams: dict[int, tuple[float, Callable[[float], Message]]] = {
            _HEARTBEAT: (1.0, lambda _: heartbeat(dialect.MAV_TYPE_GIMBAL)),
            _SYSTEM_STATUS: (1.0, telemetry.system_status),
            _ATTITUDE: (options.attitude_rate_hz, telemetry.attitude),
            dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION: (options.orientation_rate_hz, telemetry.orientation),
            dialect.MAVLINK_MSG_ID_MOUNT_STATUS: (options.encoder_rate_hz, telemetry.encoders),
            dialect.MAVLINK_MSG_ID_RAW_IMU: (options.imu_rate_hz, telemetry.imu),
        }
        if options.protocol == 'v1':
            del self._streams[_ATTITUDE]
        self._restart_streams(start_s)
        self._commands = GimbalCommands(self)
        self.commands = self._commands.table
        self.handlers |= {
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_SET_ATTITUDE: self._set_attitude,
            _AUTOPILOT_STATE: lambda received, now_s: self._feed(_heading(received.fields.q), now_s),
            # ATTITUDE 30, as older firmware takes it: yaw right +.
            dialect.MAVLINK_MSG_ID_ATTITUDE: lambda received, now_s: self._feed(
                level_rates(0.0, received.fields.yaw)[0], now_s
            ),
        }
        self._fed: deque[float] = deque()
        self._messages = 0
        self._take_parameters()

    def power_up(self, now_s: float) -> None:
        """As after switching on; parameters are kept."""
        self.motion.power_up(now_s)
        self._restart_streams(now_s)
        self._commands.power_up()
        self._fed.clear()

    def take(self, received: ReceivedMessage, now_s: float) -> None:
        """A message that may be for it."""
        if not self._overloaded(received.message_id, now_s):
            super().take(received, now_s)

    def advance(self, now_s: float) -> None:
        """Move on."""
        self.motion.before(now_s)
        self.body.advance(now_s)
        self.motion.after()
        self._commands.advance(now_s)

    def _set_attitude(self, received: ReceivedMessage, now_s: float) -> None:
        """284: its flags, then the quaternion if it is given, else the rates."""
        if self.options.protocol == 'v1':
            return
        fields = received.fields
        rates = (fields.angular_velocity_x, fields.angular_velocity_y, fields.angular_velocity_z)
        self.motion.take_flags(fields.flags, now_s)
        if _is_attitude(fields.q):
            self.motion.angles(now_s, *_bearing_and_roll(level_from_camera_flu(fields.q)))
        elif any(map(math.isfinite, rates)):
            self.motion.rates(now_s, *level_rates(rates[1], rates[2]), rates[0])

    def _feed(self, heading_rad: float, now_s: float) -> None:
        """The vehicle's heading by an autopilot; used where RC_REVERSE_AXIS says so."""
        if math.isfinite(heading_rad) and self.parameters['RC_REVERSE_AXIS'] & COMBINE_VEHICLE_ATTITUDE:
            true_heading, _, _ = self.body.vehicle.attitude(now_s)
            self.body.earth.feed(heading_rad, true_heading, now_s)

    def _overloaded(self, message_id: int, now_s: float) -> bool:
        """Too many 286 fill the gimbal's buffer, and of all that comes every other message is lost (gimbal.md 1.6)."""
        limit_hz = self.options.overload_hz
        if not limit_hz:
            return False
        if message_id == _AUTOPILOT_STATE:
            self._fed.append(now_s)
        while self._fed and self._fed[0] <= now_s - 1.0:
            self._fed.popleft()
        self._messages += 1
        return len(self._fed) > limit_hz and self._messages % 2 == 0

    def _take_parameters(self) -> None:
        """Those that do something."""
        body, values = self.body, self.parameters
        tilt, pan, roll = (
            (math.radians(values[f'RC_LIM_MIN_{axis}']), math.radians(values[f'RC_LIM_MAX_{axis}']))
            for axis in ('TILT', 'PAN', 'ROLL')
        )
        # Tilt limits are down +, pan limits right + (gimbal.md 1.7).
        right, left = level_rates(0.0, pan[1])[0], level_rates(0.0, pan[0])[0]
        body.set_soft_limits((right, left), tilt, roll)
        reverse = values['RC_REVERSE_AXIS']
        body.reversed = (-1.0 if reverse & 2 else 1.0, -1.0 if reverse & 1 else 1.0)
        body.shortest = values['CTRL_ANGLE_MODE'] == 0
        body.follow_window_rad = math.radians(values['FLW_WD_PAN'])
        full_s = self.options.smoothing / 100.0
        body.smoothing_s = (values['RC_LPF_PAN'] * full_s, values['RC_LPF_TILT'] * full_s)

    # What it sends by itself.

    def _restart_streams(self, now_s: float) -> None:
        """All intervals are the defaults again; an AEVO's streams wait to be asked for."""
        options = self.options
        waits = options.streams_wait_for_interval or 'AEVO' in options.model
        intervals = {
            key: math.inf if waits and key not in (_HEARTBEAT, _SYSTEM_STATUS) else 1.0 / rate_hz
            for key, (rate_hz, _) in self._streams.items()
        }
        intervals[_VERSION] = options.version_every_s or math.inf
        foreign_hz = options.foreign_orientation_hz
        intervals[_FOREIGN] = 1.0 / foreign_hz if foreign_hz else math.inf
        self.schedule = StreamSchedule(intervals, now_s)

    def set_interval(self, message_id: int, interval_us: float, now_s: float) -> int:
        """511: us, 0 the default, -1 off. Only one stream may be above 50 Hz."""
        if message_id not in self._streams or not math.isfinite(interval_us):
            return UNSUPPORTED
        if interval_us < 0:
            interval_s = math.inf
        elif interval_us == 0:
            interval_s = 1.0 / self._streams[message_id][0]
        else:
            interval_s = max(interval_us * 1e-6, 1.0 / _FASTEST_HZ)
        others = self.schedule.faster_than(_FAST_HZ) - {message_id}
        rule = self.options.fast_streams
        if interval_s * _FAST_HZ < 1.0 - 1e-6 and others and rule != 'allow':
            if rule == 'refuse':
                return DENIED
            interval_s = 1.0 / _FAST_HZ
        self.schedule.set(message_id, interval_s, now_s)
        return ACCEPTED

    def send_once(self, message_id: int, now_s: float) -> int:
        """512; unsupported for what it does not have."""
        if message_id in self._streams:
            self._send_stream(message_id, now_s)
        elif message_id == _INFORMATION and self.options.protocol != 'v1' and self.options.device_information:
            self.send(self.telemetry.information(), now_s)
        else:
            return UNSUPPORTED
        return ACCEPTED

    def send_due(self, now_s: float) -> None:
        """Everything whose time has come."""
        for key in self.schedule.due(now_s):
            self._send_stream(key, now_s)

    def _send_stream(self, key: int, now_s: float) -> None:
        if key == _FOREIGN:
            self._foreign.send(self.telemetry.foreign_orientation(), now_s)
        elif key == _VERSION:
            self.parameters.send('VERSION_X', now_s)
        elif key != _HEARTBEAT or now_s < self._last_heartbeat_s:
            _, build = self._streams[key]
            self.send(build(now_s), now_s + (self.options.attitude_age_s if key == _ATTITUDE else 0.0))


def _bearing_and_roll(level_from_camera_wxyz: NDArray[np.float64]) -> tuple[float, float, float]:
    """Azimuth and tilt of where the camera is to look, and its roll about that, as MAVLink's Euler angles are (3-2-1).

    Of the two ways to express it the one that is not overhead; straight down the roll is 0.
    """
    matrix = matrix_from_quaternion(level_from_camera_wxyz)
    level = math.hypot(matrix[0, 0], matrix[1, 0])
    if level < _STRAIGHT_DOWN:
        return float(yaw_roll_pitch(level_from_camera_wxyz)[0]), math.atan2(-matrix[2, 0], level), 0.0
    azimuth, tilt = math.atan2(matrix[1, 0], matrix[0, 0]), math.atan2(-matrix[2, 0], level)
    roll = math.atan2(matrix[2, 1], matrix[2, 2])
    if abs(roll) > math.pi / 2:
        return (
            azimuth + math.pi,
            math.remainder(math.pi - tilt, 2 * math.pi),
            math.remainder(roll + math.pi, 2 * math.pi),
        )
    return azimuth, tilt, roll


def _is_attitude(q_wxyz: list[float]) -> bool:
    return all(map(math.isfinite, q_wxyz)) and math.hypot(*q_wxyz) > 0


def _heading(q_ned_wxyz: list[float]) -> float:
    """Left + from north; NaN for what is not an attitude."""
    return float(yaw_roll_pitch(level_from_camera_flu(q_ned_wxyz))[0]) if _is_attitude(q_ned_wxyz) else math.nan
