# SPDX-License-Identifier: Apache-2.0
"""The last stage: what is to be done, at the times of the streamer, within the limits, through the plant's inverse."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from gremsy_gimbal_driver.motion.angle_path import AngleProfile
from gremsy_gimbal_driver.motion.limits import AXES, AngleLimits, RateLimiter
from gremsy_gimbal_driver.motion.mode_machine import ModeMachine
from gremsy_gimbal_driver.motion.motion_output import MotionOutput, Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Notices
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant, PlantInverse
from gremsy_gimbal_driver.motion.setpoint_streamer import REPEAT_INTERVAL_S, SetpointStreamer, Write

# Just above the largest known dead zone, 2 deg/s, and over after 20 ms: 0.06 degrees.
_NUDGE: Pair = (math.radians(3.0), 0.0)
_STILL: Pair = (0.0, 0.0)
# A goal that is reached and held is written again after this.
_HOLD_INTERVAL_S = 0.5
# At 2 % lost bytes a frame in three is lost.
_NUDGED_BURST = (_NUDGE, _STILL, _NUDGE)


@dataclass(frozen=True, slots=True)
class Motion:
    """What is to be done now: either true rates or a target to go to by angles.

    Attributes:
        key: equal in repeats of the same.
        rates_rad_s, target_rad: azimuth and tilt; exactly one is given.
        ends_ns: unless something else comes, it ends then (monotonic).
        rests_on_ns: stamp of the image that it rests on.
        raw: not for the ramp and the inverse, since they are what is being measured; the arm, the largest rate and the
            angle limits hold all the same.
        held: the target is reached and only has to be kept up.
    """

    key: object
    rates_rad_s: Pair | None
    target_rad: Pair | None
    ends_ns: int
    rests_on_ns: int | None = None
    raw: bool = False
    held: bool = False


class MotionWriter:
    """Knows what was written last."""

    def __init__(self, parameters: MotionParameters, limits: AngleLimits, modes: ModeMachine, notices: Notices) -> None:
        self._parameters = parameters
        self._limits = limits
        self._modes = modes
        self._notices = notices
        self._limiter = RateLimiter(parameters, limits)
        self._inverse = PlantInverse(parameters, REPEAT_INTERVAL_S)
        self._streamer = SetpointStreamer()
        self._burst_begins: deque[Pair] = deque()
        self.profile = AngleProfile(parameters, limits)
        self.zoom = 1.0

    @property
    def moving(self) -> bool:
        """Whether the last thing written was a command rather than a zero."""
        return self._streamer.moving

    @property
    def stopping(self) -> bool:
        """Whether zeros of a burst are still to be written."""
        return self._streamer.stopping

    @property
    def zero(self) -> MotionOutput:
        """Stand still, without a change of mode."""
        return MotionOutput(self._modes.flags_mode, rates_rad_s=(0.0, 0.0))

    def use_plant(self, plant: MeasuredPlant) -> None:
        """From the next command on."""
        self._inverse = PlantInverse(plant, REPEAT_INTERVAL_S)

    def stop(self, nudged: bool = False) -> None:
        """Write a burst of zeros, the first at once.

        A gimbal on its way home by itself takes zeros for its leave to go on, as those of the pulse that sent it there
        are (gimbal.md 1.7), but a rate for a new command. `nudged` begins the burst with one.
        """
        self._burst_begins = deque(_NUDGED_BURST if nudged else ())
        self._streamer.stop()

    def step(
        self, now_ns: int, motion: Motion | None, angles_rad: Pair | None
    ) -> tuple[MotionOutput | None, list[int]]:
        """What to write now, and the times at which to ask again."""
        key = None if motion is None else motion.key
        due = self._streamer.due(now_ns, key)
        output: MotionOutput | None = None
        if due is Write.ZERO:
            output = self._stand_still(now_ns, self._burst_begins.popleft() if self._burst_begins else _STILL)
            self._streamer.wrote(now_ns, None)
        elif due is Write.COMMAND and motion is not None and angles_rad is not None:
            output = self._command(now_ns, motion, angles_rad)
        elif (at_ns := self._mode_alone_ns(motion)) is not None and now_ns >= at_ns:
            output = self._stand_still(now_ns)
            self._streamer.wrote_beside(now_ns)
        ends_ns = None if motion is None else motion.ends_ns
        wakes = (self._streamer.wake_ns(key), ends_ns, self._mode_alone_ns(motion))
        return output, [each for each in wakes if each is not None]

    def _command(self, now_ns: int, motion: Motion, angles_rad: Pair) -> MotionOutput:
        self._burst_begins.clear()
        elapsed_s = self._streamer.since_last_write_s(now_ns)
        if motion.target_rad is not None:
            if self.profile.angles_rad is None:
                self.profile.start(angles_rad, self._limiter.rates_rad_s)
            commanded = self.profile.advance(motion.target_rad, angles_rad, elapsed_s)
            self._limiter.resume(self.profile.rates_rad_s)
            self._inverse.reset()
            repeat_s = _HOLD_INTERVAL_S if motion.held else None
            self._streamer.wrote(now_ns, motion.key, repeat_after_s=repeat_s)
            return self._output(now_ns, angles_rad=commanded)
        assert motion.rates_rad_s is not None
        self.profile.reset()
        if motion.raw:
            self._streamer.wrote(now_ns, motion.key)
            return self._output(now_ns, rates_rad_s=self._raw(motion.rates_rad_s, angles_rad))
        limited = self._limiter.limit(motion.rates_rad_s, angles_rad, elapsed_s)
        for kind in self._limiter.clamped:
            self._notices.fault(kind, self._clamp_sentence(kind))
        self._notices.recovered(*({'rate', 'azimuth_limit', 'tilt_limit'} - self._limiter.clamped))
        self._streamer.wrote(now_ns, motion.key, self._limiter.ramping)
        if self._parameters.pulse_in_dead_zone:
            rates = self._inverse.command(limited, self.zoom, elapsed_s)
        else:
            rates = self._inverse.plant.nearest_command(limited, self.zoom)
        return self._output(now_ns, rates, rests_on_ns=motion.rests_on_ns)

    def _raw(self, rates_rad_s: Pair, angles_rad: Pair) -> Pair:
        """Which side of a limit a rate leads to is not known yet: beyond one nothing moves either way."""
        self._limiter.resume((0.0, 0.0))
        self._inverse.reset()
        for axis, angle, (low, high) in zip(AXES, angles_rad, self._limits.ranges, strict=True):
            if not low <= angle <= high:
                self._notices.fault(f'{axis}_limit', self._limits.sentence(axis))
                return (0.0, 0.0)
        largest = self._parameters.max_rate_rad_s
        azimuth, tilt = (min(max(each, -largest), largest) for each in rates_rad_s)
        return azimuth, tilt

    def _stand_still(self, now_ns: int, rates_rad_s: Pair = _STILL) -> MotionOutput:
        self._limiter.resume((0.0, 0.0))
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
        """When the mode has to be written by itself, since nothing else is that would carry it."""
        due_ns = self._modes.due_ns()
        if motion is not None or self._streamer.stopping or due_ns is None:
            return None
        return max(due_ns, self._streamer.beside_ns())

    def _clamp_sentence(self, kind: str) -> str:
        if kind == 'rate':
            largest = self._parameters.max_rate_rad_s
            return f'A rate command is beyond `max_rate_rad_s` ({largest:g} rad/s) and is cut to it.'
        return self._limits.sentence(kind.removesuffix('_limit'))
