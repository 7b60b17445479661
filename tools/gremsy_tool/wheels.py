# SPDX-License-Identifier: Apache-2.0
"""Makes the ROS 2 wheels fit this machine after they were installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The wheels' CMake files name the interpreter of the machine that built them.
_BUILDER_INCLUDE = re.compile(r'/opt/python/cp\d+-cp\d+t?/include/python[\d.]+t?')
_BUILDER_PACKAGES = re.compile(r'/opt/python/cp\d+-cp\d+t?/lib/python[\d.]+t?/site-packages')


def point_cmake_files_here(share: Path, include: Path | str, site_packages: Path) -> int:
    """Rewrites the builder's Python and NumPy folders to ours; returns how many files had them.

    Args:
        share: The venv's share folder, where the wheels put their CMake files.
        include: The folder of this interpreter's Python.h.
        site_packages: The venv's site-packages, which holds NumPy's headers.
    """
    changed = 0
    for path in share.glob('*/cmake/*.cmake'):
        text = path.read_text(encoding='utf-8')
        fitted = _BUILDER_INCLUDE.sub(lambda _: str(include), text)
        fitted = _BUILDER_PACKAGES.sub(lambda _: str(site_packages), fitted)
        if fitted != text:
            # Anew, because uv links its cache's files into the venv.
            path.unlink()
            path.write_text(fitted, encoding='utf-8')
            changed += 1
    return changed


def library_folders(venv: Path, site_packages: Path) -> list[str]:
    """Where the wheels keep their shared libraries.

    Their own .pth file finds these too, but only by starting every Python a second time; with LD_LIBRARY_PATH set
    before, that is not needed.
    """
    return [str(venv / 'lib'), *sorted(str(path) for path in site_packages.glob('ros_*.libs'))]
