# SPDX-License-Identifier: Apache-2.0
"""What reads one camera: opened, read picture by picture, closed, by one thread. `live_source` makes a source of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.errors import PictureDamaged

# What `counts` calls a picture that came and could not be decoded.
DECODE_FAILURES = 'pictures that failed to decode'


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
            or after the next `read`: it holds what it needs. Raises PictureDamaged, counted by the reader, for one
            that cannot be decoded.
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


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What an open reader says of the stream; `details` as SourceInfo's. A rate of 0 Hz is not known."""

    width: int
    height: int
    rate_hz: float
    details: tuple[tuple[str, str], ...] = ()


class LiveReader(Protocol):
    """Reads one camera. Used by one thread; made without touching anything; `open` may follow `close`."""

    def open(self) -> StreamInfo:
        """Connect, and know the stream; takes no longer than a few seconds.

        Raises:
            SourceUnusable: it can never work as configured.
            SourceError: it does not work now.
        """

    def read(self, timeout_s: float) -> LivePicture | None:
        """The next picture of the stream, every one, in order; None when none came within the timeout.

        A stall is noticed whatever this waits for, but `close` waits for it: keep to the timeout.

        Raises:
            SourceError: it broke; `close`, then `open` again.
        """

    @property
    def info(self) -> StreamInfo:
        """As `open` gave it, or as it changed since."""

    def counts(self) -> Mapping[str, int]:
        """What was lost or went wrong since it was opened, by a reason of few words; from any thread."""

    def close(self) -> None:
        """Let go of everything; may be called twice."""


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
