# SPDX-License-Identifier: Apache-2.0
"""What the gimbal sends by itself, how often, and what it sends once when asked."""

from __future__ import annotations

import math
from collections.abc import Callable

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.gimbal.gimbal_telemetry import GimbalTelemetry
from gremsy_gimbal_sim.gimbal.simulated_parameters import GimbalParameters
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.outbox import Component, Message, Outbox
from gremsy_gimbal_sim.wire.schedule import Schedule

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


def _interval_s(rate_hz: float) -> float:
    return 1.0 / rate_hz if rate_hz > 0 else math.inf


class GimbalStreams:
    """Sends what is due.

    Args:
        options: the streams'.
        gimbal, outbox: who sends, and where to.
        telemetry, parameters: what is sent.
        start_s: when all are due first.
    """

    def __init__(
        self,
        options: PayloadOptions,
        gimbal: Component,
        outbox: Outbox,
        telemetry: GimbalTelemetry,
        parameters: GimbalParameters,
        start_s: float,
    ) -> None:
        self._options = options
        self._gimbal = gimbal
        self._foreign = Component(options.system, options.foreign_component)
        self._outbox = outbox
        self._telemetry = telemetry
        self._parameters = parameters
        end_s = options.heartbeats_end_after_s
        self._last_heartbeat_s = start_s + end_s if end_s else math.inf
        self._builders: dict[int, Callable[[], Message]] = {
            HEARTBEAT: telemetry.heartbeat,
            SYSTEM_STATUS: telemetry.system_status,
            ORIENTATION: telemetry.orientation,
            ENCODERS: telemetry.encoders,
            IMU: telemetry.imu,
        }
        self._defaults_s = {
            HEARTBEAT: 1.0,
            SYSTEM_STATUS: 1.0,
            ATTITUDE: _interval_s(options.attitude_rate_hz),
            ORIENTATION: _interval_s(options.orientation_rate_hz),
            ENCODERS: _interval_s(options.encoder_rate_hz),
            IMU: _interval_s(options.imu_rate_hz),
        }
        if options.protocol == 'v1':
            del self._defaults_s[ATTITUDE]
        self.power_up(start_s)

    def power_up(self, now_s: float) -> None:
        """All intervals are the defaults again; an AEVO's streams wait to be asked for."""
        options = self._options
        waits = options.streams_wait_for_interval or 'AEVO' in options.model
        intervals = {
            key: math.inf if waits and key not in (HEARTBEAT, SYSTEM_STATUS) else interval
            for key, interval in self._defaults_s.items()
        }
        intervals[_VERSION] = options.version_every_s or math.inf
        intervals[_FOREIGN] = _interval_s(options.foreign_orientation_hz)
        self._schedule = Schedule(intervals, now_s)

    def restart(self, now_s: float) -> None:
        """Somebody listens from now on."""
        self._schedule.restart(now_s)

    def set_interval(self, message_id: int, interval_us: float, now_s: float) -> int:
        """511: us, 0 the default, -1 off. Only one stream may be above 50 Hz."""
        if message_id not in self._defaults_s or not math.isfinite(interval_us):
            return int(dialect.MAV_RESULT_UNSUPPORTED)
        if interval_us < 0:
            interval_s = math.inf
        elif interval_us == 0:
            interval_s = self._defaults_s[message_id]
        else:
            interval_s = max(interval_us * 1e-6, 1.0 / _FASTEST_HZ)
        others = [key for key in self._schedule.faster_than(_FAST_HZ) if key != message_id]
        rule = self._options.fast_streams
        if interval_s * _FAST_HZ < 1.0 - 1e-6 and others and rule != 'allow':
            if rule == 'refuse':
                return int(dialect.MAV_RESULT_DENIED)
            interval_s = 1.0 / _FAST_HZ
        self._schedule.set(message_id, interval_s, now_s)
        return int(dialect.MAV_RESULT_ACCEPTED)

    def send_once(self, message_id: int, now_s: float) -> bool:
        """512; false for what it does not have."""
        if message_id == INFORMATION:
            if self._options.protocol == 'v1' or not self._options.device_information:
                return False
            self._send(self._telemetry.information(), now_s)
        elif message_id in self._defaults_s:
            self._send_stream(message_id, now_s)
        else:
            return False
        return True

    def send_due(self, now_s: float) -> None:
        """Everything whose time has come."""
        for key in self._schedule.due(now_s):
            self._send_stream(key, now_s)

    def _send_stream(self, key: int, now_s: float) -> None:
        if key == ATTITUDE:
            self._send(self._telemetry.attitude(now_s), now_s + self._options.attitude_age_s)
        elif key == _FOREIGN:
            self._outbox.send(self._foreign, self._telemetry.foreign_orientation(), now_s)
        elif key == _VERSION:
            self._parameters.send('VERSION_X', now_s)
        elif key != HEARTBEAT or now_s < self._last_heartbeat_s:
            self._send(self._builders[key](), now_s)

    def _send(self, message: Message, at_s: float) -> None:
        self._outbox.send(self._gimbal, message, at_s)
