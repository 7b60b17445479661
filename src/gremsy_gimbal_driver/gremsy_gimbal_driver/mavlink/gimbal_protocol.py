# SPDX-License-Identifier: Apache-2.0
"""The ways to command a gimbal behind one interface, which one this device takes, and motion in its bytes.

MAVLink's gimbal protocol v2 as a Gremsy speaks it: 284 carries motion and mode at once, 285 reports both; behind a
gimbal manager 282 takes its place. The older protocol, COMMAND_LONGs in degrees, is what a gimbal set to v1 in gTune
obeys (gimbal.md 1.6).
"""

from __future__ import annotations

import math
from types import MappingProxyType

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import (
    FLAGS_FOLLOW,
    FLAGS_LOCK,
    MavlinkEncoder,
    MountInput,
    Quaternion,
    Triple,
)
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    DeviceInformation,
    Event,
    GimbalManager,
    MountOrientation,
    MountStatus,
    Sender,
)
from gremsy_gimbal_driver.mavlink.mavlink_frames import q_frd_from_level_camera, roll_pitch_yaw_ned, wire_rates
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput

# Both kinds of telemetry come ten times a second unasked; three seconds are thirty chances for a 285, and at 2 % lost
# bytes, where three in ten arrive, none of them is missed by accident (0.7^30 = 2e-5).
PATIENCE_S = 3.0

PROTOCOL_NAMES = ('auto', 'v2', 'v1')

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

_CAPABILITIES = MappingProxyType(
    {
        GimbalMode.OFF: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_RETRACT,
        GimbalMode.LOCK: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_YAW_LOCK,
        GimbalMode.FOLLOW: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_YAW_FOLLOW,
        GimbalMode.HOME: dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_NEUTRAL,
    }
)

_V1_OFF, _V1_LOCK, _V1_FOLLOW, _V1_RESET = 0, 1, 2, 4
_V1_RESET_TO_HOME, _V1_RESET_TO_MAPPING = 3, 13
# Mode and what a reset resets, of command 31011 (gSDK `gimbal_protocol.h`).
_V1_BY_MODE = {
    GimbalMode.OFF: (_V1_OFF, 0),
    GimbalMode.LOCK: (_V1_LOCK, 0),
    GimbalMode.FOLLOW: (_V1_FOLLOW, 0),
    GimbalMode.HOME: (_V1_RESET, _V1_RESET_TO_HOME),
    GimbalMode.MAPPING: (_V1_RESET, _V1_RESET_TO_MAPPING),
}


class ProtocolV2:
    """All three axes and the mode travel in every message, so that no message changes the mode by accident."""

    name = 'v2'

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder

    def messages(self, output: MotionOutput, gimbal: Sender) -> list[bytes]:
        """Not acknowledged."""
        return [self._encoder.motion(gimbal, *_rates_or_attitude(output), FLAGS_BY_MODE[output.mode])]


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
        return [self._control(gimbal, take=False)] if self._in_control else []

    def messages(self, output: MotionOutput, gimbal: Sender) -> list[bytes]:
        """Behind what takes the control where we do not have it."""
        self._not_obeyed = 0 if self._in_control else self._not_obeyed + 1
        # Packed in the order in which they leave, or their sequence numbers would look like losses.
        packed = [self._control(gimbal, take=True)] if self._not_obeyed % 5 == 1 else []
        motion, device = _rates_or_attitude(output), self._device(gimbal)
        return [
            *packed,
            self._encoder.manager_motion(self.manager.sender, device, *motion, FLAGS_BY_MODE[output.mode]),
        ]

    @property
    def _in_control(self) -> bool:
        return self.manager.primary == self._encoder.own

    def _device(self, gimbal: Sender) -> int:
        return self.manager.device_id or gimbal.component

    def _control(self, gimbal: Sender, take: bool) -> bytes:
        return self._encoder.manager_control(self.manager.sender, self._device(gimbal), take)


