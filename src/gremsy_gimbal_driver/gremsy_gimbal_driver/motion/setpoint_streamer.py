# SPDX-License-Identifier: Apache-2.0
"""When to write: a new command at once (100 a second, newest wins), the active one again at 25 Hz, zeros at the end.

New commands are let through on a grid of 10 ms that the first one begins. Were each only held back until 10 ms after
the one before, a single late write would delay all that follow in a stream of 100 a second. A new one may go a step
ahead of the grid, which then waits for it: what the tracker asks by a new image comes at any time between what it asks
50 times a second, and half of them waited for 5 ms.
"""

from __future__ import annotations

from enum import Enum

from gremsy_gimbal_driver.motion.instant import nanoseconds

REPEAT_INTERVAL_S = 0.040
"""The active command is written again after this."""
BURST_COUNT = 5
BURST_INTERVAL_S = 0.020
"""How often zero rate is written when motion ends."""

# A new command is written at once, but on average no more than one in this time, and two never closer than half of it.
_GRID_NS = nanoseconds(0.010)
_REPEAT_NS = nanoseconds(REPEAT_INTERVAL_S)
_BURST_INTERVAL_NS = nanoseconds(BURST_INTERVAL_S)


class Write(Enum):
    """What the wire needs now."""

    NOTHING = 'nothing'
    COMMAND = 'command'
    ZERO = 'zero'


class SetpointStreamer:
    """Decides from times alone; of a command it knows only its key, which is equal in its repeats."""

    def __init__(self) -> None:
        self._next_on_grid_ns = 0
        self._repeat_after_ns = _REPEAT_NS
        self._last_write_ns: int | None = None
        self._last_key: object | None = None
        self._moving = False
        self._zeros_left = 0
        self._first_zero = False
        self._ramping = False

    @property
    def moving(self) -> bool:
        """Whether the last thing written was a command rather than a zero."""
        return self._moving

    @property
    def stopping(self) -> bool:
        """Whether zeros are still to be written."""
        return self._zeros_left > 0

    def since_last_write_s(self, now_ns: int) -> float:
        """Time over which an acceleration may have acted; no more than one repeat, and that at the very start."""
        if self._last_write_ns is None:
            return _REPEAT_NS * 1e-9
        return min(now_ns - self._last_write_ns, _REPEAT_NS) * 1e-9

    def due(self, now_ns: int, key: object | None) -> Write:
        """What to write now; `key` identifies the active command, None when there is none."""
        if key is None:
            if self._moving:
                self.stop()
            at = self._burst_at()
            return Write.ZERO if at is not None and now_ns >= at else Write.NOTHING
        self._zeros_left = 0
        return Write.COMMAND if now_ns >= self._command_at(key) else Write.NOTHING

    def wake_ns(self, key: object | None) -> int | None:
        """When `due` has to be asked again at the latest; None for not before something new happens."""
        return self._burst_at() if key is None else self._command_at(key)

    def beside_ns(self) -> int:
        """When something that is neither a command nor a zero of a burst may be written."""
        return 0 if self._last_write_ns is None else self._last_write_ns + _GRID_NS

    def wrote_beside(self, now_ns: int) -> None:
        """Such a thing was written."""
        self._next_on_grid_ns = max(self._next_on_grid_ns, now_ns + _GRID_NS)
        self._last_write_ns = now_ns

    def wrote(
        self, now_ns: int, key: object | None, ramping: bool = False, repeat_after_s: float | None = None
    ) -> None:
        """Something was written: the command of that key, or a zero (None)."""
        if key is None:
            self._zeros_left = max(0, self._zeros_left - 1)
            self._first_zero = False
            self._moving = False
            self._next_on_grid_ns = max(self._next_on_grid_ns, now_ns + _GRID_NS)
        else:
            self._moving = True
            self._next_on_grid_ns = self._after(now_ns)
        self._ramping = ramping
        self._repeat_after_ns = _REPEAT_NS if repeat_after_s is None else nanoseconds(repeat_after_s)
        self._last_key = key
        self._last_write_ns = now_ns

    def stop(self) -> None:
        """Write a burst of zeros, the first at once."""
        self._zeros_left = BURST_COUNT
        self._first_zero = True
        self._moving = False

    def _burst_at(self) -> int | None:
        if not self._zeros_left:
            return None
        if self._first_zero or self._last_write_ns is None:
            return 0
        return self._last_write_ns + _BURST_INTERVAL_NS

    def _command_at(self, key: object) -> int:
        if self._last_write_ns is None:
            return 0
        if key != self._last_key:
            return max(self._next_on_grid_ns - _GRID_NS, self._last_write_ns + _GRID_NS // 2)
        # While the acceleration limit holds the rate back, the next step of the ramp comes as soon as the grid allows.
        return self._next_on_grid_ns if self._ramping else self._last_write_ns + self._repeat_after_ns

    def _after(self, now_ns: int) -> int:
        """The grid's next point after a write; never sooner than half a step, and a new grid after a pause."""
        on_grid = self._next_on_grid_ns + _GRID_NS
        return max(on_grid, now_ns + _GRID_NS // 2) if on_grid > now_ns else now_ns + _GRID_NS
