# SPDX-License-Identifier: Apache-2.0
"""The tracker's view of the world as RViz markers: field of view, a ray to each track, a bold one to the target."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from gremsy_common.messages.header import header
from gremsy_tracker.marker_geometry import bearing_rays, field_of_view
from gremsy_tracker.pointing_view import PointingView

Array = NDArray[np.float64]

# Bearings have no distance: the length is for the eye, about a room's.
_RAY_M = 10.0
_FIELD_M = 2.0
# A marker that is not renewed goes away by itself; they come at 10 Hz.
_LIFETIME = Duration(nanosec=500_000_000)


def markers_of(view: PointingView, level_frame: str) -> MarkerArray:
    """Always the same three markers, so that an empty one replaces what was there."""
    no_lines = np.zeros((0, 2, 3))
    field = no_lines
    if view.camera is not None and view.level_from_camera is not None:
        field = field_of_view(view.camera, view.level_from_camera, _FIELD_M)
    tracks = no_lines if view.track_bearings_rad is None else bearing_rays(view.track_bearings_rad, _RAY_M)
    target = no_lines if view.target_bearing_rad is None else bearing_rays(view.target_bearing_rad[None], _RAY_M)
    return MarkerArray(
        markers=[
            _lines(view.stamp_ns, level_frame, 'field_of_view', field, 0.01, ColorRGBA(r=0.9, g=0.9, b=0.9, a=0.8)),
            _lines(view.stamp_ns, level_frame, 'tracks', tracks, 0.02, ColorRGBA(r=0.43, g=0.75, b=0.84, a=0.8)),
            _lines(view.stamp_ns, level_frame, 'target', target, 0.05, ColorRGBA(r=1.0, g=0.67, b=0.16, a=1.0)),
        ]
    )


def _lines(stamp_ns: int, frame_id: str, name: str, lines_m: Array, width_m: float, colour: ColorRGBA) -> Marker:
    marker = Marker(header=header(stamp_ns, frame_id), ns=name, type=Marker.LINE_LIST, lifetime=_LIFETIME, color=colour)
    marker.action = Marker.ADD if len(lines_m) else Marker.DELETE
    marker.pose.orientation.w = 1.0
    marker.scale.x = width_m
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in lines_m.reshape(-1, 3).tolist()]
    return marker
