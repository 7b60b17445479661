# SPDX-License-Identifier: Apache-2.0
"""The zoom to ask for with each image: for a target that is followed, or out to where one that was lost may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import wrap_angle
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.gimbal_state import ZoomState
from gremsy_tracker.pointing.bearing_filter import BearingEstimate
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.zoom import ZoomControl, ZoomSight
from gremsy_tracker.zoom_history import ZoomHistory

Array = NDArray[np.float64]

# A target that is lost may be in any direction.
_ANYWHERE_RAD = np.pi


class TargetZoom:
    """`ZoomControl` with the magnification that each image was taken with; call one of the three with each image."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self._history = ZoomHistory()
        self._control = ZoomControl(parameters)

    @property
    def factor(self) -> float:
        """The newest magnification reported, 1 before the first."""
        return self._history.newest or 1.0

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on."""
        self._control.parameters = parameters

    def offer(self, zoom: ZoomState) -> None:
        """The payload's report."""
        self._history.offer(zoom)

    def restart_time(self) -> None:
        """The clock was set."""
        self._history.clear()
        self._control.rest()

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
        """For no target: the zoom stays as it is."""
        self._control.rest()

    def _ask(
        self, stamp_ns: int, camera: CameraModel, size_px: Array | None, offset_rad: Array, std_rad: Array
    ) -> float | None:
        zoom = self._history.at(stamp_ns)
        if zoom is None:
            self._control.rest()
            return None
        return self._control.update(ZoomSight(stamp_ns, zoom, camera, size_px, offset_rad, std_rad))