class ProtocolV1:
    """A motion command carries no mode, so that a mode has to be commanded on its own.

    Args:
        encoder: packs.
        yaw_sign: 1 as today's SDK sends it; -1 for firmware of the SDK of 2021, which sent the pan angle negated
            (gimbal.md 1.7, sign history). The calibration's sign probe finds out which.
    """

    name = 'v1'

    def __init__(self, encoder: MavlinkEncoder, yaw_sign: int = 1) -> None:
        self._encoder = encoder
        self._yaw_sign = yaw_sign

    def messages(self, output: MotionOutput, gimbal: Sender) -> list[bytes]:
        """31011 where the mode is asserted, behind 31010, since a mode does not switch the motors on; and 205.

        205 as angles is the only way beyond half a turn of yaw or 90 degrees of pitch (gimbal.md 1.6).
        """
        # Packed in the order in which they leave, or their sequence numbers would look like losses.
        packed = []
        if output.assert_mode:
            packed.append(self._encoder.motors(gimbal, output.mode is not GimbalMode.OFF))
            packed.append(self._encoder.mount_mode(gimbal, *_V1_BY_MODE[output.mode]))
        by_rates = output.angles_rad is None
        pair = output.rates_rad_s if by_rates else output.angles_rad
        assert pair is not None
        roll, pitch, yaw = map(math.degrees, roll_pitch_yaw_ned(pair[0], 0.0, pair[1]))
        kind = MountInput.SPEED if by_rates else MountInput.ANGLE
        # Adding 0.0 makes a negated zero a plain one: a stop is the same bytes whatever the sign.
        packed.append(self._encoder.mount_control(gimbal, (roll, pitch, self._yaw_sign * yaw + 0.0), kind))
        return packed


GimbalProtocol = ProtocolV2 | ProtocolV1
"""How a gimbal is commanded: what motion control wants, as bytes in the order in which they are to be written."""


class ProtocolChoice:
    """By what the device reports: events, with their times.

    285 or 283 make it v2 at once and for good. A device that has sent 265 or 158 for three seconds and neither of those
    is v1. Until then, and for a device that sends none of all these, v2 is assumed: a v1 device ignores its messages.
    Behind a gimbal manager (281) a gimbal obeys that alone; a Gremsy obeys everybody, whatever manager is near.

    Args:
        encoder: packs for either.
        name: `auto`, or `v2` or `v1` to override.
        v1_yaw_sign: as in `ProtocolV1`.
    """

    def __init__(self, encoder: MavlinkEncoder, name: str = 'auto', v1_yaw_sign: int = 1) -> None:
        self._encoder = encoder
        self._v2 = ProtocolV2(encoder)
        self._v1 = ProtocolV1(encoder, v1_yaw_sign)
        self._overridden = name != 'auto'
        by_name: dict[str, GimbalProtocol] = {'v2': self._v2, 'v1': self._v1}
        self._chosen = by_name.get(name)
        self._by_manager: ProtocolManager | None = None
        self._is_gremsy = False
        self._old_telemetry_ns: int | None = None

    @property
    def protocol(self) -> GimbalProtocol:
        """What to command with now."""
        return self.by_manager or self._chosen or self._v2

    @property
    def by_manager(self) -> ProtocolManager | None:
        """The protocol where a manager commands the gimbal."""
        return None if self._overridden or self._is_gremsy else self._by_manager

    @property
    def settled(self) -> bool:
        """Whether the device has shown it, or the choice was overridden."""
        return self._chosen is not None or self.by_manager is not None

    def on_event(self, event: Event, now_ns: int) -> None:
        """Any event of the gimbal or of its manager."""
        if isinstance(event, GimbalManager):
            if self._by_manager is None:
                self._by_manager = ProtocolManager(self._encoder, event)
            self._by_manager.manager = event
            return
        if isinstance(event, DeviceInformation):
            self._is_gremsy = event.is_gremsy
        if self._overridden or self._chosen is self._v2:
            return
        if isinstance(event, AttitudeStatus | DeviceInformation):
            self._chosen = self._v2
        elif isinstance(event, MountOrientation | MountStatus):
            if self._old_telemetry_ns is None:
                self._old_telemetry_ns = now_ns
            elif now_ns - self._old_telemetry_ns >= nanoseconds(PATIENCE_S):
                self._chosen = self._v1

    def restart(self) -> None:
        """Another device may have come, or this one with other settings."""
        self._old_telemetry_ns = self._by_manager = None
        self._is_gremsy = False
        if not self._overridden:
            self._chosen = None


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


def is_stop(output: MotionOutput) -> bool:
    """Whether it asks the gimbal to stand still and rests on nobody's command."""
    return output.rates_rad_s == (0.0, 0.0) and output.rests_on_ns is None


def _rates_or_attitude(output: MotionOutput) -> tuple[Triple | None, Quaternion | None]:
    """In the wire's axes. Yaw beyond half a turn cannot be expressed, and goes the short way (gimbal.md 1.7)."""
    if output.angles_rad is None:
        assert output.rates_rad_s is not None
        return wire_rates(*output.rates_rad_s), None
    w, x, y, z = q_frd_from_level_camera(quaternion_from_bearing(*output.angles_rad)).tolist()
    return None, (w, x, y, z)
