# SPDX-License-Identifier: Apache-2.0
"""The camera model of a source that does not know its own: from a calibration file, or from the field of view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.camera_model import CameraModel, lens_of

# Calibration files, as CameraInfo and OpenCV, count the centre of the first pixel as (0, 0); the suite its corner.
_HALF_PIXEL = 0.5


def camera_model(width: int, height: int, calibration_file: str, horizontal_field_deg: float) -> CameraModel:
    """The model at zoom 1 for images of that size; focal length 0, which means uncalibrated, where neither is given.

    Raises:
        ParameterError: naming `calibration_file` when that cannot be used.
    """
    if calibration_file:
        return _scaled(read_calibration(Path(calibration_file).expanduser()), width, height)
    if horizontal_field_deg > 0.0:
        return CameraModel.from_horizontal_field(width, height, math.radians(horizontal_field_deg))
    return CameraModel(width, height, 0.0, 0.0, width / 2, height / 2)


def read_calibration(path: Path) -> CameraModel:
    """A YAML file as ROS's camera_calibration writes it (plumb_bob, rational_polynomial or equidistant).

    Raises:
        ParameterError: when it cannot be read, or is no such file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ParameterError(
            f"Parameter `calibration_file` is '{path}', which cannot be read ({error.strerror}): "
            'name a file that camera_calibration wrote, or leave it empty.'
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _not_a_calibration(path, 'it is not YAML') from error
    try:
        return _model_of(content)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _not_a_calibration(path, f'{type(error).__name__}: {error}') from error


def _model_of(content: Mapping[str, Any]) -> CameraModel:
    matrix = [float(each) for each in content['camera_matrix']['data']]
    coefficients = [float(each) for each in content['distortion_coefficients']['data']]
    try:
        distortion, fisheye = lens_of(content.get('distortion_model', ''), coefficients)
    except ValueError as error:
        raise ValueError(f'it {error}') from error
    model = CameraModel(
        int(content['image_width']),
        int(content['image_height']),
        matrix[0],
        matrix[4],
        matrix[2] + _HALF_PIXEL,
        matrix[5] + _HALF_PIXEL,
        distortion,
        fisheye,
    )
    if not model.usable or model.width <= 0 or model.height <= 0:
        raise ValueError('size and focal lengths must be positive')
    return model


def _scaled(model: CameraModel, width: int, height: int) -> CameraModel:
    """The calibration carried to another resolution of the same picture."""
    across, down = width / model.width, height / model.height
    return replace(
        model,
        width=width,
        height=height,
        focal_x_px=model.focal_x_px * across,
        focal_y_px=model.focal_y_px * down,
        centre_x_px=model.centre_x_px * across,
        centre_y_px=model.centre_y_px * down,
    )


def _not_a_calibration(path: Path, reason: str) -> ParameterError:
    return ParameterError(
        f"Parameter `calibration_file` is '{path}', which holds no camera calibration ({reason}): "
        'name a file that camera_calibration wrote, or leave it empty.'
    )
