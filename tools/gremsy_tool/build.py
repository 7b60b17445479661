# SPDX-License-Identifier: Apache-2.0
"""Builds the ROS packages with colcon."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from gremsy_tool.children import follow
from gremsy_tool.errors import GremsyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from gremsy_tool.layout import WorkspaceLayout
    from gremsy_tool.packages import Package

# colcon has no `python -m`; started this way it builds with the venv's Python whoever installed it.
_COLCON = 'import sys; from colcon_core.command import main; sys.exit(main())'
_EVENT = re.compile(r'^(Starting|Finished|Failed|Aborted)\s+(?:>>>|<<<)\s+(\S+?)(?:\s|$)')


def forget(layout: WorkspaceLayout, names: Collection[str]) -> None:
    """Takes away what was built of packages that are gone."""
    for name in names:
        for folder in (layout.build / name, layout.install / name):
            shutil.rmtree(folder, ignore_errors=True)


def build(
    layout: WorkspaceLayout,
    packages: Collection[Package],
    env: Mapping[str, str],
    note: Callable[[str], None],
    finished: Callable[[str], None],
) -> None:
    """Builds `packages`; `finished` is called with the name of each that is done, also when another fails."""
    workers = str(os.cpu_count() or 1)
    command = [
        str(layout.python), '-c', _COLCON, '--log-base', str(layout.log),
        'build', '--symlink-install', '--build-base', str(layout.build), '--install-base', str(layout.install),
        # underlay/ is COLCON_IGNOREd for those who have these packages of their ROS, so each folder in it is named.
        '--base-paths', *(str(path.parent) for path in sorted((layout.repository / 'underlay').glob('*/package.xml'))),
        str(layout.repository / 'src'),
        '--packages-select', *sorted(package.name for package in packages),
        '--executor', 'parallel', '--parallel-workers', workers,
        '--cmake-args', '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_TESTING=OFF',
        f'-DPython3_EXECUTABLE={layout.python}',
        # A system's ROS may run another middleware, and C++ programs such as RViz.
        f'-DUNDERLAY_PYTHON_ONLY={"OFF" if layout.system_ros else "ON"}',
    ]  # fmt: skip
    build_env = {
        **env,
        # colcon keeps user settings under COLCON_HOME; one's own must not change this build.
        'COLCON_HOME': str(layout.state / 'colcon'),
        # Without -j here colcon limits the load (-l) too, and on a machine with any other work compiles one file at a
        # time: 65 s instead of 47 for the underlay.
        'MAKEFLAGS': f'-j{workers}',
        'CMAKE_BUILD_PARALLEL_LEVEL': workers,
    }
    running: list[str] = []
    failed: list[str] = []
    printed: list[str] = []
    done: list[str] = []

    def on_line(line: str) -> None:
        printed.append(line)
        event = _EVENT.match(line)
        if event is None:
            return
        word, name = event[1], event[2]
        if word == 'Starting':
            running.append(name)
        else:
            running[:] = [other for other in running if other != name]
            if word == 'Finished':
                done.append(name)
                finished(name)
            elif word == 'Failed':
                failed.append(name)
        note(f'{len(done)}/{len(packages)} {" ".join(running)}')

    if follow(command, build_env, on_line, layout.state) != 0:
        raise _explain(layout, failed, printed)


def _explain(layout: WorkspaceLayout, failed: list[str], printed: list[str]) -> GremsyError:
    if not failed:
        return GremsyError(f'colcon could not build the workspace: {"".join(printed)[-800:].strip()}')
    name = failed[0]
    log = layout.log / 'latest_build' / name / 'stdout_stderr.log'
    try:
        lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        lines = printed
    errors = [line for line in lines if re.search(r'error|Error', line)][:5] or lines[-5:]
    return GremsyError(
        '\n  '.join([f'Package {name} does not build; fix the errors below (the whole output is in {log}).', *errors])
    )
