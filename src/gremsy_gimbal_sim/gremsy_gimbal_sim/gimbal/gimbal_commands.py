# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONG to the gimbal (gimbal.md 1.6)."""

from __future__ import annotations

import math
from collections.abc import Callable

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_rates
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.board.power import Power
from gremsy_gimbal_sim.gimbal import gimbal_telemetry as telemetry
from gremsy_gimbal_sim.gimbal.gimbal_streams import GimbalStreams
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.plant.body import GimbalBody
from gremsy_gimbal_sim.plant.simulated_motion import Motion
from gremsy_gimbal_sim.wire.acknowledgement import Acknowledger, whole
from gremsy_gimbal_sim.wire.outbox import Component

ACCEPTED = int(dialect.MAV_RESULT_ACCEPTED)
DENIED = int(dialect.MAV_RESULT_DENIED)
UNSUPPORTED = int(dialect.MAV_RESULT_UNSUPPORTED)
IN_PROGRESS = int(dialect.MAV_RESULT_IN_PROGRESS)

_MAVLINK_TARGETING = int(dialect.MAV_MOUNT_MODE_MAVLINK_TARGETING)
_RC_TARGETING = int(dialect.MAV_MOUNT_MODE_RC_TARGETING)
_ANGLE_INPUT, _RATE_INPUT = 1, 2
_PROGRESS_EVERY_S = 1.0
# From an acknowledgement to the silence of the reboot that it announces.
_LAST_WORDS_S = 0.1
_AUTOTUNE_RUNS_S = 2.0
_DOWN_RAD = math.radians(90.0)
_MODES_V1 = {0: GimbalMode.OFF, 1: GimbalMode.LOCK, 2: GimbalMode.FOLLOW}


