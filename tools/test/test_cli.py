# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gremsy_common.claims import domain_claim, isolated
from gremsy_tool import cli, testing
from gremsy_tool.doctor import see_robot_doctor
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY, find_layout
from gremsy_tool.testing import stages_of, workers_of
from gremsy_tool.wheels import point_cmake_files_here


def gremsy(*arguments, **env):
    command = [sys.executable, str(REPOSITORY / 'gremsy'), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={'PATH': '/usr/bin:/bin', **env}, check=False)


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '<&-', '<&- >&- 2>&-'])
def test_what_a_shell_closed_is_the_null_device_here_and_in_what_is_started(closed, tmp_path):
    shown = tmp_path / 'shown'
    child = tmp_path / 'child.py'
    child.write_text(
        'import os, sys\n'
        f'with open({str(shown)!r}, "w") as file:\n'
        '    file.write(" ".join(os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)))\n'
    )
    parent = tmp_path / 'parent.py'
    parent.write_text(
        'import subprocess, sys\n'
        'from gremsy_tool.cli import open_standard_streams\n'
        'open_standard_streams()\n'
        'print("said", flush=True)\n'
        f'sys.exit(subprocess.run([sys.executable, {str(child)!r}]).returncode)\n'
    )
    words = f'exec "$@" {closed}'
    env = {**os.environ, 'PYTHONPATH': f'{REPOSITORY}/tools:{REPOSITORY}/src/gremsy_common'}
    ended = subprocess.run(
        ['sh', '-c', words, 'sh', sys.executable, str(parent)],
        stdin=subprocess.PIPE,
        capture_output=True,
        env=env,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b'')
    streams = shown.read_text().split()
    for number, word in ((0, '<&-'), (1, ' >&-'), (2, '2>&-')):
        assert (streams[number] == os.devnull) == (word in f' {closed}'), streams


@pytest.mark.parametrize('arguments', [(), ('help',), ('--help',), ('help', 'help'), ('help', '--help')])
def test_help_lists_every_command(arguments):
    result = gremsy(*arguments)
    assert result.returncode == 0
    for command in ('setup', 'demo', 'run', 'test', 'bench', 'doctor', 'exec', 'shell'):
        assert f'\n  {command} ' in result.stdout


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (('demmo',), 'There is no command "demmo". Did you mean "demo"? ./gremsy help lists them.'),
        (('zzz',), 'There is no command "zzz". ./gremsy help lists them.'),
        (
            ('setup', '--fast'),
            'setup has no option "--fast": it takes --extra GROUP,..., --clean, --distro NAME and --relock.',
        ),
        (('doctor', '--jason'), 'doctor has no option "--jason": it takes --json, and --robot with its own options.'),
        (('setup', '--extra'), '--extra needs a value: ./gremsy help shows it.'),
        (
            ('setup', '--extra', 'gpu'),
            'There is no group "gpu" in pyproject.toml: choose from build, dev, docs, encode, page, peers, '
            'precision, record, report, runtime, tensorrt, test, ultralytics, uv, web.',
        ),
        (('exec',), 'exec needs a command: ./gremsy exec ros2 run gremsy_model_tools model_info'),
    ],
)
def test_a_wrong_command_line_ends_in_a_sentence(arguments, sentence):
    result = gremsy(*arguments)
    assert (result.returncode, result.stderr) == (2, f'gremsy: {sentence}\n')


def test_doctor_sets_nothing_up(tmp_path):
    result = gremsy('doctor', GREMSY_STATE=str(tmp_path / 'state'))
    assert result.returncode == 1
    assert 'the workspace is not set up: ./gremsy setup does that' in result.stdout
    assert not (tmp_path / 'state').exists()


JSON_KEYS = ['machine', 'system', 'cpus', 'demo_can_run', 'checks']


def test_doctor_says_in_json_that_nothing_is_set_up(tmp_path):
    result = gremsy('doctor', '--json', GREMSY_STATE=str(tmp_path / 'state'))
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert list(document) == JSON_KEYS
    assert document['demo_can_run'] is False
    assert document['checks'][-1] == {
        'name': 'Set-up', 'ok': False, 'found': 'not set up', 'remedy': 'Run `./gremsy setup`.', 'needed': True,
        'lack': 'missing',
    }  # fmt: skip
    assert not (tmp_path / 'state').exists()


