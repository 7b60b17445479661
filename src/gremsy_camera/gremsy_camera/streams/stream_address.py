# SPDX-License-Identifier: Apache-2.0
"""Where a stream is: host, port, path and credentials, taken apart so that each goes only where it belongs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.streams.credentials import redacted

_PORTS = {'rtsp': 554, 'rtsps': 322, 'http': 80, 'https': 443}
_ADDRESS = re.compile(
    r'(?i)(rtsps?|https?)://(?:(?P<user>[^/]*)@)?(?P<host>\[[0-9a-f:.]+\]|[^/:@\[\]?#]+)(?::(?P<port>[^/]*))?(?P<target>/.*)?'
)


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Of a stream. Its text forms are `location` and `shown`; both are without credentials.

    Attributes:
        scheme: 'rtsp', 'rtsps', 'http' or 'https'.
        host: name or number, an IPv6 number without brackets.
        target: path and query, from the slash on.
        user, password: decoded; '' for none.
    """

    scheme: str
    host: str
    port: int
    target: str
    user: str = field(default='', repr=False)
    password: str = field(default='', repr=False)

    @classmethod
    def of(cls, text: str, parameter: str) -> StreamAddress:
        """Take an address apart.

        Args:
            text: with its credentials filled in.
            parameter: where it stands, for the sentence.

        Raises:
            SourceUnusable: naming what is wrong with it.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise SourceUnusable(
                f'`{parameter}` {redacted(text)} is no address of a stream: write rtsp://user:password@host:port/path, '
                'with @, :, / and % of a password as %40, %3A, %2F and %25.'
            )
        scheme = match[1].lower()
        port_text = match['port']
        port = _PORTS[scheme] if not port_text else int(port_text) if port_text.isascii() and port_text.isdigit() else 0
        if not 0 < port < 65536:
            raise SourceUnusable(f'`{parameter}` {redacted(text)} has a port that is none: use 1 to 65535.')
        user, _, password = (match['user'] or '').partition(':')
        host = match['host'].strip('[]')
        return cls(scheme, host, port, match['target'] or '/', unquote(user), unquote(password))

    @property
    def location(self) -> str:
        """As requests name it."""
        host = f'[{self.host}]' if ':' in self.host else self.host
        port = '' if self.port == _PORTS[self.scheme] else f':{self.port}'
        return f'{self.scheme}://{host}{port}{self.target}'

    @property
    def shown(self) -> str:
        """As people read it, without what makers put into the path."""
        return redacted(self.location)

    @property
    def url(self) -> str:
        """With the credentials, encoded: for libraries that take nothing else."""
        if not self.user:
            return self.location
        who = f'{quote(self.user, safe="")}:{quote(self.password, safe="")}@'
        return self.location.replace('://', f'://{who}', 1)
