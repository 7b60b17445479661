# SPDX-License-Identifier: Apache-2.0
"""The payload's own object tracking: a box that stays on its target, turns the camera after it, and may lose it."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum

from gremsy_gimbal_sim.camera.optics import CameraView
from gremsy_gimbal_sim.options.options_camera import BoardOptions
from gremsy_gimbal_sim.plant.simulated_motion import SimulatedMotion

_EVERY_S = 0.1
_GAIN_S = 1.0
_MAX_RATE_RAD_S = math.radians(30.0)


class TrackStatus(IntEnum):
    """TRK_STATUS & 0xff (gimbal.md 2.2)."""

    IDLE = 0
    TRACKED = 1
    LOST = 2


class TrackMode(IntEnum):
    """What a trigger does."""

    STOP = 0
    ACTIVE = 1
    EAGLE_EYES = 2


class OnBoardTracker:
    """One box.

    Args:
        options: the board's.
        motion: of the gimbal that it turns.
        view: the camera's true look now.
        start_s: the first time.
    """

    def __init__(
        self, options: BoardOptions, motion: SimulatedMotion, view: Callable[[], CameraView], start_s: float
    ) -> None:
        self._options = options
        self._motion = motion
        self._view = view
        self._next_s = start_s
        self.mode = TrackMode.STOP
        self.status = TrackStatus.IDLE
        self.box_px = (0.0, 0.0, 0.0, 0.0)
        """Centre, width and height on 1920 x 1080."""
        self._target_rad = (0.0, 0.0)
        self._begun_s = 0.0
        self._begun_size = (0.0, 0.0)
        self._begun_focal = 1.0

    def set_mode(self, mode: TrackMode, now_s: float) -> None:
        """Stop ends a track."""
        self.mode = mode
        if mode is TrackMode.STOP:
            self.stop(now_s)

    def trigger(self, x_px: float, y_px: float, width_px: float, height_px: float, now_s: float) -> None:
        """Take what is there; unless active, only look there once."""
        view = self._view()
        bearing = view.bearing(x_px, y_px)
        if self.mode is not TrackMode.ACTIVE:
            self._motion.angles(now_s, *bearing)
            return
        self._target_rad, self._begun_s = bearing, now_s
        self._begun_size, self._begun_focal = (width_px, height_px), view.focal_px
        self.box_px = (x_px, y_px, width_px, height_px)
        self.status = TrackStatus.TRACKED
        if self._options.track_turns_gimbal:
            self._motion.begin_tracking()

    def stop(self, now_s: float) -> None:
        """No track."""
        self.status = TrackStatus.IDLE
        self.box_px = (0.0, 0.0, 0.0, 0.0)
        self._motion.end_tracking(now_s)

    def power_up(self) -> None:
        """As after switching on."""
        self.mode, self.status, self.box_px = TrackMode.STOP, TrackStatus.IDLE, (0.0, 0.0, 0.0, 0.0)

    def advance(self, now_s: float) -> None:
        """Look again ten times a second."""
        if self.status is not TrackStatus.TRACKED or now_s < self._next_s:
            return
        self._next_s = max(self._next_s + _EVERY_S, now_s + 0.5 * _EVERY_S)
        options, elapsed = self._options, now_s - self._begun_s
        azimuth = self._target_rad[0] + options.target_turn_rad_s * elapsed
        tilt = self._target_rad[1]
        view = self._view()
        pixel = view.pixel(azimuth, tilt)
        if pixel is None or (options.track_lost_after_s and elapsed >= options.track_lost_after_s):
            self.status = TrackStatus.LOST
            self._motion.end_tracking(now_s)
            return
        grown = view.focal_px / self._begun_focal
        self.box_px = (*pixel, self._begun_size[0] * grown, self._begun_size[1] * grown)
        if self._motion.tracking:
            azimuth_error = math.remainder(azimuth - view.azimuth_rad, 2.0 * math.pi)
            self._motion.track(now_s, _rate(azimuth_error), _rate(tilt - view.tilt_rad))


def _rate(error_rad: float) -> float:
    return max(-_MAX_RATE_RAD_S, min(_MAX_RATE_RAD_S, _GAIN_S * error_rad))
