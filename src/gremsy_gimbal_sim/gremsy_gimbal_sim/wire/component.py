# SPDX-License-Identifier: Apache-2.0
"""A MAVLink component of the device: it takes the messages that name it, and acknowledges the commands among them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_sim.board.power import Power
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.outbox import Outbox

ACCEPTED = int(dialect.MAV_RESULT_ACCEPTED)
DENIED = int(dialect.MAV_RESULT_DENIED)
FAILED = int(dialect.MAV_RESULT_FAILED)
UNSUPPORTED = int(dialect.MAV_RESULT_UNSUPPORTED)
IN_PROGRESS = int(dialect.MAV_RESULT_IN_PROGRESS)

NO_NUMBER = -(2**31)
"""Means nothing in any command."""

# On the same link.
_ANOTHER_PROGRAM = dialect.MAV_COMP_ID_MISSIONPLANNER
_PROGRESS_EVERY_S = 1.0

Message: TypeAlias = dialect.MAVLink_message


def whole(value: float) -> int:
    """A parameter of COMMAND_LONG cut to a whole number; `NO_NUMBER` for NaN, infinity and what is too large."""
    return int(value) if math.isfinite(value) and abs(value) < 2**31 else NO_NUMBER


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that reached the device whole: from whom, and its fields by MAVLink's names; texts are raw bytes."""

    message_id: int
    system: int
    component: int
    fields: Any

    @classmethod
    def of(cls, frame: MavlinkFrame) -> ReceivedMessage:
        """Unpacked as pymavlink declares it, which knows every message that a checked frame can be."""
        kind = dialect.mavlink_map[frame.message_id]
        size = kind.unpacker.size
        values = iter(kind.unpacker.unpack(frame.payload[:size].ljust(size, b'\0')))
        fields = {
            name: next(values) if length == 1 else list(islice(values, length))
            for name, length in zip(kind.ordered_fieldnames, kind.lengths, strict=True)
        }
        return cls(frame.message_id, frame.system, frame.component, SimpleNamespace(**fields))


@dataclass(frozen=True, slots=True)
class Running:
    """Of a command that is accepted and takes so long: its progress is acknowledged every second."""

    lasts_s: float


Command = Callable[[list[float], float], int | Running | None]
"""Takes the seven parameters and the time; its MAV_RESULT, None where nothing can go wrong."""


def _unsupported(_parameters: list[float], _now_s: float) -> int:
    return UNSUPPORTED


class SimulatedDevice:
    """What the components of one device share.

    Args:
        options: all of them.
        seed: of every chance.
        start_s: the first time.
    """

    def __init__(self, options: PayloadOptions, seed: int, start_s: float) -> None:
        self.options = options
        self.power = Power(options, start_s)
        self.outbox = Outbox()
        self.noise, self.gimbal_chances, self.acknowledgement_chances, self.payload_chances = (
            np.random.default_rng([seed, number]) for number in range(4)
        )


class MavlinkComponent:
    """One component, with its own count of messages.

    Args:
        device: that it belongs to.
        number: its MAVLink component.
    """

    def __init__(self, device: SimulatedDevice, number: int) -> None:
        self.options = device.options
        self.device = device
        self._sender = dialect.MAVLink(None, device.options.system, number)
        self.commands: dict[int, Command] = {}
        """By MAV_CMD."""
        self.handlers: dict[int, Callable[[ReceivedMessage, float], None]] = {
            dialect.MAVLINK_MSG_ID_COMMAND_LONG: self._command
        }
        """By message; one that names a target is handled if that is this component, or all."""

    def take(self, received: ReceivedMessage, now_s: float) -> None:
        """A message that may be for it."""
        handler = self.handlers.get(received.message_id)
        if handler is None:
            return
        system, component = (getattr(received.fields, f'target_{each}', 0) for each in ('system', 'component'))
        if system in (0, self._sender.srcSystem) and component in (0, self._sender.srcComponent):
            handler(received, now_s)

    def send(self, message: Message, at_s: float) -> None:
        """Let it leave then."""
        self.device.outbox.send(self._sender, message, at_s)

    def _command(self, received: ReceivedMessage, now_s: float) -> None:
        """COMMAND_LONG: obey it, and acknowledge how it went."""
        fields = received.fields
        parameters = [getattr(fields, f'param{number}') for number in range(1, 8)]
        result = self.commands.get(fields.command, _unsupported)(parameters, now_s)
        if isinstance(result, Running):
            for number in range(1, math.ceil(result.lasts_s / _PROGRESS_EVERY_S)):
                self._acknowledge(received, IN_PROGRESS, now_s + number * _PROGRESS_EVERY_S)
            self._acknowledge(received, ACCEPTED, now_s + result.lasts_s)
            result = IN_PROGRESS
        self._acknowledge(received, ACCEPTED if result is None else result, now_s)

    def _acknowledge(self, received: ReceivedMessage, result: int, at_s: float) -> None:
        """COMMAND_ACK 77 to whoever sent that: it may be lost, late, doubled, or for somebody else."""
        options, chances = self.options, self.device.acknowledgement_chances
        if happens(options.ack_lost_share, chances):
            return
        component = _ANOTHER_PROGRAM if happens(options.ack_foreign_share, chances) else received.component
        progress = 5 if result == IN_PROGRESS else 0  # the vendor's own: 5 while it runs, 0 when done
        message = dialect.MAVLink_command_ack_message(
            received.fields.command, result, progress, 0, received.system, component
        )
        for _ in range(2 if happens(options.ack_duplicated_share, chances) else 1):
            self.send(message, at_s + options.ack_delay_s)


def happens(share: float, chances: np.random.Generator) -> bool:
    """Whether what happens in that share of all cases happens now."""
    return share > 0.0 and float(chances.random()) < share


def filled(kind: type[Message], **fields: Any) -> Message:
    """A message of that kind, with zeros for what is not given."""
    lengths = dict(zip(kind.ordered_fieldnames, kind.array_lengths, strict=True))
    for name, type_name in zip(kind.fieldnames, kind.fieldtypes, strict=True):
        fields.setdefault(name, b'' if type_name == 'char' else [0] * lengths[name] if lengths[name] else 0)
    return kind(**fields)


def heartbeat(kind: int) -> Message:
    """HEARTBEAT 0 of a component of that MAV_TYPE."""
    return dialect.MAVLink_heartbeat_message(kind, dialect.MAV_AUTOPILOT_INVALID, 0, 0, dialect.MAV_STATE_ACTIVE, 3)
