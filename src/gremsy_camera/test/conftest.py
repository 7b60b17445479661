# SPDX-License-Identifier: Apache-2.0
"""A clock that only moves when told, videos made on the spot, and a context for sources."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.sources.source import SourceContext
from gremsy_gimbal_sim.truth_ring import TrueState, TruthRingWriter

ROS_EPOCH_NS = 1_700_000_000_000_000_000


@dataclass
class ManualClock:
    """Time passes only by sleeping."""

    now_ns: int = 0

    def ros_ns(self) -> int:
        return ROS_EPOCH_NS + self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep_s(self, duration_s: float) -> None:
        self.now_ns += round(duration_s * 1e9)


@dataclass
class Said:
    """The sentences that were said."""

    sentences: list[str] = field(default_factory=list)

    def __call__(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def context(clock, said):
    def make(rate_hz: float = 0.0, at_end: AtEnd = AtEnd.LOOP) -> SourceContext:
        return SourceContext('robot/eo_optical_frame', rate_hz, at_end, clock, said)

    return make


def write_video(path: Path, frames: int, rate_hz: float = 10.0, width: int = 160, height: int = 120) -> Path:
    """Frame k is a plain grey of 8 k: its index can be read back from its brightness."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), rate_hz, (width, height))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(np.full((height, width, 3), 8 * index, dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture
def make_video(tmp_path):
    def make(frames: int, rate_hz: float = 10.0, name: str = 'video.avi') -> Path:
        return write_video(tmp_path / name, frames, rate_hz)

    return make


def shown_index(image: np.ndarray) -> int:
    """Which frame of `write_video` an image shows."""
    return round(float(image.mean()) / 8)


@pytest.fixture
def index_of():
    return shown_index


class Payload:
    """Writes true states as the simulated payload does."""

    def __init__(self, clock: ManualClock) -> None:
        self.ring = f'test-{os.getpid()}-{uuid.uuid4().hex[:8]}'
        self._clock = clock
        self._writer: TruthRingWriter | None = None

    def start(self) -> None:
        self._writer = TruthRingWriter(self.ring, capacity=16)
        self._writer.open()

    def write(self, azimuth_rad=0.0, tilt_rad=0.0, azimuth_rate_rad_s=0.0, zoom=1.0, age_ns=0) -> None:
        stamp_ns = self._clock.ros_ns() - age_ns
        self._writer.write(TrueState(stamp_ns, azimuth_rad, tilt_rad, azimuth_rate_rad_s, 0.0, zoom))

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@pytest.fixture
def payload(clock):
    made = Payload(clock)
    yield made
    made.stop()
