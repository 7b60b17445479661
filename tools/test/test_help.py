# SPDX-License-Identifier: Apache-2.0
"""Asking how a command is used, and getting its arguments wrong, sets up nothing and starts nothing."""

import re
import subprocess
import sys

import pytest

from gremsy_tool import cli
from gremsy_tool.layout import REPOSITORY, find_layout

COMMANDS = (
    'setup',
    'init',
    'demo',
    'run',
    'test',
    'bench',
    'docs',
    'doctor',
    'exec',
    'shell',
    'clean',
    'topics',
    'echo',
    'rate',
    'publish',
    'call',
    'param',
    'log-level',
)

# Runs ./gremsy where a child process, a folder, a file or a connection is an error.
GUARDED = """
import runpy, sys
FORBIDDEN = ('subprocess.Popen', 'os.exec', 'os.fork', 'os.posix_spawn', 'os.system', 'os.mkdir', 'socket.connect')
def guard(event, arguments):
    if event in FORBIDDEN or (event == 'open' and arguments[1] is not None and set(arguments[1]) & set('wax+')):
        raise SystemExit(f'{event} {arguments}')
sys.dont_write_bytecode = True
sys.addaudithook(guard)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def gremsy(tmp_path, *arguments):
    """In a checkout that was never set up: -S -I leaves only the standard library, as on a bare machine."""
    command = [sys.executable, '-I', '-S', '-c', GUARDED, str(REPOSITORY / 'gremsy'), *arguments]
    env = {'PATH': str(tmp_path), 'HOME': str(tmp_path), 'GREMSY_STATE': str(tmp_path / 'state')}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)


@pytest.mark.parametrize(
    ('command', 'arguments'),
    [
        *((command, [command, '--help']) for command in COMMANDS),
        *((command, ['help', command]) for command in COMMANDS),
        *((command, [command, '--json', 'f', '-h']) for command in COMMANDS if command not in ('exec', 'shell')),
    ],
)
def test_help_sets_nothing_up_and_starts_nothing(tmp_path, command, arguments):
    result = gremsy(tmp_path, *arguments)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith('usage: ')
    assert command in result.stdout.splitlines()[0]
    assert list(tmp_path.iterdir()) == []


def test_every_command_is_tested_above():
    listed = [line.split()[0] for line in cli.USAGE.splitlines() if line.startswith('  ')]
    assert sorted(listed) == sorted((*COMMANDS, 'help'))


def test_bench_alone_says_what_there_is_and_what_each_installs(tmp_path):
    result = gremsy(tmp_path, 'bench')
    assert (result.returncode, result.stderr) == (0, '')
    assert (
        "\n  detector  what the detector adds to its model's bare run, beside Ultralytics' own predict (4 min)\n"
        '            installs torch and Ultralytics (AGPL-3.0), 2.8 GB to download\n'
    ) in result.stdout
    named = [line.split()[0] for line in result.stdout.splitlines() if line.startswith('  ') and line[2] != ' ']
    ways_in = [REPOSITORY / 'benchmarks' / name / f'{name}_benchmark.py' for name in named]
    files = {path.parent.name for path in ways_in if path.is_file() and '\ndef run(' in path.read_text()}
    assert {'camera', 'detector', 'gimbal', 'loop', 'pointing', 'tracker', 'transport', 'all'} <= set(named)
    assert {name for name in named if not name.startswith(('-', 'all', 'NAME'))} <= files
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('bench', 'lopp'), "invalid choice: 'lopp'"),
        (('bench', '--json', 'f'), 'the following arguments are required: NAME'),
        (('bench', 'loop', '--duration', '1'), '--duration is 1: use 5 .. 3600 seconds.'),
        (('demo', '--duratoin', '5'), 'unrecognized arguments: --duratoin 5'),
        (('demo', '--preset', 'perfect'), "invalid choice: 'perfect'"),
    ],
)
def test_wrong_arguments_end_before_anything_is_installed_for_them(tmp_path, arguments, said):
    result = gremsy(tmp_path, *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_of_another_program_is_left_to_it():
    assert not cli.wants_help('exec', ['python', '--help'])
    assert not cli.wants_help('shell', ['-c', 'ls --help'])
    assert cli.wants_help('run', ['--show-args'])


def test_agpl_code_and_its_size_are_named_before_they_are_downloaded(tmp_path, capsys):
    layout = find_layout({'GREMSY_STATE': str(tmp_path)})
    cli.announce(layout, cli.groups_of('bench', ['loop']))
    assert capsys.readouterr().err == ''
    cli.announce(layout, cli.groups_of('bench', ['detector']))
    said = (
        "Installs torch and Ultralytics, whose licence is AGPL-3.0, 2.8 GB with NVIDIA's libraries; "
        './gremsy setup --clean removes it.\n'
    )
    assert capsys.readouterr().err == said
    # Nor only by the benchmark that compares with it, and once.
    for command, arguments in (('demo', []), ('test', []), ('run', []), ('exec', ['x']), ('bench', ['tracker'])):
        assert 'ultralytics' not in cli.groups_of(command, arguments)


def test_the_benchmarks_readme_has_every_benchmark_and_says_what_the_help_says(tmp_path):
    readme = (REPOSITORY / 'benchmarks' / 'README.md').read_text()
    rows = dict(re.findall(r'^\| `(\w+)` \| .* \| ([\d.]+ min) \|$', readme, re.MULTILINE))
    helped = dict(re.findall(r'^  (\w+) .*\(([\d.]+ min)\)$', gremsy(tmp_path, 'bench').stdout, re.MULTILINE))
    assert rows == helped
    assert re.findall(r'[\d.]+ GB', readme) == ['2.8 GB']
