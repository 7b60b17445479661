# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal move`, `mode` and `calibrate`: bounded, confirmed, and stopped on every way out."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gremsy_common.atomic_file import refuse_unwritable
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.calibration.calibration_file import refuse_file_of_others, write_calibration
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_result import summary
from gremsy_gimbal_driver.cli.ending import MISUSED, ToolError, confirm
from gremsy_gimbal_driver.cli.moving_gimbal import (
    MODE_WAY_OUT,
    POLL_S,
    DriverReports,
    driver_parameters,
    driving,
    follow_goal,
    look,
    settle_mode,
    wait_for,
)
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.mavlink.gimbal_protocol import lacking_modes
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.limits import AXES
from gremsy_gimbal_driver.motion.mode_machine import ModeState
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, no_such_mode

LONGEST_S = 60.0
FASTEST_DEG_S = 60.0
_MODE_WAIT_S = 8.0  # the vendor's own test allows five seconds (gimbal.md 1.7)
# An axis that was asked to turn has not turned when it went less than this share of the way, or than this; a way that
# is shorter than twice the latter proves nothing. Attitudes are good to 0.02 degrees (gimbal.md 6).
_MOVED_SHARE, _MOVED_RAD = 0.1, math.radians(0.1)
# The slowest gimbal answers after 250 ms (gimbal.md 1.9).
_ANSWER_WAIT_S = 0.8
_RESULT_WAIT_S = 2.0
_EFFECTS = {
    GimbalMode.OFF: 'Switch the motors off (the camera hangs)?',
    GimbalMode.HOME: 'Turn it straight ahead?',
    GimbalMode.MAPPING: 'Turn it straight down?',
    GimbalMode.LOCK: 'Hold its azimuth against the earth (it may turn)?',
    GimbalMode.FOLLOW: 'Let its azimuth follow the vehicle (it may turn)?',
}


def _faults(given: argparse.Namespace) -> Iterator[str]:
    """What cannot be meant."""
    if (given.azimuth is not None or given.tilt is not None) == (given.rate is not None):
        yield 'give either --azimuth and --tilt, or --rate with --for'
    if given.rate is None and given.duration is not None:
        yield '--for belongs to --rate; an angle ends by itself'
    numbers = [given.azimuth, given.tilt, given.duration, given.timeout, given.max_rate, *(given.rate or ())]
    if not all(math.isfinite(number) for number in numbers if number is not None):
        yield 'every number must be finite'
    if given.rate is not None and given.duration is None:
        yield '--rate needs --for SECONDS, so that it ends'
    for name, seconds in (('--for', given.duration), ('--timeout', given.timeout)):
        if seconds is not None and not 0.0 < seconds <= LONGEST_S:
            yield f'{name} is {seconds:g} s, use more than 0 and at most {LONGEST_S:g}'
    if not 0.0 < given.max_rate <= FASTEST_DEG_S:
        yield f'--max-rate is {given.max_rate:g} deg/s, use more than 0 and at most {FASTEST_DEG_S:g}'
    if given.rate is not None and any(abs(rate) > given.max_rate for rate in given.rate):
        yield (
            f'--rate is beyond --max-rate ({given.max_rate:g} deg/s); give a smaller one, or raise that to at most '
            f'{FASTEST_DEG_S:g}'
        )


def move(link: Link, given: argparse.Namespace) -> None:
    """Look, ask, turn, and report where it ended.

    Raises:
        ToolError: when it failed.
    """
    for fault in _faults(given):
        raise ToolError(f'Nothing moved: {fault}.', MISUSED)
    present = look(link)
    present.refuse_off()
    parameters = driver_parameters(present, given.max_rate, given.calibration)
    confirm(f'{present} Turn it {_request(given)}?', 'move', given.yes)
    with driving(link, parameters) as (driver, reports):
        settle_mode(driver)
        if given.rate is not None:
            _by_rate(driver, reports, parameters, given)
        else:
            azimuth, tilt = (None if angle is None else math.radians(angle) for angle in (given.azimuth, given.tilt))
            goal = AngleGoal(azimuth, tilt, given.timeout)
            follow_goal(driver, reports, driver.go_to(Source.OPERATOR, goal), 'The move')
    print(f'Done: {look(link).where}; stopped and disarmed.')


def set_mode(link: Link, given: argparse.Namespace) -> None:
    """Look, ask, change the mode, and wait until the gimbal reports it; `home` is a turn to straight ahead.

    Raises:
        ToolError: when it failed.
    """
    mode = GimbalMode(given.mode)
    present = look(link)
    lacks = no_such_mode(mode, lacking_modes(present.information) - {GimbalMode.HOME})
    if lacks:
        raise ToolError(f'The mode was not changed: {lacks}')
    if mode is GimbalMode.HOME:
        present.refuse_off()
    parameters = driver_parameters(present, given.max_rate, given.calibration)
    confirm(f'{present} Its mode is {present.mode.value}. {_EFFECTS[mode]}', mode.value, given.yes)
    with driving(link, parameters) as (driver, reports):
        if mode is GimbalMode.HOME:
            settle_mode(driver)
            follow_goal(driver, reports, driver.home(), 'Home')
            print('Done: the camera looks straight ahead; stopped and disarmed.')
            return
        result = driver.set_mode(Source.OPERATOR, mode)
        if not result.done:
            raise ToolError(f'The mode was not changed: {result.text}')
        if not wait_for(lambda: _is_in(driver, mode), _MODE_WAIT_S):
            reason = driver.status().mode.reason
            raise ToolError(
                f'The gimbal is not in mode {mode.value} after {_MODE_WAIT_S:g} s'
                f'{f" ({reason})" if reason else ""}: {MODE_WAY_OUT}.'
            )
    print(f'Done: the gimbal is in mode {mode.value}; disarmed.')


