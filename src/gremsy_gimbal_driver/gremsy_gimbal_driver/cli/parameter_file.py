# SPDX-License-Identifier: Apache-2.0
"""A device's parameters as a file: JSON, sorted, so that two of them can be compared with any tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gremsy_common.atomic_file import keep_earlier, refuse_others, write_whole
from gremsy_common.errors import SuiteError

GIMBAL, CAMERA = 'gimbal', 'camera'
OWNERS = (GIMBAL, CAMERA)

Values = dict[str, int]


class ParameterFileError(SuiteError):
    """A file of parameters that cannot be written or read."""


@dataclass(frozen=True, slots=True)
class ParameterSnapshot:
    """Values by owner and name, and whose they are."""

    model: str = ''
    firmware: str = ''
    written_at: str = ''
    values: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter that is not the same; None where one side has none."""

    owner: str
    name: str
    file: int | None
    device: int | None

    def __str__(self) -> str:
        file, device = ('none' if each is None else str(each) for each in (self.file, self.device))
        return f'{self.owner} {self.name}: file {file}, device {device}'


def differences(file: ParameterSnapshot, device: ParameterSnapshot) -> list[Difference]:
    """Of the owners that the file has, by name."""
    found = []
    for owner, mine in file.values.items():
        theirs = device.values.get(owner, {})
        for name in sorted(set(mine) | set(theirs)):
            if mine.get(name) != theirs.get(name):
                found.append(Difference(owner, name, mine.get(name), theirs.get(name)))
    return found


def refuse_file_of_others(path: Path) -> None:
    """Nothing but such a file is replaced.

    Raises:
        NotOurs: naming it.
    """
    refuse_others(path, 'file of `gremsy_gimbal params save`', lambda there: bool(read_snapshot(there).values))


def write_snapshot(path: Path, snapshot: ParameterSnapshot) -> Path | None:
    """Whole or not at all, and only over another such file; its folder is made.

    Returns:
        Where an earlier save with other values is kept now: it may be the only way back.

    Raises:
        NotOurs: when something else is in the way.
        ParameterFileError: when it cannot be written, naming the file.
    """
    refuse_file_of_others(path)
    content = {
        'model': snapshot.model,
        'firmware': snapshot.firmware,
        'written_at': snapshot.written_at,
        **{owner: dict(sorted(values.items())) for owner, values in snapshot.values.items()},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = keep_earlier(path) if path.exists() and read_snapshot(path).values != snapshot.values else None
        write_whole(path, (json.dumps(content, indent=2) + '\n').encode())
    except OSError as error:
        raise ParameterFileError(
            f"The parameters cannot be written to '{path}' ({error.strerror}): name a file in a folder that you may "
            'write to.'
        ) from error
    return kept


def read_snapshot(path: Path) -> ParameterSnapshot:
    """The content of such a file.

    Raises:
        ParameterFileError: naming the file and what is wrong in it.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ParameterFileError(f"The file '{path}' cannot be read ({error.strerror}): check its name.") from error
    except ValueError as error:
        raise _not_one(path, f'it is not JSON ({error})') from error
    if not isinstance(content, dict) or not any(owner in content for owner in OWNERS):
        raise _not_one(path, "it has neither 'gimbal' nor 'camera'")
    values = {owner: _values(path, owner, content[owner]) for owner in OWNERS if owner in content}
    return ParameterSnapshot(
        str(content.get('model', '')), str(content.get('firmware', '')), str(content.get('written_at', '')), values
    )


def _values(path: Path, owner: str, content: Any) -> Values:
    if not isinstance(content, dict):
        raise _not_one(path, f"'{owner}' is not a list of names and values")
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise _not_one(path, f'{owner} {name} is {value!r} and not a whole number')
    return dict(content)


def _not_one(path: Path, why: str) -> ParameterFileError:
    return ParameterFileError(f"'{path}' is not a file of `gremsy_gimbal params save`: {why}.")
