# SPDX-License-Identifier: Apache-2.0
"""The same input gives the same output, bit for bit: again, and in a process that hashes otherwise."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.multi_object_tracker import MultiObjectTracker

CAMERA = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
T0, MS, STEP_MS, IMAGES = 10**18, 1_000_000, 66, 60
HALF = np.array([20.0, 50.0])
LABELS = np.array(['person', 'dog', 'car', 'boat'])


def aim(at_ms: float) -> tuple[float, float]:
    return 0.1 * math.sin(at_ms * 1e-3), 0.02 * math.sin(at_ms * 2e-3)


def images(seed: int) -> Iterator[Detections]:
    """Things of four classes that walk, are missed, and false alarms; seen by a camera that pans."""
    random = np.random.default_rng(seed)
    bearing = random.uniform([-0.4, -0.2], [0.4, 0.2], (10, 2))
    rate = random.normal(0.0, 0.05, (10, 2))
    kind = random.integers(0, len(LABELS), 10)
    for number in range(IMAGES):
        at_ms = STEP_MS * number
        centre = np.array([320.0, 240.0]) + CAMERA.focal_x_px * (np.array(aim(at_ms)) - bearing - rate * at_ms * 1e-3)
        seen = (random.random(10) > 0.1) & (centre > 0).all(axis=1) & (centre < [640, 480]).all(axis=1)
        centres = np.concatenate([centre[seen], random.uniform(0, [640, 480], (2, 2))]) + random.normal(0, 1.5)
        boxes = np.concatenate([centres - HALF, centres + HALF], axis=1)
        labels = np.concatenate([LABELS[kind[seen]], LABELS[:2]])
        yield Detections(T0 + at_ms * MS, 'optical', boxes, random.uniform(0.2, 0.95, len(boxes)), labels)


def tracker_digest() -> str:
    tracker, digest, before = MultiObjectTracker(TrackerParameters()), hashlib.sha256(), None
    for number, seen in enumerate(images(1)):
        level_from_camera = matrix_from_quaternion(quaternion_from_bearing(*aim(STEP_MS * number)))
        motion = None if before is None else camera_motion.homography(CAMERA, before, CAMERA, level_from_camera)
        before = level_from_camera
        tracks = tracker.update(seen, after_from_before=motion, image_size_px=(640, 480))
        assert tracks is not None
        for array in (tracks.boxes_px, tracks.scores, tracks.ids):
            digest.update(array.tobytes())
        digest.update(' '.join(tracks.labels.tolist()).encode())
    assert len(tracks) > 0
    return digest.hexdigest()


def pointing_digest() -> str:
    tracker, digest, moved = Tracker(TrackerParameters(auto_lock='nearest')), hashlib.sha256(), 0
    tracker.offer_camera_model(T0, CAMERA)
    for seen in images(2):
        now_ms = (seen.stamp_ns - T0) // MS + 100
        for at_ms in (now_ms - 60, now_ms - 10):
            quaternion = quaternion_from_bearing(*aim(at_ms))
            tracker.offer_attitude(GimbalAttitude(T0 + at_ms * MS, 'camera', quaternion, np.zeros(3)))
        update = tracker.offer_detections(seen, T0 + now_ms * MS)
        assert update is not None
        setpoints = [update.setpoint, *(tracker.tick(T0 + (now_ms + later) * MS) for later in (20, 40, 60))]
        moved += sum(each is not None and each.azimuth_rate_rad_s != 0.0 for each in setpoints)
        # A float's repr is exact.
        digest.update(repr((setpoints, update.status, tracker.state(), sorted(tracker.counts().items()))).encode())
        digest.update(update.tracks.boxes_px.tobytes() + update.tracks.ids.tobytes())
        digest.update(b'' if update.target is None else update.target.box_px.tobytes())
    assert moved > 50
    return digest.hexdigest()


def test_a_replay_of_the_tracker_gives_the_same_bits() -> None:
    assert tracker_digest() == tracker_digest()


def test_a_replay_of_the_whole_pointing_gives_the_same_bits() -> None:
    assert pointing_digest() == pointing_digest()


def test_a_process_with_other_hashes_gives_the_same_bits() -> None:
    expected = [tracker_digest(), pointing_digest()]
    ran = subprocess.run(
        [sys.executable, Path(__file__)],
        # Whatever this process hashes with, at most one of all seeds is the same.
        env={**os.environ, 'PYTHONHASHSEED': '4242'},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ran.stdout.split() == expected


if __name__ == '__main__':
    print(tracker_digest(), pointing_digest())
