# SPDX-License-Identifier: Apache-2.0
"""What motion control answers to a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request; `number` is that of an accepted goal."""

    done: bool
    text: str
    number: int | None = None
