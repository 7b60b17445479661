# SPDX-License-Identifier: Apache-2.0
"""The parameter `link` as a link: `udp://HOST:PORT` or `serial:///dev/ttyUSB0?baud=115200`."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlsplit

from gremsy_gimbal_driver.links.link import Link, LinkError
from gremsy_gimbal_driver.links.serial_link import SerialLink
from gremsy_gimbal_driver.links.udp_link import UdpLink

DEFAULT_UDP_PORT = 14566
DEFAULT_BAUD = 115200
_EXAMPLES = 'udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200'


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
        if not parts.hostname or parts.path not in ('', '/') or parts.query:
            raise LinkError(f"The gimbal link '{uri}' is no udp address: write udp://HOST:PORT.")
        return UdpLink(parts.hostname, port or DEFAULT_UDP_PORT)
    if parts.scheme == 'serial':
        if parts.netloc or not parts.path.startswith('/'):
            raise LinkError(f"The gimbal link '{uri}' names no port: write serial:///dev/ttyUSB0, with three slashes.")
        return SerialLink(parts.path, _baud(uri, parts))
    raise LinkError(f"The gimbal link '{uri}' has an unknown scheme '{parts.scheme}': write {_EXAMPLES}.")


def _baud(uri: str, parts: SplitResult) -> int:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    text = options.pop('baud', str(DEFAULT_BAUD))
    if options:
        raise LinkError(f"The gimbal link '{uri}' has an unknown option '{next(iter(options))}': the only one is baud.")
    if not text.isdecimal() or not 1200 <= int(text) <= 4_000_000:
        raise LinkError(f"The gimbal link '{uri}' has no usable baud '{text}': use 115200, or 1200 to 4000000.")
    return int(text)
