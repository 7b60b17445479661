# SPDX-License-Identifier: Apache-2.0
"""Records as they are shown: text for people, or one JSON object a line; nothing twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace

from gremsy_bringup.logs.log_record import LogRecord
from gremsy_common.errors import SuiteError

TEXT, JSON = 'text', 'json'
FORMAT_VARIABLE = 'GREMSY_LOG_FORMAT'
# In the fields of what was heard on a topic, and not read from a process.
HEARD_FIELD = 'heard_on'
# Of 360 records a second (every frame of two cameras at debug level) these are a minute's.
_REMEMBERED = 20_000


class LogFormatError(SuiteError):
    """The environment asks for a form that there is none of."""


def chosen_format(wanted: str, environment: Mapping[str, str]) -> str:
    """`text` or `json`; `auto` is what GREMSY_LOG_FORMAT says, and text without it.

    Not by whether a terminal reads it: `./gremsy run | tee log.txt`, `| grep` and a CI job are for people too.

    Raises:
        LogFormatError: for another word in the environment.
    """
    if wanted != 'auto':
        return wanted
    said = environment.get(FORMAT_VARIABLE) or TEXT
    if said not in (TEXT, JSON):
        raise LogFormatError(f"The environment's {FORMAT_VARIABLE} is '{said}': use {TEXT} or {JSON}.")
    return said


class OnceOnly:
    """Tells whether a record came before the other way: in the output of a process, or over /rosout.

    A logger says one thing at a time, so that its name and the nanosecond tell.
    """

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, int], bool] = OrderedDict()

    def is_repeated(self, record: LogRecord) -> bool:
        """Asked once for each record, in the order in which they came."""
        if not record.logger:
            return False
        key = (record.logger, record.time_ns)
        heard = HEARD_FIELD in record.fields
        # What a process says twice in its own output is shown twice.
        if key in self._heard and (heard or self._heard[key]):
            return True
        self._heard[key] = heard
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        return False


class LogWriter:
    """Shows records in one of the two forms."""

    def __init__(
        self,
        show: Callable[[str], None],
        log_format: str = TEXT,
        robot: str = '',
        *,
        coloured: bool = False,
        said: OnceOnly | None = None,
    ) -> None:
        """Show nothing yet.

        Args:
            show: takes a line.
            log_format: `text` or `json`.
            robot: its namespace, for JSON.
            coloured: as a terminal may show text.
            said: shared by the writers of one program.
        """
        self._show = show
        self._as_json, self._robot, self._coloured = log_format == JSON, robot, coloured
        self._said = said or OnceOnly()

    def write(self, record: LogRecord) -> None:
        """Show it."""
        if self._said.is_repeated(record):
            return
        shown = replace(record, process='', pid=0) if HEARD_FIELD in record.fields else record
        if self._as_json:
            self._show(shown.json_line(self._robot))
            return
        for line in shown.lines(coloured=self._coloured):
            self._show(line)
