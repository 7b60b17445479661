# SPDX-License-Identifier: Apache-2.0
"""The older gimbal protocol, COMMAND_LONGs in degrees; what a gimbal set to v1 in gTune obeys (gimbal.md 1.6)."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder, MountInput, Triple
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

_OFF, _LOCK, _FOLLOW, _RESET = 0, 1, 2, 4
_RESET_TO_HOME, _RESET_TO_MAPPING = 3, 13
# Mode and what a reset resets, of command 31011 (gSDK `gimbal_protocol.h`).
_BY_MODE = {
    GimbalMode.OFF: (_OFF, 0),
    GimbalMode.LOCK: (_LOCK, 0),
    GimbalMode.FOLLOW: (_FOLLOW, 0),
    GimbalMode.HOME: (_RESET, _RESET_TO_HOME),
    GimbalMode.MAPPING: (_RESET, _RESET_TO_MAPPING),
}


class ProtocolV1:
    """A motion command carries no mode, so that a mode has to be commanded on its own.

    Args:
        encoder: packs.
        yaw_sign: 1 as today's SDK sends it; -1 for firmware of the SDK of 2021, which sent the pan angle negated
            (gimbal.md 1.7, sign history). The calibration's sign probe tells which.
    """

    name = 'v1'

    def __init__(self, encoder: MavlinkEncoder, yaw_sign: int = 1) -> None:
        if yaw_sign not in (1, -1):
            raise ValueError(f'The sign of yaw is 1 or -1, not {yaw_sign}.')
        self._encoder = encoder
        self._yaw_sign = yaw_sign

    def rates(self, gimbal: Sender, rates_frd_rad_s: Triple, mode: GimbalMode) -> list[bytes]:
        """205 as speed."""
        del mode
        return [self._encoder.mount_control(gimbal, self._degrees(rates_frd_rad_s), MountInput.SPEED)]

    def angles(self, gimbal: Sender, roll_pitch_yaw_ned_rad: Triple, mode: GimbalMode) -> list[bytes]:
        """205 as angles: the only way beyond half a turn of yaw or 90 degrees of pitch (gimbal.md 1.6)."""
        del mode
        return [self._encoder.mount_control(gimbal, self._degrees(roll_pitch_yaw_ned_rad), MountInput.ANGLE)]

    def mode(self, gimbal: Sender, mode: GimbalMode) -> list[bytes]:
        """31011; motors on or off first (31010), since a mode does not switch them on."""
        motors = self._encoder.motors(gimbal, mode is not GimbalMode.OFF)
        return [motors, self._encoder.mount_mode(gimbal, *_BY_MODE[mode])]

    def _degrees(self, roll_pitch_yaw_rad: Triple) -> Triple:
        roll, pitch, yaw = map(math.degrees, roll_pitch_yaw_rad)
        # Adding 0.0 makes a negated zero a plain one: a stop is the same bytes whatever the sign.
        return roll, pitch, self._yaw_sign * yaw + 0.0
