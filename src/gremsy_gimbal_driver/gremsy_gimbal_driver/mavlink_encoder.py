# SPDX-License-Identifier: Apache-2.0
"""Our messages as MAVLink 2 bytes; angles and rates in the wire's own axes (`mavlink_frames`)."""

from __future__ import annotations

import math
import threading

from gremsy_gimbal_driver.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink_events import Sender

FLAGS_FOLLOW = dialect.GIMBAL_DEVICE_FLAGS_ROLL_LOCK | dialect.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
"""What the vendor's SDK sends in follow mode: roll and pitch held level, yaw goes with the vehicle (gimbal.md 1.7)."""

FLAGS_LOCK = FLAGS_FOLLOW | dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK

_NAN4 = [math.nan] * 4
# What both of the vendor's SDKs call themselves (gimbal.md 1.3).
_OUR_TYPE = dialect.MAV_TYPE_ONBOARD_CONTROLLER
_RANGE_PERCENT = 2


class Encoder:
    """Packs messages of one sender, numbering them in order; may be used from several threads."""

    def __init__(self, own: Sender) -> None:
        self._mavlink = dialect.MAVLink(None, srcSystem=own.system, srcComponent=own.component)
        self._lock = threading.Lock()

    def heartbeat(self) -> bytes:
        """HEARTBEAT 0: a gimbal is silent until it hears one."""
        return self._pack(
            dialect.MAVLink_heartbeat_message(
                _OUR_TYPE, dialect.MAV_AUTOPILOT_INVALID, 0, 0, dialect.MAV_STATE_ACTIVE, 3
            )
        )

    def rates(self, gimbal: Sender, rates_frd_rad_s: tuple[float, float, float], flags: int = FLAGS_FOLLOW) -> bytes:
        """GIMBAL_DEVICE_SET_ATTITUDE 284 as a rate command: roll, pitch, yaw rates; the quaternion is NaN, not used."""
        return self._pack(
            dialect.MAVLink_gimbal_device_set_attitude_message(
                gimbal.system, gimbal.component, flags, _NAN4, *rates_frd_rad_s
            )
        )

    def attitude(
        self, gimbal: Sender, q_frd_wxyz: tuple[float, float, float, float], flags: int = FLAGS_FOLLOW
    ) -> bytes:
        """GIMBAL_DEVICE_SET_ATTITUDE 284 as an angle command; the rates are NaN, not used."""
        return self._pack(
            dialect.MAVLink_gimbal_device_set_attitude_message(
                gimbal.system, gimbal.component, flags, list(q_frd_wxyz), math.nan, math.nan, math.nan
            )
        )

    def message_interval(self, to: Sender, message_id: int, interval_us: int) -> bytes:
        """COMMAND_LONG 511: how often to send that message; 0 is the device's default, -1 never."""
        return self.command(to, dialect.MAV_CMD_SET_MESSAGE_INTERVAL, float(message_id), float(interval_us))

    def request_message(self, to: Sender, message_id: int) -> bytes:
        """COMMAND_LONG 512: send that message once."""
        return self.command(to, dialect.MAV_CMD_REQUEST_MESSAGE, float(message_id))

    def zoom_range(self, camera: Sender, percent: float) -> bytes:
        """COMMAND_LONG 531 of type range: 0 to 100 % of the zoom."""
        return self.command(camera, dialect.MAV_CMD_SET_CAMERA_ZOOM, float(_RANGE_PERCENT), percent)

    def command(self, to: Sender, command: int, *parameters: float) -> bytes:
        """COMMAND_LONG with up to seven parameters, the rest 0; confirmation 1 as in the vendor's SDK (gimbal.md 2)."""
        seven = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._pack(dialect.MAVLink_command_long_message(to.system, to.component, command, 1, *seven))

    def _pack(self, message: dialect.MAVLink_message) -> bytes:
        with self._lock:
            packed = bytes(message.pack(self._mavlink))
            self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed
