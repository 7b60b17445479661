# SPDX-License-Identifier: Apache-2.0
"""The two ways to command a Gremsy behind one interface, which one this device takes, and motion in its bytes."""

from __future__ import annotations

from typing import Protocol

from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder, Triple
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    DeviceInformation,
    Event,
    GimbalManager,
    MountOrientation,
    MountStatus,
    Sender,
)
from gremsy_gimbal_driver.mavlink.mavlink_frames import roll_pitch_yaw_ned, wire_rates
from gremsy_gimbal_driver.mavlink.protocol_v1 import ProtocolV1
from gremsy_gimbal_driver.mavlink.protocol_v2 import ProtocolManager, ProtocolV2
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput

# Both kinds of telemetry come ten times a second unasked; three seconds are thirty chances for a 285, and at 2 % lost
# bytes, where three in ten arrive, none of them is missed by accident (0.7^30 = 2e-5).
PATIENCE_S = 3.0

PROTOCOL_NAMES = ('auto', 'v2', 'v1')

_STILL = (0.0, 0.0)


class GimbalProtocol(Protocol):
    """Motion and mode to bytes, in the wire's own axes (FRD, NED)."""

    name: str

    def rates(self, gimbal: Sender, rates_frd_rad_s: Triple, mode: GimbalMode) -> list[bytes]:
        """Turn with these rates about roll, pitch and yaw."""

    def angles(self, gimbal: Sender, roll_pitch_yaw_ned_rad: Triple, mode: GimbalMode) -> list[bytes]:
        """Turn to these angles: yaw, then roll, then pitch."""

    def mode(self, gimbal: Sender, mode: GimbalMode) -> list[bytes]:
        """Take this mode without moving otherwise."""


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
        if name not in PROTOCOL_NAMES:
            raise ValueError(f'No gimbal protocol `{name}`: use one of {", ".join(PROTOCOL_NAMES)}.')
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


def motion_messages(output: MotionOutput, protocol: GimbalProtocol, gimbal: Sender) -> list[bytes]:
    """What motion control wants as the bytes of that protocol, in the order in which they are to be written."""
    # v2 has the mode in the flags of the motion itself.
    mode = protocol.mode(gimbal, output.mode) if output.assert_mode and protocol.name == 'v1' else []
    if output.angles_rad is not None:
        azimuth, tilt = output.angles_rad
        return mode + protocol.angles(gimbal, roll_pitch_yaw_ned(azimuth, 0.0, tilt), output.mode)
    assert output.rates_rad_s is not None
    return mode + protocol.rates(gimbal, wire_rates(*output.rates_rad_s), output.mode)


def is_stop(output: MotionOutput) -> bool:
    """Whether it asks the gimbal to stand still and rests on nobody's command."""
    return output.rates_rad_s == _STILL and output.rests_on_ns is None
