# SPDX-License-Identifier: Apache-2.0
"""Where a stream is: host, port, path and credentials, taken apart so that each goes only where it belongs.

Also why a camera did not answer: for libraries that only say that it did
not, the network itself is asked afterwards.
"""

from __future__ import annotations

import errno
import re
import socket
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
                f'`{parameter}` {redacted(text)} is not a stream address: write rtsp://user:password@host:port/path, '
                'with @, :, / and % of a password as %40, %3A, %2F and %25.'
            )
        scheme = match[1].lower()
        port_text = match['port']
        port = _PORTS[scheme] if not port_text else int(port_text) if port_text.isascii() and port_text.isdigit() else 0
        if not 0 < port < 65536:
            raise SourceUnusable(f'`{parameter}` {redacted(text)} has an invalid port: use 1 to 65535.')
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


_WAIT_S = 1.0
_WORDS = {
    errno.ECONNREFUSED: 'nothing listens on port {port} of {host}: '
    'check that the camera has started and the port is right',
    errno.EHOSTUNREACH: 'there is no route to {host}: check cable, address and network mask',
    errno.ENETUNREACH: 'this machine has no network that leads to {host}: check its address and routes',
}

_RTSP_STATUS = {
    400: 'it does not accept this address (400): check the path in `source`',
    401: 'it requires a valid user name and password (401): check those in `source`',
    403: 'it forbids this stream to this user (403): check the rights of the user on the camera',
    404: 'it has no such stream (404): check the path in `source`',
    453: 'it has no bandwidth left for one more reader (453): close another one',
    454: 'it no longer knows the session (454)',
    461: 'it does not support this transport (461): set `transport` to another',
    503: 'it accepts no more readers now (503): close another one, or read from the server that has it (`via`)',
}


def explain_status(status: int, reason: str = '') -> str:
    """An RTSP or HTTP status as the end of the sentence `The camera X cannot be opened: ...`."""
    return _RTSP_STATUS.get(status, f'it answers {status}{f" {reason}" if reason else ""}')


def explain_connect(error: OSError, host: str, port: int) -> str:
    """Why a connection could not be made, as the end of such a sentence."""
    if isinstance(error, socket.gaierror):
        return f'the name {host} is not known: check it and the DNS server, or write the IP address'
    silent = '{host} does not answer on port {port}: check that the camera has power, its address and the network'
    return _WORDS.get(error.errno or 0, silent).format(host=host, port=port)


def why_unreachable(host: str, port: int) -> str | None:
    """Try, for a second at most for each address; None where a connection can be made."""
    try:
        with socket.create_connection((host, port), timeout=_WAIT_S):
            return None
    except OSError as error:
        return explain_connect(error, host, port)
