# SPDX-License-Identifier: Apache-2.0
"""One thing that was said, by a node or by a process, as text and as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from gremsy_common.log_lines import DEFAULT_FORM, console_line, fields_text

LEVELS = ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL')
# As rcutils colours them on a terminal (ECMA-48).
_COLOURS = {'DEBUG': 32, 'WARN': 33, 'ERROR': 31, 'FATAL': 31}
# Loggers of ROS itself, which belong to a process and not to a node.
_LIBRARY = re.compile(r'(rcl|rclpy|rclcpp|rcutils|rmw)(_\w+)?(\.|$)')
# JSON may hold these as they are; some readers end a line there, and terminals obey some of them.
_ESCAPED = {code: f'\\u{code:04x}' for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
_LAST_SECOND = 253402300799  # of the year 9999


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A message with what is known of it.

    Attributes:
        process: whose output it was in; empty for what came over /rosout.
        pid: of the process; 0 where it is not known.
        logger: the node's name with dots (`robot.eo.camera`); empty for what was printed without a logger.
        time_ns: when it was said, since the epoch.
        fields: of the message, as the stamp of the image that it is about (`stamp_ns`).
    """

    process: str
    level: str
    message: str
    logger: str = ''
    time_ns: int = field(default_factory=time.time_ns)
    fields: Mapping[str, Any] = field(default_factory=dict)
    pid: int = 0

    @property
    def node(self) -> str | None:
        """Its full name; a logger of ROS itself as it is called; None for what a process printed."""
        if not self.logger or _LIBRARY.match(self.logger):
            return self.logger or None
        return '/' + self.logger.replace('.', '/')

    @property
    def text(self) -> str:
        """As a terminal shows it, without the process."""
        said = f'{self.message}{fields_text(dict(self.fields))}'
        return console_line(DEFAULT_FORM, self.level, self.logger, self.time_ns, said) if self.logger else said

    def lines(self, *, coloured: bool = False) -> list[str]:
        """The text, each line with the process's name before it."""
        before = f'[{self.process}] '
        code = _COLOURS.get(self.level) if coloured and self.logger else None
        if code is None:
            return [before + line for line in self.text.split('\n')]
        return [f'{before}\x1b[{code}m{line}\x1b[0m' for line in self.text.split('\n')]

    def json_line(self, robot: str) -> str:
        """One JSON object on one line, whatever is in it."""
        said = {
            'time': rfc3339(self.time_ns),
            'level': self.level,
            'node': self.node,
            'message': self.message,
            'fields': dict(self.fields),
            'process': self.process or None,
            'pid': self.pid or None,
            'robot': robot,
        }
        # A lone surrogate, of a name in a parameter file say, has no UTF-8.
        text = json.dumps(said, ensure_ascii=False, allow_nan=False).encode(errors='replace').decode()
        return text.translate(_ESCAPED)


def rfc3339(time_ns: int) -> str:
    """In UTC, with nanoseconds."""
    seconds = min(max(time_ns // 10**9, 0), _LAST_SECOND)
    return f'{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09d}Z'
