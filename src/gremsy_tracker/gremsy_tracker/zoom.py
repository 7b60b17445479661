# SPDX-License-Identifier: Apache-2.0
"""How far to zoom: so that the target fills a wanted share of the frame, and never so far that it may leave it.

Zoom changes the gain of the loop, the blur and what the detector sees, so it is left alone while the share is near the
wanted one (hysteresis), and changed no faster than a detector gets used to. It goes out, whatever the share, while the
target's place is uncertain or near the frame's edge: a target that is lost zoomed in is not found again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array, wrap_angle
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.gimbal_state import ZoomState
from gremsy_tracker.pointing.bearing_filter import BearingEstimate
from gremsy_tracker.tracker_parameters import TrackerParameters

# Three standard deviations of the target's place must fit into this share of the half frame; so that going in for the
# size and out for the room do not take turns, it goes in only up to 0.7 of that.
_ROOM_SHARE = 0.5
_ROOM_TO_GO_IN = 0.7
# A lens is asked five times a second at most, and not for a change that nobody sees.
_INTERVAL_S = 0.2
_LEAST_CHANGE = 1.02
# After a longer pause the last request is forgotten: somebody else may have zoomed.
_LONGEST_STEP_S = 1.0
# A lens reports five times a second; the images that are asked about are younger than a second.
_REPORTS_KEPT = 32
# Older than this, a report says nothing: somebody else may have zoomed since.
_BELIEVED_NS = 2_000_000_000
# A target that is lost may be in any direction.
_ANYWHERE_RAD = np.pi


@dataclass(frozen=True, slots=True, eq=False)
class ZoomView:
    """What zoom control looks at.

    Attributes:
        stamp_ns: of the image.
        zoom: magnification that the image was taken with.
        camera: its intrinsics, zoom included.
        size_px: (2,) of the target's box, None when it is not seen.
        offset_rad: (2,) of the target from the optical axis.
        std_rad: (2,) standard deviations of the target's bearing.
    """

    stamp_ns: int
    zoom: float
    camera: CameraModel
    size_px: Array | None
    offset_rad: Array
    std_rad: Array


class ZoomControl:
    """What the payload reported, what was asked for, and whether it is still on its way to a size.

    Call `follow`, `widen` or `rest` with each image. Not for several threads at once.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self._reports: TimedHistory[ZoomState] = TimedHistory(most=_REPORTS_KEPT)
        self._seeking = False
        self._asked_ns: int | None = None
        self._asked = 1.0

    def offer(self, state: ZoomState) -> None:
        """One report; nonsense and a repeated one are left out, an earlier time than the last starts again."""
        if math.isfinite(state.factor) and state.factor > 0.0 and state.stamp_ns != self._reports.newest_ns:
            self._reports.put(state.stamp_ns, state)

    def restart_time(self) -> None:
        """The clock was set."""
        self._reports.clear()
        self.rest()

    @property
    def factor(self) -> float:
        """The newest magnification reported, however old; 1 before the first."""
        newest = self._reports.newest
        return 1.0 if newest is None else newest.factor

    def factor_at(self, stamp_ns: int) -> float | None:
        """The magnification at that time, None where no report is near enough.

        A lens takes equal times for equal factors, so between two reports the logarithm is interpolated; before the
        oldest and after the newest it is that one's.
        """
        earlier, later = self._reports.around(stamp_ns)
        near = [each for each in (earlier, later) if each is not None and abs(each.stamp_ns - stamp_ns) <= _BELIEVED_NS]
        if not near:
            return None
        if earlier is None or later is None or earlier is later:
            return near[0].factor
        share = (stamp_ns - earlier.stamp_ns) / (later.stamp_ns - earlier.stamp_ns)
        return earlier.factor * (later.factor / earlier.factor) ** share

    def follow(
        self, stamp_ns: int, camera: CameraModel, axis_rad: Array, target: BearingEstimate, size_px: Array | None
    ) -> float | None:
        """For a target that is followed.

        Args:
            stamp_ns: of the image.
            camera: its intrinsics.
            axis_rad: (2,) bearing of the optical axis at that time.
            target: at that time.
            size_px: (2,) of its box, None when it is not in the image.
        """
        narrowing = np.array([np.cos(target.bearing_rad[1]), 1.0])  # of azimuth towards the pole
        offset = wrap_angle(target.bearing_rad - axis_rad) * narrowing
        return self._ask(stamp_ns, camera, size_px, offset, target.std_rad * narrowing)

    def widen(self, stamp_ns: int, camera: CameraModel) -> float | None:
        """For a target that was lost: zoomed in, it would not be found again."""
        return self._ask(stamp_ns, camera, None, np.zeros(2), np.full(2, _ANYWHERE_RAD))

    def rest(self) -> None:
        """Nothing is followed: the zoom stays as it is."""
        self._seeking = False
        self._asked_ns = None

    def _ask(
        self, stamp_ns: int, camera: CameraModel, size_px: Array | None, offset_rad: Array, std_rad: Array
    ) -> float | None:
        zoom = self.factor_at(stamp_ns)
        if zoom is None:
            self.rest()
            return None
        return self.update(ZoomView(stamp_ns, zoom, camera, size_px, offset_rad, std_rad))

    def update(self, view: ZoomView) -> float | None:
        """The zoom factor to ask for, None to leave it."""
        parameters = self.parameters
        values = (view.zoom, *view.offset_rad.tolist(), *view.std_rad.tolist())
        if not parameters.zoom_control or not all(map(math.isfinite, values)) or view.zoom <= 0.0:
            return None
        if not view.camera.usable:
            return None
        since_s = math.inf if self._asked_ns is None else (view.stamp_ns - self._asked_ns) * 1e-9
        if not 0.0 <= since_s <= _LONGEST_STEP_S:
            since_s, self._asked = _INTERVAL_S, view.zoom
        if since_s < _INTERVAL_S - 1e-6:
            return None
        requested = self._requested(view)
        if requested is None:
            return None
        most = math.exp(parameters.zoom_rate_per_s * since_s)
        # From what was asked last: a slow lens is not asked for less than it was on its way to.
        requested = min(max(requested, self._asked / most), self._asked * most)
        requested = min(max(requested, parameters.zoom_min), parameters.zoom_max)
        if max(requested / self._asked, self._asked / requested) < _LEAST_CHANGE:
            return None
        self._asked, self._asked_ns = requested, view.stamp_ns
        return requested

    def _requested(self, view: ZoomView) -> float | None:
        size, room = self._for_size(view), self._for_room(view)
        if room < view.zoom:
            return room if size is None else min(size, room)
        return None if size is None else min(size, max(view.zoom, _ROOM_TO_GO_IN * room))

    def _for_size(self, view: ZoomView) -> float | None:
        """That with which the target has its share, once out of the band until well inside; else None."""
        parameters = self.parameters
        if view.size_px is None or not bool(np.isfinite(view.size_px).all()) or float(view.size_px.max()) <= 0.0:
            return None
        share = float((view.size_px / np.array([view.camera.width, view.camera.height])).max())
        ratio = parameters.zoom_target_share / share
        off = max(ratio, 1.0 / ratio)
        if off > parameters.zoom_hysteresis:
            self._seeking = True
        elif off < math.sqrt(parameters.zoom_hysteresis):
            self._seeking = False
        return view.zoom * ratio if self._seeking else None

    def _for_room(self, view: ZoomView) -> float:
        """The largest zoom at which the target, as uncertain as it is, stays inside the frame."""
        camera = view.camera
        half_px = camera.size_px / 2
        half_rad = np.arctan2(half_px, camera.focal_px)
        used = float(((np.abs(view.offset_rad) + 3.0 * view.std_rad) / (_ROOM_SHARE * half_rad)).max())
        return view.zoom / used if used > 0.0 else math.inf
