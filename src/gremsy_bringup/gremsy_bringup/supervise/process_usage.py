# SPDX-License-Identifier: Apache-2.0
"""What a process has used so far, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Peak resident memory and processor time (user and system, ended children not counted)."""

    peak_rss_mb: float
    cpu_s: float


def usage_of(pid: int) -> ProcessUsage | None:
    """None when the process is gone."""
    folder = Path('/proc') / str(pid)
    try:
        status = (folder / 'status').read_text(encoding='utf-8')
        # The name (field 2) may hold spaces and parentheses; fields 14 and 15 are utime and stime (proc(5)).
        fields = (folder / 'stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    except OSError:
        return None
    peak_kb = next((int(line.split()[1]) for line in status.splitlines() if line.startswith('VmHWM:')), 0)
    ticks = int(fields[11]) + int(fields[12])
    return ProcessUsage(peak_kb / 1024, ticks / os.sysconf('SC_CLK_TCK'))
