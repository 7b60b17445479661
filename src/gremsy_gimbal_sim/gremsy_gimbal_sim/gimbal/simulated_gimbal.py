# SPDX-License-Identifier: Apache-2.0
"""The gimbal, component 154: its parts, and its messages to them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion, yaw_roll_pitch
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_from_camera_flu, level_rates
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_sim.board.power import Power
from gremsy_gimbal_sim.gimbal.gimbal_commands import GimbalCommands
from gremsy_gimbal_sim.gimbal.gimbal_streams import GimbalStreams
from gremsy_gimbal_sim.gimbal.gimbal_telemetry import GimbalTelemetry
from gremsy_gimbal_sim.gimbal.simulated_modes import ModeMachine
from gremsy_gimbal_sim.gimbal.simulated_parameters import COMBINE_VEHICLE_ATTITUDE, GimbalParameters
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.plant.body import GimbalBody
from gremsy_gimbal_sim.plant.simulated_motion import Motion
from gremsy_gimbal_sim.wire.acknowledgement import Acknowledger
from gremsy_gimbal_sim.wire.outbox import Component, Outbox

# Sine of the angle between where it looks and straight down, below which the quaternion's float32 say no azimuth.
_STRAIGHT_DOWN = 1e-4
_AUTOPILOT_STATE = dialect.MAVLINK_MSG_ID_AUTOPILOT_STATE_FOR_GIMBAL_DEVICE

Fields = tuple[object, ...]
Handler = Callable[[MavlinkFrame, Fields, list[float], float], None]


class Gimbal:
    """Everything that answers for the gimbal's component.

    Args:
        options: all of them.
        power, outbox, acknowledger: shared with the other components.
        seed: of its noise and its chances.
        start_s: the first time.
    """

    def __init__(
        self,
        options: PayloadOptions,
        power: Power,
        outbox: Outbox,
        acknowledger: Acknowledger,
        seed: int,
        start_s: float,
    ) -> None:
        self._options = options
        self.component = Component(options.system, options.gimbal_component)
        chances = np.random.default_rng([seed, 1])
        rest_rad = options.rest_tilt_rad if options.start_mode == 'off' else 0.0
        self.body = GimbalBody(options, start_s, rest_rad)
        self.modes = ModeMachine(options)
        self.motion = Motion(options, self.body, self.modes, chances)
        self._telemetry = GimbalTelemetry(options, self.body, self.modes, power, np.random.default_rng([seed, 0]))
        self.parameters = GimbalParameters(options, self.component, outbox, chances, self._parameter_changed)
        self.streams = GimbalStreams(options, self.component, outbox, self._telemetry, self.parameters, start_s)
        self._commands = GimbalCommands(
            options,
            self.component,
            acknowledger,
            self.streams,
            self.motion,
            self.body,
            power,
            self._telemetry,
        )
        # Each with the place of the target's system and component among the message's fields, in the order of the wire.
        self._handlers: dict[int, tuple[Handler, int | None]] = {
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_SET_ATTITUDE: (self._set_attitude, 8),
            dialect.MAVLINK_MSG_ID_COMMAND_LONG: (self._command, 8),
            _AUTOPILOT_STATE: (self._autopilot_state, 12),
            dialect.MAVLINK_MSG_ID_ATTITUDE: (self._vehicle_attitude, None),
            dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ: (self._read, 1),
            dialect.MAVLINK_MSG_ID_PARAM_REQUEST_LIST: (self._list, 0),
            dialect.MAVLINK_MSG_ID_PARAM_SET: (self._set, 1),
        }
        self._fed: deque[float] = deque()
        self._heard = 0
        self._take_parameters()

    def power_up(self, now_s: float) -> None:
        """As after switching on; parameters are kept."""
        self.motion.power_up(now_s)
        self.streams.power_up(now_s)
        self._commands.power_up()
        self._fed.clear()

    def take(self, frame: MavlinkFrame, fields: Fields, now_s: float) -> None:
        """A message that may be for it."""
        if self._drowns(frame.message_id, now_s):
            return
        handler, target_at = self._handlers.get(frame.message_id, (None, None))
        if handler is None:
            return
        numbers: list[float] = [each if isinstance(each, int | float) else 0.0 for each in fields]
        if target_at is None or self.component.is_named(int(numbers[target_at]), int(numbers[target_at + 1])):
            handler(frame, fields, numbers, now_s)

    def advance(self, now_s: float) -> None:
        """Move on."""
        self.motion.before(now_s)
        self.body.advance(now_s)
        self.motion.after()
        self._commands.advance(now_s)

    def _set_attitude(self, _frame: MavlinkFrame, _fields: Fields, numbers: list[float], now_s: float) -> None:
        """284: its flags, then the quaternion if it is given, else the rates."""
        if self._options.protocol == 'v1':
            return
        q, rates = numbers[:4], numbers[4:7]
        self.motion.take_flags(int(numbers[7]), now_s)
        if all(map(math.isfinite, q)) and math.hypot(*q) > 0:
            self.motion.angles(now_s, *_bearing_and_roll(level_from_camera_flu(q)))
        elif any(map(math.isfinite, rates)):
            self.motion.rates(now_s, *level_rates(rates[1], rates[2]), rates[0])

    def _command(self, frame: MavlinkFrame, _fields: Fields, numbers: list[float], now_s: float) -> None:
        self._commands.take(int(numbers[7]), numbers[:7], frame, now_s)

    def _autopilot_state(self, _frame: MavlinkFrame, _fields: Fields, numbers: list[float], now_s: float) -> None:
        self._feed(_heading(numbers[1:5]), now_s)

    def _vehicle_attitude(self, _frame: MavlinkFrame, _fields: Fields, numbers: list[float], now_s: float) -> None:
        """30, as older firmware takes it: yaw right +."""
        self._feed(level_rates(0.0, numbers[3])[0], now_s)

    def _read(self, _frame: MavlinkFrame, fields: Fields, numbers: list[float], now_s: float) -> None:
        self.parameters.read(int(numbers[0]), _bytes(fields[3]), now_s)

    def _list(self, _frame: MavlinkFrame, _fields: Fields, _numbers: list[float], now_s: float) -> None:
        self.parameters.send_all(now_s)

    def _set(self, _frame: MavlinkFrame, fields: Fields, numbers: list[float], now_s: float) -> None:
        self.parameters.set(_bytes(fields[3]), numbers[0], now_s)

    def _feed(self, heading_rad: float, now_s: float) -> None:
        """The vehicle's heading by an autopilot; used where RC_REVERSE_AXIS says so."""
        if math.isfinite(heading_rad) and self.parameters['RC_REVERSE_AXIS'] & COMBINE_VEHICLE_ATTITUDE:
            true_heading, _, _ = self.body.vehicle.attitude(now_s)
            self.body.earth.feed(heading_rad, true_heading, now_s)

    def _drowns(self, message_id: int, now_s: float) -> bool:
        """Too many 286 fill the gimbal's buffer, and of all that comes every other message is lost (gimbal.md 1.6)."""
        limit_hz = self._options.overload_hz
        if not limit_hz:
            return False
        if message_id == _AUTOPILOT_STATE:
            self._fed.append(now_s)
        while self._fed and self._fed[0] <= now_s - 1.0:
            self._fed.popleft()
        self._heard += 1
        return len(self._fed) > limit_hz and self._heard % 2 == 0

    def _parameter_changed(self, _name: str, _value: int) -> None:
        self._take_parameters()

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
        full_s = self._options.smoothing / 100.0
        body.smoothing_s = (values['RC_LPF_PAN'] * full_s, values['RC_LPF_TILT'] * full_s)
        self._telemetry.encoder_counts = values['MAV_TS_ENCNT'] == 1


def _bearing_and_roll(level_from_camera_wxyz: NDArray[np.float64]) -> tuple[float, float, float]:
    """Azimuth and tilt of where the camera is to look, and its roll about that, as MAVLink's Euler angles are (3-2-1).

    Of the two ways to say it the one that is not overhead; straight down the roll is 0.
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


def _heading(q_ned_wxyz: list[float]) -> float:
    """Left + from north; NaN for what is no attitude."""
    if not all(map(math.isfinite, q_ned_wxyz)) or math.hypot(*q_ned_wxyz) == 0:
        return math.nan
    return float(yaw_roll_pitch(level_from_camera_flu(q_ned_wxyz))[0])


def _bytes(field: object) -> bytes:
    return field if isinstance(field, bytes) else b''