@pytest.mark.parametrize(
    ('program', 'reason'),
    [
        ('exit 1', 'its doctor ended with status 1 and no output'),
        ('echo Killed; exit 9', 'its doctor ended with status 9 and no output'),
        (None, "[Errno 2] No such file or directory: '{python}'"),
    ],
)
def test_doctor_says_in_json_that_the_workspace_does_not_start(tmp_path, program, reason):
    python = tmp_path / 'venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    if program is not None:
        python.write_text(f'#!/bin/sh\n{program}\n')
        python.chmod(0o755)
    (tmp_path / 'environment.json').write_text('{"folder_lists": {}, "values": {"X": "y"}}')
    result = gremsy('doctor', '--json', GREMSY_STATE=str(tmp_path))
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert list(document) == JSON_KEYS
    assert document['checks'][-1]['found'] == f'does not start ({reason.format(python=python)})'


def test_the_robots_doctor_looks_where_nothing_is_set_up_and_sets_nothing_up(tmp_path):
    result = gremsy('doctor', '--robot', '--json', GREMSY_STATE=str(tmp_path / 'state'), HOME=str(tmp_path))
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == ['machine', 'system', 'cpus', 'robot_is_ready', 'asked', 'checks']
    rows = {check['name']: check for check in document['checks']}
    assert rows['Suite, inside']['remedy'].startswith('Run `./gremsy setup`, then this again')
    assert {'System', 'Clock', 'Ports'} <= rows.keys()
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_doctor_has_the_options_of_the_robots_doctor():
    see_robot_doctor(REPOSITORY)
    from gremsy_bringup.robot_doctor.robot_doctor_command import parser

    options = set(re.findall(r'--[a-z-]+', parser().format_help())) - {'--help'}
    assert options <= set(re.findall(r'^  (--[a-z-]+)', cli.HELP['doctor'], re.MULTILINE))
    assert {'--bundle', '--params-file', '--env-file', '--json'} <= options


def test_what_set_up_lacks_is_in_the_json_too(tmp_path):
    result = gremsy('doctor', '--json', GREMSY_STATE=str(tmp_path / 'state'), PATH=str(tmp_path))
    checks = json.loads(result.stdout)['checks']
    found = [check['found'] for check in checks if check['remedy'] == 'apt-get install g++']
    assert found == ['No C++ compiler is on the PATH (looked for c++ and g++)']


def test_a_missing_compiler_ends_with_status_2_and_no_traceback(tmp_path):
    result = gremsy('setup', GREMSY_STATE=str(tmp_path / 'state'), PATH=str(tmp_path))
    assert result.returncode == 2
    assert 'gremsy: No C++ compiler is on the PATH (looked for c++ and g++): apt-get install g++\n' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize(
    ('name', 'why'),
    [('script', 'Exec format error'), ('loop', 'Too many levels of symbolic links'), ('script/x', 'Not a directory')],
)
def test_what_cannot_be_started_is_a_sentence(name, why, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, 'Provision', lambda *_: SimpleNamespace(ensure=lambda _: False))
    monkeypatch.setattr(cli.environment, 'load', lambda *_: dict(os.environ))
    (tmp_path / 'script').write_text('echo no first line with #!')
    (tmp_path / 'script').chmod(0o755)
    (tmp_path / 'loop').symlink_to(tmp_path / 'loop')
    program = str(tmp_path / name)
    assert cli.main(['exec', program]) == 2
    assert capsys.readouterr().err == (
        f'gremsy: "{program[:100]}" cannot be started ({why}): check its name and its first line.\n'
    )


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, '_setup', interrupted)
    assert cli.main(['setup']) == 130
    assert capsys.readouterr().err == '\ngremsy: interrupted; the same command goes on from here.\n'


def test_the_entry_script_parses_on_an_old_python():
    # ast of Python 3.5's grammar: no f-strings, no annotations of variables.
    import ast

    ast.parse((REPOSITORY / 'gremsy').read_text(), feature_version=(3, 5))


