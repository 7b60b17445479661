# SPDX-License-Identifier: Apache-2.0
"""Every sentence that the suite says to a user when something is wrong, read in the code that says it.

A sentence names the thing and the way out (CONTRIBUTING.md), so the index has no words of its own beside it: what would
be written here by hand would be wrong a month later.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gremsy_docs.site_pages import REPOSITORY

# What stands for a value that is known only when it happens.
GAP = '…'
# Where sentences are written: name of the part, folder.
PARTS: Mapping[str, str] = {
    **{path.parent.name: f'src/{path.parent.name}/{path.parent.name}' for path in REPOSITORY.glob('src/*/package.xml')},
    'gremsy (the command)': 'tools/gremsy_tool',
    'deploy': 'docker/gremsy_deploy',
}
# Texts of command lines, parameters and the API's description: said when asked for.
_ASKED_FOR = {'doc', 'help', 'description', 'epilog', 'title', 'summary', 'usage', 'how', 'unit'}
_SENTENCE = re.compile(rf'[A-Z`"\'{GAP}\d][^\n]*[\w`)"\'\]}}{GAP}]\.')
_FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True, order=True)
class Sentence:
    """One of them.

    Attributes:
        text: with a gap for each value.
        error: what is raised with it; empty where it is logged or answered.
    """

    text: str
    error: str


@cache
def sentences() -> dict[str, dict[str, list[Sentence]]]:
    """Part, module (its path in the checkout), and what that says, as it stands there."""
    found: dict[str, dict[str, list[Sentence]]] = {}
    for part, folder in sorted(PARTS.items()):
        for path in sorted((REPOSITORY / folder).rglob('*.py')):
            listed = list(dict.fromkeys(_sentences_of(ast.parse(path.read_text(encoding='utf-8')))))
            if listed:
                found.setdefault(part, {})[str(path.relative_to(REPOSITORY))] = listed
    return found


def matches(quoted: str, sentence: str) -> bool:
    """Whether `quoted`, in which the gaps may be filled or be gaps too, is that sentence or stands in it."""
    parts = [re.escape(part) for part in sentence.split(GAP)]
    return re.search('.*?'.join(parts), quoted) is not None or quoted in sentence


def errors_text() -> str:
    lines: list[str] = []
    for part, modules in sentences().items():
        lines += [f'## {part}', '']
        for path, listed in modules.items():
            lines += [f'### {Path(path).stem} {{ #{_anchor(path)} }}', '', _about(path), '']
            lines += [f'* {_shown(each.text)}' for each in listed]
            lines.append('')
    return '\n'.join(lines)


def _sentences_of(tree: ast.Module) -> Iterator[Sentence]:
    silent: set[int] = set()
    raised: dict[int, str] = {}
    texts: list[ast.Constant | ast.JoinedStr] = []
    # From the outside in, so that what is around a text is known before it.
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        elif isinstance(node, ast.keyword) and node.arg in _ASKED_FOR:
            silent |= {id(inner) for inner in ast.walk(node.value)}
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            called = node.exc.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, 'id', '')
            raised |= {id(inner): name for inner in ast.walk(node.exc)}
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):
            if isinstance(node, ast.JoinedStr):
                # Its pieces are no sentences of their own.
                silent |= {id(inner) for inner in ast.walk(node) if inner is not node}
            texts.append(node)
    for node in texts:
        text = None if id(node) in silent else _text(node)
        if text is not None and _SENTENCE.fullmatch(text) and len(text.split()) >= _FEWEST_WORDS:
            yield Sentence(text, raised.get(id(node), ''))


def _text(node: ast.Constant | ast.JoinedStr) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return ''.join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else GAP
            for part in node.values
        )
    # Templates, of str.format and of %: their fields are gaps as well.
    return re.sub(r'\{\w*\}|%[sdr]|%\.\d+f', GAP, node.value) if isinstance(node.value, str) else None


def _about(path: str) -> str:
    """The first line of the module's docstring: what the thing is that says so."""
    words = ast.get_docstring(ast.parse((REPOSITORY / path).read_text(encoding='utf-8'))) or ''
    return f'{_shown(words.splitlines()[0]) if words else ""} (`{path}`)'


def _anchor(path: str) -> str:
    return path.removesuffix('.py').replace('/', '-')


def _shown(text: str) -> str:
    """As Markdown that shows every character; what stands between backticks is code already."""
    parts = re.split(r'(`[^`]*`)', text)
    return ''.join(part if part.startswith('`') and part.endswith('`') else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    return re.sub(r'([\\*_\[\]#|{}$~^])', r'\\\1', text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'))
