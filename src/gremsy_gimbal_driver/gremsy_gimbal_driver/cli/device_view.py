# SPDX-License-Identifier: Apache-2.0
"""What a gimbal reports, gathered from a session: who it is, where it looks, the rate of each message."""

from __future__ import annotations

import math

from gremsy_common.geometry import yaw_roll_pitch
from gremsy_gimbal_driver.attitude.attitude_reading import reading_from_orientation, reading_from_status
from gremsy_gimbal_driver.cli.session import LinkSession
from gremsy_gimbal_driver.device.device_requests import DeviceRequests
from gremsy_gimbal_driver.device.device_status import FOLLOW, MOTORS_ON
from gremsy_gimbal_driver.device.stream_rates import RateMeter, stream_of
from gremsy_gimbal_driver.mavlink.gimbal_protocol import ProtocolChoice, mode_from_flags
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    DeviceInformation,
    Event,
    GimbalManager,
    MountOrientation,
    PayloadTelemetry,
    SystemStatus,
)
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

_STATUS = dialect.MAVLINK_MSG_ID_SYS_STATUS


class DeviceView:
    """A part of a session. It asks who the gimbal is and changes nothing, not even a stream's rate."""

    def __init__(self, session: LinkSession) -> None:
        self._components = session.components
        self._choice = ProtocolChoice(session.encoder)
        self._meters: dict[int, RateMeter] = {}
        self._requests = DeviceRequests(session.encoder, {})
        self.status: SystemStatus | None = None
        self.attitude: AttitudeStatus | MountOrientation | None = None
        self.telemetry: dict[str, float] = {}
        session.attach(lambda now_ns: self._requests.due(self._components.gimbal, now_ns), self._on_event)

    @property
    def information(self) -> DeviceInformation | None:
        """Who it is; None while it has not answered."""
        return self._requests.information

    @property
    def protocol(self) -> str:
        """v2 or v1; with a question mark while the device has not shown it."""
        return self._choice.protocol.name + ('' if self._choice.settled else '?')

    @property
    def mode(self) -> GimbalMode | None:
        """As message 285 reports it; a device without that shows lock, follow and off by its status bits."""
        if isinstance(self.attitude, AttitudeStatus):
            return mode_from_flags(self.attitude.flags)
        if self.status is None:
            return None
        if not self.status.status_bits & MOTORS_ON:
            return GimbalMode.OFF
        return GimbalMode.FOLLOW if self.status.status_bits & FOLLOW else GimbalMode.LOCK

    @property
    def angles_rad(self) -> tuple[float, float] | None:
        """Azimuth (left +) and tilt (down +)."""
        if self.attitude is None:
            return None
        if isinstance(self.attitude, AttitudeStatus):
            reading = reading_from_status(self.attitude)
        else:
            reading = reading_from_orientation(self.attitude)
        yaw, _, pitch = yaw_roll_pitch(reading.level_from_camera_wxyz).tolist()
        return yaw, pitch

    def rates_hz(self, now_ns: int) -> dict[int, float]:
        """By message id, since its first message."""
        return {number: meter.rate_hz(now_ns) for number, meter in self._meters.items() if meter.since_s(now_ns) > 0.5}

    def _on_event(self, event: Event, now_ns: int) -> None:
        """All that the gimbal reports, and the payload's own values."""
        if not isinstance(event, GimbalManager) or event.commands(self._components.gimbal):
            self._choice.on_event(event, now_ns)
        number = _STATUS if isinstance(event, SystemStatus) else stream_of(event)
        if number in self._meters:
            self._meters[number].arrived(now_ns)
        elif number is not None:
            self._meters[number] = RateMeter(now_ns)
        self._requests.on_event(event, None)
        if isinstance(event, SystemStatus):
            self.status = event
        elif isinstance(event, AttitudeStatus | MountOrientation):
            # Message 265 counts only where no 285 comes: it has no validity, and 14 % of them were zeros on a VIO.
            if isinstance(event, AttitudeStatus) or not isinstance(self.attitude, AttitudeStatus):
                self.attitude = event
        elif isinstance(event, PayloadTelemetry):
            self.telemetry[event.name] = event.value


def degrees(angle_rad: float) -> float:
    """To a tenth; adding 0.0 makes a negated zero a plain one."""
    return round(math.degrees(angle_rad), 1) + 0.0
