# SPDX-License-Identifier: Apache-2.0
"""Small JSON files that say what is done; written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read_json(path: Path) -> dict[str, Any]:
    """What was written last; empty where nothing was, or where it cannot be read (then the step is done again)."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A rename is atomic: after a power cut there is the old stamp or the new one, never half of one.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as stream:
            json.dump(content, stream, indent=1, sort_keys=True)
            stream.write('\n')
            # mkstemp's files are its maker's alone; a workspace may be used by others than who made it.
            os.fchmod(stream.fileno(), 0o644)
        os.replace(temporary, path)  # noqa: PTH105 -- one spelling for both
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise


def digest_of(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, 'big'))
        digest.update(part)
    return digest.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    return digest_of(part for path in sorted(paths) for part in (path.name.encode(), path.read_bytes()))
