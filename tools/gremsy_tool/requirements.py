# SPDX-License-Identifier: Apache-2.0
"""The locks: which packages a group pins, and installing them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError, disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# What pip prints when it cannot reach its index, seen with no route, no resolver, a refusing proxy and a bad mirror.
_NO_NETWORK = re.compile(
    r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Temporary failure in name'
    r'|Network is unreachable|Connection refused|SSLError|Failed to establish a new connection|ConnectionResetError'
)
_NO_SPACE = re.compile(r'No space left on device')
_PIN = re.compile(r'(?P<requirement>[A-Za-z0-9._-]+==[^\s;]+) ?(?:;(?P<marker>.*?))?(?P<hashes>--hash=sha256:.*)')
_COMMENT = re.compile(r'(^|\s)#.*$')


def normalise(name: str) -> str:
    """The form under which pip compares names (PEP 503)."""
    return re.sub(r'[-_.]+', '-', name).lower()


@dataclass(frozen=True)
class Pin:
    """One line of a lock."""

    requirement: str
    marker: str
    hashes: str

    def __str__(self) -> str:
        return (
            f'{self.requirement} ; {self.marker} {self.hashes}' if self.marker else f'{self.requirement} {self.hashes}'
        )

    @property
    def name(self) -> str:
        return normalise(self.requirement.split('==')[0])


def read_lock(path: Path) -> list[Pin]:
    """The lock's lines; a name has several where its version depends on the Python's."""
    try:
        text = path.read_text(encoding='utf-8').replace('\\\n', ' ')
    except OSError as error:
        raise GremsyError(
            f'The lock {path} cannot be read ({error.strerror}): restore it with git checkout.'
        ) from error
    pins = []
    for raw in text.splitlines():
        line = _COMMENT.sub('', raw).strip()
        if not line:
            continue
        parsed = _PIN.match(' '.join(line.split()))
        if parsed is None:
            raise GremsyError(
                f'The lock {path} has a line without version or hash ("{line[:60]}"): run ./gremsy setup --relock.'
            )
        pins.append(Pin(parsed['requirement'].strip(), (parsed['marker'] or '').strip(), parsed['hashes']))
    return pins


def merge_locks(paths: Iterable[Path], skip: Iterable[str] = ()) -> list[Pin]:
    """The lines of several locks, each version of a package once, because pip refuses a name given twice.

    All groups are locked against one resolution, so they agree about versions, but one may need a package on fewer
    Pythons than another does: then the line counts where any of them needs it.
    """
    left_out = {normalise(name) for name in skip}
    markers: dict[str, list[str]] = {}
    pins: dict[str, Pin] = {}
    versions: dict[tuple[str, str], str] = {}
    for path in paths:
        for pin in read_lock(path):
            if pin.name in left_out:
                continue
            if versions.setdefault((pin.name, pin.marker), pin.requirement) != pin.requirement:
                raise GremsyError(
                    f'The locks disagree about "{pin.name}" (seen in {path.name}): run ./gremsy setup --relock.'
                )
            pins[pin.requirement] = pin
            known = markers.setdefault(pin.requirement, [])
            if pin.marker not in known:
                known.append(pin.marker)
    return [replace(pins[key], marker=_either(markers[key])) for key in sorted(pins)]


def _either(markers: list[str]) -> str:
    # No marker at all means always.
    return '' if '' in markers else ' or '.join(f'({marker})' for marker in markers)


def install(python: Path, pins: Sequence[Pin], env: Mapping[str, str], note: Callable[[str], None], log: Path) -> None:
    """Installs pinned entries with pip, every file checked against its hash."""
    if not pins:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile('w', suffix='.txt', encoding='utf-8') as listing, log.open('a') as kept:
        listing.write(''.join(f'{pin}\n' for pin in pins))
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
                note(f'{collected}/{len(pins)} {line.split()[1].split("==")[0]}')
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
    if '(from versions: none)' in printed:
        return GremsyError(
            f'The package index that pip uses has none of the locked packages (see {log}): '
            'check it with pip config list.'
        )
    last = next((line for line in reversed(printed.splitlines()) if 'ERROR' in line), 'no message')
    return GremsyError(f'pip could not install the locked packages ({last.strip()}): the whole output is in {log}.')
