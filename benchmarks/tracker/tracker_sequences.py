# SPDX-License-Identifier: Apache-2.0
"""Seeded sequences of boxes with known identities: people who walk, cross, hide and turn round before a moving camera.

People stand in the world as upright rectangles at a bearing and a distance; the camera only turns and zooms, as on a
gimbal. What a detector makes of it is drawn from the seed: jitter that grows when somebody is half hidden, scores that
fall, misses, and false alarms, some of which stay for a few images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.boxes import areas, intersections
from gremsy_common.geometry import CAMERA_FROM_OPTICAL, matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_tracker.tracking.attitude_history import AttitudeHistory
from gremsy_tracker.tracking.camera_motion import homography

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

RATE_HZ = 30.0
# Of the issue: telemetry at 20 Hz with this noise.
_TELEMETRY_HZ, _TELEMETRY_NOISE_RAD = 20.0, math.radians(0.02)
_WIDE = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
_PERSON_M = 1.7
_CAMERA_HEIGHT_M = 3.0
# Less of somebody than this share is not a person to find: neither truth nor detection.
_LEAST_VISIBLE = 0.1
_EPOCH_NS = 10**18


@dataclass(frozen=True, slots=True, eq=False)
class SequencePicture:
    """What every tracker gets of one image, and what is true in it.

    Attributes:
        stamp_ns: capture time.
        boxes_px, scores: detections (N, 4), (N,).
        after_from_before: (3, 3) image motion since the previous picture by telemetry, None where there is none; peers
            have no use for it.
        true_boxes_px, true_ids: (M, 4), (M,).
    """

    stamp_ns: int
    boxes_px: Array
    scores: Array
    after_from_before: Array | None
    true_boxes_px: Array
    true_ids: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Pictures of one camera in order of time."""

    name: str
    size_px: tuple[int, int]
    pictures: list[SequencePicture]


@dataclass(frozen=True, slots=True)
class CameraPath:
    """Where the camera looks (azimuth, tilt in rad) and its magnification, by time in s."""

    aim: Callable[[float], tuple[float, float]]
    zoom: Callable[[float], float]


STILL = CameraPath(lambda _: (0.0, -0.05), lambda _: 1.0)


def panning(random: np.random.Generator) -> CameraPath:
    """From one aim to the next every 2.5 s at up to 45 deg/s, as a gimbal does that is sent from target to target."""
    aims = np.concatenate([[0.0], random.uniform(-0.35, 0.35, 64)])

    def aim(at_s: float) -> tuple[float, float]:
        leg = int(at_s / 2.5)
        before, after = aims[leg], aims[leg + 1]
        # A raised cosine whose steepest part is at 45 deg/s.
        lasts_s = max(0.4, abs(after - before) * math.pi / 2 / math.radians(45.0))
        share = min(1.0, (at_s - 2.5 * leg) / lasts_s)
        return before + (after - before) * (1 - math.cos(math.pi * share)) / 2, -0.05 + 0.01 * math.sin(at_s)

    return CameraPath(aim, lambda _: 1.0)


def panning_and_zooming(random: np.random.Generator) -> CameraPath:
    """Panning, with the magnification going from 1 to 2.5 and back every 6 s."""
    return CameraPath(panning(random).aim, lambda at_s: 2.5 ** ((1 - math.cos(at_s * 2 * math.pi / 6.0)) / 2))


def synthetic(kind: str, seed: int, duration_s: float = 20.0) -> Sequence:
    """A sequence of that kind (`still`, `crowd`, `pan`, `pan_zoom`)."""
    random = np.random.default_rng([seed, *kind.encode()])
    people = _People(random, count=16 if kind == 'crowd' else 10)
    motions = {'pan': panning, 'pan_zoom': panning_and_zooming}
    motion = motions[kind](random) if kind in motions else STILL
    eye = _Eye(random, motion)
    detector = _SeededDetector(random)
    pictures = []
    for number in range(round(duration_s * RATE_HZ)):
        at_s = number / RATE_HZ
        people.walk(1.0 / RATE_HZ)
        camera, after_from_before = eye.look(at_s)
        level_from_optical = eye.true_attitude(at_s) @ CAMERA_FROM_OPTICAL
        boxes, ids, visible = people.seen(camera, level_from_optical)
        found, scores = detector.detect(boxes, visible, camera)
        pictures.append(
            SequencePicture(
                _EPOCH_NS + round(at_s * 1e9), found, scores, after_from_before if number else None, boxes, ids
            )
        )
    return Sequence(f'{kind}_{seed}', (_WIDE.width, _WIDE.height), pictures)


