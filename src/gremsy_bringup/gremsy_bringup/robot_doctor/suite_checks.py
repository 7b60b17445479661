# SPDX-License-Identifier: Apache-2.0
"""The part of `doctor --robot` that needs the suite's own environment, of a workspace or a container.

`python -m gremsy_bringup.robot_doctor.suite_checks` prints its rows as one JSON object. Cameras and gimbal are opened
and listened to; nothing moves. While the suite runs (`--runs`) they are its own, and it is left alone with them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gremsy_bringup.describe.parameter_layers import given
from gremsy_bringup.doctor.camera_checks import network_cameras, video_out
from gremsy_bringup.doctor.doctor_checks import (
    Question,
    gpu,
    interfaces,
    middleware,
    onnx_runtime,
    probed,
    ros,
    tensorrt,
)
from gremsy_bringup.doctor.doctor_table import Check, ask_all
from gremsy_bringup.init.trials import Trial, try_camera, try_link, try_model
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_camera.streams.credentials import redacted
from gremsy_common.parameters.parameter_sections import sections_of

# What a camera's trial takes of its parameters.
_LENS = ('horizontal_field_deg', 'calibration_file', 'transport', 'secrets_file', 'reader')

_OF_THE_MACHINE: tuple[Question, ...] = (
    ros,
    middleware,
    interfaces,
    gpu,
    tensorrt,
    onnx_runtime,
    network_cameras,
    video_out,
)

_NODES_PROBE = """
import json, time, rclpy
rclpy.init()
node = rclpy.create_node('gremsy_doctor')
seen, settled = None, time.monotonic()
while time.monotonic() - settled < 1.5:
    names = sorted({namespace.rstrip('/') + '/' + name for name, namespace in node.get_node_names_and_namespaces()})
    if names != seen:
        seen, settled = names, time.monotonic()
    time.sleep(0.05)
node.destroy_node()
rclpy.shutdown()
print(json.dumps({'nodes': [name for name in seen if not name.endswith('/gremsy_doctor')]}))
"""


@dataclasses.dataclass(frozen=True)
class Suite:
    """What is configured here, and what tries it.

    Attributes:
        robot: its namespace.
        runs: it runs, so that gimbal and cameras are its own and not to be opened.
    """

    machine: Host
    files: Sequence[Path]
    robot: str = 'robot'
    runs: bool = False
    link: Callable[[str], Trial] = try_link
    camera: Callable[[str, Mapping[str, object]], Trial] = try_camera
    model: Callable[[str], Trial] = try_model


def examine(suite: Suite) -> list[Check]:
    """Ask all; what is opened is opened one after the other."""
    checks = ask_all(suite.machine, _OF_THE_MACHINE)
    checks += ask_all(suite, (model_file, other_nodes))
    if not suite.runs:
        checks += ask_all(suite, (gimbal,))
        for name in cameras_in(suite.files):

            def camera(suite: Suite, name: str = name) -> Check:
                return one_camera(suite, name)

            checks += ask_all(suite, (camera,))
    return checks


def cameras_in(files: Sequence[Path]) -> list[str]:
    """Names of the cameras whose `source` is set; `eo` where a file sets it for all."""
    found = []
    for path in files:
        for pattern, values in sections_of(path):
            parts = pattern.strip('/').split('/')
            if 'source' in values and parts[-1] == 'camera':
                found.append(parts[-2] if len(parts) > 1 and '*' not in parts[-2] else 'eo')
    return list(dict.fromkeys(found))


def gimbal(suite: Suite) -> Check:
    """Whether it answers on its link; read and not touched."""
    said = given(suite.files, f'/{suite.robot}/gimbal_driver', 'link')
    links = [str(each) for each in said] if isinstance(said, list) else [str(said)] if said else []
    if not links:
        return Check('Gimbal', False, 'no `link` is set', 'Write `link` of gimbal_driver into my_robot.yaml.')
    results = [(uri, suite.link(uri)) for uri in links]
    works = next(((uri, each) for uri, each in results if each.works), None)
    if works is not None:
        return Check('Gimbal', True, f'{works[0]}: {works[1].said}', needed=True)
    uri, said_no = results[0]
    remedy = f'Check again with `ros2 run gremsy_gimbal_driver gremsy_gimbal info --link {uri}`, which moves nothing.'
    return Check(
        'Gimbal', False, f'{uri}: {said_no.said.replace("--link", "`link`")}', remedy, needed=True, lack='silent'
    )


def one_camera(suite: Suite, name: str) -> Check:
    """What it gives in three seconds."""
    files, node, row = suite.files, f'/{suite.robot}/{name}/camera', f'Camera {name}'
    source = str(given(files, node, 'source') or '')
    shown = redacted(source)
    if source.startswith(('external', 'sim')):
        return Check(row, True, f'{shown}: comes with another driver or the simulation, and is not opened')
    lens = {each: value for each in _LENS if (value := given(files, node, each)) is not None}
    result = suite.camera(source, lens)
    if not result.works:
        remedy = f"Check again with `ros2 run gremsy_camera camera_check '{shown}'`."
        return Check(row, False, redacted(result.said), remedy, needed=True, lack='silent')
    if not {'horizontal_field_deg', 'calibration_file'} & set(lens):
        remedy = f'Write `horizontal_field_deg` of camera {name} (or `calibration_file`) into my_robot.yaml.'
        return Check(
            row, False, f'{shown}: {result.said}; nothing is pointed at without its field', remedy, lack='no field'
        )
    return Check(row, True, f'{shown}: {result.said}', needed=True)


def model_file(suite: Suite) -> Check:
    """The detector's, opened without an engine being built."""
    said = str(given(suite.files, f'/{suite.robot}/eo/detector', 'model') or 'default')
    result = suite.model(said)
    if result.works:
        return Check('Model', True, result.said, needed=True)
    remedy = 'Correct `model` of the detector; `ros2 run gremsy_model_tools model_info FILE` says more.'
    return Check('Model', False, result.said, remedy, needed=True)


