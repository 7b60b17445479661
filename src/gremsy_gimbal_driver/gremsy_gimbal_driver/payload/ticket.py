# SPDX-License-Identifier: Apache-2.0
"""What becomes of a request to the payload: handed out at once, filled in as the answers come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TicketState(str, Enum):
    """How a request stands; the last four are final."""

    WAITING = 'waiting'  # not answered yet
    IN_PROGRESS = 'in progress'  # the payload works on it
    ACCEPTED = 'accepted'  # the payload says so and, where it can be seen, it is so
    FAILED = 'failed'  # the payload refused it, or it was never sent
    UNCONFIRMED = 'unconfirmed'  # no answer, or none that proves it
    REPLACED = 'replaced'  # a newer request for the same thing came first


_OPEN = frozenset({TicketState.WAITING, TicketState.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A state and its sentence; `value` where the request was for one, or the payload reported one."""

    state: TicketState
    sentence: str
    value: float | None = None


class Ticket:
    """One request. Written by payload control only; any thread may read `outcome`, one consistent snapshot.

    Args:
        what: the request in words, as it stands in sentences.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._outcome = Outcome(TicketState.WAITING, f'Waiting for the answer to {what}.')

    @property
    def outcome(self) -> Outcome:
        """How it stands now."""
        return self._outcome

    @property
    def state(self) -> TicketState:
        """How it stands now, in a word."""
        return self._outcome.state

    @property
    def over(self) -> bool:
        """Whether the outcome is final."""
        return self._outcome.state not in _OPEN

    def report(self, state: TicketState, sentence: str, value: float | None = None) -> None:
        """Progress; a final outcome stays as it is."""
        if not self.over:
            self._outcome = Outcome(state, sentence, value)
