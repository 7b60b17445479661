# SPDX-License-Identifier: Apache-2.0
"""`ros2 run`, `ros2 topic echo` and more where there is no ros2 program: PyPI has ROS without its command line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError

if TYPE_CHECKING:
    from collections.abc import Mapping


ASK_MODULE = 'gremsy_bringup.ask.ask_node'
# What looks into the graph, and the words of ./gremsy for it.
_ASKED = {
    'topic list': 'topics',
    'topic echo': 'echo',
    'topic hz': 'rate',
    'topic pub': 'publish',
    'service list': 'topics --services',
    'service call': 'call',
    'param list': 'param list',
    'param describe': 'param describe',
    'param get': 'param get',
    'param set': 'param set',
}


def understood(command: list[str], env: Mapping[str, str]) -> list[str]:
    """The command itself, or the program that its `ros2 ...` means.

    Args:
        command: what `./gremsy exec` is to run.
        env: the workspace's environment.

    Raises:
        GremsyError: no such package or executable, or something else of ros2's that is not here.
    """
    if command[0] != 'ros2' or shutil.which('ros2', path=env.get('PATH')):
        return command
    asked = _ASKED.get(' '.join(command[1:3]))
    if asked is not None:
        return ['python', '-m', ASK_MODULE, *asked.split(), *command[3:]]
    if command[1:2] != ['run'] or len(command) < 4 or command[2].startswith('-'):
        raise GremsyError(
            "ROS's command line (ros2) is not here, as PyPI does not have it: ./gremsy exec understands only "
            f'ros2 run PACKAGE EXECUTABLE [ARGUMENTS] and ros2 {", ".join(_ASKED)}; ./gremsy run starts what ros2 '
            'launch would.'
        )
    package, name, *arguments = command[2:]
    found = _executables(package, env)
    if name not in found:
        known = f'choose from {", ".join(sorted(found))}' if found else 'check the name of the package'
        raise GremsyError(f'Package {package} has no executable "{name}": {known}.')
    return [str(found[name]), *arguments]


def _executables(package: str, env: Mapping[str, str]) -> dict[str, Path]:
    """By name, of the first workspace that has the package, as `ros2 run` looks for them."""
    for prefix in env.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        folder = Path(prefix) / 'lib' / package
        if prefix and '/' not in package and folder.is_dir():
            return {path.name: path for path in folder.iterdir() if path.is_file() and os.access(path, os.X_OK)}
    return {}
