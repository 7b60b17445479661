# SPDX-License-Identifier: Apache-2.0
"""Parameter files as rcl reads them: sections by a node's name or by a pattern, and which of them are a node's own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_WILD = ('*', '**')
_FILE_WORD = '--params-file'
_VALUE_WORDS = ('-p', '--param')


def sections_of(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each section's pattern, from its slash on, and its parameters; none of a file that cannot be read."""
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError):
        return
    yield from _sections('', content)


def matches(pattern: str, node: str) -> bool:
    """`*` is one part of a name, `**` any number of them (rcl_yaml_param_parser)."""
    parts = [
        '(/[^/]+)*' if part == '**' else '/[^/]+' if part == '*' else f'/{re.escape(part)}'
        for part in pattern.split('/')[1:]
    ]
    return re.fullmatch(''.join(parts), node) is not None


def named_for(node: str, words: Sequence[str], *, alone: bool) -> frozenset[str]:
    """The parameters that a command line gives to this node and not to whatever runs beside it.

    Args:
        node: its full name.
        words: of the command line, with its `--params-file` and `-p`.
        alone: whether it is the only node of its process, whose every `-p` is meant for it.
    """
    found: set[str] = set()
    for word, value in itertools.pairwise(words):
        if word == _FILE_WORD:
            for pattern, parameters in sections_of(Path(value)):
                if pattern.rpartition('/')[2] not in _WILD and matches(pattern, node):
                    found.update(_dotted('', parameters))
        elif word in _VALUE_WORDS:
            whose, colon, name = value.partition(':=')[0].rpartition(':')
            if whose == node.rpartition('/')[2] if colon else alone:
                found.add(name)
    return frozenset(found)


def _sections(name: str, content: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Namespaces may be nested: `robot: {eo: {camera: {ros__parameters: ...}}}`."""
    if not isinstance(content, Mapping):
        return
    for key, inner in content.items():
        if key == 'ros__parameters' and isinstance(inner, Mapping):
            yield name, inner
        else:
            yield from _sections(f'{name}/{str(key).strip("/")}', inner)


def _dotted(prefix: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _dotted(f'{prefix}{key}.', value)
        else:
            yield f'{prefix}{key}'
