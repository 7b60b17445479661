# SPDX-License-Identifier: Apache-2.0
"""Fields after a message, and the form that RCUTILS_CONSOLE_OUTPUT_FORMAT asks for."""

from __future__ import annotations

import logging

import pytest

from gremsy_common.log_lines import DEFAULT_FORM, ConsoleFormatter, console_line, split_fields, with_fields


@pytest.mark.parametrize(
    'fields',
    [
        {},
        {'stamp_ns': 1_700_000_000_123_456_789},
        {'a': -1.5, 'b': True, 'c': None, 'd': 'two words', 'e': [1, 'x=2', [3.5]]},
        {'text': 'a "quote", a \\, a line\nend, a \x1f, ü and \u2028'},
    ],
)
@pytest.mark.parametrize('message', ['Image captured.', '', 'two\nlines', 'with \x1f in it', 'a=1 b="2"'])
def test_fields_come_back_as_they_were(message: str, fields: dict[str, object]) -> None:
    if not fields and '\x1f' in message:
        return  # the next test
    assert split_fields(with_fields(message, **fields)) == (message, fields)


@pytest.mark.parametrize('text', ['no fields', 'a\x1f', 'a\x1f b', 'a\x1f b=', 'a\x1f b=1,', 'a\x1fb=1', 'a\x1f 1=1'])
def test_what_is_no_field_stays_in_the_message(text: str) -> None:
    expected: tuple[str, dict[str, object]] = ('a', {}) if text == 'a\x1f' else (text, {})
    assert split_fields(text) == expected


# What RFC 8259 has no number for but Python reads, what is deeper than its stack, and a dict, which no field is.
@pytest.mark.parametrize(
    'value',
    ['NaN', '-Infinity', '1e999', '[1, NaN]', '{"a": NaN}', '[' * 100_000, '[' * 900 + ']' * 900, '1' * 5000],
    ids=['nan', 'infinity', 'overflow', 'in a list', 'in a dict', 'no end', 'deep', 'long'],
)
def test_what_no_node_of_ours_writes_stays_in_the_message(value: str) -> None:
    text = f'theirs\x1f a={value}'
    assert split_fields(text) == (text, {})


def test_a_field_may_have_any_name() -> None:
    assert split_fields(with_fields('x', message=1)) == ('x', {'message': 1})


def test_a_person_reads_them_too() -> None:
    said = with_fields('Image captured.', stamp_ns=17, source='sim:')
    assert said.replace('\x1f', '') == 'Image captured. stamp_ns=17 source="sim:"'


def test_what_json_has_no_number_for_is_null() -> None:
    said = with_fields('x', a=float('nan'), b=float('-inf'), c=[1.0, float('inf')], d=slice(1))
    assert split_fields(said) == ('x', {'a': None, 'b': None, 'c': [1.0, None], 'd': 'slice(None, 1, None)'})


# The tokens and what they become: rcutils' documentation of RCUTILS_CONSOLE_OUTPUT_FORMAT; the odd forms are those of
# its own test/test_logging_output_format.py, where braces around no token stay as they are.
@pytest.mark.parametrize(
    ('form', 'line'),
    [
        (DEFAULT_FORM, '[WARN] [12.000000345] [robot.eo.camera]: said {name}'),
        ("'{time}' '{time_as_nanoseconds}'", "'12.000000345' '12000000345'"),
        ('{}}].({unknown_token}) {{{{', '{}}].({unknown_token}) {{{{'),
        ('no_tokens', 'no_tokens'),
        ('[{{name}}].({severity}) {message}{', '[{robot.eo.camera}].(WARN) said {name}{'),
    ],
)
def test_a_line_has_the_form_that_rcutils_gives_it(form: str, line: str) -> None:
    assert console_line(form, 'WARN', 'robot.eo.camera', 12_000_000_345, 'said {name}') == line


def test_python_records_have_the_same_form() -> None:
    formatter = ConsoleFormatter('{severity} {name} {message}', 'video')
    record = logging.LogRecord('x', logging.WARNING, 'x.py', 1, 'gone: %s', ('a',), None)
    assert formatter.format(record) == 'WARN video gone: a'
    record.levelno, record.levelname = logging.CRITICAL, 'CRITICAL'
    assert formatter.format(record) == 'FATAL video gone: a'
