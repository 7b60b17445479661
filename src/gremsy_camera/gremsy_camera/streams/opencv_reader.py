# SPDX-License-Identifier: Apache-2.0
"""Reads an RTSP camera through OpenCV's own FFmpeg: the last resort, as every machine of the suite has it.

It reports no capture time, hands over no packets, waits inside the library for as long as a picture takes, and
scales a stream that changes its size to the first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import quiet_opencv
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import LivePicture, LiveReader
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.rtsp_session import RtspSession, by_first_transport, video_track
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.installing import pip_install

_OPTIONS = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
_OPEN_WITHIN_MS = 5000
_LEAST_READ_MS = 1000
_MS_PER_S = 1000
_US_PER_MS = 1000
# FFmpeg looks at half a second of a stream by default 5 s before it hands anything over.
_ANALYSE_US = 500_000
_CODECS = {'h264': 'H.264', 'avc1': 'H.264', 'hevc': 'H.265', 'hev1': 'H.265', 'mjpg': 'MJPEG', 'jpeg': 'MJPEG'}
_HARDWARE = {
    cv2.VIDEO_ACCELERATION_VAAPI: 'VA-API',
    cv2.VIDEO_ACCELERATION_D3D11: 'D3D11',
    cv2.VIDEO_ACCELERATION_MFX: 'Intel MFX',
}


def why_not(options: LiveParameters) -> str | None:
    """In one sentence with the way out why this reader cannot be used here; None where it can."""
    if cv2.CAP_FFMPEG not in cv2.videoio_registry.getStreamBackends():
        return f'OpenCV {cv2.__version__} was built without FFmpeg: {pip_install("opencv-python-headless")}'
    if options.stamps == 'sei':
        return "OpenCV's FFmpeg does not pass on time codes: set `stamps` to auto, or `reader` to pyav."
    return None


class OpenCvReader(LiveReader):
    """See LiveReader. `read` waits for the next picture, or for `stall_after_s`, however short its timeout.

    OpenCV reports no losses.
    """

    def __init__(self, address: StreamAddress, context: SourceContext) -> None:
        super().__init__(f'The camera {address.shown}', context)
        self._address = address
        self._options = context.live
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> SourceInfo:
        """See LiveReader."""
        self.close()
        self.info = by_first_transport(self._options, self._start)
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:  # noqa: ARG002 OpenCV waits for as long as was set at the start
        """See LiveReader."""
        if self._capture is None:
            raise self._not_open()
        try:
            done = self._capture.grab()
            arrived_ns = self._clock.monotonic_ns()
            # Here and not by who uses the picture: OpenCV's decoder serves one thread at a time.
            done, image = self._capture.retrieve() if done else (False, None)
        except cv2.error as error:
            raise SourceError(
                f'The stream of the camera {self._address.shown} broke: OpenCV says {error.err}.'
            ) from error
        if not done or image is None:
            raise SourceError(
                f'{self.name} has sent no picture for {self._read_within_ms() / _MS_PER_S:g} s, or has '
                'ended its stream (OpenCV does not say which): it is opened again.'
            )
        height, width = image.shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            self.info = replace(self.info, width=width, height=height)
        pixels: NDArray[Any] = np.asarray(image)
        return LivePicture(lambda: pixels, 'bgr8', width, height, arrived_ns, None, None)

    def close(self) -> None:
        """See LiveReader."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _read_within_ms(self) -> int:
        return max(_LEAST_READ_MS, round(self._options.stall_after_s * _MS_PER_S))

    def _start(self, transport: str) -> SourceInfo:
        capture = self._open(transport)
        if not capture.isOpened():
            capture.release()
            raise self._why(transport)
        self._capture = capture
        return self._describe(capture, transport)

    def _open(self, transport: str) -> cv2.VideoCapture:
        options = self._options
        wanted = {
            'rtsp_transport': transport,
            'fflags': 'nobuffer',
            'flags': 'low_delay',
            'max_delay': str(round(options.max_delay_ms * _US_PER_MS)),
            'analyzeduration': str(_ANALYSE_US),
        }
        parameters = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _OPEN_WITHIN_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            self._read_within_ms(),
            # Several threads decode a picture each, and hold every one back until the others have theirs.
            cv2.CAP_PROP_N_THREADS,
            1,
        ]
        if options.decoder != 'software':
            parameters += [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_ANY]
        with _process_wide('|'.join(f'{name};{value}' for name, value in wanted.items()), self._say_options):
            return cv2.VideoCapture(self._address.url, cv2.CAP_FFMPEG, parameters)

    def _say_options(self, present: str) -> None:
        self.context.say(
            f'{_OPTIONS} is set in the environment ({present}): the camera {self._address.shown} is read with that '
            'instead of the options for low delay.'
        )

    def _describe(self, capture: cv2.VideoCapture, transport: str) -> SourceInfo:
        width, height = (int(capture.get(each)) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        four = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, 'little', signed=False).decode('latin-1')
        hardware = _HARDWARE.get(int(capture.get(cv2.CAP_PROP_HW_ACCELERATION)))
        if hardware is None and self._options.decoder == 'hardware':
            capture.release()
            self._capture = None
            raise SourceUnusable(
                f"OpenCV's FFmpeg has no hardware decoder for the camera {self._address.shown}: set `decoder` to "
                'auto, or `reader` to gstreamer.'
            )
        details = (
            ('codec', _CODECS.get(four.lower(), four)),
            ('decoder', f'{hardware or "software"} (FFmpeg of OpenCV {cv2.__version__})'),
            ('transport', transport),
        )
        # Where FFmpeg knows no rate it says that of the clock, 90000.
        return SourceInfo(width, height, rate_hz if 0.0 < rate_hz <= 1000.0 else 0.0, details=details)

    def _why(self, transport: str) -> SourceError:
        """OpenCV says only that it did not work: the camera is asked for the reason."""
        session = RtspSession(self._address)
        try:
            session.start(video_track(session.describe(), self._address), transport)
        except SourceError as error:
            return error
        finally:
            session.close()
        return SourceError(
            f"The camera {self._address.shown} answers, but OpenCV's FFmpeg got no picture of it within "
            f'{_OPEN_WITHIN_MS / _MS_PER_S:g} s: check that it sends key frames, or install PyAV or GStreamer.'
        )


@cache
def _one_at_a_time() -> threading.Lock:
    return threading.Lock()


@contextmanager
def _process_wide(options: str, say_other: Any) -> Iterator[None]:
    """Give FFmpeg its options, which OpenCV has for the whole process only, and keep OpenCV quiet.

    What somebody set in the environment stays. A second camera that is opened meanwhile waits.
    """
    with _one_at_a_time(), quiet_opencv():
        present = os.environ.get(_OPTIONS)
        if present is not None:
            say_other(present)
            yield
            return
        os.environ[_OPTIONS] = options
        try:
            yield
        finally:
            del os.environ[_OPTIONS]


create = OpenCvReader
