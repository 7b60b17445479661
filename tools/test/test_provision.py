# SPDX-License-Identifier: Apache-2.0
"""Set-up with the slow parts (uv, colcon, the shell) replaced; what is left is what is done when."""

import contextlib
import errno
import fcntl
import io
import os
import threading
import time
from dataclasses import replace

import pytest

from gremsy_tool import provision
from gremsy_tool.children import exclusive
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.progress import Progress
from gremsy_tool.stamps import read_json, write_json

from .test_machine import GOOD
from .test_packages import write_package


class FakeVenv:
    def __init__(self, layout, env):
        self.layout = layout
        self.calls = []
        self.filled = set()

    def is_usable(self):
        return self.layout.venv.is_dir()

    def has(self, groups):
        return self.is_usable() and not self.missing(groups)

    def missing(self, groups):
        return [group for group in groups if group not in self.filled]

    def make(self, note):
        self.calls.append('make')
        self.layout.venv.mkdir(parents=True)

    def fill(self, groups, note):
        self.calls.append(f'fill {" ".join(groups)}')
        self.filled |= set(groups)

    @contextlib.contextmanager
    def compiling(self):
        yield


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    return Workspace(tmp_path, monkeypatch)


class Workspace:
    def __init__(self, folder, monkeypatch):
        self.repository = folder
        write_package(folder, 'msgs', 'underlay', files=['CMakeLists.txt'])
        write_package(folder, 'cam', depends=['msgs'], files=['setup.py'])
        (folder / 'tools' / 'gremsy_tool').mkdir(parents=True)
        self.layout = find_layout({}, repository=folder)
        self.venv = FakeVenv(self.layout, {})
        self.built = []
        self.fails = set()
        self.machine = GOOD
        self.output = io.StringIO()
        monkeypatch.setattr(provision, 'Venv', lambda layout, env: self.venv)
        monkeypatch.setattr(provision, 'build', self._build)
        monkeypatch.setattr(provision.environment, 'base_environment', lambda layout, env: {})
        monkeypatch.setattr(provision.environment, 'compute', lambda layout, env: {'values': {}, 'folder_lists': {}})

    def _build(self, layout, packages, env, note, finished):
        for package in sorted(packages, key=lambda package: package.name):
            if package.name in self.fails:
                raise GremsyError(f'{package.name} does not build')
            self.built.append(package.name)
            (layout.install / package.name).mkdir(parents=True, exist_ok=True)
            finished(package.name)

    def ensure(self, *groups, clean=False):
        self.built.clear()
        self.venv.calls.clear()
        setup = provision.Provision(self.layout, {}, lambda state, env: self.machine, Progress(4, self.output))
        return setup.ensure(groups, clean=clean)


def test_the_first_set_up_does_everything_and_the_second_nothing(workspace):
    assert workspace.ensure()
    assert workspace.venv.calls == ['make', 'fill build ros-jazzy runtime']
    assert workspace.built == ['cam', 'msgs']
    assert not workspace.ensure()
    assert (workspace.venv.calls, workspace.built) == ([], [])


def test_a_group_is_added_without_building_again(workspace):
    workspace.ensure()
    assert workspace.ensure('dev')
    assert (workspace.venv.calls, workspace.built) == (['fill dev'], [])


def test_only_the_changed_package_is_built(workspace):
    workspace.ensure()
    (workspace.repository / 'src' / 'cam' / 'setup.py').write_text('edited')
    assert workspace.ensure()
    assert workspace.built == ['cam']


def test_a_package_that_is_gone_leaves_the_workspace(workspace):
    workspace.ensure()
    (workspace.repository / 'src' / 'cam' / 'COLCON_IGNORE').touch()
    assert workspace.ensure()
    assert not (workspace.layout.install / 'cam').exists()


def test_a_build_that_failed_goes_on_with_what_is_left(workspace):
    workspace.fails.add('msgs')
    with pytest.raises(GremsyError, match='msgs does not build'):
        workspace.ensure()
    workspace.fails.clear()
    assert workspace.ensure()
    assert workspace.built == ['msgs']
    assert workspace.venv.calls == []


