# SPDX-License-Identifier: Apache-2.0
"""No value of a parameter ends a node or shows a traceback: every node, every parameter, the table of bad values.

Live ones go through ROS's parameter service, as from `ros2 param set`; the others through a parameter file into
`run_nodes`, the main function of every node's process.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
import yaml
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.signals import SignalHandlerOptions

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterSpec, from_values, specs_of
from gremsy_common.ros.hosting import EXIT_MISCONFIGURED, EXIT_STOPPED, run_nodes
from gremsy_common.ros.node_host import NodeHost
from src.gremsy_bringup.test.hostile_values import LISTS, NODES, NUMBERS, OTHERS, TEXTS, as_messages, places

pytestmark = pytest.mark.integration

ANSWER_S = 60.0
NAMESPACE = f'/hostile_{os.getpid()}'
"""Of its own, since other nodes of these names may run on this machine."""
PROBLEMS = (
    'Traceback',
    'terminate called',
    'core dumped',
    'does not start with its',
    'cannot start as it is configured',
)
"""The last two are what is said of an exception that nobody thought of."""


def quiet(name: str, folder: Path) -> dict[str, Any]:
    """What lets that node run here: without devices, with files of its own."""
    return {
        'gimbal_driver': {'link': 'udp://127.0.0.1:9', 'calibration_file': str(folder / 'calibration.yaml')},
        'recorder': {'path': str(folder / 'film.mp4')},
        'capture_frames': {'folder': str(folder / 'frames')},
        'detector': {'engine_dir': str(folder), 'warm_up_runs': 1},
    }.get(name, {})


def node_of(name: str, host: NodeHost) -> Any:
    return NODES[name](host, lambda: None) if name == 'capture_frames' else NODES[name](host)


def parameter_file(folder: Path, values: dict[str, Any]) -> list[str]:
    file = folder / 'parameters.yaml'
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': lists}}, allow_unicode=True))
    return ['--ros-args', '--params-file', str(file), '-r', f'__ns:={NAMESPACE}']


def specs(name: str) -> tuple[ParameterSpec, ...]:
    return specs_of(NODES[name].parameters_type)


def refusal_of(name: str, spec: ParameterSpec, value: Any) -> str:
    """The sentence; empty where it is taken. Any other exception is the fault that is looked for."""
    try:
        from_values(NODES[name].parameters_type, {spec.name: value})
    except SuiteError as error:
        return str(error)
    return ''


# By themselves.


@pytest.mark.parametrize('name', NODES)
def test_a_value_is_taken_or_refused_in_one_sentence_that_names_it(name):
    for spec in specs(name):
        for value in (*TEXTS, *NUMBERS, *LISTS, *OTHERS):
            said = refusal_of(name, spec, value)
            assert '\n' not in said
            assert len(said) < 1000
            assert not said or f'`{spec.name}`' in said


# Live.


@pytest.fixture
def running(request, tmp_path):
    """A node that is active, on an executor's thread, and a client's node beside it."""
    folder = tmp_path / 'own'
    folder.mkdir()
    name = request.param
    values = quiet(name, folder)
    if name == 'camera':
        values = {'source': str(video(tmp_path))}
    rclpy.init(args=parameter_file(tmp_path, values), signal_handler_options=SignalHandlerOptions.NO)
    host = NodeHost()
    crashes: list[bool] = []
    node = node_of(name, host)
    client = rclpy.create_node('somebody')
    node.start()
    host.start([node, client], on_crash=lambda: crashes.append(True))
    yield node, client, crashes
    host.stop()
    client.destroy_node()
    node.close()
    host.shutdown()
    rclpy.shutdown()


def video(folder: Path) -> Path:
    import cv2
    import numpy as np

    path = folder / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 30.0, (64, 48))
    for grey in (0, 100, 200):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    return path


def call(client, service: str, kind: Any, request: Any) -> Any:
    caller = client.create_client(kind, service)
    try:
        assert caller.wait_for_service(timeout_sec=ANSWER_S)
        answer = caller.call_async(request)
        deadline = time.monotonic() + ANSWER_S
        while not answer.done():
            assert time.monotonic() < deadline, f'{service} does not answer'
            time.sleep(0.002)
        return answer.result()
    finally:
        client.destroy_client(caller)


@pytest.mark.parametrize('running', NODES, indirect=True)
def test_no_value_that_is_set_live_ends_a_node(running, capfd):
    node, client, crashes = running
    service = f'{node.get_fully_qualified_name()}/set_parameters'
    messages = [each for each in as_messages() if each.type <= ParameterType.PARAMETER_STRING_ARRAY]
    for spec in specs(node.get_name()):
        request = SetParameters.Request(
            parameters=[ParameterMessage(name=spec.name, value=value) for value in messages]
        )
        results = call(client, service, SetParameters, request).results
        assert len(results) == len(messages)
        assert all('\n' not in each.reason.strip() and len(each.reason) < 1000 for each in results)
        held = getattr(node.parameters, spec.name)
        told = node.get_parameter(spec.name).value
        assert told == held or list(told) == list(held), 'what the node uses is not what it says'
    for name in ('use_sim_time', 'no_such_parameter', '', ' ', 'x' * 5000):
        request = SetParameters.Request(parameters=[ParameterMessage(name=name, value=each) for each in messages])
        if name != 'use_sim_time':
            call(client, service, SetParameters, request)
    # A type that there is none of, which rclpy itself stumbles over.
    call(client, service, SetParameters, SetParameters.Request(
        parameters=[ParameterMessage(name=specs(node.get_name())[0].name, value=ParameterValue(type=77))]
    ))  # fmt: skip
    time.sleep(1.2)  # diagnostics are published once a second
    answer = call(client, service, SetParameters, SetParameters.Request())
    assert (answer.results, crashes, node.host.crash) == ([], [], None)
    assert 'diagnostics error' not in node._guarded_values()
    assert not any(problem in capfd.readouterr().err for problem in PROBLEMS[:1])


@pytest.mark.parametrize('running', ['gimbal_driver'], indirect=True)
def test_a_name_that_ros_refuses_leaves_the_setpoints_as_they_were(running):
    node, client, crashes = running

    def put(value: str) -> tuple[bool, str]:
        parameter = ParameterMessage(
            name='setpoint_source', value=ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        )
        request = SetParametersAtomically.Request(parameters=[parameter])
        result = call(
            client, f'{NAMESPACE}/gimbal_driver/set_parameters_atomically', SetParametersAtomically, request
        ).result
        return result.successful, result.reason

    assert put('eo') == (True, '')
    assert put('eo/bad name') == (
        False,
        "Parameter `setpoint_source` is 'eo/bad name', which is no ROS name: use letters, digits and _, with single / "
        'between its parts, none of which begins with a digit, as in robot/eo.',
    )
    assert (node.parameters.setpoint_source, crashes) == ('eo', [])
    assert client.count_subscribers(f'{NAMESPACE}/eo/gimbal/setpoint') == 1


@pytest.mark.parametrize('running', ['tracker'], indirect=True)
def test_whatever_a_node_raises_over_a_change_is_refused_and_the_node_goes_on(running, capfd):
    """Of any node, for a fault that nobody thought of: made here, since the known ones are mended."""
    node, client, crashes = running
    before = node.parameters

    def broken() -> None:
        raise ValueError('nobody thought of this\nand a second line')

    node.parameters_changed = broken
    name = next(spec.name for spec in specs('tracker') if spec.meta.live and spec.type is float)
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=getattr(before, name))
    request = SetParameters.Request(parameters=[ParameterMessage(name=name, value=value)])
    (result,) = call(client, f'{NAMESPACE}/tracker/set_parameters', SetParameters, request).results
    sentence = f'`{name}` cannot be changed to that and stays as it was: ValueError: nobody thought of this.'
    assert (result.successful, result.reason) == (False, sentence)
    assert (node.parameters, crashes, node.host.crash) == (before, [], None)
    assert node.diagnostics.last_error == sentence
    said = capfd.readouterr().err
    assert sentence in said
    assert 'Traceback' not in said


# At the start.


def start(name: str, folder: Path, values: dict[str, Any]) -> int:
    """As the node's process does, ended as soon as it is up."""

    def factory(host: NodeHost) -> Any:
        node = node_of(name, host)
        starts = node.start

        def start_and_end() -> None:
            starts()
            node.finished = True

        node.start = start_and_end
        return node

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    here = Path.cwd()
    own = folder / 'own'
    own.mkdir(exist_ok=True)
    os.chdir(own)
    try:
        if name == 'camera' and 'source' not in values:
            values = {'source': str(video(folder)), **values}
        return run_nodes([factory], parameter_file(folder, {**quiet(name, own), **values}))
    finally:
        os.chdir(here)
        for number, handler in before.items():
            signal.signal(number, handler)


