# SPDX-License-Identifier: Apache-2.0
"""The environment in which the workspace's programs run, worked out once after a build and kept as JSON."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from gremsy_tool import layout as names
from gremsy_tool.errors import GremsyError
from gremsy_tool.stamps import read_json, write_json
from gremsy_tool.wheels import library_folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gremsy_tool.layout import WorkspaceLayout

# Lists of folders: the workspace's are put before what the caller has. Every other variable is set.
FOLDER_LISTS = (
    'AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH', 'COLCON_PREFIX_PATH', 'LD_LIBRARY_PATH', 'PATH', 'PKG_CONFIG_PATH',
    'PYTHONPATH', 'ROS_PACKAGE_PATH',
)  # fmt: skip
# A shell keeps these for itself.
_SHELLS_OWN = {'_', 'OLDPWD', 'PWD', 'SHLVL', 'COLCON_CURRENT_PREFIX', 'COLCON_PYTHON_EXECUTABLE', 'COLCON_TRACE'}
# ROS sets these when it is sourced; kept, so that later commands run in shells where it is not.
_ROS_OWN = ('ROS_DISTRO', 'ROS_VERSION', 'ROS_PYTHON_VERSION', 'RMW_IMPLEMENTATION')


def site_packages(layout: WorkspaceLayout) -> Path:
    folders = sorted((layout.venv / 'lib').glob('python3.*/site-packages'))
    if not folders:
        raise GremsyError(f'{layout.venv} is not a virtual environment any more: run ./gremsy setup --clean.')
    return folders[0]


def base_environment(layout: WorkspaceLayout, env: Mapping[str, str]) -> dict[str, str]:
    """What building needs: the venv first, and ROS from it or from the system."""
    base = dict(env)
    base.update(
        {
            'VIRTUAL_ENV': str(layout.venv),
            names.INSIDE: 'system' if layout.system_ros else 'wheels',
            names.INSIDE_REPOSITORY: str(layout.repository),
            names.STATE: str(layout.root),
        }
    )
    # A Python of another venv must not lend this one its packages.
    base.pop('PYTHONHOME', None)
    _prepend(base, 'PATH', [str(layout.venv / 'bin')])
    if layout.system_ros:
        # Programs that name the system's Python (ros2 itself) find the venv's packages too, behind ROS's own.
        own = str(site_packages(layout))
        others = [part for part in base.get('PYTHONPATH', '').split(os.pathsep) if part and part != own]
        base['PYTHONPATH'] = os.pathsep.join([*others, own])
        return base
    for variable in ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH'):
        base[variable] = str(layout.venv)
    for variable in ('PYTHONPATH', 'COLCON_PREFIX_PATH', 'ROS_PACKAGE_PATH', 'RMW_IMPLEMENTATION'):
        base.pop(variable, None)
    base.update(
        {
            names.DISTRO: layout.distro,
            'ROS_DISTRO': layout.distro,
            'ROS_VERSION': '2',
            'ROS_PYTHON_VERSION': '3',
            # The wheels' .pth would otherwise start every Python twice to set LD_LIBRARY_PATH.
            '_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1',
        }
    )
    _prepend(base, 'LD_LIBRARY_PATH', library_folders(layout.venv, site_packages(layout)))
    return base


def compute(layout: WorkspaceLayout, env: Mapping[str, str]) -> dict[str, Any]:
    """Sources the built workspace once and keeps what that adds to an empty environment."""
    bare = {'PATH': '/usr/bin:/bin', 'HOME': env.get('HOME', '/')}
    if layout.system_ros:
        for variable in (*FOLDER_LISTS, *_ROS_OWN):
            if variable in env and variable != 'PATH':
                bare[variable] = env[variable]
        ros_folders = [f'{prefix}/bin' for prefix in env['AMENT_PREFIX_PATH'].split(os.pathsep)]
        bare['PATH'] = os.pathsep.join(
            [folder for folder in env['PATH'].split(os.pathsep) if folder in ros_folders] + [bare['PATH']]
        )
    sourced = _source(layout, base_environment(layout, bare))
    lists: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    for variable, value in sourced.items():
        if variable in FOLDER_LISTS:
            lists[variable] = [part for part in value.split(os.pathsep) if part and part not in ('/usr/bin', '/bin')]
        elif variable not in _SHELLS_OWN and variable != 'HOME':
            values[variable] = value
    return {'folder_lists': lists, 'values': values}


def store(layout: WorkspaceLayout, computed: dict[str, Any]) -> None:
    write_json(layout.environment_file, computed)


def load(layout: WorkspaceLayout, env: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with the workspace's put over it."""
    stored = read_json(layout.environment_file)
    if not stored:
        raise GremsyError('The workspace has no environment yet: run ./gremsy setup.')
    merged = dict(env)
    merged.pop('PYTHONHOME', None)
    if not layout.system_ros:
        # Python folders of another ROS or venv would shadow the wheels.
        for variable in ('PYTHONPATH', 'AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH', 'COLCON_PREFIX_PATH'):
            merged.pop(variable, None)
    merged.update(stored['values'])
    for variable, folders in stored['folder_lists'].items():
        _prepend(merged, variable, folders)
    _keep_at_home(merged, layout)
    return merged


def _keep_at_home(env: dict[str, str], layout: WorkspaceLayout) -> None:
    """What libraries write for themselves goes into the state folder, where the caller has not chosen a place."""
    if not env.get('ROS_HOME'):
        env.setdefault('ROS_LOG_DIR', str(layout.log / 'ros'))
    env.setdefault('MPLCONFIGDIR', str(layout.state / 'matplotlib'))
    env.setdefault('HYPOTHESIS_STORAGE_DIRECTORY', str(layout.state / 'hypothesis'))


def _prepend(env: dict[str, str], variable: str, folders: list[str]) -> None:
    present = [part for part in env.get(variable, '').split(os.pathsep) if part and part not in folders]
    joined = os.pathsep.join([*folders, *present])
    if joined:
        env[variable] = joined


def _source(layout: WorkspaceLayout, base: dict[str, str]) -> dict[str, str]:
    script = 'COLCON_CURRENT_PREFIX="$1"; . "$1/local_setup.sh" >&2; env -0'
    result = subprocess.run(
        ['/bin/sh', '-c', script, 'sh', str(layout.install)], env=base, capture_output=True, check=False
    )
    if result.returncode != 0:
        reason = result.stderr.decode(errors='replace').strip()[-200:]
        raise GremsyError(f'Sourcing {layout.install}/local_setup.sh failed ({reason}): run ./gremsy setup --clean.')
    pairs = (item.split('=', 1) for item in result.stdout.decode(errors='surrogateescape').split('\0') if '=' in item)
    return dict(pairs)
