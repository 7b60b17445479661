# SPDX-License-Identifier: Apache-2.0
"""Set-up: from a bare machine to a built workspace, doing only what is not done."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool import environment
from gremsy_tool.build import build, forget
from gremsy_tool.children import exclusive
from gremsy_tool.errors import GremsyError, disk_full, not_writable
from gremsy_tool.machine import probe, problems_of
from gremsy_tool.packages import Package, find_packages, with_dependants
from gremsy_tool.progress import Progress
from gremsy_tool.stamps import digest_of, digest_of_files, read_json, write_json
from gremsy_tool.state_folder import claim
from gremsy_tool.venv import Venv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gremsy_tool.layout import WorkspaceLayout
    from gremsy_tool.machine import SetupMachine


class Provision:
    """Brings one workspace up to date; `ensure` costs some milliseconds where nothing changed."""

    def __init__(
        self,
        layout: WorkspaceLayout,
        env: Mapping[str, str],
        ask: Callable[[Path, Mapping[str, str]], SetupMachine] = probe,
        progress: Progress | None = None,
    ) -> None:
        self._layout = layout
        self._env = dict(env)
        self._ask = ask
        self._venv = Venv(layout, env)
        self._progress = progress

    def is_done(self, groups: Iterable[str] = ()) -> bool:
        """Whether everything, `groups` included, is as the sources and locks say."""
        layout = self._layout
        if not layout.environment_file.exists() or not self._venv.has([*self._base_groups(), *groups]):
            return False
        packages = self._packages()
        return read_json(layout.stamp_file).get('fingerprint') == self._fingerprint(packages) and all(
            (layout.install / package.name).is_dir() for package in packages
        )

    def ensure(self, groups: Iterable[str] = (), *, clean: bool = False) -> bool:
        """Sets up what is missing; True if anything was.

        Args:
            groups: Groups of packages beyond those that every command needs.
            clean: Throw away what was made before.

        Raises:
            GremsyError: Something that a person must change.
        """
        wanted = list(groups)
        if not clean and self.is_done(wanted):
            return False
        with self._working() as progress:
            if clean:
                self._remove()
            # Another set-up may have done it all while this one waited.
            elif self.is_done(wanted):
                return False
            self._set_up(wanted, progress)
        return True

    def relock(self) -> None:
        """Writes uv.lock again from pyproject.toml."""
        with self._working() as progress, progress.step('lock', 'uv.lock'):
            self._venv.lock(progress.note)

    @contextmanager
    def _working(self) -> Iterator[Progress]:
        """Holds the state folder for this process alone, with files that everybody may read."""
        self._check_machine()
        mask = os.umask(0o022)
        try:
            claim(self._layout)
            progress = self._progress or Progress(total=4)
            with exclusive(self._layout.lock_file, progress.say):
                yield progress
        except PermissionError as error:
            raise not_writable(error.filename or self._layout.state) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(self._layout.state) from error
            raise
        finally:
            os.umask(mask)

    def missing_tools(self) -> list[str]:
        """The sentences about this machine, for `doctor` too."""
        layout = self._layout
        fresh = not self._venv.is_usable()
        machine = self._ask(layout.state, self._env)
        return [problem.sentence for problem in problems_of(machine, system_ros=layout.system_ros, fresh=fresh)]

    def _check_machine(self) -> None:
        sentences = self.missing_tools()
        if sentences:
            raise GremsyError('\n'.join(sentences))

    def _set_up(self, wanted: list[str], progress: Progress) -> None:
        layout = self._layout
        fresh = not self._venv.is_usable()
        with progress.step('venv', 'virtual environment'):
            if fresh:
                self._remove()
                self._venv.make(progress.note)
        with progress.step('packages', 'Python packages'):
            missing = self._venv.missing([*self._base_groups(), *wanted])
            if missing:
                self._venv.fill(missing, progress.note)
        # colcon leaves a third of two cores idle.
        with progress.step('build', 'ROS packages'), self._venv.compiling() if missing else nullcontext():
            packages = self._packages()
            self._build(packages, progress.note)
        with progress.step('environment', 'environment'):
            environment.store(layout, environment.compute(layout, self._env))
        write_json(layout.stamp_file, {'fingerprint': self._fingerprint(packages)})
        self._keep_timing(progress, cold=fresh)

    def _build(self, packages: list[Package], note: Callable[[str], None]) -> None:
        layout = self._layout
        built: dict[str, str] = read_json(layout.packages_file)
        present = {package.name: package for package in packages}
        gone = [name for name in built if name not in present]
        forget(layout, gone)
        built = {name: fingerprint for name, fingerprint in built.items() if name not in gone}
        changed = [
            package.name
            for package in packages
            if built.get(package.name) != package.fingerprint or not (layout.install / package.name).is_dir()
        ]
        stale = with_dependants(changed, packages)
        if not stale:
            return

        def finished(name: str) -> None:
            # Kept one by one, so that an interrupted build goes on where it was.
            built[name] = present[name].fingerprint
            write_json(layout.packages_file, built)

        for name in stale:
            built.pop(name, None)
        write_json(layout.packages_file, built)
        base = environment.base_environment(layout, self._env)
        build(layout, [present[name] for name in stale], base, note, finished)

    def _remove(self) -> None:
        layout = self._layout
        # The venv's interpreter is compiled into everything that was built, so they go together.
        for folder in (layout.venv, layout.build, layout.install, layout.log):
            shutil.rmtree(folder, ignore_errors=True)
        for path in (layout.stamp_file, layout.environment_file, layout.packages_file):
            path.unlink(missing_ok=True)

    def _base_groups(self) -> list[str]:
        if not self._layout.system_ros:
            return ['build', f'ros-{self._layout.distro}', 'runtime']
        has_colcon = shutil.which('colcon', path=self._env.get('PATH')) is not None
        return ['runtime'] if has_colcon else ['build', 'runtime']

    def _packages(self) -> list[Package]:
        packages = find_packages(self._layout.repository)
        if not self._layout.system_ros:
            return packages
        underlay = self._layout.repository / 'underlay'
        return [package for package in packages if package.folder.parent != underlay or not self._ros_has(package.name)]

    def _ros_has(self, name: str) -> bool:
        prefixes = self._env.get('AMENT_PREFIX_PATH', '').split(':')
        own = str(self._layout.install)
        return any(
            (Path(prefix) / 'share' / 'ament_index' / 'resource_index' / 'packages' / name).exists()
            for prefix in prefixes
            if prefix and not prefix.startswith(own)
        )

    def _fingerprint(self, packages: list[Package]) -> str:
        # The tool's own sources count: what they would do differently must be done again.
        tool = digest_of_files((self._layout.repository / 'tools' / 'gremsy_tool').glob('*.py'))
        return digest_of(
            part.encode()
            for part in (
                tool,
                str(self._layout),
                *(item for package in packages for item in (package.name, package.fingerprint)),
            )
        )

    def _keep_timing(self, progress: Progress, *, cold: bool) -> None:
        record = {
            'setup_s': round(progress.elapsed_s, 2),
            'cold': cold,
            'steps_s': progress.seconds,
            'python': platform.python_version(),
            'finished': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
        }
        previous = read_json(self._layout.timing_file)
        # The last cold set-up stays known: that is the figure that the benchmarks report.
        record['last_cold'] = (
            {name: record[name] for name in ('setup_s', 'steps_s', 'finished')} if cold else previous.get('last_cold')
        )
        write_json(self._layout.timing_file, record)
