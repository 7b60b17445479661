# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONGs that are acknowledged: sent again until they are, one at a time of each command id.

COMMAND_ACK names the command and nothing else, so two of one id in flight cannot be distinguished: the vendor's SDK
mixes up the replies to the stream rates that it sets together (gimbal.md 1.3). `confirmation` is 0 in the first
transmission and counts the repeats, as MAVLink's command protocol wants it (mavlink.io/en/services/command.html).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from gremsy_gimbal_driver.mavlink.component_register import PAYLOAD_COMPONENT
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds

AGAIN_S = 1.0
"""The vendor's SDK waits as long for an acknowledgement."""

_AGAIN_NS = nanoseconds(AGAIN_S)
# An axis calibration reports progress for tens of seconds (gimbal.md 1.4), and is not to be started again.
_PROGRESS_NS = nanoseconds(30.0)
# A repeated acknowledgement comes right behind the first one; the next request of that id lets it pass. It is also how
# often a zoom follows a stream of setpoints. A request that was sent twice may be acknowledged twice, a second apart.
_APART_NS = nanoseconds(0.1)
_APART_AFTER_RETRIES_NS = _AGAIN_NS


class CommandState(Enum):
    """How a command stands; the last three are final."""

    WAITING = 'waiting'
    SENT = 'sent'
    ACCEPTED = 'accepted'
    REFUSED = 'refused'
    UNANSWERED = 'unanswered'


@dataclass(slots=True)
class PendingCommand:
    """One command, filled in as acknowledgements come.

    Attributes:
        to, command, parameters: what is sent.
        tries_left: a command that is not to be done twice has one try.
        patience_ns: how long one try waits for its acknowledgement.
        sent: how often it was sent.
        state: how it stands.
        result: MAV_RESULT of the last acknowledgement.
        progress: of a command in progress.
    """

    to: Sender
    command: int
    parameters: tuple[float, ...]
    tries_left: int
    patience_ns: int
    sent: int = 0
    state: CommandState = CommandState.WAITING
    result: int | None = None
    progress: int = 0
    deadline_ns: int = field(default=0, repr=False)

    @property
    def over(self) -> bool:
        """Whether the state is final."""
        return self.state in (CommandState.ACCEPTED, CommandState.REFUSED, CommandState.UNANSWERED)

    @property
    def in_progress(self) -> bool:
        """Whether the device has taken it and works on it."""
        return self.state is CommandState.SENT and self.result == dialect.MAV_RESULT_IN_PROGRESS

    def is_acknowledged_by(self, ack: CommandAck) -> bool:
        """The main board relays for its components and may acknowledge in their stead (gimbal.md 1.1)."""
        return (
            self.sent > 0
            and ack.command == self.command
            and ack.sender.system == self.to.system
            and ack.sender.component in (self.to.component, PAYLOAD_COMPONENT)
        )


class AcknowledgedCommands:
    """Several ids at a time, first come first served within one id."""

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder
        self._open: list[PendingCommand] = []
        self._withdrawn: list[PendingCommand] = []
        self._free_ns: dict[int, int] = {}
        self._now_ns = 0
        self.counts: Counter[str] = Counter()

    def ask(
        self, to: Sender, command: int, *parameters: float, tries: int = 5, patience_ns: int = _AGAIN_NS
    ) -> PendingCommand:
        """Queue a command; look at what is returned for its end."""
        pending = PendingCommand(to, command, parameters, tries, patience_ns)
        self._open.append(pending)
        return pending

    def withdraw(self, pending: PendingCommand, now_ns: int) -> None:
        """Nobody waits for it any more; its acknowledgement, if that still comes, is not taken for the next one's."""
        self._open.remove(pending)
        if pending.sent:
            pending.deadline_ns = now_ns + _AGAIN_NS
            self._withdrawn.append(pending)

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now."""
        self._now_ns = now_ns
        self._withdrawn = [each for each in self._withdrawn if now_ns < each.deadline_ns]
        messages = []
        busy: set[int] = set()
        for pending in list(self._open):
            if pending.command in busy or now_ns < self._free_ns.get(pending.command, 0):
                continue
            if pending.state is CommandState.SENT and now_ns < pending.deadline_ns:
                busy.add(pending.command)
            elif pending.tries_left == 0 or pending.in_progress:
                self.counts['commands_unanswered'] += 1
                self._end(pending, CommandState.UNANSWERED)
            else:
                busy.add(pending.command)
                messages.append(self._send(pending))
        return messages

    def on_ack(self, ack: CommandAck) -> None:
        """An acknowledgement; one that nothing waits for came twice or too late, and changes nothing."""
        is_final = ack.result != dialect.MAV_RESULT_IN_PROGRESS
        stale = next((each for each in self._withdrawn if each.is_acknowledged_by(ack)), None)
        if stale is not None:
            if is_final:
                self._withdrawn.remove(stale)
            return
        pending = next((each for each in self._open if each.is_acknowledged_by(ack)), None)
        if pending is None:
            self.counts['acknowledgements_unexpected'] += 1
            return
        pending.result = ack.result
        if not is_final:
            pending.progress = ack.progress
            pending.deadline_ns = self._now_ns + _PROGRESS_NS
        elif ack.result == dialect.MAV_RESULT_ACCEPTED:
            self._end(pending, CommandState.ACCEPTED)
        elif ack.result != dialect.MAV_RESULT_TEMPORARILY_REJECTED or pending.tries_left == 0:
            self._end(pending, CommandState.REFUSED)

    def forget(self) -> None:
        """The device is another one or restarted: nothing that was asked will be acknowledged."""
        for pending in list(self._open):
            self._end(pending, CommandState.UNANSWERED)
        self._withdrawn.clear()
        self._free_ns.clear()

    def _send(self, pending: PendingCommand) -> bytes:
        message = self._encoder.command(
            pending.to, pending.command, *pending.parameters, confirmation=min(pending.sent, 255)
        )
        pending.tries_left -= 1
        pending.sent += 1
        pending.state = CommandState.SENT
        pending.deadline_ns = self._now_ns + pending.patience_ns
        self._free_ns[pending.command] = self._now_ns + _APART_NS
        return message

    def _end(self, pending: PendingCommand, state: CommandState) -> None:
        pending.state = state
        self._open.remove(pending)
        apart_ns = _APART_NS if pending.sent == 1 else _APART_AFTER_RETRIES_NS
        # One that was given up has no acknowledgement on its way for longer than it was waited for.
        self._free_ns[pending.command] = self._now_ns + (0 if state is CommandState.UNANSWERED else apart_ns)
