# SPDX-License-Identifier: Apache-2.0
"""The camera node's parameters, and the name of its optical frame where none is set."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gremsy_camera.lens.camera_lens import LensParameters, ZoomTable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, live_param, param
from gremsy_common.parameters.parameter_forms import TextForm

_NAME_FIELDS = re.compile(r'\{(robot|camera|time)\}')
# The longest name that a file may have is 255 bytes, and robot, camera, time and number are to fit in too.
_NAME = re.compile(r'(?!\.)[\w \-.+]{0,100}')


@dataclass(frozen=True)
class SourceParameters:
    """Where the video comes from."""

    source: str = param(
        '',
        'Where the video comes from: `rtsp://${USER}:${PASSWORD}@10.1.2.3/eo`, `http://10.1.2.3/video.mjpg`, '
        '`/dev/video0` (or with options: `/dev/video0?size=1280x720&rate=30`), `gst: PIPELINE`, the path of a video '
        "file or of a folder of pictures, `external` (another driver's `image_raw`) or `external:/usb_cam/image_raw`, "
        '`sim:` (simulated payload, default footage) or `sim:/path/to/video?ring=NAME`. Required; the launch argument '
        '`sim:=true` sets it to `sim:`.',
        example='/dev/video0',
    )
    rate_hz: float = param(
        0.0, "Frames per second; 0 keeps the source's own rate (the file's, 30 for `sim:`).", Span(0.0, 240.0, 'Hz')
    )
    at_end: str = param(
        'loop',
        'What happens at the end of a file: start over, hold the last frame, or stop.',
        choices=('loop', 'hold', 'stop'),
    )
    frame_id: str = param(
        '',
        'Optical frame of the images; empty for `<namespace>_optical_frame`, such as `robot/eo_optical_frame`.',
        form=TextForm.FRAME,
    )


@dataclass(frozen=True)
class CameraParameters(RecordingParameters, LiveParameters, LensParameters, SourceParameters, NodeParameters):
    """Of `camera_node`."""

    compressed_format: str = live_param(
        'jpeg',
        'Format of `image_raw/compressed`; `png` is lossless and keeps all 16 bits of infrared, which `jpeg` '
        'shows through a gain, and takes several times as long.',
        choices=('jpeg', 'png'),
    )
    jpeg_quality: int = live_param(
        80, 'Quality of `image_raw/compressed`, which is encoded only while it has subscribers.', Span(1, 100)
    )

    def check(self) -> None:
        """Only one place may say what the camera is.

        Raises:
            ParameterError: for the first that cannot be, alone or with another.
        """
        if self.calibration_file and self.horizontal_field_deg > 0.0:
            raise ParameterError(
                'Parameters `calibration_file` and `horizontal_field_deg` both describe the camera: set one of them.'
            )
        if self.calibration_region and not self.calibration_file:
            raise ParameterError('Parameter `calibration_region` needs a calibration: set `calibration_file` too.')
        if self.calibration_region and (len(self.calibration_region) != 4 or not all(self.calibration_region[2:])):
            raise ParameterError(
                f'Parameter `calibration_region` is {list(self.calibration_region)}: give x, y, width and height, px.'
            )
        if not self.record_name or not _NAME.fullmatch(_NAME_FIELDS.sub('', self.record_name)):
            raise ParameterError(
                f"Parameter `record_name` is '{self.record_name}', which names no file: use letters, digits, spaces "
                'and -_.+ with {robot}, {camera} and {time}, and no dot at its beginning.'
            )
        # What cannot be read as a table is refused by its own sentence.
        ZoomTable.parse(self.zoom_table)


def optical_frame_name(namespace: str) -> str:
    """From the node's namespace: `/robot/eo` -> `robot/eo_optical_frame`; `/` -> `camera_optical_frame`."""
    return f'{namespace.strip("/") or "camera"}_optical_frame'
