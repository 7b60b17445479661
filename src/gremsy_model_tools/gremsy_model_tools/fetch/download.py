# SPDX-License-Identifier: Apache-2.0
"""A file from the web into memory, whole or not at all; the disk is not touched.

https only: a redirect to anything else is refused. http is for a mirror that the user names, and only where the hash is
known beforehand (`fetch_model` sees to that).
"""

from __future__ import annotations

import http
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gremsy_common.errors import SuiteError

# The largest of the table has 125 MB. What is larger is not a detector for a robot, or has no end.
LARGEST_BYTES = 512 * 2**20
_CHUNK_BYTES = 256 * 2**10
_REDIRECTS = (300, 301, 302, 303, 307, 308)
_LONGEST_SHOWN = 200


class FetchError(SuiteError):
    """A model cannot be fetched; the text names what and the way out."""


@dataclass(frozen=True, slots=True)
class Route:
    """How to get out.

    Attributes:
        proxy: address of a proxy for everything; None for what HTTPS_PROXY and NO_PROXY say.
        timeout_s: without data, after which one gives up.
        largest_bytes: what is larger is refused.
        tls: which certificates are trusted; None for the system's.
    """

    proxy: str | None = None
    timeout_s: float = 30.0
    largest_bytes: int = LARGEST_BYTES
    tls: ssl.SSLContext | None = None


def download(address: str, route: Route, progress: Callable[[int, int | None], None]) -> bytes:
    """The content of a file.

    Args:
        address: http or https.
        route: how to get out.
        progress: called with the bytes that have come, and those that will (None where the server does not say).

    Raises:
        FetchError: in one sentence.
    """
    request = urllib.request.Request(  # noqa: S310 - the opener below knows http and https alone
        address, headers={'Accept-Encoding': 'identity', 'User-Agent': 'gremsy_model_tools'}
    )
    try:
        with _opener(route).open(request, timeout=route.timeout_s) as answer:
            if answer.status != http.HTTPStatus.OK:
                # 206 is a part that nobody asked for.
                raise _refused(address, answer.status, answer.reason)
            return _content(address, answer, route.largest_bytes, progress)
    except urllib.error.HTTPError as error:
        if error.code in _REDIRECTS:
            raise FetchError(
                f'{address} leads in a circle, or to what is no https address: nothing was fetched, so take another '
                'place with --mirror.'
            ) from error
        raise _refused(address, error.code, error.reason) from error
    except urllib.error.URLError as error:
        raise _unreachable(address, error.reason, route) from error
    except http.client.IncompleteRead as error:
        raise _truncated(address, len(error.partial), None) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(address, error, route) from error


def _content(address: str, answer: Any, largest_bytes: int, progress: Callable[[int, int | None], None]) -> bytes:
    stated = answer.headers.get('Content-Length', '')
    total = int(stated) if stated.isascii() and stated.isdigit() else None
    if total is not None and total > largest_bytes:
        raise _too_large(address, largest_bytes)
    content = bytearray()
    progress(0, total)
    while chunk := answer.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > largest_bytes:
            raise _too_large(address, largest_bytes)
        progress(len(content), total)
    if total is not None and len(content) != total:
        raise _truncated(address, len(content), total)
    if not content:
        raise FetchError(f'{address} is empty: look at it with a browser, or take another place with --mirror.')
    return bytes(content)


def _opener(route: Route) -> urllib.request.OpenerDirector:
    """No handler for files, FTP or data: whatever an address says, it is http or https."""
    opener = urllib.request.OpenerDirector()
    proxies = None if route.proxy is None else {'http': route.proxy, 'https': route.proxy}
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=route.tls),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirect(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows to https, and from http to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme != 'https' and not (scheme == 'http' and req.type == 'http'):
            raise FetchError(
                f'{req.full_url} leads to {_in_words(newurl)}, which is not https: nothing was fetched, so take '
                'another place with --mirror.'
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _in_words(answer: object) -> str:
    """What a server said, in one line without characters that steer a terminal."""
    text = ' '.join(str(answer).split())[:_LONGEST_SHOWN]
    return ''.join(each if each.isprintable() else '?' for each in text)


def _refused(address: str, code: int, reason: object) -> FetchError:
    return FetchError(
        f'{address} answers {code} {_in_words(reason)}: the file has moved or wants a login, so look for it with '
        'a browser and give its place with --mirror, or try again later.'
    )


def _unreachable(address: str, reason: object, route: Route) -> FetchError:
    why = f'nothing came for {route.timeout_s:g} s' if isinstance(reason, TimeoutError) else _in_words(reason)
    return FetchError(
        f'{address} cannot be reached ({why}): check the network, and name a proxy with --proxy or HTTPS_PROXY, or a '
        'mirror with --mirror.'
    )


def _truncated(address: str, got: int, total: int | None) -> FetchError:
    of = '' if total is None else f' of {total}'
    return FetchError(f'{address} broke off after {got}{of} bytes: nothing was written, so try again.')


def _too_large(address: str, largest_bytes: int) -> FetchError:
    return FetchError(f'{address} has more than {largest_bytes} bytes: that is not the model, so nothing was written.')