class _Eye:
    """The camera: true attitude, and the noisy telemetry from which trackers learn its motion."""

    def __init__(self, random: np.random.Generator, motion: CameraPath) -> None:
        self._random, self._motion = random, motion
        self._telemetry = AttitudeHistory()
        self._telemetry_sent = 0
        self._before: tuple[CameraModel, Array] | None = None

    def true_attitude(self, at_s: float) -> Array:
        return matrix_from_quaternion(quaternion_from_bearing(*self._motion.aim(at_s)))

    def look(self, at_s: float) -> tuple[CameraModel, Array | None]:
        """The camera model, and the image motion since the last picture, by telemetry."""
        while self._telemetry_sent / _TELEMETRY_HZ <= at_s + 1.0 / _TELEMETRY_HZ:
            self._send_telemetry(self._telemetry_sent / _TELEMETRY_HZ)
            self._telemetry_sent += 1
        camera = _WIDE.zoomed(self._motion.zoom(at_s))
        # Known when the detector has finished: telemetry on both sides of the image's stamp is there by then.
        known = self._telemetry.at(_EPOCH_NS + round(at_s * 1e9), 0.3)
        assert known is not None
        motion = None
        if self._before is not None:
            motion = homography(*self._before, camera, known)
        self._before = camera, known
        return camera, motion

    def _send_telemetry(self, at_s: float) -> None:
        aim, soon = np.array(self._motion.aim(at_s)), np.array(self._motion.aim(at_s + 1e-3))
        azimuth_rate, tilt_rate = (soon - aim) / 1e-3
        measured = aim + self._random.normal(0.0, _TELEMETRY_NOISE_RAD, 2)
        level_from_camera = matrix_from_quaternion(quaternion_from_bearing(*measured))
        turning = level_from_camera.T @ np.array([0.0, 0.0, azimuth_rate])
        rate = turning + np.array([0.0, tilt_rate, 0.0])
        self._telemetry.offer(
            GimbalAttitude(_EPOCH_NS + round(at_s * 1e9), 'level', quaternion_from_bearing(*measured), rate)
        )


