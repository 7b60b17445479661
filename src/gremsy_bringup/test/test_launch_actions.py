# SPDX-License-Identifier: Apache-2.0
"""The launch files, by upstream's own launch and launch_ros; skipped where these are not installed."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('launch_ros', reason='launch_ros is not installed (it is not on PyPI)')

import launch.logging as launch_logging
from launch.actions import OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited, ProcessIO, ProcessStderr, ProcessStdout
from launch.launch_context import LaunchContext
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch_ros.actions import Node, PushRosNamespace

from gremsy_bringup.describe.launch_actions import CannotRunError, LaunchLog, LaunchRefusal, suite_launch_description
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.logs.log_reader import Marks
from gremsy_bringup.logs.log_writer import LogWriter
from gremsy_common.log_lines import FORM_VARIABLE, console_line
from gremsy_common.parameters.parameter_fields import ParameterError, specs_of
from launch import LaunchDescription, LaunchService

SHARE = Path(__file__).resolve().parents[1]
# Writes which start it is, and ends as a process of the suite that crashes, and then misses a file twice.
_KILLED_THEN_REFUSING = """
import os, sys, time
from pathlib import Path
file = Path(sys.argv[1])
before = file.read_text() if file.exists() else ''
turn = ('kill', 'refuse', 'refuse', 'run')[len(before.split())]
file.write_text(f'{before}{turn} ')
if turn == 'kill':
    os.kill(os.getpid(), 9)
if turn == 'refuse':
    sys.exit(2)
