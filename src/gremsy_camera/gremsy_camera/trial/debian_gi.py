# SPDX-License-Identifier: Apache-2.0
"""Debian's `gi` for another Python of the same version, as that of a virtual environment: for tests and benchmarks.

A robot's nodes run by the system's Python, which has it. `gi` is a compiled module: it serves every CPython of the same
minor version, and no other.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path

_DEBIAN = Path('/usr/lib/python3/dist-packages/gi')


def reach_debian_gi(folder: Path) -> str | None:
    """Make `import gi` work in this process by way of a link in a folder, which must stay.

    Returns:
        In one sentence with the way out why it cannot; None where it can.
    """
    if importlib.util.find_spec('gi') is not None:
        return None
    if not _DEBIAN.is_dir():
        return 'This machine has no `gi` of Debian: apt-get install python3-gi python3-gst-1.0'
    if not (_DEBIAN / f'_gi.{sysconfig.get_config_var("SOABI")}.so').is_file():
        version = '.'.join(str(part) for part in sys.version_info[:2])
        return f"Debian's `gi` is not built for Python {version}: run ./gremsy with /usr/bin/python3"
    link = folder / 'gi'
    if not link.exists():
        link.symlink_to(_DEBIAN)
    # Only this module: the rest of Debian's would take the place of the environment's.
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return None
