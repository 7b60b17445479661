# SPDX-License-Identifier: Apache-2.0
"""The tracker's view of the world as RViz markers: field of view, a ray to each track, a bold one to the target.

The still frame on /tf: a child of the gimbal's level frame, from which it turns back with the vehicle's heading.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Quaternion, Transform, TransformStamped
from std_msgs.msg import ColorRGBA
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from gremsy_common.geometry import Array
from gremsy_common.ros.messages.header_messages import header
from gremsy_tracker.display.marker_geometry import bearing_points, bearing_rays, field_of_view, uncertainty_cone
from gremsy_tracker.display.tracker_view import TrackerView
from gremsy_tracker.lock.target_lock import LockState
from gremsy_tracker.pointing.bearings import turned_about_up

# Bearings have no distance: the length is for the eye, about a room's. Names stand just outside the field's far side.
_RAY_M = 10.0
_FIELD_M = 2.0
_NAME_M = 2.3
_NAME_HEIGHT_M = 0.12
_SIGMAS = 3.0
# A marker that is not renewed goes away by itself; they come at 10 Hz.
_LIFETIME = Duration(nanosec=500_000_000)
_LARGEST_ID = 0x7FFFFFFF
# The overlay's colours.
_WHITE = (0.9, 0.9, 0.9)
_SKY = (0.34, 0.71, 0.91)
_ORANGE = (0.90, 0.62, 0.0)
_YELLOW = (0.94, 0.89, 0.26)


def markers_of(view: TrackerView, level_frame: str) -> MarkerArray:
    """Everything again: the first marker deletes what was there, each other has its namespace and id for good.

    `field_of_view`, `boresight`, `target` and `target_uncertainty` have id 0; `tracks` and `names` have the track's.
    """
    frame = header(view.stamp_ns, level_frame)
    view = _in_level_frame(view)
    markers = [Marker(header=frame, ns='', action=Marker.DELETEALL)]
    if view.camera is not None and view.level_from_camera is not None:
        field = field_of_view(view.camera, view.level_from_camera, _FIELD_M)
        markers.append(_lines(frame, 'field_of_view', 0, field, 0.01, _colour(_WHITE, 0.8)))
    if view.gimbal_bearing_rad is not None:
        boresight = bearing_rays(view.gimbal_bearing_rad[None], _RAY_M)
        markers.append(_lines(frame, 'boresight', 0, boresight, 0.008, _colour(_WHITE, 0.5)))
    if view.track_bearings_rad is not None:
        markers += _tracks(frame, view, view.track_bearings_rad)
    if view.target_bearing_rad is not None:
        markers += _target(frame, view, view.target_bearing_rad)
    return MarkerArray(markers=markers)


def _in_level_frame(view: TrackerView) -> TrackerView:
    """The level frame turns with the vehicle, the still frame that the view is of does not."""
    if view.heading_rad == 0.0:
        return view

    def turned(bearings_rad: Array | None) -> Array | None:
        return None if bearings_rad is None else bearings_rad - np.array([view.heading_rad, 0.0])

    orientation = view.level_from_camera
    return replace(
        view,
        level_from_camera=None if orientation is None else turned_about_up(orientation, -view.heading_rad),
        gimbal_bearing_rad=turned(view.gimbal_bearing_rad),
        track_bearings_rad=turned(view.track_bearings_rad),
        target_bearing_rad=turned(view.target_bearing_rad),
    )


def _tracks(frame: object, view: TrackerView, track_bearings_rad: Array) -> list[Marker]:
    """All but the target, which has its own."""
    others = np.isfinite(track_bearings_rad).all(axis=1)
    if view.target_bearing_rad is not None and view.status.state is LockState.TRACKING:
        others &= view.tracks.ids != view.status.target_id
    rays, places = bearing_rays(track_bearings_rad, _RAY_M), bearing_points(track_bearings_rad, _NAME_M)
    found = []
    for row in np.flatnonzero(others).tolist():
        track_id, name = int(view.tracks.ids[row]), f'{view.tracks.labels[row]} {view.tracks.ids[row]}'
        found.append(_lines(frame, 'tracks', track_id, rays[row : row + 1], 0.015, _colour(_SKY, 0.8)))
        found.append(_name(frame, track_id, name, places[row], _colour(_SKY, 1.0)))
    return found


def _target(frame: object, view: TrackerView, bearing_rad: Array) -> list[Marker]:
    seen = view.status.state is LockState.TRACKING
    colour, track_id = _ORANGE if seen else _YELLOW, view.status.target_id or 0
    name = f'{view.status.label} {track_id}' + ('' if seen else ' (not seen)')
    found = [_lines(frame, 'target', 0, bearing_rays(bearing_rad[None], _RAY_M), 0.05, _colour(colour, 1.0))]
    if view.target_std_rad is not None:
        cone = uncertainty_cone(bearing_rad, _SIGMAS * view.target_std_rad, _RAY_M)
        found.append(_lines(frame, 'target_uncertainty', 0, cone, 0.01, _colour(colour, 0.6)))
    found.append(_name(frame, track_id, name, bearing_points(bearing_rad[None], _NAME_M)[0], _colour(colour, 1.0)))
    return found


def _lines(frame: object, name: str, number: int, lines_m: Array, width_m: float, colour: ColorRGBA) -> Marker:
    marker = _marker(frame, name, number, Marker.LINE_LIST, colour)
    marker.scale.x = width_m
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in lines_m.reshape(-1, 3).tolist()]
    return marker


def _name(frame: object, number: int, text: str, place_m: Array, colour: ColorRGBA) -> Marker:
    marker = _marker(frame, 'names', number, Marker.TEXT_VIEW_FACING, colour)
    marker.text, marker.scale.z = text, _NAME_HEIGHT_M
    x, y, z = place_m.tolist()
    marker.pose.position = Point(x=x, y=y, z=z)
    return marker


def _marker(frame: object, name: str, number: int, kind: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=frame, ns=name, id=number & _LARGEST_ID, type=kind, action=Marker.ADD, color=colour)
    marker.lifetime = _LIFETIME
    marker.pose.orientation.w = 1.0
    return marker


def _colour(rgb: tuple[float, float, float], opacity: float) -> ColorRGBA:
    return ColorRGBA(r=rgb[0], g=rgb[1], b=rgb[2], a=opacity)


def still_transform(stamp_ns: int, level_frame: str, still_frame: str, heading_rad: float) -> TFMessage:
    """One transform; the two frames have one origin, and an azimuth in the still frame is larger by the heading."""
    half = -heading_rad / 2.0
    turned = Transform(rotation=Quaternion(w=math.cos(half), z=math.sin(half)))
    return TFMessage(
        transforms=[
            TransformStamped(header=header(stamp_ns, level_frame), child_frame_id=still_frame, transform=turned)
        ]
    )