def test_long_tests_run_only_when_asked_for():
    layout = find_layout({})
    short = stages_of(layout, ['-k', 'x'], everything=False)
    assert [stage.name for stage in short] == ['format', 'lint', 'unused', 'types', 'tests']
    assert short[-1].command[-4:] == ['-m', 'not slow', '-k', 'x']
    assert 'not slow' not in stages_of(layout, [], everything=True)[-1].command


def test_unused_code_fails_the_stage_that_looks_for_it(tmp_path):
    stage = next(stage for stage in stages_of(find_layout({}), [], everything=False) if stage.name == 'unused')
    unused = tmp_path / 'unused.py'
    unused.write_text('def speed(unit):\n    return 3\n    return 4\n')
    found = subprocess.run([*stage.command, str(unused)], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == [
        f"{unused}:1: unused variable 'unit' (100% confidence)",
        f"{unused}:3: unreachable code after 'return' (100% confidence)",
    ]
    assert found.returncode == 3


@pytest.mark.parametrize(
    'arguments', [[], ['-x'], ['src/gremsy_camera'], ['--durations=30'], ['-q', '--junitxml', 'x.xml'], ['-m', 'slow']]
)
def test_the_cores_share_the_tests(monkeypatch, arguments):
    monkeypatch.setattr(testing.os, 'sched_getaffinity', lambda _: {0, 1})
    assert workers_of(arguments) == ['-n', '3', '--dist', 'loadfile']
    monkeypatch.setattr(testing.os, 'sched_getaffinity', lambda _: set(range(64)))
    assert workers_of(arguments) == ['-n', '8', '--dist', 'loadfile']
    monkeypatch.setattr(testing.os, 'sched_getaffinity', lambda _: {0})
    assert workers_of(arguments) == []


@pytest.mark.parametrize(
    'arguments',
    [
        ['-k', 'name'], ['-kname'], ['tools/test/test_cli.py'], ['tools/test/test_cli.py::test_x'], ['-s'], ['-vs'],
        ['-n', '4'], ['-n4'], ['--numprocesses=4'], ['--pdb'], ['--trace'], ['--capture=no'], ['--capture', 'no'],
        ['--lf'], ['--collect-only'], ['--help'], ['-h'], ['-p', 'no:xdist'],
    ],
)  # fmt: skip
def test_a_few_tests_or_a_look_at_them_take_one_process(monkeypatch, arguments):
    monkeypatch.setattr(testing.os, 'sched_getaffinity', lambda _: {0, 1})
    assert workers_of(['-q', *arguments]) == []


def test_tests_marked_integration_are_in_files_that_run_one_at_a_time():
    marked = re.compile(r'^(@|pytestmark = (\[[^\]]*|.*))pytest\.mark\.integration\b', re.MULTILINE)
    folders = ('src', 'tools', 'benchmarks', 'underlay')
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob('test_*.py')]
    found = {path.name for path in files if marked.search(path.read_text(encoding='utf-8'))}
    assert found == {path.name for path in files if path.name.endswith('_integration.py')}
    assert len(found) > 10