def hold_to_the_promise(status: int, said: str) -> None:
    assert status in (EXIT_STOPPED, EXIT_MISCONFIGURED), said
    assert not any(problem in said for problem in PROBLEMS), said
    if status == EXIT_MISCONFIGURED:
        own = [line for line in said.splitlines() if line and not line.startswith('[')]
        assert len(own) == 1, said
        assert own[0].rstrip().endswith('.'), said


@pytest.mark.parametrize(
    ('name', 'parameter', 'value'),
    [
        ('gimbal_driver', 'setpoint_source', 'eo/bad name'),
        ('gimbal_driver', 'link', 'udp://[::1'),
        ('gimbal_driver', 'optical_frames', ('a b',)),
        ('camera', 'source', '~nobody_of_that_name/x'),
        ('camera', 'calibration_file', '<folder>'),
        ('detector', 'model', '<folder>'),
        ('detector', 'class_confidence', ('person:',)),
        ('tracker', 'level_frame', '/'),
        ('recorder', 'path', '.'),
        ('recorder', 'path', '<file>/film.mp4'),
        ('tracker', 'trace_dir', '<file>'),
    ],
)
def test_a_value_in_a_file_ends_in_one_sentence_and_status_2_or_lives(name, parameter, value, tmp_path, capfd):
    file, folder = places(tmp_path)[:2]
    if isinstance(value, str):
        value = value.replace('<file>', file).replace('<folder>', folder)
    hold_to_the_promise(start(name, tmp_path, {parameter: value}), capfd.readouterr().err)
    assert Path(file).read_text() == 'not what you expect'


