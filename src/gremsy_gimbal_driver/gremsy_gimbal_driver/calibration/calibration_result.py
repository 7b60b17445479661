# SPDX-License-Identifier: Apache-2.0
"""What a calibration found out, whether it contradicts itself, and the same in words: for the operator and the file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_gimbal_driver.calibration.calibration_fit import ResponseFit
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis

# What two measurements of one thing may differ by before the calibration is refused: a gimbal's axes have one
# controller, and the driver has one delay, one gain and one dead zone for both.
_LATENCY_DIFFERENCE_S = 0.10
_GAIN_RATIO = 1.25
_DEAD_ZONE_DIFFERENCE_RAD_S = math.radians(1.5)
# Delay, lag and gain must explain the angles of the steps to this or to the noise; a gimbal that does something else
# with a rate (a slew of its own, a rate that expires) leaves more.
_RESIDUAL_RAD = math.radians(0.25)
_RESIDUAL_NOISES = 4.0
_LARGEST_GAIN = 3.0
_RELATIVE_ERROR = 0.10
_LONGEST_S = 2.0
_TIME_ERROR_S = 0.030
# Standard errors that a pointing loop does not notice: a tenth of the delay of a fast gimbal, 2 % of a rate.
_GOOD_TIME_S = 0.010
_GOOD_GAIN = 0.02


@dataclass(frozen=True, slots=True)
class DeadZone:
    """The gimbal ignored `ignored_rad_s` (0: nothing was ignored) and obeyed `obeyed_rad_s`."""

    ignored_rad_s: float
    obeyed_rad_s: float

    @property
    def rate_rad_s(self) -> float:
        """The smallest rate that is sure to move it; 0 where none was ignored."""
        return self.obeyed_rad_s if self.ignored_rad_s > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class AxisCalibration:
    """One axis; the gain of `response` carries the sign."""

    axis: Axis
    noise_rad: float
    response: ResponseFit
    dead_zone: DeadZone

    @property
    def sign(self) -> int:
        """-1 where a positive command turns it the other way."""
        return 1 if self.response.gain > 0 else -1


@dataclass(frozen=True, slots=True)
class GainPoint:
    """Achieved over commanded rate at a magnification, with its standard error."""

    zoom: float
    gain: float
    error: float


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """Both axes, the gain against the zoom (ascending), and what the user should know.

    `attitude_delay_s` is the smallest time from an attitude's measurement to its arrival, where pictures showed it, and
    `imu_axes` where x, y and z of the IMU point, where gravity did.
    """

    azimuth: AxisCalibration
    tilt: AxisCalibration
    gains: tuple[GainPoint, ...]
    notes: tuple[str, ...] = ()
    attitude_delay_s: float | None = None
    imu_axes: tuple[str, ...] | None = None

    @property
    def axes(self) -> tuple[AxisCalibration, AxisCalibration]:
        """Azimuth, tilt."""
        return self.azimuth, self.tilt

    def less_attitude_age(self, stamped_with_s: float, age: AttitudeAge) -> CalibrationResult:
        """The same where the attitudes that it was measured by were stamped too late by that: so is each delay.

        Args:
            stamped_with_s: `least_attitude_delay_s` of the measurement.
            age: by the pictures that were taken in the meantime.
        """
        late_s = max(age.late_s, -stamped_with_s)
        azimuth, tilt = (
            replace(axis, response=replace(axis.response, delay_s=axis.response.delay_s - late_s)) for axis in self.axes
        )
        note = (
            f'telemetry is {(stamped_with_s + late_s) * 1e3:.0f} ms old on arrival: stamped {late_s * 1e3:.1f} +- '
            f'{age.std_s * 1e3:.1f} ms late by {age.pictures} pairs of pictures, which was taken off the delays'
        )
        delay_s = round(stamped_with_s + late_s, 4)
        return replace(self, azimuth=azimuth, tilt=tilt, notes=(*self.notes, note), attitude_delay_s=delay_s)

    @property
    def dead_zone_rad_s(self) -> float:
        """The larger of both: the inverse must bring either axis out of it."""
        return max(each.dead_zone.rate_rad_s for each in self.axes)

    @property
    def delay_s(self) -> float:
        """Of both axes together, weighted by their standard errors."""
        return max(0.0, weighted_mean([(each.response.delay_s, each.response.delay_error_s) for each in self.axes])[0])

    @property
    def lag_s(self) -> float:
        """Of both axes together, weighted by their standard errors."""
        return weighted_mean([(each.response.lag_s, each.response.lag_error_s) for each in self.axes])[0]


def weighted_mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean and standard error of (value, standard error), each weighted by the inverse of its variance."""
    # A fit without noise has no error: what it then weighs is its share, not everything.
    weights = [1.0 / max(error, 1e-6) ** 2 for _, error in pairs]
    total = sum(weights)
    return sum(value * weight for (value, _), weight in zip(pairs, weights, strict=True)) / total, total**-0.5


