# SPDX-License-Identifier: Apache-2.0
"""The part of `doctor --robot` that is asked in the suite's environment: what is configured is tried, and only then."""

from pathlib import Path

import pytest

from gremsy_bringup.init.trials import Trial
from gremsy_bringup.robot_doctor import suite_checks
from gremsy_bringup.robot_doctor.host_view import ProgramResult
from gremsy_bringup.robot_doctor.suite_checks import Suite, cameras_in, gimbal, model_file, one_camera, other_nodes

SHIPPED = Path(__file__).parents[1] / 'config' / 'my_robot.yaml'
FILE = """
/**/gimbal_driver:
  ros__parameters: {link: [udp://10.0.0.2:14566, "serial:///dev/ttyUSB0"]}
/**/camera:
  ros__parameters: {source: rtsp://admin:hunter22@10.0.0.2/eo, transport: udp}
/**/ir/camera:
  ros__parameters: {source: external:/usb_cam/image_raw}
/alpha/front/camera:
  ros__parameters: {source: /dev/video0, horizontal_field_deg: 60.0}
/**/detector:
  ros__parameters: {model: mine.onnx}
"""


class Nodes:
    """A machine on whose ROS network there are these."""

    def __init__(self, *names):
        self.environment = {'ROS_DOMAIN_ID': '7'}
        self.names = names

    def run_python(self, code, timeout_s=20.0):
        return ProgramResult(0, f'{{"nodes": {list(self.names)!r}}}\n'.replace("'", '"'), '')


@pytest.fixture
def files(tmp_path):
    path = tmp_path / 'my_robot.yaml'
    path.write_text(FILE)
    return [path]


def suite(files, *nodes, **others):
    return Suite(Nodes(*nodes), files, **others)


def test_the_shipped_file_has_two_cameras_and_ours_has_three(files):
    assert cameras_in([SHIPPED]) == ['eo', 'ir']
    assert cameras_in(files) == ['eo', 'ir', 'front']


def test_the_gimbal_is_asked_on_each_of_its_links_and_one_that_answers_is_enough(files):
    asked = []

    def link(uri):
        asked.append(uri)
        return Trial(uri.startswith('serial'), 'Gremsy Pixy, firmware 7.8.9, health ok')

    check = gimbal(suite(files, link=link))
    assert asked == ['udp://10.0.0.2:14566', 'serial:///dev/ttyUSB0']
    assert (check.ok, check.found) == (True, 'serial:///dev/ttyUSB0: Gremsy Pixy, firmware 7.8.9, health ok')


def test_a_gimbal_that_is_silent_names_the_tool_that_looks_again(files):
    check = gimbal(suite(files, link=lambda uri: Trial(False, 'No gimbal answered within 5 s: check --link.')))
    assert (check.ok, check.needed, check.lack) == (False, True, 'silent')
    assert check.found == 'udp://10.0.0.2:14566: No gimbal answered within 5 s: check `link`.'
    assert '`ros2 run gremsy_gimbal_driver gremsy_gimbal info --link udp://10.0.0.2:14566`' in check.remedy


def test_a_camera_is_watched_with_its_own_parameters_and_its_password_is_shown_nowhere(files):
    asked = []

    def camera(source, parameters):
        asked.append((source, dict(parameters)))
        return Trial(True, '1920x1080, 30 Hz')

    check = one_camera(suite(files, camera=camera), 'eo')
    assert asked == [('rtsp://admin:hunter22@10.0.0.2/eo', {'transport': 'udp'})]
    assert (check.ok, check.lack) == (False, 'no field')
    assert 'hunter22' not in check.found + check.remedy
    refused = one_camera(suite(files, camera=lambda *_: Trial(False, 'rtsp://admin:hunter22@10.0.0.2/eo: 401')), 'eo')
    assert (refused.needed, 'hunter22' in refused.found + refused.remedy) == (True, False)
    named = one_camera(suite(files, camera=camera, robot='alpha'), 'front')
    assert (named.ok, asked[-1]) == (True, ('/dev/video0', {'transport': 'udp', 'horizontal_field_deg': 60.0}))


def test_another_drivers_camera_is_not_opened(files):
    assert one_camera(suite(files, camera=lambda *_: pytest.fail('opened')), 'ir').ok


def test_the_model_that_is_configured_is_opened(files):
    check = model_file(suite(files, model=lambda path: Trial(False, f'{path} is no file.')))
    assert (check.needed, check.found) == (True, 'mine.onnx is no file.')


@pytest.mark.parametrize(
    ('nodes', 'runs', 'ok'),
    [
        ((), False, True),
        (('/bravo/gimbal_driver',), False, True),
        (('/robot/gimbal_driver',), True, True),
        (('/robot/gimbal_driver',), False, False),
    ],
    ids=['nobody', 'another robot', 'ours, running', 'somebody with our names'],
)
def test_another_with_our_names_is_told_from_ourselves(files, nodes, runs, ok):
    check = other_nodes(suite(files, *nodes, runs=runs))
    assert check.ok is ok
    assert ok or check.found == ('another robot or an earlier start has our names in domain 7: /robot/gimbal_driver')


def test_gimbal_and_cameras_of_a_suite_that_runs_are_left_alone(files, monkeypatch):
    monkeypatch.setattr(suite_checks, '_OF_THE_MACHINE', ())

    def never(*_):
        pytest.fail('a device of the running suite was opened')

    there = suite(files, link=never, camera=never, model=lambda path: Trial(True, path), runs=True)
    assert [check.name for check in suite_checks.examine(there)] == ['Model', 'ROS network']
    tried = suite(
        files, link=lambda _: Trial(True, ''), camera=lambda *_: Trial(True, ''), model=lambda _: Trial(True, '')
    )
    names = [check.name for check in suite_checks.examine(tried)]
    assert names == ['Model', 'ROS network', 'Gimbal', 'Camera eo', 'Camera ir', 'Camera front']
