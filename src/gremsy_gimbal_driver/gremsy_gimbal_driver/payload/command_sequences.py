# SPDX-License-Identifier: Apache-2.0
"""Requests to the payload that are one acknowledged command after another; the newest of a kind replaces the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gremsy_gimbal_driver.mavlink.acknowledged_commands import (
    AGAIN_S,
    AcknowledgedCommands,
    CommandState,
    PendingCommand,
)
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState

_TRIES = 6
_PATIENCE_S = _TRIES * AGAIN_S

_REFUSALS = {
    dialect.MAV_RESULT_DENIED: 'denied it: its values are not allowed on this product or in its present state',
    dialect.MAV_RESULT_UNSUPPORTED: 'does not support it: this product has another way, or its firmware is too old',
    dialect.MAV_RESULT_FAILED: 'failed at it: check its storage and its state, then try again',
    dialect.MAV_RESULT_TEMPORARILY_REJECTED: 'was busy each time: try again later',
}


@dataclass(frozen=True, slots=True)
class Step:
    """One COMMAND_LONG of a request.

    Attributes:
        to, command, parameters: what is sent; the parameters left out are 0.
        optional: a refusal does not end the request, since not every product needs this step.
        repeatable: sending it twice does what sending it once does; a second picture would not.
    """

    to: Sender
    command: int
    parameters: tuple[float, ...] = ()
    optional: bool = False
    repeatable: bool = True

    def pack(self, encoder: MavlinkEncoder) -> bytes:
        """Once, for whoever sends it without waiting for its acknowledgement."""
        return encoder.command(self.to, self.command, *self.parameters)


@dataclass(slots=True)
class _Sequence:
    pending: PendingRequest
    kind: str
    steps: list[Step]
    command: PendingCommand


class CommandSequences:
    """The requests under way; the kind of a request says which others it replaces."""

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._commands = AcknowledgedCommands(encoder)
        self._sequences: list[_Sequence] = []

    def request(self, pending: PendingRequest, kind: str, steps: Sequence[Step], now_ns: int) -> None:
        """Begin; its result is filled in as the acknowledgements come."""
        for sequence in [each for each in self._sequences if each.kind == kind]:
            what = sequence.pending.what
            self._drop(sequence, RequestState.REPLACED, f'A newer request came before the reply to {what}.', now_ns)
        self._sequences.append(_Sequence(pending, kind, list(steps), self._ask(steps[0])))

    def cancel(self, to: Sender, sentence: str, now_ns: int) -> None:
        """That component is gone."""
        for sequence in [each for each in self._sequences if each.command.to == to]:
            self._drop(sequence, RequestState.UNCONFIRMED, sentence, now_ns)

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now."""
        messages = self._commands.due(now_ns)
        self._advance()
        return messages

    def on_ack(self, ack: CommandAck) -> None:
        """An acknowledgement to us."""
        self._commands.on_ack(ack)
        self._advance()

    def _ask(self, step: Step) -> PendingCommand:
        tries, patience_s = (_TRIES, AGAIN_S) if step.repeatable else (1, _PATIENCE_S)
        patience_ns = nanoseconds(patience_s)
        return self._commands.ask(step.to, step.command, *step.parameters, tries=tries, patience_ns=patience_ns)

    def _drop(self, sequence: _Sequence, state: RequestState, sentence: str, now_ns: int) -> None:
        self._sequences.remove(sequence)
        self._commands.withdraw(sequence.command, now_ns)
        sequence.pending.report(state, sentence)

    def _advance(self) -> None:
        """What has come of each sequence's command."""
        for sequence in list(self._sequences):
            pending, command, step = sequence.pending, sequence.command, sequence.steps[0]
            if command.in_progress:
                pending.report(RequestState.IN_PROGRESS, f'The payload is working on {pending.what}.')
            if not command.over:
                continue
            is_refused = command.state is CommandState.REFUSED
            is_done = command.state is CommandState.ACCEPTED
            if is_done or (step.optional and (not is_refused or command.result in _REFUSALS)):
                del sequence.steps[0]
                if sequence.steps:
                    sequence.command = self._ask(sequence.steps[0])
                    continue
                pending.report(RequestState.ACCEPTED, f'Done: {pending.what}.')
            elif is_refused:
                pending.report(RequestState.FAILED, _refusal(pending.what, command))
            else:
                pending.report(RequestState.UNCONFIRMED, _silence(pending.what, command))
            self._sequences.remove(sequence)


def _refusal(what: str, command: PendingCommand) -> str:
    other = f'answered with result {command.result}: see MAV_RESULT in the MAVLink documentation'
    return f'The component {command.to} was asked for {what} and {_REFUSALS.get(command.result or 0, other)}.'


def _silence(what: str, command: PendingCommand) -> str:
    tries = 'once' if command.sent == 1 else f'{command.sent} times'
    return (
        f'The component {command.to} did not answer {what}, sent {tries} in {_PATIENCE_S:g} s: check the link; '
        'it may have been done all the same.'
    )
