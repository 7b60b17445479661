# SPDX-License-Identifier: Apache-2.0
"""The gimbal's description: limits, a place to mount it, and the same chain as the driver's /tf, in numbers.

xacro is not among the suite's wheels, so `Xacro` here expands what the file uses of it; where xacro is installed, the
two are compared.
"""

from __future__ import annotations

import copy
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from gremsy_common.geometry import CAMERA_FROM_OPTICAL, matrix_from_quaternion

FILE = Path(__file__).resolve().parents[1] / 'urdf' / 'gremsy.urdf.xacro'
_NAMESPACE = '{http://www.ros.org/wiki/xacro}'
_DEFAULT = re.compile(r"(\w+)(?::=('[^']*'|\S+))?")


class Xacro:
    """Arguments, one level of macros with defaults, properties, if and unless, and `$(arg x)` and `${...}`."""

    def __init__(self, path: Path, **mappings: str) -> None:
        self._arguments = dict(mappings)
        self._macros: dict[str, ET.Element] = {}
        self.robot = ET.Element('robot')
        self._expand(ET.parse(path).getroot(), {}, self.robot)

    def _expand(self, source: ET.Element, names: dict[str, str], into: ET.Element) -> None:
        for child in source:
            tag = child.tag.removeprefix(_NAMESPACE)
            values = {key: self._substituted(text, names) for key, text in child.attrib.items()}
            if tag == child.tag:
                made = ET.SubElement(into, tag, values)
                self._expand(child, names, made)
            elif tag == 'arg':
                self._arguments.setdefault(values['name'], values['default'])
            elif tag == 'property':
                names[values['name']] = values['value']
            elif tag == 'macro':
                self._macros[values['name']] = copy.deepcopy(child)
            elif tag in ('if', 'unless'):
                assert values['value'] in ('true', 'false')
                if (values['value'] == 'true') == (tag == 'if'):
                    self._expand(child, names, into)
            else:
                macro = self._macros[tag]
                parameters = dict(_DEFAULT.findall(macro.attrib['params']))
                assert set(values) <= set(parameters)
                given = {name: values.get(name, default.strip("'")) for name, default in parameters.items()}
                self._expand(macro, given, into)

    def _substituted(self, text: str, names: dict[str, str]) -> str:
        text = re.sub(r'\$\(arg (\w+)\)', lambda found: self._arguments[found.group(1)], text)
        # Only what the file itself has in them.
        return re.sub(r'\$\{([^}]+)\}', lambda found: str(eval(found.group(1), {}, names)), text)


class Chain:
    """Forward kinematics of an expanded description."""

    def __init__(self, robot: ET.Element) -> None:
        self.links = [link.attrib['name'] for link in robot.iter('link')]
        self.joints = {joint.attrib['name']: joint for joint in robot.iter('joint')}
        self._to_child = {joint.find('child').attrib['link']: joint for joint in self.joints.values()}

    def parent(self, link: str) -> str | None:
        joint = self._to_child.get(link)
        return None if joint is None else joint.find('parent').attrib['link']

    def pose(self, a: str, b: str, **positions: float) -> np.ndarray:
        """4x4 `a_from_b`, where a is above b."""
        if a == b:
            return np.eye(4)
        joint = self._to_child[b]
        origin = joint.find('origin')
        xyz, rpy = ([0.0] * 3, [0.0] * 3) if origin is None else (_three(origin, 'xyz'), _three(origin, 'rpy'))
        own = np.eye(4)
        own[:3, :3] = _about('z', rpy[2]) @ _about('y', rpy[1]) @ _about('x', rpy[0])
        own[:3, 3] = xyz
        if joint.attrib['type'] == 'revolute':
            axis = 'xyz'[_three(joint.find('axis'), 'xyz').index(1.0)]
            own[:3, :3] = own[:3, :3] @ _about(axis, positions[joint.attrib['name']])
        return self.pose(a, self.parent(b), **positions) @ own


def _three(element: ET.Element, name: str) -> list[float]:
    return [float(each) for each in element.get(name, '0 0 0').split()]


