# SPDX-License-Identifier: Apache-2.0
"""Hooks of MkDocs (mkdocs.yml): the pages that are not in docs/, and the links of all of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from gremsy_docs.generated_pages import WRITTEN
from gremsy_docs.site_pages import PLACE, REPOSITORY, Links, pages_of_the_checkout, scripts, sources

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# Its warnings end a build that is strict.
_log = logging.getLogger('mkdocs.plugins.gremsy_docs')
_ELSEWHERE = pages_of_the_checkout()
_LINKS = Links(_ELSEWHERE, _log.warning)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """`serve` follows what the added pages are made of, too."""
    config.watch += [str(REPOSITORY / source) for source in _ELSEWHERE]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the checkout's other documents and what runs in the browser."""
    for path, text in sources(_ELSEWHERE):
        files.append(File.generated(config, path, content=text))
    for script, path in scripts().items():
        if not script.is_file():
            raise PluginError(f'{script} is missing, which the pages load: ./gremsy docs brings it.')
        files.append(File.generated(config, path, abs_src_path=str(script)))
    return files


def on_page_markdown(markdown: str, page: Page, **_more: Any) -> str:
    """What is written from the code, and links between files of the checkout as links between pages."""
    if page.file.src_uri in WRITTEN:
        if PLACE not in markdown:
            _log.warning('%s has no line "%s" for what is written from the code.', page.file.src_uri, PLACE)
        markdown = markdown.replace(PLACE, WRITTEN[page.file.src_uri]())
    return _LINKS.rewritten(markdown, page.file.src_uri)
