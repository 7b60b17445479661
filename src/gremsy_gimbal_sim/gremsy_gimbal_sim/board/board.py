# SPDX-License-Identifier: Apache-2.0
"""The payload's main board, component 26: vendor commands and the payload's telemetry (gimbal.md 2.2, 2.4)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_sim.board.board_telemetry import BoardTelemetry
from gremsy_gimbal_sim.board.component_information import MESSAGE_ID, ComponentInformation
from gremsy_gimbal_sim.board.laser import Laser, Position
from gremsy_gimbal_sim.board.power import Power
from gremsy_gimbal_sim.camera.on_board_tracker import TrackMode
from gremsy_gimbal_sim.camera.simulated_camera import ACCEPTED, UNSUPPORTED, Camera
from gremsy_gimbal_sim.gimbal.simulated_gimbal import Gimbal
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.acknowledgement import Acknowledger, whole
from gremsy_gimbal_sim.wire.outbox import Component, Outbox
from gremsy_gimbal_sim.wire.schedule import Schedule

PAYLOAD_COMPONENT = 26
_COMMAND_LONG = dialect.MAVLINK_MSG_ID_COMMAND_LONG
_POSITION = dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT
_HEARTBEAT, _STATUS_TEXT = -1, -2
_STATUS_TEXT_BYTES = 50
_ZOOM_TO, _ZOOM_WIDE, _ZOOM_TELE = 4, 2, 3


class Board:
    """Everything that answers for the main board.

    Args:
        options: all of them.
        gimbal, camera: what it works for.
        power, outbox, acknowledger: shared with the other components.
        random: of its noise.
        start_s: the first time.
    """

    def __init__(
        self,
        options: PayloadOptions,
        gimbal: Gimbal,
        camera: Camera,
        power: Power,
        outbox: Outbox,
        acknowledger: Acknowledger,
        random: np.random.Generator,
        start_s: float,
    ) -> None:
        self._options = options
        self._camera = camera
        self._power = power
        self._outbox = outbox
        self._acknowledger = acknowledger
        self.component = Component(options.system, PAYLOAD_COMPONENT)
        self.laser = Laser(options, camera.sight, random, start_s)
        camera.laser_mode_set = self.laser.set_mode
        self.position = Position(options)
        self._telemetry = BoardTelemetry(options, gimbal, camera, self.laser, self.position)
        self._status_text_id = 0
        self._handlers: dict[int, Callable[[list[float], float], int]] = {
            dialect.MAV_CMD_SET_MESSAGE_INTERVAL: self._set_interval,
            dialect.MAV_CMD_REQUEST_MESSAGE: self._send_once,
            dialect.MAV_CMD_USER_4: self._vendor,
        }
        self.power_up(start_s)

    def power_up(self, now_s: float) -> None:
        """As after switching on: nobody has asked for telemetry."""
        options = self._options
        rates_hz = [options.zoom_rate_hz] + [options.telemetry_rate_hz] * (len(TELEMETRY_NAMES) - 1)
        intervals = {index: 1.0 / rate if rate > 0 else math.inf for index, rate in enumerate(rates_hz)}
        intervals |= {_HEARTBEAT: 1.0, _STATUS_TEXT: 1.0 if options.recording_status_text else math.inf}
        self._schedule = Schedule(intervals, now_s)

    def restart(self, now_s: float) -> None:
        """Somebody listens from now on."""
        self._schedule.restart(now_s)

    def take(self, frame: MavlinkFrame, fields: tuple[object, ...], now_s: float) -> None:
        """A message that may be for it."""
        numbers = [float(each) for each in fields if isinstance(each, int | float)]
        if frame.message_id == _COMMAND_LONG:
            if self.component.is_named(int(numbers[8]), int(numbers[9])):
                command = int(numbers[7])
                handler = self._handlers.get(command)
                result = UNSUPPORTED if handler is None else handler(numbers[:7], now_s)
                self._acknowledger.send(self.component, command, result, frame, now_s)
        elif frame.message_id == _POSITION:
            _, latitude, longitude, altitude = numbers[:4]
            self.position.hear((longitude * 1e-7, latitude * 1e-7, altitude * 1e-3), now_s)

    def advance(self, now_s: float) -> None:
        """Move on."""
        self.laser.advance(now_s)

    def send_due(self, now_s: float) -> None:
        """Heartbeat and telemetry."""
        for index in self._schedule.due(now_s):
            if index == _HEARTBEAT:
                self._outbox.send(self.component, _heartbeat(), now_s)
            elif index == _STATUS_TEXT:
                self._send_status_text(now_s)
            else:
                boot_ms = self._power.boot_ms(now_s)
                self._outbox.send(self.component, self._telemetry.message(index, boot_ms, now_s), now_s)

    def _set_interval(self, parameters: list[float], now_s: float) -> int:
        """511 with a telemetry index instead of a message id, marked by p7 1 (gimbal.md 2.4)."""
        index, interval_us = whole(parameters[0]), parameters[1]
        if whole(parameters[6]) != 1 or not 0 <= index < len(TELEMETRY_NAMES) or not math.isfinite(interval_us):
            return UNSUPPORTED
        self._schedule.set(index, interval_us * 1e-6 if interval_us > 0 else math.inf, now_s)
        return ACCEPTED

    def _send_once(self, parameters: list[float], now_s: float) -> int:
        if whole(parameters[0]) != MESSAGE_ID:
            return UNSUPPORTED
        software = '.'.join(map(str, self._telemetry.software))
        information = ComponentInformation(self._power.boot_ms(now_s), self._options.model, software, 'SIM0001')
        self._outbox.send(self.component, information, now_s)
        return ACCEPTED

    def _vendor(self, parameters: list[float], now_s: float) -> int:
        """31013 (gimbal.md 2.2)."""
        group, kind = whole(parameters[0]), whole(parameters[1])
        if group == 2:
            return self._lens(kind, whole(parameters[2]), parameters[3])
        if group == 4 and kind == 0:
            return self._track(parameters, now_s)
        # Stream settings and standby are taken, and change nothing that could be seen here.
        return ACCEPTED if group == 4 and kind in (2, 3) else UNSUPPORTED

    def _lens(self, kind: int, action: int, value: float) -> int:
        camera = self._camera
        if kind == 0:
            if action == _ZOOM_TO and value >= 1.0:
                camera.zoom_to(value)
            elif action in (-1, 0, 1):
                camera.zoom_drive(action)
            elif action in (_ZOOM_WIDE, _ZOOM_TELE):
                camera.zoom_drive(-1 if action == _ZOOM_WIDE else 1)
            else:
                return UNSUPPORTED
        elif kind == 6:
            self._telemetry.infrared_correction = action
        elif kind not in (7, 8):
            return UNSUPPORTED
        return ACCEPTED

    def _track(self, parameters: list[float], now_s: float) -> int:
        tracker = self._camera.tracker
        action, x, y, width, height = whole(parameters[2]), *parameters[3:7]
        if action == 0 and whole(x) in tuple(TrackMode):
            tracker.set_mode(TrackMode(whole(x)), now_s)
        elif action == 1 and width > 0 and height > 0 and math.isfinite(x) and math.isfinite(y):
            tracker.trigger(x, y, width, height, now_s)
        else:
            return UNSUPPORTED
        return ACCEPTED

    def _send_status_text(self, now_s: float) -> None:
        """In chunks of 50 bytes, of which the last is not full."""
        text = self._camera.recorder.status_text(now_s).encode('ascii')
        self._status_text_id = self._status_text_id % 0xFFFF + 1
        for number in range(len(text) // _STATUS_TEXT_BYTES + 1):
            chunk = text[number * _STATUS_TEXT_BYTES : (number + 1) * _STATUS_TEXT_BYTES]
            message = dialect.MAVLink_statustext_message(dialect.MAV_SEVERITY_INFO, chunk, self._status_text_id, number)
            self._outbox.send(self.component, message, now_s)


def _heartbeat() -> dialect.MAVLink_message:
    return dialect.MAVLink_heartbeat_message(
        dialect.MAV_TYPE_ONBOARD_CONTROLLER, dialect.MAV_AUTOPILOT_INVALID, 0, 0, dialect.MAV_STATE_ACTIVE, 3
    )
