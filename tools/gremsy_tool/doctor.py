# SPDX-License-Identifier: Apache-2.0
"""The part of ./gremsy doctor that needs nothing set up; the rest is asked of the workspace, if there is one."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gremsy_tool import environment
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.machine import probe
from gremsy_tool.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gremsy_tool.layout import WorkspaceLayout


def examine(arguments: list[str], env: Mapping[str, str]) -> int:
    """Prints what set-up needs and has, then what the workspace's own doctor says; sets nothing up.

    With --json, standard output is one JSON object whatever is missing.
    """
    if '--robot' in arguments:
        return _examine_robot(arguments, env)
    unknown = [each for each in arguments if each != '--json']
    if unknown:
        raise GremsyError(f'doctor has no option "{unknown[0]}": it takes --json, and --robot with its own options.')
    layout = find_layout(env)
    provision = Provision(layout, env)
    machine = probe(layout.state, env)
    missing = provision.missing_tools()
    as_json = '--json' in arguments
    report = sys.stderr if as_json else sys.stdout
    python = '.'.join(str(part) for part in machine.python)
    report.write(
        f'Set-up: ROS 2 {layout.distro} {"of this system" if layout.system_ros else "from wheels"} in {layout.state}\n'
    )
    report.write(
        f'  Python {python}, C++ compiler {machine.cxx or "none"}, {machine.free_bytes / 1e9:.0f} GB free\n'
        + ''.join(f'  missing: {sentence}\n' for sentence in missing)
    )
    lacks = [_lack('missing', *sentence.split(': ', 1)) for sentence in missing]
    if provision.is_done():
        report.write('  the workspace is set up\n')
    elif layout.environment_file.exists():
        report.write('  the workspace is out of date: ./gremsy setup brings it up to date\n')
    else:
        report.write('  the workspace is not set up: ./gremsy setup does that\n')
        if as_json:
            _print_json([*lacks, _lack('missing', 'not set up', 'Run `./gremsy setup`.')])
        return 1
    report.flush()
    try:
        return _ask_inside(layout, env, lacks, as_json=as_json)
    except (GremsyError, OSError) as error:
        report.write(f'  the workspace does not start ({error}): ./gremsy setup --clean rebuilds it\n')
        if as_json:
            reason = ' '.join(str(error).split())
            _print_json([*lacks, _lack('broken', f'does not start ({reason})', 'Run `./gremsy setup --clean`.')])
        return 1


def see_robot_doctor(repository: Path) -> None:
    """Lets the robot's doctor be imported where nothing is set up: it and what it takes need no other package."""
    own = [repository / 'src' / f'gremsy_{name}' for name in ('bringup', 'common', 'camera', 'gimbal_driver')]
    sys.path += [str(folder) for folder in own if str(folder) not in sys.path]


def _examine_robot(arguments: list[str], env: Mapping[str, str]) -> int:
    """The robot's doctor looks at this machine, and asks the workspace where that is set up."""
    layout = find_layout(env)
    see_robot_doctor(layout.repository)
    command = import_module('gremsy_bringup.robot_doctor.robot_doctor_command')
    here = [str(layout.repository / 'gremsy'), 'exec', 'python'] if Provision(layout, env).is_done() else None
    status: int = command.main(
        arguments, here=here, docker_folder=layout.repository / 'docker', logs=[layout.log / 'ros']
    )
    return status


def _ask_inside(layout: WorkspaceLayout, env: Mapping[str, str], lacks: list[dict[str, Any]], *, as_json: bool) -> int:
    """Lets the workspace's own doctor speak; its JSON is taken up into ours.

    Raises:
        GremsyError: it did not print its JSON object.
    """
    command = [str(layout.python), '-m', 'gremsy_bringup.doctor.doctor_command', *(['--json'] if as_json else [])]
    inside = environment.load(layout, env)
    ended = subprocess.run(command, env=inside, check=False, stdout=subprocess.PIPE if as_json else None, text=True)
    if not as_json:
        return ended.returncode or (1 if lacks else 0)
    try:
        checks = json.loads(ended.stdout)['checks']
    except (ValueError, TypeError, KeyError) as error:
        raise GremsyError(f'its doctor ended with status {ended.returncode} and no output') from error
    _print_json([*lacks, *checks])
    return ended.returncode or (1 if lacks else 0)


def _lack(word: str, found: str, remedy: str = '') -> dict[str, Any]:
    """A row of the workspace's doctor (`doctor_checks.Check`) about the set-up."""
    return {'name': 'Set-up', 'ok': False, 'found': found, 'remedy': remedy, 'needed': True, 'lack': word}


def _print_json(checks: list[dict[str, Any]]) -> None:
    document = {
        'machine': platform.machine(),
        'system': platform.platform(),
        'cpus': os.cpu_count(),
        'demo_can_run': all(check['ok'] for check in checks if check['needed']),
        'checks': checks,
    }
    sys.stdout.write(json.dumps(document) + '\n')
