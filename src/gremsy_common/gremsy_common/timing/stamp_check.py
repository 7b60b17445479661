# SPDX-License-Identifier: Apache-2.0
"""Whether a stream's capture stamps can be true, and in words what is wrong with them.

Who points a gimbal by images must know when each was captured. Stamps of 0, of another clock, or that stand still look
like ordinary messages: without this they are refused one by one, and nobody hears why nothing moves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

AHEAD_NS = 100_000_000
"""A stamp this far in the future is a wrong clock; small differences between two machines' clocks are normal."""

BEHIND_NS = 5_000_000_000
"""A stamp this far in the past is a wrong clock, not delay: no video link that is watched live is so late."""

JUMP_NS = 500_000_000
"""Time that goes back by more is a clock that was set or a recording that began again, not a late message."""


class StampOrder(Enum):
    """Where a stamp stands to the newest one of its stream."""

    NEXT = 'next'
    NOT_NEWER = 'not newer'  # late, or there already
    RESTARTED = 'restarted'  # the clock was set back, or a recording began again


def order_of(stamp_ns: int, newest_ns: int | None) -> StampOrder:
    """The one rule of which stamps may come next."""
    if newest_ns is None or stamp_ns > newest_ns:
        return StampOrder.NEXT
    return StampOrder.RESTARTED if newest_ns - stamp_ns > JUMP_NS else StampOrder.NOT_NEWER


_SET_CLOCKS = "see that every machine's clock is set (chrony), and that `use_sim_time` is the same everywhere"
_ONE_PUBLISHER = 'see that nobody else publishes there, and that no clock is set back'
_STAMP_EACH = 'let the camera stamp each image when it was captured, and see that nobody else publishes there'
_STAMP_AT_ALL = "let their publisher set header.stamp to when each was captured, by this machine's clock"


class StampKind(Enum):
    """What can be wrong with a stamp; the value is a reason to count it by."""

    ZERO = 'stamped 0'
    AHEAD = 'stamped ahead of the clock'
    BEHIND = 'stamped far behind the clock'
    FROZEN = 'stamped as the one before'
    BACKWARDS = 'stamped before the one before'


_WAY_OUT = {
    StampKind.ZERO: _STAMP_AT_ALL,
    StampKind.AHEAD: _SET_CLOCKS,
    StampKind.BEHIND: _SET_CLOCKS,
    StampKind.FROZEN: _STAMP_EACH,
    StampKind.BACKWARDS: _ONE_PUBLISHER,
}


@dataclass(frozen=True, slots=True)
class StampFault:
    """What is wrong with one image's stamp.

    Attributes:
        kind: to count it by, and to say the first of.
        text: what is wrong, with the number, as the middle of a sentence: "images are stamped 10.0 s ahead of this
            machine's clock".
    """

    kind: StampKind
    text: str

    def sentence(self, topic: str) -> str:
        """The whole of it, for a log: where, what, and the way out."""
        return f'On {topic} {self.text}: {_WAY_OUT[self.kind]}.'


class StampCheck:
    """Looks at one stream's stamps as they come; not for several threads at once.

    Attributes:
        counts: of each kind, how many stamps were wrong in that way.
        order: where the stamp that was looked at last stands to the newest one; None if it is no time to be taken.
    """

    def __init__(self) -> None:
        self.order: StampOrder | None = None
        self._newest_ns: int | None = None
        self._alike = 1
        self.counts: Counter[StampKind] = Counter()

    def look(self, stamp_ns: int, now_ns: int) -> StampFault | None:
        """What is wrong with the stamp of an image that came now; None where it can be true.

        Args:
            stamp_ns: when the image was captured, as it says.
            now_ns: the clock that the stamp should be of.
        """
        fault = self._fault(stamp_ns, now_ns)
        if fault is not None:
            self.counts[fault.kind] += 1
        return fault

    def _fault(self, stamp_ns: int, now_ns: int) -> StampFault | None:
        self.order = None
        if stamp_ns == 0:
            return StampFault(StampKind.ZERO, 'images are stamped 0')
        if stamp_ns > now_ns + AHEAD_NS:
            ahead = duration(stamp_ns - now_ns)
            return StampFault(StampKind.AHEAD, f"images are stamped {ahead} ahead of this machine's clock")
        newest_ns = self._newest_ns
        self.order = order_of(stamp_ns, newest_ns)
        if stamp_ns == newest_ns:
            self._alike += 1
            return StampFault(StampKind.FROZEN, f'the last {self._alike} images have the same stamp')
        if self.order is not StampOrder.NOT_NEWER:
            self._newest_ns, self._alike = stamp_ns, 1
        if now_ns - stamp_ns > BEHIND_NS:
            behind = duration(now_ns - stamp_ns)
            return StampFault(StampKind.BEHIND, f"images are stamped {behind} behind this machine's clock")
        if newest_ns is not None and stamp_ns < newest_ns:
            back = duration(newest_ns - stamp_ns)
            return StampFault(StampKind.BACKWARDS, f'images are stamped {back} before one that came earlier')
        return None


def duration(span_ns: int) -> str:
    """A span of time as a person says it: 0.020 s, 10.0 s, 95 min, 5.3 h, 20786 days."""
    seconds = span_ns * 1e-9
    if seconds < 1.0:
        return f'{seconds:.3f} s'
    if seconds < 120.0:
        return f'{seconds:.1f} s'
    if seconds < 7200.0:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h' if seconds < 172_800.0 else f'{seconds / 86_400:.0f} days'
