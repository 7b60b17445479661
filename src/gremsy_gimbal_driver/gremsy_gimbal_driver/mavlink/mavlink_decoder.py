# SPDX-License-Identifier: Apache-2.0
"""Checked frames to events, and only what can be believed: a Gremsy that is there, finite numbers, unit quaternions.

Everything refused is counted by its reason; nothing raises. A checksum of 16 bits lets one damaged frame in 65,536
pass, so what a number may be is checked as well where a wrong one would do harm.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from gremsy_common.types.attitude_screen import GIMBAL_LIMITS, DamageGate, fault_of
from gremsy_common.types.gimbal_state import STANDARD_GRAVITY_M_S2
from gremsy_gimbal_driver.mavlink.component_register import (
    GIMBAL_COMPONENTS,
    PAYLOAD_COMPONENT,
    ComponentKind,
    ComponentRegister,
    kind_of,
)
from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA, MESSAGE_STRUCT, dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    TELEMETRY_NAMES,
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    Event,
    ExtendedParameter,
    GimbalManager,
    Heartbeat,
    IncomingCommand,
    MountOrientation,
    MountStatus,
    ParameterValue,
    PayloadTelemetry,
    RawImu,
    Sender,
    StatusText,
    SystemStatus,
)
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer, MavlinkFrame
from gremsy_gimbal_driver.mavlink.status_text import StatusTextChunks

_LARGEST_DELTA_YAW_RAD = 2 * math.pi
# Pan ends at 345 degrees (gimbal.md 1.8); room for one that counts on over a turn.
_LARGEST_ANGLE_DEG = 720.0
_ACCELERATION_M_S2 = STANDARD_GRAVITY_M_S2 / 8192  # of one count, gimbal.md 1.4
_RATE_RAD_S = math.radians(1 / 32.8)
_YAW_FRAME_KNOWN = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME | dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME
_UNKNOWN_VOLTAGE = 0xFFFF
_HEARTBEAT = dialect.MAVLINK_MSG_ID_HEARTBEAT
_ATTITUDE = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS

# From struct: int, float or bytes by the message's definition, in the wire's order.
_Fields = tuple[Any, ...]

# What other components report of themselves under these ids is not about the gimbal.
_FROM_THE_GIMBAL_ALONE = frozenset(
    {
        dialect.MAVLINK_MSG_ID_SYS_STATUS,
        dialect.MAVLINK_MSG_ID_RAW_IMU,
        dialect.MAVLINK_MSG_ID_MOUNT_STATUS,
        dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION,
        dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION,
        _ATTITUDE,
        dialect.MAVLINK_MSG_ID_COMMAND_LONG,
    }
)


class _Refused(Exception):
    """A message that cannot be believed; counted under this reason."""


class MavlinkDecoder:
    """Parses what one link receives.

    Args:
        own: our system and component; acknowledgements for others are not ours.
        pinned: the gimbal to listen to; None learns the first gimbal component that sends a heartbeat or an
            attitude (285).
        components: the register of all links, where there are several; then that holds the pinned gimbal.
    """

    def __init__(self, own: Sender, pinned: Sender | None = None, components: ComponentRegister | None = None) -> None:
        self._own = own
        self._framer = Framer(CHECKSUM_EXTRA)
        self.framing_counts = self._framer.counts
        """Frames, and what was thrown away before it was one."""
        self._senders: dict[int, Sender] = {}
        self.rejects: Counter[str] = Counter()
        self.components = components or ComponentRegister(pinned)
        """Who speaks, and when last, in the times that `feed` was given."""
        self._texts = StatusTextChunks(self.rejects)
        self._damage = DamageGate()
        self._events: dict[int, Callable[[Sender, _Fields], Event | None]] = {
            _HEARTBEAT: lambda sender, of: Heartbeat(sender, of[1], of[2], of[4]),
            dialect.MAVLINK_MSG_ID_SYS_STATUS: _system_status,
            dialect.MAVLINK_MSG_ID_PARAM_VALUE: self._parameter,
            dialect.MAVLINK_MSG_ID_RAW_IMU: _raw_imu,
            dialect.MAVLINK_MSG_ID_COMMAND_LONG: self._command,
            dialect.MAVLINK_MSG_ID_COMMAND_ACK: self._acknowledgement,
            dialect.MAVLINK_MSG_ID_MOUNT_STATUS: lambda sender, of: MountStatus(sender, *of[:3]),
            dialect.MAVLINK_MSG_ID_STATUSTEXT: self._text,
            dialect.MAVLINK_MSG_ID_DEBUG: self._debug,
            dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION: self._orientation,
            dialect.MAVLINK_MSG_ID_GIMBAL_MANAGER_STATUS: lambda sender, of: GimbalManager(
                sender, of[2], Sender(*of[3:5])
            ),
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION: _information,
            _ATTITUDE: self._attitude,
            dialect.MAVLINK_MSG_ID_PARAM_EXT_VALUE: lambda sender, of: _extended(
                sender, of[2], of[3], of[4], index=of[1], count=of[0]
            ),
            dialect.MAVLINK_MSG_ID_PARAM_EXT_ACK: lambda sender, of: _extended(sender, *of),
        }

    def cut(self) -> None:
        """The link was reopened: what was half received will not go on."""
        self._framer.reset()
        self._texts.forget()
        self._damage.forget()
        self.components.gimbal_fills_delta_yaw = False

    def feed(self, data: bytes, datagram: bool = False, now_ns: int = 0) -> list[Event]:
        """The believable events in these bytes, in order; `now_ns` only goes into `components`."""
        events: list[Event] = []
        for frame in self._framer.feed(data, datagram):
            try:
                event = self._decode(frame, now_ns)
                if event is not None:
                    events.append(event)
            except _Refused as refusal:
                self.rejects[str(refusal)] += 1
        return events

    def _decode(self, frame: MavlinkFrame, now_ns: int) -> Event | None:
        """None for a message that is about nothing here. Raises _Refused."""
        number = frame.message_id
        sender = self._sender(frame)
        # 285 is "broadcast by a gimbal device component" (common.xml), and introduces it as a heartbeat does.
        introduces = number == _HEARTBEAT or (number == _ATTITUDE and sender.component in GIMBAL_COMPONENTS)
        self.components.on_message(sender, introduces, now_ns)
        event_of = self._events.get(number)
        if event_of is None:
            return None
        if number in _FROM_THE_GIMBAL_ALONE:
            self._check_gimbal(sender)
        layout = MESSAGE_STRUCT[number]
        # MAVLink 2 cuts trailing zeros off, and an older or newer sender knows fewer or more extension fields.
        return event_of(sender, layout.unpack(frame.payload[: layout.size].ljust(layout.size, b'\0')))

    def _sender(self, frame: MavlinkFrame) -> Sender:
        key = frame.system << 8 | frame.component
        sender = self._senders.get(key)
        if sender is None:
            sender = self._senders[key] = Sender(frame.system, frame.component)
        return sender

    def _check_gimbal(self, sender: Sender) -> None:
        gimbal = self.components.gimbal
        if sender is not gimbal and sender != gimbal:
            raise _Refused('before_a_heartbeat' if gimbal is None else 'from_another_component')

    def _check_payload(self, sender: Sender) -> None:
        """Whether it is the board that belongs to the gimbal."""
        if sender != self.components.payload:
            raise _Refused('from_another_component')

    # From the gimbal.

    def _attitude(self, sender: Sender, fields: _Fields) -> AttitudeStatus:
        boot_ms, w, x, y, z, roll_rate, pitch_rate, yaw_rate, failures, flags, _, _, delta_yaw, delta_rate, _ = fields
        self.components.gimbal_fills_delta_yaw |= delta_yaw != 0.0
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        rates = (roll_rate, pitch_rate, yaw_rate)
        fault = fault_of(norm, rates)
        if fault is not None:
            raise _Refused(f'attitude_{fault.value}')
        # Without either flag the field is to be ignored: old firmware does not send it, and then it reads 0. With one
        # a device that has never filled it in does not know it either: MAVSDK's (gimbal.md 9) and PX4's Gazebo gimbal.
        delta = delta_yaw if flags & _YAW_FRAME_KNOWN and self.components.gimbal_fills_delta_yaw else math.nan
        if abs(delta) > _LARGEST_DELTA_YAW_RAD:
            raise _Refused('attitude_delta_yaw_impossible')
        q = (w / norm, x / norm, y / norm, z / norm)
        if not self._damage.passes(boot_ms, q):
            raise _Refused('attitude_jumped')
        delta_rate = delta_rate if math.isfinite(delta) and abs(delta_rate) <= GIMBAL_LIMITS.fastest_rad_s else math.nan
        return AttitudeStatus(sender, boot_ms, flags, q, rates, failures, delta, delta_rate)

    def _orientation(self, sender: Sender, fields: _Fields) -> MountOrientation:
        boot_ms, roll, pitch, yaw, absolute = fields
        largest = max(abs(roll), abs(pitch), abs(yaw))
        if not math.isfinite(roll + pitch + yaw):
            raise _Refused('orientation_not_finite')
        if largest == 0.0:
            # 14 % of a VIO's; a resting gimbal never had even one axis at exactly 0 (gimbal.md 1.4).
            raise _Refused('orientation_zero_triple')
        if largest > _LARGEST_ANGLE_DEG:
            raise _Refused('orientation_impossible')
        # An extension that is not sent reads 0.
        if not 0.0 < abs(absolute) <= _LARGEST_ANGLE_DEG:
            absolute = math.nan
        roll, pitch, yaw, absolute = map(math.radians, (roll, pitch, yaw, absolute))
        return MountOrientation(sender, boot_ms, roll, pitch, yaw, absolute)

    def _command(self, sender: Sender, fields: _Fields) -> IncomingCommand:
        command, system, component = fields[7:10]
        if Sender(system, component) != self._own:
            raise _Refused('command_for_another')
        return IncomingCommand(sender, command)

    # From others too.

    def _acknowledgement(self, sender: Sender, fields: _Fields) -> CommandAck:
        command, result, progress, _, system, component = fields
        # Older senders cut the target off: then it is 0, meant for all.
        if Sender(system, component) not in (self._own, Sender(0, 0)):
            raise _Refused('acknowledgement_for_another')
        return CommandAck(sender, command, result, progress)

    def _parameter(self, sender: Sender, fields: _Fields) -> ParameterValue | PayloadTelemetry:
        value, count, index, raw_name, _ = fields
        is_board = sender.component == PAYLOAD_COMPONENT
        (self._check_payload if is_board else self._check_gimbal)(sender)
        name = _name(raw_name)
        if not name or not math.isfinite(value):
            raise _Refused('parameter_unreadable')
        if is_board:
            return self._telemetry(sender, name, value)
        return ParameterValue(sender, name, value, index, count)

    def _debug(self, sender: Sender, fields: _Fields) -> PayloadTelemetry:
        _, value, index = fields
        self._check_payload(sender)
        if index >= len(TELEMETRY_NAMES):
            raise _Refused('telemetry_unknown')
        return self._telemetry(sender, TELEMETRY_NAMES[index], value)

    def _telemetry(self, sender: Sender, name: str, value: float) -> PayloadTelemetry:
        if not math.isfinite(value):
            raise _Refused('telemetry_not_finite')
        if name == 'EO_ZOOM' and value < 1.0:
            raise _Refused('zoom_not_a_magnification')
        return PayloadTelemetry(sender, name, value)

    def _text(self, sender: Sender, fields: _Fields) -> StatusText | None:
        severity, text, text_id, number = fields
        if kind_of(sender.component) is None:
            raise _Refused('from_another_component')
        return self._texts.take(sender, severity, text, text_id, number)


def _system_status(sender: Sender, fields: _Fields) -> SystemStatus:
    voltage_mv, status_bits, fault_bits = fields[4], fields[8], fields[9]
    voltage_v = math.nan if voltage_mv == _UNKNOWN_VOLTAGE else voltage_mv / 1000.0
    return SystemStatus(sender, status_bits, fault_bits, voltage_v)


def _raw_imu(sender: Sender, fields: _Fields) -> RawImu:
    time_us, ax, ay, az, gx, gy, gz = fields[:7]
    acceleration = (ax * _ACCELERATION_M_S2, ay * _ACCELERATION_M_S2, az * _ACCELERATION_M_S2)
    return RawImu(sender, time_us, acceleration, (gx * _RATE_RAD_S, gy * _RATE_RAD_S, gz * _RATE_RAD_S))


def _information(sender: Sender, fields: _Fields) -> DeviceInformation:
    version = fields[2]
    firmware = (version & 0xFF, version >> 8 & 0xFF, version >> 16 & 0xFF)
    vendor, model = _text_of(fields[12]), _text_of(fields[13])
    return DeviceInformation(sender, vendor, model, firmware, fields[6:8], fields[8:10], version >> 24, fields[10])


def _extended(
    sender: Sender, raw_name: bytes, raw: bytes, type_: int, result: int | None = None, index: int = 0, count: int = 0
) -> ExtendedParameter:
    if kind_of(sender.component) not in (ComponentKind.CAMERA, ComponentKind.PAYLOAD):
        raise _Refused('from_another_component')
    name = _name(raw_name)
    if not name:
        raise _Refused('parameter_unreadable')
    return ExtendedParameter(sender, name, raw, type_, result, index, count)


def _text_of(field: bytes) -> str:
    return field.split(b'\0')[0].decode('ascii', 'replace')


def _name(field: bytes) -> str:
    """A parameter's id; empty where it is none."""
    text = _text_of(field)
    return text if text.isascii() and text.isprintable() else ''
