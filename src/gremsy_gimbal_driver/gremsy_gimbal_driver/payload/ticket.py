# SPDX-License-Identifier: Apache-2.0
"""What becomes of a request to the payload: handed out at once, filled in as the answers come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Say = Callable[[str], None]


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


class TicketWatch:
    """Says how requests ended, which services and parameters cannot wait for. Call `look` some ten times a second.

    Args:
        inform: told of what went well.
        say: told of what did not.
    """

    def __init__(self, inform: Say, say: Say) -> None:
        self._inform = inform
        self._say = say
        self._open: list[Ticket] = []

    def add(self, ticket: Ticket) -> None:
        """One more whose end is to be said."""
        self._open.append(ticket)

    def look(self) -> None:
        """Say the ends."""
        ended = [ticket for ticket in self._open if ticket.over]
        self._open = [ticket for ticket in self._open if not ticket.over]
        for ticket in ended:
            if ticket.state is TicketState.ACCEPTED:
                self._inform(ticket.outcome.sentence)
            elif ticket.state is not TicketState.REPLACED:
                self._say(ticket.outcome.sentence)
