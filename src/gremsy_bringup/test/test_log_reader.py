# SPDX-License-Identifier: Apache-2.0
"""Bytes of a process to records: cut anywhere, with marks in messages, among lines of others, without an end."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest

from gremsy_bringup.logs.log_reader import LogReader, Marks
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_common.log_lines import FORM_VARIABLE, console_line, with_fields

MARKS = Marks('0a1b2c')
STAMP_NS = 1_796_013_387_825_338_248


def marked(message: str, level: str = 'INFO', logger: str = 'robot.eo.camera', marks: Marks = MARKS) -> bytes:
    """As rcutils writes it: the form that the environment asks for, and a line end."""
    return f'{console_line(marks.environment[FORM_VARIABLE], level, logger, STAMP_NS, message)}\n'.encode()


def strict(line: str) -> dict[str, object]:
    """By Python's reader of JSON, which would also take NaN."""
    assert '\n' not in line and len(line.splitlines()) == 1

    def refuse(word: str) -> None:
        raise AssertionError(word)

    read: dict[str, object] = json.loads(line, parse_constant=refuse)
    return read


def read(data: bytes, *cuts: int) -> list[LogRecord]:
    reader = LogReader('loop', MARKS, 7)
    records: list[LogRecord] = []
    edges = [0, *cuts, len(data)]
    for begin, end in pairwise(edges):
        records += reader.feed(data[begin:end])
    return records + reader.flush()


def told(records: list[LogRecord]) -> list[tuple[str, str, str]]:
    return [(record.level, record.logger, record.message) for record in records]


TRACEBACK = """\
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    f()
ValueError: no ü"""
MIXED = (
    marked('one\ntwo ü')
    + b'printed\r\n\n'
    + marked(f'start {MARKS.start[:1]} end \x1d token \x1d0a1b2 of another', 'WARN')
    + f'{TRACEBACK}\n'.encode()
    + marked(with_fields('fields', stamp_ns=5), 'DEBUG')
    + b'no end of line '
    + marked('after it', 'ERROR')
    + b'last'
)
EXPECTED = [
    ('INFO', 'robot.eo.camera', 'one\ntwo ü'),
    ('INFO', '', 'printed'),
    ('WARN', 'robot.eo.camera', 'start \x1e end \x1d token \x1d0a1b2 of another'),
    ('ERROR', '', TRACEBACK),
    ('DEBUG', 'robot.eo.camera', 'fields'),
    ('INFO', '', 'no end of line '),
    ('ERROR', 'robot.eo.camera', 'after it'),
    ('INFO', '', 'last'),
]


def test_records_and_lines_are_told_apart_in_their_order() -> None:
    records = read(MIXED)
    assert told(records) == EXPECTED
    assert [record.time_ns for record in records if record.logger] == [STAMP_NS] * 4
    assert {record.pid for record in records} == {7}
    assert dict(records[4].fields) == {'stamp_ns': 5}


def test_it_does_not_matter_where_the_bytes_are_cut() -> None:
    for cut in range(len(MIXED) + 1):
        assert told(read(MIXED, cut)) == EXPECTED, cut
    assert told(read(MIXED, *range(1, len(MIXED)))) == EXPECTED


def test_a_message_cannot_look_like_a_record() -> None:
    forged = marked('forged', 'FATAL', 'robot.gimbal_driver', Marks('000000')).decode()
    assert told(read(marked(f'class {forged} seen'))) == [('INFO', 'robot.eo.camera', f'class {forged} seen')]


def test_a_process_that_dies_within_a_record_has_said_its_half() -> None:
    whole = marked(with_fields('half of it', stamp_ns=5))
    for length in range(1, len(whole)):
        records = read(whole[:length])
        assert len(records) == 1 or length < len(MARKS.start)
        for record in records:
            strict(record.json_line('/robot'))
    (record,) = read(whole[: whole.index(b'half') + 4])
    assert (record.message, dict(record.fields), record.level) == ('half', {'cut': True}, 'INFO')


