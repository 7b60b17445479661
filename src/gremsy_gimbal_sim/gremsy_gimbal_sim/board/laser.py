# SPDX-License-Identifier: Apache-2.0
"""The laser range finder, and the place that it hits."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from gremsy_gimbal_sim.camera.optics import CameraView
from gremsy_gimbal_sim.options.options_camera import BoardOptions
from gremsy_gimbal_sim.wire.outbox import StreamSchedule

OFF = 3
_INTERVALS_S = {0: 1.0, 1: 0.25, 2: 0.1, OFF: math.inf}
_EARTH_RADIUS_M = 6_371_000.0
_RELAYED_EVERY_S = 1.0

Place = tuple[float, float, float]


class Laser:
    """Measures as often as LRF_MODE says: to the ground where the camera looks down, else to what is straight ahead."""

    def __init__(
        self, options: BoardOptions, view: Callable[[], CameraView], random: np.random.Generator, start_s: float
    ) -> None:
        self._options = options
        self._view = view
        self._random = random
        self._schedule = StreamSchedule({'measurement': _INTERVALS_S[options.laser_mode]}, start_s)
        self.range_m = 0.0
        """0 while it is off or measures nothing."""

    def set_mode(self, mode: int, now_s: float) -> None:
        """LRF_MODE: 3 off, 0 1 Hz, 1 4 Hz, 2 10 Hz."""
        self._schedule.set('measurement', _INTERVALS_S[mode], now_s)
        if mode == OFF:
            self.range_m = 0.0

    def advance(self, now_s: float) -> None:
        """Measure when it is time."""
        if not self._schedule.due(now_s):
            return
        options = self._options
        measured = options.laser_range_m
        down = math.sin(self._view().tilt_rad)
        if down > 0:
            measured = min(measured, options.laser_height_m / down)
        if options.laser_noise_m:
            measured += float(self._random.normal(0.0, options.laser_noise_m))
        self.range_m = 0.0 if options.laser_says_zero else max(measured, 0.0)


class Position:
    """Where the vehicle is by an autopilot's GLOBAL_POSITION_INT, which the board passes on late and once a second.

    (0, 0) is no fix.
    """

    def __init__(self, options: BoardOptions) -> None:
        self._options = options
        here = (options.longitude_deg, options.latitude_deg, options.altitude_m)
        self._received: deque[tuple[float, Place]] = deque([(-math.inf, here)])
        self._relayed = here
        self._relayed_at_s = -math.inf

    def take(self, place: Place, now_s: float) -> None:
        """Longitude and latitude in deg, altitude in m."""
        self._received.append((now_s, place))
        self._forget(now_s)

    def lon_lat_alt(self, now_s: float) -> Place:
        """PAY_*."""
        if not self._options.position_fix:
            return 0.0, 0.0, 0.0
        if now_s >= self._relayed_at_s + _RELAYED_EVERY_S:
            self._relayed_at_s = now_s
            self._forget(now_s)
            self._relayed = self._received[0][1]
        return self._relayed

    def _forget(self, now_s: float) -> None:
        """All but the newest that is old enough to be passed on, and what came after it."""
        known_s = now_s - self._options.position_age_s
        while len(self._received) > 1 and self._received[1][0] <= known_s:
            self._received.popleft()

    def target(self, view: CameraView, range_m: float, now_s: float) -> Place:
        """TARGET_*: that far along the line of sight, azimuth from north; zeros where nothing is measured."""
        longitude, latitude, altitude = self.lon_lat_alt(now_s)
        if range_m <= 0 or not self._options.position_fix:
            return 0.0, 0.0, 0.0
        level_m = range_m * math.cos(view.tilt_rad)
        north_m, west_m = level_m * math.cos(view.azimuth_rad), level_m * math.sin(view.azimuth_rad)
        return (
            longitude - math.degrees(west_m / (_EARTH_RADIUS_M * math.cos(math.radians(latitude)))),
            latitude + math.degrees(north_m / _EARTH_RADIUS_M),
            altitude - range_m * math.sin(view.tilt_rad),
        )
