# SPDX-License-Identifier: Apache-2.0
"""How true `target/bearing` and `target/position` are: somebody walks through an invented world, in invented time.

The simulated payload is carried by a vehicle that sways, and tells its telemetry on the wire; where the camera truly
looks is its truth. OpenCV projects the walker, as high as he truly is, into each picture; the boxes are those of a
detector that sets each edge wrong by 5 % of the box and misses one in twenty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.offline_loop import OfflineLoop, Shot, Timing, tracker_parameters
from gremsy_camera.scene.scene import simulated_camera
from gremsy_common.geometry import CAMERA_FROM_OPTICAL, matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import RangeReading
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_tracker.display.tracker_view import TrackerUpdate

Array = NDArray[np.float64]

SEEDS = (1, 2, 3)
SOURCES: Mapping[str, Mapping[str, Any]] = {
    'height': {'object_heights_m': ('person 1.7 0.1',)},
    'ground': {'camera_height_m': 6.0},
    'finder': {},
}
_SWAYING = ('vehicle_yaw_rad', 'vehicle_period_s', 'follow_window_rad')
_EDGE_SHARE, _MISSED, _WIDTH_SHARE = 0.05, 0.05, 1.0 / 3.0
_HEIGHT_M, _HEIGHT_STD_M, _CAMERA_M, _CAMERA_STD_M = 1.7, 0.1, 6.0, 0.1
_FINDER_STD_M, _FINDER_NS = 1.0, 250_000_000  # 4 Hz, as `lrf_mode`
# The first second and a half the gimbal is on its way to him.
_SETTLE_NS = 1_500_000_000


class Walker:
    """A course at 30 to 50 m, at most 1.5 m/s; the camera is at the origin, and the ground below it."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.height_m = float(random.normal(_HEIGHT_M, _HEIGHT_STD_M))
        self.camera_m = float(random.normal(_CAMERA_M, _CAMERA_STD_M))
        self._phases = random.uniform(0.0, 2 * math.pi, 2)

    def ends_m(self, time_s: float) -> Array:
        """(2, 3) of his head and feet."""
        along = 40.0 + 8.0 * math.sin(0.12 * time_s + self._phases[0])
        across = 8.0 * math.sin(0.15 * time_s + self._phases[1])
        return np.array([[along, across, self.height_m - self.camera_m], [along, across, -self.camera_m]])


@dataclass(frozen=True, slots=True)
class TargetErrors:
    """What came out for one image, beside the truth: errors in azimuth and tilt, by their standard deviation too."""

    bearing_error_rad: float
    bearing_normalised: Array
    position_error_m: float | None
    position_normalised: float | None


def watch(seed: int, source: str, duration_s: float = 12.0) -> list[TargetErrors]:
    """One run."""
    random, walker, camera = np.random.default_rng(100 + seed), Walker(seed), simulated_camera()
    matrix = np.asarray(camera.matrix)
    errors: list[TargetErrors] = []
    ranged_ns = 0
    began_ns: int | None = None

    def detect(shot: Shot) -> Detections:
        nonlocal ranged_ns, began_ns
        began_ns = shot.stamp_ns if began_ns is None else began_ns
        ends = walker.ends_m((shot.stamp_ns - began_ns) * 1e-9)
        still_from_camera = matrix_from_quaternion(quaternion_from_bearing(shot.view.azimuth_rad, shot.view.tilt_rad))
        if source == 'finder' and shot.stamp_ns - ranged_ns >= _FINDER_NS:
            ranged_ns = shot.stamp_ns
            range_m = _beam(ends, still_from_camera[:, 0]) + random.normal(0.0, _FINDER_STD_M)
            loop.tracker.offer_range(
                RangeReading(shot.stamp_ns, 'camera', range_m, 5.0, 300.0, 0.001), shot.stamp_ns + 1_000_000
            )
        turn, _ = cv2.Rodrigues(CAMERA_FROM_OPTICAL.T @ still_from_camera.T)
        (x, top), (_, foot) = cv2.projectPoints(ends, turn, np.zeros(3), matrix, None)[0].reshape(2, 2)
        tall = foot - top
        wide = _WIDTH_SHARE * tall
        box = np.array([x - wide / 2, top, x + wide / 2, foot])
        box += random.normal(0.0, _EDGE_SHARE, 4) * np.array([wide, tall, wide, tall])
        seen = random.random() > _MISSED and (box[:2] > 0).all() and (box[2:] < [camera.width, camera.height]).all()
        boxes = box[None] if seen else np.zeros((0, 4))
        labels = np.array(['person'] * len(boxes), dtype=np.str_)
        return Detections(shot.stamp_ns, 'optical', boxes, np.full(len(boxes), 0.8), labels)

    parameters = tracker_parameters('ideal', {'still_frame': 'still', **SOURCES[source]})
    swaying = {name: getattr(PRESETS['moving'], name) for name in _SWAYING}
    loop = OfflineLoop(detect, parameters, Timing(inference_s=0.06), seed=seed, payload=swaying, fed_s=math.inf)
    offered = loop.tracker.offer_detections

    def offer(detections: Detections, now_ns: int, send: Any = lambda _setpoint: None) -> TrackerUpdate | None:
        update = offered(detections, now_ns, send)
        if update is not None and update.bearing is not None and began_ns is not None:
            since_ns = update.tracks.stamp_ns - began_ns
            if since_ns >= _SETTLE_NS:
                errors.append(_compared(update, walker.ends_m(since_ns * 1e-9).mean(axis=0)))
        return update

    loop.tracker.offer_detections = offer  # type: ignore[method-assign]
    loop.run(duration_s)
    return errors


