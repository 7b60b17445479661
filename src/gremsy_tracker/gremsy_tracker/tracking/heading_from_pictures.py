# SPDX-License-Identifier: Apache-2.0
"""How the level frame turns with the vehicle, by the pictures: the last that is asked, when nothing else tells.

Things that stand still show how the camera turned in the world, telemetry how it turned against the vehicle; the rest
is the vehicle's. Each picture is compared with one of up to a second ago, so that what a corner is found wrong by adds
up once a second and not with each picture. It costs 8 ms a picture, five a second of them while the vehicle rests, and
needs texture that does not move.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, Array
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import LevelHeading
from gremsy_tracker.pointing.bearings import turned_about_up
from gremsy_tracker.tracking.visual_ego_motion import KnownMotion, VisualEgoMotion

# Of a camera that sends more: 30 a second are enough for any vehicle.
_LEAST_APART_NS = 30_000_000
# A picture is compared with one that is no older, and turned away from it by no more than this share of the field.
_OLDEST_NS = 800_000_000
_LARGEST_TURN = 0.3
# The rate is the slope at the end of a parabola through the samples of so long.
_FITTED_NS = 320_000_000
_LEAST_FITTED = 4
# A vehicle that has not turned by more than that for so long is looked at five times a second: a sixth of the cost.
_CALM_RAD, _CALM_NS, _CALM_EVERY_NS = math.radians(0.35), 4_000_000_000, 190_000_000
# What is older than this is not continued.
_LONGEST_GAP_NS = 400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A picture whose heading is known, and how the camera looked in it against what does not turn."""

    stamp_ns: int
    heading_rad: float
    still_from_camera: Array


class HeadingFromPictures:
    """Offer pictures, then `look`; the two may be called from different threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._visual = VisualEgoMotion(_LEAST_APART_NS)
        self._key: _Known | None = None
        self._last: _Known | None = None
        self._estimates: deque[tuple[int, float]] = deque(maxlen=16)
        self._moved: tuple[int, float] | None = None  # when it had last turned by so much, and where to
        self._since_ns: int | None = None
        self._begun = 0  # how often; what was looked at before is not gone on from

    def clear(self, since_ns: int | None = None) -> None:
        """The clock restarted, or another source took over: what was known is not continued.

        Args:
            since_ns: from when on telemetry counts as it does now; older pictures, of which some are still to come,
                are not used. None for always.
        """
        with self._mutex:
            self._begun += 1
            self._since_ns = since_ns
            self._visual.clear()
            self._key = self._last = None
            self._estimates.clear()
            self._moved = None

    def offer_frame(self, frame: Frame) -> None:
        """A picture."""
        with self._mutex:
            if self._since_ns is None or frame.stamp_ns >= self._since_ns:
                self._visual.offer(frame.stamp_ns, frame.image)

    def look(self, telemetry_until_ns: int, known: KnownMotion, moving_boxes_px: Array | None) -> LevelHeading | None:
        """The heading at the newest picture that telemetry reaches; None where it is not seen.

        Args:
            telemetry_until_ns: stamp of the newest telemetry.
            known: by telemetry; this goes on from its heading.
            moving_boxes_px: (N, 4) of what may move by itself, lately.
        """
        with self._mutex:
            stamp_ns = max(self._visual.stamps_until(telemetry_until_ns), default=None)
            begun, last, key, moved = self._begun, self._last, self._key, self._moved
        if stamp_ns is None or (last is not None and stamp_ns <= last.stamp_ns):
            return None
        calm = moved is not None and stamp_ns - moved[0] > _CALM_NS
        if calm and last is not None and stamp_ns - last.stamp_ns < _CALM_EVERY_NS:
            return None
        camera, attitude = known.camera_at(stamp_ns), known.level_from_camera(stamp_ns)
        if camera is None or attitude is None:
            return None
        base: _Known | None = None
        if last is None or stamp_ns - last.stamp_ns > _LONGEST_GAP_NS:
            heading_rad = known.heading_at(stamp_ns)
        else:
            found = self._seen(last, key, stamp_ns, camera, attitude, known, moving_boxes_px)
            if found is None:
                return None
            heading_rad, base = found
        now = _Known(stamp_ns, heading_rad, turned_about_up(attitude, heading_rad))
        with self._mutex:
            if begun != self._begun:
                return None  # cleared in the meantime by another thread
            if base is None:
                self._estimates.clear()
            self._last, self._key = now, base or now
            self._estimates.append((stamp_ns, heading_rad))
            if moved is None or abs(heading_rad - moved[1]) > _CALM_RAD:
                self._moved, calm = (stamp_ns, heading_rad), False
            return LevelHeading(stamp_ns, '', heading_rad, 0.0 if calm else self._rate())

    # Inside.

    def _seen(
        self,
        last: _Known,
        key: _Known | None,
        stamp_ns: int,
        camera: CameraModel,
        attitude: Array,
        known: KnownMotion,
        moving_boxes_px: Array | None,
    ) -> tuple[float, _Known] | None:
        """From the picture of a while ago, else from the last: the heading, and which of them it is from."""
        for base in (key, last):
            if base is None or stamp_ns - base.stamp_ns > _OLDEST_NS or known.camera_at(base.stamp_ns) != camera:
                continue
            cosine = float(base.still_from_camera[:, 0] @ last.still_from_camera[:, 0])
            turned = math.acos(max(-1.0, min(1.0, cosine)))
            if turned > _LARGEST_TURN * camera.horizontal_field_rad:
                continue
            motion = self._visual.motion(base.stamp_ns, stamp_ns, moving_boxes_px)
            if motion is None:
                continue
            still_from_camera = base.still_from_camera @ _camera_turn(motion, camera).T
            # What turns the one attitude into the other, as near as a turn about up can.
            turn = still_from_camera @ attitude.T
            heading_rad = math.atan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])
            return last.heading_rad + math.remainder(heading_rad - last.heading_rad, 2 * math.pi), base
        return None

    def _rate(self) -> float:
        """Of the newest samples; not a number while they are too few."""
        newest_ns = self._estimates[-1][0]
        near = [(at_ns, heading) for at_ns, heading in self._estimates if newest_ns - at_ns <= _FITTED_NS]
        if len(near) < _LEAST_FITTED:
            return math.nan
        times_s = np.array([(at_ns - newest_ns) * 1e-9 for at_ns, _ in near])
        return float(np.polynomial.polynomial.polyfit(times_s, [heading for _, heading in near], 2)[1])


def _camera_turn(motion: Array, camera: CameraModel) -> Array:
    """(3, 3) from the earlier camera frame to the later: the rotation nearest to the homography's."""
    turn = camera.inverse_matrix @ motion @ camera.matrix
    left, _, right = np.linalg.svd(turn / np.cbrt(np.linalg.det(turn)))
    return np.asarray(CAMERA_FROM_OPTICAL @ left @ right @ CAMERA_FROM_OPTICAL.T)