time.sleep(60)
"""


class Started:
    """What a launch of these arguments starts, without starting it."""

    def __init__(self, pushed: str = '', **arguments: str) -> None:
        self.context = LaunchContext()
        if pushed:
            PushRosNamespace(pushed).execute(self.context)
        self.actions: list[Any] = []
        """As launch keeps them: what gives back at the end holds what was taken."""
        for entity in suite_launch_description(arguments).entities:
            if isinstance(entity, OpaqueFunction):
                self.actions += entity.execute(self.context) or []
            else:
                entity.execute(self.context)

    @property
    def nodes(self) -> list[Node]:
        return [each for each in self.actions if isinstance(each, Node)]

    @property
    def executables(self) -> list[str]:
        return [node.node_executable for node in self.nodes]

    def words(self, number: int) -> list[str]:
        """The command line of one of them, as launch_ros writes it."""
        node = self.nodes[number]
        node._perform_substitutions(self.context)
        # What launch_ros fills in as it starts the process.
        own = {'name': '__node:=', 'ns': f'__ns:={node.expanded_node_namespace}'}
        self.context.extend_locals({'ros_specific_arguments': own})
        return [''.join(part.perform(self.context) for part in word) for word in node.cmd[1:-1]]

    def namespace(self, number: int) -> str:
        self.words(number)
        return str(self.nodes[number].expanded_node_namespace)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the parameters that come of the arguments."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))


@pytest.mark.parametrize('name', ['gremsy.launch.py', 'sim.launch.py'])
def test_launch_files_declare_every_argument(name: str) -> None:
    description = get_launch_description_from_python_launch_file(str(SHARE / 'launch' / name))
    declared = [argument.name for argument in description.get_launch_arguments()]
    assert declared == [spec.name for spec in specs_of(SuiteArguments)]


@pytest.mark.parametrize(
    ('arguments', 'executables'),
    [
        ({'sim': 'true'}, ['sim_payload', 'container', 'gimbal_driver_node']),
        (
            {'sim': 'true', 'composed': 'false'},
            ['sim_payload', 'camera_node', 'detector_node', 'tracker_node', 'stream_node', 'gimbal_driver_node'],
        ),
        ({'cameras': 'eo ir:camera'}, ['container', 'camera_node', 'gimbal_driver_node']),
        ({'cameras': 'eo ir:camera', 'one_loop': 'true'}, ['container', 'gimbal_driver_node']),
        ({'video': 'builtin'}, ['video_server', 'container', 'gimbal_driver_node']),
        ({'cameras': 'eo:detector', 'gimbal': 'false'}, ['detector_node']),
        ({'cameras': '', 'rviz': 'true'}, ['gimbal_driver_node', 'rviz2']),
    ],
)
def test_launch_starts_what_the_supervisor_starts(arguments: dict[str, str], executables: list[str]) -> None:
    assert Started(**arguments).executables == executables


@pytest.mark.parametrize(
    ('pushed', 'namespace', 'robot'),
    [
        ('', 'robot', '/robot'),
        ('fleet', 'robot', '/fleet/robot'),
        ('fleet', '', '/fleet'),
        ('', '', '/'),
        ('fleet', '/robot', '/robot'),
    ],
)
def test_everything_is_within_what_was_pushed(pushed: str, namespace: str, robot: str) -> None:
    started = Started(pushed, namespace=namespace, cameras='eo:camera ir:camera+detector')
    around = robot.rstrip('/')
    assert [started.namespace(number) for number in range(3)] == [f'{around}/eo', f'{around}/ir', robot]
    for camera in (0, 1):
        words = started.words(camera)
        assert f'gimbal/attitude:={around}/gimbal/attitude' in words
        assert not any(word.startswith('gimbal/setpoint:=') for word in words)


def test_the_cameras_of_one_loop_are_in_their_namespaces() -> None:
    started = Started('fleet', cameras='eo:camera ir:camera', one_loop='true')
    assert started.namespace(0) == '/fleet/robot'
    words = started.words(0)
    assert words[words.index('--components') + 1 :][:2] == ['eo/camera', 'ir/camera']


def test_the_driver_reads_what_follows_from_the_cameras(tmp_path: Path) -> None:
    started = Started(cameras='ir:camera eo')
    words = started.words(-1)
    files = [Path(word) for option, word in pairwise(words) if option == '--params-file']
    assert [path.name for path in files] == ['gremsy.yaml', 'parameters_cameras.yaml']
    assert tmp_path in files[1].parents
    told = yaml.safe_load(files[1].read_text())['/**/gimbal_driver']
    assert told['ros__parameters'] == {
        'optical_frames': ['ir_optical_frame', 'eo_optical_frame'],
        'setpoint_source': 'eo',
    }


def test_a_parameter_file_that_is_wrong_ends_the_launch_and_leaves_nothing(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text('/fleet/robot/eo/trakker:\n  ros__parameters: {autostart: true}\n')
    with pytest.raises(ParameterError) as refused:
        Started('fleet', sim='true', params_file=str(own))
    assert str(refused.value) == (
        f'{own}, line 1: no node of this start is `/fleet/robot/eo/trakker`: did you mean `/fleet/robot/eo/tracker`? '
        'allow_unknown_parameters:=true starts without it.'
    )
    assert list(tmp_path.iterdir()) == [own]
    assert Started('fleet', sim='true', params_file=str(own), allow_unknown_parameters='true').nodes


def ended(status: int, name: str = 'loop_ir-2', pid: int = 1) -> ProcessExited:
    action = Node(package='gremsy_bringup', executable='container')
    return ProcessExited(action=action, name=name, cmd=[], cwd=None, env=None, pid=pid, returncode=status)


def test_a_process_that_refuses_its_first_start_ends_the_launch() -> None:
    with pytest.raises(CannotRunError) as refused:
        LaunchRefusal().on_exit(ended(2), LaunchContext())
    assert str(refused.value) == 'loop_ir-2 cannot run as configured; its own last words say why.'


def test_one_that_has_run_is_tried_again_until_it_can() -> None:
    """A real process under a real launch: it is killed, refuses twice, and then runs."""
    starts = Path(tempfile.gettempdir()) / 'starts'
    process = Node(
        executable=sys.executable, arguments=['-c', _KILLED_THEN_REFUSING, str(starts)], respawn=True, respawn_delay=0.1
    )
    service = LaunchService()
    watched = RegisterEventHandler(OnProcessExit(target_action=process, on_exit=LaunchRefusal().on_exit))
    service.include_launch_description(LaunchDescription([watched, process]))

    async def until_it_runs() -> int:
        running = asyncio.ensure_future(service.run_async())
        while not running.done() and (not starts.exists() or starts.read_text() != 'kill refuse refuse run '):
            await asyncio.sleep(0.05)
        assert not running.done(), starts.read_text()
        await service.shutdown()
        return await running

    assert asyncio.run(until_it_runs()) == 0


def test_one_that_has_run_is_said_to_be_tried_again() -> None:
    refusal, context = LaunchRefusal(), LaunchContext()
    assert refusal.on_exit(ended(-9), context) == []
    (said,) = refusal.on_exit(ended(2), context)
    texts: list[Any] = [part.perform(context) for part in said.msg]
    assert ''.join(texts) == 'loop_ir-2 cannot run now and is tried again, the others go on.'


def io(text: bytes, *, stderr: bool = True, name: str = 'loop-1') -> ProcessIO:
    kind = ProcessStderr if stderr else ProcessStdout
    action = Node(package='gremsy_bringup', executable='container')
    return kind(action=action, name=name, cmd=[], cwd=None, env=None, pid=7, text=text)


def test_with_json_a_launch_says_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What a process says, what launch says itself, and what it shows of a process of another launch file."""
    marks = Marks.fresh()
    lines: list[str] = []
    log = LaunchLog(LogWriter(lines.append, 'json', '/robot'), marks)
    record = console_line(marks.environment[FORM_VARIABLE], 'WARN', 'robot.eo.camera', 1_000_000_005, 'two\nlines')
    log.on_output(io(record[:20].encode()))
    log.on_output(io(b'printed\n', stderr=False))
    log.on_output(io(f'{record[20:]}\nlast'.encode()))
    log.on_exit(ended(0, 'loop-1', 7), LaunchContext())
    log.take_over_screen()
    try:
        launch_logging.get_logger('loop-1').warning('process has died')
        shown, _ = launch_logging.get_output_loggers('usb_cam-2', 'screen')
        shown.info('[usb_cam-2] [ERROR] [1.000000009] [usb_cam]: gone')
    finally:
        launch_logging.reset()
    told = [json.loads(line) for line in lines]
    assert [(each['level'], each['node'], each['message'], each['process']) for each in told] == [
        ('INFO', None, 'printed', 'loop'),
        ('WARN', '/robot/eo/camera', 'two\nlines', 'loop'),
        ('INFO', None, 'last', 'loop'),
        ('WARN', None, 'loop-1: process has died', 'launch'),
        ('ERROR', '/usb_cam', 'gone', 'usb_cam-2'),
    ]
    assert capsys.readouterr().out == ''


def test_with_json_the_processes_are_told_how_to_mark_what_they_say() -> None:
    started = Started(log_format='json', sim='true')
    assert started.executables[-1] == 'foreign_logs_node'
    for node in started.nodes:
        assert node.output == {'both': set()} and not node.emulate_tty
        names = {part.perform(started.context) for name, _ in node.additional_env or () for part in name}
        assert FORM_VARIABLE in names