def other_nodes(suite: Suite) -> Check:
    """Whether somebody else in this ROS domain has the names of this robot."""
    robot = suite.robot
    answer, why_not = probed(suite.machine, _NODES_PROBE)
    if why_not:
        return Check('ROS network', False, why_not, 'Report this as an issue.', lack='unknown')
    namespace = f'/{robot.strip("/")}/'
    nodes = list(answer['nodes'])
    ours = [name for name in nodes if name.startswith(namespace)]
    domain = suite.machine.environment.get('ROS_DOMAIN_ID') or '0'
    if ours and not suite.runs:
        found = f'another robot or an earlier start has our names in domain {domain}: {", ".join(ours[:4])}'
        remedy = 'End it, or give this one another ROS_DOMAIN_ID or namespace (`namespace:=`, ROBOT in .env).'
        return Check('ROS network', False, found, remedy, needed=True, lack='in use')
    doubles = sorted({name for name in nodes if nodes.count(name) > 1})
    if doubles:
        return Check(
            'ROS network', False, f'twice in domain {domain}: {", ".join(doubles)}', 'End one of them.', lack='in use'
        )
    others = len(nodes) - len(ours)
    return Check('ROS network', True, f'domain {domain}: {len(ours)} nodes of /{robot.strip("/")}, {others} others')


def main(arguments: Sequence[str] | None = None) -> None:
    """Print {"checks": [...]}."""
    parser = argparse.ArgumentParser(prog='suite_checks')
    parser.add_argument('files', nargs='*', type=Path, help='parameter files')
    parser.add_argument('--runs', action='store_true', help='the suite runs: its devices are left alone')
    parser.add_argument('--robot', default=os.environ.get('ROBOT') or 'robot', help='its namespace')
    options = parser.parse_args(arguments)
    checks = examine(Suite(Host(), options.files, options.robot.strip('/'), options.runs))
    print(json.dumps({'checks': [dataclasses.asdict(check) for check in checks]}))


if __name__ == '__main__':
    main()
