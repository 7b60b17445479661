# SPDX-License-Identifier: Apache-2.0
"""All that is known of the robot now, by its topics; stored by ROS's thread, read by the server's."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_common.geometry import bearing_from_direction, matrix_from_quaternion
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import NOBODY, ControlState
from gremsy_common.types.detections import Target, Tracks
from gremsy_common.types.gimbal_state import GimbalAttitude, ZoomState
from gremsy_common.types.video_time import VideoTime
from gremsy_web.robot.stamp_memory import StampMemory

_RATE_WINDOW = 60
_ARRIVALS_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class ModelAt:
    """A camera's intrinsics for the image of that stamp."""

    stamp_ns: int
    model: CameraModel


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node's row of /diagnostics.

    Attributes:
        level: 0 well, 1 warning, 2 error, 3 stale.
        came_s: when, by the monotonic clock.
    """

    name: str
    level: int
    message: str
    values: Mapping[str, str]
    came_s: float


class Arrivals:
    """How often something comes, and when it came last; one thread writes."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_RATE_WINDOW)

    def note(self, now_s: float) -> None:
        """One came."""
        self._times.append(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Over the last two seconds."""
        recent = [each for each in list(self._times) if now_s - each < _ARRIVALS_AFTER_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def age_s(self, now_s: float) -> float | None:
        """Since the last; None before the first."""
        times = list(self._times)
        return now_s - times[-1] if times else None


@dataclass
class CameraPicture:
    """One camera: what its detector and tracker see."""

    name: str
    tracks: StampMemory[Tracks] = field(default_factory=StampMemory)
    models: StampMemory[ModelAt] = field(default_factory=StampMemory)
    frames: Arrivals = field(default_factory=Arrivals)
    results: Arrivals = field(default_factory=Arrivals)
    times: StampMemory[VideoTime] = field(default_factory=StampMemory)
    pulled: bool = False
    """Whether the media server has its video from the camera itself, so that the RTP time is not made of the stamp."""
    target: Target | None = None
    target_state: Mapping[str, Any] = field(default_factory=dict)

    def size_at(self, stamp_ns: int = 0) -> tuple[int, int] | None:
        """Width and height in px of the image of that stamp (0: the newest); None before the first.

        A camera that was set to another size had another one before.
        """
        found = self.models.nearest(stamp_ns) if stamp_ns else self.models.newest
        return None if found is None else (found.model.width, found.model.height)

    def size_content(self, stamp_ns: int = 0) -> dict[str, int | None]:
        """The same for a message."""
        width, height = self.size_at(stamp_ns) or (None, None)
        return {'width': width, 'height': height}

    def rtp_of(self, stamp_ns: int) -> int | None:
        """The RTP time of its video frame of that stamp; None where it is not known."""
        if not self.pulled:
            return rtp_time(stamp_ns)
        entry = self.times.at(stamp_ns)
        return None if entry is None else entry.rtp

    @property
    def target_name(self) -> str:
        """As `person 7`; empty while none is known."""
        state = self.target_state
        return '' if state.get('id') is None else f'{state.get("label", "")} {state["id"]}'

    @property
    def locked_target(self) -> Target | None:
        """The target while the tracker is locked on one."""
        target = self.target
        return target if target is not None and self.target_state.get('id') == target.id else None


class RobotPicture:
    """The robot of these cameras; every field is replaced as a whole, so that a reader sees one state or the next."""

    def __init__(self, robot: str, cameras: Sequence[str]) -> None:
        self.robot = robot
        self.cameras = {name: CameraPicture(name) for name in cameras}
        self.attitudes: StampMemory[GimbalAttitude] = StampMemory()
        self.attitude_arrivals = Arrivals()
        self.zoom: ZoomState | None = None
        self.control = ControlState(False, NOBODY)
        self.control_known = False
        self.goal: Mapping[str, Any] = {}
        self.limits_rad: Mapping[str, tuple[float, float]] = {}
        self.video_server: str | None = 'it has not been asked yet'
        """Why the video server cannot be used; None while it answers."""
        self._nodes: dict[str, NodeState] = {}
        self._lock = threading.Lock()

    def video_is_pulled(self, path: str, pulled: bool) -> None:
        """What the video server says of a path: the clean video of a camera is called like that camera."""
        if path in self.cameras:
            self.cameras[path].pulled = pulled

    def on_node_state(self, state: NodeState) -> None:
        """A row of /diagnostics."""
        with self._lock:
            self._nodes[state.name] = state

    def nodes(self) -> list[NodeState]:
        """By name."""
        with self._lock:
            return [self._nodes[name] for name in sorted(self._nodes)]

    def pointing_error_rad(self) -> float | None:
        """Of the tracker that moves the gimbal, as it says it in /diagnostics; None where none is locked."""
        for node in self.nodes():
            text = node.values.get('pointing error (deg)', '')
            if text:
                degrees = number(text)
                return None if degrees is None else math.radians(degrees)
        return None

    def following(self) -> list[CameraPicture]:
        """Those whose tracker moves the gimbal by a target, or would as soon as it sees one."""
        source = self.control.setpoint_topic
        return [
            seen
            for name, seen in self.cameras.items()
            if seen.target_state.get('state', 'idle') != 'idle' and (not source or f'/{name}/' in source)
        ]

    def gimbal(self) -> dict[str, Any]:
        """As `/api/gimbal` and the live socket have it; null where unknown."""
        newest, control, zoom = self.attitudes.newest, self.control, self.zoom
        azimuth = tilt = None
        rate: list[float | None] = [None, None]
        if newest is not None:
            level_from_camera = matrix_from_quaternion(newest.level_from_camera_wxyz)
            azimuth, tilt = (number(each) for each in bearing_from_direction(level_from_camera[:, 0]).tolist())
            about_up = (level_from_camera @ newest.rate_rad_s)[2]
            rate = [number(about_up), number(newest.rate_rad_s[1])]
        return {
            'stamp_ns': None if newest is None else str(newest.stamp_ns),
            'age_s': number(self.attitude_arrivals.age_s(time.monotonic())),
            'azimuth_rad': azimuth,
            'tilt_rad': tilt,
            'rate': rate,
            'zoom': None if zoom is None else number(zoom.factor),
            'armed': control.armed,
            'holder': control.holder,
            'mode': control.mode,
            'mode_state': control.mode_state,
            'goal': dict(self.goal) or None,
            'setpoint_topic': control.setpoint_topic,
            'limits': {name: list(each) for name, each in self.limits_rad.items()},
        }


def tracks_content(seen: CameraPicture, tracks: Tracks) -> dict[str, Any]:
    """One image's tracks: boxes as x, y, width, height in its pixels, and the target where it is locked."""
    target = seen.locked_target
    state = seen.target_state
    return {
        'camera': seen.name,
        'stamp_ns': str(tracks.stamp_ns),
        'rtp': seen.rtp_of(tracks.stamp_ns),
        **seen.size_content(tracks.stamp_ns),
        'lens': lens_content(seen, tracks.stamp_ns),
        'tracks': detections_content(tracks),
        'target': {
            'id': state.get('id'),
            'class': state.get('label'),
            'state': state.get('state', 'unknown'),
            'reason': state.get('reason', ''),
            'enabled': bool(state.get('enabled', True)),
            'still_because': state.get('still_because', ''),
            'unused_because': state.get('unused_because', ''),
            'stamp_ns': None if target is None else str(target.stamp_ns),
            'box': None if target is None else box_of(target.box_px),
            'predicted': None if target is None else middle_of(target.box_px),
        },
    }


def detections_content(tracks: Tracks) -> list[dict[str, Any]]:
    """What was seen in one image."""
    rows = zip(tracks.ids.tolist(), tracks.labels.tolist(), tracks.scores.tolist(), tracks.boxes_px, strict=True)
    return [
        {'id': each, 'class': label, 'score': number(score), 'box': box_of(box)} for each, label, score, box in rows
    ]


def lens_content(seen: CameraPicture, stamp_ns: int) -> dict[str, list[float]] | None:
    """Focal lengths and middle in px, which make a direction of a pixel; None for a lens that nobody knows."""
    found = seen.models.nearest(stamp_ns)
    if found is None or not found.model.usable:
        return None
    model = found.model
    pairs = {'focal': (model.focal_x_px, model.focal_y_px), 'centre': (model.centre_x_px, model.centre_y_px)}
    return {name: [round(each, 3) for each in pair] for name, pair in pairs.items()}


def number(value: Any) -> float | None:
    """As JSON has it, in ten-thousandths of a milliradian; None for what is no finite number."""
    try:
        given = float(value)
    except (TypeError, ValueError):
        return None
    return round(given, 7) if math.isfinite(given) else None


def box_of(box_px: Any) -> list[float | None]:
    """x, y, width, height."""
    x0, y0, x1, y1 = np.asarray(box_px, dtype=float).tolist()
    return [number(each) for each in (x0, y0, x1 - x0, y1 - y0)]


def middle_of(box_px: Any) -> list[float | None]:
    """Of a box."""
    x0, y0, x1, y1 = np.asarray(box_px, dtype=float).tolist()
    return [number((x0 + x1) / 2), number((y0 + y1) / 2)]


def parsed(text: str) -> dict[str, Any]:
    """A JSON object of a topic.

    Raises:
        ValueError: for anything else, NaN among it; the subscription says it.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f'it has {constant}, which is not JSON')

    content: Any = json.loads(text, parse_constant=refuse)
    if not isinstance(content, dict):
        raise ValueError('it is not a JSON object')  # noqa: TRY004 a subscription counts ValueErrors
    return content
