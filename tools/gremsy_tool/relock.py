# SPDX-License-Identifier: Apache-2.0
"""Writes the locks anew: one resolution for all groups, then each group's part of it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import DEFAULT_DISTRO, WHEEL_DISTROS
from gremsy_tool.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gremsy_tool.layout import Layout

GROUPS = ('build', 'runtime', 'dev', 'encode', 'report', 'precision', 'tensorrt', 'lock')
# Held to what the others lock, but with no say in it: what only a benchmark compares must not hold anything back.
GUESTS = ('peers', 'ultralytics')
# Brings the same module as the runtime's opencv-python-headless and would overwrite it; a guest finds that one.
_NEVER_LOCKED = 'opencv-python'
HEADER = '# SPDX-License-Identifier: Apache-2.0\n# Written by ./gremsy setup --relock from the .in file beside it.\n'

# An index or a folder of the one who locks must not reach the others.
_PRIVATE = re.compile(r'^--?(index-url|extra-index-url|find-links|trusted-host|i|f)\b|file://', re.MULTILINE)


def relock(layout: Layout, env: Mapping[str, str]) -> None:
    """Resolves all groups together, so that what two of them share has one version."""
    Provision(layout, env).ensure(['lock'])
    folder = layout.repository / 'requirements'
    with tempfile.TemporaryDirectory() as scratch:
        together = Path(scratch) / 'together.txt'
        _compile(layout, env, [folder / f'{group}.in' for group in (f'ros-{DEFAULT_DISTRO}', *GROUPS)], together, None)
        pins = _pins(together)
        everything = Path(scratch) / 'pins.txt'
        everything.write_text('\n'.join(pins))
        # Each ROS pins its own wheels under the same names, so another one is held only to what is not ROS.
        without_ros = Path(scratch) / 'without_ros.txt'
        without_ros.write_text('\n'.join(pin for pin in pins if not pin.startswith('ros-')))
        locks = dict.fromkeys((*GROUPS, *GUESTS), everything)
        locks |= {f'ros-{distro}': everything if distro == DEFAULT_DISTRO else without_ros for distro in WHEEL_DISTROS}
        for group, constraint in locks.items():
            output = Path(scratch) / f'{group}.txt'
            _compile(layout, env, [folder / f'{group}.in'], output, constraint)
            text = output.read_text(encoding='utf-8')
            if _PRIVATE.search(text):
                raise GremsyError(f'The new lock of "{group}" names a private package index: lock without one.')
            replace_lock(layout.requirements(group), HEADER + text)


def replace_lock(lock: Path, text: str) -> None:
    """Whole or not at all, and only over another lock.

    Raises:
        GremsyError: when something else is in the way.
    """
    if lock.exists() and not lock.read_text(encoding='utf-8').startswith(HEADER):
        raise GremsyError(f'{lock} was not written by ./gremsy setup --relock: move it away, then lock again.')
    unfinished = lock.with_name(f'.{lock.name}.unfinished')
    unfinished.write_text(text, encoding='utf-8')
    unfinished.replace(lock)


def _pins(lock: Path) -> list[str]:
    lines = lock.read_text(encoding='utf-8').splitlines()
    return [line.rstrip('\\ ') for line in lines if line and line[0].isalnum()]


def _compile(
    layout: Layout, env: Mapping[str, str], sources: Sequence[Path], output: Path, constraint: Path | None
) -> None:
    command = [
        str(layout.venv / 'bin' / 'uv'), 'pip', 'compile', '--universal', '--python-version', '3.10', '--system-certs',
        '--generate-hashes', '--no-annotate', '--no-header', '--quiet', '--output-file', str(output),
        '--no-emit-package', _NEVER_LOCKED, *(str(source) for source in sources),
    ]  # fmt: skip
    # Where two packages of one group ask for versions that exclude each other though both work with one.
    for override in (source.with_suffix('.override') for source in sources):
        command += ['--override', str(override)] if override.exists() else []
    if constraint is not None:
        command += ['--constraint', str(constraint)]
    result = subprocess.run(command, cwd=layout.repository, env=dict(env), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise GremsyError(f'The locks cannot be resolved: {result.stderr.strip()}')
