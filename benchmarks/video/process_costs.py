# SPDX-License-Identifier: Apache-2.0
"""What processes of this machine used, by /proc; one that has ended used nothing."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, all its threads, s."""
    words = _stat(pid)
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK') if words else 0.0


def name_of(pid: int) -> str:
    """Of its program, 15 characters at most."""
    try:
        return Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()
    except OSError:
        return ''


def descendants(pid: int) -> set[int]:
    """Its children and theirs."""
    parents = {int(path.name): _stat(int(path.name)) for path in Path('/proc').iterdir() if path.name.isdecimal()}
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {each for each, words in parents.items() if words and int(words[1]) in fresh} - found
        found |= fresh
    return found


def _stat(pid: int) -> list[str]:
    """Of /proc/PID/stat what follows the name: state, parent, ..."""
    try:
        return Path(f'/proc/{pid}/stat').read_text(encoding='ascii', errors='replace').rpartition(')')[2].split()
    except OSError:
        return []
