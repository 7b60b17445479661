# SPDX-License-Identifier: Apache-2.0
"""The messages of the live socket, from what is known of the robot."""

from __future__ import annotations

import json
import time
from typing import Any

from gremsy_common.types.detections import Tracks
from gremsy_web.control.control_lease import Hold
from gremsy_web.robot.robot_picture import CameraPicture, NodeState, RobotPicture, number, tracks_content

# Stage of the page, node, row of /diagnostics.
_STAGES = (
    ('capture', 'camera', 'capture latency p50 (ms)'),
    ('detect', 'detector', 'detections latency p50 (ms)'),
    ('track', 'tracker', 'pointing latency p50 (ms)'),
    ('encode', 'stream', 'encode latency p50 (ms)'),
    ('server', 'stream', 'sent latency p50 (ms)'),
)

# A tenth of a second and some at 50 Hz, since one of these messages may be late.
_POSES_S = 0.15
_MOST_POSES = 8


def text_of(kind: str, **content: Any) -> str:
    """One message; NaN and infinity are no JSON and would be a fault of ours."""
    return json.dumps({'type': kind, **content}, allow_nan=False, ensure_ascii=False, separators=(',', ':'))


def tracks_text(seen: CameraPicture, tracks: Tracks) -> str:
    """What was seen in an image of that camera."""
    return text_of('tracks', **tracks_content(seen, tracks))


def gimbal_text(picture: RobotPicture) -> str:
    """Where it looks, and how it came there: a picture is shown some 50 ms after its capture, between two of these."""
    return text_of('gimbal', **picture.gimbal(), poses=poses_content(picture))


def poses_content(picture: RobotPicture) -> list[list[float]]:
    """The camera's last orientations in the level frame: seconds from the newest one's stamp, then w, x, y, z."""
    found = picture.attitudes.last(_POSES_S, _MOST_POSES)
    return [
        [
            round((each.stamp_ns - found[-1].stamp_ns) / 1e9, 4),
            *(round(part, 6) for part in each.level_from_camera_wxyz.tolist()),
        ]
        for each in found
    ]


def control_content(hold: Hold | None, live: str = '') -> dict[str, Any]:
    """Who holds the controls, as somebody sees it."""
    return {
        'holder': None if hold is None else hold.holder,
        'you': bool(live) and hold is not None and hold.live == live,
    }


def state_content(picture: RobotPicture) -> dict[str, Any]:
    """Nodes and latencies, the same for all."""
    now_s = time.monotonic()
    return {
        'nodes': [node_content(node, now_s) for node in picture.nodes()],
        'latency_ms': latencies_ms(picture),
        'pointing_error_rad': picture.pointing_error_rad(),
        'video_server': picture.video_server,
        'cameras': {
            name: {
                **seen.size_content(),
                'age_s': seen.frames.age_s(now_s),
                'detector_hz': round(seen.results.rate_hz(now_s), 2),
                'recording': recording_content(picture, name),
            }
            for name, seen in picture.cameras.items()
        },
    }


def recording_content(picture: RobotPicture, camera: str) -> dict[str, Any] | None:
    """Whether that camera records, to where, how long and how much, as its node says; None before it does."""
    node = next((each for each in picture.nodes() if each.name == f'{camera}/camera'), None)
    words = None if node is None else node.values.get('recording')
    if node is None or words is None:
        return None
    return {
        'on': words == 'going on',
        'text': words,
        'to': node.values.get('recording to', ''),
        'seconds': number(node.values.get('recording length (s)')),
        'megabytes': number(node.values.get('recording size (MB)')),
    }


def node_content(node: NodeState, now_s: float) -> dict[str, Any]:
    """A node's row of /diagnostics."""
    return {
        'name': node.name,
        'level': node.level,
        'message': node.message,
        'age_s': round(now_s - node.came_s, 3),
        'values': dict(node.values),
    }


def latencies_ms(picture: RobotPicture) -> dict[str, float | None]:
    """Median of each stage, since the frame's capture, but for encode, which is its own; None where unknown."""
    nodes = picture.nodes()
    found: dict[str, float | None] = {}
    for stage, name, row in _STAGES:
        values = [number(node.values.get(row)) for node in nodes if node.name.rsplit('/', 1)[-1] == name]
        found[stage] = next((value for value in values if value is not None), None)
    return found
