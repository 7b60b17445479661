# SPDX-License-Identifier: Apache-2.0
"""With which magnification an image was taken: the payload's reports, read at the image's time."""

from __future__ import annotations

import math
from collections import deque

from gremsy_common.types.gimbal_state import ZoomState

# A lens reports five times a second; the images that are asked about are younger than a second.
_KEPT = 32
# Older than this, a report says nothing: somebody else may have zoomed since.
_BELIEVED_NS = 2_000_000_000


class ZoomHistory:
    """The newest reports in order of time; not for several threads at once."""

    def __init__(self) -> None:
        self._states: deque[ZoomState] = deque(maxlen=_KEPT)

    @property
    def newest(self) -> float | None:
        """The last factor reported, however old; None before the first."""
        return self._states[-1].factor if self._states else None

    def offer(self, state: ZoomState) -> None:
        """One report; nonsense and a repeated one are left out, an earlier time than the last begins anew."""
        if not math.isfinite(state.factor) or state.factor <= 0.0:
            return
        if self._states and state.stamp_ns < self._states[-1].stamp_ns:
            self._states.clear()
        if not self._states or state.stamp_ns > self._states[-1].stamp_ns:
            self._states.append(state)

    def clear(self) -> None:
        """Forget every report."""
        self._states.clear()

    def at(self, stamp_ns: int) -> float | None:
        """The factor at that time, None where no report is near enough.

        A lens takes equal times for equal factors, so between two reports the logarithm is interpolated; before the
        oldest and after the newest it is that one's.
        """
        if not self._states or abs(stamp_ns - self._nearest_ns(stamp_ns)) > _BELIEVED_NS:
            return None
        later = next((each for each in self._states if each.stamp_ns >= stamp_ns), self._states[-1])
        earlier = next((each for each in reversed(self._states) if each.stamp_ns <= stamp_ns), self._states[0])
        if later.stamp_ns <= earlier.stamp_ns:
            return later.factor if stamp_ns <= later.stamp_ns else earlier.factor
        share = (stamp_ns - earlier.stamp_ns) / (later.stamp_ns - earlier.stamp_ns)
        return earlier.factor * (later.factor / earlier.factor) ** share

    def _nearest_ns(self, stamp_ns: int) -> int:
        return min((each.stamp_ns for each in self._states), key=lambda each: abs(each - stamp_ns))
