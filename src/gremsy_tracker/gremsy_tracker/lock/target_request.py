# SPDX-License-Identifier: Apache-2.0
"""What an operator or another node asks to be followed: a click, or one word on `target/select_id`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REACH_PX = 40.0
"""A click may miss a box by this much."""

CLICKABLE_NS = 3_000_000_000
"""A click is on one of the boxes on the screen when it was made: longer than glass-to-glass delay and reaction."""

_POLICIES = ('nearest', 'largest')
# Longer words are shown cut: an error is read by people.
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """A track by its id; or, where that is None, the best track by a policy.

    Attributes:
        track_id: as `tracks` carries it.
        policy: `nearest` to the image's centre, or `largest` box.
        label: only this class; empty takes what `lock_classes` allows.
    """

    track_id: int | None = None
    policy: str = 'nearest'
    label: str = ''

    def __str__(self) -> str:
        if self.track_id is not None:
            return f'track {self.track_id}'
        what = self.label or 'track'
        return f'the largest {what}' if self.policy == 'largest' else f'the {what} nearest to the centre'

    @property
    def word(self) -> str:
        """What `parse_request` reads as this request."""
        return str(self.track_id) if self.track_id is not None else ':'.join(filter(None, (self.policy, self.label)))


def parse_request(text: str) -> TargetRequest:
    """The request in `7`, `nearest`, `largest`, `class:person` (the nearest of it), `nearest:person`, `largest:person`.

    Raises:
        ValueError: in one sentence that names the text and what is known.
    """
    word = text.strip()
    if word.isascii() and word.isdecimal() and len(word) < 19:
        return TargetRequest(track_id=int(word))
    policy, colon, label = (part.strip() for part in word.partition(':'))
    if policy in _POLICIES and bool(colon) == bool(label):
        return TargetRequest(policy=policy, label=label)
    if policy == 'class' and label:
        return TargetRequest(label=label)
    shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...'
    raise ValueError(
        f"'{shown}' names no target: give a track's id as `tracks` carries it ('7'), a class ('class:person'), "
        "'nearest' or 'largest', or both ('largest:car')."
    )


def row_at_pixel(boxes_px: NDArray[np.float64], x_px: float, y_px: float) -> int | None:
    """Of the boxes (N, 4) under the pixel the smallest, else the nearest within reach; None where there is none."""
    if not len(boxes_px):
        return None
    pixel = np.array([x_px, y_px])
    outside = np.maximum(np.maximum(boxes_px[:, :2] - pixel, pixel - boxes_px[:, 2:]), 0.0)
    distance = np.linalg.norm(outside, axis=1)
    area = np.prod(boxes_px[:, 2:] - boxes_px[:, :2], axis=1)
    row = int(np.lexsort((area, distance))[0])
    return row if distance[row] <= REACH_PX else None