class GimbalCommands:
    """Does commands and acknowledges them.

    Args:
        options: the commands'.
        gimbal: who answers.
        acknowledger, streams, motion, body, power: of the same gimbal.
        status: its telemetry, which shows what runs.
    """

    def __init__(
        self,
        options: PayloadOptions,
        gimbal: Component,
        acknowledger: Acknowledger,
        streams: GimbalStreams,
        motion: Motion,
        body: GimbalBody,
        power: Power,
        status: telemetry.GimbalTelemetry,
    ) -> None:
        self._options = options
        self._gimbal = gimbal
        self._acknowledger = acknowledger
        self._streams = streams
        self._motion = motion
        self._body = body
        self._power = power
        self._status = status
        self._axis_input = 0
        self._busy_until_s = -math.inf
        self._handlers: dict[int, Callable[[list[float], MavlinkFrame, float], int]] = {
            dialect.MAV_CMD_SET_MESSAGE_INTERVAL: self._set_interval,
            dialect.MAV_CMD_REQUEST_MESSAGE: self._send_once,
            dialect.MAV_CMD_DO_MOUNT_CONTROL: self._mount_control,
            dialect.MAV_CMD_DO_MOUNT_CONFIGURE: self._mount_configure,
            dialect.MAV_CMD_USER_1: self._motors,
            dialect.MAV_CMD_USER_2: self._mode,
            dialect.MAV_CMD_USER_3: self._autotune,
            dialect.MAV_CMD_DO_SET_HOME: self._set_home,
            dialect.MAV_CMD_GIMBAL_REQUEST_AXIS_CALIBRATION: self._calibrate,
            dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: self._reboot,
        }

    def take(self, command: int, parameters: list[float], frame: MavlinkFrame, now_s: float) -> None:
        """Do it, and say how it went."""
        handler = self._handlers.get(command)
        result = UNSUPPORTED if handler is None else handler(parameters, frame, now_s)
        progress = 5 if result == IN_PROGRESS else 0  # the vendor's own: 5 while it runs, 0 when done
        self._acknowledger.send(self._gimbal, command, result, frame, now_s, progress)

    def advance(self, now_s: float) -> None:
        """What was begun may be over."""
        if now_s >= self._busy_until_s:
            self._status.busy_bits = 0
            self._busy_until_s = math.inf

    def power_up(self) -> None:
        """As after switching on."""
        self._axis_input = 0
        self._status.busy_bits = 0
        self._busy_until_s = math.inf

    def _set_interval(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        return self._streams.set_interval(whole(parameters[0]), parameters[1], now_s)

    def _send_once(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        return ACCEPTED if self._streams.send_once(whole(parameters[0]), now_s) else UNSUPPORTED

    def _mount_control(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        """205: pitch up +, roll, yaw right +, deg or deg/s; as an angle it may go beyond half a turn."""
        pitch, roll, yaw, _, _, input_mode, targeting = parameters
        if whole(targeting) != _MAVLINK_TARGETING or not (math.isfinite(pitch) and math.isfinite(yaw)):
            return DENIED
        kind = whole(input_mode)
        if kind == 0 and self._options.v1_mode_0 == 'angle':
            kind = _RATE_INPUT if self._axis_input == 1 else _ANGLE_INPUT
        if self._options.v1_pan_inverted:
            yaw = -yaw
        azimuth, tilt = level_rates(math.radians(pitch), math.radians(yaw))
        if kind == _ANGLE_INPUT:
            self._motion.angles(now_s, azimuth, tilt, math.radians(roll), exactly=True)
        elif kind == _RATE_INPUT:
            self._motion.rates(now_s, azimuth, tilt, math.radians(roll))
        else:
            return DENIED
        return ACCEPTED

    def _mount_configure(self, parameters: list[float], _frame: MavlinkFrame, _now_s: float) -> int:
        """204: who steers; the last three say per axis what 205 without an input mode means (before 2022)."""
        kind = whole(parameters[0])
        if kind not in (_MAVLINK_TARGETING, _RC_TARGETING):
            return UNSUPPORTED
        self._motion.listens = kind == _MAVLINK_TARGETING
        self._axis_input = whole(parameters[6])
        return ACCEPTED

    def _motors(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        self._motion.set_mode(GimbalMode.FOLLOW if whole(parameters[6]) else GimbalMode.OFF, now_s)
        return ACCEPTED

    def _mode(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        """31011: p7 the mode; where that is reset, p6 says to where."""
        mode, reset = whole(parameters[6]), whole(parameters[5])
        if mode in _MODES_V1:
            self._motion.set_mode(_MODES_V1[mode], now_s)
            return ACCEPTED
        if mode != 4:
            return UNSUPPORTED
        pan, tilt = self._body.angles_rad
        homes = {0: (0.0, 0.0), 1: (0.0, tilt), 3: (0.0, 0.0), 11: (0.0, _DOWN_RAD), 12: (pan, _DOWN_RAD)}
        if reset == 13:
            self._motion.set_mode(GimbalMode.MAPPING, now_s)
        elif reset in homes:
            self._motion.set_mode(GimbalMode.HOME, now_s, homes[reset])
        else:
            return UNSUPPORTED
        return ACCEPTED

    def _autotune(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        """31012: it runs, and ends in a reboot."""
        if whole(parameters[6]) == 1:
            self._begin(telemetry.STATUS_AUTOTUNE, now_s, _AUTOTUNE_RUNS_S)
            self._power.plan(now_s + _AUTOTUNE_RUNS_S, self._options.autotune_s)
        else:
            self._power.plan(now_s + _LAST_WORDS_S, self._options.autotune_s)
        return ACCEPTED

    def _set_home(self, parameters: list[float], frame: MavlinkFrame, now_s: float) -> int:
        bits = {1: telemetry.STATUS_CALIBRATION, 2: telemetry.STATUS_SEARCH_HOME}.get(whole(parameters[6]))
        return self._run(dialect.MAV_CMD_DO_SET_HOME, bits, frame, now_s)

    def _calibrate(self, parameters: list[float], frame: MavlinkFrame, now_s: float) -> int:
        bits = telemetry.STATUS_CALIBRATION if whole(parameters[6]) in (1, 2) else None
        return self._run(dialect.MAV_CMD_GIMBAL_REQUEST_AXIS_CALIBRATION, bits, frame, now_s)

    def _run(self, command: int, bits: int | None, frame: MavlinkFrame, now_s: float) -> int:
        """Something that takes its time, with its progress acknowledged every second."""
        if bits is None:
            return UNSUPPORTED
        lasts_s = self._options.calibration_s
        if lasts_s == 0:
            return ACCEPTED
        self._begin(bits, now_s, lasts_s)
        for number in range(1, math.ceil(lasts_s / _PROGRESS_EVERY_S)):
            at_s = now_s + number * _PROGRESS_EVERY_S
            self._acknowledger.send(self._gimbal, command, IN_PROGRESS, frame, at_s, progress=5)
        self._acknowledger.send(self._gimbal, command, ACCEPTED, frame, now_s + lasts_s)
        return IN_PROGRESS

    def _begin(self, bits: int, now_s: float, lasts_s: float) -> None:
        self._status.busy_bits = bits
        self._busy_until_s = now_s + lasts_s

    def _reboot(self, parameters: list[float], _frame: MavlinkFrame, now_s: float) -> int:
        """246: p4 1 of bare gimbals, or p3 1 reboot, 2 shutdown with the component in p4."""
        third, fourth = whole(parameters[2]), whole(parameters[3])
        if fourth == self._gimbal.component and third in (1, 2):
            self._power.plan(now_s + _LAST_WORDS_S, self._options.boot_s if third == 1 else math.inf)
        elif fourth == 1:
            self._power.plan(now_s + _LAST_WORDS_S, self._options.boot_s)
        else:
            return UNSUPPORTED
        return ACCEPTED
