# SPDX-License-Identifier: Apache-2.0
"""The last stage: when a motion is written, within which limits, and as which command of this gimbal."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gremsy_gimbal_driver.motion.angle_path import AngleProfile
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.limits import AXES, AngleLimits, RateLimiter
from gremsy_gimbal_driver.motion.mode_machine import ModeMachine
from gremsy_gimbal_driver.motion.motion_output import MotionOutput, Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Notices
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant, PlantInverse

REPEAT_INTERVAL_S = 0.040
"""The active command is written again after this."""
BURST_COUNT = 5
BURST_INTERVAL_S = 0.020
"""How many times zero rate is written when motion ends, and how far apart."""

# A new command is written at once, but on average no more than one in this time, and two never closer than half of it.
_GRID_NS = nanoseconds(0.010)
_REPEAT_NS = nanoseconds(REPEAT_INTERVAL_S)
_BURST_INTERVAL_NS = nanoseconds(BURST_INTERVAL_S)
# Just above the largest known dead zone, 2 deg/s, and over after 20 ms: 0.06 degrees.
_NUDGE: Pair = (math.radians(3.0), 0.0)
_STILL: Pair = (0.0, 0.0)
# A goal that is reached and held is written again after this.
_HOLD_INTERVAL_S = 0.5
_BURST = BURST_COUNT * (_STILL,)
# At 2 % lost bytes a frame in three is lost.
_NUDGED_BURST = (_NUDGE, _STILL, _NUDGE, *_BURST[3:])


@dataclass(frozen=True, slots=True)
class Motion:
    """What to do now: true rates, or a target to go to by angles.

    Attributes:
        key: the same in its repeats.
        rates_rad_s, target_rad: azimuth and tilt; exactly one is given.
        ends_ns: when it ends unless something else comes (monotonic).
        rests_on_ns: stamp of the image that it rests on.
        raw: bypasses the ramp and the inverse, which are what is being measured; the arm, the largest rate and the
            angle limits still apply.
        held: the target has been reached and only has to be held.
    """

    key: object
    rates_rad_s: Pair | None
    target_rad: Pair | None
    ends_ns: int
    rests_on_ns: int | None = None
    raw: bool = False
    held: bool = False


class SetpointStreamer:
    """When to write: a new command at once (at most 100 a second, newest wins), the active one at 25 Hz, final zeros.

    It decides from times alone, and knows a command only by its key, which is the same in its repeats.

    New commands pass on a grid of 10 ms that starts with the first one. If each were only held back until 10 ms after
    the one before, a single late write would delay every later one in a stream of 100 a second. A new command may be
    one step ahead of the grid, which then waits for it: what the tracker asks for by a new image comes at any time
    between its 50 commands a second, and half of them used to wait for 5 ms.
    """

    def __init__(self) -> None:
        self._next_on_grid_ns = 0
        self._repeat_after_ns = _REPEAT_NS
        self._last_write_ns: int | None = None
        self._last_key: object | None = None
        self.moving = False
        """Whether the last thing written was a command rather than a zero."""
        self._burst: deque[Pair] = deque()
        self._first_zero = False
        self._ramping = False

    @property
    def stopping(self) -> bool:
        """Whether zeros are still to be written."""
        return bool(self._burst)

    def since_last_write_s(self, now_ns: int) -> float:
        """Time over which an acceleration may have acted; no more than one repeat, and that at the very start."""
        if self._last_write_ns is None:
            return _REPEAT_NS * 1e-9
        return min(now_ns - self._last_write_ns, _REPEAT_NS) * 1e-9

    def due(self, now_ns: int, key: object | None) -> bool:
        """Whether to write now: the active command, which `key` identifies, or a zero where there is none (None)."""
        if key is None:
            if self.moving:
                self.begin_burst(_BURST)
            at = self._burst_at()
            return at is not None and now_ns >= at
        self._burst.clear()
        return now_ns >= self._command_at(key)

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
            self._first_zero = False
            self.moving = False
            self._next_on_grid_ns = max(self._next_on_grid_ns, now_ns + _GRID_NS)
        else:
            self.moving = True
            self._next_on_grid_ns = self._after(now_ns)
        self._ramping = ramping
        self._repeat_after_ns = _REPEAT_NS if repeat_after_s is None else nanoseconds(repeat_after_s)
        self._last_key = key
        self._last_write_ns = now_ns

    def begin_burst(self, rates_rad_s: Sequence[Pair]) -> None:
        """Write these, the first at once."""
        self._burst = deque(rates_rad_s)
        self._first_zero = True
        self.moving = False

    def _burst_at(self) -> int | None:
        if not self._burst:
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


class MotionWriter(SetpointStreamer):
    """Writes motions; it knows what was written last."""

    def __init__(self, parameters: MotionParameters, limits: AngleLimits, modes: ModeMachine, notices: Notices) -> None:
        super().__init__()
        self._parameters = parameters
        self._limits = limits
        self._modes = modes
        self._notices = notices
        self._limiter = RateLimiter(parameters, limits, notices)
        self._inverse = PlantInverse(parameters, REPEAT_INTERVAL_S)
        self.profile = AngleProfile(parameters, limits)
        self.zoom = 1.0
        """The magnification, for the plant's inverse."""

    @property
    def zero(self) -> MotionOutput:
        """Stand still, without a change of mode."""
        return MotionOutput(self._modes.flags_mode, rates_rad_s=_STILL)

    def use_plant(self, plant: MeasuredPlant) -> None:
        """From the next command on."""
        self._inverse = PlantInverse(plant, REPEAT_INTERVAL_S)

    def stop(self, nudged: bool = False) -> None:
        """Write a burst of zeros, the first at once.

        A gimbal that is homing by itself goes on under zeros, since the pulse that sent it home ends in them (gimbal.md
        1.7), but takes a rate as a new command. `nudged` starts the burst with one.
        """
        self.begin_burst(_NUDGED_BURST if nudged else _BURST)

    def step(
        self, now_ns: int, motion: Motion | None, angles_rad: Pair | None
    ) -> tuple[MotionOutput | None, list[int]]:
        """What to write now, and the times at which to ask again."""
        key = None if motion is None else motion.key
        due = self.due(now_ns, key)
        output: MotionOutput | None = None
        if due and motion is None:
            output = self._stand_still(now_ns, self._burst.popleft())
            self.wrote(now_ns, None)
        elif due and motion is not None and angles_rad is not None:
            output = self._command(now_ns, motion, angles_rad)
        elif (at_ns := self._mode_alone_ns(motion)) is not None and now_ns >= at_ns:
            output = self._stand_still(now_ns)
            self.wrote_beside(now_ns)
        ends_ns = None if motion is None else motion.ends_ns
        wakes = (self.wake_ns(key), ends_ns, self._mode_alone_ns(motion))
        return output, [each for each in wakes if each is not None]

    def _command(self, now_ns: int, motion: Motion, angles_rad: Pair) -> MotionOutput:
        elapsed_s = self.since_last_write_s(now_ns)
        if motion.target_rad is not None:
            if self.profile.angles_rad is None:
                self.profile.start(angles_rad, self._limiter.rates_rad_s)
            commanded = self.profile.advance(motion.target_rad, angles_rad, elapsed_s)
            self._limiter.rates_rad_s = self.profile.rates_rad_s
            self._inverse.reset()
            repeat_s = _HOLD_INTERVAL_S if motion.held else None
            self.wrote(now_ns, motion.key, repeat_after_s=repeat_s)
            return self._output(now_ns, angles_rad=commanded)
        assert motion.rates_rad_s is not None
        self.profile.reset()
        if motion.raw:
            self.wrote(now_ns, motion.key)
            return self._output(now_ns, rates_rad_s=self._raw(motion.rates_rad_s, angles_rad))
        limited = self._limiter.limit(motion.rates_rad_s, angles_rad, elapsed_s)
        self.wrote(now_ns, motion.key, self._limiter.ramping)
        if self._parameters.pulse_in_dead_zone:
            rates = self._inverse.command(limited, self.zoom, elapsed_s)
        else:
            rates = self._inverse.plant.nearest_command(limited, self.zoom)
        return self._output(now_ns, rates, rests_on_ns=motion.rests_on_ns)

    def _raw(self, rates_rad_s: Pair, angles_rad: Pair) -> Pair:
        """Until the sign is measured, nobody knows which way a rate leads: beyond a limit nothing moves either way."""
        self._limiter.rates_rad_s = _STILL
        self._inverse.reset()
        for axis, angle, (low, high) in zip(AXES, angles_rad, self._limits.ranges, strict=True):
            if not low <= angle <= high:
                self._notices.fault(f'{axis}_limit', self._limits.sentence(axis))
                return _STILL
        largest = self._parameters.max_rate_rad_s
        azimuth, tilt = (min(max(each, -largest), largest) for each in rates_rad_s)
        return azimuth, tilt

    def _stand_still(self, now_ns: int, rates_rad_s: Pair = _STILL) -> MotionOutput:
        self._limiter.rates_rad_s = _STILL
        self._inverse.reset()
        self.profile.reset()
        return self._output(now_ns, rates_rad_s)

    def _output(
        self,
        now_ns: int,
        rates_rad_s: Pair | None = None,
        angles_rad: Pair | None = None,
        rests_on_ns: int | None = None,
    ) -> MotionOutput:
        mode, asks = self._modes.flags_mode, self._modes.asks(now_ns)
        self._modes.wrote(now_ns)
        return MotionOutput(mode, asks, rates_rad_s, angles_rad, rests_on_ns)

    def _mode_alone_ns(self, motion: Motion | None) -> int | None:
        """When the mode has to be written by itself, since no other message is due that would carry it."""
        due_ns = self._modes.due_ns()
        if motion is not None or self.stopping or due_ns is None:
            return None
        return max(due_ns, self.beside_ns())
