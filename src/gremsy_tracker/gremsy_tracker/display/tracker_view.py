# SPDX-License-Identifier: Apache-2.0
"""What the tracker hands out: the outcome of one image, and a picture of its state for overlay, markers and reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from gremsy_common.geometry import Array, bearing_from_direction
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Target, Tracks
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_common.types.target_place import TargetBearing, TargetPosition
from gremsy_tracker.lock.target_lock import LockStatus
from gremsy_tracker.place.target_range import RangeSource


@dataclass(frozen=True, slots=True, eq=False)
class TrackerUpdate:
    """What one image's detections led to.

    Attributes:
        tracks: confirmed tracks in this image.
        target: the locked one in (or coasted to) this image, None without a lock or where it cannot be placed.
        status: the lock's state after this image.
        setpoint: the rate to ask for now, at once; None when the gimbal is not to be moved by the tracker.
        zoom_setpoint: the magnification to ask for; None to leave the zoom alone.
        bearing: of the target that is followed or coasted, at this image's stamp; None without.
        position: the same with a range; None where nothing tells one.
        range_source: what it is by.
    """

    tracks: Tracks
    target: Target | None
    status: LockStatus
    setpoint: RateSetpoint | None
    zoom_setpoint: float | None = None
    bearing: TargetBearing | None = None
    position: TargetPosition | None = None
    range_source: RangeSource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrackerView:
    """The state at one time, as plain numbers. Bearings are of the still frame, which does not turn with the vehicle.

    Attributes:
        stamp_ns: the time it is shown for (a frame's stamp).
        tracks: the newest, moved by the camera's own motion to that time.
        status: the lock.
        enabled: whether a lock yields setpoints.
        still_because: why no rate is asked for, empty while one is.
        predicted_px: (2,) where the target is predicted at that time, None without an estimate.
        target_size_px: (2,) of its box when it was last seen, None without a target that is followed.
        target_bearing_rad, target_std_rad: (2,) estimate at that time, None without a lock.
        gimbal_bearing_rad: (2,) the optical axis at that time, None without telemetry.
        error_rad: angle between the two, None without either.
        latency_s: from capture to the outcome, of the newest image; None before the first.
        zoom: magnification against the widest view.
        camera: the camera model at that time.
        level_from_camera: (3, 3) at that time, of the still frame too.
        track_bearings_rad: (N, 2) bearings of the tracks in the newest image, None without telemetry.
        followed_classes: the target's class, or without a target those that may be taken; empty for any.
        unused_because: why the driver moves nothing by this tracker's rates; empty where it does, as far as is known.
        asked: the word that the target is chosen by; empty where none is to be chosen.
        heading_rad: azimuth of the gimbal's level frame in the still frame at that time.
    """

    stamp_ns: int
    tracks: Tracks
    status: LockStatus
    enabled: bool
    still_because: str
    predicted_px: Array | None
    target_size_px: Array | None
    target_bearing_rad: Array | None
    target_std_rad: Array | None
    gimbal_bearing_rad: Array | None
    error_rad: float | None
    latency_s: float | None
    zoom: float
    camera: CameraModel | None
    level_from_camera: Array | None
    track_bearings_rad: Array | None
    followed_classes: tuple[str, ...] = ()
    unused_because: str = ''
    asked: str = ''
    heading_rad: float = 0.0


def trace_values(update: TrackerUpdate, view: TrackerView) -> dict[str, Any]:
    """Of one image, for the trace (event `track`, see gremsy_common.timing.trace); `view` is of its stamp."""
    bearing, gimbal, target = view.target_bearing_rad, view.gimbal_bearing_rad, update.target
    return {
        'state': update.status.state.value,
        'reason': update.status.reason,
        'asked': view.asked,
        'tracks': len(update.tracks),
        'target_id': update.status.target_id if view.status.state.follows else None,
        'label': update.status.label if view.status.state.follows else '',
        'azimuth_rad': None if bearing is None else float(bearing[0]),
        'tilt_rad': None if bearing is None else float(bearing[1]),
        'gimbal_azimuth_rad': None if gimbal is None else float(gimbal[0]),
        'gimbal_tilt_rad': None if gimbal is None else float(gimbal[1]),
        'error_rad': view.error_rad,
        'box_px': None if target is None else target.box_px.tolist(),
    }


def place_rows(update: TrackerUpdate | None) -> dict[str, str]:
    """Of the newest image's target, for /diagnostics: bearing, rate and range, each with its standard deviation."""
    rows = {"target's azimuth, tilt (deg)": '', "target's rates (deg/s)": '', "target's range (m)": ''}
    if update is None or update.bearing is None:
        return rows
    bearing, position = update.bearing, update.position
    azimuth, tilt = np.degrees(bearing_from_direction(bearing.direction))
    rows["target's azimuth, tilt (deg)"] = _with_std((azimuth, tilt), np.degrees(bearing.std_rad))
    rows["target's rates (deg/s)"] = _with_std(np.degrees(bearing.rate_rad_s), np.degrees(bearing.rate_std_rad_s))
    if position is None or update.range_source is None:
        rows["target's range (m)"] = 'not known: nothing tells it'
        return rows
    along = bearing.direction @ position.covariance_m2 @ bearing.direction
    distance = float(np.linalg.norm(position.position_m))
    rows["target's range (m)"] = f'{distance:.1f} +- {np.sqrt(along):.1f}, by {update.range_source.value}'
    return rows


def _with_std(values: Any, stds: Any) -> str:
    return ', '.join(f'{value:.2f} +- {std:.2f}' for value, std in zip(values, stds, strict=True))


def state_text(status: LockStatus, *, enabled: bool, still_because: str, unused_because: str = '') -> str:
    """What `target/state` carries, one line of JSON for eyes and programs alike.

    State and reason of the lock, who is locked (null: nobody), why no rate is asked for (empty: one is), and why what
    is asked for moves nothing (empty: it does).
    """
    return json.dumps(
        {
            'state': status.state.value,
            'reason': status.reason,
            'id': status.target_id,
            'label': status.label,
            'enabled': enabled,
            'still_because': still_because,
            'unused_because': unused_because,
        }
    )
