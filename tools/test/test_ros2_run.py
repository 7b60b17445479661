# SPDX-License-Identifier: Apache-2.0
"""`./gremsy exec ros2 run ...` means the same whether ROS's command line is there or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gremsy_tool.errors import GremsyError
from gremsy_tool.ros2_run import understood


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Two workspaces, the first of which has package `tools`, with two programs and a file that is none."""
    folder = tmp_path / 'over' / 'lib' / 'tools'
    folder.mkdir(parents=True)
    for name, mode in (('run', 0o755), ('fetch', 0o755), ('notes.txt', 0o644)):
        (folder / name).write_text('#!/bin/sh\n')
        (folder / name).chmod(mode)
    (tmp_path / 'under' / 'lib' / 'tools').mkdir(parents=True)
    return {'AMENT_PREFIX_PATH': f'{tmp_path}/empty:{tmp_path}/over:{tmp_path}/under', 'PATH': str(tmp_path)}


def test_an_executable_is_found_with_its_arguments(env: dict[str, str], tmp_path: Path) -> None:
    command = ['ros2', 'run', 'tools', 'fetch', '--help', 'x']
    assert understood(command, env) == [f'{tmp_path}/over/lib/tools/fetch', '--help', 'x']


def test_any_other_program_and_a_real_ros2_are_left_alone(env: dict[str, str], tmp_path: Path) -> None:
    assert understood(['python', 'run', 'tools', 'fetch'], env) == ['python', 'run', 'tools', 'fetch']
    (tmp_path / 'ros2').write_text('#!/bin/sh\n')
    (tmp_path / 'ros2').chmod(0o755)
    command = ['ros2', 'run', 'tools', 'fetch']
    assert understood(command, env) == command


_NOT_HERE = (
    "ROS's command line (ros2) is not here, as PyPI does not have it: ./gremsy exec understands only ros2 run PACKAGE "
    'EXECUTABLE [ARGUMENTS] and ros2 topic list, topic echo, topic hz, topic pub, service list, service call, '
    'param list, param describe, param get, param set; ./gremsy run starts what ros2 launch would.'
)


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('run tools fetsch', 'Package tools has no executable "fetsch": choose from fetch, run.'),
        ('run tools notes.txt', 'Package tools has no executable "notes.txt": choose from fetch, run.'),
        ('run nothing fetch', 'Package nothing has no executable "fetch": check the name of the package.'),
        ('run ../tools fetch', 'Package ../tools has no executable "fetch": check the name of the package.'),
        ('run tools', _NOT_HERE),
        ('run --prefix gdb tools fetch', _NOT_HERE),
        ('topic bw /robot/eo/image_raw', _NOT_HERE),
        ('', _NOT_HERE),
    ],
)
def test_what_cannot_be_run_is_a_sentence(env: dict[str, str], words: str, sentence: str) -> None:
    with pytest.raises(GremsyError) as refused:
        understood(['ros2', *words.split()], env)
    assert str(refused.value) == sentence


def test_questions_to_the_graph_are_answered_by_our_own_program(env: dict[str, str]) -> None:
    """The words of https://docs.ros.org/en/jazzy/Tutorials/Beginner-CLI-Tools.html."""
    ask = ['python', '-m', 'gremsy_bringup.ask.ask_node']
    assert understood(['ros2', 'topic', 'list'], env) == [*ask, 'topics']
    assert understood(['ros2', 'topic', 'echo', '/turtle1/cmd_vel'], env) == [*ask, 'echo', '/turtle1/cmd_vel']
    assert understood(['ros2', 'service', 'call', '/clear', 'std_srvs/srv/Empty'], env) == [
        *ask,
        'call',
        '/clear',
        'std_srvs/srv/Empty',
    ]
    assert understood(['ros2', 'param', 'get', '/turtlesim', 'background_g'], env) == [
        *ask,
        'param',
        'get',
        '/turtlesim',
        'background_g',
    ]
