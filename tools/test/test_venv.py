# SPDX-License-Identifier: Apache-2.0
"""What is called ready works: set-ups that were killed in the middle, and packages that cannot be imported."""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY, find_layout
from gremsy_tool.stamps import read_json
from gremsy_tool.venv import Venv

from .test_uv import FakeMachine

# A set-up of a workspace without ROS packages, in a process of its own.
SET_UP = """
import sys
from pathlib import Path
from gremsy_tool import provision
from gremsy_tool.layout import find_layout
provision.problems_of = lambda *_, **__: []
provision.environment.compute = lambda *_: {}
import os
provision.Provision(find_layout(os.environ, repository=Path(sys.argv[1])), os.environ).ensure(sys.argv[2:])
"""


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path)


def start(machine, *groups):
    # The progress clock is gremsy_common's.
    path = os.pathsep.join(str(REPOSITORY / part) for part in ('tools', 'src/gremsy_common'))
    env = {**machine.env, 'PYTHONPATH': path}
    command = [sys.executable, '-c', SET_UP, str(machine.repository), *groups]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def imports(machine):
    return subprocess.run([str(machine.layout.python), '-c', 'import demo'], check=False).returncode == 0


@pytest.mark.parametrize('installer', ['lives on', 'dies too'])
def test_a_set_up_that_waited_mends_what_a_killed_one_left_half_written(machine, installer):
    machine.say('slow', '')
    first = start(machine)
    wait_for((machine.bin / 'half').exists)
    children = open(f'/proc/{first.pid}/task/{first.pid}/children').read().split()  # noqa: SIM115, PTH123
    assert len(children) == 1
    second = start(machine)
    assert second.stderr.readline().startswith('Another ./gremsy is setting up ')
    first.kill()
    first.wait()
    if installer == 'lives on':
        # It writes still, and so the second one must not yet begin.
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
        assert not imports(machine)
    else:
        os.kill(int(children[0]), signal.SIGKILL)
    (machine.bin / 'slow').unlink()
    assert second.wait(60) == 0, second.stderr.read()
    assert imports(machine)
    assert Venv(machine.layout, machine.env).has(['build', 'ros-jazzy', 'runtime'])


def test_an_interrupted_group_costs_itself_and_not_the_workspace(machine):
    venv = Venv(machine.layout, machine.env)
    venv.make(lambda _: None)
    venv.fill(['runtime'], lambda _: None)
    machine.say('prints', 'error: interrupted')
    with pytest.raises(GremsyError):
        venv.fill(['dev', 'report'], lambda _: None)
    (machine.bin / 'prints').unlink()
    assert venv.has(['runtime'])
    assert venv.missing(['runtime', 'dev', 'report']) == ['dev', 'report']
    venv.fill(['dev'], lambda _: None)
    assert venv.has(['runtime', 'dev'])
    assert read_json(machine.layout.groups_file)['filling'] == ['report']
    # The groups have one package in common here, and what a complete group has was not touched.
    assert not any('--reinstall-package' in arguments for arguments, _ in machine.calls('install'))


def test_what_an_interrupted_set_up_was_writing_is_written_again(machine):
    venv = Venv(machine.layout, machine.env)
    venv.make(lambda _: None)
    machine.say('prints', 'error: interrupted')
    with pytest.raises(GremsyError):
        venv.fill(['dev'], lambda _: None)
    (machine.bin / 'prints').unlink()
    venv.fill(['dev'], lambda _: None)
    assert machine.calls('install')[-1][0][-2:] == ['--reinstall-package', 'demo']


def test_a_package_that_cannot_be_imported_is_installed_once_more(machine):
    machine.say('broken', '1')
    venv = Venv(machine.layout, machine.env)
    venv.make(lambda _: None)
    venv.fill(['runtime'], lambda _: None)
    assert imports(machine)
    assert len(machine.calls('install')) == 2


def test_a_package_that_still_cannot_be_imported_is_named_and_not_called_ready(machine):
    machine.say('broken', '2')
    venv = Venv(machine.layout, machine.env)
    venv.make(lambda _: None)
    with pytest.raises(GremsyError) as caught:
        venv.fill(['runtime'], lambda _: None)
    assert str(caught.value) == (
        'The package "demo" is installed, but cannot be imported here (ModuleNotFoundError: No module named '
        "'demo.rest'): fix what it names and run ./gremsy setup again, or rebuild the workspace with ./gremsy setup "
        '--clean.'
    )
    assert not venv.has(['runtime'])


def test_a_changed_lock_asks_for_all_groups_again(machine):
    venv = Venv(machine.layout, machine.env)
    venv.make(lambda _: None)
    venv.fill(['runtime'], lambda _: None)
    with machine.layout.uv_lock.open('a') as lock:
        lock.write('# another\n')
    assert venv.missing(['runtime']) == ['runtime']


def test_what_the_system_brings_is_not_installed_beside_it(machine, tmp_path):
    ros = {'ROS_DISTRO': 'jazzy', 'AMENT_PREFIX_PATH': '/opt/ros/jazzy', 'PYTHONPATH': str(tmp_path / 'apt')}
    for module in ('numpy', 'cv2'):
        (tmp_path / 'apt' / module).mkdir(parents=True)
        (tmp_path / 'apt' / module / '__init__.py').touch()
    env = {**machine.env, **ros}
    machine.layout = find_layout(env, repository=machine.repository)
    venv = Venv(machine.layout, env)
    venv.make(lambda _: None)
    venv.fill(['runtime'], lambda _: None)
    assert '--system-site-packages' in machine.calls('venv')[0][0]
    exported = next(arguments for arguments, _ in machine.calls('export') if 'runtime' in arguments)
    left_out = {name for option, name in pairwise(exported) if option == '--no-emit-package'}
    assert {'numpy', 'opencv-python-headless'} <= left_out


def test_what_is_installed_is_compiled_while_something_else_runs(machine):
    env = {**machine.env, 'PYTHONDONTWRITEBYTECODE': '1'}
    venv = Venv(machine.layout, env)
    venv.make(print)
    folder = next(machine.layout.venv.glob('lib/python3.*/site-packages'))
    dialects = folder / 'pymavlink' / 'dialects' / 'v20'
    for path in (dialects / 'ardupilotmega.py', dialects / 'paparazzi.py', folder / 'numpy' / 'tests' / 'test_it.py'):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('A = 1\n')
    (folder / 'broken.py').write_text('A = = 1\n')
    with venv.compiling():
        pass
    compiled = {path.name.split('.')[0] for path in folder.rglob('*.pyc')}
    assert 'ardupilotmega' in compiled
    assert not {'paparazzi', 'test_it', 'broken'} & compiled