def calibrate(link: Link, given: argparse.Namespace) -> None:
    """Look, ask, measure, write.

    Raises:
        SuiteError: when it failed.
    """
    try:
        bounds = {'calibration_travel_rad': math.radians(given.travel), 'calibration_zooms': tuple(given.zooms)}
        from_values(CalibrationParameters, bounds)
    except ParameterError as error:
        raise ToolError(str(error), MISUSED) from error
    path: Path = given.output
    refuse_file_of_others(path)
    refuse_unwritable(path)
    present = look(link)
    present.refuse_off()
    parameters = driver_parameters(present, FASTEST_DEG_S, None, **bounds)
    confirm(
        f'{present} Calibrating turns it by up to {given.travel:g} deg either way on each axis, for a minute or more; '
        'keep the vehicle still.',
        'calibrate',
        given.yes,
    )
    with driving(link, parameters) as (driver, reports):
        settle_mode(driver)
        result = driver.calibrate()
        if not result.done:
            raise ToolError(result.text)
        print(result.text, flush=True)
        wait_for(lambda: not driver.status().calibration or bool(driver.status().failure), math.inf)
        # The driver forgets the calibration a moment before it reports its end.
        wait_for(lambda: bool(reports.calibrations or reports.faults), _RESULT_WAIT_S)
        if not reports.calibrations:
            raise ToolError(
                driver.status().failure or reports.last or 'The calibration ended without a result: try again.'
            )
    _, kept = write_calibration(path, reports.calibrations[-1], present.information)
    if kept is not None:
        print(f"The earlier calibration of that name has other values: it is kept as '{kept}'.")
    print(f"{summary(reports.calibrations[-1])}\nWritten to '{path}'.")


def _by_rate(
    driver: GimbalDriver, reports: DriverReports, parameters: GimbalDriverParameters, given: argparse.Namespace
) -> None:
    azimuth, tilt = map(math.radians, given.rate)
    way = [0.0, 0.0]
    start = _angles(driver)

    def look_how_far() -> bool:
        now = _angles(driver)
        way[:] = (max(far, abs(there - here)) for far, there, here in zip(way, now, start, strict=True))
        return not _unmoved(given, way)

    newest, newest_s = driver.view, time.monotonic()
    end = newest_s + given.duration
    while time.monotonic() < end:
        if driver.view is not newest:
            newest, newest_s = driver.view, time.monotonic()
        elif time.monotonic() - newest_s > parameters.attitude_timeout_s:
            # The driver has stopped, and would go on when it comes back: nobody who watches waits for that.
            raise ToolError(
                f'The move ended: no attitude came from the gimbal for {parameters.attitude_timeout_s:g} s; check its '
                'link and power.'
            )
        taken = driver.offer(Source.OPERATOR, RateSetpoint(time.time_ns(), parameters.level_frame, azimuth, tilt))
        failure = driver.status().failure
        if not taken or failure:
            raise ToolError(f'The move ended: {failure or reports.last or "the driver did not take the rate"}')
        look_how_far()
        time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))
    if not wait_for(look_how_far, _ANSWER_WAIT_S):
        axes = ' and the '.join(_unmoved(given, way))
        raise ToolError(
            f'The {axes} did not move, although the gimbal was commanded to turn {_request(given)}: '
            f'{reports.last or _UNMOVED_REASONS}'
        )


_UNMOVED_REASONS = (
    'such a rate may be within its dead zone (2 deg/s on some: try a faster one), it may be at its limit, or something '
    'holds it.'
)


def _angles(driver: GimbalDriver) -> tuple[float, float]:
    view = driver.view
    assert view is not None  # nothing is armed without an attitude
    return view.measured.yaw_rad, view.measured.pitch_rad


def _unmoved(given: argparse.Namespace, way_rad: Sequence[float]) -> list[str]:
    """The axes that should have turned and did not."""
    wanted = [abs(math.radians(rate)) * given.duration for rate in given.rate]
    return [
        axis
        for axis, far, should in zip(AXES, way_rad, wanted, strict=True)
        if should >= 2 * _MOVED_RAD and far < max(_MOVED_SHARE * should, _MOVED_RAD)
    ]


def _is_in(driver: GimbalDriver, mode: GimbalMode) -> bool:
    status = driver.status().mode
    return status.wanted is mode and status.state is ModeState.CONFIRMED


def _request(given: argparse.Namespace) -> str:
    if given.rate is not None:
        azimuth, tilt = given.rate
        return f'at {azimuth:g} deg/s of azimuth and {tilt:g} deg/s of tilt for {given.duration:g} s'
    angles = (('azimuth', given.azimuth), ('tilt', given.tilt))
    return 'to ' + ', '.join(f'{name} {angle:g} deg' for name, angle in angles if angle is not None)
