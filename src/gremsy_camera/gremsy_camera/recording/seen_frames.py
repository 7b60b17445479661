# SPDX-License-Identifier: Apache-2.0
"""Frames that wait for what is seen in them: tracks are later than their frame, and not every frame has some."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame

# Of a detector that takes no longer than 0.4 s at 30 frames a second: 75 MB at 1920x1080, while a snapshot waits.
_MOST_HELD = 12
_MOST_TRACKS = 32
# A tracker that says nothing for so long says nothing.
_SILENT_S = 2.0

Held = deque[tuple[Frame, CameraModel]]


class SeenFrames:
    """Frames come on one thread, tracks on another, and who waits is a third; nothing is held while nobody waits.

    Args:
        now_s: the monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._changed = threading.Condition()
        self._tracks: deque[Tracks] = deque(maxlen=_MOST_TRACKS)
        self._last_tracks_s = float('-inf')
        self._holds: list[Held] = []
        self._ended = False

    def open(self) -> None:
        """Waits may begin."""
        self._ended = False

    def close(self) -> None:
        """Whoever waits gets what there is."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def tracks(self, tracks: Tracks) -> None:
        """What is seen in a frame."""
        with self._changed:
            self._tracks.append(tracks)
            self._last_tracks_s = self._now_s()
            self._changed.notify_all()

    def frame(self, frame: Frame, model: CameraModel) -> None:
        """One has come; held only where somebody waits."""
        if self._holds:
            with self._changed:
                for hold in self._holds:
                    hold.append((frame, model))

    def hold(self, frame: Frame, model: CameraModel) -> Held:
        """Keep this frame and those that come, until `wait` has been called with what is given."""
        held: Held = deque([(frame, model)], maxlen=_MOST_HELD)
        with self._changed:
            self._holds.append(held)
        return held

    def wait(self, held: Held, timeout_s: float) -> tuple[Frame, CameraModel, Tracks | None]:
        """The oldest of them whose tracks are known, else the first that was held, without any."""
        first = held[0]
        end_s = self._now_s() + timeout_s
        with self._changed:
            try:
                while True:
                    by_stamp = {each.stamp_ns: each for each in self._tracks}
                    for frame, model in held:
                        if frame.stamp_ns in by_stamp:
                            return frame, model, by_stamp[frame.stamp_ns]
                    left_s = end_s - self._now_s()
                    if left_s <= 0.0 or self._ended or self._now_s() - self._last_tracks_s > _SILENT_S:
                        return *first, None
                    self._changed.wait(min(left_s, 0.1))
            finally:
                self._release(held)

    def drop(self, held: Held) -> None:
        """Nobody waits for it after all."""
        with self._changed:
            self._release(held)

    def _release(self, held: Held) -> None:
        self._holds = [each for each in self._holds if each is not held]
