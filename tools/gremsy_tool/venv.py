# SPDX-License-Identifier: Apache-2.0
"""The virtual environment and the groups of packages in it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gremsy_tool.environment import base_environment, site_packages
from gremsy_tool.errors import GremsyError, disk_full
from gremsy_tool.requirements import install, merge_locks, read_lock
from gremsy_tool.stamps import digest_of, read_json, write_json
from gremsy_tool.wheels import point_cmake_files_here

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from gremsy_tool.layout import Layout

# Packages that apt installs under another name than PyPI's, by the module that both bring.
_MODULES = {
    'lxml': 'lxml',
    'matplotlib': 'matplotlib',
    'numpy': 'numpy',
    'onnxruntime': 'onnxruntime',
    'opencv-python-headless': 'cv2',
    'protobuf': 'google.protobuf',
    'pymavlink': 'pymavlink',
    'pyserial': 'serial',
    'pyyaml': 'yaml',
    'scipy': 'scipy',
}
_ASK_FOR_MODULES = """
import importlib.util, json, sys
def present(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
print(json.dumps([name for name in sys.argv[1:] if present(name)]))
"""
# pip builds the few source packages with these, so they come first.
_BOOTSTRAP = ('setuptools', 'wheel')
# pip settings of the user that would put packages elsewhere than into the venv.
_MISLEADING = ('PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PIP_USER', 'PIP_NO_DEPS', 'PIP_ONLY_BINARY', 'PIP_NO_BINARY')


class Venv:
    """Made when it is missing or half made, and filled group by group."""

    def __init__(self, layout: Layout, env: Mapping[str, str]) -> None:
        self._layout = layout
        self._env = {name: value for name, value in env.items() if name not in _MISLEADING}

    def is_usable(self) -> bool:
        record = read_json(self._layout.groups_file)
        # `filling` stays behind when pip was interrupted; pip cannot mend a package of which it wrote only a part.
        return (
            record.get('path') == str(self._layout.venv) and not record.get('filling') and self._layout.python.exists()
        )

    def has(self, groups: Iterable[str]) -> bool:
        return self.is_usable() and not self.missing(groups)

    def missing(self, groups: Iterable[str]) -> list[str]:
        installed = read_json(self._layout.groups_file).get('groups', {})
        return [group for group in groups if installed.get(group) != self._digest(group)]

    def make(self) -> None:
        layout = self._layout
        shutil.rmtree(layout.venv, ignore_errors=True)
        command = [sys.executable, '-m', 'venv', str(layout.venv)]
        if layout.system_ros:
            command.insert(3, '--system-site-packages')
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            shutil.rmtree(layout.venv, ignore_errors=True)
            said = (result.stdout + result.stderr).strip()
            if 'ensurepip' in said:
                version = '.'.join(platform.python_version_tuple()[:2])
                raise GremsyError(
                    f'Python {version} lacks its venv module: apt-get install python3-venv (or python{version}-venv).'
                )
            if 'No space left' in said:
                raise disk_full(layout.venv)
            raise GremsyError(f'{sys.executable} could not make the virtual environment {layout.venv}: {said[-300:]}')
        self._record({'path': str(layout.venv), 'python': platform.python_version(), 'groups': {}})

    def fill(self, groups: Collection[str], note: Callable[[str], None]) -> None:
        """Installs the groups that are missing."""
        layout = self._layout
        record = read_json(layout.groups_file)
        locks = [layout.requirements(group) for group in groups]
        pins = merge_locks(locks, skip=self._brought_by_the_system(locks))
        self._record({**record, 'filling': sorted(groups)})
        log = layout.state / 'pip.log'
        env = base_environment(layout, self._env)
        install(layout.python, [pin for pin in pins if pin.name in _BOOTSTRAP], env, note, log)
        install(layout.python, [pin for pin in pins if pin.name not in _BOOTSTRAP], env, note, log)
        if not layout.system_ros and any(group.startswith('ros-') for group in groups):
            include = json.loads(
                self._ask('import json, sysconfig; print(json.dumps(sysconfig.get_paths()["include"]))')
            )
            point_cmake_files_here(layout.venv / 'share', include, site_packages(layout))
        installed = {**record.get('groups', {}), **{group: self._digest(group) for group in groups}}
        self._record({**record, 'groups': installed})

    def _brought_by_the_system(self, locks: Iterable[Path]) -> list[str]:
        if not self._layout.system_ros:
            return []
        # ROS's compiled parts are built against the system's NumPy; a newer one in the venv would break them.
        known = {_MODULES[pin.name]: pin.name for lock in locks for pin in read_lock(lock) if pin.name in _MODULES}
        result = subprocess.run(
            [sys.executable, '-c', _ASK_FOR_MODULES, *known], env=self._env, capture_output=True, text=True, check=True
        )
        return [known[module] for module in json.loads(result.stdout)]

    def _ask(self, question: str) -> str:
        env = base_environment(self._layout, self._env)
        return subprocess.run(
            [str(self._layout.python), '-c', question], env=env, capture_output=True, text=True, check=True
        ).stdout

    def _digest(self, group: str) -> str:
        path = self._layout.requirements(group)
        # Only what pip reads: a changed comment is no reason to ask it again.
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if not line.startswith(b'#')]
        return digest_of([path.name.encode(), b''.join(lines)])

    def _record(self, content: dict[str, Any]) -> None:
        write_json(self._layout.groups_file, content)
