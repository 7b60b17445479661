# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONGs that are to be acknowledged: sent again until they are, one at a time of each command id.

COMMAND_ACK names the command and nothing else, so two of the same id in flight could not be told apart (gSDK's
parallel requests clobber each other, gimbal.md 1.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gremsy_gimbal_driver.mavlink.component_register import PAYLOAD_COMPONENT
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, Sender
from gremsy_gimbal_driver.motion.motion_settings import nanoseconds
from gremsy_gimbal_driver.payload.ticket import Ticket, TicketState

_AGAIN_S = 1.0  # as long as the vendor's SDK waits for an acknowledgement
_TRIES = 6
# A zoom that follows a stream of setpoints: ten a second, the newest.
_LEAST_INTERVAL_NS = nanoseconds(0.1)

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
        to: whom.
        command: what, as its acknowledgement names it.
        pack: its bytes, anew for each try.
        optional: a refusal does not end the request, since not every product needs this step.
        repeatable: sending it twice does what sending it once does; a second picture would not.
    """

    to: Sender
    command: int
    pack: Callable[[], bytes]
    optional: bool = False
    repeatable: bool = True


@dataclass(slots=True)
class _Job:
    ticket: Ticket
    kind: str
    steps: list[Step]
    next_ns: int
    tries: int = 0
    in_progress: bool = False

    @property
    def in_flight(self) -> bool:
        return self.tries > 0

    def advance(self, now_ns: int) -> bool:
        """On to the next step; whether there is one."""
        del self.steps[0]
        self.tries, self.next_ns, self.in_progress = 0, now_ns, False
        return bool(self.steps)


class AcknowledgedCommands:
    """Requests of several steps each; the newest of a kind replaces the one before."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._sent_ns: dict[int, int] = {}
        # Answers still to come to commands that were replaced, by command id: (until when, how many).
        self._stale: dict[int, tuple[int, int]] = {}
        self.counts: Counter[str] = Counter()

    def request(self, ticket: Ticket, kind: str, steps: Sequence[Step], now_ns: int) -> None:
        """Begin; the ticket is filled in as the answers come."""
        for job in [each for each in self._jobs if each.kind == kind]:
            self._jobs.remove(job)
            job.ticket.report(TicketState.REPLACED, f'A newer request came before the answer to {job.ticket.what}.')
            self.counts['commands_replaced'] += 1
            if job.in_flight:
                command = job.steps[0].command
                _, count = self._stale.get(command, (0, 0))
                self._stale[command] = (now_ns + nanoseconds(_AGAIN_S), count + 1)
        self._jobs.append(_Job(ticket, kind, list(steps), now_ns))

    def cancel(self, to: Sender, sentence: str) -> None:
        """That component is gone."""
        for job in [each for each in self._jobs if each.steps[0].to == to]:
            self._jobs.remove(job)
            job.ticket.report(TicketState.UNCONFIRMED, sentence)

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now."""
        messages: list[bytes] = []
        busy: set[int] = set()
        for job in list(self._jobs):
            step = job.steps[0]
            if step.command in busy:
                continue
            busy.add(step.command)
            if (
                now_ns < job.next_ns
                or now_ns - self._sent_ns.get(step.command, -_LEAST_INTERVAL_NS) < _LEAST_INTERVAL_NS
            ):
                continue
            if job.in_progress or job.tries >= (_TRIES if step.repeatable else 1):
                self._unanswered(job, now_ns)
                continue
            job.tries += 1
            job.next_ns = now_ns + nanoseconds(_AGAIN_S if step.repeatable else _TRIES * _AGAIN_S)
            self._sent_ns[step.command] = now_ns
            messages.append(step.pack())
        return messages

    def heard(self, ack: CommandAck, now_ns: int) -> None:
        """An answer to us; those to other commands are not ours to count."""
        job = next((each for each in self._jobs if each.in_flight and each.steps[0].command == ack.command), None)
        if job is None or not _answers(ack.sender, job.steps[0].to):
            return
        until_ns, count = self._stale.get(ack.command, (0, 0))
        if count and now_ns < until_ns:
            if ack.result != dialect.MAV_RESULT_IN_PROGRESS:
                self._stale[ack.command] = (until_ns, count - 1)
            return
        step = job.steps[0]
        if ack.result == dialect.MAV_RESULT_IN_PROGRESS:
            job.in_progress = True
            job.next_ns = now_ns + nanoseconds(_TRIES * _AGAIN_S)
            job.ticket.report(TicketState.IN_PROGRESS, f'The payload works on {job.ticket.what}.')
        elif ack.result == dialect.MAV_RESULT_ACCEPTED or (step.optional and ack.result in _REFUSALS):
            self._step_over(job, now_ns)
        elif ack.result == dialect.MAV_RESULT_TEMPORARILY_REJECTED and job.tries < _TRIES and step.repeatable:
            return
        else:
            self._end(job, TicketState.FAILED, _refusal(job.ticket.what, step.to, ack.result))

    def _unanswered(self, job: _Job, now_ns: int) -> None:
        step = job.steps[0]
        if step.optional:
            self._step_over(job, now_ns)
            return
        tries = 'once' if job.tries == 1 else f'{job.tries} times'
        sentence = (
            f'The component {_name(step.to)} did not answer {job.ticket.what}, sent {tries} in {_TRIES * _AGAIN_S:g} s'
            ': check the link; it may have been done all the same.'
        )
        self._end(job, TicketState.UNCONFIRMED, sentence)

    def _step_over(self, job: _Job, now_ns: int) -> None:
        if not job.advance(now_ns):
            self._end(job, TicketState.ACCEPTED, f'Done: {job.ticket.what}.')

    def _end(self, job: _Job, state: TicketState, sentence: str) -> None:
        self._jobs.remove(job)
        job.ticket.report(state, sentence)


def _answers(sender: Sender, asked: Sender) -> bool:
    """The main board relays for its components and may answer in their stead (gimbal.md 1.1)."""
    return sender.system == asked.system and sender.component in (asked.component, PAYLOAD_COMPONENT)


def _refusal(what: str, to: Sender, result: int) -> str:
    reason = _REFUSALS.get(result, f'answered with result {result}: see MAV_RESULT in the MAVLink documentation')
    return f'The component {_name(to)} was asked for {what} and {reason}.'


def _name(to: Sender) -> str:
    return f'{to.system}/{to.component}'
