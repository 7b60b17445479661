# SPDX-License-Identifier: Apache-2.0
"""Values that somebody writes by mistake or on purpose, for every parameter of every node."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterType, ParameterValue

from gremsy_bringup.film.recorder_node import RecorderNode
from gremsy_camera.camera_node import CameraNode
from gremsy_camera.stream_node import StreamNode
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_detector.detector_node import DetectorNode
from gremsy_gimbal_driver.gimbal_driver_node import GimbalDriverNode
from gremsy_model_tools.frames.capture_frames import CaptureFramesNode
from gremsy_tracker.tracker_node import TrackerNode
from gremsy_web.web_node import WebNode

NODES: dict[str, type[SuiteNode[Any]]] = {
    each.node_name: each
    for each in (
        CameraNode,
        StreamNode,
        WebNode,
        DetectorNode,
        TrackerNode,
        GimbalDriverNode,
        RecorderNode,
        CaptureFramesNode,
    )
}
"""Every node of the suite that has parameters."""

TEXTS = (
    '', ' ', 'eo/bad name', 'eo/', '/', '//', '~', '~/', '~nobody_of_that_name/x', '.', '..', 'ü/ñ', '2eo', 'a\nb',
    '\n', 'x' * 5000, 'x/' * 3000, '/dev/null', '/proc/self/mem', '/etc/passwd', '{', '[', '*', "'", '"', '%s', 'nan',
    '-1', 'person:', 'person:nan', ':0.5', 'person:1e400', 'file://', 'file:///dev', 'sim:?ring=', 'sim:?ring=../x',
    'sim:?x=1', 'udp://', 'udp://[::1', 'udp://h:99999', 'udp://h:x', 'serial://', 'serial:///dev?baud=x',
    'http://h/x', '://', '\x7f',
)  # fmt: skip
NUMBERS = (
    math.nan, math.inf, -math.inf, -1, 0, 1, 7, 2**31, 2**63 - 1, -(2**63), 1e308, -1e308, 5e-324, -0.0, 0.5, 10**400,
)  # fmt: skip
LISTS = (
    (), ('',), ('a', 'a'), ('eo/bad name',), (' ',), ('x' * 5000,), ('person:0.5', 'person:0.6'), ('a\nb',),
    (math.nan,), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0), (0, 0), (-1, 2**62), (1, 1, 1),
    (math.inf, -math.inf, 0.0), tuple(float(each) for each in range(1000)),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (True, False, None, b'x', {'a': 1}, ('a', 1), ((1,), 2))


def places(folder: Path) -> tuple[str, ...]:
    """A file where a folder is expected, a folder where a file is, what cannot be written to, a link into itself."""
    file, locked, loop = folder / 'file', folder / 'locked', folder / 'loop'
    file.write_text('not what you expect')
    (folder / 'folder').mkdir()
    locked.mkdir(mode=0o500)
    loop.symlink_to(loop)
    return (str(file), str(folder / 'folder'), f'{file}/x', f'{locked}/x/y', str(loop), f'{folder / "folder"}/')


def as_messages() -> list[ParameterValue]:
    """The same as ROS sends them, each in every type that it can be of; and types that there are not."""
    messages = [ParameterValue(type=ParameterType.PARAMETER_NOT_SET), ParameterValue(type=77)]
    messages += [ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=each) for each in (True, False)]
    messages += [ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=each) for each in TEXTS]
    for each in NUMBERS:
        if isinstance(each, int) and -(2**63) <= each < 2**63:
            messages.append(ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=each))
        if not isinstance(each, int) or abs(each) < 2**63:
            messages.append(ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(each)))
    messages.append(ParameterValue(type=ParameterType.PARAMETER_BYTE_ARRAY, byte_array_value=[b'x']))
    messages.append(ParameterValue(type=ParameterType.PARAMETER_BOOL_ARRAY, bool_array_value=[True]))
    for values in LISTS:
        texts = [each for each in values if isinstance(each, str)]
        whole = [each for each in values if isinstance(each, int)]
        if len(texts) == len(values):
            messages.append(ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=texts))
        if len(whole) == len(values):
            messages.append(ParameterValue(type=ParameterType.PARAMETER_INTEGER_ARRAY, integer_array_value=whole))
        if not texts:
            floats = [float(each) for each in values]
            messages.append(ParameterValue(type=ParameterType.PARAMETER_DOUBLE_ARRAY, double_array_value=floats))
    return messages