def contradiction(result: CalibrationResult) -> str:
    """Why this calibration must not be used, as a sentence; '' where it agrees with itself."""
    faults = chain(*map(_axis_faults, result.axes), _differences_of_axes(result), _gain_faults(result.gains))
    fault = next(faults, '')
    return f'The calibration is refused: {fault}.' if fault else ''


def _axis_faults(axis: AxisCalibration) -> Iterator[str]:
    response, name = axis.response, axis.axis.word
    largest = max(_RESIDUAL_RAD, _RESIDUAL_NOISES * axis.noise_rad)
    values = (response.gain, response.delay_s, response.lag_s, response.residual_rad, axis.dead_zone.obeyed_rad_s)
    if not all(map(math.isfinite, values)):
        yield f'a value of the {name} is not a number; calibrate again'
    if response.residual_rad > largest:
        yield (
            f'delay, lag and gain leave {math.degrees(response.residual_rad):.2f} deg of the {name} unexplained '
            f'(allowed: {math.degrees(largest):.2f}); keep the vehicle still and calibrate again'
        )
    if not 0.0 < abs(response.gain) <= _LARGEST_GAIN or response.gain_error > _RELATIVE_ERROR * abs(response.gain):
        yield (
            f'the {name} turns at {abs(response.gain):.3g} +- {response.gain_error:.2g} times the commanded rate, '
            'which is no usable gain; calibrate again, at the widest zoom'
        )
    error_s = max(response.delay_error_s, response.lag_error_s)
    if error_s > _TIME_ERROR_S:
        yield (
            f'delay and lag of the {name} are known to {error_s:.3f} s only (allowed: {_TIME_ERROR_S:.3f}); calibrate '
            'again, at the widest zoom and with more attitudes a second'
        )
    latency_s = response.delay_s + response.lag_s
    if response.delay_s < -0.02 or not 0.0 < response.lag_s <= _LONGEST_S or latency_s > _LONGEST_S:
        yield (
            f'the {name} has a delay of {response.delay_s:.3f} s and a lag of {response.lag_s:.3f} s, which no gimbal '
            'has; check `least_attitude_delay_s`, close what keeps this machine busy, and calibrate again'
        )
    if axis.dead_zone.ignored_rad_s >= axis.dead_zone.obeyed_rad_s:
        yield (
            f'the {name} ignored {math.degrees(axis.dead_zone.ignored_rad_s):.2f} deg/s and obeyed '
            f'{math.degrees(axis.dead_zone.obeyed_rad_s):.2f} deg/s; calibrate again'
        )


def _differences_of_axes(result: CalibrationResult) -> Iterator[str]:
    latencies = [axis.response.delay_s + axis.response.lag_s for axis in result.axes]
    if abs(latencies[0] - latencies[1]) > _LATENCY_DIFFERENCE_S:
        yield (
            f'azimuth and tilt answer after {latencies[0]:.3f} and {latencies[1]:.3f} s, and the tracker has one time '
            'for both; check the link and calibrate again'
        )
    gains = [abs(axis.response.gain) for axis in result.axes]
    if max(gains) > _GAIN_RATIO * min(gains):
        yield (
            f'azimuth and tilt turn at {gains[0]:.3g} and {gains[1]:.3g} times the commanded rate, and the driver has '
            'one gain for both; check that both axes move freely and calibrate again'
        )
    zones = [axis.dead_zone.rate_rad_s for axis in result.axes]
    if abs(zones[0] - zones[1]) > _DEAD_ZONE_DIFFERENCE_RAD_S:
        yield (
            f'the dead zones of azimuth and tilt are {math.degrees(zones[0]):.2f} and {math.degrees(zones[1]):.2f} '
            'deg/s, and the driver has one for both; check that both axes move freely and calibrate again'
        )


