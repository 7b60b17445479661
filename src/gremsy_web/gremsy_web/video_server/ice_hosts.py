# SPDX-License-Identifier: Apache-2.0
"""The addresses that a viewer is told: those of this machine's interfaces, and those that the user names.

Not loopback: a browser on this machine reaches the others as well, and without any network Chromium has no address of
its own and connects to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HOST_CANDIDATE = re.compile(r'^a=candidate:(\S+) (\d+) (udp) (\d+) (\S+) (\d+) typ host[^\r\n]*\r?\n', re.MULTILINE)


def with_hosts(answer: str, hosts: Sequence[str]) -> str:
    """The answer with every address of `hosts` beside the ports that the interfaces' candidates have."""
    if not hosts:
        return answer

    def more(match: re.Match[str]) -> str:
        _, component, transport, priority, address, port = match.groups()
        if ':' in address:
            return match[0]
        lines = [match[0]]
        for number, host in enumerate(hosts, 1):
            lines.append(
                f'a=candidate:extra{number} {component} {transport} {int(priority) - number} {host} {port} typ host\r\n'
            )
        return ''.join(lines)

    return _HOST_CANDIDATE.sub(more, answer)
