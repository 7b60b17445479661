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
from gremsy_camera.sources.source import SourceContext, SourceUri, VideoSource
from gremsy_camera.streams.credentials import redacted

CreateSource = Callable[[SourceUri, SourceContext], VideoSource]

# What is whole with nothing after its colon is meant without the colon too.
_ALONE = ('external', 'sim')
_SCHEME = re.compile(r'^([A-Za-z][A-Za-z0-9+.-]*):(.*)$', re.DOTALL)
# What people write of a camera without a scheme: a number, or a name that no file has, or credentials before either.
_BARE_HOST = re.compile(
    r'(?i)^(?P<user>[^/\s]*@)?(?P<host>\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost|[\w-]+(\.[\w-]+)*\.(local|lan|home|internal)'
    r'|(?(user)[\w.-]+|[\w.-]+(?=:\d{1,5}(/|$))))(:(?P<port>\d{1,5}))?(?P<rest>/.*)?$'
)
_WEB_PORTS = {'80': 'http', '8080': 'http', '443': 'https'}


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
    shown = redacted(text)
    bare = _BARE_HOST.match(text)
    if bare is not None:
        scheme = _WEB_PORTS.get(bare['port'] or '', 'rtsp')
        return SourceUri.with_options(shown, scheme, f'//{text}')
    match = _SCHEME.match(text)
    if text in _ALONE:
        return SourceUri(text, text, '')
    if match is None:
        # A device is no file that could be read to its end; what lies in shared memory is.
        if text.startswith('/dev/') and not text.startswith('/dev/shm/'):  # noqa: S108 nothing is written there
            return SourceUri.with_options(text, 'v4l2', text)
        return SourceUri(text, 'file', text)
    scheme, rest = match.group(1).lower(), match.group(2)
    if scheme == 'file':
        return SourceUri(text, scheme, rest.removeprefix('//'))
    return SourceUri.with_options(shown, scheme, rest)


def create_source(text: str, context: SourceContext) -> VideoSource:
    """The source of that URI, not yet open.

    Raises:
        SourceUnusable: when no source has that scheme, or its options are wrong.
    """
    uri = parse_uri(text)
    create = available_sources().get(uri.scheme)
    if create is None:
        raise SourceUnusable(f'There is no video source for `source` {uri.text}: use one of {_offer()}.')
    return create(uri, context)


def _offer() -> str:
    return ', '.join(f'{scheme}:' for scheme in available_sources()) + ', /dev/videoN or the path of a video file'
