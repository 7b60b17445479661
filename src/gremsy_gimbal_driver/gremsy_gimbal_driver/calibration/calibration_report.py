# SPDX-License-Identifier: Apache-2.0
"""A calibration in words: one sentence for the operator, one line a measurement for the file."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.calibration.calibration_result import AxisCalibration, CalibrationResult, DeadZone

# Standard errors that a pointing loop does not notice: a tenth of the delay of a fast gimbal, 2 % of a rate.
_GOOD_TIME_S = 0.010
_GOOD_GAIN = 0.02


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
        lines += _axis_lines(axis)
    for point in result.gains:
        lines.append(f'gain at zoom {point.zoom:.3g}: {point.gain:.4f} +- {point.error:.4f}')
    return [*lines, *result.notes]


def _axis_lines(axis: AxisCalibration) -> list[str]:
    fit, word = axis.response, axis.axis.word
    values = (
        f'delay {fit.delay_s:.4f} +- {fit.delay_error_s:.4f} s, lag {fit.lag_s:.4f} +- {fit.lag_error_s:.4f} s, '
        f'gain {fit.gain:+.4f} +- {fit.gain_error:.4f}'
    )
    quality = (
        f'{fit.samples} attitudes of {fit.steps} steps ({fit.late_steps} late), residual '
        f'{math.degrees(fit.residual_rad):.3f} deg, noise {math.degrees(axis.noise_rad):.3f} deg'
    )
    return [f'{word}: {each}' for each in (values, quality, _dead_zone_words(axis.dead_zone))]


def _dead_zone_words(zone: DeadZone) -> str:
    obeyed = f'{math.degrees(zone.obeyed_rad_s):.2f} deg/s was obeyed'
    if zone.ignored_rad_s == 0.0:
        return f'{obeyed}, nothing was ignored'
    return f'{obeyed}, {math.degrees(zone.ignored_rad_s):.2f} deg/s was ignored'
