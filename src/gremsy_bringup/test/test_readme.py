# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what there is: processes, cameras, exit statuses, report, times, arguments of the URDF."""

from __future__ import annotations

import re
import signal
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from gremsy_bringup import robot_doctor, run
from gremsy_bringup.describe import starting
from gremsy_bringup.describe.ros_network import SERVER, RosNetwork
from gremsy_bringup.describe.suite_arguments import SuiteArguments, from_command_line
from gremsy_bringup.describe.system_description import RESPAWN_DELAY_S, describe, process_specs
from gremsy_bringup.describe.video_server_choice import VideoServerPlan
from gremsy_bringup.logs import foreign_logs_node
from gremsy_bringup.logs.log_writer import JSON
from gremsy_bringup.report import report_folder
from gremsy_bringup.robot_doctor import network_checks, secret_checks
from gremsy_bringup.supervise.process_spec import ProcessSpec, RestartPolicy
from gremsy_common.programs import INTERRUPTED
from gremsy_common.ros.topics import OVERLAY
from tools.test.document_tables import by_name, names, rows

DOCUMENT = 'src/gremsy_bringup/README.md'


def test_the_processes_are_those_that_are_started_and_stop_in_that_order(tmp_path: Path) -> None:
    """With everything that can be asked for."""
    description = describe(
        SuiteArguments(web=True, sim=True),
        video_server=VideoServerPlan(),
        network=RosNetwork(SERVER, ('10.1.2.3:11811',)),
        log_format=JSON,
    )
    ranks = {spec.name: spec.stop_rank for spec in process_specs(description, tmp_path)}
    told = {names(row[0])[0]: row for row in rows(DOCUMENT, '## What is started')}
    order = ['first', 'second', 'last']
    assert {name: order.index(row[3].partition(',')[0]) for name, row in told.items()} == ranks
    for process in description.processes:
        nodes = [each for each in names(told[process.name][1]) if each in {node.name for node in process.nodes}]
        assert nodes == [node.name for node in process.nodes]
        where = told[process.name][2].strip('`').replace('<robot>', 'robot').replace('<camera>', 'eo')
        assert where == process.namespace
    assert {name for name, row in told.items() if row[2] == '(no ROS)'} == set(ranks) - {
        process.name for process in description.processes
    }
    several = describe(SuiteArguments(cameras='eo ir:camera')).processes
    assert [each.name for each in several if each.name.startswith('loop')] == ['loop_eo', 'loop_ir']
    assert 'loop_<camera>' in rows(DOCUMENT, '## What is started')[0][0]


LOOP = ['camera', 'detector', 'tracker', 'stream']
# The nodes of each loop, by the words that the README has for them.
RUNS = {
    'with camera, detector, tracker, and stream': [LOOP],
    'two loops, a process each': [LOOP, LOOP],
    '`ir` only shows': [LOOP, ['camera']],
    '`ir` can be watched in a browser': [LOOP, ['camera', 'stream']],
    '`ir` detects and does not track': [LOOP, ['camera', 'detector']],
    'a detector alone': [['detector']],
    'a film of the overlay': [['camera', 'detector', 'tracker', 'recorder']],
    'a tracker alone': [['tracker']],
    "the whole loop on another driver's images": [LOOP],
    'the driver alone': [],
}


def loops_of(*words: str) -> list[list[str]]:
    runs = describe(from_command_line(words)).processes
    return [[node.name for node in each.nodes] for each in runs if each.name != 'gimbal']


def test_what_is_said_of_cameras_is_what_runs() -> None:
    told = rows(DOCUMENT, '## Cameras')
    assert [sum(words in what for _, what in told) for words in RUNS] == [1] * len(RUNS) == [1] * len(told)
    for choice, what in told:
        cameras, *others = (name.strip("'") for name in names(choice) if ':=' in name or ': ' not in name)
        (expected,) = (loops for words, loops in RUNS.items() if words in what)
        assert loops_of(f'cameras:={cameras}', *others) == expected, choice
        driver = any(each.name == 'gimbal' for each in describe(from_command_line(others)).processes)
        assert driver is ('no driver' not in what)
    assert '(without it with `video:=none`)' in told[0][1]
    assert loops_of('cameras:=eo', 'video:=none') == [LOOP[:-1]]


def test_the_exit_statuses_of_run_are_those_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {int(status): what for status, what in rows(DOCUMENT, '## Ends under `./gremsy run`')}
    assert [*told] == [0, 1, 2]
    stop_by: list[object] = []

    def status_of(*, stopped: bool) -> int:
        """Of a supervisor of which everything has ended, on request or not."""
        supervisor = MagicMock(failure=None, stopped_on_request=stopped)
        monkeypatch.setattr(run, 'Supervisor', lambda *_: supervisor)
        monkeypatch.setattr(run, 'stop_by_signals', lambda _, *signals: stop_by.extend(signals))
        return run.run_until_signal((), SimpleNamespace(write=print))  # type: ignore[arg-type]

    assert told[status_of(stopped=True)] == 'stopped by SIGINT, SIGTERM or SIGHUP'
    assert stop_by == [signal.SIGHUP], 'beside the two that stop_by_signals always has'
    assert told[status_of(stopped=False)].startswith('every process ended by itself')
    with pytest.raises(SystemExit) as refused:
        run.main(['nonsense:=1'])
    assert isinstance(refused.value.code, int) and told[refused.value.code].startswith('cannot run as configured')


