# SPDX-License-Identifier: Apache-2.0
"""Whether the robot can be worked with now, part by part, with the reason in words where it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_web.robot.robot_picture import NodeState, RobotPicture

# Diagnostics come once a second.
_NODE_SILENT_S = 3.0
_CAMERA_AGE_S = 0.5
_ATTITUDE_AGE_S = 0.5
_WARN, _ERROR, _STALE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class ReadinessPart:
    """One thing that must work; `reason` is empty where it does.

    Attributes:
        warning: what is not well although it works.
    """

    name: str
    reason: str = ''
    warning: str = ''

    @property
    def ready(self) -> bool:
        """Whether it works."""
        return not self.reason


def parts_of(picture: RobotPicture, now_s: float) -> list[ReadinessPart]:
    """Every known node, every camera, its detector, the gimbal's link and the video server."""
    parts = [_node(node, now_s) for node in picture.nodes()]
    for camera in picture.cameras.values():
        age_s = camera.frames.age_s(now_s)
        parts.append(ReadinessPart(f'camera {camera.name}', _camera_reason(age_s)))
        rate_hz = camera.results.rate_hz(now_s)
        reason = '' if rate_hz > 0.0 else 'No detections have come for two seconds: check the detector and the tracker.'
        parts.append(ReadinessPart(f'detector {camera.name}', reason))
    parts.append(ReadinessPart('gimbal link', _gimbal_reason(picture, now_s)))
    server = picture.video_server
    parts.append(ReadinessPart('video server', '' if server is None else f'The video server cannot be used: {server}.'))
    return parts


def _node(node: NodeState, now_s: float) -> ReadinessPart:
    silent_s = now_s - node.came_s
    if silent_s > _NODE_SILENT_S:
        reason = f'It has reported nothing for {silent_s:.0f} s: is its process running?'
        return ReadinessPart(f'node {node.name}', reason)
    if node.level >= _ERROR:
        return ReadinessPart(
            f'node {node.name}', node.message or ('It is not active.' if node.level == _STALE else 'It fails.')
        )
    return ReadinessPart(f'node {node.name}', warning=node.message if node.level == _WARN else '')


def _camera_reason(age_s: float | None) -> str:
    if age_s is None:
        return 'No image has come yet: is the camera node running?'
    return '' if age_s <= _CAMERA_AGE_S else f'The newest image is {age_s:.1f} s old.'


def _gimbal_reason(picture: RobotPicture, now_s: float) -> str:
    age_s = picture.attitude_arrivals.age_s(now_s)
    if age_s is None:
        return 'No attitude has come from the gimbal yet: is its driver running, and the link open?'
    return '' if age_s <= _ATTITUDE_AGE_S else f"The gimbal's newest attitude is {age_s:.1f} s old."
