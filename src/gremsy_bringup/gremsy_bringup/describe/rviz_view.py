# SPDX-License-Identifier: Apache-2.0
"""What RViz shows of a system (`rviz:=true`): of each camera the picture, the bearings, the target; the frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gremsy_bringup.describe.camera_choice import TRACKER, CameraChoice
from gremsy_bringup.describe.system_description import SystemDescription, joined

_LEVEL_FRAME = 'gimbal_level'


def rviz_view(description: SystemDescription) -> dict[str, Any]:
    """The content of a view's file."""
    cameras = description.arguments.camera_choices
    images = [_image(description.namespace, camera) for camera in cameras]
    trackers = [camera for camera in cameras if TRACKER in camera.nodes]
    bearings = [_bearings(description.namespace, camera) for camera in trackers]
    targets = [_target(description.namespace, camera) for camera in trackers]
    return {
        'Panels': [
            {'Class': 'rviz_common/Displays', 'Name': 'Displays'},
            {'Class': 'rviz_common/Views', 'Name': 'Views'},
        ],
        'Visualization Manager': {
            'Class': '',
            'Global Options': {
                'Background Color': '48; 48; 48',
                'Fixed Frame': fixed_frame(description),
                'Frame Rate': 30,
            },
            'Displays': [_GRID, *images, _FRAMES, *bearings, *targets],
            'Tools': [{'Class': 'rviz_default_plugins/MoveCamera'}, {'Class': 'rviz_default_plugins/Select'}],
            'Views': {'Current': _VIEW},
        },
        'Window Geometry': {
            'Height': 900,
            'Width': 1400,
            **{each['Name']: {'collapsed': False} for each in images},
        },
    }


def fixed_frame(description: SystemDescription) -> str:
    """The gimbal's level frame; without a gimbal the first camera's own."""
    arguments = description.arguments
    frame = _LEVEL_FRAME if arguments.gimbal else arguments.camera_choices[0].optical_frame
    return joined(description.namespace, frame).removeprefix('/')


def write_view(description: SystemDescription, folder: Path) -> Path:
    """The file for `rviz2 -d`."""
    path = folder / 'view.rviz'
    path.write_text(yaml.safe_dump(rviz_view(description), sort_keys=False), encoding='utf-8')
    return path


def _image(robot: str, camera: CameraChoice) -> dict[str, Any]:
    topic = 'overlay' if TRACKER in camera.nodes else 'image_raw'
    # Best effort takes every publisher's pictures, and never makes one wait (REP-2003).
    return _display('Image', camera.name, joined(robot, camera.name, topic), reliability='Best Effort', depth=1)


def _bearings(robot: str, camera: CameraChoice) -> dict[str, Any]:
    return _display('MarkerArray', f'{camera.name} bearings', joined(robot, camera.name, 'markers'))


def _target(robot: str, camera: CameraChoice) -> dict[str, Any]:
    """Off: a position that cannot come, because nothing measures a range, would be shown as missing."""
    topic = joined(robot, camera.name, 'target/position')
    covariance = {'Value': True, 'Position': {'Value': True}, 'Orientation': {'Value': False}}
    shown = _display('PoseWithCovariance', f'{camera.name} target', topic)
    return {**shown, 'Enabled': False, 'Shape': 'Axes', 'Covariance': covariance}


def _display(kind: str, name: str, topic: str, *, reliability: str = 'Reliable', depth: int = 5) -> dict[str, Any]:
    return {
        'Class': f'rviz_default_plugins/{kind}',
        'Name': name,
        'Enabled': True,
        'Topic': {
            'Value': topic,
            'Depth': depth,
            'History Policy': 'Keep Last',
            'Reliability Policy': reliability,
            'Durability Policy': 'Volatile',
        },
    }


_GRID = {
    'Class': 'rviz_default_plugins/Grid',
    'Name': 'Grid',
    'Enabled': True,
    'Cell Size': 1,
    'Plane Cell Count': 10,
    'Color': '100; 100; 104',
}
_FRAMES = {
    'Class': 'rviz_default_plugins/TF',
    'Name': 'TF',
    'Enabled': True,
    'Show Names': True,
    'Marker Scale': 0.5,
    'Frame Timeout': 5,
}
_VIEW = {
    'Class': 'rviz_default_plugins/Orbit',
    'Name': 'Current View',
    'Distance': 6,
    'Pitch': 0.45,
    'Yaw': 3.6,
    'Focal Point': {'X': 1, 'Y': 0, 'Z': 0},
}