def test_a_record_that_never_ended_does_not_hide_the_next() -> None:
    begun = marked('begun').split(b'\x1d')[0]
    assert told(read(begun + marked('whole'))) == [
        ('INFO', 'robot.eo.camera', 'begun'),
        ('INFO', 'robot.eo.camera', 'whole'),
    ]


# Lines as these programs print them: rcutils, OpenCV 4, GLib, Python's logging and interpreter, Fast DDS, glibc.
@pytest.mark.parametrize(
    ('line', 'level', 'logger'),
    [
        ('[WARN] [1796013387.825338248] [somebody.usb_cam]: slow', 'WARN', 'somebody.usb_cam'),
        ('\x1b[33m[WARN] [1796013387.825338248] [somebody.usb_cam]: slow\x1b[0m', 'WARN', 'somebody.usb_cam'),
        ('[ WARN:0@0.051] global cap.cpp:164 open VIDEOIO: no', 'WARN', ''),
        ('[ERROR:0@12.3] global x.cpp', 'ERROR', ''),
        ('(gst-launch-1.0:71): GLib-GObject-CRITICAL **: 12:00:00.1: g_object_unref: failed', 'ERROR', ''),
        ('** (x:71): WARNING **: 12:00:00.1: no', 'WARN', ''),
        ('WARNING:aiortc.rtp:late', 'WARN', ''),
        ('2026-11-30 04:40:00.123 [RTPS_TRANSPORT_SHM Error] Failed init_port -> Function', 'ERROR', ''),
        ('Fatal Python error: Segmentation fault', 'FATAL', ''),
        ("terminate called after throwing an instance of 'x'", 'FATAL', ''),
        ('anything: [ERROR] in the middle', 'INFO', ''),
    ],
)
def test_a_line_of_a_library_has_the_level_that_it_names(line: str, level: str, logger: str) -> None:
    (record,) = read(f'{line}\n'.encode())
    assert (record.level, record.logger) == (level, logger)
    assert record.time_ns == STAMP_NS or not logger


def test_a_dump_of_all_threads_is_one_record() -> None:
    # As Python 3.11's faulthandler writes it.
    dump = (
        'Fatal Python error: Segmentation fault\n\n'
        'Thread 0x00007f1 (most recent call first):\n  File "a.py", line 1 in f\n\n'
        'Current thread 0x00007f2 (most recent call first):\n  File "b.py", line 2 in g\n\n'
        'Extension modules: numpy (total: 1)'
    )
    assert told(read(f'{dump}\nafter\n'.encode())) == [('FATAL', '', dump), ('INFO', '', 'after')]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    reader = LogReader('loop', MARKS)
    for number in range(200):
        reader.feed(b'x' * 65536)
        assert len(reader._rest) < 5 << 20, number


def test_long_messages_are_whole() -> None:
    message = 'ü "\n' * 260_000
    (record,) = read(marked(message), 65536, 131072)
    assert record.message == message
    assert strict(record.json_line('/robot'))['message'] == message


def test_any_bytes_are_json() -> None:
    chance = random.Random(1)
    pieces = [bytes([byte]) for byte in range(256)]
    pieces += [
        MARKS.start.encode(),
        MARKS.end.encode(),
        b'\x1f',
        b'\n',
        b'INFO',
        b' stamp_ns=NaN',
        b'\x1f a=1e999',
        b'\xed\xa0\x80',
    ]
    for _ in range(300):
        data = b''.join(chance.choices(pieces, k=chance.randrange(1, 400)))
        cuts = sorted(chance.choices(range(len(data) + 1), k=3))
        for record in read(data, *cuts):
            strict(record.json_line('/robot'))


def test_the_environment_has_the_marks_unless_the_user_has_a_form() -> None:
    assert MARKS.environment_beside({'HOME': '/'})[FORM_VARIABLE] == (
        '\x1e0a1b2c\x1f{severity}\x1f{name}\x1f{time_as_nanoseconds}\x1f{message}\x1d0a1b2c'
    )
    assert MARKS.environment_beside({FORM_VARIABLE: '{message}'}) == {}
    assert Marks.fresh() != Marks.fresh()