def test_the_times_and_statuses_of_errors_are_those_of_the_source() -> None:
    told = dict(rows(DOCUMENT, '## Errors'))
    policy, spec = RestartPolicy(), ProcessSpec('any', ())
    dies = told['a process dies']
    assert f'started again after {RESPAWN_DELAY_S:g} s' in dies and policy.first_delay_s == RESPAWN_DELAY_S
    assert f'twice as long each time up to {policy.longest_delay_s:g} s' in dies and policy.factor == 2.0
    assert told['a process ignores SIGTERM'] == f'SIGKILL after {spec.grace_s:g} s'
    assert f'({INTERRUPTED} of a tool' in told['Ctrl-C while programs still start']
    assert told["the payload's UDP port in use"].endswith('up to a hundred') and starting._PAYLOADS_AT_ONCE == 100
    (again,) = (what for when, what in told.items() if when.startswith('a process that has run refuses'))
    assert f'at most {policy.longest_delay_s:g} s' in again


def test_the_files_of_a_report_are_those_that_are_a_reports() -> None:
    told = by_name(DOCUMENT, '## The demo')
    files = {name for name in told if not name.endswith('/')}
    assert [name for name in files if not report_folder._FILES.fullmatch(name)] == []
    assert {f'{name}/' for name in report_folder._FILES_IN_FOLDERS} == set(told) - files
    # Each name of the pattern is told.
    ours = {re.sub(r'\(.*?\)\??', '', each).replace('\\', '') for each in _alternatives(report_folder._FILES.pattern)}
    assert files == ours


def _alternatives(pattern: str) -> list[str]:
    """Those at the top; the group's own are within parentheses."""
    return re.split(r'\|(?![^(]*\))', pattern)


def test_what_the_robot_doctor_asks_is_asked() -> None:
    told = rows(DOCUMENT, '### On a robot')
    code = ''.join(path.read_text(encoding='utf-8') for path in Path(robot_doctor.__path__[0]).glob('*.py'))
    titles = {title.lower() for title in re.findall(r"Check\(\s*'([^']+)'", code)}
    asked = [each for first, _ in told for each in first.removeprefix('inside: ').lower().split(', ')]
    outside = [each for first, _ in told for each in first.lower().split(', ') if not first.startswith('inside')]
    assert [each for each in outside if not {each, each.removesuffix('s')} & titles] == []
    assert sorted(titles - {*asked, *(each.removesuffix('s') for each in asked), 'suite, inside'}) == []
    settings = {'COMPOSE_PROFILES': 'monitoring'}
    installation = SimpleNamespace(
        page_port=6783, in_containers=True, setting=lambda name, other='': settings.get(name, other)
    )
    (who_has,) = (of.partition('who has')[2] for first, of in told if 'ports' in first)
    ports = {each.number for each in network_checks.ports_of(SimpleNamespace(installation=installation))}  # type: ignore[arg-type]
    assert {int(number) for number in re.findall(r'\d+', who_has)} == ports
    assert f'{secret_checks._SHORTEST_KEY} letters or more' in dict(told)['keys, secrets']


def test_the_topics_of_the_small_nodes_are_theirs() -> None:
    (rosout, diagnostics), (film, also) = (
        rows(DOCUMENT, heading) for heading in ('### Node `foreign_logs`', '## Node `recorder`')
    )
    assert rosout[:2] == [f'`{foreign_logs_node._TOPIC}`', foreign_logs_node.Log.__name__]
    assert film[:2] == [f'`{OVERLAY.name}`', OVERLAY.message_type.__name__]
    assert [row[2].partition(':')[0] for row in (rosout, diagnostics, film, also)] == ['in', 'out', 'in', 'out']


def test_the_arguments_of_the_urdf_are_its_own() -> None:
    root = ET.parse(Path(__file__).parents[1] / 'urdf' / 'gremsy.urdf.xacro').getroot()
    own = {each.get('name'): each.get('default') for each in root.findall('{http://www.ros.org/wiki/xacro}arg')}
    told = by_name(DOCUMENT, '## RViz and URDF')
    assert set(told) == set(own)
    assert {name: default.strip('`') for name, default in told.items() if 'T3V3' not in default} == {
        name: default for name, default in own.items() if 'T3V3' not in told[str(name)]
    }
