# SPDX-License-Identifier: Apache-2.0
"""The part of ./gremsy doctor that needs nothing set up; the rest is asked of the workspace, if there is one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from gremsy_tool import environment
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.machine import probe
from gremsy_tool.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Mapping


def examine(arguments: list[str], env: Mapping[str, str]) -> int:
    """Prints what set-up needs and has, then lets the workspace's own doctor speak; sets nothing up."""
    layout = find_layout(env)
    provision = Provision(layout, env)
    machine = probe(layout.state, env)
    missing = provision.missing_tools()
    report = sys.stderr if '--json' in arguments else sys.stdout
    python = '.'.join(str(part) for part in machine.python)
    report.write(
        f'Set-up: ROS 2 {layout.distro} {"of this system" if layout.system_ros else "from wheels"} in {layout.state}\n'
    )
    report.write(
        f'  Python {python}, C++ compiler {machine.cxx or "none"}, {machine.free_bytes / 1e9:.0f} GB free\n'
        + ''.join(f'  missing: {sentence}\n' for sentence in missing)
    )
    if provision.is_done():
        report.write('  the workspace is set up\n')
    elif layout.environment_file.exists():
        report.write('  the workspace is out of date: ./gremsy setup brings it up to date\n')
    else:
        report.write('  the workspace is not set up: ./gremsy setup does that\n')
        return 1
    report.flush()
    try:
        inside = environment.load(layout, env)
        command = [str(layout.python), '-m', 'gremsy_bringup.doctor.doctor_command', *arguments]
        status = subprocess.run(command, env=inside, check=False).returncode
    except (GremsyError, OSError) as error:
        report.write(f'  the workspace does not start ({error}): ./gremsy setup --clean makes it anew\n')
        return 1
    return status or (1 if missing else 0)
