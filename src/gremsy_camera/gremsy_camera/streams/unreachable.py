# SPDX-License-Identifier: Apache-2.0
"""Why a camera did not answer, for libraries that only say that it did not: asked of the network itself, afterwards."""

from __future__ import annotations

import errno
import socket

_WAIT_S = 1.0
_WORDS = {
    errno.ECONNREFUSED: 'nothing listens on port {port} of {host}: '
    'see that the camera has started and the port is right',
    errno.EHOSTUNREACH: 'there is no way to {host}: check cable, address and network mask',
    errno.ENETUNREACH: 'this machine has no network that leads to {host}: check its address and routes',
}

_RTSP_STATUS = {
    400: 'it does not take this address (400): check the path in `source`',
    401: 'it wants a valid user name and password (401): check those in `source`',
    403: 'it forbids this stream to this user (403): check the rights of the user on the camera',
    404: 'it has no such stream (404): check the path in `source`',
    453: 'it has no bandwidth left for one more reader (453): close another one',
    454: 'it does not know the session any more (454)',
    461: 'it does not send by this transport (461): set `transport` to another',
    503: 'it serves no more readers now (503): close another one, or read from the server that has it (`via`)',
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
