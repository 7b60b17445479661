# SPDX-License-Identifier: Apache-2.0
"""How soon the first frame is there, a camera that was off is back, and one that stalls is noticed."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.camera.camera_readers import MeasuredReader, next_frame
from gremsy_camera.source_feed import FeedState
from gremsy_camera.trial.trial_camera import TrialCamera, TrialCameraOptions, running_camera
from gremsy_common.errors import SuiteError

_ROUNDS = 5
_AWAY_S = 2.0
_PATIENCE_S = 10.0


def measure(reader: MeasuredReader) -> dict[str, Any]:
    """Medians of five, in seconds, and the largest.

    Every picture is a key frame, so that no wait for one is in `first_frame_s`: a stream with one a second takes half a
    second more on average, whoever reads it.
    """
    with running_camera(TrialCameraOptions(gop=1)) as camera:
        first = [_first_frame(reader, camera) for _ in range(_ROUNDS)]
        back = [_back(reader, camera) for _ in range(_ROUNDS)]
        noticed = [_stall(reader, camera) for _ in range(_ROUNDS)]
    figures: dict[str, Any] = {}
    for name, values in (('first_frame_s', first), ('reconnect_s', back), ('stall_noticed_s', noticed)):
        figures |= {name: round(median(values), 3), f'{name}_max': round(max(values), 3)}
    return figures


def _first_frame(reader: MeasuredReader, camera: TrialCamera) -> float:
    feed = reader.feed(camera.uri)
    begin_s = time.monotonic()
    feed.open()
    try:
        next_frame(feed)
        return time.monotonic() - begin_s
    finally:
        feed.close()


def _back(reader: MeasuredReader, camera: TrialCamera) -> float:
    """From the camera listening again to its first frame; it was off for two seconds, and is tried all that time."""
    feed = reader.feed(camera.uri)
    feed.open()
    try:
        next_frame(feed)
        camera.stop()
        off_s = time.monotonic()
        while time.monotonic() - off_s < _AWAY_S or feed.state is not FeedState.RETRYING:
            feed.read(0.05)
            if time.monotonic() - off_s > _PATIENCE_S:
                raise SuiteError('The camera benchmark cannot go on: a camera that is off is not noticed.')
        # Tried all the while that it starts, as a node would; frames of before are over.
        listens_s = _started(camera)
        next_frame(feed)
        return time.monotonic() - listens_s
    finally:
        feed.close()


def _started(camera: TrialCamera) -> float:
    camera.start()
    return time.monotonic()


def _stall(reader: MeasuredReader, camera: TrialCamera) -> float:
    """From the last frame to the source's word for it."""
    feed = reader.feed(camera.uri)
    feed.open()
    try:
        for _ in range(10):
            next_frame(feed)
        camera.stall()
        last_s = time.monotonic()
        while feed.state is not FeedState.RETRYING:
            if feed.read(0.05) is not None:
                last_s = time.monotonic()
            if time.monotonic() - last_s > _PATIENCE_S:
                raise SuiteError('The camera benchmark cannot go on: a camera that stalls is not noticed.')
        return time.monotonic() - last_s
    finally:
        camera.go_on()
        feed.close()
