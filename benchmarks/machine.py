# SPDX-License-Identifier: Apache-2.0
"""Which machine a figure was measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, kernel, Python and the load average of the last minute."""
    return {
        'cpu': _first_value(Path('/proc/cpuinfo'), 'model name') or platform.machine(),
        'cores': len(os.sched_getaffinity(0)),
        'memory_gb': round(int((_first_value(Path('/proc/meminfo'), 'MemTotal') or '0 kB').split()[0]) / 1e6, 1),
        'kernel': platform.release(),
        'python': platform.python_version(),
        'load_1min': round(os.getloadavg()[0], 2),
    }


def _first_value(path: Path, key: str) -> str | None:
    for line in path.read_text(encoding='utf-8').splitlines():
        name, _, value = line.partition(':')
        if name.strip() == key:
            return value.strip()
    return None
