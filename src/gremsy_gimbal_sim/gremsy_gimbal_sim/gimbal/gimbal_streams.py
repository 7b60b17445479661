# SPDX-License-Identifier: Apache-2.0
"""What the gimbal sends by itself, how often, and what it sends once when asked."""

from __future__ import annotations

import math
from collections.abc import Callable

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.gimbal_telemetry import GimbalTelemetry
from gremsy_gimbal_sim.gimbal.simulated_parameters import SimulatedClassicParameters
from gremsy_gimbal_sim.wire.component import (
    ACCEPTED,
    DENIED,
    UNSUPPORTED,
    MavlinkComponent,
    Message,
    SimulatedDevice,
    heartbeat,
)
from gremsy_gimbal_sim.wire.outbox import StreamSchedule

HEARTBEAT = int(dialect.MAVLINK_MSG_ID_HEARTBEAT)
SYSTEM_STATUS = int(dialect.MAVLINK_MSG_ID_SYS_STATUS)
ATTITUDE = int(dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS)
ORIENTATION = int(dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION)
ENCODERS = int(dialect.MAVLINK_MSG_ID_MOUNT_STATUS)
IMU = int(dialect.MAVLINK_MSG_ID_RAW_IMU)
INFORMATION = int(dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION)
_VERSION, _FOREIGN = -1, -2  # no message ids: what nobody can ask for

_FASTEST_HZ = 200.0  # "0-200 Hz, only one message above 50 Hz", gimbal.md 1.4
_FAST_HZ = 50.0


class GimbalStreams:
    """Sends what is due.

    Args:
        device, gimbal: who sends.
        telemetry, parameters: what is sent.
        start_s: when all are due first.
    """

    def __init__(
        self,
        device: SimulatedDevice,
        gimbal: MavlinkComponent,
        telemetry: GimbalTelemetry,
        parameters: SimulatedClassicParameters,
        start_s: float,
    ) -> None:
        options = self._options = device.options
        self._gimbal = gimbal
        self._foreign = MavlinkComponent(device, options.foreign_component)
        self._telemetry = telemetry
        self._parameters = parameters
        self._last_heartbeat_s = start_s + (options.heartbeats_end_after_s or math.inf)
        self._streams: dict[int, tuple[float, Callable[[float], Message]]] = {
            HEARTBEAT: (1.0, lambda _: heartbeat(dialect.MAV_TYPE_GIMBAL)),
            SYSTEM_STATUS: (1.0, telemetry.system_status),
            ATTITUDE: (options.attitude_rate_hz, telemetry.attitude),
            ORIENTATION: (options.orientation_rate_hz, telemetry.orientation),
            ENCODERS: (options.encoder_rate_hz, telemetry.encoders),
            IMU: (options.imu_rate_hz, telemetry.imu),
        }
        if options.protocol == 'v1':
            del self._streams[ATTITUDE]
        self.power_up(start_s)

    def power_up(self, now_s: float) -> None:
        """All intervals are the defaults again; an AEVO's streams wait to be asked for."""
        options = self._options
        waits = options.streams_wait_for_interval or 'AEVO' in options.model
        intervals = {
            key: math.inf if waits and key not in (HEARTBEAT, SYSTEM_STATUS) else 1.0 / rate_hz
            for key, (rate_hz, _) in self._streams.items()
        }
        intervals[_VERSION] = options.version_every_s or math.inf
        foreign_hz = options.foreign_orientation_hz
        intervals[_FOREIGN] = 1.0 / foreign_hz if foreign_hz else math.inf
        self.schedule = StreamSchedule(intervals, now_s)

    def set_interval(self, message_id: int, interval_us: float, now_s: float) -> int:
        """511: us, 0 the default, -1 off. Only one stream may be above 50 Hz."""
        if message_id not in self._streams or not math.isfinite(interval_us):
            return UNSUPPORTED
        if interval_us < 0:
            interval_s = math.inf
        elif interval_us == 0:
            interval_s = 1.0 / self._streams[message_id][0]
        else:
            interval_s = max(interval_us * 1e-6, 1.0 / _FASTEST_HZ)
        others = [key for key in self.schedule.faster_than(_FAST_HZ) if key != message_id]
        rule = self._options.fast_streams
        if interval_s * _FAST_HZ < 1.0 - 1e-6 and others and rule != 'allow':
            if rule == 'refuse':
                return DENIED
            interval_s = 1.0 / _FAST_HZ
        self.schedule.set(message_id, interval_s, now_s)
        return ACCEPTED

    def send_once(self, message_id: int, now_s: float) -> int:
        """512; unsupported for what it does not have."""
        if message_id in self._streams:
            self._send_stream(message_id, now_s)
        elif message_id == INFORMATION and self._options.protocol != 'v1' and self._options.device_information:
            self._gimbal.send(self._telemetry.information(), now_s)
        else:
            return UNSUPPORTED
        return ACCEPTED

    def send_due(self, now_s: float) -> None:
        """Everything whose time has come."""
        for key in self.schedule.due(now_s):
            self._send_stream(key, now_s)

    def _send_stream(self, key: int, now_s: float) -> None:
        if key == _FOREIGN:
            self._foreign.send(self._telemetry.foreign_orientation(), now_s)
        elif key == _VERSION:
            self._parameters.send('VERSION_X', now_s)
        elif key != HEARTBEAT or now_s < self._last_heartbeat_s:
            _, build = self._streams[key]
            self._gimbal.send(build(now_s), now_s + (self._options.attitude_age_s if key == ATTITUDE else 0.0))
