# SPDX-License-Identifier: Apache-2.0
"""The parameter `link` as links: `udp://HOST:PORT?bind=ADDR:PORT` or `serial:///dev/ttyUSB0?baud=115200&dtr=0&rts=0`."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from gremsy_gimbal_driver.links.link import Link, LinkError
from gremsy_gimbal_driver.links.serial_link import SerialLink
from gremsy_gimbal_driver.links.udp_link import UdpLink

DEFAULT_UDP_PORT = 14566
DEFAULT_BAUD = 115200
MOST_LINKS = 2
"""A payload's main board on UDP and its gimbal on a UART is the most that is wired (gimbal.md 1.1)."""

_EXAMPLES = 'udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200'


def links_from_uris(uris: Sequence[str]) -> tuple[Link, ...]:
    """One or two links in order of preference, not opened yet.

    Raises:
        LinkError: naming what is wrong with which URI.
    """
    if not 1 <= len(uris) <= MOST_LINKS:
        raise LinkError(f'The parameter `link` names {len(uris)} links: name one or two, as {_EXAMPLES}.')
    links = tuple(link_from_uri(uri) for uri in uris)
    if len({link.name for link in links}) < len(links):
        raise LinkError(f'The parameter `link` names {links[0].name} twice: leave one out.')
    return links


def link_from_uri(uri: str) -> Link:
    """The link, not opened yet.

    Raises:
        LinkError: naming the part of the URI that is wrong.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise LinkError(f"The gimbal link '{uri}' cannot be read ({error}): write {_EXAMPLES}.") from error
    if parts.scheme == 'udp':
        if not parts.hostname or parts.path not in ('', '/') or parts.username or parts.fragment:
            raise LinkError(f"The gimbal link '{uri}' is not a UDP address: write udp://HOST:PORT.")
        options = _options(uri, parts, 'the only one is bind', 'bind')
        return UdpLink(parts.hostname, port or DEFAULT_UDP_PORT, _bind(uri, options.get('bind')))
    if parts.scheme == 'serial':
        if parts.netloc or not parts.path.startswith('/'):
            raise LinkError(f"The gimbal link '{uri}' names no port: write serial:///dev/ttyUSB0, with three slashes.")
        options = _options(uri, parts, 'the options are baud, dtr and rts', 'baud', 'dtr', 'rts')
        return SerialLink(parts.path, _baud(uri, options), _line(uri, options, 'dtr'), _line(uri, options, 'rts'))
    raise LinkError(f"The gimbal link '{uri}' has an unknown scheme '{parts.scheme}': write {_EXAMPLES}.")


def _options(uri: str, parts: SplitResult, choice: str, *known: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise LinkError(f"The gimbal link '{uri}' has an unknown option '{name}': {choice}.")
        if name in options:
            raise LinkError(f"The gimbal link '{uri}' gives the option '{name}' twice: leave one out.")
        options[name] = value
    return options


def _baud(uri: str, options: dict[str, str]) -> int:
    text = options.get('baud', str(DEFAULT_BAUD))
    if not _is_number(text) or not 1200 <= int(text) <= 4_000_000:
        raise LinkError(f"The gimbal link '{uri}' has no usable baud rate '{text}': use 115200, or 1200 to 4000000.")
    return int(text)


def _line(uri: str, options: dict[str, str], name: str) -> bool:
    text = options.get(name, '0')
    if text not in ('0', '1'):
        raise LinkError(
            f"The gimbal link '{uri}' sets {name} to '{text}': "
            "0 keeps that line low, as a Gremsy's USB cable needs it; 1 raises it."
        )
    return text == '1'


def _bind(uri: str, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, colon, port = text.rpartition(':')
    host = host.removeprefix('[').removesuffix(']')
    if not colon or not host or not _is_number(port) or int(port) > 65535:
        raise LinkError(
            f"The gimbal link '{uri}' binds to '{text}', which is not an address: write bind=0.0.0.0:14550."
        )
    return host, int(port)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
