# SPDX-License-Identifier: Apache-2.0
"""Whether the lens does what was asked of it, by the payload's own EO_ZOOM: an acknowledged zoom may not move at all.

On one payload the range ran the other way round and two other paths did nothing (gimbal.md 2.1), so every zoom is
watched. Distances are in octaves of magnification: 0.1 is 7 %.
"""

from __future__ import annotations

import math
from enum import Enum

from gremsy_gimbal_driver.motion.instant import nanoseconds

_REACHED_OCTAVES = 0.1
_MOVED_OCTAVES = 0.05
_WRONG_WAY_OCTAVES = 0.15  # more than a lens that settles, or a setpoint that came while it still moved
_PATIENCE_NS = nanoseconds(3.0)
"""To the first report and to the first motion."""
_SETTLED_NS = nanoseconds(1.5)
"""Unchanged for so long means that the lens rests; EO_ZOOM comes some times a second."""
_ARRIVED_NS = nanoseconds(0.5)
"""Where it was wanted, that is sooner believed; but a lens that goes the wrong way may pass there too."""


class ZoomVerdict(Enum):
    """How it stands; all but the first two are final."""

    WAITING = 'waiting'
    MOVING = 'moving'
    REACHED = 'reached'
    WRONG_DIRECTION = 'wrong direction'
    NOT_MOVING = 'not moving'
    STOPPED_SHORT = 'stopped short'
    STOPPED_BEYOND = 'stopped beyond'
    UNSEEN = 'unseen'


class ZoomWatch:
    """One zoom.

    Args:
        wanted: magnification to end at; None where only the direction is known, or not even that.
        direction: 1 in, -1 out, 0 unknown; where `wanted` is given it follows from that.
        start: the magnification reported last; None takes the first report.
        begun_ns: when the command was sent.
    """

    def __init__(self, wanted: float | None, direction: int, start: float | None, begun_ns: int) -> None:
        self.wanted = wanted
        self.start = start
        self.factor = start
        self._direction = direction
        self._begun_ns = begun_ns
        self._reported = False
        self._changed_ns: int | None = None

    def on_zoom(self, factor: float, now_ns: int) -> None:
        """A report of the magnification."""
        if self.start is None:
            self.start = self.factor = factor
        assert self.factor is not None
        # Against the last change, not the last report, or a slow lens would seem to rest.
        if abs(math.log2(factor / self.factor)) > 1e-3:
            self._changed_ns = now_ns
            self.factor = factor
        self._reported = True

    def verdict(self, now_ns: int) -> ZoomVerdict:
        """As of now."""
        if not self._reported or self.start is None or self.factor is None:
            return self._after_patience(now_ns, ZoomVerdict.UNSEEN)
        if self.wanted is not None and abs(math.log2(self.factor / self.wanted)) <= _REACHED_OCTAVES:
            since_ns = self._begun_ns if self._changed_ns is None else self._changed_ns
            return ZoomVerdict.REACHED if now_ns - since_ns >= _ARRIVED_NS else ZoomVerdict.MOVING
        moved = math.log2(self.factor / self.start)
        way = self._way()
        if way * moved < -_WRONG_WAY_OCTAVES:
            return ZoomVerdict.WRONG_DIRECTION
        if abs(moved) <= _MOVED_OCTAVES or self._changed_ns is None:
            return self._after_patience(now_ns, ZoomVerdict.NOT_MOVING)
        if now_ns - self._changed_ns < _SETTLED_NS:
            return ZoomVerdict.MOVING
        if self.wanted is None:
            return ZoomVerdict.REACHED
        is_beyond = way * math.log2(self.factor / self.wanted) > 0
        return ZoomVerdict.STOPPED_BEYOND if is_beyond else ZoomVerdict.STOPPED_SHORT

    def _way(self) -> int:
        if self.wanted is None or self.start is None:
            return self._direction
        return 1 if self.wanted > self.start else -1

    def _after_patience(self, now_ns: int, verdict: ZoomVerdict) -> ZoomVerdict:
        return ZoomVerdict.WAITING if now_ns - self._begun_ns < _PATIENCE_NS else verdict
