# SPDX-License-Identifier: Apache-2.0
"""The payload's side of the wire: its messages as MAVLink 2 bytes, three components on one link."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink_dialect import dialect
from gremsy_gimbal_driver.simulated_payload.options import PayloadOptions

PAYLOAD_COMPONENT = 26
_MOTORS_ON = 0x0010  # status1, gimbal.md 1.5
_EO_ZOOM_INDEX = 0
_FIRMWARE = 7 | 9 << 8  # 7.9.0


class Telemetry:
    """Packs what gimbal, camera and payload board send."""

    def __init__(self, options: PayloadOptions) -> None:
        self._options = options
        self._gimbal = dialect.MAVLink(None, options.system, options.gimbal_component)
        self._camera = dialect.MAVLink(None, options.system, options.camera_component)
        self._board = dialect.MAVLink(None, options.system, PAYLOAD_COMPONENT)

    def heartbeats(self) -> list[bytes]:
        """One of each component."""
        kinds = (
            (self._gimbal, dialect.MAV_TYPE_GIMBAL),
            (self._camera, dialect.MAV_TYPE_CAMERA),
            (self._board, dialect.MAV_TYPE_ONBOARD_CONTROLLER),
        )
        invalid, active = dialect.MAV_AUTOPILOT_INVALID, dialect.MAV_STATE_ACTIVE
        return [
            _pack(mavlink, dialect.MAVLink_heartbeat_message(kind, invalid, 0, 0, active, 3)) for mavlink, kind in kinds
        ]

    def system_status(self) -> bytes:
        """Motors on, no fault, 12 V."""
        message = dialect.MAVLink_sys_status_message(0, 0, 0, 200, 12000, -1, -1, 0, 0, _MOTORS_ON, 0, 0, 0)
        return _pack(self._gimbal, message)

    def attitude(
        self, boot_ms: int, flags: int, q_frd_wxyz: list[float], rates_frd_rad_s: tuple[float, float, float]
    ) -> bytes:
        """GIMBAL_DEVICE_ATTITUDE_STATUS 285, addressed to all, without the extensions' contents."""
        message = dialect.MAVLink_gimbal_device_attitude_status_message(
            0, 0, boot_ms & 0xFFFFFFFF, flags, q_frd_wxyz, *rates_frd_rad_s, 0
        )
        return _pack(self._gimbal, message)

    def orientation(self, boot_ms: int, pitch_deg: float, yaw_deg: float) -> bytes:
        """MOUNT_ORIENTATION 265."""
        message = dialect.MAVLink_mount_orientation_message(boot_ms & 0xFFFFFFFF, 0.0, pitch_deg, yaw_deg, yaw_deg)
        return _pack(self._gimbal, message)

    def zoom(self, boot_ms: int, factor: float) -> bytes:
        """EO_ZOOM, DEBUG 254 with index 0, from the payload board (gimbal.md 2.4)."""
        return _pack(self._board, dialect.MAVLink_debug_message(boot_ms & 0xFFFFFFFF, _EO_ZOOM_INDEX, factor))

    def information(self, boot_ms: int) -> bytes:
        """GIMBAL_DEVICE_INFORMATION 283: pitch up +, yaw right +."""
        plant = self._options.plant
        up, down = plant.tilt_limits_rad
        roll = math.radians(40.0)
        message = dialect.MAVLink_gimbal_device_information_message(
            boot_ms & 0xFFFFFFFF,
            b'GREMSY',
            b'SIMULATED',
            b'',
            _FIRMWARE,
            0,
            0,
            0,
            0,
            -roll,
            roll,
            -down,
            -up,
            -plant.azimuth_limit_rad,
            plant.azimuth_limit_rad,
        )
        return _pack(self._gimbal, message)

    def acknowledgement(self, component: int, command: int, result: int, system: int, to_component: int) -> bytes:
        """COMMAND_ACK 77 from the component that was asked."""
        sender = self._camera if component == self._options.camera_component else self._gimbal
        return _pack(sender, dialect.MAVLink_command_ack_message(command, result, 0, 0, system, to_component))


def _pack(mavlink: dialect.MAVLink, message: dialect.MAVLink_message) -> bytes:
    packed = bytes(message.pack(mavlink))
    mavlink.seq = (mavlink.seq + 1) % 256
    return packed