def _gain_faults(gains: Sequence[GainPoint]) -> Iterator[str]:
    if not gains:
        yield 'it has no rate gain; calibrate again'
    for point in gains:
        if not 0.0 < point.gain <= _LARGEST_GAIN or point.error > _RELATIVE_ERROR * point.gain:
            yield (
                f'the gain at zoom {point.zoom:.3g} is {point.gain:.3g} +- {point.error:.2g}, which is no usable '
                'value; calibrate again with smaller zooms'
            )
    if any(after.zoom <= before.zoom for before, after in pairwise(gains)):
        yield 'its zooms do not ascend; calibrate again'
    # Payloads scale rates down with the zoom (gimbal.md 1.9); a rise is the zoom running the other way.
    for before, after in pairwise(gains):
        if after.gain > _GAIN_RATIO * before.gain:
            yield (
                f'the gain rises from {before.gain:.3g} at zoom {before.zoom:.3g} to {after.gain:.3g} at zoom '
                f'{after.zoom:.3g}; check that the reported zoom is the true one'
            )


def summary(result: CalibrationResult) -> str:
    """One sentence with all the values."""
    azimuth, tilt = result.axes
    gains = ', '.join(f'{point.gain:.3g} at zoom {point.zoom:.3g}' for point in result.gains)
    notes = ''.join(f' {note}' for note in result.notes)
    return (
        f'Calibrated: signs {azimuth.sign:+d} (azimuth) and {tilt.sign:+d} (tilt), dead zone '
        f'{math.degrees(result.dead_zone_rad_s):.2f} deg/s, delay {result.delay_s:.3f} s, lag {result.lag_s:.3f} s, '
        f'gain {gains}.{notes}'
    )


def confidence(result: CalibrationResult) -> str:
    """`high` or `fair`, with the reason."""
    reasons = []
    for axis in result.axes:
        response = axis.response
        error_s = max(response.delay_error_s, response.lag_error_s)
        if error_s > _GOOD_TIME_S:
            reasons.append(f'{axis.axis.word} times are known to {error_s * 1e3:.0f} ms only')
        if response.late_steps > response.steps // 4:
            reasons.append(
                f'the link lost commands in {response.late_steps} of {response.steps} {axis.axis.word} steps'
            )
    for point in result.gains:
        if point.error > _GOOD_GAIN * point.gain:
            reasons.append(f'the gain at zoom {point.zoom:.3g} is known to {100 * point.error / point.gain:.0f} % only')
    return f'fair ({"; ".join(reasons)})' if reasons else 'high'


def measurements(result: CalibrationResult) -> list[str]:
    """One line an axis and one a zoom, with standard errors."""
    lines = []
    for axis in result.axes:
        fit, zone, word = axis.response, axis.dead_zone, axis.axis.word
        lines.append(
            f'{word}: delay {fit.delay_s:.4f} +- {fit.delay_error_s:.4f} s, lag {fit.lag_s:.4f} +- '
            f'{fit.lag_error_s:.4f} s, gain {fit.gain:+.4f} +- {fit.gain_error:.4f}'
        )
        lines.append(
            f'{word}: {fit.samples} attitudes of {fit.steps} steps ({fit.late_steps} late), residual '
            f'{math.degrees(fit.residual_rad):.3f} deg, noise {math.degrees(axis.noise_rad):.3f} deg'
        )
        ignored = f'{math.degrees(zone.ignored_rad_s):.2f} deg/s was' if zone.ignored_rad_s else 'nothing was'
        lines.append(f'{word}: {math.degrees(zone.obeyed_rad_s):.2f} deg/s was obeyed, {ignored} ignored')
    lines += [f'gain at zoom {point.zoom:.3g}: {point.gain:.4f} +- {point.error:.4f}' for point in result.gains]
    return [*lines, *result.notes]
