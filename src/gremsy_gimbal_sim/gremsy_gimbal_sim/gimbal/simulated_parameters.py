# SPDX-License-Identifier: Apache-2.0
"""MAVLink's two parameter protocols as the device answers them: PARAM_* of the gimbal, PARAM_EXT_* of the camera."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.wire.component import MavlinkComponent, Message, ReceivedMessage, happens

_UINT32 = int(dialect.MAV_PARAM_EXT_TYPE_UINT32)


@dataclass(slots=True)
class SimulatedParameter:
    """A whole number in its range."""

    value: int
    low: int
    high: int
    read_only: bool = False


class SimulatedParameters:
    """Answers requests for one parameter, by index or by name, and for all; a name that does not exist gets silence.

    Args:
        component: who answers.
        table: the parameters by name, in the order of their index.
        changed: called with name, value and time of each parameter that was set.
    """

    requests: tuple[int, int, int]
    """Messages that ask for one, ask for all, and set one."""
    list_gap_s: float
    """Between the answers to a request for all."""

    def __init__(
        self,
        component: MavlinkComponent,
        table: Mapping[str, SimulatedParameter],
        changed: Callable[[str, int, float], None],
    ) -> None:
        self._component = component
        self._device = component.device
        self._options = component.options
        self._table = dict(table)
        self._names = list(table)
        self._changed = changed
        component.handlers |= dict.fromkeys(self.requests, self.take)

    def __getitem__(self, name: str) -> int:
        """Its value."""
        return self._table[name].value

    def take(self, received: ReceivedMessage, now_s: float) -> None:
        """One of the three requests."""
        fields = received.fields
        _, lists, sets = self.requests
        if received.message_id == lists:
            for number, name in enumerate(self._names):
                self.send(name, now_s + number * self.list_gap_s)
            return
        name = fields.param_id.split(b'\0')[0].decode('ascii', 'replace')
        if received.message_id == sets:
            self._set(name, fields, now_s)
        elif fields.param_index < 0:
            self.send(name, now_s)
        elif fields.param_index < len(self._names):
            self.send(self._names[fields.param_index], now_s)

    def send(self, name: str, at_s: float) -> None:
        """Its value; nothing for what does not exist."""
        if name in self._table:
            place = (len(self._names), self._names.index(name))
            self._component.send(self._value(name.encode(), self._table[name].value, *place), at_s)

    def _set(self, name: str, fields: Any, now_s: float) -> None:
        raise NotImplementedError

    def _value(self, name: bytes, value: int, count: int, index: int) -> Message:
        raise NotImplementedError


class SimulatedClassicParameters(SimulatedParameters):
    """PARAM_*: 16-bit whole numbers, cast to float on the wire (gimbal.md 1.4, 1.8, 1.11)."""

    requests = (
        dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ,
        dialect.MAVLINK_MSG_ID_PARAM_REQUEST_LIST,
        dialect.MAVLINK_MSG_ID_PARAM_SET,
    )
    list_gap_s = 0.010  # 100 parameters a second fill a third of a 115200 baud line

    def send(self, name: str, at_s: float) -> None:
        """PARAM_VALUE 22, unless the answer gets lost."""
        options = self._options
        if name not in self._table or not options.parameters_answered:
            return
        if not happens(options.parameter_lost_share, self._device.gimbal_chances):
            super().send(name, at_s + options.parameter_delay_s)

    def _set(self, name: str, fields: Any, now_s: float) -> None:
        """PARAM_SET 23: clamped and answered with what holds now, which for a read-only one is what held before."""
        parameter = self._table.get(name)
        if parameter is None:
            return
        if not parameter.read_only and math.isfinite(fields.param_value):
            parameter.value = max(parameter.low, min(parameter.high, int(fields.param_value)))
            self._changed(name, parameter.value, now_s)
        self.send(name, now_s)

    def _value(self, name: bytes, value: int, count: int, index: int) -> Message:
        kind = dialect.MAV_PARAM_TYPE_INT16
        return dialect.MAVLink_param_value_message(name, float(value), kind, count, index)


class SimulatedExtendedParameters(SimulatedParameters):
    """PARAM_EXT_*: little-endian 32-bit numbers, each setting acknowledged (gimbal.md 2.3)."""

    requests = (
        dialect.MAVLINK_MSG_ID_PARAM_EXT_REQUEST_READ,
        dialect.MAVLINK_MSG_ID_PARAM_EXT_REQUEST_LIST,
        dialect.MAVLINK_MSG_ID_PARAM_EXT_SET,
    )
    list_gap_s = 0.020

    def take(self, received: ReceivedMessage, now_s: float) -> None:
        """One of the three requests, from who may make them."""
        if self._options.ext_component in (0, received.component):
            super().take(received, now_s)

    def _set(self, name: str, fields: Any, now_s: float) -> None:
        """PARAM_EXT_SET 323, which may fail, take its time, or be accepted and not done."""
        options = self._options
        parameter = self._table.get(name)
        (value,) = struct.unpack_from('<I', fields.param_value)
        if parameter is None or happens(options.ext_failed_share, self._device.payload_chances):
            self._acknowledge(name, value, dialect.PARAM_ACK_FAILED, now_s)
            return
        if fields.param_type != _UINT32 or not parameter.low <= value <= parameter.high:
            self._acknowledge(name, parameter.value, dialect.PARAM_ACK_VALUE_UNSUPPORTED, now_s)
            return
        if options.ext_in_progress_s:
            self._acknowledge(name, value, dialect.PARAM_ACK_IN_PROGRESS, now_s)
        if not happens(options.ext_ignored_share, self._device.payload_chances):
            parameter.value = value
            self._changed(name, value, now_s)
        self._acknowledge(name, value, dialect.PARAM_ACK_ACCEPTED, now_s + options.ext_in_progress_s)

    def _value(self, name: bytes, value: int, count: int, index: int) -> Message:
        return dialect.MAVLink_param_ext_value_message(name, _raw(value), _UINT32, count, index)

    def _acknowledge(self, name: str, value: int, result: int, at_s: float) -> None:
        message = dialect.MAVLink_param_ext_ack_message(name.encode(), _raw(value), _UINT32, result)
        self._component.send(message, at_s)


def _raw(value: int) -> bytes:
    return struct.pack('<I', value).ljust(128, b'\0')
