# SPDX-License-Identifier: Apache-2.0
"""The files that are installed beside the code: well-formed, and saying what the code says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

SHARE = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize('path', sorted(SHARE.glob('config/*.xml')), ids=lambda path: path.name)
def test_dds_profiles_are_the_default_participants_and_bring_their_own_transports(path: Path) -> None:
    space = {'dds': 'http://www.eprosima.com'}
    root = ET.parse(path).getroot()
    participant = root.find('.//dds:participant', space)
    assert participant is not None
    assert participant.get('is_default_profile') == 'true'
    declared = {each.text for each in root.findall('.//dds:transport_descriptor/dds:transport_id', space)}
    used = {each.text for each in root.findall('.//dds:userTransports/dds:transport_id', space)}
    assert used == declared
    assert root.findtext('.//dds:useBuiltinTransports', namespaces=space) == 'false'


def test_the_shared_memory_segment_holds_several_full_hd_frames() -> None:
    text = (SHARE / 'config' / 'fastdds_shm.xml').read_text()
    found = re.search(r'<segment_size>(\d+)</segment_size>', text)
    assert found is not None
    assert int(found.group(1)) >= 4 * 1920 * 1080 * 3


def test_the_demos_dds_has_no_shared_memory() -> None:
    assert '<type>SHM</type>' not in (SHARE / 'config' / 'fastdds_loopback.xml').read_text()


def test_the_joints_of_the_description_are_the_drivers() -> None:
    telemetry_topics = pytest.importorskip(
        'gremsy_gimbal_driver.ros.telemetry_topics', reason='the message packages are not built'
    )
    root = ET.parse(SHARE / 'urdf' / 'gremsy.urdf.xacro').getroot()
    moving = [joint.get('name') for joint in root.iter('joint') if joint.get('type') == 'revolute']
    assert moving == [f'${{joint_prefix}}{joint}' for joint in telemetry_topics.JOINTS]


def test_the_readmes_argument_table_says_what_the_arguments_say() -> None:
    from gremsy_bringup.describe.suite_arguments import SuiteArguments, as_text
    from gremsy_common.parameters.parameter_fields import specs_of

    readme = (SHARE / 'README.md').read_text()
    for spec in specs_of(SuiteArguments):
        default = as_text(spec.default)
        assert f'| `{spec.name}` | {f"`{default}` " if default else ""}| {spec.meta.doc} |' in readme


def test_the_file_to_copy_is_taken_by_ros_and_names_only_parameters_that_there_are() -> None:
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
    from importlib import import_module

    from gremsy_bringup.describe.system_description import share_folder
    from gremsy_common.parameters.parameter_declaration import declare
    from gremsy_common.parameters.parameter_docs import DOCUMENTED

    # The installed one, which users copy.
    path = share_folder() / 'config' / 'my_robot.yaml'
    file = yaml.safe_load(path.read_text())
    classes = {name: getattr(import_module(module), class_name) for _, name, module, class_name in DOCUMENTED}
    assert {'/**/gimbal_driver', '/**/eo/camera', '/**/ir/camera'} <= set(file)
    context = rclpy.Context()
    rclpy.init(args=['--ros-args', '--params-file', str(path)], context=context)
    try:
        for pattern, section in file.items():
            *camera, name = pattern.removeprefix('/**/').split('/')
            node = rclpy.create_node(name, namespace='/'.join(['/robot', *(camera or ['eo'])]), context=context)
            values = declare(node, classes[name])
            node.destroy_node()
            given = section['ros__parameters']
            assert given
            wanted = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
            assert {key: getattr(values, key) for key in given} == wanted
    finally:
        rclpy.shutdown(context=context)
    # A file's camera is unknown: without one of these nothing has a bearing, and nothing is pointed at.
    for camera in ('eo', 'ir'):
        assert {'horizontal_field_deg', 'calibration_file'} & set(file[f'/**/{camera}/camera']['ros__parameters'])


def test_the_quick_start_says_where_the_file_to_copy_is() -> None:
    text = (SHARE.parents[1] / 'docs' / 'quick_start' / 'robot.md').read_text()
    assert 'cp $(ros2 pkg prefix gremsy_bringup --share)/config/my_robot.yaml .' in text
