# SPDX-License-Identifier: Apache-2.0
"""The parameter file of one robot, from what its owner said of link, camera and model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_common.parameters.parameter_fields import from_values
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.links.link_uri import link_from_uri

_HEAD = """\
# What is different on this robot, written by `gremsy init` and yours to change: give it as params_file:=FILE.
# It wins over config/gremsy.yaml, where every parameter stands with its unit, range, default and meaning.
"""
_NO_FIELD = """\
    # How wide the camera sees at zoom 1, in degrees, from its data sheet: without it nothing can be pointed at.
    # horizontal_field_deg: 60.0
"""


@dataclass(frozen=True, slots=True)
class RobotFile:
    """What goes into the file.

    Attributes:
        link: of the gimbal; '' where there is none yet, and the driver has nothing to drive.
        source: of the camera `eo`, its credentials by name.
        field_deg: how wide the camera sees, or None.
        calibration_file: of the camera, or ''.
        measured: further parameters of the camera, as `camera_check` proposes them.
        model: a path, or `default`.
    """

    link: str
    source: str
    field_deg: float | None = None
    calibration_file: str = ''
    measured: Mapping[str, object] = field(default_factory=dict)
    model: str = 'default'

    def camera(self) -> dict[str, object]:
        """Parameters of node `camera`."""
        lens: dict[str, object] = {}
        if self.calibration_file:
            lens['calibration_file'] = self.calibration_file
        elif self.field_deg is not None:
            lens['horizontal_field_deg'] = float(self.field_deg)
        return {'source': self.source, **lens, **self.measured}

    def check(self) -> None:
        """Hold every value against its parameter.

        Raises:
            SuiteError: for the first one that its node would refuse.
        """
        from_values(CameraParameters, self.camera())
        from_values(DetectorParameters, {'model': self.model})
        if self.link:
            from_values(GimbalDriverParameters, {'link': self.link})
            link_from_uri(self.link)

    def text(self) -> str:
        """The file's content."""
        link = _section('/**/gimbal_driver', {'link': self.link}, 'The gimbal.') if self.link else ''
        camera = _section('/**/eo/camera', self.camera(), 'The camera `eo`.')
        no_field = '' if {'horizontal_field_deg', 'calibration_file'} & set(self.camera()) else _NO_FIELD
        detector = _section('/**/detector', {'model': self.model}, "Your YOLO export, or `default` for the suite's.")
        return '\n'.join(filter(None, (_HEAD, link, camera + no_field, detector)))


def field_of(text: str) -> float | None:
    """Degrees out of what somebody typed; None for nothing.

    Raises:
        ValueError: no angle that a lens can have.
    """
    if not text.strip():
        return None
    degrees = float(text.strip().rstrip('°'))
    if not (math.isfinite(degrees) and 0.0 < degrees < 180.0):
        raise ValueError(text)
    return degrees


def _section(node: str, values: Mapping[str, object], comment: str) -> str:
    dumped: str = yaml.safe_dump({node: {'ros__parameters': dict(values)}}, sort_keys=False, allow_unicode=True)
    return f'# {comment}\n{dumped}'
