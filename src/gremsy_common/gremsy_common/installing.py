# SPDX-License-Identifier: Apache-2.0
"""How a user installs a Python package for the suite: the one place that says it."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# Set in the workspace's environment by ./gremsy (tools/gremsy_tool/layout.py).
_INSIDE = 'GREMSY_ENVIRONMENT'
# By which a distribution keeps pip out of its Python (PEP 668), as Ubuntu 24.04 and Debian 12 do.
_MARKER = 'EXTERNALLY-MANAGED'


def pip_install(
    *packages: str,
    extra: str = '',
    environment: Mapping[str, str] = os.environ,
    managed: bool | None = None,
) -> str:
    """The command line for the Python that runs this.

    Args:
        packages: as pip names them.
        extra: of `./gremsy setup --extra`, where one brings them.
        environment: of the suite; in the workspace of `./gremsy` a bare `pip` would install for another Python.
        managed: whether its distribution keeps pip out of it; None looks.
    """
    names = ' '.join(packages)
    if environment.get(_INSIDE):
        return f'./gremsy setup --extra {extra}' if extra else f'./gremsy exec python -m pip install {names}'
    if is_managed() if managed is None else managed:
        # ROS's own Python: its nodes see neither a virtual environment nor what pipx installs.
        return f'python3 -m pip install --break-system-packages {names}'
    return f'python3 -m pip install {names}'


def is_managed(stdlib: Path | None = None, *, virtual: bool | None = None) -> bool:
    """Whether pip refuses to install for this Python (PEP 668): it is a distribution's, and no virtual environment.

    Args:
        stdlib: folder of its standard library; None for the running one's.
        virtual: whether it is in a virtual environment; None looks.
    """
    if sys.prefix != sys.base_prefix if virtual is None else virtual:
        return False
    return ((stdlib or Path(sysconfig.get_path('stdlib'))) / _MARKER).is_file()
