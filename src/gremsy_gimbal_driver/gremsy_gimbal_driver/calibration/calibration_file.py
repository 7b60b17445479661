# SPDX-License-Identifier: Apache-2.0
"""A calibration as a ROS parameter file: what was measured as the driver's parameters, where it comes from as comments.

ros2 run gremsy_gimbal_driver gimbal_driver_node --ros-args --params-file gimbal_calibration.yaml
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from gremsy_common.atomic_file import keep_earlier, refuse_others, write_whole
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.types.plant_model import PlantModel
from gremsy_gimbal_driver.calibration.calibration_result import (
    CalibrationResult,
    confidence,
    contradiction,
    measurements,
)
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant

_NODE = '/**/gimbal_driver'
_SECTION = 'ros__parameters'
# Only where a camera looked along; where an IMU felt gravity.
_NOT_ALWAYS = ('least_attitude_delay_s', 'imu_axes')


class CalibrationFileError(SuiteError):
    """A calibration file that cannot be written, read or believed; the sentence names the file and the way out."""


@dataclass(frozen=True)
class CalibratedParameters(MeasuredPlant):
    """The driver's parameters that a calibration sets, by their names; None for what it did not find."""

    least_attitude_delay_s: float | None = None
    imu_axes: tuple[str, ...] | None = None

    def values(self) -> dict[str, Any]:
        """By name, without what was not found."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def calibrated_parameters(result: CalibrationResult) -> CalibratedParameters:
    """For the driver, in as many digits as were measured."""
    return CalibratedParameters(
        azimuth_sign=result.azimuth.sign,
        tilt_sign=result.tilt.sign,
        # Up, since a rate just below is one that the gimbal may ignore.
        dead_zone_rad_s=math.ceil(result.dead_zone_rad_s * 1e5) / 1e5,
        rate_gain_zooms=tuple(round(point.zoom, 3) for point in result.gains),
        rate_gains=tuple(round(point.gain, 5) for point in result.gains),
        plant_delay_s=round(result.delay_s, 4),
        plant_lag_s=round(result.lag_s, 4),
        least_attitude_delay_s=result.attitude_delay_s,
        imu_axes=result.imu_axes,
    )


def refuse_file_of_others(path: Path) -> None:
    """Nothing is replaced but a calibration as it was written: one with other parameters in it is a user's own file.

    Raises:
        NotOurs: naming it.
    """
    refuse_others(path, 'calibration as it was written', lambda there: bool(read_calibration(there)))


def write_calibration(
    path: Path, result: CalibrationResult, information: DeviceInformation | None, written_at: datetime | None = None
) -> tuple[CalibratedParameters, Path | None]:
    """Write the file whole or not at all, and only over another calibration.

    Args:
        path: of the file; its folder is made.
        result: of the routine.
        information: of the gimbal, for the comments; None where it reports none.
        written_at: with its time zone; None for now.

    Returns:
        The file's content, and where an earlier one with other values is kept now: it may be the better one.

    Raises:
        CalibrationFileError: when the calibration contradicts itself or is out of the driver's ranges, or the file
            cannot be written.
        NotOurs: when something else is in the way.
    """
    fault = contradiction(result)
    if fault:
        raise CalibrationFileError(f"{fault} '{path}' was not written.")
    parameters = calibrated_parameters(result)
    try:
        from_values(GimbalDriverParameters, parameters.values())
    except ParameterError as error:
        raise CalibrationFileError(
            f"The calibration is out of the driver's ranges, and '{path}' was not written: {error}"
        ) from error
    text = _text(result, parameters, information, written_at or datetime.now(timezone.utc))
    refuse_file_of_others(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = keep_earlier(path) if path.exists() and read_calibration(path) != parameters else None
        write_whole(path, text.encode())
    except OSError as error:
        raise CalibrationFileError(
            f"The calibration could not be written to '{path}' ({error.strerror}): "
            'name a file in a folder that the driver may write to.'
        ) from error
    return parameters, kept


def read_calibration(path: Path) -> CalibratedParameters:
    """The content of such a file.

    Raises:
        CalibrationFileError: when it cannot be read, is not one, or has values that no gimbal can have.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise CalibrationFileError(
            f"The calibration file '{path}' cannot be read ({error.strerror}): calibrate first, or name the file."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _not_one(path, 'it is not YAML') from error
    values = _section(path, content)
    names = [each.name for each in fields(CalibratedParameters)]
    missing = [name for name in names if name not in values and name not in _NOT_ALWAYS]
    unknown = [str(name) for name in values if name not in names]
    if missing:
        raise _not_one(path, f'`{missing[0]}` is missing')
    if unknown:
        raise _not_one(path, f'`{unknown[0]}` is not measured by a calibration')
    try:
        checked = from_values(GimbalDriverParameters, values)
    except ParameterError as error:
        raise _not_one(path, str(error).removesuffix('.')) from error
    return CalibratedParameters(**{name: getattr(checked, name) for name in names if name in values})


def _section(path: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or list(content) != [_NODE]:
        raise _not_one(path, f"it has no '{_NODE}:' or more than that")
    node = content[_NODE]
    if not isinstance(node, dict) or list(node) != [_SECTION] or not isinstance(node[_SECTION], dict):
        raise _not_one(path, f"'{_NODE}:' has no '{_SECTION}:' or more than that")
    return dict(node[_SECTION])


def _not_one(path: Path, why: str) -> CalibrationFileError:
    return CalibrationFileError(f"'{path}' is not a calibration file ({why}): calibrate again to write a new one.")


def _text(
    result: CalibrationResult,
    parameters: CalibratedParameters,
    information: DeviceInformation | None,
    written_at: datetime,
) -> str:
    model, firmware = ('', '') if information is None else (information.model, information.version)
    moment = written_at.astimezone(timezone.utc).strftime('%Y-%m-%d %H:%M:%S UTC')
    comments = [
        f"Measured by gremsy_gimbal_driver's calibration on {moment}.",
        f'Gimbal: {_one_line(model)}, firmware {_one_line(firmware)}.',
        f'Confidence: {confidence(result)}.',
        *measurements(result),
    ]
    # Lists in one line each.
    content = {_NODE: {_SECTION: parameters.values()}}
    text = yaml.safe_dump(content, default_flow_style=None, sort_keys=False, width=math.inf)
    return ''.join(f'# {comment}\n' for comment in comments) + text


def _one_line(name: str) -> str:
    """A device's own name, fit for a comment: a line break in it would become YAML."""
    printable = ''.join(each if each.isprintable() else ' ' for each in name)
    return ' '.join(printable.split()) or 'unknown'


def plant_model(in_force: MeasuredPlant, defaults: MeasuredPlant, calibrated: MeasuredPlant | None) -> PlantModel:
    """The content of `gimbal/plant`: the values in force, and their source.

    Args:
        in_force: what the driver works with.
        defaults: what it would have if nobody set anything.
        calibrated: of the newest calibration, where there is one; values that differ from it were set by hand.
    """
    values = _values(in_force)
    if calibrated is not None and values == _values(calibrated):
        source = 'calibrated'
    else:
        source = 'default' if values == _values(defaults) else 'parameters'
    return PlantModel(*values, source)


def _values(of: MeasuredPlant) -> tuple[float, float, float]:
    return of.plant_delay_s, of.plant_lag_s, of.dead_zone_rad_s
