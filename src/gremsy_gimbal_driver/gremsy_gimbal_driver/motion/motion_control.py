# SPDX-License-Identifier: Apache-2.0
"""From requests to what is written: arm, mode, arbiter, goals, limits and timing in one step function of time.

No thread, no clock, no link: `step(now)` says what to write now and when to come back, so that every safety rule is
tested with invented times. `driver.py` gives it threads and a link.
"""

from __future__ import annotations

import math

from gremsy_common.types.control_state import HAND_OVER, NOBODY, ControlState
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.goals.goal_control import GoalControl
from gremsy_gimbal_driver.motion.attitude_guard import AttitudeGuard
from gremsy_gimbal_driver.motion.command_arbiter import CommandArbiter, CommandResult, HeldCommand, Source
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.limits import AngleLimits, Range
from gremsy_gimbal_driver.motion.mode_machine import ModeMachine
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput, Pair, no_such_mode
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.motion_writer import Motion, MotionWriter
from gremsy_gimbal_driver.motion.notices import Notices, Refusal, Report

__all__ = ['CommandResult', 'ControlState', 'MotionControl']

# Zeros can be lost on a bad link, and a gimbal may hold its last rate forever: while telemetry shows that it still
# turns, the burst is repeated. The rate is the largest known dead zone; the time is ten times the slowest lag.
_AT_REST_RAD_S = math.radians(2.0)
_WATCH_AFTER_STOP_S = 3.0


