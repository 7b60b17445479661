# SPDX-License-Identifier: Apache-2.0
"""How a user installs a Python package for the suite: the one place that says it."""

from __future__ import annotations

import os
from collections.abc import Mapping

# Set in the workspace's environment by ./gremsy (tools/gremsy_tool/layout.py).
_INSIDE = 'GREMSY_ENVIRONMENT'


def pip_install(*packages: str, environment: Mapping[str, str] = os.environ) -> str:
    """The command line; in the workspace of `./gremsy` a bare `pip` would install for another Python."""
    inside = './gremsy exec ' if environment.get(_INSIDE) else ''
    return f'{inside}python -m pip install {" ".join(packages)}'
