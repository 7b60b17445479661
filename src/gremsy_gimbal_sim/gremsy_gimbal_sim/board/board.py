# SPDX-License-Identifier: Apache-2.0
"""The payload's main board, component 26: vendor commands and the payload's telemetry (gimbal.md 2.2, 2.4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.board.laser import Position
from gremsy_gimbal_sim.camera.on_board_tracker import TrackMode
from gremsy_gimbal_sim.camera.simulated_camera import SimulatedCamera
from gremsy_gimbal_sim.gimbal.simulated_gimbal import SimulatedGimbal
from gremsy_gimbal_sim.gimbal.simulated_modes import GB_MODES, mode_of
from gremsy_gimbal_sim.wire.component import (
    ACCEPTED,
    UNSUPPORTED,
    MavlinkComponent,
    Message,
    ReceivedMessage,
    SimulatedDevice,
    heartbeat,
    whole,
)
from gremsy_gimbal_sim.wire.outbox import StreamSchedule

PAYLOAD_COMPONENT = 26
_HEARTBEAT, _STATUS_TEXT = -1, -2
_STATUS_TEXT_BYTES = 50
_ZOOM_TO, _ZOOM_WIDE, _ZOOM_TELE = 4, 2, 3
_SOFTWARE = (3, 1, 0)
_SCENE_DEG_C = (31.0, 12.0, 18.5)


class ComponentInformation(dialect.MAVLink_message):
    """COMPONENT_INFORMATION_BASIC 396, which pymavlink no longer has (gimbal.md 1.13): model, software, serial number.

    Fields: https://mavlink.io/en/messages/common.html#COMPONENT_INFORMATION_BASIC
    """

    id = 396
    crc_extra = 50
    layout = Struct('<QII32s32s24s24s32s')

    def __init__(self, boot_ms: int, model: str, software: str, serial_number: str) -> None:
        super().__init__(self.id, 'COMPONENT_INFORMATION_BASIC')
        texts = (text.encode('ascii', 'replace') for text in ('GREMSY', model, software, '1', serial_number))
        self._packed = self.layout.pack(0, boot_ms, 0, *texts)

    def pack(self, mavlink: dialect.MAVLink, force_mavlink1: bool = False) -> bytes:
        """As MAVLink 2 bytes, which is what it is in."""
        return self._pack(mavlink, self.crc_extra, self._packed, force_mavlink1)


class Board(MavlinkComponent):
    """Everything that answers for the main board.

    Args:
        device: that it belongs to.
        gimbal, camera: what it works for.
        start_s: the first time.
    """

    def __init__(
        self, device: SimulatedDevice, gimbal: SimulatedGimbal, camera: SimulatedCamera, start_s: float
    ) -> None:
        options = device.options
        super().__init__(device, PAYLOAD_COMPONENT)
        self._camera = camera
        laser = camera.laser
        self.position = position = Position(options)
        self._infrared_correction = 1
        self._status_text_id = 0
        # Its own values, all float32, numbered in this order; each source gives those of its row.
        rows: tuple[tuple[tuple[str, ...], Callable[[float], tuple[float, ...]]], ...] = (
            (('EO_ZOOM', 'IR_ZOOM'), lambda _: (camera.lens.factor, camera.parameters['C_T_ZOOM'] + 1)),
            (('LRF_RANGE',), lambda _: (laser.range_m,)),
            (('TRK_POS_X', 'TRK_POS_Y', 'TRK_POS_W', 'TRK_POS_H'), lambda _: camera.tracker.box_px),
            (('TRK_STATUS',), lambda _: (camera.tracker.status,)),
            (('LRF_OFFSET_X', 'LRF_OFFSET_Y'), lambda _: (0, 0)),
            (
                ('TARGET_LON', 'TARGET_LAT', 'TARGET_ALT'),
                lambda now_s: position.target(camera.view(), laser.range_m, now_s),
            ),
            (('PAY_LON', 'PAY_LAT', 'PAY_ALT'), position.lon_lat_alt),
            (('APP_VER_X', 'APP_VER_Y', 'APP_VER_Z'), lambda _: _SOFTWARE),
            (('VIEW_MODE', 'REC_SRC'), lambda _: (camera.parameters['C_SOURCE'], camera.parameters['C_V_REC'])),
            (('IR_TYPE', 'PALETTE_ID'), lambda _: (0, camera.parameters['C_T_PALETTE'])),
            # FFC_MODE: 0 by hand, 1 by itself.
            (
                ('FFC_MODE', 'GB_MODE'),
                lambda now_s: (self._infrared_correction, GB_MODES.index(mode_of(gimbal.modes.flags(now_s)))),
            ),
            (('IR_TEMP_MAX', 'IR_TEMP_MIN', 'IR_TEMP_MEAN'), lambda _: _SCENE_DEG_C),
        )
        self._values = [(name, values, at) for names, values in rows for at, name in enumerate(names)]
        self.commands = {
            dialect.MAV_CMD_SET_MESSAGE_INTERVAL: self._set_interval,
            dialect.MAV_CMD_REQUEST_MESSAGE: self._send_once,
            dialect.MAV_CMD_USER_4: self._vendor,
        }
        self.handlers[dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT] = self._vehicle_position
        self.power_up(start_s)

    def power_up(self, now_s: float) -> None:
        """As after switching on: nobody has asked for telemetry."""
        options = self.options
        rates_hz = [options.zoom_rate_hz] + [options.telemetry_rate_hz] * (len(self._values) - 1)
        intervals = {index: 1.0 / rate if rate > 0 else math.inf for index, rate in enumerate(rates_hz)}
        intervals |= {_HEARTBEAT: 1.0, _STATUS_TEXT: 1.0 if options.recording_status_text else math.inf}
        self.schedule = StreamSchedule(intervals, now_s)

    def send_due(self, now_s: float) -> None:
        """Heartbeat and telemetry."""
        for index in self.schedule.due(now_s):
            if index == _HEARTBEAT:
                self.send(heartbeat(dialect.MAV_TYPE_ONBOARD_CONTROLLER), now_s)
            elif index == _STATUS_TEXT:
                self._send_status_text(now_s)
            else:
                self.send(self._telemetry(index, now_s), now_s)

    def _telemetry(self, index: int, now_s: float) -> Message:
        """DEBUG 254 by number, or PARAM_VALUE 22 by name."""
        name, values, at = self._values[index]
        value = float(values(now_s)[at])
        if self.options.telemetry_as_parameters:
            kind, count = dialect.MAV_PARAM_TYPE_REAL32, len(self._values)
            return dialect.MAVLink_param_value_message(name.encode(), value, kind, count, index)
        return dialect.MAVLink_debug_message(self.device.power.boot_ms(now_s), index, value)

    def _vehicle_position(self, received: ReceivedMessage, now_s: float) -> None:
        fields = received.fields
        self.position.take((fields.lon * 1e-7, fields.lat * 1e-7, fields.alt * 1e-3), now_s)

    def _set_interval(self, parameters: list[float], now_s: float) -> int:
        """511 with a telemetry index instead of a message id, marked by p7 1 (gimbal.md 2.4)."""
        index, interval_us = whole(parameters[0]), parameters[1]
        if whole(parameters[6]) != 1 or not 0 <= index < len(self._values) or not math.isfinite(interval_us):
            return UNSUPPORTED
        self.schedule.set(index, interval_us * 1e-6 if interval_us > 0 else math.inf, now_s)
        return ACCEPTED

    def _send_once(self, parameters: list[float], now_s: float) -> int:
        if whole(parameters[0]) != ComponentInformation.id:
            return UNSUPPORTED
        software = '.'.join(map(str, _SOFTWARE))
        boot_ms = self.device.power.boot_ms(now_s)
        self.send(ComponentInformation(boot_ms, self.options.model, software, 'SIM0001'), now_s)
        return ACCEPTED

    def _vendor(self, parameters: list[float], now_s: float) -> int:
        """31013 (gimbal.md 2.2)."""
        group, kind = whole(parameters[0]), whole(parameters[1])
        if group == 2:
            return self._lens(kind, whole(parameters[2]), parameters[3])
        if group == 4 and kind == 0:
            return self._track(parameters, now_s)
        # Stream settings and standby are accepted, and change nothing visible here.
        return ACCEPTED if group == 4 and kind in (2, 3) else UNSUPPORTED

    def _lens(self, kind: int, action: int, value: float) -> int:
        lens = self._camera.lens
        if kind == 0:
            if action == _ZOOM_TO and value >= 1.0:
                lens.go_to(value)
            elif action in (-1, 0, 1):
                lens.drive(action)
            elif action in (_ZOOM_WIDE, _ZOOM_TELE):
                lens.drive(-1 if action == _ZOOM_WIDE else 1)
            else:
                return UNSUPPORTED
        elif kind == 6:
            self._infrared_correction = action
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
            self.send(message, now_s)
