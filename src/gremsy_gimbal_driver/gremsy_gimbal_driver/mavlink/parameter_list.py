# SPDX-License-Identifier: Apache-2.0
"""The list of all parameters of a gimbal (PARAM) or a camera (PARAM_EXT): what came of it, and what to ask for next.

A list is asked for as a whole until something of it comes. Where it then falls quiet it is over, or has lost some of
its values, which are asked for one by one, by their index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds

_GAPS_AGAIN_NS = nanoseconds(0.25)


@dataclass(frozen=True, slots=True)
class ListPace:
    """How a device is asked for its list.

    Attributes:
        again_s: the whole list is asked for again after so long without any of it.
        tries: and that so often.
        quiet_s: a list without a further value for so long is over, or has gaps.
        at_a_time: gaps that are asked for together, every 0.25 s; `repeats` fills up with further copies of the last.
        fruitless_rounds: so many rounds of that without anything new end it.
    """

    again_s: float
    tries: int
    quiet_s: float
    at_a_time: int
    repeats: bool
    fruitless_rounds: int


class ParameterList:
    """One list, from its first request to its end."""

    def __init__(self, pace: ListPace) -> None:
        self._pace = pace
        self._seen: set[int] = set()
        self._rounds = 0
        self._asked_gaps = False
        self._next_ns = 0
        self.count = 0
        """How many parameters the device says that there are; 0 where it does not."""
        self.over = False

    @property
    def came(self) -> int:
        """How many came, each counted once."""
        return len(self._seen)

    @property
    def missing(self) -> list[int]:
        """The indexes that did not come, as far as the device has said how many there are."""
        return [index for index in range(self.count) if index not in self._seen]

    def on_value(self, index: int, count: int, now_ns: int) -> None:
        """A parameter came, with its place in the list."""
        self.count = max(self.count, count)
        if index not in self._seen:
            self._seen.add(index)
            self._rounds = 0
        if self.count and not self.missing:
            self._next_ns = now_ns
        elif not self._asked_gaps:
            self._next_ns = now_ns + nanoseconds(self._pace.quiet_s)

    def due(
        self, now_ns: int, to: Sender, everything: Callable[[Sender], bytes], one: Callable[[Sender, str, int], bytes]
    ) -> list[bytes]:
        """The requests to send now: for `everything`, or for gaps each for `one`, by its index and no name."""
        if self.over or now_ns < self._next_ns:
            return []
        pace, missing = self._pace, self.missing
        most = pace.fruitless_rounds if self._seen else pace.tries
        if self._rounds >= most or (self._seen and not missing):
            self.over = True
            return []
        self._rounds += 1
        if not self._seen:
            self._next_ns = now_ns + nanoseconds(pace.again_s)
            return [everything(to)]
        self._asked_gaps = True
        self._next_ns = now_ns + _GAPS_AGAIN_NS
        asked = islice(cycle(missing) if pace.repeats else missing, pace.at_a_time)
        return [one(to, '', index) for index in asked]
