# SPDX-License-Identifier: Apache-2.0
"""Which pages the site has beyond docs/, and how links between files of the checkout become links between pages."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = 'docs'
# What runs in the reader's browser, by where npm leaves it in the state folder: Material would fetch both from a CDN.
SCRIPTS = {
    'node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js': 'javascripts/mermaid.tiny.js',
    'node_modules/iframe-worker/shim/index.js': 'javascripts/iframe-worker.js',
}
# In a page of which a part is written from the code.
PLACE = '<!-- written from the code while the site is built: ./gremsy docs -->'
_FENCE = re.compile(r'^(```|~~~).*?^\1[^\n]*$', re.MULTILINE | re.DOTALL)
# The text of a link may hold an image, whose own target comes first.
_TARGET = re.compile(r'\]\((?P<target>[^)\s]+)(?P<title>\s+"[^"]*")?\)')
_ELSEWHERE = re.compile(r'[a-z][a-z0-9+.-]*:|//|#', re.IGNORECASE)


def state_folder() -> Path:
    return Path(os.environ.get('GREMSY_STATE') or REPOSITORY / '.gremsy')


def scripts() -> dict[Path, str]:
    """Where each of them lies, and its path in the site."""
    return {state_folder() / 'docs' / source: site for source, site in SCRIPTS.items()}


def pages_of_the_checkout() -> dict[str, str]:
    """Path in the site of each Markdown file that lies elsewhere than in docs/, by its path in the checkout."""
    pages = {
        'README.md': 'index.md',
        'CONTRIBUTING.md': 'contributing.md',
        'CHANGELOG.md': 'changelog.md',
        'docker/README.md': 'docker.md',
        'benchmarks/README.md': 'benchmarks.md',
    }
    for path in sorted((REPOSITORY / 'src').glob('*/README.md')):
        pages[f'src/{path.parent.name}/README.md'] = f'packages/{path.parent.name}.md'
    return pages


class Links:
    """Links as they are in the checkout, made links of the site.

    Args:
        elsewhere: pages that do not lie in docs/: path in the site by path in the checkout.
        warn: called with each dead link.
    """

    def __init__(self, elsewhere: dict[str, str], warn: Callable[[str], None]) -> None:
        self._site_of = elsewhere
        self._source_of = {site: source for source, site in elsewhere.items()}
        self._warn = warn

    def source_of(self, page: str) -> str:
        """Where a page of the site lies in the checkout."""
        return self._source_of.get(page, f'{DOCS}/{page}')

    def rewritten(self, text: str, page: str) -> str:
        """The text of a page with its links made the site's; what is code stays."""
        parts = []
        end = 0
        for fence in _FENCE.finditer(text):
            parts += [self._outside(text[end : fence.start()], page), fence.group()]
            end = fence.end()
        return ''.join([*parts, self._outside(text[end:], page)])

    def _outside(self, text: str, page: str) -> str:
        for found in reversed(list(_TARGET.finditer(text))):
            target = self._site_target(found['target'], page)
            if target is not None:
                text = f'{text[: found.start()]}]({target}{found["title"] or ""}){text[found.end() :]}'
                continue
            # A file that is no page: its name stays, as text.
            opened = _opening(text, found.start())
            text = f'{text[:opened]}{text[opened + 1 : found.start()]}{text[found.end() :]}'
        return text

    def _site_target(self, target: str, page: str) -> str | None:
        if _ELSEWHERE.match(target):
            return target
        path, mark, anchor = target.partition('#')
        folder = posixpath.dirname(page)
        source = posixpath.normpath(posixpath.join(posixpath.dirname(self.source_of(page)), path))
        there = self._site_of.get(source) or self._site_of.get(f'{source}/README.md')
        if there is None and source.startswith(f'{DOCS}/'):
            inside = source.removeprefix(f'{DOCS}/')
            there = inside if (REPOSITORY / source).is_file() else None
        if there is not None:
            return f'{posixpath.relpath(there, folder or ".")}{mark}{anchor}'
        if not (REPOSITORY / source).exists():
            self._warn(f'{self.source_of(page)} links to {target}, and there is no {source}.')
        return None


def _opening(text: str, closing: int) -> int:
    """Where the bracket stands that the one at `closing` closes."""
    depth = 0
    for position in range(closing, -1, -1):
        depth += {']': 1, '[': -1}.get(text[position], 0)
        if depth == 0:
            return position
    return closing


def sources(pages: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Path in the site and text of each of them."""
    for source, site in pages.items():
        yield site, (REPOSITORY / source).read_text(encoding='utf-8')