class MotionControl:
    """All rules of motion. Not thread-safe: the driver holds a lock around it.

    Args:
        parameters: limits and times.
        report: called once with each fault.
        inform: called with everything else worth logging.
    """

    def __init__(self, parameters: MotionParameters, report: Report, inform: Report) -> None:
        self._parameters = parameters
        self._notices = Notices(report)
        self.counts = self._notices.counts
        """Refused commands, clamped limits and other faults, by reason."""
        self._arbiter = CommandArbiter(parameters)
        self._limits = AngleLimits(parameters)
        self._attitude = AttitudeGuard(parameters, self._notices.counts)
        self.modes = ModeMachine(GimbalMode(parameters.mode), self._notices)
        self._mode_source = Source.OTHER
        self.writer = MotionWriter(parameters, self._limits, self.modes, self._notices)
        self.goals = GoalControl(parameters, self._limits, self.writer.profile, self._notices, inform)
        self._armed = False
        self._handed_over: Source | None = None
        self._watch_until_ns: int | None = None
        self._breaks_off_home = False
        self.control = ControlState(False, NOBODY)
        """As of the last step."""

    # State.

    @property
    def armed(self) -> bool:
        """Whether anything may move."""
        return self._armed

    def settled(self, now: Instant) -> bool:
        """Whether all zeros are written and, as far as telemetry shows, the camera rests."""
        return not self.writer.stopping and not self._turns(now)

    # Telemetry.

    def attitude(self, angles_rad: Pair, now: Instant, speed_rad_s: float = 0.0) -> None:
        """Telemetry received now: azimuth (continuous over +-pi) and tilt, and how fast the camera turns."""
        self._attitude.take(angles_rad, speed_rad_s, now)

    def mode_reported(self, mode: GimbalMode, now: Instant) -> None:
        """The flags of message 285; to be passed on before the attitude of the same message."""
        if self.modes.on_report(mode, now.monotonic_ns):
            # From here on the angles are in another frame: nothing that rests on the old ones may go on.
            self._attitude.expect_a_jump()
            self._cancel_goal(f'the gimbal, which went to mode {mode.value}')

    def device_limits(self, by: str, azimuth_rad: Range | None, tilt_rad: Range | None) -> None:
        """The device's own angle limits (`by` names their source), level frame; they narrow the soft limits."""
        wrong = self._limits.set(by, azimuth_rad, tilt_rad)
        if wrong is not None:
            self._notices.fault(f'limits {by}', wrong)

    def device_restarted(self) -> None:
        """The gimbal restarted: its frame, its mode and its faults are not what they were."""
        self.modes.forget()
        self._attitude.expect_a_jump()
        self.goals.angles_ignored = False
        self._cancel_goal('a restart of the gimbal')

    # Requests.

    def arm(self, on: bool, now: Instant) -> CommandResult:
        """Allow motion and assert the mode, or forbid it and stop. Without telemetry the soft limits are blind."""
        if not on:
            self._halt('disarming')
            return CommandResult(True, 'Disarmed: nothing moves.')
        if not self._attitude.is_fresh(now):
            return CommandResult(False, 'Not armed: no attitude comes from the gimbal; check its link and power.')
        self._armed = True
        self._clear('arming')
        self.watch_rest(now)
        return CommandResult(True, 'Armed.')

    def watch_rest(self, now: Instant) -> None:
        """A driver before this one may have left it turning: stop it if telemetry shows that it turns."""
        if self._watch_until_ns is None:
            self._watch_until_ns = now.monotonic_ns + nanoseconds(_WATCH_AFTER_STOP_S)

    def stop(self) -> CommandResult:
        """Stop and disarm: a stop that the tracker's next setpoint could undo would not be one."""
        self._halt('stop')
        return CommandResult(True, 'Stopped and disarmed: arm again to move.')

    def home(self, now: Instant, source: Source = Source.OPERATOR, azimuth_rad: float = 0.0) -> CommandResult:
        """Start to turn straight ahead, which is at that azimuth, and level."""
        goal = AngleGoal(azimuth_rad, 0.0, self._parameters.home_timeout_s)
        return self.go_to(source, goal, now, home=True)

    def go_to(self, source: Source, goal: AngleGoal, now: Instant, *, home: bool = False) -> CommandResult:
        """Start to turn to a goal; the number in the result asks for its progress."""
        failure = self._not_ready('Not moving home' if home else 'Not moving', now)
        if failure is not None:
            return failure
        angles = self._attitude.angles_rad
        assert angles is not None
        who = f'An angle goal from {source.who}'
        try:
            self._check_motors(who)
            self._check_mode_settled(who, now)
            self._check_not_homing(source)
            held = self._arbiter.offer(source, goal, now)
            self.goals.check(source, goal, angles)
        except Refusal as refusal:
            return self._refuse(source, refusal)
        self._accepted(source)
        self.goals.begin(held, angles, home)
        return CommandResult(True, 'Moving home.' if home else 'Moving.', held.number)

    def cancel_goal(self, number: int, by: str) -> CommandResult:
        """End that goal, if it still runs."""
        run = self.goals.run
        if run is None or run.number != number:
            return CommandResult(False, f'Goal {number} does not run any more.')
        self._cancel_goal(by)
        return CommandResult(True, f'Goal {number} is cancelled.')

    def offer(self, source: Source, setpoint: RateSetpoint, now: Instant) -> bool:
        """A rate command; False when it was refused (reported once, counted).

        The calibration's bypass ramp and inverse, which are what it measures.
        """
        if not self._armed:
            # Counted only: a tracker that follows while the driver is disarmed works as it should.
            self._notices.counts['disarmed'] += 1
            return False
        try:
            self._check_motors(f'A rate command from {source.who}')
            self._arbiter.offer(source, setpoint, now)
        except Refusal as refusal:
            self._refuse(source, refusal)
            return False
        self._accepted(source)
        return True

    def hand_over(self, source: Source, now: Instant) -> None:
        """Another sender takes that source over: what the one before asked for ends in zeros.

        The new sender's commands move nothing until the burst is over, so that the camera rests in between.
        """
        held = self._arbiter.chosen(now)
        if held is not None and held.source is source:
            self.writer.stop()
            self._handed_over = source
        run = self.goals.run
        if run is not None and run.source is source:
            self._cancel_goal('a hand-over')
        self._arbiter.drop(source)
        # At once, so that nobody sees the new sender as the holder before its commands move the camera.
        self.control = self._control_state(now)

    def set_mode(self, source: Source, mode: GimbalMode, now: Instant) -> CommandResult:
        """Change the mode, which moves the camera: it needs the arm and telemetry, and ends a running goal."""
        failure = self._not_ready(f'Not changing to mode {mode.value}', now)
        if failure is not None:
            return failure
        lacks = no_such_mode(mode, self.modes.lacking)
        if lacks:
            return CommandResult(False, f'Not changing the mode: {lacks}')
        try:
            self._check_not_homing(source)
            self._arbiter.check_free(source, f'The mode {mode.value}', now)
        except Refusal as refusal:
            return self._refuse(source, refusal)
        self._cancel_goal(f'a change to mode {mode.value}')
        if mode in (GimbalMode.OFF, GimbalMode.HOME):
            self._arbiter.clear()
        self._mode_source = source
        self.modes.want(mode, now.monotonic_ns)
        return CommandResult(True, f'Changing to mode {mode.value}.')

    def prefer_mode(self, mode: GimbalMode, now: Instant) -> CommandResult:
        """Change to that mode now if armed, otherwise when the gimbal is armed next; disarmed nothing is written."""
        if self._armed:
            return self.set_mode(Source.OPERATOR, mode, now)
        lacks = no_such_mode(mode, self.modes.lacking)
        if lacks:
            return CommandResult(False, f'Not preferring the mode: {lacks}')
        self.modes.want(mode, now.monotonic_ns)
        return CommandResult(True, f'Mode {mode.value} is taken when the gimbal is armed.')

    # Output.

    def step(self, now: Instant) -> tuple[MotionOutput | None, int | None]:
        """What to write now, and when to step again at the latest (monotonic ns; None: when something new happens)."""
        self._check_telemetry(now)
        self.modes.update(now.monotonic_ns)
        if not self.writer.stopping:
            self._handed_over = None
        motion = self._motion(now)
        self.control = self._control_state(now)
        self._stop_while_turning(now, motion)
        output, wakes = self.writer.step(now.monotonic_ns, motion, self._attitude.angles_rad)
        return output, min(wakes, default=None)

    def _check_telemetry(self, now: Instant) -> None:
        """Without telemetry that can be trusted nothing moves, and the mode is left alone."""
        if not self._armed:
            self.modes.deactivate()
            return
        jumps = self._attitude.is_jumping(now)
        if self._attitude.is_fresh(now) and not jumps:
            self.modes.activate(now.monotonic_ns)
            self._notices.recovered('no_attitude', 'attitude_jumps')
            return
        if self.writer.moving or self.goals.run is not None or self._arbiter.chosen(now) is not None:
            if jumps:
                self._notices.fault(
                    'attitude_jumps',
                    'The attitude jumps further than any gimbal turns: motion is stopped until it is steady; '
                    'check that only one gimbal talks on this link.',
                )
            else:
                self._notices.fault(
                    'no_attitude',
                    'No attitude has come from the gimbal for '
                    f'{self._parameters.attitude_timeout_s:g} s: motion is stopped until it comes again.',
                )
        self.modes.deactivate()
        self._clear('jumps of the attitude' if jumps else 'loss of the attitude')

    def _motion(self, now: Instant) -> Motion | None:
        """What to do now; None for nothing."""
        angles = self._attitude.angles_rad
        if not self._armed or self.modes.homing or angles is None:
            return None
        held = self._arbiter.chosen(now)
        run = self.goals.run
        if run is not None and (held is None or held.number != run.number):
            self._cancel_goal(_by(held, run.source))
        elif run is not None and not self.goals.judge(now, angles):
            # It has just ended: a lower source that has waited takes over at once.
            self._arbiter.finish(run.number)
            held = self._arbiter.chosen(now)
        if held is None:
            return None
        if self._handing_over and held.source is self._handed_over:
            return None
        lost_ns = self._attitude.lost_ns
        if isinstance(held.command, AngleGoal):
            return self.goals.motion(angles, self._attitude.taken, lost_ns)
        expires_ns = self._arbiter.expires_ns(held, now)
        command = held.command
        return Motion(
            ('rate', held.number),
            (command.azimuth_rate_rad_s, command.tilt_rate_rad_s),
            None,
            lost_ns if expires_ns is None else min(expires_ns, lost_ns),
            command.stamp_ns,
            raw=held.source is Source.CALIBRATION,
        )

    def _stop_while_turning(self, now: Instant, motion: Motion | None) -> None:
        if motion is not None:
            self._watch_until_ns = now.monotonic_ns + nanoseconds(_WATCH_AFTER_STOP_S)
            self._breaks_off_home = False
        elif self.modes.homing:
            self._watch_until_ns = None
            self._breaks_off_home = False
        elif self._breaks_off_home and self._watch_until_ns is None:
            self._watch_until_ns = now.monotonic_ns + nanoseconds(_WATCH_AFTER_STOP_S)
        elif self._watch_until_ns is not None and not self.writer.moving and not self.writer.stopping:
            if not self._attitude.is_fresh(now):
                # Nobody knows whether the zeros arrived: on a cut link they did not, so the watch lasts as long again
                # once telemetry is back.
                self._watch_until_ns = now.monotonic_ns + nanoseconds(_WATCH_AFTER_STOP_S)
            elif now.monotonic_ns >= self._watch_until_ns:
                self._watch_until_ns = None
                self._breaks_off_home = False
            elif self._turns(now):
                self.writer.stop(nudged=self._breaks_off_home)

    # Rules that several requests share.

    def _not_ready(self, what: str, now: Instant) -> CommandResult | None:
        if not self._armed:
            self._notices.counts['disarmed'] += 1
            return CommandResult(False, f'{what}: disarmed; call `arm` first.')
        if not self._attitude.is_fresh(now) or self._attitude.is_jumping(now):
            return CommandResult(False, f'{what}: no attitude comes from the gimbal; check its link and power.')
        return None

    def _check_motors(self, what: str) -> None:
        if self.modes.wanted is GimbalMode.OFF:
            raise Refusal(
                'motors_off', f'{what} was refused: the mode is off, the motors with it; change the mode first.'
            )

    def _check_mode_settled(self, what: str, now: Instant) -> None:
        """Angles in one mode's frame must never be used in another's: 3 degrees became 202 (gimbal.md 1.9)."""
        if self.modes.settling(now.monotonic_ns):
            reported, wanted = self.modes.status.reported, self.modes.wanted
            where = 'has just been sent to' if reported is None else f'is in mode {reported.value} and not yet in'
            raise Refusal(
                'mode_unsettled', f'{what} was refused: the gimbal {where} mode {wanted.value}; ask again when it is.'
            )

    def _check_not_homing(self, source: Source) -> None:
        if self.modes.homing and source < self._mode_source:
            by = self._mode_source.who
            raise Refusal('shut_out', f'A command from {source.who} was refused: {by} has sent the gimbal home.')

    def _refuse(self, source: Source, refusal: Refusal) -> CommandResult:
        """A refused command ends what its source asked for before."""
        self._notices.fault(refusal.kind, str(refusal))
        if self.goals.run is not None and self.goals.run.source is source:
            self.goals.cancel(f'a refused command of {source.who}')
        self._arbiter.drop(source)
        return CommandResult(False, str(refusal))

    def _accepted(self, source: Source) -> None:
        self._notices.recovered(
            'not_finite', 'wrong_frame', 'too_old', 'from_the_future', 'motors_off', 'jump', 'shut_out'
        )
        if self.modes.homing and source >= self._mode_source:
            self.modes.end_home()

    def _cancel_goal(self, by: str) -> None:
        run = self.goals.run
        if run is not None:
            self.goals.cancel(by)
            self._arbiter.finish(run.number)

    def _clear(self, by: str) -> None:
        self.goals.cancel(by)
        self._arbiter.clear()

    @property
    def _handing_over(self) -> bool:
        """Whether zeros of a hand-over are still to be written."""
        return self._handed_over is not None and self.writer.stopping

    def _halt(self, by: str) -> None:
        self._clear(by)
        self._handed_over = None
        self._armed = False
        self._breaks_off_home |= self.modes.homing
        self.modes.deactivate()
        self.writer.stop(nudged=self._breaks_off_home)

    def _turns(self, now: Instant) -> bool:
        return self._attitude.is_fresh(now) and self._attitude.speed_rad_s > _AT_REST_RAD_S

    def _control_state(self, now: Instant) -> ControlState:
        holder = self._arbiter.holder(now) if self._armed else None
        if self.modes.homing:
            holder = max(self._mode_source, holder or self._mode_source)
        word = NOBODY if holder is None else holder.word
        if self._handing_over and holder in (None, self._handed_over):
            word = HAND_OVER
        mode, goal = self.modes.status, self.goals.progress()
        return ControlState(
            self._armed,
            word,
            mode.wanted.value,
            mode.state.value,
            '' if goal is None else goal.state.value,
        )


def _by(held: HeldCommand | None, source: Source) -> str:
    """Who ends a goal of that source by holding control instead."""
    if held is None:
        return NOBODY
    return f'a newer command of {source.who}' if held.source is source else held.source.who