def test_each_worker_of_a_test_run_has_its_own_domain(tmp_path):
    for name in ('one', 'two'):
        (tmp_path / f'test_{name}.py').write_text(
            'import os, pathlib\n'
            'AT_IMPORT = os.environ["ROS_DOMAIN_ID"]\n'
            f'def test(): pathlib.Path({str(tmp_path / name)!r}).write_text(AT_IMPORT)\n'
        )
    with domain_claim() as ours:
        folders = (REPOSITORY, REPOSITORY / 'tools', REPOSITORY / 'src' / 'gremsy_common')
        env = {**os.environ, **isolated(ours), 'PYTHONPATH': os.pathsep.join(map(str, folders))}
        command = [sys.executable, '-m', 'pytest', '-p', 'conftest', '-n', '2', '--dist', 'loadfile', '--rootdir']
        ended = subprocess.run([*command, '.', '.'], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len({(tmp_path / 'one').read_text(), (tmp_path / 'two').read_text(), str(ours)}) == 3


def test_two_test_runs_have_two_domains():
    with domain_claim() as first, domain_claim() as second:
        assert first != second
        assert isolated(first) == {'ROS_DOMAIN_ID': str(first), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def test_the_wheels_cmake_files_are_pointed_at_this_python(tmp_path):
    folder = tmp_path / 'share' / 'std_msgs' / 'cmake'
    folder.mkdir(parents=True)
    file = folder / 'export.cmake'
    file.write_text(
        'INCLUDE "/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include"'
    )
    assert point_cmake_files_here(tmp_path / 'share', tmp_path / 'inc', tmp_path / 'site') == 1
    assert file.read_text() == (
        f'INCLUDE "{tmp_path}/inc;{tmp_path}/site/numpy/_core/include;${{_IMPORT_PREFIX}}/include"'
    )
    assert point_cmake_files_here(tmp_path / 'share', tmp_path / 'inc', tmp_path / 'site') == 0


@pytest.mark.parametrize(
    ('command', 'arguments', 'groups'),
    [
        ('demo', ['--duration', '5'], ('encode', 'report', 'web')),
        ('run', [], ('web',)),
        ('bench', ['loop', '--json', 'f'], ('encode', 'report')),
        ('bench', ['tracker'], ('encode', 'report', 'peers')),
        ('bench', ['detector', '--json', 'f'], ('encode', 'report', 'ultralytics')),
        ('bench', ['--json', 'f', 'loop'], ('encode', 'report')),
        (
            'bench',
            ['all'],
            ('encode', 'report', 'ultralytics', 'precision', 'record', 'web', 'peers', 'page'),
        ),
    ],
)
def test_only_a_benchmark_that_compares_with_others_installs_them(command, arguments, groups):
    assert cli.groups_of(command, arguments) == groups


@pytest.fixture
def fetching_fails(monkeypatch, tmp_path):
    """`gremsy test` without a network for NVIDIA's library; tells whether the tests were run all the same."""
    ran = []

    class NoNetwork:
        def __init__(self, layout, env):
            pass

        def ensure(self, groups):
            if cli.ENGINE_GROUP in groups:
                raise GremsyError('No network: pip cannot reach its package index.')

    monkeypatch.setattr(cli, 'Provision', NoNetwork)
    monkeypatch.setattr(testing, 'run_tests', lambda *_arguments, **_options: ran.append(1) or 0)
    return ran


def test_without_the_engine_builder_the_rest_is_tested_and_the_reason_said(fetching_fails, monkeypatch, capsys):
    monkeypatch.delenv('CI', raising=False)
    assert cli.main(['test']) == 0
    assert fetching_fails == [1]
    assert capsys.readouterr().err == (
        'gremsy: the tests that build TensorRT engines will be skipped: No network: pip cannot reach its package '
        'index.\n'
    )


def test_ci_does_not_go_without_the_engine_builder(fetching_fails, monkeypatch, capsys):
    monkeypatch.setenv('CI', 'true')
    assert cli.main(['test']) == 2
    assert fetching_fails == []
    assert capsys.readouterr().err == 'gremsy: No network: pip cannot reach its package index.\n'


@pytest.mark.parametrize(
    ('test', 'scope'),
    [
        ('src/gremsy_camera/test/test_scene.py::test_a[1]', 'src/gremsy_camera/test/test_scene.py'),
        ('src/gremsy_gimbal_driver/test/test_bad_links_integration.py::test_a', '_integration.py'),
        ('src/gremsy_bringup/test/test_demo_integration.py::test_b', '_integration.py'),
        ('src/gremsy_camera/test/test_rtsp_source_integration.py::test_c', 'video_integration.py'),
        ('src/gremsy_web/test/test_web_integration.py::test_d', 'video_integration.py'),
        ('src/gremsy_web/test/test_page_api_integration.py::test_e', 'page_integration.py'),
        ('src/gremsy_web/test/test_page_build.py::test_f', 'src/gremsy_web/test/test_page_build.py'),
        ('tools/test/test_docs_integration.py::test_g', 'tools/test/test_docs_integration.py'),
    ],
)
def test_what_runs_against_the_clock_is_three_queues(test: str, scope: str) -> None:
    scheduling = pytest.importorskip('gremsy_tool.scheduling')
    assert scheduling.FileScheduling._split_scope(None, test) == scope
