# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONG to the gimbal (gimbal.md 1.6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_rates
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.gimbal import gimbal_telemetry as telemetry
from gremsy_gimbal_sim.wire.component import ACCEPTED, DENIED, UNSUPPORTED, Command, Running, whole

if TYPE_CHECKING:
    from gremsy_gimbal_sim.gimbal.simulated_gimbal import SimulatedGimbal

_MAVLINK_TARGETING = int(dialect.MAV_MOUNT_MODE_MAVLINK_TARGETING)
_RC_TARGETING = int(dialect.MAV_MOUNT_MODE_RC_TARGETING)
_ANGLE_INPUT, _RATE_INPUT = 1, 2
# From an acknowledgement to the silence of the reboot that it announces.
_REBOOTS_AFTER_S = 0.1
_AUTOTUNE_RUNS_S = 2.0
_DOWN_RAD = math.radians(90.0)
_MODES_V1 = {0: GimbalMode.OFF, 1: GimbalMode.LOCK, 2: GimbalMode.FOLLOW}


class GimbalCommands:
    """What each command does to the gimbal."""

    def __init__(self, gimbal: SimulatedGimbal) -> None:
        self._gimbal = gimbal
        self._options = gimbal.options
        self._power = gimbal.device.power
        self._motion = motion = gimbal.motion
        self.power_up()
        self.table: dict[int, Command] = {
            dialect.MAV_CMD_SET_MESSAGE_INTERVAL: lambda p, now_s: gimbal.set_interval(whole(p[0]), p[1], now_s),
            dialect.MAV_CMD_REQUEST_MESSAGE: lambda p, now_s: gimbal.send_once(whole(p[0]), now_s),
            dialect.MAV_CMD_DO_MOUNT_CONTROL: self._mount_control,
            dialect.MAV_CMD_DO_MOUNT_CONFIGURE: self._mount_configure,
            dialect.MAV_CMD_USER_1: lambda p, now_s: motion.set_mode(
                GimbalMode.FOLLOW if whole(p[6]) else GimbalMode.OFF, now_s
            ),
            dialect.MAV_CMD_USER_2: self._mode,
            dialect.MAV_CMD_USER_3: self._autotune,
            dialect.MAV_CMD_DO_SET_HOME: lambda p, now_s: self._run(
                {1: telemetry.STATUS_CALIBRATION, 2: telemetry.STATUS_SEARCH_HOME}.get(whole(p[6])), now_s
            ),
            dialect.MAV_CMD_GIMBAL_REQUEST_AXIS_CALIBRATION: lambda p, now_s: self._run(
                telemetry.STATUS_CALIBRATION if whole(p[6]) in (1, 2) else None, now_s
            ),
            dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: self._reboot,
        }

    def advance(self, now_s: float) -> None:
        """What was begun may be over."""
        if now_s >= self._busy_until_s:
            self._busy(0, math.inf)

    def power_up(self) -> None:
        """As after switching on."""
        self._axis_input = 0
        self._busy(0, math.inf)

    def _mount_control(self, parameters: list[float], now_s: float) -> int:
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

    def _mount_configure(self, parameters: list[float], _now_s: float) -> int:
        """204: who steers; the last three say per axis what 205 without an input mode means (before 2022)."""
        kind = whole(parameters[0])
        if kind not in (_MAVLINK_TARGETING, _RC_TARGETING):
            return UNSUPPORTED
        self._motion.listens = kind == _MAVLINK_TARGETING
        self._axis_input = whole(parameters[6])
        return ACCEPTED

    def _mode(self, parameters: list[float], now_s: float) -> int:
        """31011: p7 the mode; where that is reset, p6 says to where."""
        mode, reset = whole(parameters[6]), whole(parameters[5])
        pan, tilt = self._gimbal.body.angles_rad
        homes = {0: (0.0, 0.0), 1: (0.0, tilt), 3: (0.0, 0.0), 11: (0.0, _DOWN_RAD), 12: (pan, _DOWN_RAD)}
        if mode in _MODES_V1:
            self._motion.set_mode(_MODES_V1[mode], now_s)
        elif mode == 4 and reset == 13:
            self._motion.set_mode(GimbalMode.MAPPING, now_s)
        elif mode == 4 and reset in homes:
            self._motion.set_mode(GimbalMode.HOME, now_s, homes[reset])
        else:
            return UNSUPPORTED
        return ACCEPTED

    def _autotune(self, parameters: list[float], now_s: float) -> None:
        """31012: it runs, and ends in a reboot."""
        ends_s = now_s + _REBOOTS_AFTER_S
        if whole(parameters[6]) == 1:
            ends_s = now_s + _AUTOTUNE_RUNS_S
            self._busy(telemetry.STATUS_AUTOTUNE, ends_s)
        self._power.plan(ends_s, self._options.autotune_s)

    def _run(self, bits: int | None, now_s: float) -> int | Running:
        """Something that takes its time."""
        if bits is None:
            return UNSUPPORTED
        lasts_s = self._options.calibration_s
        if lasts_s == 0:
            return ACCEPTED
        self._busy(bits, now_s + lasts_s)
        return Running(lasts_s)

    def _busy(self, bits: int, until_s: float) -> None:
        self._gimbal.telemetry.busy_bits, self._busy_until_s = bits, until_s

    def _reboot(self, parameters: list[float], now_s: float) -> int:
        """246: p4 1 of bare gimbals, or p3 1 reboot, 2 shutdown with the component in p4."""
        third, fourth = whole(parameters[2]), whole(parameters[3])
        by_component = fourth == self._options.gimbal_component and third in (1, 2)
        if not by_component and fourth != 1:
            return UNSUPPORTED
        shuts_down = by_component and third == 2
        self._power.plan(now_s + _REBOOTS_AFTER_S, math.inf if shuts_down else self._options.boot_s)
        return ACCEPTED
