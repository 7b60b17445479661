# SPDX-License-Identifier: Apache-2.0
"""Goals from their acceptance to their end: at most one runs, and its end is remembered for whoever asks."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalPath, GoalProgress, GoalState
from gremsy_gimbal_driver.motion.angle_path import AngleProfile
from gremsy_gimbal_driver.motion.command_arbiter import HeldCommand, Source
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.limits import AXES, AngleLimits, Bound
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.motion_writer import Motion
from gremsy_gimbal_driver.motion.notices import Notices, Refusal, Report

# An action server asks some times a second, and a source may stream goals at 50 Hz.
_REMEMBERED = 64
# An axis that came so much nearer moves: twelve times the noise of an attitude, 0.02 degrees (gimbal.md 6), and what
# the slowest `max_rate_rad_s` (0.01 rad/s) covers in a third of the stall time.
_NEARER_RAD = 0.0044
# A goal is reached when the camera was so near to it for so long.
_SETTLE_NS = nanoseconds(0.4)
# An axis that comes no nearer for so long, though commanded, has stalled.
_STALL_TIME_S = 1.5


class GoalWatch:
    """Whether a goal is reached, and whether the gimbal still comes nearer to it: watches what is left of the way."""

    def __init__(self, parameters: MotionParameters, now_ns: int) -> None:
        self._parameters = parameters
        self._inside_since_ns: int | None = None
        self.begin_again(now_ns)

    def begin_again(self, now_ns: int) -> None:
        """The way of driving changed: what the axes did before does not count."""
        self._best: list[float | None] = [None, None]
        self._since_ns = [now_ns, now_ns]
        self.came_nearer = [False, False]
        """Which axes have moved towards the goal since then."""

    def watch(self, now_ns: int, remaining_rad: Pair, pushed: tuple[bool, bool]) -> None:
        """Take note; `pushed` says which axes are commanded to go on from where they are."""
        tolerance = self._parameters.goal_tolerance_rad
        if not all(abs(each) <= tolerance for each in remaining_rad):
            self._inside_since_ns = None
        elif self._inside_since_ns is None:
            self._inside_since_ns = now_ns
        for axis, (left, is_pushed) in enumerate(zip(map(abs, remaining_rad), pushed, strict=True)):
            best = self._best[axis]
            if best is None or not is_pushed:
                self._best[axis], self._since_ns[axis] = left, now_ns
            elif left < best - _NEARER_RAD:
                self._best[axis], self._since_ns[axis] = left, now_ns
                self.came_nearer[axis] = True

    def settled(self, now_ns: int) -> bool:
        """Whether both axes have been within tolerance for the settling time."""
        return self._inside_since_ns is not None and now_ns - self._inside_since_ns >= _SETTLE_NS

    def stalled(self, now_ns: int) -> list[int]:
        """The axes that were pushed and came no nearer for the stall time."""
        return [axis for axis in (0, 1) if now_ns - self._since_ns[axis] >= nanoseconds(_STALL_TIME_S)]


GOAL = 'the goal'
HOME = 'home'

# 1/s: the phase margin is still 70 degrees with the slowest known gimbal (250 ms to motion, gimbal.md 1.9).
_GAIN_S = 1.2
# Above the largest known dead zone, 2 deg/s, or the camera would stop short; it coasts 0.75 deg in 250 ms from here.
_LEAST_RATE_RAD_S = math.radians(3.0)
# Of the largest acceleration, kept for the gimbal's lag while it brakes.
_BRAKING_SHARE = 0.5


class GoalRun:
    """A goal from its start to its end.

    Args:
        goals: whose limits and commanded angles it shares.
        held: the command.
        measured_rad: where the camera looks.
        name: as it is written in a sentence, GOAL or HOME.
    """

    def __init__(self, goals: GoalControl, held: HeldCommand, measured_rad: Pair, name: str) -> None:
        assert isinstance(held.command, AngleGoal)
        self._goals = goals
        self._goal = held.command
        self._wanted = goals.wanted_rad(held.command, measured_rad)
        self._kept = goals.profile.stopping_angles(measured_rad)
        self.name = name
        self.number = held.number
        self.source = held.source
        self._begun_ns = held.arrived.monotonic_ns
        self._watch = GoalWatch(goals.parameters, self._begun_ns)
        self.path = GoalPath.ANGLE if goals.uses_angles else GoalPath.RATE
        """How it is driven now."""
        self._suspects: list[int] = []
        self.reached_ns: int | None = None
        """Since when it is held."""
        self._remaining: Pair = (0.0, 0.0)

    def target_rad(self) -> Pair:
        """Where it goes, within the limits."""
        return (self._allowed(0)[0], self._allowed(1)[0])

    def begun(self, measured_rad: Pair) -> GoalProgress:
        """Before anything was written."""
        self._remaining = (self._left(0, measured_rad), self._left(1, measured_rad))
        return self.progress(GoalState.MOVING, ended=False)

    def judge(self, now_ns: int, measured_rad: Pair, at_device_limit: tuple[bool, bool]) -> GoalProgress:
        """How it stands with the camera at these angles."""
        target = self.target_rad()
        self._remaining = (self._left(0, measured_rad), self._left(1, measured_rad))
        left = tuple(0.0 if self._wanted[axis] is None else target[axis] - measured_rad[axis] for axis in (0, 1))
        self._watch.watch(now_ns, (left[0], left[1]), self._pushed(measured_rad))
        if any(self._watch.came_nearer[axis] for axis in self._suspects):
            self._suspects = []
            self._goals.give_up_angles()
        if self.reached_ns is None and self._watch.settled(now_ns):
            for axis in (0, 1):
                bound = self._allowed(axis)[1]
                if bound is not None:
                    return self.progress(
                        GoalState.BLOCKED,
                        f'The gimbal stopped short of {self.name}: the {AXES[axis]} limit of {bound.angle_rad:g} rad, '
                        f'set by {bound.by}, lies between.',
                    )
            self.reached_ns = now_ns
        if self.reached_ns is not None:
            reached = 'The gimbal is home.' if self.name == HOME else f'The gimbal looks at {self.name}.'
            over = now_ns - self.reached_ns >= nanoseconds(self._goal.hold_s)
            return self.progress(GoalState.REACHED, reached, ended=over)
        stalled = self._watch.stalled(now_ns)
        if stalled and self.path is GoalPath.ANGLE and self._goals.parameters.angle_path == 'auto':
            # An axis that followed at first and then stopped short is no sign that angles are ignored.
            self._suspects = [axis for axis in stalled if not self._watch.came_nearer[axis]]
            self.path = GoalPath.RATE
            self._goals.profile.reset()
            self._watch.begin_again(now_ns)
        elif stalled:
            axis = stalled[0]
            if at_device_limit[axis]:
                reason = f'The gimbal reports that its {AXES[axis]} is at its own limit: {self.name} is not reached.'
                return self.progress(GoalState.BLOCKED, reason)
            return self.progress(
                GoalState.STALLED,
                f'The {AXES[axis]} came no nearer to {self.name} for {_STALL_TIME_S:g} s although it was '
                'commanded, and was stopped: check that nothing blocks it and that its rate sign is right.',
            )
        if now_ns - self._begun_ns >= nanoseconds(self._goal.timeout_s):
            return self.progress(
                GoalState.TIMED_OUT,
                f'The gimbal did not reach {self.name} within {self._goal.timeout_s:g} s and was stopped: '
                'give it more time or a higher `max_rate_rad_s`.',
            )
        return self.progress(GoalState.MOVING, ended=False)

    def rates(self, measured_rad: Pair) -> Pair:
        """True azimuth and tilt rates that lead there; 0 within tolerance and on a kept axis."""
        target = self.target_rad()
        return (self._rate(0, target[0] - measured_rad[0]), self._rate(1, target[1] - measured_rad[1]))

    def progress(self, state: GoalState, reason: str = '', *, ended: bool = True) -> GoalProgress:
        """How it stands or ended."""
        return GoalProgress(self.number, self.source.word, state, ended, reason, self._remaining, self.path)

    def _allowed(self, axis: int) -> tuple[float, Bound | None]:
        wanted = self._wanted[axis]
        return (self._kept[axis], None) if wanted is None else self._goals.limits.clamp(axis, wanted)

    def _left(self, axis: int, measured_rad: Pair) -> float:
        wanted = self._wanted[axis]
        return 0.0 if wanted is None else wanted - measured_rad[axis]

    def _pushed(self, measured_rad: Pair) -> tuple[bool, bool]:
        """Under angles an axis is pushed when the commanded angle is away from it, under rates when the target is."""
        ahead = self.target_rad() if self.path is GoalPath.RATE else (self._goals.profile.angles_rad or measured_rad)
        tolerance = self._goals.parameters.goal_tolerance_rad
        azimuth, tilt = (
            self._wanted[axis] is not None and abs(ahead[axis] - measured_rad[axis]) > tolerance for axis in (0, 1)
        )
        return azimuth, tilt

    def _rate(self, axis: int, left_rad: float) -> float:
        parameters = self._goals.parameters
        if self._wanted[axis] is None or abs(left_rad) <= parameters.goal_tolerance_rad:
            return 0.0
        braking = math.sqrt(2.0 * _BRAKING_SHARE * parameters.max_acceleration_rad_s2 * abs(left_rad))
        rate = max(min(_GAIN_S * abs(left_rad), braking), _LEAST_RATE_RAD_S)
        return math.copysign(min(rate, parameters.max_rate_rad_s), left_rad)


class GoalControl:
    """Runs the goal that the arbiter chose.

    Args:
        parameters: limits and times.
        limits: of the angles.
        profile: of the angles that are commanded.
        notices: reports goals that failed.
        inform: reports that home was reached.
    """

    def __init__(
        self, parameters: MotionParameters, limits: AngleLimits, profile: AngleProfile, notices: Notices, inform: Report
    ) -> None:
        self.parameters = parameters
        self.limits = limits
        self.profile = profile
        self._notices = notices
        self._inform = inform
        self.angles_ignored = False
        """Some firmware ignores angle commands after tracking, until it restarts (gimbal.md 1.10).

        An axis that stands still under them may also be blocked: only if it then moves by rates were they ignored.
        """
        self._ends: dict[int, GoalProgress] = {}
        self._last: GoalProgress | None = None
        self.run: GoalRun | None = None
        self.at_device_limit: tuple[bool, bool] = (False, False)

    @property
    def uses_angles(self) -> bool:
        """Whether the next goal starts with angle commands."""
        choice = self.parameters.angle_path
        return choice == 'angle' or (choice == 'auto' and not self.angles_ignored)

    def give_up_angles(self) -> None:
        """An axis that stood still under angle commands moves by rates."""
        self.angles_ignored = True
        self._notices.fault(
            'angles_ignored',
            'The gimbal does not follow angle commands, as some do after on-board tracking: goals are driven by rates '
            'until it restarts; switch it off and on to cure it.',
        )

    def progress(self, number: int | None = None) -> GoalProgress | None:
        """Of that goal, or of the newest; None when there was none or it is too long ago."""
        if self._last is not None and number in (None, self._last.number):
            return self._last
        return None if number is None else self._ends.get(number)

    def check(self, source: Source, goal: AngleGoal, measured_rad: Pair) -> None:
        """Whether it may be gone to from here.

        Raises:
            Refusal: with the reason.
        """
        empty = self.limits.empty_axis()
        if empty is not None:
            raise Refusal(
                'no_angle_left',
                f'An angle goal from {source.who} was refused: our limits of the {empty} and the '
                "device's leave no angle at all; correct the soft limits.",
            )
        for axis, wanted, measured in zip(AXES, self.wanted_rad(goal, measured_rad), measured_rad, strict=True):
            jump = 0.0 if wanted is None else abs(wanted - measured)
            if jump > self.parameters.max_jump_rad:
                raise Refusal(
                    'jump',
                    f'An angle goal from {source.who} was refused: its {axis} is {jump:.2f} rad '
                    f'({math.degrees(jump):.0f} degrees) from where the camera looks, `max_jump_rad` is '
                    f'{self.parameters.max_jump_rad:g} rad; check its frame, or go there in steps.',
                )

    def begin(self, held: HeldCommand, measured_rad: Pair, home: bool = False) -> None:
        """Take up a goal in place of the one that runs."""
        self.cancel(f'a newer command of {held.source.who}')
        self.run = GoalRun(self, held, measured_rad, HOME if home else GOAL)
        self._last = self.run.begun(measured_rad)

    def judge(self, now: Instant, measured_rad: Pair) -> bool:
        """Look how the running goal stands; False when there is none or it ended just now."""
        run = self.run
        if run is None:
            return False
        progress = run.judge(now.monotonic_ns, measured_rad, self.at_device_limit)
        if progress.ended:
            self._end(run, progress)
        else:
            self._last = progress
        return not progress.ended

    def cancel(self, by: str) -> None:
        """End the running goal, whatever it was; `by` is what ended it."""
        run = self.run
        if run is not None:
            name = run.name.capitalize()
            self._end(run, run.progress(GoalState.CANCELLED, f'{name} was cancelled by {by}.'))

    def motion(self, measured_rad: Pair, attitudes: int, ends_ns: int) -> Motion | None:
        """What leads to the running goal, with the camera at these angles, the `attitudes`-th that were measured."""
        run = self.run
        if run is None:
            return None
        key = ('goal', run.number)
        if run.path is GoalPath.ANGLE:
            return Motion(key, None, run.target_rad(), ends_ns, held=run.reached_ns is not None)
        # By rates it is a new command with every attitude.
        return Motion((*key, attitudes), run.rates(measured_rad), None, ends_ns)

    def _end(self, run: GoalRun, progress: GoalProgress) -> None:
        self.run = None
        self._last = progress
        self._ends[run.number] = progress
        while len(self._ends) > _REMEMBERED:
            del self._ends[next(iter(self._ends))]
        if progress.state in (GoalState.BLOCKED, GoalState.STALLED, GoalState.TIMED_OUT):
            self._notices.fault(f'goal_{progress.state.value}', progress.reason)
        elif progress.state is GoalState.REACHED:
            self._notices.recovered('goal_blocked', 'goal_stalled', 'goal_timed_out')
        if run.name == HOME and progress.state in (GoalState.REACHED, GoalState.CANCELLED):
            self._inform(progress.reason)

    def wanted_rad(self, goal: AngleGoal, measured_rad: Pair) -> tuple[float | None, float | None]:
        """The azimuth and tilt that it asks for from here, None for an axis that is kept."""
        azimuth = goal.azimuth_rad
        if azimuth is not None and goal.any_turn:
            azimuth = self.limits.nearest_turn(azimuth, measured_rad[0])
        return azimuth, goal.tilt_rad