def test_a_lost_venv_takes_the_build_with_it(workspace):
    workspace.ensure()
    workspace.layout.venv.rmdir()
    workspace.venv.filled.clear()
    assert workspace.ensure()
    assert workspace.built == ['cam', 'msgs']


def test_clean_makes_everything_anew(workspace):
    workspace.ensure()
    workspace.venv.filled.clear()
    assert workspace.ensure(clean=True)
    assert workspace.venv.calls == ['make', 'fill build ros-jazzy runtime']
    assert workspace.built == ['cam', 'msgs']


def test_a_state_folder_of_the_user_loses_nothing(workspace, tmp_path):
    state = tmp_path / 'work'
    for name in ('build', 'log', 'venv', 'install'):
        (state / name).mkdir(parents=True)
        (state / name / 'mine.txt').touch()
    workspace.layout = find_layout({'GREMSY_STATE': str(state)}, repository=workspace.repository)
    for clean in (False, True):
        with pytest.raises(GremsyError, match='which holds files that'):
            workspace.ensure(clean=clean)
    assert len(list(state.rglob('*'))) == 8


def test_a_missing_tool_is_said_before_anything_is_made(workspace):
    workspace.machine = replace(GOOD, cxx=None)
    with pytest.raises(GremsyError) as caught:
        workspace.ensure()
    assert str(caught.value) == 'No C++ compiler is on the PATH (looked for c++ and g++): apt-get install g++'
    assert not workspace.layout.state.exists()


def test_what_is_set_up_works_on_without_the_compiler(workspace):
    workspace.ensure()
    workspace.machine = replace(GOOD, cxx=None)
    assert not workspace.ensure()


def test_the_times_of_the_cold_set_up_are_kept(workspace):
    workspace.ensure()
    cold = read_json(workspace.layout.timing_file)
    assert cold['cold']
    assert set(cold['steps_s']) == {'venv', 'packages', 'build', 'environment'}
    workspace.ensure('dev')
    later = read_json(workspace.layout.timing_file)
    assert not later['cold']
    assert later['last_cold']['setup_s'] == cold['setup_s']


def test_steps_are_plain_lines_where_nobody_watches(workspace):
    workspace.ensure()
    lines = workspace.output.getvalue().splitlines()
    assert lines[0] == '[1/4] virtual environment ...'
    assert lines[-1].startswith('[4/4] environment: done, ')
    assert '\x1b' not in workspace.output.getvalue()


def test_a_long_step_says_how_long_it_has_run_also_where_nobody_watches():
    output = io.StringIO()
    progress = Progress(1, output, tick_s=0.01)
    with progress.step('build', 'ROS packages'):
        progress.note('0/2 vision_msgs')
        deadline = time.monotonic() + 20
        while 'so far' not in output.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert '[1/1] ROS packages 0/2 vision_msgs (0 s so far)' in output.getvalue().splitlines()


def test_others_may_read_what_root_made_with_a_strict_umask(workspace):
    before = os.umask(0o077)
    try:
        workspace.ensure()
    finally:
        assert os.umask(before) == 0o077
    for path in (workspace.layout.root, *workspace.layout.root.rglob('*')):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_what_cannot_be_written_is_named(workspace, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, 'Permission denied', '/robot/.gremsy/venv/x')

    monkeypatch.setattr(provision, 'build', refused)
    with pytest.raises(GremsyError) as caught:
        workspace.ensure()
    assert str(caught.value) == (
        '/robot/.gremsy/venv/x cannot be written: make it yours (chown), or set GREMSY_STATE to a folder that is, for '
        'example GREMSY_STATE=$HOME/.cache/gremsy.'
    )


def test_a_second_set_up_waits_for_the_first_and_says_so(tmp_path):
    path = tmp_path / 'state' / 'lock'
    path.parent.mkdir()
    said = []
    entered = threading.Event()

    def second():
        with exclusive(path, said.append):
            entered.set()

    with path.open('a') as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(5)
    thread.join()
    assert said == [f'Another ./gremsy is setting up {path.parent}; waiting for it to finish.']


def test_a_stamp_cut_short_counts_as_none(tmp_path):
    path = tmp_path / 'stamp.json'
    write_json(path, {'a': 1})
    path.write_text(path.read_text()[:4])
    assert read_json(path) == {}
    assert list(tmp_path.iterdir()) == [path]
