# SPDX-License-Identifier: Apache-2.0
"""The bytes that a process writes to its standard output and error, as records.

Its nodes mark where a record begins and ends, since a message may hold line ends: rcutils writes whatever form
RCUTILS_CONSOLE_OUTPUT_FORMAT has. What has no marks (print, C libraries, tracebacks) is a record a line, or one a
traceback, with the level that it names itself.
"""

from __future__ import annotations

import codecs
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gremsy_bringup.logs.log_record import LEVELS, LogRecord
from gremsy_common.log_lines import FORM_VARIABLE, split_fields

_COLOUR_VARIABLE = 'RCUTILS_COLORIZED_OUTPUT'
# What has no end by then is passed on in pieces: a process that writes no line end must not fill the memory.
_LONGEST = 4 << 20
# A node of somebody else, in rcutils' own form.
_RCUTILS = re.compile(r'\[(DEBUG|INFO|WARN|ERROR|FATAL)\] \[(\d{1,18})\.(\d{9})\] \[([\w.]+)\]: (.*)', re.DOTALL)
_COLOUR_CODE = re.compile(r'\x1b\[[0-9;]*m')
# Begins what goes on over indented and empty lines, and one more line where that says what it was.
_BLOCK = re.compile(r'Traceback \(most recent call last\):|Fatal Python error: |.*\(most recent call first\):$')
_FATAL = re.compile(r'Fatal Python error: |terminate called |Segmentation fault|Aborted')
# OpenCV `[ WARN:0@0.1] `, GLib and GStreamer `(x:1): GLib-WARNING **: `, Python's logging `WARNING:name:`, Fast DDS
# `[RTPS_READER Error] `, and what begins with a level in brackets.
_NAMED = re.compile(
    r'(?:[\d-]+ [\d:.]+ )?\[ ?(?:\w+ )?(?P<bracket>debug|info|warn|warning|error|fatal|critical)(?::\d+@[\d.]+)?\] '
    r'|(?:\*\* )?\(.*?\): (?:[\w-]+-|\*\* ?)?(?P<glib>error|critical|warning|message|info|debug) \*\*:'
    r'|(?P<python>debug|info|warning|error|critical):[\w.]+:',
    re.IGNORECASE,
)
_AS_LEVEL = {'WARNING': 'WARN', 'CRITICAL': 'ERROR', 'MESSAGE': 'INFO'}


@dataclass(frozen=True, slots=True)
class Marks:
    """Of one process's records; nobody else knows the token, so that no message can look like a record."""

    token: str

    @classmethod
    def fresh(cls) -> Marks:
        """New ones."""
        return cls(secrets.token_hex(6))

    @property
    def start(self) -> str:
        """Before each record: severity, logger, time and message follow."""
        return f'\x1e{self.token}\x1f'

    @property
    def end(self) -> str:
        """After it."""
        return f'\x1d{self.token}'

    @property
    def environment(self) -> dict[str, str]:
        """What has the nodes of a process write them; colours are for who shows the text."""
        form = f'{self.start}{{severity}}\x1f{{name}}\x1f{{time_as_nanoseconds}}\x1f{{message}}{self.end}'
        return {FORM_VARIABLE: form, _COLOUR_VARIABLE: '0'}

    def environment_beside(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The same, or nothing where the user has asked for a form of their own."""
        return {} if environment.get(FORM_VARIABLE) else self.environment


class LogReader:
    """Bytes in, as they come; whole records out."""

    def __init__(self, process: str, marks: Marks, pid: int = 0) -> None:
        self._process, self._marks, self._pid = process, marks, pid
        self._decode = codecs.getincrementaldecoder('utf-8')('replace').decode
        self._rest = ''
        self._within = False
        self._block: list[str] = []

    def feed(self, data: bytes) -> list[LogRecord]:
        """What `data` completes."""
        self._rest += self._decode(data)
        return list(self._records())

    def flush(self) -> list[LogRecord]:
        """The process has ended: what it was saying."""
        self._rest += self._decode(b'', final=True)
        records = list(self._records())
        rest, self._rest = self._rest, ''
        if self._within:
            self._within = False
            records.append(self._marked(rest, cut=True))
        else:
            records += self._line(rest)
        return records + self._end_block()

    def _records(self) -> Iterator[LogRecord]:
        while True:
            step = self._in_record() if self._within else self._outside()
            if step is None:
                return
            yield from step

    def _in_record(self) -> list[LogRecord] | None:
        end, start = self._rest.find(self._marks.end), self._rest.find(self._marks.start)
        if start >= 0 and not 0 <= end < start:
            # The one before was never ended.
            return [self._marked(self._taken(start, len(self._marks.start)), cut=True)]
        if end >= 0:
            self._within = False
            return [self._marked(self._taken(end, len(self._marks.end)))]
        if len(self._rest) > _LONGEST:
            self._within = False
            return [self._marked(self._taken(_LONGEST), cut=True)]
        return None

    def _outside(self) -> list[LogRecord] | None:
        start, newline = self._rest.find(self._marks.start), self._rest.find('\n')
        if start >= 0 and not 0 <= newline < start:
            self._within = True
            return self._line(self._taken(start, len(self._marks.start))) + self._end_block()
        if newline >= 0:
            return self._line(self._taken(newline, 1))
        return self._line(self._taken(_LONGEST)) if len(self._rest) > _LONGEST else None

    def _taken(self, length: int, skipped: int = 0) -> str:
        taken, self._rest = self._rest[:length], self._rest[length + skipped :]
        return taken

    def _marked(self, text: str, *, cut: bool = False) -> LogRecord:
        level, logger, time_ns, said = (text.split('\x1f', 3) + [''] * 3)[:4]
        message, fields = split_fields(said)
        if cut:
            fields['cut'] = True
        known = {'time_ns': int(time_ns)} if time_ns.isdecimal() and len(time_ns) < 20 else {}
        named = level if level in LEVELS else 'INFO'
        return LogRecord(self._process, named, message, logger, fields=fields, pid=self._pid, **known)

    def _line(self, line: str) -> list[LogRecord]:
        # Of a record that was passed on in pieces the end comes alone.
        line = _COLOUR_CODE.sub('', line.replace(self._marks.end, '')).rstrip('\r')
        if self._block:
            return self._more_of_block(line)
        if not line.strip():
            return []
        if _BLOCK.match(line):
            self._block.append(line)
            return []
        foreign = _RCUTILS.fullmatch(line)
        if foreign is not None:
            level, seconds, nanoseconds, logger, said = foreign.groups()
            message, fields = split_fields(said)
            time_ns = int(seconds) * 10**9 + int(nanoseconds)
            return [LogRecord(self._process, level, message, logger, time_ns, fields, self._pid)]
        return [self._unmarked(line)]

    def _more_of_block(self, line: str) -> list[LogRecord]:
        self._block.append(line)
        goes_on = not line.strip() or line[0].isspace() or _BLOCK.match(line)
        return [] if goes_on else self._end_block()

    def _end_block(self) -> list[LogRecord]:
        block, self._block = self._block, []
        return [self._unmarked('\n'.join(block).rstrip())] if block else []

    def _unmarked(self, text: str) -> LogRecord:
        if _FATAL.match(text):
            level = 'FATAL'
        elif _BLOCK.match(text):
            level = 'ERROR'
        else:
            named = _NAMED.match(text)
            level = next((word.upper() for word in (named.groups() if named else ()) if word), 'INFO')
        return LogRecord(self._process, _AS_LEVEL.get(level, level), text, time_ns=time.time_ns(), pid=self._pid)
