# SPDX-License-Identifier: Apache-2.0
"""A calibration file as ROS's camera_calibration writes it (plumb_bob, rational_polynomial or equidistant)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.camera_model import CameraModel


def read_calibration(path: Path) -> CameraModel:
    """The camera of the file, of images of the calibrated size, with its rectification and projection.

    Raises:
        ParameterError: naming `calibration_file` when it cannot be read, or is no such file.
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
    except KeyError as error:
        raise _not_a_calibration(path, f'it has no {error}') from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise _not_a_calibration(path, str(error)) from error


def _model_of(content: Any) -> CameraModel:
    if not isinstance(content, Mapping):
        raise TypeError('it has no keys')
    try:
        model = CameraModel.calibrated(
            int(content['image_width']),
            int(content['image_height']),
            str(content.get('distortion_model') or ''),
            _numbers(content['distortion_coefficients'], 'distortion_coefficients'),
            _numbers(content['camera_matrix'], 'camera_matrix'),
            _numbers(content.get('rectification_matrix'), 'rectification_matrix', 9),
            _numbers(content.get('projection_matrix'), 'projection_matrix', 12),
        )
    except ValueError as error:
        raise ValueError(f'it {error}' if str(error).startswith('has ') else str(error)) from error
    if not model.usable or model.width <= 0 or model.height <= 0:
        raise ValueError('size and focal lengths must be positive')
    return model


def _numbers(matrix: Any, name: str, size: int | None = None) -> list[float]:
    """The data of one matrix; none where the file leaves it out."""
    if matrix is None and size is not None:
        return []
    if not isinstance(matrix, Mapping) or not isinstance(matrix.get('data'), list):
        raise TypeError(f'its {name} has no list of data')
    try:
        found = [float(each) for each in matrix['data']]
    except (TypeError, ValueError) as error:
        raise ValueError(f'its {name} has data that are no numbers') from error
    if not all(map(math.isfinite, found)) or (size is not None and len(found) != size):
        wanted = 'finite numbers' if size is None else f'{size} finite numbers'
        raise ValueError(f'its {name} must be {wanted}')
    return found


def _not_a_calibration(path: Path, reason: str) -> ParameterError:
    return ParameterError(
        f"Parameter `calibration_file` is '{path}', which holds no camera calibration ({reason}): "
        'name a file that camera_calibration wrote, or leave it empty.'
    )
