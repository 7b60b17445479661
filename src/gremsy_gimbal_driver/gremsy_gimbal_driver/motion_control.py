# SPDX-License-Identifier: Apache-2.0
"""From wishes to wire rates: the arm, the arbiter, home, the limits and the timing in one step function of time.

No thread, no clock, no link: `step(now)` says what to write now and when to come back, so that every safety rule is
tested with invented times. `driver.py` gives it threads and a link.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_common.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.command_arbiter import CommandArbiter, Source
from gremsy_gimbal_driver.homing import Homing, HomingState
from gremsy_gimbal_driver.instant import Instant
from gremsy_gimbal_driver.motion_settings import MotionSettings, nanoseconds
from gremsy_gimbal_driver.notices import Notices, Say
from gremsy_gimbal_driver.rate_limiter import Pair, RateLimiter
from gremsy_gimbal_driver.setpoint_streamer import SetpointStreamer, Write

_HOLDER_HOME = 'home'
_HOLDER_NOBODY = 'nobody'
# Zeros can be lost on a bad link, and a gimbal may hold its last rate for ever: while the telemetry says that it still
# turns, the burst is written again. The rate is the largest known dead zone; the time, ten times the slowest lag.
_AT_REST_RAD_S = math.radians(2.0)
_WATCH_AFTER_STOP_S = 3.0


@dataclass(frozen=True, slots=True)
class WireRates:
    """Azimuth and tilt rates to write, after the plant's inverse, rad/s.

    `rests_on_ns` is the stamp of the image that the command rests on, in its repeats too; None for zeros and home.
    """

    rates_rad_s: Pair
    rests_on_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class ControlState:
    """Who may move the gimbal and who does."""

    armed: bool
    holder: str


class MotionControl:
    """All rules of motion. Not for several threads at once: the driver holds a lock around it.

    Args:
        settings: limits and times.
        say: what is wrong, once.
        inform: what is well.
    """

    def __init__(self, settings: MotionSettings, say: Say, inform: Say) -> None:
        self._settings = settings
        self._say = say
        self._inform = inform
        self._notices = Notices(say)
        self._arbiter = CommandArbiter(settings)
        self._limiter = RateLimiter(settings)
        self._streamer = SetpointStreamer(settings)
        self._homing: Homing | None = None
        self._armed = False
        self._angles: Pair | None = None
        self._measured_ns = 0
        self._speed_rad_s = 0.0
        self._watch_until_ns: int | None = None
        self._attitudes = 0
        self._zoom = 1.0
        self._control = ControlState(False, _HOLDER_NOBODY)

    @property
    def armed(self) -> bool:
        """Whether anything may move."""
        return self._armed

    @property
    def control(self) -> ControlState:
        """As of the last step."""
        return self._control

    @property
    def stopping(self) -> bool:
        """Whether zeros of a burst are still to be written."""
        return self._streamer.stopping

    @property
    def counts(self) -> dict[str, int]:
        """Refused commands and clamped limits, by reason."""
        return dict(self._notices.counts)

    def settled(self, now: Instant) -> bool:
        """Whether the zeros are out and, as far as telemetry tells, the camera rests."""
        return not self._streamer.stopping and not (self._sees(now) and self._speed_rad_s > _AT_REST_RAD_S)

    def attitude(self, angles_rad: Pair, now: Instant, speed_rad_s: float = 0.0) -> None:
        """Telemetry received now: azimuth (continuous over +-pi) and tilt, and how fast the camera turns."""
        self._angles = angles_rad
        self._speed_rad_s = speed_rad_s
        self._measured_ns = now.monotonic_ns
        self._attitudes += 1

    def zoom(self, factor: float) -> None:
        """Telemetry: the magnification, for the plant's inverse."""
        self._zoom = factor

    def arm(self, on: bool, now: Instant) -> Answer:
        """Allow motion, or forbid it and stop. Arming needs telemetry: without it the soft limits are blind."""
        if not on:
            self._halt()
            self._armed = False
            return Answer(True, 'Disarmed: nothing moves.')
        if not self._sees(now):
            return Answer(False, 'Not armed: no attitude comes from the gimbal; check its link and power.')
        self._armed = True
        self._arbiter.clear()
        return Answer(True, 'Armed.')

    def stop(self) -> Answer:
        """Stop and disarm: a stop that the tracker's next setpoint undoes would be none."""
        self._halt()
        self._armed = False
        return Answer(True, 'Stopped and disarmed: arm again to move.')

    def home(self, now: Instant) -> Answer:
        """Begin to turn to azimuth 0, tilt 0; an operator's command, a stop or a disarm ends it."""
        if not self._armed:
            return Answer(False, 'Not moving home: disarmed; call `arm` first.')
        if not self._sees(now):
            return Answer(False, 'Not moving home: no attitude comes from the gimbal; check its link and power.')
        self._arbiter.clear()
        self._homing = Homing(self._settings, now.monotonic_ns)
        return Answer(True, 'Moving home.')

    def offer(self, source: Source, setpoint: RateSetpoint, now: Instant) -> bool:
        """A rate command; False when it was refused (said once, counted)."""
        if not self._armed:
            # Counted only: a tracker that follows while the driver is disarmed is in good order.
            self._notices.counts['disarmed'] += 1
            return False
        refusal = self._arbiter.offer(source, setpoint, now)
        if refusal is not None:
            self._notices.trouble(refusal.kind, refusal.sentence)
            return False
        self._notices.well('not_finite', 'wrong_frame', 'too_old', 'from_the_future')
        if source is Source.OPERATOR and self._homing is not None:
            self._homing = None
            self._inform("Home was ended by an operator's command.")
        return True

    def step(self, now: Instant) -> tuple[WireRates | None, int | None]:
        """What to write now, and when to step again at the latest (monotonic ns; None: when something new happens)."""
        if self._armed and not self._sees(now):
            if self._streamer.moving or self._homing is not None or self._arbiter.chosen(now) is not None:
                self._notices.trouble(
                    'no_attitude',
                    'No attitude has come from the gimbal for '
                    f'{self._settings.attitude_timeout_s:g} s: motion is stopped until it comes again.',
                )
            self._homing = None
            self._arbiter.clear()
        elif self._armed:
            self._notices.well('no_attitude')
        number, wanted, stamp_ns, expires_ns = self._wish(now)
        self._control = ControlState(self._armed, self._holder(now))
        self._watch_rest(now, number)
        due = self._streamer.due(now.monotonic_ns, number)
        output: WireRates | None = None
        if due is Write.ZERO:
            output = WireRates((0.0, 0.0))
            self._limiter.reset()
            self._streamer.wrote(now.monotonic_ns, None)
        elif due is Write.COMMAND:
            output = self._command(now, number, wanted, stamp_ns)
        wakes = [self._streamer.wake_ns(number), expires_ns]
        return output, min((each for each in wakes if each is not None), default=None)

    def _watch_rest(self, now: Instant, number: int | None) -> None:
        if number is not None:
            self._watch_until_ns = now.monotonic_ns + nanoseconds(_WATCH_AFTER_STOP_S)
        elif self._watch_until_ns is not None and not self._streamer.moving and not self._streamer.stopping:
            if now.monotonic_ns >= self._watch_until_ns:
                self._watch_until_ns = None
            elif self._sees(now) and self._speed_rad_s > _AT_REST_RAD_S:
                self._streamer.stop()

    def _command(self, now: Instant, number: int | None, wanted: Pair, stamp_ns: int | None) -> WireRates:
        angles = self._angles or (0.0, 0.0)
        elapsed_s = self._streamer.since_last_write_s(now.monotonic_ns)
        limited = self._limiter.limit(wanted, angles, elapsed_s)
        for kind in limited.clamped:
            self._notices.trouble(kind, self._clamp_sentence(kind))
        self._notices.well(*({'rate', 'azimuth_limit', 'tilt_limit'} - set(limited.clamped)))
        self._streamer.wrote(now.monotonic_ns, number, limited.ramping)
        return WireRates(self._settings.plant_inverse.command(*limited.rates_rad_s, self._zoom), stamp_ns)

    def _wish(self, now: Instant) -> tuple[int | None, Pair, int | None, int | None]:
        """Number, rates, stamp and end (monotonic ns) of what is to be done now; number None for nothing."""
        nothing = (None, (0.0, 0.0), None, None)
        if not self._armed:
            return nothing
        if self._homing is not None and self._angles is not None:
            state, rates = self._homing.step(now.monotonic_ns, self._angles)
            if state is HomingState.MOVING:
                # Negative, so that it is never the number of a command; new with every attitude.
                lost_ns = self._measured_ns + nanoseconds(self._settings.attitude_timeout_s)
                return -1 - self._attitudes, rates, None, lost_ns
            self._homing = None
            if state is HomingState.THERE:
                self._inform('The gimbal is home.')
            else:
                self._say(self._home_timeout_sentence())
        held = self._arbiter.chosen(now)
        if held is None:
            return nothing
        setpoint = held.setpoint
        rates = (setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s)
        lost_ns = self._measured_ns + nanoseconds(self._settings.attitude_timeout_s)
        return held.number, rates, setpoint.stamp_ns, min(self._arbiter.expires_ns(held, now), lost_ns)

    def _holder(self, now: Instant) -> str:
        if not self._armed:
            return _HOLDER_NOBODY
        if self._homing is not None:
            return _HOLDER_HOME
        holder = self._arbiter.holder(now)
        return _HOLDER_NOBODY if holder is None else holder.word

    def _sees(self, now: Instant) -> bool:
        limit = nanoseconds(self._settings.attitude_timeout_s)
        return self._angles is not None and now.monotonic_ns - self._measured_ns < limit

    def _halt(self) -> None:
        self._arbiter.clear()
        self._homing = None
        self._streamer.stop()

    def _home_timeout_sentence(self) -> str:
        return (
            f'The gimbal did not reach home within {self._settings.home_timeout_s:g} s and was stopped: '
            'check that nothing blocks it and that its rate signs are right.'
        )

    def _clamp_sentence(self, kind: str) -> str:
        settings = self._settings
        if kind == 'rate':
            return f'A rate command is beyond `max_rate` ({settings.max_rate_rad_s:g} rad/s) and is cut to it.'
        axis = kind.removesuffix('_limit')
        low, high = settings.azimuth_limits_rad if axis == 'azimuth' else settings.tilt_limits_rad
        return f'The {axis} is at its limit ({low:g} .. {high:g} rad): motion beyond it is cut off.'
