# SPDX-License-Identifier: Apache-2.0
"""The camera node's parameters, and the name of its optical frame where none is set."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from gremsy_camera.lens.camera_lens import LensOptions, ZoomTable
from gremsy_camera.live.live_options import LiveOptions
from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, param
from gremsy_common.parameters.parameter_forms import TextForm

_LIVE = LiveOptions()
_NAME_FIELDS = re.compile(r'\{(robot|camera|time)\}')
# The longest name that a file may have is 255 bytes, and robot, camera, time and number are to fit in too.
_NAME = re.compile(r'(?!\.)[\w \-.+]{0,100}')


@dataclass(frozen=True)
class CameraParameters(NodeParameters):
    """Of `camera_node`."""

    source: str = param(
        '',
        doc='Where the video comes from: `rtsp://${USER}:${PASSWORD}@10.1.2.3/eo`, `http://10.1.2.3/video.mjpg`, '
        '`/dev/video0` (or with options: `/dev/video0?size=1280x720&rate=30`), `gst: PIPELINE`, the path of a video '
        "file or of a folder of pictures, `external` (another driver's `image_raw`) or `external:/usb_cam/image_raw`, "
        '`sim:` (simulated payload, default footage) or `sim:/path/to/video?ring=NAME`. Required; the launch argument '
        '`sim:=true` sets it to `sim:`.',
        example='/dev/video0',
    )
    rate_hz: float = param(
        0.0,
        unit='Hz',
        low=0.0,
        high=240.0,
        doc="Frames per second; 0 keeps the source's own rate (the file's, 30 for `sim:`).",
    )
    at_end: str = param(
        'loop',
        choices=('loop', 'hold', 'stop'),
        doc='What happens at the end of a file: start over, hold the last frame, or stop.',
    )
    frame_id: str = param(
        '',
        doc='Optical frame of the images; empty for `<namespace>_optical_frame`, such as `robot/eo_optical_frame`.',
        form=TextForm.FRAME,
    )
    horizontal_field_deg: float = param(
        0.0,
        unit='deg',
        low=0.0,
        high=179.0,
        doc='Horizontal field of view at zoom 1, for sources that bring no intrinsics; 0 if unknown.',
    )
    calibration_file: str = param(
        '',
        doc='YAML file written by camera_calibration at zoom 1, for sources that bring no intrinsics; empty for none.',
        form=TextForm.PATH,
    )
    calibration_region: tuple[float, ...] = param(
        (),
        unit='px',
        low=0.0,
        doc='x, y, width and height of the part of the calibrated images that the video shows; empty for all of it, '
        'or for its middle where the video has a different aspect ratio (logged).',
    )
    zoom_table: tuple[str, ...] = param(
        (),
        doc="Focal length by zoom, one text per zoom: `'4: 3.87'` means 3.87 times the calibrated focal length at "
        "zoom 4. Distortion coefficients may follow: `'4: 3.87 -0.02 0.1 0 0 0'`. Empty for a focal length "
        'proportional to the zoom.',
    )
    compressed_format: str = param(
        'jpeg',
        choices=('jpeg', 'png'),
        live=True,
        doc='Format of `image_raw/compressed`; `png` is lossless and keeps all 16 bits of infrared, which `jpeg` '
        'shows through a gain, and takes several times as long.',
    )
    jpeg_quality: int = param(
        80,
        low=1,
        high=100,
        live=True,
        doc='Quality of `image_raw/compressed`, which is encoded only while it has subscribers.',
    )

    reader: str = param(
        _LIVE.reader,
        choices=('auto', 'pyav', 'gstreamer', 'opencv'),
        doc='Library that reads a network camera; `auto` takes the first one that this machine has.',
    )
    decoder: str = param(
        _LIVE.decoder,
        choices=('auto', 'hardware', 'software'),
        doc='Decoder of the video; `auto` takes hardware where that works.',
    )
    transport: str = param(
        _LIVE.transport,
        choices=('auto', 'tcp', 'udp'),
        doc='Transport of the RTP packets; `auto` takes TCP, which loses none, and UDP where the camera refuses TCP.',
    )
    via: str = param(
        _LIVE.via,
        choices=('auto', 'camera', 'server'),
        doc='Where the stream is read from; `auto` takes the server at `server_url`, and the camera while that is '
        'unreachable.',
    )
    server_url: str = param(
        _LIVE.server_url,
        doc="The camera's stream at a media server, such as `rtsp://127.0.0.1:8554/eo`; empty for no server.",
    )
    max_delay_ms: float = param(
        _LIVE.max_delay_ms,
        unit='ms',
        low=0.0,
        high=2000.0,
        doc='Longest time that RTP packets over UDP wait for a missing one.',
    )
    stamps: str = param(
        _LIVE.stamps,
        choices=('auto', 'camera', 'arrival', 'sei'),
        doc='Where capture times come from: `auto` takes the best that the camera reports; `camera` does too, and '
        "trusts the camera's clock however far off it is; `arrival` ignores the camera's times; `sei` reads the time "
        'code in the video.',
    )
    transport_delay_ms: float = param(
        _LIVE.transport_delay_ms,
        unit='ms',
        low=0.0,
        high=5000.0,
        doc='Shortest time from capture to arrival, subtracted from the arrival where the camera reports no capture '
        "time or its clock differs from this machine's.",
    )
    stamp_offset_ms: float = param(
        _LIVE.stamp_offset_ms,
        unit='ms',
        low=-5000.0,
        high=5000.0,
        doc='Added to the capture times that the camera reports; `camera_check` measures it.',
    )
    stall_after_s: float = param(
        _LIVE.stall_after_s,
        unit='s',
        low=0.1,
        high=60.0,
        doc='A camera that sends no picture for this long, and for three periods of its rate, is reopened.',
    )
    frozen_after_s: float = param(
        _LIVE.frozen_after_s,
        unit='s',
        low=0.0,
        high=600.0,
        doc='A camera that sends the same picture for this long is considered frozen; 0 for never.',
    )
    secrets_file: str = param(
        _LIVE.secrets_file,
        doc='File of NAME=VALUE lines for `${NAME}` in `source` and `server_url`, in addition to the environment; '
        'empty for none.',
        form=TextForm.PATH,
    )

    @property
    def lens(self) -> LensOptions:
        """Those that concern the lens."""
        return LensOptions(
            self.calibration_file,
            self.horizontal_field_deg,
            self.calibration_region,
            ZoomTable.parse(self.zoom_table),
        )

    record_dir: str = param(
        '~/gremsy_recordings',
        live=True,
        doc='Folder for recordings and snapshots; it is created if only its last part is missing.',
        form=TextForm.PATH,
    )
    record_name: str = param(
        '{robot}_{camera}_{time}',
        live=True,
        doc="File name: `{robot}` and `{camera}` come from the camera's namespace, `{time}` is the UTC time.",
    )
    record_format: str = param(
        'auto',
        choices=('auto', 'mp4', 'mcap', 'both'),
        live=True,
        doc='`mp4` for a video file, `mcap` for a bag of topics, `both`, or `auto` for whatever the installed '
        'packages can write.',
    )
    record_images: str = param(
        'auto',
        choices=('auto', 'jpeg', 'none'),
        live=True,
        doc='Images in the bag: `jpeg` (16-bit infrared as PNG), `none`, or `auto`: 16-bit infrared, and all images '
        'if there is no MP4.',
    )
    record_segment_s: float = param(
        600.0, unit='s', low=0.0, high=86400.0, live=True, doc='A new file begins after this long; 0 for a single file.'
    )
    record_limit_gb: float = param(
        0.0,
        unit='GB',
        low=0.0,
        live=True,
        doc='Most that all recordings in the folder may take together; 0 for no limit.',
    )
    record_keep_free_gb: float = param(
        1.0, unit='GB', low=0.0, live=True, doc='Disk space that recordings leave free; they end before it is used up.'
    )
    record_delete_oldest: bool = param(
        False,
        live=True,
        doc='Delete the oldest recordings, and never anything else, when there is no room left; otherwise recording '
        'ends.',
    )
    record_at_start: bool = param(False, doc='Start recording when the node starts.')
    snapshot_format: str = param(
        'png', choices=('png', 'jpeg'), live=True, doc='Format of `~/snapshot`; 16-bit infrared is always PNG.'
    )

    @property
    def live(self) -> LiveOptions:
        """Those that concern cameras that run by themselves."""
        return LiveOptions(**{field.name: getattr(self, field.name) for field in fields(LiveOptions)})

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
        _ = self.lens


def optical_frame_name(namespace: str) -> str:
    """From the node's namespace: `/robot/eo` -> `robot/eo_optical_frame`; `/` -> `camera_optical_frame`."""
    return f'{namespace.strip("/") or "camera"}_optical_frame'
