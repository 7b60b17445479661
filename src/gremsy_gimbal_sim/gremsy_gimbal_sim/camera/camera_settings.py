# SPDX-License-Identifier: Apache-2.0
"""The camera's parameters, PARAM_EXT_*: names with little-endian 32-bit numbers (gimbal.md 2.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.outbox import Component, Outbox

_UINT32 = int(dialect.MAV_PARAM_EXT_TYPE_UINT32)
_LIST_GAP_S = 0.020

COMBINED_ZOOM = (1, *range(2, 21, 2), *range(40, 241, 20))
"""C_V_ZM_CB_LV of a VIO: 22 levels, x."""
SUPER_RESOLUTION_ZOOM = tuple(1.0 + 29.0 * step / 11.0 for step in range(12))
"""C_V_ZM_SR_LV of a VIO: 12 levels to 30 x, evenly where nothing else is known."""


@dataclass(slots=True)
class _Parameter:
    value: int
    low: int
    high: int


def _table(options: PayloadOptions) -> dict[str, _Parameter]:
    gimbal_mode = {'off': 0, 'lock': 1, 'follow': 2}[options.start_mode]
    rows = (
        ('C_SOURCE', 0, 0, 6),
        ('C_V_REC', 0, 0, 5),
        ('OSD_MODE', 0, 0, 2),
        ('C_V_ZM_MODE', 0, 0, 2),
        ('C_V_ZM_CB_LV', 0, 0, len(COMBINED_ZOOM) - 1),
        ('C_V_ZM_SR_LV', 0, 0, len(SUPER_RESOLUTION_ZOOM) - 1),
        ('C_T_ZOOM', 0, 0, 7),
        ('C_V_Z_SPD', 7, 0, 7),
        ('C_V_F_SPD', 7, 0, 7),
        ('C_V_FM', 1, 0, 3),
        ('C_V_FV', 40960, 0, 61440),
        ('C_T_PALETTE', 0, 0, 9),
        ('C_V_AE', 0, 0, 14),
        ('C_V_SP', 16, 6, 33),
        ('C_V_WB', 0, 0, 5),
        ('C_V_RGAIN', 128, 0, 255),
        ('C_V_BGAIN', 128, 0, 255),
        ('C_V_DEFOG', 3, 2, 3),
        ('C_V_FLIP', 3, 2, 3),
        ('GB_MODE', gimbal_mode, 0, 4),
        ('RC_MODE', options.rc_mode, 0, 1),
        ('GB_FW_FLAG', int(options.forwards_flags), 0, 1),
        ('TRACK_MODE', 0, 0, 1),
        ('LRF_MODE', options.laser_mode, 0, 3),
    )
    return {name: _Parameter(value, low, high) for name, value, low, high in rows}


class ExtendedParameters:
    """Answers PARAM_EXT_REQUEST_READ, _REQUEST_LIST and _SET; a name that does not exist gets no value.

    Args:
        options: the camera's.
        camera, outbox: who answers, and where to.
        random: of its faults.
        changed: told name, value and time of each parameter that was set.
    """

    def __init__(
        self,
        options: PayloadOptions,
        camera: Component,
        outbox: Outbox,
        random: np.random.Generator,
        changed: Callable[[str, int, float], None],
    ) -> None:
        self._options = options
        self._camera = camera
        self._outbox = outbox
        self._random = random
        self._changed = changed
        self._table = _table(options)
        self._names = list(self._table)

    def __getitem__(self, name: str) -> int:
        """Its value."""
        return self._table[name].value

    def take(self, frame: MavlinkFrame, fields: tuple[object, ...], now_s: float) -> None:
        """One of the three messages, for this component."""
        wanted = self._options.ext_component
        if wanted and frame.component != wanted:
            return
        if frame.message_id == dialect.MAVLINK_MSG_ID_PARAM_EXT_REQUEST_LIST:
            for number, name in enumerate(self._names):
                self._send(name, now_s + number * _LIST_GAP_S)
        elif frame.message_id == dialect.MAVLINK_MSG_ID_PARAM_EXT_REQUEST_READ:
            index, _, _, raw_name = fields
            name = _text(raw_name)
            if isinstance(index, int) and index >= 0:
                name = self._names[index] if index < len(self._names) else ''
            self._send(name, now_s)
        else:
            _, _, raw_name, raw_value, kind = fields
            self._set(_text(raw_name), raw_value if isinstance(raw_value, bytes) else b'', kind == _UINT32, now_s)

    def _set(self, name: str, raw: bytes, is_uint32: bool, now_s: float) -> None:
        parameter = self._table.get(name)
        (value,) = struct.unpack_from('<I', raw.ljust(4, b'\0'))
        if parameter is None or self._happens(self._options.ext_failed_share):
            self._acknowledge(name, value, dialect.PARAM_ACK_FAILED, now_s)
            return
        if not is_uint32 or not parameter.low <= value <= parameter.high:
            self._acknowledge(name, parameter.value, dialect.PARAM_ACK_VALUE_UNSUPPORTED, now_s)
            return
        if self._options.ext_in_progress_s:
            self._acknowledge(name, value, dialect.PARAM_ACK_IN_PROGRESS, now_s)
        if not self._happens(self._options.ext_ignored_share):
            parameter.value = value
            self._changed(name, value, now_s)
        self._acknowledge(name, value, dialect.PARAM_ACK_ACCEPTED, now_s + self._options.ext_in_progress_s)

    def _send(self, name: str, at_s: float) -> None:
        if name in self._table:
            value = struct.pack('<I', self._table[name].value).ljust(128, b'\0')
            message = dialect.MAVLink_param_ext_value_message(
                name.encode(), value, _UINT32, len(self._names), self._names.index(name)
            )
            self._outbox.send(self._camera, message, at_s)

    def _acknowledge(self, name: str, value: int, result: int, at_s: float) -> None:
        raw = struct.pack('<I', value).ljust(128, b'\0')
        message = dialect.MAVLink_param_ext_ack_message(name.encode(), raw, _UINT32, result)
        self._outbox.send(self._camera, message, at_s)

    def _happens(self, share: float) -> bool:
        return share > 0.0 and float(self._random.random()) < share


def _text(raw: object) -> str:
    return raw.split(b'\0')[0].decode('ascii', 'replace') if isinstance(raw, bytes) else ''
