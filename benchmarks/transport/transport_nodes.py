# SPDX-License-Identifier: Apache-2.0
"""The loop without its work: a camera on time, a detector that waits instead of computing, a tracker that listens."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions

from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicPublisher
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only

RATE_HZ = 30.0
SIZES = {'1080p': (1080, 1920), '4k': (2160, 3840)}
# What the stand-in for inference takes; anything, so that what happens at one time after a frame cannot hide.
_LONGEST_WAIT_S = 0.012
_TAKE_S = 0.2
# rclpy's own publish instead of ours, for comparison: it holds the interpreter.
IMAGE_RAW_HELD = replace(topics.IMAGE_RAW, wire=None)


@dataclass(frozen=True)
class BenchParameters(NodeParameters):
    """None of its own."""


@dataclass(slots=True)
class Times:
    """Of each frame by its stamp, seconds of `time.perf_counter`.

    Attributes:
        due_s: when the camera's frame was due; what the machine wakes the thread late is part of all that follows.
        published_s: just before it was handed over.
        taken_s: when the detector's thread had it.
        queued_s: how long of the way to `taken_s` the detector's thread could have run and had no core.
        waited_s: what the detector pretended to compute.
        result_s: when the result was with who wants it.
        data: address of the first pixel as published and as taken.
    """

    due_s: dict[int, float] = field(default_factory=dict)
    published_s: dict[int, float] = field(default_factory=dict)
    taken_s: dict[int, float] = field(default_factory=dict)
    queued_s: dict[int, float] = field(default_factory=dict)
    waited_s: dict[int, float] = field(default_factory=dict)
    result_s: dict[int, float] = field(default_factory=dict)
    data: dict[int, tuple[int, int]] = field(default_factory=dict)

    def handoff_ms(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """From the camera's hand to the detector's."""
        return np.array([(self.taken_s[at] - self.published_s[at]) * 1e3 for at in self.taken_s])

    def handoff_on_core_ms(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The same without waiting for a core that other processes have."""
        return np.array([(self.taken_s[at] - self.published_s[at] - self.queued_s[at]) * 1e3 for at in self.taken_s])

    def result_late_ms(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """From when the frame was due to its result, less what the detector pretended to compute."""
        return np.array([(self.result_s[at] - self.due_s[at] - self.waited_s[at]) * 1e3 for at in self.result_s])


class BenchCamera(SuiteNode[BenchParameters]):
    """Publishes one picture 30 times a second, from a thread like the camera's."""

    node_name = 'camera'
    parameters_type = BenchParameters
    times: Times
    pictures: tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], ...]
    held = False

    def activate(self) -> None:
        """Start."""
        self.images: TopicPublisher[Frame] = self.publisher(IMAGE_RAW_HELD if self.held else topics.IMAGE_RAW)
        self._number = 0
        self._begin_s = time.perf_counter()
        self.worker('source', self._frame)

    def _frame(self) -> None:
        self._number += 1
        due_s = self._begin_s + self._number / RATE_HZ
        time.sleep(max(0.0, due_s - time.perf_counter()))
        stamp_ns = self.now_ns()
        # Several in turn, as a source has them: one picture alone would always be in the caches.
        frame = Frame(self.pictures[self._number % len(self.pictures)], stamp_ns, 'eo')
        self.times.due_s[stamp_ns] = due_s
        self.times.data[stamp_ns] = (frame.image.ctypes.data, 0)
        self.times.published_s[stamp_ns] = time.perf_counter()
        self.images.publish(frame)


class BenchDetector(SuiteNode[BenchParameters]):
    """Takes the newest frame, waits instead of computing, publishes a result."""

    node_name = 'detector'
    parameters_type = BenchParameters
    times: Times

    def activate(self) -> None:
        """Start."""
        self._random = random.Random(1)
        self._frames: LatestSlot[Frame] = LatestSlot()
        self._results = self.publisher(topics.DETECTIONS)
        self.subscription(topics.IMAGE_RAW, self._frames.put)
        self.worker('detect', self._detect)

    def _detect(self) -> None:
        queued_s = _queued_s()
        frame = self._frames.take(_TAKE_S)
        if frame is None:
            return
        taken_s = time.perf_counter()
        at = frame.stamp_ns
        self.times.queued_s[at] = _queued_s() - queued_s
        self.times.taken_s[at] = taken_s
        self.times.data[at] = (self.times.data[at][0], frame.image.ctypes.data)
        waits_s = self._random.uniform(0.0, _LONGEST_WAIT_S)
        self.times.waited_s[at] = waits_s
        time.sleep(waits_s)
        self._results.publish(Detections.empty(at, frame.frame_id))


class BenchTracker(SuiteNode[BenchParameters]):
    """Takes the results on a thread of its own."""

    node_name = 'tracker'
    parameters_type = BenchParameters
    times: Times

    def activate(self) -> None:
        """Start."""
        self._results: LatestSlot[Detections] = LatestSlot()
        self.subscription(topics.DETECTIONS, self._results.put)
        self.worker('track', self._track)

    def _track(self) -> None:
        result = self._results.take(_TAKE_S)
        if result is not None:
            self.times.result_s[result.stamp_ns] = time.perf_counter()


def _queued_s() -> float:
    """How long this thread waited for a core so far; 0 where the kernel does not count it."""
    try:
        words = Path(f'/proc/self/task/{threading.get_native_id()}/schedstat').read_text().split()
    except OSError:
        return 0.0
    return int(words[1]) * 1e-9


@contextmanager
def running_loop(size: str, *, held: bool = False, watched: bool = True) -> Iterator[tuple[BenchCamera, Times]]:
    """The three nodes in this process, or the camera alone."""
    times = Times()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    host = NodeHost()
    nodes: list[BenchCamera | BenchDetector | BenchTracker] = []
    try:
        camera = BenchCamera(host)
        nodes.append(camera)
        if watched:
            nodes += [BenchDetector(host), BenchTracker(host)]
        for node in nodes:
            node.times = times
        camera.held = held
        camera.pictures = tuple(lock_read_only(np.full((*SIZES[size], 3), shade, np.uint8)) for shade in (1, 2, 3))
        for node in nodes:
            node.start()
        host.start(nodes, on_crash=lambda: None)
        yield camera, times
    finally:
        host.stop()
        for node in reversed(nodes):
            node.close()
        host.shutdown()
        rclpy.shutdown()
