# SPDX-License-Identifier: Apache-2.0
"""H.264 and H.265 through PyAV: which decoder there is, no delay where the stream has none, and pictures as BGR."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import av.codec.hwaccel
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from gremsy_camera.errors import SourceUnusable
from gremsy_common.picture.picture_memory import PictureMemory

# In the order in which they are tried. A Jetson's decoder is reached through GStreamer only.
_DEVICES = {'cuda': 'NVDEC', 'vaapi': 'VA-API'}
# One thread until that is too slow: a picture has one slice as a rule, and a second thread makes H.265 at 1080p dearer
# (2.6 against 2.1 ms of CPU). Then slices side by side: whole pictures side by side would cost a period each.
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class HardwareChoice:
    """What was found: a device for `HWAccel` or None, and why not, by name."""

    device: str | None
    refused: tuple[tuple[str, str], ...]


def find_hardware(codec: str) -> HardwareChoice:
    """The first kind of hardware decoder that can really be opened."""
    refused = []
    built_in = av.codec.hwaccel.hwdevices_available()
    for device, name in _DEVICES.items():
        if device not in built_in:
            refused.append((name, 'this PyAV is built without it'))
            continue
        try:
            av.CodecContext.create(codec, 'r', hwaccel=_acceleration(device))
        except (av.error.FFmpegError, NotImplementedError, OSError) as error:
            refused.append((name, f'it cannot be opened ({getattr(error, "strerror", None) or error})'))
        else:
            return HardwareChoice(device, tuple(refused))
    return HardwareChoice(None, tuple(refused))


class PyAvDecoder:
    """Decodes access units. `details` are rows for diagnostics."""

    def __init__(self, codec: str, wanted: str) -> None:
        self._codec = codec
        hardware = HardwareChoice(None, ()) if wanted == 'software' else find_hardware(codec)
        if wanted == 'hardware' and hardware.device is None:
            reasons = '; '.join(f'{name}: {why}' for name, why in hardware.refused)
            raise SourceUnusable(f'`decoder` is hardware and PyAV has none for {codec} ({reasons}): set it to auto.')
        self._device = hardware.device
        self._refused = hardware.refused
        self._threads = 1
        self._context = self._new_context()
        self._to_planes, self._to_bgr = VideoReformatter(), VideoReformatter()
        self._converting = threading.Lock()
        self._memory = PictureMemory()
        self.held_back = 0

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """Which decoder it is, and why not another."""
        name = f'{self._codec} by {_DEVICES[self._device] if self._device else "software"}'
        return (('decoder', name), *((f'not decoded by {name}', why) for name, why in self._refused))

    def decode(self, data: bytes, position: int) -> list[Any]:
        """The pictures that come out for this access unit, in the order of showing; `pts` is the `position` they had.

        Raises:
            av.error.FFmpegError: it could not be decoded.
        """
        packet = av.Packet(data)
        packet.pts = packet.dts = position
        frames: list[Any] = self._context.decode(packet)
        self.held_back = self._context.reorder_depth
        return frames

    def restart_with_all_threads(self) -> None:
        """Go on with the next key frame, quicker where pictures have several slices."""
        self._threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._context = self._new_context()

    def pixels(self, frame: Any) -> Callable[[], NDArray[np.uint8]]:
        """What makes the BGR image of a frame, by its own matrix and range, wherever it is called."""

        def make() -> NDArray[np.uint8]:
            with self._converting:
                # What hardware gives is interleaved, and swscale has no quick way from there: 4.2 ms at 1080p and 26 at
                # 4K, against 0.9 and 3.5 from planes. Laid out in planes the picture is software's, to the bit.
                planar = frame
                if frame.format.name == 'nv12':
                    planar = self._to_planes.reformat(frame, format='yuv420p', threads=1)
                # One thread: a second one costs more to wake than it saves (0.7 ms in all at 1080p).
                converted = self._to_bgr.reformat(planar, format='bgr24', threads=1)
            (plane,) = converted.planes
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: converted.height]
            image = self._memory.new((converted.height, converted.width, 3))
            np.copyto(image.reshape(converted.height, -1), rows[:, : 3 * converted.width])
            return image

        return make

    def _new_context(self) -> Any:
        acceleration = _acceleration(self._device) if self._device else None
        context = av.CodecContext.create(self._codec, 'r', hwaccel=acceleration)
        context.thread_type = 'SLICE'
        context.thread_count = self._threads
        return context


def _acceleration(device: str) -> Any:
    return av.codec.hwaccel.HWAccel(device_type=device, allow_software_fallback=True)
