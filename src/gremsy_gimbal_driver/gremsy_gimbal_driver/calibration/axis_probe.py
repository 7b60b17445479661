# SPDX-License-Identifier: Apache-2.0
"""How one axis is moved while it is measured: hold a rate, come to rest, be moved by so much, go back.

Each is a program: a generator that is resumed at every step of time and yields what to ask of the gimbal until then.
Between two rests the angle must stay where the commands of the last 0.8 s can have brought it. Until an axis's sign is
known that is either side; the room grows with the way, because a link that loses commands changes how long each held.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.calibration.calibration_fit import Array, Line, ResponseFit, fit_line
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis, CalibrationParameters
from gremsy_gimbal_driver.calibration.motion_record import MotionRecord
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import Pair

# Until the answer is measured, the slowest one: 250 ms (gimbal.md 1.9) and as much again.
_SLOWEST_ANSWER_S = 0.5
# A gain of 1.5 is no gimbal's; with the sign unknown nothing else is known either.
_LARGEST_GAIN = 1.5
# A zero that the link loses is repeated; this long it may take to get through.
_STOP_MARGIN_S = 0.2

_REST_WINDOW_S = 0.4
_REST_SAMPLES = 4
_REST_RATE_RAD_S = math.radians(0.4)
_REST_ERRORS = 3.0
_REST_PATIENCE_S = 4.0

# Commands that the link loses make a pulse longer or shorter by some 0.1 s, 0.4 deg at the slow rate.
_BACK_TOLERANCE_RAD = math.radians(0.8)
_BACK_TRIES = 8

# The slowest gimbal known answers after 250 ms (gimbal.md 1.9); a link that loses half of the commands adds to it.
_LATEST_ANSWER_NS = nanoseconds(0.8)
_ROOM_RAD = math.radians(1.5)
_ROOM_SHARE = 0.25
IN_A_ROW = 2
"""One bad attitude is no motion."""

# Stamps come in whole milliseconds, 0.008 deg at 8 deg/s: angles are never better known than this.
_LEAST_NOISE_RAD = math.radians(0.01)


class CalibrationAborted(SuiteError):
    """The calibration ended without a result; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask of the gimbal now: a rate of one axis (the other stands), and a zoom where one is to be sent."""

    axis: Axis = Axis.AZIMUTH
    rate_rad_s: float = 0.0
    zoom: float | None = None

    @property
    def rates_rad_s(self) -> Pair:
        """Azimuth, tilt: to be written past the inverse and the limiter."""
        return (self.rate_rad_s, 0.0) if self.axis is Axis.AZIMUTH else (0.0, self.rate_rad_s)


T = TypeVar('T')
Program = Generator[Ask, None, T]


class AxisProbe:
    """One axis. What is learned of it (`noise_rad`, `sign`, `gain`, `answer_s`) makes the later moves better."""

    def __init__(self, axis: Axis, parameters: CalibrationParameters, record: MotionRecord) -> None:
        self.axis = axis
        self.parameters = parameters
        self.record = record
        self._start_rad = record.angles_rad[axis]
        self.noise_rad = _LEAST_NOISE_RAD
        self.sign = self._known_sign = 0
        self.gain = 1.0
        self._stray = 0
        self._rest_at(self._start_rad)
        self._largest_gain = _LARGEST_GAIN
        self.answer_s = _SLOWEST_ANSWER_S
        self.slow_rate_rad_s = parameters.calibration_rate_rad_s

    def learn_sign(self, sign: int, gain: float, rate_rad_s: float) -> None:
        """It moves to that side, at about so many times the commanded rate, from that rate on."""
        self.sign, self._known_sign, self.gain = sign, sign, gain
        self._largest_gain = max(1.2, 1.5 * gain)
        self.slow_rate_rad_s = rate_rad_s

    def learn_response(self, response: ResponseFit) -> None:
        """Delay, lag and gain are known."""
        self.gain = abs(response.gain)
        self._largest_gain = 1.2 * self.gain
        # After three lags 95 % of a rate is there; the rest is for a command that was lost once.
        self.answer_s = max(0.0, response.delay_s) + 3.0 * response.lag_s + 0.1

    @property
    def mean_error_rad(self) -> float:
        """Standard error of a resting angle that `settle` returns."""
        return self.noise_rad / math.sqrt(_REST_SAMPLES)

    def hold(self, rate_rad_s: float, seconds: float) -> Program[None]:
        """Ask that rate for so long, or until the axis could no longer be stopped within its travel."""
        end_s = self.record.now_s + seconds
        while self.record.now_s < end_s and not self._would_leave(rate_rad_s):
            yield Ask(self.axis, rate_rad_s)

    def wait(self, seconds: float) -> Program[None]:
        """Stand."""
        yield from self.hold(0.0, seconds)

    def settle(self) -> Program[None]:
        """Ask zero until the axis rests."""
        begin_s = self.record.now_s
        yield from self.wait(self.answer_s)
        while True:
            line = self._newest_line()
            if line is not None:
                # The noise that was measured at rest, not this window's own: four attitudes can agree by chance.
                still = _REST_ERRORS * self.noise_rad * math.sqrt(12.0 / line.samples) / _REST_WINDOW_S
                if abs(line.slope_rad_s) <= max(_REST_RATE_RAD_S, still):
                    break
            if self.record.now_s - begin_s > self.answer_s + _REST_PATIENCE_S:
                raise CalibrationAborted(
                    f'the {self.axis.word} did not come to rest within '
                    f'{self.record.now_s - begin_s:.0f} s of a zero rate: keep the vehicle still'
                )
            yield Ask(self.axis)
        self._rest_at(line.middle_rad)

    def shift(self, rate_rad_s: float, seconds: float) -> Program[tuple[float, float]]:
        """From rest to rest: by how much it moved, and the integral of what was asked."""
        before_rad, begin_ns = self.rest_rad, self.record.now.ros_ns
        yield from self.hold(rate_rad_s, seconds)
        yield from self.settle()
        return self.rest_rad - before_rad, self.record.asked_rad(self.axis, begin_ns, self.record.now.ros_ns)

    def go_back(self) -> Program[None]:
        """To where it started, in pulses that are timed by what is known of its gain."""
        tolerance_rad = max(_BACK_TOLERANCE_RAD, 3.0 * self.mean_error_rad)
        for _ in range(_BACK_TRIES):
            error_rad = self._start_rad - self.rest_rad
            if abs(error_rad) <= tolerance_rad:
                return
            rate_rad_s = math.copysign(self.slow_rate_rad_s, self.sign * error_rad)
            seconds = abs(error_rad) / (self.slow_rate_rad_s * self.gain)
            yield from self.shift(
                rate_rad_s, min(seconds, 2.0 * self.parameters.calibration_travel_rad / self.slow_rate_rad_s)
            )
        if abs(self._start_rad - self.rest_rad) > tolerance_rad:
            raise CalibrationAborted(
                f'the {self.axis.word} does not return to where it began '
                f'({math.degrees(self._start_rad - self.rest_rad):+.1f} deg off): it does not respond evenly'
            )

    def take_noise(self, times_s: Array, angles_rad: Array) -> None:
        """How much the reported angle scatters at rest is the noise of all that follows.

        Raises:
            CalibrationAborted: when there are too few, or it moves.
        """
        if len(times_s) < 2 * _REST_SAMPLES:
            raise CalibrationAborted(
                f'only {len(times_s)} attitudes came at rest: check the link, and raise `attitude_rate_hz`'
            )
        line = fit_line(times_s, angles_rad)
        self.noise_rad = max(line.residual_rad, _LEAST_NOISE_RAD)
        if abs(line.slope_rad_s) > max(_REST_RATE_RAD_S, _REST_ERRORS * line.slope_error_rad_s):
            raise CalibrationAborted(
                f'the {self.axis.word} moves by {math.degrees(line.slope_rad_s):+.1f} deg/s although nothing was '
                'commanded: keep the vehicle and the gimbal still'
            )
        self._rest_at(line.middle_rad)

    def fault(self, angle_rad: float) -> str:
        """An attitude came with that angle; what is wrong with it, or ''."""
        travel_rad = self.parameters.calibration_travel_rad
        if abs(angle_rad - self._start_rad) > travel_rad:
            return f'the {self.axis.word} left its bounds of {math.degrees(travel_rad):.0f} deg'
        self._stray = 0 if self._is_explained(angle_rad) else self._stray + 1
        if self._stray < IN_A_ROW:
            return ''
        return (
            f'the {self.axis.word} moved in a way that was not commanded: keep the vehicle and the gimbal still, and '
            'let nobody else control it'
        )

    def _is_explained(self, angle_rad: float) -> bool:
        record, rest_ns = self.record, self._rest_ns
        # Before the rest the commands were other ones, but a window that reaches back there asks for no less room.
        since_ns = max(rest_ns, record.last_stamp_ns - _LATEST_ANSWER_NS)
        low, high = record.asked_range_rad(self.axis, rest_ns, since_ns)
        low, high = min(low, 0.0), max(high, 0.0)
        if self._known_sign < 0:
            low, high = -high, -low
        elif self._known_sign == 0:
            high = max(high, -low)
            low = -high
        room = _ROOM_RAD + _ROOM_SHARE * record.path_rad(self.axis, rest_ns)
        return _LARGEST_GAIN * low - room <= angle_rad - self.rest_rad <= _LARGEST_GAIN * high + room

    def _rest_at(self, angle_rad: float) -> None:
        self.rest_rad, self._rest_ns, self._stray = angle_rad, self.record.now.ros_ns, 0

    def _newest_line(self) -> Line | None:
        """Through the attitudes of the rest window, a longer one where few come."""
        times_s, angles_rad = self.record.window(self.axis, self.record.now.ros_ns - nanoseconds(2 * _REST_WINDOW_S))
        inside = max(_REST_SAMPLES, int(np.count_nonzero(times_s >= _REST_WINDOW_S)))
        if len(times_s) < _REST_SAMPLES:
            return None
        return fit_line(times_s[-inside:], angles_rad[-inside:])

    def _would_leave(self, rate_rad_s: float) -> bool:
        """Whether the axis, stopped now, could come to rest outside, if this rate takes effect for a moment."""
        if rate_rad_s == 0.0:
            return False
        record = self.record
        since_ns = record.last_stamp_ns - nanoseconds(self.answer_s)
        pending = record.asked_rad(self.axis, since_ns, record.now.ros_ns)
        pending = (pending + rate_rad_s * _STOP_MARGIN_S) * self._largest_gain
        offset = record.angles_rad[self.axis] - self._start_rad
        if self.sign == 0:
            return abs(offset) + abs(pending) > self.parameters.calibration_travel_rad
        outward = self.sign * rate_rad_s * (offset + self.sign * pending) > 0.0
        return outward and abs(offset + self.sign * pending) > self.parameters.calibration_travel_rad
