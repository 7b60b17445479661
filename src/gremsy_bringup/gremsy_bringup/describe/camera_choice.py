# SPDX-License-Identifier: Apache-2.0
"""Which cameras there are and which nodes each has, from the words of the launch argument `cameras`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import ParameterError

CAMERA, DETECTOR, TRACKER, STREAM, RECORDER = 'camera', 'detector', 'tracker', 'stream', 'recorder'
# In the order of a frame's way.
LOOP_NODES = (CAMERA, DETECTOR, TRACKER)
CHOOSABLE_NODES = (*LOOP_NODES, STREAM, RECORDER)
# What the driver has in the robot's namespace: a camera of that name would be among its topics and services.
_TAKEN = ('gimbal', 'gimbal_driver', 'vehicle')
# `ros2 launch` takes no argument without a value.
_NONE = 'none'
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """One camera.

    Attributes:
        name: its namespace within the robot's, as `eo`.
        nodes: of CHOOSABLE_NODES, in the order of a frame's way.
    """

    name: str
    nodes: tuple[str, ...] = LOOP_NODES

    @property
    def optical_frame(self) -> str:
        """Without the robot's prefix; the camera node's and the driver's name for it."""
        return f'{self.name}_optical_frame'


def cameras_from(text: str, *, video: bool = False) -> tuple[CameraChoice, ...]:
    """From words such as `eo` (the whole loop) and `ir:camera+detector`, separated by spaces or commas; `none` is none.

    Args:
        text: the words.
        video: whether a whole loop has the node that sends its video out.

    Raises:
        ParameterError: naming the word and the way out.
    """
    words = text.replace(',', ' ').split()
    if words == [_NONE]:
        return ()
    whole_loop = (*LOOP_NODES, STREAM) if video else LOOP_NODES
    cameras = tuple(_camera(word, whole_loop) for word in words)
    names = [each.name for each in cameras]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"Argument `cameras` has '{name}' twice: name each camera once.")
    return cameras


def _camera(word: str, whole_loop: tuple[str, ...]) -> CameraChoice:
    name, colon, listed = word.partition(':')
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"Argument `cameras` has '{word}', which is not a camera: write a name of letters, digits and _, not "
            'beginning with a digit, as in eo or ir:camera.'
        )
    if name in _TAKEN:
        raise ParameterError(f"Argument `cameras` has '{name}', a name of the gimbal driver's own: use another.")
    if name == _NONE:
        raise ParameterError(f"Argument `cameras` has '{word}' beside others or with nodes: write it alone for none.")
    if not colon:
        return CameraChoice(name, whole_loop)
    nodes = listed.split('+')
    for node in nodes:
        if node not in CHOOSABLE_NODES:
            raise ParameterError(
                f"Argument `cameras` has '{word}', where '{node}' is not a node of a camera: after the colon use one "
                f'or more of {", ".join(CHOOSABLE_NODES)}, joined by +.'
            )
    return CameraChoice(name, tuple(each for each in CHOOSABLE_NODES if each in nodes))
