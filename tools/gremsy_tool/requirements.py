# SPDX-License-Identifier: Apache-2.0
"""The locks: which packages a group pins, and installing them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError, disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# What pip prints when it cannot reach its index, seen with no route, no resolver, a refusing proxy and a bad mirror.
_NO_NETWORK = re.compile(
    r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Temporary failure in name'
    r'|Network is unreachable|Connection refused|SSLError|Failed to establish a new connection|ConnectionResetError'
)
_NO_SPACE = re.compile(r'No space left on device')
_COMMENT = re.compile(r'(^|\s)#.*$')


def normalise(name: str) -> str:
    """The form under which pip compares names (PEP 503)."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_lock(path: Path) -> dict[str, list[str]]:
    """Pinned entries by normalised name; several where the pin depends on the Python version."""
    entries: dict[str, list[str]] = {}
    try:
        text = path.read_text(encoding='utf-8').replace('\\\n', ' ')
    except OSError as error:
        raise GremsyError(
            f'The lock {path} cannot be read ({error.strerror}): restore it with git checkout.'
        ) from error
    for raw in text.splitlines():
        line = _COMMENT.sub('', raw).strip()
        if line:
            name = re.match(r'[A-Za-z0-9._-]+', line)
            if name is None or '--hash=' not in line:
                raise GremsyError(
                    f'The lock {path} has a line without name or hash ("{line[:60]}"): run ./gremsy setup --relock.'
                )
            entries.setdefault(normalise(name[0]), []).append(' '.join(line.split()))
    return entries


def merge_locks(paths: Iterable[Path], skip: Iterable[str] = ()) -> list[str]:
    """The entries of several locks, each once.

    Groups are locked against one resolution, so one name has the same entries wherever it appears; pip refuses a
    name given twice.
    """
    merged: dict[str, list[str]] = {}
    for path in paths:
        for name, entries in read_lock(path).items():
            if merged.setdefault(name, entries) != entries:
                raise GremsyError(
                    f'The locks disagree about "{name}" (seen in {path.name}): run ./gremsy setup --relock.'
                )
    left_out = {normalise(name) for name in skip}
    return [entry for name in sorted(merged) if name not in left_out for entry in merged[name]]


def install(python: Path, entries: list[str], env: Mapping[str, str], note: Callable[[str], None], log: Path) -> None:
    """Installs pinned entries with pip, every file checked against its hash."""
    if not entries:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile('w', suffix='.txt', encoding='utf-8') as listing, log.open('a') as kept:
        listing.write('\n'.join(entries) + '\n')
        listing.flush()
        command = [
            str(python), '-m', 'pip', 'install', '--require-hashes', '--no-deps', '--no-build-isolation',
            '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--retries', '3', '-r', listing.name,
        ]  # fmt: skip
        kept.write(f'$ {" ".join(command)}\n')
        process = subprocess.Popen(command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        printed: list[str] = []
        collected = 0
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            kept.write(line)
            if line.startswith('Collecting '):
                collected += 1
                note(f'{collected}/{len(entries)} {line.split()[1].split("==")[0]}')
            elif line.startswith('Installing collected'):
                note('unpacking')
        if process.wait() != 0:
            raise _explain(''.join(printed), log)


def _explain(printed: str, log: Path) -> GremsyError:
    if _NO_SPACE.search(printed):
        return disk_full(log.parent)
    if _NO_NETWORK.search(printed):
        return GremsyError(
            'No network: pip cannot reach its package index; check the connection (or the proxy and mirror in '
            "pip's configuration: pip config list) and run ./gremsy setup again."
        )
    if 'DO NOT MATCH THE HASHES' in printed or 'do not match the hashes' in printed.lower():
        return GremsyError(
            f'A downloaded package does not match its locked hash (see {log}): clear the cache with pip cache purge, '
            'and try again.'
        )
    last = next((line for line in reversed(printed.splitlines()) if 'ERROR' in line), 'no message')
    return GremsyError(f'pip could not install the locked packages ({last.strip()}): the whole output is in {log}.')
