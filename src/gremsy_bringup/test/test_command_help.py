# SPDX-License-Identifier: Apache-2.0
"""`--help` of everything that `ros2 run` can start: it says how it is used, and starts nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

COMMANDS = sorted(
    {each for each in entry_points(group='console_scripts') if each.value.startswith('gremsy_')},
    key=lambda each: each.value,
)
NODES = [each for each in COMMANDS if each.name.endswith('_node') or each.name == 'capture_frames']


def run(command: EntryPoint, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A context of rclpy writes its log file there as soon as it is made.
    env = {**os.environ, 'ROS_LOG_DIR': str(tmp_path / 'log')}
    code = f'import sys; from {command.module} import node, tool; sys.argv[0] = {command.name!r}; {command.attr}()'
    words = [sys.executable, '-c', code, *arguments]
    return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_list_is_not_empty() -> None:
    assert {'camera_node', 'gremsy_gimbal', 'demo', 'capture_frames', 'recorder_node'} <= {
        each.name for each in COMMANDS
    }
    assert len(NODES) == 9


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command.name)
def test_help_says_how_it_is_used_and_starts_nothing(command: EntryPoint, tmp_path: Path) -> None:
    ended = run(command, tmp_path, '--help')
    assert (ended.returncode, ended.stderr) == (0, '')
    assert ended.stdout.startswith('usage: ')
    # A node is used by its parameters.
    listed = '\n  autostart:=true\n      Configure and activate at start; false leaves both to' in ended.stdout
    assert listed is (command in NODES)
    assert list(tmp_path.iterdir()) == []


def test_an_argument_that_no_node_takes_ends_in_a_sentence(tmp_path: Path) -> None:
    camera = next(each for each in COMMANDS if each.name == 'camera_node')
    ended = run(camera, tmp_path, 'source:=video.mp4', '--ros-args', '-r', '__ns:=/robot/eo')
    assert ended.stderr == (
        "camera_node takes no argument 'source:=video.mp4': parameters are given as --ros-args -p NAME:=VALUE, "
        '--help lists them.\n'
    )
    assert (ended.returncode, ended.stdout) == (2, '')
    assert list(tmp_path.iterdir()) == []
