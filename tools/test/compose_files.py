# SPDX-License-Identifier: Apache-2.0
"""Reads Compose files as `docker compose config` would: variables filled in, merges done.

The rules are those of https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

_VARIABLE = re.compile(
    r'\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<word>[^}]*))?\}|(?P<bad>))'
)
_LINE = re.compile(r'(?P<name>[A-Za-z_]\w*)=(?P<value>.*)')


class NoVariableError(Exception):
    """A variable that is required and missing, or a `$` that begins none."""


def filled_in(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables replaced."""

    def value(match: re.Match[str]) -> str:
        if match['escaped']:
            return '$'
        name = match['bare'] or match['name']
        if not name:
            raise NoVariableError(f'stray $ in {text!r}')
        how, word = match['how'] or '', match['word'] or ''
        there = name in environment and (not how.startswith(':') or environment[name] != '')
        if how.endswith('-'):
            return environment[name] if there else word
        if how.endswith('+'):
            return word if there else ''
        if how.endswith('?') and not there:
            raise NoVariableError(f'{name}: {word}')
        if not there:
            raise NoVariableError(f'{name} has no default')
        return environment[name]

    return _VARIABLE.sub(value, text)


def variables_of(path: Path) -> dict[str, set[str]]:
    """The variables that a file names, each with the defaults that it is given."""
    found: dict[str, set[str]] = {}
    for match in _VARIABLE.finditer(_without_comments(path)):
        name = match['bare'] or match['name']
        if name:
            found.setdefault(name, set()).add(match['word'] or '')
    return found


def load(path: Path, environment: Mapping[str, str]) -> dict:
    """The file with every variable resolved."""

    def resolved(node: object) -> object:
        if isinstance(node, dict):
            return {key: resolved(value) for key, value in node.items()}
        if isinstance(node, list):
            return [resolved(each) for each in node]
        return filled_in(node, environment) if isinstance(node, str) else node

    return resolved(yaml.safe_load(path.read_text()))


def settings_of(path: Path) -> dict[str, tuple[str, bool]]:
    """Of an env file by name: the value, and whether words stand above it (or above the ones right before it)."""
    found: dict[str, tuple[str, bool]] = {}
    explained = False
    for line in path.read_text().splitlines():
        match = _LINE.fullmatch(line)
        if match:
            found[match['name']] = match['value'], explained
        else:
            explained = line.startswith('# ') and not line.startswith('# ---')
    return found


def _without_comments(path: Path) -> str:
    return '\n'.join(line for line in path.read_text().splitlines() if not line.lstrip().startswith('#'))
