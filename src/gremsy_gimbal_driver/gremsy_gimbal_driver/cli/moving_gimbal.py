# SPDX-License-Identifier: Apache-2.0
"""The driver as the tool uses it: everything that moves goes through it, so that limits, arm and deadman hold."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gremsy_gimbal_driver.calibration.calibration_file import read_calibration
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.cli.device_view import DeviceView, degrees
from gremsy_gimbal_driver.cli.ending import ToolError
from gremsy_gimbal_driver.cli.session import LinkSession
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import GoalState
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, DeviceInformation, Sender
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

POLL_S = 0.05
_ATTITUDE_WAIT_S = 5.0
_STATUS_WAIT_S = 2.0
_INFORMATION_WAIT_S = 1.2
# The vendor's own test allows five seconds (gimbal.md 1.7); by six the driver has given up and reports why.
_MODE_WAIT_S = 6.0
MODE_WAY_OUT = (
    'let no other program command it; on a payload, check `gremsy_gimbal params get rc_mode`: it obeys in `standard` '
    'only'
)


@dataclass(frozen=True, slots=True)
class Present:
    """The gimbal before this tool moves it."""

    link: str
    gimbal: Sender
    mode: GimbalMode
    azimuth_rad: float
    tilt_rad: float
    information: DeviceInformation | None

    @property
    def where(self) -> str:
        """The angles it is at."""
        return f'azimuth {degrees(self.azimuth_rad)} deg, tilt {degrees(self.tilt_rad)} deg'

    def refuse_off(self) -> None:
        """Raises ToolError where nothing can turn it."""
        if self.mode is GimbalMode.OFF:
            raise ToolError('Nothing moved: the motors are off; switch them on with `gremsy_gimbal mode follow` first.')

    def __str__(self) -> str:
        return f'The gimbal {self.gimbal} on {self.link} is at {self.where}.'


@dataclass(slots=True)
class DriverReports:
    """What the driver reported while it drove, for the sentence of a failure, and the calibrations that it finished."""

    faults: list[str] = field(default_factory=list)
    calibrations: list[CalibrationResult] = field(default_factory=list)

    @property
    def last(self) -> str:
        """The newest fault; empty where there was none."""
        return self.faults[-1] if self.faults else ''


def look(link: Link) -> Present:
    """Find the gimbal and where it looks, without a driver.

    Its mode matters: the driver asserts a mode when it is armed, and going over to LOCK swung a camera to the horizon
    (gimbal.md 1.9), so the driver keeps the present one.

    Raises:
        ToolError: when there is none, or it sends no attitude.
    """
    with LinkSession(link) as opened:
        view = DeviceView(opened)
        gimbal = opened.find_gimbal()
        if not opened.wait(lambda: view.attitude is not None, _ATTITUDE_WAIT_S):
            raise ToolError(
                f'The gimbal {gimbal} on {link.name} sends no attitude, so nothing may move '
                'it: see `gremsy_gimbal info`, and set its stream rate in gTune.'
            )
        # Message 265 has no mode, and may come before the first 285; status bits come once a second.
        opened.wait(lambda: isinstance(view.attitude, AttitudeStatus), _STATUS_WAIT_S)
        if not opened.wait(lambda: view.mode is not None, _STATUS_WAIT_S):
            raise ToolError(
                f'The gimbal {gimbal} on {link.name} does not report its mode, and a driver '
                'that asserted another would turn it: use the driver node with the right `mode`.'
            )
        # Its model and abilities may stay unknown.
        opened.wait(lambda: view.information is not None, _INFORMATION_WAIT_S)
    angles, mode = view.angles_rad, view.mode
    assert angles is not None and mode is not None
    return Present(
        link.name,
        gimbal,
        # HOME is a pulse that ends in the mode before it, which no message holds.
        GimbalMode.FOLLOW if mode is GimbalMode.HOME else mode,
        *angles,
        view.information,
    )


def driver_parameters(
    present: Present, max_rate_deg_s: float, calibration: Path | None, **others: Any
) -> GimbalDriverParameters:
    """The driver's defaults, the gimbal's own mode, what was calibrated, and what else the tool sets.

    The payload is left as it is: the tool turns the gimbal and nothing else.

    Raises:
        SuiteError: for a calibration file that cannot be read.
    """
    return GimbalDriverParameters(
        mode=present.mode.value,
        max_rate_rad_s=math.radians(max_rate_deg_s),
        gimbal_system_id=present.gimbal.system,
        gimbal_component_id=present.gimbal.component,
        claim_control=False,
        zoom_rate_hz=0.0,
        **({} if calibration is None else read_calibration(calibration).values()),
        **others,
    )


@contextmanager
def driving(link: Link, parameters: GimbalDriverParameters) -> Iterator[tuple[GimbalDriver, DriverReports]]:
    """A driver that is armed inside; every way out stops the gimbal and disarms.

    Raises:
        ToolError: when it cannot be armed.
    """
    reports = DriverReports()
    listener = DriverListener(report=reports.faults.append, calibrated=reports.calibrations.append)
    driver = GimbalDriver([link], parameters, listener)
    try:
        driver.open()
        wait_for(lambda: driver.view is not None, _ATTITUDE_WAIT_S)
        result = driver.arm(True)
        if not result.done:
            raise ToolError(reports.last or result.text)
        yield driver, reports
    finally:
        driver.close()


def settle_mode(driver: GimbalDriver) -> None:
    """Wait until the gimbal is in the mode that arming asserts: in another, or on its way home, it turns elsewhere.

    Raises:
        ToolError: when it does not get there.
    """
    if not wait_for(lambda: driver.mode().reported in (None, driver.mode().wanted), _MODE_WAIT_S):
        mode = driver.mode()
        reported = 'none' if mode.reported is None else mode.reported.value
        raise ToolError(
            f'Nothing moved: the gimbal stays in mode {reported}, although {mode.wanted.value} was requested for '
            f'{_MODE_WAIT_S:g} s: {MODE_WAY_OUT}.'
        )


def wait_for(done: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
    return True


def follow_goal(driver: GimbalDriver, reports: DriverReports, result: CommandResult, what: str) -> None:
    """Wait for the goal's end, which its own time-out bounds.

    Raises:
        ToolError: for every end but the goal's being reached.
    """
    if not result.done or result.number is None:
        raise ToolError(f'Nothing moved: {result.text}')
    number = result.number
    while True:
        progress = driver.goal_progress(number)
        status = driver.status()
        if progress is None or status.failure:
            raise ToolError(f'{what} ended: {status.failure or reports.last or "the driver has forgotten it"}')
        if progress.ended:
            break
        time.sleep(POLL_S)
    if progress.state is not GoalState.REACHED:
        others = [each for each in reports.faults if each != progress.reason]
        raise ToolError(f'{what} ended ({progress.state.value}): {" ".join([progress.reason, *others[-1:]])}')
