# SPDX-License-Identifier: Apache-2.0
"""The measurements of one axis, in the order in which each makes the next one safe: sign, step response, dead zone."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.calibration.axis_probe import AxisProbe, CalibrationAborted, Program
from gremsy_gimbal_driver.calibration.calibration_fit import FitError, ResponseFit, fit_response
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis
from gremsy_gimbal_driver.calibration.calibration_result import AxisCalibration, DeadZone
from gremsy_gimbal_driver.motion.motion_writer import REPEAT_INTERVAL_S

# The first probe asks half the rate for 0.6 s: 2.4 deg at most before its sign is known.
_PROBES = ((0.5, 0.6), (1.0, 0.6), (1.0, 1.0))
_VISIBLE_RAD = math.radians(0.1)
_VISIBLE_ERRORS = 6.0
_TRIES = 2
_LIKE = 4.0  # forth and back are one motion when neither is so many times the other: commands get lost

# The way of a step pattern, one side; 5.6 of 12 deg, the rest is for late answers.
_SWING = 0.47
_SHORTEST_HOLD_S, _LONGEST_HOLD_S = 0.3, 1.0
_REST_BEFORE_S = 0.4

_DEAD_ZONE_STEP_RAD_S = math.radians(0.15)
_DEAD_ZONE_ERRORS = 12.0
_LEAST_SHIFT_RAD = math.radians(0.12)
# A link that loses six commands in ten leaves less than a fifth of this way once in 5000 probes.
_LEAST_PROBE_S, _LONGEST_PROBE_S = 0.8, 2.5
_LEAST_SHARE = 0.2


def find_sign(probe: AxisProbe) -> Program[None]:
    """Forth and back, faster each time until it moves: the sign, a rough gain, and a rate that moves it."""
    rate = probe.parameters.calibration_rate_rad_s
    visible_rad = max(_VISIBLE_RAD, _VISIBLE_ERRORS * probe.mean_error_rad)
    unlike: list[tuple[float, float]] = []
    for share, seconds in _PROBES:
        for _ in range(_TRIES):
            forth, asked = yield from probe.shift(share * rate, seconds)
            if abs(forth) < visible_rad:
                break
            # Taken for the sign on the way back, or a probe that went far could not be turned round.
            probe.sign = 1 if forth > 0 else -1
            back, asked_back = yield from probe.shift(-share * rate, seconds)
            if forth * back < 0.0 and max(abs(forth), abs(back)) < _LIKE * min(abs(forth), abs(back)):
                gain = max(abs(forth / asked), abs(back / asked_back))
                probe.learn_sign(probe.sign, gain, share * rate)
                return
            probe.sign = 0
            unlike.append((forth, back))
            if forth * back > 0.0 and abs(back) >= visible_rad:
                raise _unlike(probe.axis, forth, back)
    if unlike:
        raise _unlike(probe.axis, *unlike[-1])
    raise CalibrationAborted(
        f'the {probe.axis.word} does not move at commands of up to {math.degrees(rate):.0f} deg/s: check that the '
        'motors are on and the payload is in RC_MODE 1 (standard), zoom out, or allow a larger rate and travel'
    )


def _unlike(axis: Axis, forth_rad: float, back_rad: float) -> CalibrationAborted:
    return CalibrationAborted(
        f'the {axis.word} went {math.degrees(forth_rad):+.1f} deg on a command and {math.degrees(back_rad):+.1f} deg '
        'on its opposite: keep the vehicle still, and let nobody else control the gimbal'
    )


def measure_response(probe: AxisProbe) -> Program[ResponseFit]:
    """Two patterns of six steps, at two rates; one fit explains them all."""
    rate = probe.parameters.calibration_rate_rad_s
    hold_s = min(max(_SWING * probe.parameters.calibration_travel_rad / rate, _SHORTEST_HOLD_S), _LONGEST_HOLD_S)
    records = []
    for level in (rate, probe.slow_rate_rad_s):
        yield from probe.go_back()
        begin_ns = probe.record.now.ros_ns
        yield from probe.wait(_REST_BEFORE_S)
        yield from probe.hold(level, hold_s)
        yield from probe.wait(hold_s)
        yield from probe.hold(-level, 2.0 * hold_s)
        yield from probe.wait(hold_s)
        yield from probe.hold(level, hold_s)
        yield from probe.settle()
        records.append(probe.record.steps_since(probe.axis, begin_ns))
    try:
        response = fit_response(records, REPEAT_INTERVAL_S)
    except FitError as error:
        raise CalibrationAborted(
            f'the steps of the {probe.axis.word} cannot be evaluated ({error}): check the link'
        ) from error
    if response.gain * probe.sign <= 0.0:
        raise CalibrationAborted(
            f'the {probe.axis.word} moved to the other side in its steps than in its sign probe: let nobody else '
            'control the gimbal'
        )
    probe.learn_response(response)
    return response


def measure_dead_zone(probe: AxisProbe) -> Program[DeadZone]:
    """Halve the range between a rate that is ignored and one that is obeyed, from the rate of the sign probe down.

    Each rate is held until the way that it must then cause stands out of the noise; smaller ones than that allows
    cannot be distinguished from rest and are not tried.
    """
    ignored, obeyed = 0.0, probe.slow_rate_rad_s
    side = 1.0
    visible_rad = max(_LEAST_SHIFT_RAD, _DEAD_ZONE_ERRORS * probe.mean_error_rad)
    while obeyed - ignored > _DEAD_ZONE_STEP_RAD_S:
        rate = 0.5 * (ignored + obeyed)
        seconds = visible_rad / (rate * probe.gain)
        if seconds > _LONGEST_PROBE_S:
            break
        moved, asked = yield from probe.shift(side * rate, max(seconds, _LEAST_PROBE_S))
        way_rad = abs(asked) * probe.gain
        if probe.sign * side * moved > max(0.5 * visible_rad, _LEAST_SHARE * way_rad):
            obeyed = rate
        else:
            ignored = rate
        side = -side
    return DeadZone(ignored, obeyed)


def measure_axis(probe: AxisProbe) -> Program[AxisCalibration]:
    """Everything of one axis; it ends where it began."""
    yield from probe.settle()
    yield from find_sign(probe)
    response = yield from measure_response(probe)
    yield from probe.go_back()
    dead_zone = yield from measure_dead_zone(probe)
    yield from probe.go_back()
    return AxisCalibration(probe.axis, probe.noise_rad, response, dead_zone)
