# SPDX-License-Identifier: Apache-2.0
"""Says how requests to the payload ended: they are asked by services and parameters that cannot wait for it."""

from __future__ import annotations

from collections.abc import Callable

from gremsy_gimbal_driver.payload.ticket import Ticket, TicketState

Say = Callable[[str], None]


class TicketWatch:
    """Call `look` some ten times a second.

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
