# SPDX-License-Identifier: Apache-2.0
"""What a Gremsy says, as typed events in the wire's own axes and units (`mavlink_frames` turns them to REP-103)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent it: MAVLink system and component id."""

    system: int
    component: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """HEARTBEAT 0."""

    sender: Sender
    type: int
    autopilot: int
    system_status: int


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """SYS_STATUS 1; a Gremsy puts status bits into errors_count1, fault bits into errors_count2 (gimbal.md 1.5)."""

    sender: Sender
    status_bits: int
    fault_bits: int
    voltage_v: float


@dataclass(frozen=True, slots=True)
class AttitudeStatus:
    """GIMBAL_DEVICE_ATTITUDE_STATUS 285.

    `q_frd_wxyz` is a unit quaternion, camera FRD to level NED; `rates_frd_rad_s` are about the camera's axes, each NaN
    where the device does not know it.
    """

    sender: Sender
    time_boot_ms: int
    flags: int
    q_frd_wxyz: tuple[float, float, float, float]
    rates_frd_rad_s: tuple[float, float, float]
    failure_flags: int


@dataclass(frozen=True, slots=True)
class CommandAck:
    """COMMAND_ACK 77 meant for us."""

    sender: Sender
    command: int
    result: int


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """GIMBAL_DEVICE_INFORMATION 283; limits are in NED: pitch up +, yaw right +, rad."""

    sender: Sender
    vendor: str
    model: str
    firmware: tuple[int, int, int]
    pitch_limits_rad: tuple[float, float]
    yaw_limits_rad: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ZoomReport:
    """The payload board's EO_ZOOM telemetry, DEBUG 254 with index 0 (gimbal.md 2.4): magnification."""

    sender: Sender
    factor: float


Event = Heartbeat | SystemStatus | AttitudeStatus | CommandAck | DeviceInformation | ZoomReport
