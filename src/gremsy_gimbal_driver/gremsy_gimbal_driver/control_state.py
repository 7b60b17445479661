# SPDX-License-Identifier: Apache-2.0
"""What motion control answers and publishes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request; `number` is that of an accepted goal."""

    done: bool
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ControlState:
    """Who may move the gimbal and who does.

    Attributes:
        armed: whether anything may move.
        holder: the source in control, or `nobody`.
        mode, mode_state: the mode wanted, and whether it is confirmed, pending or unconfirmed.
        goal: state of the newest goal, empty before the first.
    """

    armed: bool
    holder: str
    mode: str = ''
    mode_state: str = ''
    goal: str = ''
