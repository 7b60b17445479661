# SPDX-License-Identifier: Apache-2.0
"""Whether what a node works on comes in, and whether it uses any of it: a node that uses nothing does no work."""

from __future__ import annotations

import time
from collections.abc import Callable

from gremsy_common.ros.diagnostics import Health, Level

_PATIENCE_S = 3.0
"""Longer than the start of whoever publishes takes beside it, and than two items of a slow one are apart."""


class Intake:
    """One topic's, from `begin` to `end`; each call may come from another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name = self._topic = ''
        self._came_s = self._used_s = 0.0
        self._refused = ''

    def begin(self, name: str, topic: str) -> None:
        """From now on something should come: by which name of its own the node takes it, and on which topic."""
        self._came_s = self._used_s = self._clock()
        self._name, self._topic, self._refused = name, topic, ''

    def end(self) -> None:
        """Nothing is awaited any more."""
        self._name = self._topic = ''

    def came(self) -> None:
        """Something came."""
        self._came_s = self._clock()

    def used(self) -> None:
        """It was used."""
        self._used_s, self._refused = self._clock(), ''

    def refused(self, name: str, sentence: str) -> None:
        """It was refused, for that reason; `name` is the node's own for what it takes."""
        if name == self._name:
            self._came_s, self._refused = self._clock(), sentence

    def health(self) -> Health:
        """STALE while nothing comes, ERROR while nothing of what comes can be used."""
        now_s, topic = self._clock(), self._topic
        for_s = now_s - self._came_s
        if topic and for_s > _PATIENCE_S:
            return Health(Level.STALE, f'Nothing has come on {topic} for {for_s:.0f} s: see what its publisher says.')
        if topic and self._refused and now_s - self._used_s > _PATIENCE_S:
            return Health(Level.ERROR, self._refused)
        return Health()
