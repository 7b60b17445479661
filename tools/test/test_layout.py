# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gremsy_tool import environment
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout

REPOSITORY = Path('/robot/suite')
SOURCED = {'ROS_DISTRO': 'humble', 'AMENT_PREFIX_PATH': '/opt/ros/humble'}


def layout(env, distro=None):
    return find_layout(env, distro, REPOSITORY)


def test_without_ros_the_wheels_lie_in_the_repository():
    found = layout({})
    assert (found.distro, found.system_ros, found.venv) == ('jazzy', False, REPOSITORY / '.gremsy' / 'venv')


def test_a_sourced_ros_is_used_and_kept_apart():
    found = layout(SOURCED)
    assert (found.distro, found.system_ros, found.state) == ('humble', True, REPOSITORY / '.gremsy' / 'system-humble')


def test_a_ros_asked_for_by_name_beats_the_sourced_one():
    found = layout(SOURCED, 'kilted')
    assert (found.distro, found.system_ros, found.state) == ('kilted', False, REPOSITORY / '.gremsy' / 'kilted')


def test_our_own_environment_is_not_taken_for_a_systems():
    inside = {**SOURCED, 'ROS_DISTRO': 'jazzy', 'GREMSY_ENVIRONMENT': 'wheels', 'GREMSY_REPOSITORY': str(REPOSITORY)}
    assert layout(inside) == layout({})


def test_the_state_can_lie_elsewhere():
    assert layout({'GREMSY_STATE': '/big/disk'}).venv == Path('/big/disk/venv')


def test_the_home_folder_is_filled_in(monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    assert layout({'GREMSY_STATE': '~/gremsy'}).root == Path('/home/me/gremsy')


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('~nosuchuser/x', 'it is the home folder of an unknown user'),
        ('/disk/a:b', 'it contains a colon or an invisible character'),
        ('/disk/a\nb', 'it contains a colon or an invisible character'),
        ('/' + 'x' * 99 + 'y' * 300, 'File name too long'),
        ('loop', 'Too many levels of symbolic links'),
    ],
)
def test_what_can_be_no_workspace_is_refused(text, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('loop').symlink_to('loop')
    with pytest.raises(GremsyError) as caught:
        layout({'GREMSY_STATE': text})
    assert str(caught.value) == (
        f'GREMSY_STATE is {text[:100]!r}, which cannot hold a workspace ({why}): set it to another folder.'
    )


def test_the_shell_of_another_checkout_does_not_lend_its_state():
    other = {'GREMSY_ENVIRONMENT': 'wheels', 'GREMSY_REPOSITORY': '/other', 'GREMSY_STATE': '/other/.gremsy'}
    assert layout(other).root == REPOSITORY / '.gremsy'


def test_a_ros_without_wheels_is_refused():
    with pytest.raises(GremsyError) as caught:
        layout({}, 'noetic')
    assert str(caught.value) == (
        'ROS "noetic" has no wheels locked here: choose one of jazzy, kilted, or source an installed ROS first '
        '(. /opt/ros/noetic/setup.sh).'
    )


def test_what_libraries_write_for_themselves_goes_into_the_state_folder(tmp_path):
    layout = find_layout({'GREMSY_STATE': str(tmp_path)})
    environment.store(layout, {'folder_lists': {}, 'values': {}})
    inside = environment.load(layout, {'HOME': '/home/me'})
    assert inside['ROS_LOG_DIR'] == str(tmp_path / 'log' / 'ros')
    assert inside['MPLCONFIGDIR'] == str(tmp_path / 'matplotlib')
    chosen = {'ROS_LOG_DIR': '/var/log/ros', 'MPLCONFIGDIR': '/etc/matplotlib'}
    assert chosen.items() <= environment.load(layout, chosen).items()
    assert 'ROS_LOG_DIR' not in environment.load(layout, {'ROS_HOME': '/srv/ros'})


def test_ros_and_matplotlib_leave_nothing_in_the_home_folder(tmp_path):
    pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
    # The folders of another workspace or of the caller would hide what ours does.
    ours = {
        'ROS_LOG_DIR',
        'ROS_HOME',
        'MPLCONFIGDIR',
        'HYPOTHESIS_STORAGE_DIRECTORY',
        'XDG_CACHE_HOME',
        'XDG_CONFIG_HOME',
    }
    caller = {name: value for name, value in os.environ.items() if name not in ours}
    workspace = find_layout(caller)
    if not workspace.environment_file.exists():
        pytest.skip('the tests run in no workspace of ./gremsy')
    inside = environment.load(workspace, {**caller, 'HOME': str(tmp_path)})
    code = 'import rclpy, matplotlib.font_manager; rclpy.init(); rclpy.create_node("x").get_logger().info("x")'
    subprocess.run([sys.executable, '-c', code], env=inside, check=True, capture_output=True, timeout=100)
    assert list(tmp_path.iterdir()) == []
    assert list((workspace.log / 'ros').iterdir())
