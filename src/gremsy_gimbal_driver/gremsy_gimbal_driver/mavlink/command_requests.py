# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONGs that the gimbal acknowledges: sent again until it does, one at a time of each command id.

COMMAND_ACK names the command and nothing else, so two of one id in flight could not be told apart: the vendor's SDK
mixes up the answers to the stream rates that it sets together (gimbal.md 1.3).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, Sender
from gremsy_gimbal_driver.motion.motion_settings import nanoseconds

_AGAIN_NS = nanoseconds(1.0)  # the vendor's SDK waits as long for an acknowledgement
# An axis calibration reports progress for tens of seconds (gimbal.md 1.4); it is not to be started anew meanwhile.
_PROGRESS_NS = nanoseconds(30.0)
# A repeated acknowledgement comes right behind the first one; the next request of that id lets it pass. A request that
# was sent twice may be answered twice, a second apart.
_APART_NS = nanoseconds(0.1)
_APART_AFTER_RETRIES_NS = _AGAIN_NS


class RequestState(Enum):
    """How a request stands; the last three are final."""

    WAITING = 'waiting'
    SENT = 'sent'
    ACCEPTED = 'accepted'
    REFUSED = 'refused'
    UNANSWERED = 'unanswered'


@dataclass(slots=True)
class CommandRequest:
    """One request, filled in as answers come.

    Attributes:
        to, command, parameters: what is sent.
        tries_left: a command that is not to be done twice has one try.
        sent: how often it was sent.
        state: how it stands.
        result: MAV_RESULT of the last answer.
        progress: of a command in progress.
    """

    to: Sender
    command: int
    parameters: tuple[float, ...]
    tries_left: int
    sent: int = 0
    state: RequestState = RequestState.WAITING
    result: int | None = None
    progress: int = 0
    deadline_ns: int = field(default=0, repr=False)

    @property
    def over(self) -> bool:
        """Whether the state is final."""
        return self.state in (RequestState.ACCEPTED, RequestState.REFUSED, RequestState.UNANSWERED)


class CommandRequests:
    """Several ids at a time, first come first served within one id."""

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder
        self._waiting: list[CommandRequest] = []
        self._free_ns: dict[int, int] = {}
        self._now_ns = 0
        self.counts: Counter[str] = Counter()

    def ask(self, to: Sender, command: int, *parameters: float, tries: int = 5) -> CommandRequest:
        """Queue a request; look at what is returned for its end."""
        request = CommandRequest(to, command, parameters, tries)
        self._waiting.append(request)
        return request

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now."""
        self._now_ns = now_ns
        messages = []
        busy: set[int] = set()
        for request in list(self._waiting):
            if request.command in busy or now_ns < self._free_ns.get(request.command, 0):
                continue
            if request.state is RequestState.SENT and now_ns < request.deadline_ns:
                busy.add(request.command)
            elif request.tries_left == 0 or request.result == dialect.MAV_RESULT_IN_PROGRESS:
                self.counts['commands_unanswered'] += 1
                self._end(request, RequestState.UNANSWERED)
            else:
                busy.add(request.command)
                request.tries_left -= 1
                request.sent += 1
                request.state = RequestState.SENT
                request.deadline_ns = now_ns + _AGAIN_NS
                messages.append(self._encoder.command(request.to, request.command, *request.parameters))
        return messages

    def heard(self, ack: CommandAck) -> None:
        """An acknowledgement; one that nothing waits for came twice or too late, and changes nothing."""
        request = next((each for each in self._waiting if _answers(ack, each)), None)
        if request is None:
            self.counts['acknowledgements_unexpected'] += 1
            return
        request.result = ack.result
        if ack.result == dialect.MAV_RESULT_IN_PROGRESS:
            request.progress = ack.progress
            request.deadline_ns = self._now_ns + _PROGRESS_NS
        elif ack.result == dialect.MAV_RESULT_ACCEPTED:
            self._end(request, RequestState.ACCEPTED)
        elif ack.result != dialect.MAV_RESULT_TEMPORARILY_REJECTED or request.tries_left == 0:
            self._end(request, RequestState.REFUSED)

    def forget(self) -> None:
        """The gimbal is another one or restarted: nothing that was asked will be answered."""
        for request in list(self._waiting):
            self._end(request, RequestState.UNANSWERED)
        self._free_ns.clear()

    def _end(self, request: CommandRequest, state: RequestState) -> None:
        request.state = state
        self._waiting.remove(request)
        apart_ns = _APART_NS if request.sent == 1 else _APART_AFTER_RETRIES_NS
        # One that was given up has no answer on its way for longer than it was waited for.
        self._free_ns[request.command] = self._now_ns + (0 if state is RequestState.UNANSWERED else apart_ns)


def _answers(ack: CommandAck, request: CommandRequest) -> bool:
    return request.state is RequestState.SENT and ack.command == request.command and ack.sender == request.to