class _People:
    """Walkers with a will of their own, and two pillars that hide whom they stand before."""

    def __init__(self, random: np.random.Generator, count: int) -> None:
        self._random = random
        self._azimuth = random.uniform(-0.5, 0.5, count)
        self._distance_m = random.uniform(8.0, 26.0, count)
        self._speed_m_s = random.choice([-1.0, 1.0], count) * random.uniform(0.7, 1.6, count)
        self._wanted_m_s = self._speed_m_s.copy()
        self._radial_m_s = random.uniform(-0.4, 0.4, count)
        self._width_share = random.uniform(0.33, 0.45, count)
        self._gait = random.uniform(0.0, 2 * math.pi, count)
        self._pillars = ((-0.16, 0.025, 7.0), (0.12, 0.035, 7.5))  # azimuth, half width in rad, distance in m

    def walk(self, dt_s: float) -> None:
        """On by one step; now and then somebody turns round, stops, or goes on."""
        changes = self._random.random(len(self._azimuth)) < 0.12 * dt_s
        speeds = self._random.choice([-1.3, 0.0, 1.3], len(changes)) * self._random.uniform(0.6, 1.2, len(changes))
        self._wanted_m_s = np.where(changes, speeds, self._wanted_m_s)
        self._speed_m_s += (self._wanted_m_s - self._speed_m_s) * (1 - math.exp(-dt_s / 0.4))
        self._azimuth = self._azimuth + self._speed_m_s / self._distance_m * dt_s
        out = np.abs(self._azimuth) > 0.6
        self._wanted_m_s = np.where(out, -np.sign(self._azimuth) * np.abs(self._wanted_m_s), self._wanted_m_s)
        self._speed_m_s = np.where(out, -np.sign(self._azimuth) * np.abs(self._speed_m_s), self._speed_m_s)
        self._distance_m = self._distance_m + self._radial_m_s * dt_s
        turn = (self._distance_m < 8.0) | (self._distance_m > 26.0)
        self._radial_m_s = np.where(turn, -self._radial_m_s, self._radial_m_s)
        self._gait += dt_s * 2 * math.pi * np.abs(self._speed_m_s) / 1.4

    def seen(self, camera: CameraModel, level_from_optical: Array) -> tuple[Array, Ids, Array]:
        """Boxes (N, 4) clipped to the image, ids (N,), and visible shares (N,) of those who can be seen."""
        middle = np.stack(
            [
                np.cos(self._azimuth) * self._distance_m,
                np.sin(self._azimuth) * self._distance_m,
                np.full_like(self._azimuth, _PERSON_M / 2 - _CAMERA_HEIGHT_M),
            ],
            axis=1,
        )
        place = camera.pixels(middle @ level_from_optical)
        height = camera.focal_y_px * _PERSON_M / np.hypot(self._distance_m, _CAMERA_HEIGHT_M)
        width = height * self._width_share * (1.0 + 0.15 * np.sin(self._gait))
        half = np.stack([width, height], axis=1) / 2
        whole = np.concatenate([place - half, place + half], axis=1)
        shown = np.clip(whole, 0.0, [camera.width, camera.height] * 2)
        share = np.prod(shown[:, 2:] - shown[:, :2], axis=1) / np.prod(2 * half, axis=1)
        share = np.where(np.isfinite(share), share, 0.0)
        visible = share * (1.0 - self._hidden(whole))
        keep = visible >= _LEAST_VISIBLE
        return shown[keep], np.flatnonzero(keep).astype(np.int64), visible[keep]

    def _hidden(self, boxes_px: Array) -> Array:
        """(N,) share of each that somebody nearer, or a pillar, stands before."""
        hidden = np.zeros(len(boxes_px))
        for row, (box, distance) in enumerate(zip(boxes_px, self._distance_m, strict=True)):
            nearer = boxes_px[self._distance_m < distance]
            if len(nearer) and np.isfinite(box).all():
                hidden[row] = np.nanmax(intersections(nearer, box)) / areas(box)
        for azimuth, half_width, distance in self._pillars:
            half = self._width_share * _PERSON_M / self._distance_m / 2
            common = np.minimum(self._azimuth + half, azimuth + half_width) - np.maximum(
                self._azimuth - half, azimuth - half_width
            )
            behind = self._distance_m > distance
            hidden = np.where(behind, np.maximum(hidden, np.clip(common / (2 * half), 0.0, 1.0)), hidden)
        return hidden


class _SeededDetector:
    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._false: list[tuple[Array, int]] = []  # a box, and for how many pictures more it is seen

    def detect(self, boxes_px: Array, visible: Array, camera: CameraModel) -> tuple[Array, Array]:
        """Boxes and scores of one picture, in no order."""
        random, count = self._random, len(boxes_px)
        size = np.tile(boxes_px[:, 2:] - boxes_px[:, :2], 2)
        spread = np.where(visible < 0.7, 0.06, 0.025)[:, None] * size
        found = boxes_px + random.normal(0.0, 1.0, (count, 4)) * spread
        chance = np.interp(visible, [0.15, 0.4, 0.7], [0.0, 0.6, 0.95])
        scores = np.clip(random.normal(0.85, 0.06, count) * np.interp(visible, [0.2, 0.8], [0.35, 1.0]), 0.05, 0.99)
        seen = random.random(count) < chance
        false_boxes, false_scores = self._false_alarms(camera)
        boxes = np.concatenate([found[seen], false_boxes])
        order = random.permutation(len(boxes))
        return boxes[order], np.concatenate([scores[seen], false_scores])[order]

    def _false_alarms(self, camera: CameraModel) -> tuple[Array, Array]:
        random = self._random
        for _ in range(random.poisson(0.15)):
            height = random.uniform(50.0, 180.0)
            centre = random.uniform(0.0, [camera.width, camera.height])
            half = np.array([0.4 * height, height]) / 2
            self._false.append((np.concatenate([centre - half, centre + half]), int(random.integers(1, 4))))
        boxes = np.array([box for box, _ in self._false]).reshape(-1, 4)
        boxes = boxes + random.normal(0.0, 2.0, boxes.shape)
        self._false = [(box, left - 1) for box, left in self._false if left > 1]
        return boxes, random.uniform(0.12, 0.7, len(boxes))
