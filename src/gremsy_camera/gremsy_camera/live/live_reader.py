# SPDX-License-Identifier: Apache-2.0
"""What reads one camera: opened, read picture by picture, closed, by one thread. `live_source` makes a source of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged, SourceError
from gremsy_camera.sources.source import SourceContext, SourceInfo
from gremsy_camera.streams.credentials import known_secrets

# What `counts` calls a picture that came and could not be decoded.
DECODE_FAILURES = 'pictures that failed to decode'
# How `details` name the decoder of JPEG pictures that come whole.
JPEG_DECODER = 'software (OpenCV, used pictures only)'
_CAMERA_CLOCK_TOO_FAR_NS = 1_000_000_000


class TimeBase(Enum):
    """Whose clock a time was read from."""

    # The camera's: NTP or any other, which may be years off and drift.
    CAMERA = 'camera'
    # This machine's monotonic clock, as V4L2 buffers have it.
    MONOTONIC = 'monotonic'


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """When the camera says that it took a picture.

    Attributes:
        time_ns: nanoseconds of the clock that `base` names.
        origin: in a few words, as `stamp is` has them: 'RTCP sender reports', 'V4L2 buffer time'.
    """

    time_ns: int
    base: TimeBase
    origin: str


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """One decoded picture.

    Attributes:
        pixels: makes the image: (H, W, 3) uint8 BGR, (H, W) uint8 `mono8` or (H, W) uint16 `mono16`, which nobody
            writes to again. Called for the pictures that are used only, at most once, on another thread, before
            or after the next `read`: it holds what it needs. Raises PictureDamaged for one that cannot be decoded.
        encoding: 'bgr8', 'mono8' or 'mono16'.
        arrived_ns: when the first byte of it that is known of arrived, monotonic.
        capture: the capture time that the camera reports; None where it reports none.
        position_ns: the stream's own time (of RTP, of the container), unwrapped, from any zero; None where it has none.
        rtp: the RTP time that other readers of the same server get with it, 32 bits; None where there are none.
    """

    pixels: Callable[[], NDArray[Any]]
    encoding: str
    width: int
    height: int
    arrived_ns: int
    capture: CaptureTime | None
    position_ns: int | None
    rtp: int | None = None


class LiveReader(ABC):
    """Reads one camera. Used by one thread; made without touching anything; `open` may follow `close`.

    Attributes:
        name: begins the sentences on it: 'The camera rtsp://10.1.2.3/eo'.
        context: of the source that it reads for.
        info: what the stream is, as `open` found it or as it changed since; a rate of 0 Hz is not known.
    """

    def __init__(self, name: str, context: SourceContext) -> None:
        self.name = name
        self.context = context
        self.info = SourceInfo(0, 0, 0.0)
        self._clock = context.clock
        self._counts: Counter[str] = Counter()

    @abstractmethod
    def open(self) -> SourceInfo:
        """Connect, and know the stream; takes no longer than a few seconds.

        Raises:
            SourceUnusable: it can never work as configured.
            SourceError: it does not work now.
        """

    @abstractmethod
    def read(self, timeout_s: float) -> LivePicture | None:
        """The next picture of the stream, every one, in order; None when none came within the timeout.

        A stall is noticed whatever this waits for, but `close` waits for it: keep to the timeout.

        Raises:
            SourceError: it broke; `close`, then `open` again.
        """

    def counts(self) -> Mapping[str, int]:
        """What was lost or went wrong since it was opened, by a reason of few words; from any thread."""
        return dict(self._counts)

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; may be called twice."""

    def _secrets(self) -> Mapping[str, str]:
        """What `${NAME}` stands for now."""
        return known_secrets(self.context.live.secrets_file, self.context.say)

    def _not_open(self) -> SourceError:
        return SourceError(f'{self.name} is not open: call `open` first.')

    def _packet_stamp_ns(self, arrived_ns: int, capture: CaptureTime | None) -> int:
        """ROS time of a packet for the tap: of its capture where the camera's clock is ours, else of its arrival."""
        ros_from_monotonic_ns = self._clock.ros_ns() - self._clock.monotonic_ns()
        if capture is not None and capture.base is TimeBase.MONOTONIC:
            return capture.time_ns + ros_from_monotonic_ns
        arrived_ros_ns = arrived_ns + ros_from_monotonic_ns
        # A film may live with an arrival, but not with a camera's clock that is years off.
        if capture is not None and abs(capture.time_ns - arrived_ros_ns) < _CAMERA_CLOCK_TOO_FAR_NS:
            return capture.time_ns
        return arrived_ros_ns


def decode_jpeg(data: NDArray[Any]) -> NDArray[Any]:
    """BGR, of a grey one too, as the camera sees it: an orientation in its EXIF is not followed.

    Raises:
        PictureDamaged: it cannot be decoded.
    """
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise PictureDamaged('A JPEG picture cannot be decoded: it is left out.')
    return np.asarray(image)
