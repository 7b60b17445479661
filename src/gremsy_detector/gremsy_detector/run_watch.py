# SPDX-License-Identifier: Apache-2.0
"""Whether the network has stopped answering, by how long an image takes against those before it, or is too slow."""

from __future__ import annotations

import threading

# A model that takes a second an image for most images may take some now and then, when the machine is busy.
_TIMES_THE_SLOWEST = 10.0
# Before the first answer nobody knows how slow the model is: a large one on one slow core takes seconds.
_BEFORE_THE_FIRST_S = 30.0
# Pointing is measured down to 7 images a second (docs/figures.md); by fewer, who turns round is lost.
_NEEDED_HZ = 8.0


class RunWatch:
    """Fed by the thread that runs the network, read by another; times are monotonic s.

    Args:
        hangs_after_s: an image that takes longer than this, and ten times as long as the slowest before it, counts as
            hanging; 0 for never.
    """

    def __init__(self, hangs_after_s: float) -> None:
        self._hangs_after_s = hangs_after_s
        self._lock = threading.Lock()
        self._begun_s: float | None = None
        self._slowest_s: float | None = None

    def begin(self, now_s: float) -> None:
        """An image is handed to the network."""
        with self._lock:
            self._begun_s = now_s

    def end(self, now_s: float, *, answered: bool) -> None:
        """It came back; the time of one that failed says nothing about the others."""
        with self._lock:
            if answered and self._begun_s is not None:
                self._slowest_s = max(self._slowest_s or 0.0, now_s - self._begun_s)
            self._begun_s = None

    def forget(self) -> None:
        """Another back end runs the model now, which may be slower."""
        with self._lock:
            self._slowest_s = None

    @property
    def limit_s(self) -> float:
        """How long an image may take now."""
        with self._lock:
            slowest_s = self._slowest_s
        if slowest_s is None:
            return max(self._hangs_after_s, _BEFORE_THE_FIRST_S)
        return max(self._hangs_after_s, _TIMES_THE_SLOWEST * slowest_s)

    def hangs_for_s(self, now_s: float) -> float | None:
        """How long the network has been at an image that takes too long; None while none does."""
        with self._lock:
            begun_s = self._begun_s
        if begun_s is None or self._hangs_after_s <= 0.0 or now_s - begun_s <= self.limit_s:
            return None
        return now_s - begun_s


def too_slow(answered: int, images_dropped: int, over_s: float) -> str:
    """The sentence for too few answered images to follow something by, where more came; empty if enough.

    Args:
        answered: images that the network answered.
        images_dropped: while the network was busy.
        over_s: in how many seconds.
    """
    rate_hz = answered / over_s
    if not (answered and images_dropped and rate_hz < _NEEDED_HZ):
        return ''
    return (
        f'This machine is too slow for the model: {rate_hz:.1f} images a second, {_NEEDED_HZ:.0f} are needed to '
        'follow what moves: use a smaller `model`, a part of the image (`region_of_interest`), or a GPU (`backend`).'
    )
