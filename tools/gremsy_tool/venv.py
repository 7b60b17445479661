# SPDX-License-Identifier: Apache-2.0
"""The virtual environment and the groups of packages in it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gremsy_tool.children import beside
from gremsy_tool.environment import base_environment, site_packages
from gremsy_tool.errors import GremsyError
from gremsy_tool.stamps import digest_of_files, read_json, write_json
from gremsy_tool.uv import Uv, names_in
from gremsy_tool.wheels import point_cmake_files_here

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from gremsy_tool.layout import WorkspaceLayout

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
# Says each package's name before it imports its modules, so that a crash has a name too.
_IMPORT = """
import importlib, importlib.metadata, os, re, sys
output = os.fdopen(os.dup(1), 'w', buffering=1)
sys.stdout = sys.stderr
for module, owners in sorted(importlib.metadata.packages_distributions().items()):
    for owner in {re.sub('[-_.]+', '-', name).lower() for name in owners}.intersection(sys.argv[1:]):
        print('importing', owner, file=output)
        try:
            importlib.import_module(module)
        except BaseException as error:
            print('failed', owner, *f'{type(error).__name__}: {error}'.split(), file=output)
print('done', file=output)
os._exit(0)
"""
# Is there for its names only, its library is not installed.
_NOT_IMPORTED = {'tensorrt-cu13-bindings'}
# What is not compiled now, every process compiles again where it may not write: in a workspace that root made, or with
# PYTHONDONTWRITEBYTECODE. The driver took 120 MB more for it, and was gone 7 ms later when it was killed. Left out is
# what nobody here imports; pymavlink's other dialects alone are 40 MB of text.
_COMPILE = """
import compileall, os, re, sys
os.nice(19)
compileall.compile_dir(sys.argv[1], quiet=2, rx=re.compile(sys.argv[2]))
"""
_NOT_COMPILED = r'/(tests?|testing|transformers|examples)/|/pymavlink/dialects/(?!v20/(ardupilotmega|__init__))'


class Venv:
    """Made when it is missing or half made, and filled group by group."""

    def __init__(self, layout: WorkspaceLayout, env: Mapping[str, str]) -> None:
        self._layout = layout
        self._env = env
        self._uv = Uv(layout, env)

    def is_usable(self) -> bool:
        return self._recorded().get('path') == str(self._layout.venv) and self._layout.python.exists()

    def has(self, groups: Iterable[str]) -> bool:
        return self.is_usable() and not self.missing(groups)

    def missing(self, groups: Iterable[str]) -> list[str]:
        installed = self._installed()
        return [group for group in groups if group not in installed]

    def make(self, note: Callable[[str], None]) -> None:
        self._uv.make_venv(note)
        self._record([], [])

    def fill(self, groups: Collection[str], note: Callable[[str], None]) -> None:
        """Installs the groups that are missing."""
        installed, interrupted = self._installed(), self._recorded().get('filling', [])
        locked = self._uv.locked(groups, self._brought_by_the_system())
        # What an interrupted set-up was writing may look whole and not be; what other groups have it left alone.
        reinstalled = names_in(self._uv.locked(interrupted)) & names_in(locked) if interrupted else set()
        reinstalled -= names_in(self._uv.locked(installed)) if installed and reinstalled else set()
        self._record(installed, sorted({*interrupted, *groups}))
        written = self._uv.install(locked, reinstalled, note)
        if any(name.startswith('ros-') for name in written):
            include = self._ask('import sysconfig; print(sysconfig.get_paths()["include"])').strip()
            point_cmake_files_here(self._layout.venv / 'share', include, site_packages(self._layout))
        note('importing')
        broken = self._broken(written)
        if broken:
            self._uv.install(locked, broken, note)
            broken = self._broken(broken)
        for name, error in broken.items():
            raise GremsyError(
                f'The package "{name}" is installed, but cannot be imported here ({error}): fix what it names and run '
                './gremsy setup again, or rebuild the workspace with ./gremsy setup --clean.'
            )
        self._record(sorted({*installed, *groups}), [group for group in interrupted if group not in groups])

    def compiling(self) -> AbstractContextManager[None]:
        """Compiles what is installed, as Python would at the first import, while something else waits."""
        folder = site_packages(self._layout)
        command = [str(self._layout.python), '-c', _COMPILE, str(folder), _NOT_COMPILED]
        return beside(command, base_environment(self._layout, self._env), self._layout.state)

    def lock(self, note: Callable[[str], None]) -> None:
        self._uv.lock(note)

    def _installed(self) -> list[str]:
        record = self._recorded()
        return record['groups'] if record.get('lock') == self._lock_digest() else []

    def _broken(self, names: Iterable[str]) -> dict[str, str]:
        """Which of these packages cannot be imported, and why."""
        wanted = sorted(set(names) - _NOT_IMPORTED)
        broken: dict[str, str] = {}
        last = ''
        for line in self._ask(_IMPORT, *wanted).splitlines():
            word, *rest = line.split()
            if word == 'failed':
                broken[rest[0]] = ' '.join(rest[1:])[:200]
            last = '' if word == 'done' else rest[0]
        return {**broken, last: 'Python crashed'} if last else broken

    def _brought_by_the_system(self) -> list[str]:
        if not self._layout.system_ros:
            return []
        # ROS's compiled parts are built against the system's NumPy; a newer one in the venv would break them.
        names = {module: name for name, module in _MODULES.items()}
        result = subprocess.run(
            [sys.executable, '-c', _ASK_FOR_MODULES, *names], env=self._env, capture_output=True, text=True, check=True
        )
        return [names[module] for module in json.loads(result.stdout)]

    def _ask(self, question: str, *arguments: str) -> str:
        env = base_environment(self._layout, self._env)
        command = [str(self._layout.python), '-W', 'ignore', '-c', question, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout

    def _lock_digest(self) -> str:
        return digest_of_files([self._layout.uv_lock])

    def _recorded(self) -> dict[str, Any]:
        return read_json(self._layout.groups_file)

    def _record(self, groups: list[str], filling: list[str]) -> None:
        content = {'path': str(self._layout.venv), 'lock': self._lock_digest(), 'groups': groups, 'filling': filling}
        write_json(self._layout.groups_file, content)
