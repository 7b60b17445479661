# SPDX-License-Identifier: Apache-2.0
"""Goals from their acceptance to their end: at most one runs, and its end is remembered for whoever asks."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalPath, GoalProgress, GoalState
from gremsy_gimbal_driver.goals.goal_run import GOAL, HOME, GoalRun
from gremsy_gimbal_driver.motion.angle_path import AngleProfile, AngleTrust
from gremsy_gimbal_driver.motion.command_arbiter import HeldCommand, Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.limits import AXES, AngleLimits
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.motion_writer import Motion
from gremsy_gimbal_driver.motion.notices import Notices, Refusal, Report

# An action server asks some times a second, and a source may stream goals at 50 Hz.
_REMEMBERED = 64


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
        self._parameters = parameters
        self._limits = limits
        self._profile = profile
        self._notices = notices
        self._inform = inform
        self.trust = AngleTrust(parameters.angle_path, notices)
        self._ends: dict[int, GoalProgress] = {}
        self._last: GoalProgress | None = None
        self.run: GoalRun | None = None
        self.at_device_limit: tuple[bool, bool] = (False, False)

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
        empty = self._limits.empty_axis()
        if empty is not None:
            raise Refusal(
                'no_angle_left',
                f'An angle goal from {source.who} was refused: our limits of the {empty} and the '
                "device's leave no angle at all; correct the soft limits.",
            )
        for axis, wanted, measured in zip(AXES, self._wanted(goal, measured_rad), measured_rad, strict=True):
            jump = 0.0 if wanted is None else abs(wanted - measured)
            if jump > self._parameters.max_jump_rad:
                raise Refusal(
                    'jump',
                    f'An angle goal from {source.who} was refused: its {axis} is {jump:.2f} rad '
                    f'({math.degrees(jump):.0f} degrees) from where the camera looks, `max_jump_rad` is '
                    f'{self._parameters.max_jump_rad:g} rad; check its frame, or go there in steps.',
                )

    def begin(self, held: HeldCommand, measured_rad: Pair, home: bool = False) -> None:
        """Take up a goal in place of the one that runs."""
        assert isinstance(held.command, AngleGoal)
        self.cancel(f'a newer command of {held.source.who}')
        self.run = GoalRun(
            self._parameters,
            self._limits,
            self.trust,
            self._profile,
            held,
            self._wanted(held.command, measured_rad),
            self._profile.stopping_angles(measured_rad),
            HOME if home else GOAL,
        )
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

    def _wanted(self, goal: AngleGoal, measured_rad: Pair) -> tuple[float | None, float | None]:
        azimuth = goal.azimuth_rad
        if azimuth is not None and goal.any_turn:
            azimuth = self._limits.nearest_turn(azimuth, measured_rad[0])
        return azimuth, goal.tilt_rad