def figures(duration_s: float = 12.0) -> dict[str, Any]:
    """Of all runs: errors, and how far they are what their standard deviations say (1: as said)."""
    found: dict[str, Any] = {}
    bearings: list[TargetErrors] = []
    for source in SOURCES:
        errors = [each for seed in SEEDS for each in watch(seed, source, duration_s)]
        placed = [each for each in errors if each.position_error_m is not None]
        bearings += errors
        found[f'target_position_rms_m_{source}'] = _rms([each.position_error_m or 0.0 for each in placed])
        found[f'target_position_over_std_{source}'] = _root_mean(
            [(each.position_normalised or 0.0) / 3.0 for each in placed]
        )
        found[f'target_position_fraction_{source}'] = round(len(placed) / len(errors), 3) if errors else None
    found['target_bearing_rms_deg'] = _rms([math.degrees(each.bearing_error_rad) for each in bearings])
    found['target_bearing_over_std'] = _root_mean([float((each.bearing_normalised**2).mean()) for each in bearings])
    return found


def _beam(ends_m: Array, axis: Array) -> float:
    """What a laser along the axis measures: him, where it hits his upright body, else the ground or nothing."""
    head, foot = ends_m
    level = math.hypot(axis[0], axis[1])
    distance = math.hypot(foot[0], foot[1])
    beside = distance * math.remainder(math.atan2(axis[1], axis[0]) - math.atan2(foot[1], foot[0]), 2 * math.pi)
    height = distance * axis[2] / level
    if abs(beside) <= _WIDTH_SHARE * (head[2] - foot[2]) / 2 and foot[2] <= height <= head[2]:
        return distance / level
    return float(foot[2] / axis[2]) if axis[2] < 0.0 else math.inf


def _compared(update: TrackerUpdate, middle_m: Array) -> TargetErrors:
    bearing, position = update.bearing, update.position
    assert bearing is not None
    x, y, z = middle_m
    true = np.array([math.atan2(y, x), math.atan2(-z, math.hypot(x, y))])
    dx, dy, dz = bearing.direction
    seen = np.array([math.atan2(dy, dx), math.atan2(-dz, math.hypot(dx, dy))])
    off = np.array([math.remainder(each, 2 * math.pi) for each in (seen - true).tolist()])
    error_rad = math.hypot(off[0] * math.cos(true[1]), off[1])
    if position is None:
        return TargetErrors(error_rad, off / bearing.std_rad, None, None)
    away = position.position_m - middle_m
    return TargetErrors(
        error_rad,
        off / bearing.std_rad,
        float(np.linalg.norm(away)),
        float(away @ np.linalg.solve(position.covariance_m2, away)),
    )


def _rms(values: list[float]) -> float | None:
    return _root_mean([value**2 for value in values])


def _root_mean(squares: list[float]) -> float | None:
    return round(math.sqrt(float(np.mean(squares))), 3) if squares else None