def _about(axis: str, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array(
        {
            'x': [[1, 0, 0], [0, c, -s], [0, s, c]],
            'y': [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            'z': [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis],
        dtype=float,
    )


def chain(**mappings: str) -> Chain:
    return Chain(Xacro(FILE, **mappings).robot)


def test_every_frame_has_one_parent_and_all_hang_from_the_vehicle() -> None:
    described = chain(name='bird')
    assert sorted(described.links) == sorted(set(described.links))
    children = [joint.find('child').attrib['link'] for joint in described.joints.values()]
    assert sorted(children) == sorted(set(children))
    for link in described.links:
        top = link
        while (above := described.parent(top)) is not None:
            top = above
        assert top == 'base_link'


def test_the_chain_is_that_of_the_motors() -> None:
    described = chain(name='bird')
    link, way = 'bird/camera_optical_link', []
    while link is not None:
        way.append(link)
        link = described.parent(link)
    below = [each.removeprefix('bird/') for each in reversed(way)]
    assert below == [
        'base_link', 'gimbal_base', 'gimbal_yaw_link', 'gimbal_roll_link', 'gimbal_pitch_link', 'camera_link',
        'camera_optical_link',
    ]  # fmt: skip


def test_the_drivers_frames_are_not_described_twice() -> None:
    assert 'bird/gimbal_level' in chain(name='bird').links
    assert 'bird/gimbal_level' not in chain(name='bird', driver_levels='true').links
    for levels in ('true', 'false'):
        links = chain(name='bird', driver_levels=levels).links
        assert not {'bird/gimbal_camera', 'bird/eo_optical_frame'}.intersection(links)


def test_it_is_mounted_where_it_is_told_to_be() -> None:
    described = chain(mount_xyz='0.1 0 -0.05', mount_rpy='0 0 3.14159265358979')
    pose = described.pose('base_link', 'robot/gimbal_base')
    np.testing.assert_allclose(pose[:3, 3], [0.1, 0.0, -0.05])
    np.testing.assert_allclose(pose[:3, 0], [-1.0, 0.0, 0.0], atol=1e-9)


def test_limits_are_a_gimbals_and_can_be_told() -> None:
    limits = {
        name.removeprefix('gimbal_').removesuffix('_joint'): joint.find('limit').attrib
        for name, joint in chain(pitch_up_limit='-0.5', max_rate='2.0').joints.items()
        if joint.attrib['type'] == 'revolute'
    }
    degrees = {
        axis: (round(math.degrees(float(limit['lower']))), round(math.degrees(float(limit['upper']))))
        for axis, limit in limits.items()
    }
    assert degrees == {'yaw': (-345, 345), 'roll': (-45, 45), 'pitch': (-29, 120)}
    assert {limit['velocity'] for limit in limits.values()} == {'2.0'}


@pytest.mark.parametrize('tilted', [False, True])
def test_the_described_camera_is_the_drivers_camera(tilted: bool) -> None:
    """`/tf` from the attitude against the description turned by `joint_states`, on level and leaning vehicles."""
    messages = pytest.importorskip(
        'gremsy_gimbal_driver.ros.telemetry_topics', reason='the message packages are not built'
    )
    from tf2_msgs.msg import TFMessage

    from gremsy_common.geometry import quaternion_from_yaw_roll_pitch, yaw_roll_pitch
    from gremsy_common.types.gimbal_state import GimbalAttitude, VehicleAttitude
    from gremsy_gimbal_driver.attitude.attitude_reading import YawFrame
    from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
    from gremsy_gimbal_driver.attitude.joint_chain import joints_from_attitude
    from gremsy_gimbal_driver.attitude.level_frame import level_reference
    from gremsy_gimbal_driver.goals.frame_tree import FrameTree
    from gremsy_gimbal_driver.ros.telemetry_topics import frame_transforms

    random = np.random.default_rng(8)
    described = chain(driver_levels='true' if tilted else 'false')
    unknown = np.full(3, np.nan)
    for count in range(100):
        pitch = math.pi / 2 if count % 10 == 0 else random.uniform(-1.5, 2.0)
        camera = quaternion_from_yaw_roll_pitch(random.uniform(-3.1, 3.1), random.uniform(-0.4, 0.4), pitch)
        measured = MeasuredAttitude(
            GimbalAttitude(1000, 'robot/gimbal_camera', camera, np.zeros(3)), *yaw_roll_pitch(camera).tolist()
        )
        leaning = quaternion_from_yaw_roll_pitch(random.uniform(-3, 3), *random.uniform(-0.5, 0.5, 2))
        vehicle = VehicleAttitude(1000, 'base_link', 'odom', leaning, unknown, unknown, unknown)
        reference = level_reference(YawFrame.VEHICLE, None, vehicle if tilted else None, '')
        joints = messages.joint_state(joints_from_attitude(measured, reference), 1000)
        positions = dict(zip(joints.name, joints.position, strict=True))
        tree = FrameTree()
        published = list(messages.transforms(measured, 'robot/gimbal_level', ['robot/eo_optical_frame']).transforms)
        published.append(messages.level_transform(reference, 'robot/gimbal_base', 'robot/gimbal_level', 1000))
        for each in frame_transforms(TFMessage(transforms=published), is_static=False):
            tree.take(each)
        for ours, theirs in (
            ('robot/camera_link', 'robot/gimbal_camera'),
            ('robot/camera_optical_link', 'robot/eo_optical_frame'),
        ):
            by_urdf = described.pose('robot/gimbal_base', ours, **positions)
            by_tf = tree.lookup('robot/gimbal_base', theirs, 1000, 1.0)
            np.testing.assert_allclose(by_urdf[:3, :3], matrix_from_quaternion(by_tf.rotation_wxyz), atol=1e-9)
            np.testing.assert_allclose(by_urdf[:3, 3], by_tf.translation_m, atol=1e-9)


def test_two_gimbals_of_one_robot_have_no_name_in_common() -> None:
    front = chain(name='robot/front', joint_prefix='front_')
    rear = chain(name='robot/rear', joint_prefix='rear_')
    assert set(front.links) & set(rear.links) == {'base_link'}
    assert not set(front.joints) & set(rear.joints)
    assert {'front_gimbal_yaw_joint', 'front_gimbal_roll_joint', 'front_gimbal_pitch_joint'} < set(front.joints)


def test_the_joints_are_those_of_a_driver_with_the_same_prefix() -> None:
    joint_chain = pytest.importorskip('gremsy_gimbal_driver.attitude.joint_chain')
    joints = [name for name, joint in chain(joint_prefix='rear_').joints.items() if joint.get('type') == 'revolute']
    assert joints == list(joint_chain.joint_names('rear_'))


def test_without_a_name_frames_have_no_prefix_as_those_of_a_driver_in_no_namespace() -> None:
    links = chain(name='').links
    assert 'gimbal_level' in links
    assert not any(link.startswith('/') for link in links)


def test_with_all_joints_at_zero_the_optical_frame_is_rep_103s() -> None:
    zeros = {'gimbal_yaw_joint': 0.0, 'gimbal_roll_joint': 0.0, 'gimbal_pitch_joint': 0.0}
    pose = chain().pose('robot/gimbal_base', 'robot/camera_optical_link', **zeros)
    np.testing.assert_allclose(pose[:3, :3], CAMERA_FROM_OPTICAL, atol=1e-12)


@pytest.mark.parametrize(
    'mappings',
    [
        {},
        {'name': 'bird', 'driver_levels': 'true', 'mount_xyz': '1 2 3'},
        {'name': '', 'joint_prefix': 'rear_'},
        {'name': 'fleet/robot'},
    ],
)
def test_xacro_itself_expands_it_to_the_same(mappings: dict[str, str]) -> None:
    xacro = pytest.importorskip('xacro', reason='xacro is not installed (it comes with ROS)')
    by_xacro = ET.fromstring(xacro.process_file(str(FILE), mappings=mappings).toxml())

    def plain(element: ET.Element) -> tuple:
        return element.tag, sorted(element.attrib.items()), [plain(each) for each in element]

    ours = Xacro(FILE, **mappings).robot
    assert [plain(each) for each in by_xacro] == [plain(each) for each in ours]
