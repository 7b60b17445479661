# SPDX-License-Identifier: Apache-2.0
"""What is said of a parameter file before anything starts: each fault one whole sentence with its line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gremsy_bringup.describe.parameter_check import check, main, refuse_wrong
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import SystemDescription, describe
from gremsy_common.parameters.parameter_fields import ParameterError

TRACKER = '/**/tracker:\n  ros__parameters:\n    '
CAMERA = '/**/camera:\n  ros__parameters:\n    '
DRIVER = '/**/gimbal_driver:\n  ros__parameters:\n    '


def of_node(name: str) -> str:
    return f'{name}:\n  ros__parameters:\n    autostart: true\n'


def described(path: Path, **arguments: object) -> SystemDescription:
    return describe(SuiteArguments(params_file=str(path), **{'sim': True, **arguments}))  # type: ignore[arg-type]


def said_of(tmp_path: Path, text: str, **arguments: object) -> list[str]:
    path = tmp_path / 'own.yaml'
    path.write_text(text)
    return [each.sentence.replace(f'{path}', 'FILE') for each in check(path, described(path, **arguments))]


UNKNOWN = {
    'a node': (
        of_node('/robot/eo/trakker'),
        'FILE, line 1: no node of this start is `/robot/eo/trakker`: did you mean `/robot/eo/tracker`?',
    ),
    'a node anywhere': (
        of_node('/**/trakker'),
        'FILE, line 1: no node of this start is `/**/trakker`: did you mean `/**/tracker`?',
    ),
    'a node like none': (
        of_node('/robot/planner'),
        'FILE, line 1: no node of this start is `/robot/planner`: the nodes here are /robot/eo/camera, '
        '/robot/eo/detector, /robot/eo/recorder, /robot/eo/stream, /robot/eo/tracker, /robot/foreign_logs, '
        '/robot/gimbal_driver, /robot/web.',
    ),
    'a robot': (
        of_node('/robt/eo/tracker'),
        'FILE, line 1: no node of this start is `/robt/eo/tracker`: did you mean `/robot/eo/tracker`?',
    ),
    'a camera': (
        of_node('/robot/eoo/camera'),
        'FILE, line 1: no node of this start is `/robot/eoo/camera`: did you mean `/robot/eo/camera`?',
    ),
    'no namespace': (
        of_node('tracker'),
        'FILE, line 1: no node of this start is `/tracker`: did you mean `/robot/eo/tracker`?',
    ),
    'nested': (
        'robot:\n  eo:\n    trakker:\n      ros__parameters:\n        autostart: true\n',
        'FILE, line 3: no node of this start is `/robot/eo/trakker`: did you mean `/robot/eo/tracker`?',
    ),
    'a parameter': (
        TRACKER + 'max_rate_rads: 0.5\n',
        'FILE, line 3: `/**/tracker` has no parameter `max_rate_rads`: did you mean `max_rate_rad_s`?',
    ),
    'a parameter of another node': (
        CAMERA + 'max_rate_rad_s: 0.5\n',
        'FILE, line 3: `/**/camera` has no parameter `max_rate_rad_s`: it is one of `/**/tracker`.',
    ),
    'a parameter of no node': (
        '/**:\n  ros__parameters:\n    use_sim_time: false\n    colour: red\n',
        'FILE, line 4: `/**` has no parameter `colour`: take the line out, config/gremsy.yaml has all that there are.',
    ),
}
WRONG = {
    "YAML's own off": (
        CAMERA + 'source: off\n',
        "FILE, line 3: Parameter `source` is off, which YAML takes for false: put it into quotes, as 'off'.",
    ),
    "YAML's own no in a list": (
        TRACKER + 'lock_classes: [off, no]\n',
        "FILE, line 3: Parameter `lock_classes` has off, which YAML takes for false: put it into quotes, as 'off'.",
    ),
    "a text for rclpy's own": (
        "/**:\n  ros__parameters:\n    use_sim_time: 'true'\n",
        "FILE, line 3: `use_sim_time` is 'true': use true or false.",
    ),
    'a type': (
        TRACKER + "max_rate_rad_s: 'fast'\n",
        "FILE, line 3: Parameter `max_rate_rad_s` is 'fast': use a number.",
    ),
    'a range': (
        TRACKER + 'max_rate_rad_s: 77\n',
        'FILE, line 3: Parameter `max_rate_rad_s` is 77, out of its range: use 0.01 .. 6 rad/s.',
    ),
    'a range under a wildcard': (
        '/**:\n  ros__parameters:\n    max_rate_rad_s: 77\n',
        'FILE, line 3: Parameter `max_rate_rad_s` is 77, out of its range: use 0.01 .. 6 rad/s.',
    ),
    'a combination': (
        TRACKER + 'low_score: 0.7\n    high_score: 0.5\n',
        'FILE: /robot/eo/tracker: Parameter `low_score` is 0.7, above `high_score` 0.5: lower it or raise the other.',
    ),
    'a key twice': (
        TRACKER + 'max_rate_rad_s: 0.5\n    max_rate_rad_s: 0.6\n',
        'FILE, line 4: `max_rate_rad_s` is given twice, first in line 3: keep one of them.',
    ),
    'a node twice': (
        of_node('/**/tracker') + of_node('/**/tracker'),
        'FILE, line 4: `/**/tracker` is given twice, first in line 1: keep one of them.',
    ),
}


@pytest.mark.parametrize(('text', 'sentence'), [*UNKNOWN.values(), *WRONG.values()], ids=[*UNKNOWN, *WRONG])
def test_a_fault_is_one_sentence_with_its_line(text: str, sentence: str, tmp_path: Path) -> None:
    assert said_of(tmp_path, text) == [sentence]


@pytest.mark.parametrize(
    ('text', 'cameras'),
    [
        pytest.param('', 'eo', id='empty'),
        pytest.param(of_node('/robot/web') + of_node('/robot/eo/recorder'), 'eo', id='nodes that are not started'),
        pytest.param(DRIVER + "optical_frames: ['']\n", 'eo', id='a list with an empty text'),
        pytest.param(DRIVER + 'optical_frames: []\n', 'eo', id='an empty list'),
        pytest.param(TRACKER + 'max_rate_rad_s: 1\n', 'eo', id='a whole number where a float is meant'),
        pytest.param(TRACKER + 'max_rate_rad_s: 5e-1\n', 'eo', id='an exponent, which YAML takes for text'),
        pytest.param(CAMERA + 'qos_overrides./robot/eo/image_raw.publisher.depth: 1\n', 'eo', id='a QoS'),
        pytest.param(of_node('/**/eo/camera') + of_node('/robot/ir/camera'), 'eo ir', id='two cameras'),
    ],
)
def test_nothing_is_said_of_what_is_right(text: str, cameras: str, tmp_path: Path) -> None:
    assert said_of(tmp_path, text, cameras=cameras) == []


@pytest.mark.parametrize(
    ('cameras', 'section'), [('eo', '/**/ir/camera'), ('eo', '/robot/ir/tracker'), ('cam1', '/robot/cam2/camera')]
)
def test_a_camera_that_is_started_elsewhere_is_no_fault(cameras: str, section: str, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(of_node(section))
    assert refuse_wrong(described(path, cameras=cameras)) == (
        f'{path}, line 1: `{section}` is of no camera of this start (cameras:={cameras}).',
    )


@pytest.mark.parametrize(('text', 'sentence'), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_unknown_may_be_allowed_and_is_said_then(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(text)
    said = sentence.replace('FILE', f'{path}')
    with pytest.raises(ParameterError) as caught:
        refuse_wrong(described(path))
    assert str(caught.value) == f'{said} allow_unknown_parameters:=true starts without it.'
    assert refuse_wrong(described(path, allow_unknown_parameters=True)) == (said,)


@pytest.mark.parametrize(('text', 'sentence'), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_whatever_is_allowed(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError) as caught:
        refuse_wrong(described(path, allow_unknown_parameters=True))
    assert str(caught.value) == sentence.replace('FILE', f'{path}')


def test_a_start_says_the_first_fault_and_how_many_more(tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(TRACKER + 'max_rate_rad_s: 77\n    image_rate: 1\n    colour: red\n')
    words = [f'params_file:={path}', 'sim:=true']
    ended = subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.run', *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stderr == (
        f'{path}, line 3: Parameter `max_rate_rad_s` is 77, out of its range: use 0.01 .. 6 rad/s. '
        '(2 more: `ros2 run gremsy_bringup check` names them.)\n'
    )
    assert (ended.returncode, ended.stdout) == (2, '')


def test_the_program_says_all_and_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(TRACKER + 'max_rate_rad_s: 77\n    colour: red\n')
    with pytest.raises(SystemExit) as ended:
        main([f'{path}', 'cameras:=eo ir', '--ros-args', '-r', '__ns:=/x'])
    assert ended.value.code == 1
    assert capsys.readouterr().out == (
        f'{path}, line 3: Parameter `max_rate_rad_s` is 77, out of its range: use 0.01 .. 6 rad/s.\n'
        f'{path}, line 4: `/**/tracker` has no parameter `colour`: take the line out, config/gremsy.yaml has all that '
        'there are.\n'
    )
    path.write_text(TRACKER + 'max_rate_rad_s: 0.5\n')
    main([f'{path}'])
    assert capsys.readouterr().out == f'{path} can be used with these arguments.\n'


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ([], 'check needs a parameter file first: usage: check FILE [name:=value ...]'),
        (['sim:=true'], 'check needs a parameter file first: usage: check FILE [name:=value ...]'),
        (['/'], "Argument `params_file` is '/': that is a folder, name a file."),
        ([''], 'check needs a parameter file first: usage: check FILE [name:=value ...]'),
        (['/no/such.yaml'], "Argument `params_file` is '/no/such.yaml': there is no such file."),
    ],
)
def test_a_wrong_command_line(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f'{sentence}\n'


def test_a_pipe_is_no_parameter_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the shell makes of `<(sed ... gremsy.yaml)`."""
    os.mkfifo(pipe := tmp_path / 'pipe')
    with pytest.raises(SystemExit) as ended:
        main([str(pipe)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"Argument `params_file` is '{pipe}': that is a pipe, which only one process could read, name a file.\n"
    )


def test_the_shipped_files_are_right() -> None:
    config = Path(__file__).parents[1] / 'config'
    for path in (config / 'gremsy.yaml', config / 'sim.yaml'):
        assert list(check(path, described(path))) == []
