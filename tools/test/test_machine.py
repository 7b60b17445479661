# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import pytest

from gremsy_tool.machine import SetupMachine, probe, problems_of

GOOD = SetupMachine(
    python=(3, 12),
    implementation='CPython',
    system='Linux',
    architecture='x86_64',
    has_venv=True,
    has_python_header=True,
    cxx='/usr/bin/c++',
    free_bytes=50 * 10**9,
    state_writable=True,
    state=Path('/robot/.gremsy'),
)


def sentences(*, system_ros=False, fresh=True, **changes):
    return [problem.sentence for problem in problems_of(replace(GOOD, **changes), system_ros=system_ros, fresh=fresh)]


def test_a_machine_with_everything_has_no_problem():
    assert sentences() == []


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        (
            {'state': Path('/home/jürgen/my robot/.gremsy')},
            'Building fails in a path with a space, "ü" (/home/jürgen/my robot/.gremsy): set GREMSY_STATE to a folder '
            'whose path has none, for example GREMSY_STATE=/var/tmp/gremsy.',
        ),
        ({'cxx': None}, 'No C++ compiler is on the PATH (looked for c++ and g++): apt-get install g++'),
        (
            {'has_python_header': False},
            'The headers of Python 3.12 (Python.h) are missing: apt-get install python3-dev (or python3.12-dev).',
        ),
        (
            {'has_venv': False},
            'Python 3.12 lacks its venv module: apt-get install python3-venv (or python3.12-venv).',
        ),
        (
            {'python': (3, 15)},
            'CPython 3.15 has no ROS 2 wheels, CPython 3.10 to 3.14 has: start this with one of those, for example '
            'python3.12 ./gremsy setup (apt-get install python3.12 python3.12-venv python3.12-dev).',
        ),
        (
            {'implementation': 'PyPy'},
            'PyPy 3.12 has no ROS 2 wheels, CPython 3.10 to 3.14 has: start this with one of those, for example '
            'python3.12 ./gremsy setup (apt-get install python3.12 python3.12-venv python3.12-dev).',
        ),
        (
            {'architecture': 'aarch64'},
            'The ROS 2 wheels are for Linux on x86-64, this is Linux on aarch64: install ROS 2 (docs.ros.org), source '
            'it (. /opt/ros/jazzy/setup.sh) and run this again.',
        ),
        (
            {'free_bytes': 1_200_000_000},
            'Only 1.2 GB are free for /robot/.gremsy, set-up needs 3: free some, or set GREMSY_STATE to a folder on '
            'another disk.',
        ),
        (
            {'state_writable': False},
            'The folder /robot/.gremsy cannot be written: make it yours (chown), or set GREMSY_STATE to a folder that '
            'is, for example GREMSY_STATE=$HOME/.cache/gremsy.',
        ),
    ],
)
def test_what_is_missing_is_named_with_the_way_out(changes, sentence):
    assert sentences(**changes) == [sentence]


def test_a_path_that_fails_is_refused_before_anything_else_and_one_that_works_is_not():
    assert sentences(state=Path('/home/ü'), cxx=None)[0].startswith('Building fails in a path with "ü"')
    assert sentences(state=Path('/srv/a+b@c=e/50%#1_x-2.0~')) == []


def test_everything_missing_is_said_at_once():
    assert len(sentences(cxx=None, has_venv=False, has_python_header=False)) == 3


def test_the_disk_matters_only_before_the_download():
    assert sentences(free_bytes=10**9, fresh=False) == []
    assert len(sentences(free_bytes=3 * 10**9 - 1)) == 1
    assert sentences(free_bytes=3 * 10**9) == []


def test_a_system_ros_brings_its_own_python_and_processor():
    assert sentences(architecture='aarch64', python=(3, 15), system_ros=True) == []


def test_the_probe_finds_no_compiler_on_an_empty_path(tmp_path):
    assert probe(tmp_path / 'not' / 'there' / 'yet', {'PATH': str(tmp_path)}).cxx is None


def test_the_probe_takes_the_compiler_of_cxx(tmp_path):
    compiler = tmp_path / 'my-c++'
    compiler.write_text('#!/bin/sh\n')
    compiler.chmod(0o755)
    assert probe(tmp_path, {'PATH': str(tmp_path), 'CXX': 'my-c++ -m64'}).cxx == str(compiler)
