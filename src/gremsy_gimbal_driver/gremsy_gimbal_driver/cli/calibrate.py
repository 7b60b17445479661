# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal calibrate`: runs the driver's bounded calibration and writes its file."""

from __future__ import annotations

import argparse
import math
from datetime import datetime, timezone
from pathlib import Path

from gremsy_common.atomic_file import refuse_unwritable
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_gimbal_driver.calibration.calibration_file import refuse_file_of_others, write_calibration
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_result import summary
from gremsy_gimbal_driver.cli.ending import MISUSED, ToolError, confirm
from gremsy_gimbal_driver.cli.move import FASTEST_DEG_S
from gremsy_gimbal_driver.cli.moving_gimbal import driver_parameters, driving, look, settle_mode, wait_for
from gremsy_gimbal_driver.links.link import Link

_RESULT_WAIT_S = 2.0


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
        answer = driver.calibrate()
        if not answer.done:
            raise ToolError(answer.text)
        print(answer.text, flush=True)
        wait_for(lambda: not driver.status().calibration or bool(driver.status().failure), math.inf)
        # The driver forgets the calibration a moment before it reports its end.
        wait_for(lambda: bool(reports.calibrations or reports.faults), _RESULT_WAIT_S)
        if not reports.calibrations:
            raise ToolError(
                driver.status().failure or reports.last or 'The calibration ended without a result: try again.'
            )
    information = present.information
    _, kept = write_calibration(
        path,
        reports.calibrations[-1],
        written_at=datetime.now(timezone.utc),
        model=information.model if information else '',
        firmware=information.version if information else '',
    )
    if kept is not None:
        print(f"The earlier calibration of that name has other values: it is kept as '{kept}'.")
    print(f"{summary(reports.calibrations[-1])}\nWritten to '{path}'.")
