# SPDX-License-Identifier: Apache-2.0
"""Checked frames to events, and only what can be believed: a gimbal that was heard, finite numbers, unit quaternions.

Everything refused is counted by its reason; nothing raises.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from gremsy_gimbal_driver.mavlink_dialect import CHECKSUM_EXTRA, MESSAGE_STRUCT, dialect
from gremsy_gimbal_driver.mavlink_events import (
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    Event,
    Heartbeat,
    Sender,
    SystemStatus,
    ZoomReport,
)
from gremsy_gimbal_driver.mavlink_framing import Frame, Framer

GIMBAL_COMPONENTS = frozenset({154, 171, 172, 173, 174, 175})
"""MAV_COMP_ID_GIMBAL and GIMBAL2..6: what the vendor's SDKs accept (gimbal.md 1.3)."""

PAYLOAD_COMPONENT = 26
"""The payload's main board, MAV_COMP_ID_USER2; the vendor says not to change it."""

_EO_ZOOM_INDEX = 0
# float32 quaternions are unit to 1e-7; 1 % leaves room for a device that does not renormalise.
_NORM_TOLERANCE = 0.01


class Decoder:
    """Parses what one link receives.

    Args:
        own: our system and component; acknowledgements for others are not ours.
        pinned: the gimbal to listen to; None learns the first gimbal component whose heartbeat is heard.
    """

    def __init__(self, own: Sender, pinned: Sender | None = None) -> None:
        self._own = own
        self._pinned = pinned
        self._gimbal = pinned
        self._framer = Framer(CHECKSUM_EXTRA)
        self.rejects: Counter[str] = Counter()
        self._decoders: dict[int, Callable[[Sender, tuple[object, ...]], Event | None]] = {
            dialect.MAVLINK_MSG_ID_HEARTBEAT: self._heartbeat,
            dialect.MAVLINK_MSG_ID_SYS_STATUS: self._system_status,
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS: self._attitude,
            dialect.MAVLINK_MSG_ID_COMMAND_ACK: self._acknowledgement,
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION: self._information,
            dialect.MAVLINK_MSG_ID_DEBUG: self._debug,
        }

    @property
    def gimbal(self) -> Sender | None:
        """The gimbal that is listened to; None before its first heartbeat."""
        return self._gimbal

    @property
    def framing_counts(self) -> Counter[str]:
        """Frames, and what was thrown away before it was one."""
        return self._framer.counts

    def cut(self) -> None:
        """The link was opened anew: what was half received will not go on."""
        self._framer.reset()

    def forget(self) -> None:
        """Learn anew: the gimbal fell silent, and another may speak next."""
        self._gimbal = self._pinned
        self._framer.reset()

    def feed(self, data: bytes, datagram: bool = False) -> list[Event]:
        """The believable events in these bytes, in order."""
        events = (self._decode(frame) for frame in self._framer.feed(data, datagram))
        return [event for event in events if event is not None]

    def _decode(self, frame: Frame) -> Event | None:
        decode = self._decoders.get(frame.message_id)
        if decode is None:
            return None
        layout = MESSAGE_STRUCT[frame.message_id]
        # MAVLink 2 cuts trailing zeros off, and an older or newer sender knows fewer or more extension fields.
        padded = frame.payload[: layout.size].ljust(layout.size, b'\0')
        return decode(Sender(frame.system, frame.component), layout.unpack(padded))

    def _heartbeat(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        _, type_, autopilot, _, status, _ = map(_integer, fields)
        if self._gimbal is None and sender.component in GIMBAL_COMPONENTS:
            self._gimbal = sender
        return Heartbeat(sender, type_, autopilot, status)

    def _system_status(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        if not self._is_ours(sender):
            return None
        return SystemStatus(sender, _integer(fields[8]), _integer(fields[9]), _integer(fields[4]) / 1000.0)

    def _attitude(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        if not self._is_ours(sender):
            return None
        numbers = [_number(each) for each in fields[1:8]]
        q = numbers[:4]
        norm = math.sqrt(sum(each * each for each in q))
        if not math.isfinite(norm):
            self.rejects['attitude_not_finite'] += 1
            return None
        if abs(norm - 1.0) > _NORM_TOLERANCE:
            self.rejects['attitude_not_unit'] += 1
            return None
        return AttitudeStatus(
            sender,
            _integer(fields[0]),
            _integer(fields[9]),
            (q[0] / norm, q[1] / norm, q[2] / norm, q[3] / norm),
            (numbers[4], numbers[5], numbers[6]),
            _integer(fields[8]),
        )

    def _acknowledgement(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        target = Sender(_integer(fields[4]), _integer(fields[5]))
        # Older senders cut the target off: then it is 0, meant for all.
        if target not in (self._own, Sender(0, 0)):
            self.rejects['acknowledgement_for_another'] += 1
            return None
        return CommandAck(sender, _integer(fields[0]), _integer(fields[1]))

    def _information(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        if not self._is_ours(sender):
            return None
        limits = [_number(each) for each in fields[6:10]]
        version = _integer(fields[2])
        return DeviceInformation(
            sender,
            _text(fields[12]),
            _text(fields[13]),
            (version & 0xFF, version >> 8 & 0xFF, version >> 16 & 0xFF),
            (limits[0], limits[1]),
            (limits[2], limits[3]),
        )

    def _debug(self, sender: Sender, fields: tuple[object, ...]) -> Event | None:
        if sender.component != PAYLOAD_COMPONENT or _integer(fields[2]) != _EO_ZOOM_INDEX:
            return None
        factor = _number(fields[1])
        if not (math.isfinite(factor) and factor >= 1.0):
            self.rejects['zoom_not_a_magnification'] += 1
            return None
        return ZoomReport(sender, factor)

    def _is_ours(self, sender: Sender) -> bool:
        if sender == self._gimbal:
            return True
        self.rejects['before_a_heartbeat' if self._gimbal is None else 'from_another_component'] += 1
        return False


def _integer(field: object) -> int:
    return field if isinstance(field, int) else 0


def _number(field: object) -> float:
    return field if isinstance(field, float) else math.nan


def _text(field: object) -> str:
    return field.split(b'\0')[0].decode('ascii', 'replace') if isinstance(field, bytes) else ''
