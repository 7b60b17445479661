# SPDX-License-Identifier: Apache-2.0
"""The page as files: compressed; kept by browsers for good under the name of their build, else asked about."""

from __future__ import annotations

from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gremsy_web.access.request_guard import KEPT

_BUILD_FILE = 'build.txt'
# Most that a browser keeps anything for.
_FOR_GOOD = 'public, max-age=31536000, immutable'
# Kept, too, but used only when the server says that it has not changed: `ETag`, 304.
_ASKED_ABOUT = 'no-cache'


class PageFiles(StaticFiles):
    """Files that say how long they may be kept.

    Args:
        folder: of the built page.
        build: its name, which `index.html` puts behind the addresses of what it loads.
    """

    def __init__(self, folder: Path, build: str) -> None:
        super().__init__(directory=folder, html=True)
        self._build = build.encode('ascii', 'ignore')

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As of StaticFiles."""
        made = await super().get_response(path, scope)
        named = bool(self._build) and scope.get('query_string', b'') == self._build
        made.headers['cache-control'] = _FOR_GOOD if named else _ASKED_ABOUT
        return made


class PageMount(Mount):
    """The page's files, but not under the routes' addresses, where a wrong method would be a file that is not there."""

    def __init__(self, folder: Path, build: str) -> None:
        super().__init__('/', GZipMiddleware(PageFiles(folder, build)), name='page')

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """None under the routes' own beginnings."""
        return (Match.NONE, {}) if scope['path'].startswith(KEPT) else super().matches(scope)


def page_build(page_folder: Path) -> str:
    """Which page it is; empty where it does not say."""
    try:
        return (page_folder / _BUILD_FILE).read_text(encoding='utf-8').strip()[:64]
    except OSError:
        return ''