def texts_of(name: str) -> list[str]:
    return [spec.name for spec in specs(name) if spec.type in (str, tuple[str, ...])]


@pytest.mark.slow
@pytest.mark.timeout(900)  # a start takes half a second, on a machine with nothing else to do
@pytest.mark.parametrize(('name', 'parameter'), [(name, each) for name in NODES for each in texts_of(name)])
def test_every_text_in_a_file_ends_in_one_sentence_and_status_2_or_lives(name, parameter, tmp_path, capfd):
    (spec,) = [each for each in specs(name) if each.name == parameter]
    for value in (*TEXTS, *places(tmp_path)):
        given = value if spec.type is str else (value,)
        hold_to_the_promise(start(name, tmp_path, {parameter: given}), capfd.readouterr().err)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize('name', NODES)
def test_every_other_value_in_a_file_ends_in_one_sentence_and_status_2_or_lives(name, tmp_path, capfd):
    for spec in specs(name):
        if spec.type in (str, tuple[str, ...]):
            continue
        for value in (*NUMBERS, *LISTS, 'nan', True):
            if refusal_of(name, spec, value) and value not in (-1, 'nan', True):
                continue  # refused alike, which is tested by itself above
            hold_to_the_promise(start(name, tmp_path, {spec.name: value}), capfd.readouterr().err)
