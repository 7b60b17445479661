# SPDX-License-Identifier: Apache-2.0
"""A request to the payload: returned at once, its result filled in as the replies come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gremsy_gimbal_driver.motion.notices import Report


class RequestState(str, Enum):
    """How a request stands; the last four are final."""

    WAITING = 'waiting'  # no reply yet
    IN_PROGRESS = 'in progress'  # the payload works on it
    ACCEPTED = 'accepted'  # the payload acknowledged it and, where it reports that too, it is so
    FAILED = 'failed'  # the payload refused it, or it was never sent
    UNCONFIRMED = 'unconfirmed'  # no reply, or none that proves it
    REPLACED = 'replaced'  # a newer request for the same thing came first


_OPEN = frozenset({RequestState.WAITING, RequestState.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class RequestResult:
    """A state and its sentence; `value` where the request was for one, or the payload reported one."""

    state: RequestState
    sentence: str
    value: float | None = None


class PendingRequest:
    """One request. Written by payload control only; any thread may read `result`, one consistent snapshot.

    Args:
        what: the request in words, as it stands in sentences.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.result = RequestResult(RequestState.WAITING, f'Waiting for the reply to {what}.')
        """How it stands now."""

    @property
    def state(self) -> RequestState:
        """How it stands now, in a word."""
        return self.result.state

    @property
    def over(self) -> bool:
        """Whether the outcome is final."""
        return self.result.state not in _OPEN

    def report(self, state: RequestState, sentence: str, value: float | None = None) -> None:
        """Progress; a final outcome stays as it is."""
        if not self.over:
            self.result = RequestResult(state, sentence, value)


class RequestLog:
    """Logs how requests ended, which services and parameters cannot wait for.

    Args:
        inform: called with what succeeded.
        report: called with what did not.
    """

    def __init__(self, inform: Report, report: Report) -> None:
        self._inform = inform
        self._report = report
        self._open: list[PendingRequest] = []

    def add(self, pending: PendingRequest) -> None:
        """One more whose end is to be logged."""
        self._open.append(pending)

    def log_ended(self) -> None:
        """Log those that have ended since the last call; call it some ten times a second."""
        ended = [pending for pending in self._open if pending.over]
        self._open = [pending for pending in self._open if not pending.over]
        for pending in ended:
            if pending.state is RequestState.ACCEPTED:
                self._inform(pending.result.sentence)
            elif pending.state is not RequestState.REPLACED:
                self._report(pending.result.sentence)
