# SPDX-License-Identifier: Apache-2.0
"""The camera node's parameters, and the name of its optical frame where none is set."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class CameraParameters(NodeParameters):
    """Of `camera_node`."""

    source: str = param(
        'sim:',
        doc='Where the video comes from: the path of a file, `file:///path`, `sim:` (simulated payload, default '
        'footage) or `sim:/path/to/video?ring=NAME`.',
    )
    rate_hz: float = param(
        0.0,
        unit='Hz',
        low=0.0,
        high=240.0,
        doc="Frames per second; 0 takes the source's own (a file's, 30 for `sim:`).",
    )
    at_end: str = param(
        'loop',
        choices=('loop', 'hold', 'stop'),
        doc='What a file does at its end: start again, hold its last frame, stop.',
    )
    frame_id: str = param(
        '',
        doc='Optical frame of the images; empty takes `<namespace>_optical_frame`, as `robot/eo_optical_frame`.',
        form=TextForm.FRAME,
    )
    horizontal_field_deg: float = param(
        0.0,
        unit='deg',
        low=0.0,
        high=179.0,
        doc='Horizontal field of view at zoom 1 of a source that does not know its camera; 0 for unknown.',
    )
    calibration_file: str = param(
        '',
        doc='YAML of camera_calibration, at zoom 1, of a source that does not know its camera; empty for none.',
        form=TextForm.PATH,
    )
    jpeg_quality: int = param(
        80, low=1, high=100, live=True, doc='Of `image_raw/compressed`, which is made only while somebody listens.'
    )

    def check(self) -> None:
        """Only one place may say what the camera is."""
        if self.calibration_file and self.horizontal_field_deg > 0.0:
            raise ParameterError(
                'Parameters `calibration_file` and `horizontal_field_deg` both describe the camera: set one of them.'
            )


def optical_frame_name(namespace: str) -> str:
    """From the node's namespace: `/robot/eo` -> `robot/eo_optical_frame`; `/` -> `camera_optical_frame`."""
    return f'{namespace.strip("/") or "camera"}_optical_frame'
