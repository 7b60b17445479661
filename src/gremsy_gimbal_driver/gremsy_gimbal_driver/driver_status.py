# SPDX-License-Identifier: Apache-2.0
"""The state of the driver and its device: snapshots for diagnostics and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gremsy_common.types.control_state import ControlState
from gremsy_gimbal_driver.device.device_requests import StreamRequest
from gremsy_gimbal_driver.device.device_status import Condition
from gremsy_gimbal_driver.goals.goal import GoalProgress
from gremsy_gimbal_driver.links.link_health import LinkHealth
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, Sender, SystemStatus
from gremsy_gimbal_driver.motion.mode_machine import ModeStatus


@dataclass(frozen=True, slots=True)
class DeviceSnapshot:
    """The gimbal and its payload.

    Attributes:
        gimbal, camera, payload: who was found.
        information: what the gimbal reported of itself.
        system_status: its newest; None before the first.
        protocol: how it is commanded.
        attitude_source: the message that attitudes are taken from; empty before the first.
        attitude_age_s: since the last one; None before the first.
        streams: rates by message id.
        health: the faults that the gimbal reports.
        vehicle: why there is no attitude of the vehicle; empty where there is one.
        heading_source: what reports how the level frame turns with the vehicle; empty where nothing does.
        zoom_factor: as reported; None where it is not.
        cameras_gone: those whose heartbeats have ended.
        payload_tracking: what the payload reports of its own tracking; empty where it reports nothing.
    """

    gimbal: Sender | None
    camera: Sender | None
    payload: Sender | None
    information: DeviceInformation | None
    system_status: SystemStatus | None
    protocol: str
    attitude_source: str
    attitude_age_s: float | None
    streams: Mapping[int, StreamRequest]
    health: Condition
    vehicle: str
    heading_source: str
    zoom_factor: float | None
    cameras_gone: tuple[Sender, ...]
    payload_tracking: str


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """The whole driver.

    Attributes:
        links: of each link; `fault` with what its facts add up to.
        device: at their other end.
        mode, control, goal: of motion control; the goal is None before the first.
        calibration: the progress of a calibration, as a sentence; empty where none runs.
        failure: why a thread ended.
        counts: running totals by name.
    """

    links: tuple[LinkHealth, ...]
    device: DeviceSnapshot
    mode: ModeStatus
    control: ControlState
    goal: GoalProgress | None
    calibration: str
    failure: str
    counts: Mapping[str, int]
