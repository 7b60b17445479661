# SPDX-License-Identifier: Apache-2.0
"""When a start has a video server of its own, and what it tells the nodes of it."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gremsy_bringup import run
from gremsy_bringup.describe import video_server_choice
from gremsy_bringup.describe.starting import Starting
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import describe, process_specs
from gremsy_bringup.describe.video_server_choice import VideoServerPlan, chosen_video_server, free_video_server
from gremsy_web.video_server.video_server_command import parser
from gremsy_web.video_server.video_server_options import VideoServerOptions


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Of which is said what is on it; at first no MediaMTX, all packages, and free ports."""

    def make(program: str | None = None, lacks: str = '', taken: tuple[int, ...] = ()) -> None:
        found = importlib.util.find_spec
        monkeypatch.setattr(shutil, 'which', lambda name: program)
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == lacks else found(name))
        monkeypatch.setattr(video_server_choice, '_is_taken', lambda port: port in taken)

    make()
    return make


def test_the_page_has_a_video_server_where_there_is_no_mediamtx(machine):
    assert chosen_video_server(SuiteArguments(web=True))[0] == VideoServerPlan(8554, 8889, 9997)


@pytest.mark.parametrize(
    'arguments',
    [
        SuiteArguments(),
        SuiteArguments(web=True, video='none'),
        SuiteArguments(web=True, video='mediamtx'),
        SuiteArguments(web=True, cameras='eo:camera'),
        SuiteArguments(web=True, cameras='none'),
    ],
    ids=['no page', 'no video', "another's", 'nobody sends', 'no camera'],
)
def test_there_is_none_where_nobody_could_watch_it(machine, arguments):
    assert chosen_video_server(arguments)[0] is None


@pytest.mark.parametrize(
    'lot',
    [{'program': '/usr/bin/mediamtx'}, {'lacks': 'aiortc'}, {'taken': (8554,)}, {'taken': (9997,)}],
    ids=['mediamtx on PATH', 'aiortc is missing', 'rtsp is taken', 'api is taken'],
)
def test_there_is_none_beside_another_or_where_it_could_not_run(machine, lot):
    machine(**lot)
    assert chosen_video_server(SuiteArguments(web=True))[0] is None
    # Who asks for it by name gets it, or hears from itself what is wrong.
    assert chosen_video_server(SuiteArguments(video='builtin'))[0] == VideoServerPlan()


_RUNS_NOT = (
    'Nobody serves the video: /usr/bin/mediamtx is installed, so no other server is started, and it does not run: '
    'start it, or the suite with `video:=builtin`.'
)


@pytest.mark.parametrize(
    ('lot', 'arguments', 'why'),
    [
        ({}, SuiteArguments(web=True), ''),
        ({'program': '/usr/bin/mediamtx'}, SuiteArguments(web=True), _RUNS_NOT),
        ({'program': '/usr/bin/mediamtx', 'taken': (8554, 8889, 9997)}, SuiteArguments(web=True), ''),
        ({'program': '/usr/bin/mediamtx'}, SuiteArguments(web=True, video='mediamtx'), ''),
        ({'program': '/usr/bin/mediamtx'}, SuiteArguments(), ''),
        (
            {'lacks': 'aiortc'},
            SuiteArguments(web=True),
            'Nobody serves the video: the built-in server needs the Python package aiortc: install it.',
        ),
        (
            {'taken': (8889,)},
            SuiteArguments(web=True),
            'Nobody serves the video: another program listens on port 8889 of this machine, which the built-in server '
            'needs: stop that one.',
        ),
    ],
    ids=['built in', 'installed only', 'running', "another's", 'no page', 'aiortc is missing', 'a port is taken'],
)
def test_a_start_without_video_says_why(machine, lot, arguments, why):
    machine(**lot)
    with Starting(arguments) as starting:
        assert starting.notices == ((why,) if why else ())


def test_run_says_so_once(machine, monkeypatch, capfd):
    machine(program='/usr/bin/mediamtx')
    monkeypatch.setattr(run, 'run_until_signal', lambda specs, writer: 0)
    with pytest.raises(SystemExit):
        run.main(['web:=true', 'sim:=true'])
    assert capfd.readouterr().err == f'{_RUNS_NOT}\n'


def test_a_port_that_somebody_listens_on_is_taken():
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        assert video_server_choice._is_taken(port)
    assert not video_server_choice._is_taken(port)


def test_its_program_understands_its_arguments_and_has_the_same_ports():
    given = parser().parse_args(VideoServerPlan().program_arguments)
    options = VideoServerOptions()
    assert (given.rtsp, given.whep, given.api) == (options.rtsp, options.whep, options.control)


def test_it_ends_after_those_who_publish(tmp_path: Path):
    description = describe(SuiteArguments(web=True), video_server=VideoServerPlan())
    ranks = {spec.name: spec.stop_rank for spec in process_specs(description, tmp_path)}
    assert ranks == {'video': 2, 'loop': 1, 'gimbal': 0, 'web': 1}


def test_who_publishes_and_who_shows_are_told_of_other_ports(tmp_path: Path):
    plan = free_video_server()
    arguments = SuiteArguments(web=True, cameras='eo ir:camera')
    specs = process_specs(describe(arguments, video_server=plan), tmp_path)
    told = yaml.safe_load((tmp_path / 'parameters_arguments.yaml').read_text())
    assert {name: section['ros__parameters'] for name, section in told.items()} == {
        '/robot/eo/stream': {
            'server': f'rtsp://127.0.0.1:{plan.rtsp_port}',
            'server_api': f'http://127.0.0.1:{plan.api_port}',
        },
        '/robot/web': {
            'video_url': f'http://127.0.0.1:{plan.whep_port}',
            'video_api_url': f'http://127.0.0.1:{plan.api_port}',
        },
    }
    assert specs[0].argv[-2:] == ('--api', f'127.0.0.1:{plan.api_port}')
