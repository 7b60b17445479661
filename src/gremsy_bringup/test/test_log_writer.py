# SPDX-License-Identifier: Apache-2.0
"""Records as text and as JSON lines; what two ways brought is shown once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from gremsy_bringup.logs.log_record import LogRecord, rfc3339
from gremsy_bringup.logs.log_writer import HEARD_FIELD, JSON, LogFormatError, LogWriter, chosen_format

SAID = LogRecord('loop', 'WARN', 'two\nlines', 'robot.eo.camera', 1_796_013_387_825_338_248, {'stamp_ns': 5}, 7)


def shown(*records: LogRecord, log_format: str = JSON) -> list[str]:
    lines: list[str] = []
    writer = LogWriter(lines.append, log_format, '/robot')
    for record in records:
        writer.write(record)
    return lines


def test_a_line_of_json_has_everything() -> None:
    (line,) = shown(SAID)
    assert json.loads(line) == {
        # `date -u -d @1796013387 +%FT%T` says the same.
        'time': '2026-11-30T04:36:27.825338248Z',
        'level': 'WARN',
        'node': '/robot/eo/camera',
        'message': 'two\nlines',
        'fields': {'stamp_ns': 5},
        'process': 'loop',
        'pid': 7,
        'robot': '/robot',
    }


def test_text_is_as_rcutils_has_it() -> None:
    assert shown(SAID, log_format='text') == [
        '[loop] [WARN] [1796013387.825338248] [robot.eo.camera]: two',
        '[loop] lines stamp_ns=5',
    ]
    assert shown(LogRecord('loop', 'INFO', 'printed'), log_format='text') == ['[loop] printed']
    assert SAID.lines(coloured=True)[1] == '[loop] \x1b[33mlines stamp_ns=5\x1b[0m'


@pytest.mark.parametrize(
    ('logger', 'node'),
    [('robot.eo.camera', '/robot/eo/camera'), ('web', '/web'), ('rcl.rosout', 'rcl.rosout'), ('', None)],
)
def test_a_node_has_its_full_name(logger: str, node: str | None) -> None:
    assert LogRecord('loop', 'INFO', '', logger).node == node


def test_nothing_is_shown_twice() -> None:
    heard = LogRecord('foreign_logs', 'WARN', SAID.message, SAID.logger, SAID.time_ns, {HEARD_FIELD: '/rosout'}, 9)
    foreign = LogRecord('foreign_logs', 'INFO', 'mine', 'usb_cam', 5, {HEARD_FIELD: '/rosout'}, 9)
    lines = [json.loads(line) for line in shown(SAID, heard, foreign, foreign)]
    assert [(line['node'], line['process'], line['pid']) for line in lines] == [
        ('/robot/eo/camera', 'loop', 7),
        ('/usb_cam', None, None),
    ]
    # In the other order too, as when all processes end at once.
    assert [json.loads(line)['process'] for line in shown(heard, SAID)] == [None]
    # What a process says twice by itself is said twice, as is what one prints without a logger.
    printed = LogRecord('loop', 'INFO', 'printed', time_ns=1)
    assert len(shown(SAID, SAID, printed, printed)) == 4


@pytest.mark.parametrize('time_ns', [0, 999_999_999, -5, 2**63 - 1, 10**30])
def test_a_time_is_rfc_3339_whatever_it_is(time_ns: int) -> None:
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z', rfc3339(time_ns))


def test_the_environment_chooses_where_no_argument_does() -> None:
    assert chosen_format('auto', {}) == 'text'
    assert chosen_format('auto', {'GREMSY_LOG_FORMAT': 'json'}) == 'json'
    assert chosen_format('text', {'GREMSY_LOG_FORMAT': 'json'}) == 'text'
    with pytest.raises(LogFormatError) as told:
        chosen_format('auto', {'GREMSY_LOG_FORMAT': 'xml'})
    assert str(told.value) == "The environment's GREMSY_LOG_FORMAT is 'xml': use text or json."


@pytest.mark.skipif(shutil.which('jq') is None, reason='jq is not installed')
def test_jq_reads_it() -> None:
    lines = '\n'.join(shown(SAID, LogRecord('loop', 'INFO', 'ü \x00 \x1b \x9b \u2028 \x7f \ud800')))
    asked = ['jq', '-c', 'select(.fields.stamp_ns == 5) | .node']
    ended = subprocess.run(asked, input=lines, capture_output=True, text=True, check=True)
    assert ended.stdout == '"/robot/eo/camera"\n'
