# SPDX-License-Identifier: Apache-2.0
"""Where a target of the world is in the picture of a camera on the simulated gimbal, for the trial camera.

The standard library alone: the trial camera is run by Debian's Python. The ring is that of
`gremsy_gimbal_sim.truth_ring`, whose layout is read here a second time; a test holds the two together.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path

_SHARED_MEMORY = Path('/dev/shm')  # noqa: S108 shared memory, not a temporary file
# magic, capacity, written; then stamp, azimuth, tilt, their rates, zoom.
_HEADER = struct.Struct('<qqq')
_SAMPLE = struct.Struct('<qddddd')


def swayed_rad(now_s: float, sway_rad: float, speed_rad_s: float) -> float:
    """The target's azimuth: a sine between -sway and sway, at that speed in the middle, where it is at 0 s."""
    return sway_rad * math.sin(now_s * speed_rad_s / sway_rad)


class TurningView:
    """Sees the ring of a simulated payload, again and again where that is started again.

    Args:
        ring: its name.
        field_rad: how wide the camera sees.
        width, height: of the picture, px.
    """

    def __init__(self, ring: str, field_rad: float, width: int, height: int) -> None:
        self._path = _SHARED_MEMORY / f'gremsy-truth-{ring}'
        self._focal_px = width / 2 / math.tan(field_rad / 2)
        self._centre_px = (width / 2, height / 2)
        self._memory: mmap.mmap | None = None
        self._inode = -1

    def place_px(self, azimuth_rad: float, tilt_rad: float) -> tuple[float, float] | None:
        """Column and row of that bearing (azimuth left +, tilt down +); None where it is not seen, or no payload is."""
        axis = self._axis_rad()
        if axis is None:
            return None
        right, down = axis[0] - azimuth_rad, tilt_rad - axis[1]
        if max(abs(right), abs(down)) > math.pi / 3:
            return None
        return (
            self._centre_px[0] + self._focal_px * math.tan(right),
            self._centre_px[1] + self._focal_px * math.tan(down),
        )

    @property
    def turned_px(self) -> float:
        """How far to the right what stands still has gone in the picture's middle, from azimuth 0."""
        axis = self._axis_rad()
        return 0.0 if axis is None else self._focal_px * axis[0]

    def close(self) -> None:
        """Let go of the ring."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _axis_rad(self) -> tuple[float, float] | None:
        memory = self._mapped()
        if memory is None:
            return None
        _, capacity, written = _HEADER.unpack_from(memory, 0)
        if not capacity or not written:
            return None
        sample = _SAMPLE.unpack_from(memory, _HEADER.size + (written - 1) % capacity * _SAMPLE.size)
        return sample[1], sample[2]

    def _mapped(self) -> mmap.mmap | None:
        try:
            inode = self._path.stat().st_ino
            if self._memory is None or inode != self._inode:
                self.close()
                with self._path.open('rb') as file:
                    self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._inode = inode
        except (OSError, ValueError):
            # Not there, or not of its size yet: looked for again with the next picture.
            self.close()
        return self._memory
