# SPDX-License-Identifier: Apache-2.0
"""Video sources by URI scheme.

Every module of this folder that has `SCHEMES` (a tuple of scheme names) and `create(uri, context) -> Source` is a
source; `test/test_source_contract.py` holds each to the same contract.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.sources.source import Source, SourceContext, SourceUri

CreateSource = Callable[[SourceUri, SourceContext], Source]

_SCHEME = re.compile(r'^([A-Za-z][A-Za-z0-9+.-]*):(.*)$', re.DOTALL)


@cache
def available_sources() -> dict[str, CreateSource]:
    """The sources there are, by scheme, in alphabetical order."""
    found: dict[str, CreateSource] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f'{__name__}.{module_info.name}')
        for scheme in getattr(module, 'SCHEMES', ()):
            found[scheme] = module.create
    return dict(sorted(found.items()))


def parse_uri(text: str) -> SourceUri:
    """Take a `source` parameter apart.

    Raises:
        SourceUnusable: for an empty one.
    """
    if not text.strip():
        raise SourceUnusable(f'`source` is empty: set one of {_offer()}.')
    match = _SCHEME.match(text)
    if match is None:
        # A device is no file that could be read to its end.
        return SourceUri(text, '/dev/' if text.startswith('/dev/') else 'file', text)
    scheme, rest = match.group(1).lower(), match.group(2)
    if scheme == 'file':
        return SourceUri(text, scheme, rest.removeprefix('//'))
    return SourceUri.with_options(text, scheme, rest)


def create_source(text: str, context: SourceContext) -> Source:
    """The source of that URI, not yet open.

    Raises:
        SourceUnusable: when no source has that scheme, or its options are wrong.
    """
    uri = parse_uri(text)
    create = available_sources().get(uri.scheme)
    if create is None:
        raise SourceUnusable(f'There is no video source for `source` {text}: use one of {_offer()}.')
    return create(uri, context)


def _offer() -> str:
    return ', '.join(f'{scheme}:' for scheme in available_sources()) + ' or the path of a video file'
