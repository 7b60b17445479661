# SPDX-License-Identifier: Apache-2.0
"""MAVLink's gimbal protocol v2 as a Gremsy speaks it: 284 carries motion and mode at once, 285 reports both."""

from __future__ import annotations

import math
from types import MappingProxyType

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import FLAGS_FOLLOW, FLAGS_LOCK, MavlinkEncoder, Quaternion, Triple
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, GimbalManager, Sender
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

FLAG_MAPPING = 0x4000
"""Gremsy's own flag, unknown to the standard (gimbal.md 1.7)."""

_YAW_LOCK = dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
_RETRACT = dialect.GIMBAL_DEVICE_FLAGS_RETRACT
_NEUTRAL = dialect.GIMBAL_DEVICE_FLAGS_NEUTRAL

FLAGS_BY_MODE = MappingProxyType(
    {
        GimbalMode.OFF: FLAGS_FOLLOW | _RETRACT,
        GimbalMode.LOCK: FLAGS_LOCK,
        GimbalMode.FOLLOW: FLAGS_FOLLOW,
        GimbalMode.HOME: FLAGS_FOLLOW | _NEUTRAL,
        GimbalMode.MAPPING: FLAGS_FOLLOW | FLAG_MAPPING,
    }
)
"""What the vendor's SDK sends; none of YAW_IN_*, which it never sends (gimbal.md 1.7)."""

_STILL = (0.0, 0.0, 0.0)

_CAPABILITIES = MappingProxyType(
    {
        GimbalMode.OFF: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_RETRACT,
        GimbalMode.LOCK: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_YAW_LOCK,
        GimbalMode.FOLLOW: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_YAW_FOLLOW,
        GimbalMode.HOME: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_NEUTRAL,
    }
)


def lacking_modes(information: DeviceInformation | None) -> frozenset[GimbalMode]:
    """The modes that a gimbal does not have, by its 283.

    A Gremsy has all of them: the vendor's SDKs never look at its flags, and nobody has published what they mean. No
    flag at all tells nothing.
    """
    if information is None or information.is_gremsy or not information.cap_flags:
        return frozenset()
    return frozenset(mode for mode in GimbalMode if not information.cap_flags & _CAPABILITIES.get(mode, 0))


def mode_from_flags(flags: int) -> GimbalMode:
    """The mode that the flags of a 285 report, in the vendor's order of precedence (gimbal.md 1.7)."""
    if flags & _YAW_LOCK:
        return GimbalMode.LOCK
    if flags & _RETRACT:
        return GimbalMode.OFF
    if flags & _NEUTRAL:
        return GimbalMode.HOME
    return GimbalMode.MAPPING if flags & FLAG_MAPPING else GimbalMode.FOLLOW


class ProtocolV2:
    """All three axes and the mode travel in every message, so that no message changes the mode by accident."""

    name = 'v2'

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder

    def rates(self, gimbal: Sender, rates_frd_rad_s: Triple, mode: GimbalMode) -> list[bytes]:
        """Not acknowledged."""
        return self._motion(gimbal, rates_frd_rad_s, None, mode)

    def angles(self, gimbal: Sender, roll_pitch_yaw_ned_rad: Triple, mode: GimbalMode) -> list[bytes]:
        """As a quaternion: yaw beyond half a turn cannot be expressed, and goes the short way (gimbal.md 1.7)."""
        return self._motion(gimbal, None, _quaternion(*roll_pitch_yaw_ned_rad), mode)

    def mode(self, gimbal: Sender, mode: GimbalMode) -> list[bytes]:
        """A mode changes only with a motion message: one that commands no motion (gimbal.md 1.6)."""
        return self.rates(gimbal, _STILL, mode)

    def _motion(
        self, gimbal: Sender, rates_frd_rad_s: Triple | None, q_frd_wxyz: Quaternion | None, mode: GimbalMode
    ) -> list[bytes]:
        return [self._encoder.motion(gimbal, rates_frd_rad_s, q_frd_wxyz, FLAGS_BY_MODE[mode])]


class ProtocolManager(ProtocolV2):
    """v2 through a gimbal manager, which alone such a gimbal obeys: 282 with what would be in 284.

    A manager obeys one program; 1001 makes it us, before the first message and every fifth (as often as 281 comes)
    until its 281 shows it.

    Args:
        encoder: packs.
        manager: its newest 281.
    """

    name = 'manager'

    def __init__(self, encoder: MavlinkEncoder, manager: GimbalManager) -> None:
        super().__init__(encoder)
        self._not_obeyed = 0
        self.manager = manager

    def farewell(self, gimbal: Sender) -> list[bytes]:
        """What gives the gimbal back to others, where we have it."""
        if not self._in_control:
            return []
        return [self._encoder.give_up_control(self.manager.sender, self._device(gimbal))]

    @property
    def _in_control(self) -> bool:
        return self.manager.primary == self._encoder.own

    def _device(self, gimbal: Sender) -> int:
        return self.manager.device_id or gimbal.component

    def _motion(
        self, gimbal: Sender, rates_frd_rad_s: Triple | None, q_frd_wxyz: Quaternion | None, mode: GimbalMode
    ) -> list[bytes]:
        encoder, to, device = self._encoder, self.manager.sender, self._device(gimbal)
        motion = encoder.manager_motion(to, device, rates_frd_rad_s, q_frd_wxyz, FLAGS_BY_MODE[mode])
        if self._in_control:
            self._not_obeyed = 0
            return [motion]
        self._not_obeyed += 1
        return [encoder.take_control(to, device), motion] if self._not_obeyed % 5 == 1 else [motion]


def _quaternion(roll: float, pitch: float, yaw: float) -> Quaternion:
    """Yaw, then roll, then pitch, the order of the motors, which is not singular straight down (gimbal.md 1.7).

    gSDK builds it in the order yaw, pitch, roll; with roll 0 the two are the same.
    """
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return (
        cy * cr * cp - sy * sr * sp,
        cy * sr * cp - sy * cr * sp,
        cy * cr * sp + sy * sr * cp,
        cy * sr * sp + sy * cr * cp,
    )
