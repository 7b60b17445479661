# SPDX-License-Identifier: Apache-2.0
"""Parameter files as rcl reads them, and what is said of those that it would refuse with a line of its own source."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.parameters.parameter_sections import read_sections, refuse_unreadable

HEAD = '/**/node:\n  ros__parameters:\n'


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        (
            HEAD + '    a: [1, 2\n    b: 1\n',
            "line 4, column 6: not YAML: while parsing a flow sequence that begins in line 3, expected ',' or "
            "']', but got ':'.",
        ),
        (
            '/**/node:\n\tros__parameters:\n',
            "line 2, column 1: not YAML: while scanning for the next token, found character '\\t' that cannot "
            'start any token (YAML is indented with spaces, never with tabs).',
        ),
        (
            HEAD + '    a: 1\n   b: 2\n',
            'line 4, column 4: not YAML: while parsing a block mapping that begins in line 2, expected <block '
            "end>, but found '<block mapping start>'.",
        ),
        (
            HEAD + "    a: 'open\n",
            'line 4, column 1: not YAML: while scanning a quoted scalar that begins in line 3, found unexpected '
            'end of stream.',
        ),
        (
            HEAD + '    a: \x01\n',
            'line 3, column 8: YAML does not allow the character that stands there.',
        ),
        ('[' * 3000, 'nests deeper than a parameter file can: take brackets out.'),
        (
            'words\n',
            'line 1: not a parameter file: write a node, as `/**/camera:`, below it `ros__parameters:`.',
        ),
        (
            '/**/node:\n  a: 1\n',
            'line 2: `/**/node` has `a` where `ros__parameters:` (with two _) belongs: put that in between.',
        ),
        ('/**/node:\n', 'line 1: `/**/node` has no `ros__parameters:` below it: indent that and the parameters.'),
        (
            'ros__parameters:\n  a: 1\n',
            'line 1: there is no node above `ros__parameters:`: put its name there, as `/**/camera:`.',
        ),
        (
            '/**/node:\n  ros__parameters:\n  a: 1\n',
            'line 2: `ros__parameters:` of `/**/node` has no parameters below it: indent them further, as `a: 1`.',
        ),
        (HEAD + '    a:\n', "line 3: `a` has no value: write '' for an empty text, or leave the line out."),
        (
            HEAD + '    a: [1, 2.5]\n',
            'line 3: `a` mixes whole numbers with others, which ROS does not take: write 1.0 for 1.',
        ),
        (
            HEAD + '    a: [x, 1]\n',
            'line 3: `a` mixes kinds of values, which ROS does not take: put texts into quotes.',
        ),
        (
            HEAD + '    a: [[1], [2]]\n',
            'line 3: `a` is a list of lists or of names with values, which ROS does not take.',
        ),
        (
            '/**/node: &same\n  ros__parameters: {a: 1}\n/**/other: *same\n',
            'line 3: `/**/other` repeats another place (*NAME), which ROS does not accept: write it out.',
        ),
        (HEAD + '    a: 1\n    a: 1\n', 'line 4: `a` is given twice, first in line 3: keep one of them.'),
    ],
)
def test_a_file_that_cannot_be_used(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError) as caught:
        read_sections(path)
    assert str(caught.value).removeprefix(f'{path}').lstrip(', ') == sentence


def test_what_is_no_text_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_bytes(b'\xff\xfe')
    with pytest.raises(ParameterError) as caught:
        read_sections(path)
    assert str(caught.value) == f'The parameter file {path} is no text in UTF-8: save it as such.'
    with pytest.raises(ParameterError) as caught:
        read_sections(tmp_path)
    assert str(caught.value) == f'The parameter file {tmp_path} cannot be read (Is a directory).'


@pytest.mark.parametrize(
    ('written', 'value'),
    [
        # What rcl_yaml_param_parser's get_value makes of them (parse.c of Jazzy); YAML 1.1 takes some otherwise.
        ('off', False),
        ('Y', True),
        ("'off'", 'off'),
        ('12', 12),
        ('-0x1F', -31),
        ('017', 15),
        ('08', 8.0),
        ('1e3', 1000.0),
        ('.5', 0.5),
        ('-.inf', -math.inf),
        ('1_000', '1_000'),
        ('12:30:00', '12:30:00'),
        ('2026-01-31', '2026-01-31'),
        ('~', '~'),
        ('9223372036854775808', 9223372036854775808.0),
        ('1e999', '1e999'),
        ("''", ''),
        ('[1, 2]', [1, 2]),
        ('[]', []),
    ],
)
def test_values_are_those_that_the_nodes_get(written: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / 'own.yaml'
    path.write_text(f'{HEAD}    a: {written}\n')
    (section,) = read_sections(path)
    got = section.parameters['a'].value
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ('given', 'sentence'),
    [
        ('a=1', "'-p a=1' sets no parameter: write -p NAME:=VALUE."),
        ('a:=', "'-p a:=' has no value: write \"''\" for an empty text."),
        (
            'a:=[1',
            "'-p a:=[1', line 1, column 3: not YAML: while parsing a flow sequence, expected ',' or ']', but "
            "got '<stream end>'.",
        ),
        ('a:=b: 2', "'-p a:=b: 2' gives a name with a value for a value: put it into quotes."),
        (
            'a:=[1, 2.5]',
            "'-p a:=[1, 2.5]': `a` mixes whole numbers with others, which ROS does not take: write 1.0 for 1.",
        ),
        ('use_sim_time:=maybe', "'-p use_sim_time:=maybe': `use_sim_time` is 'maybe': use true or false."),
        ('node:use_sim_time:=1', "'-p node:use_sim_time:=1': `node:use_sim_time` is 1: use true or false."),
    ],
)
def test_a_value_of_the_command_line_that_cannot_be_read(given: str, sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        refuse_unreadable(['node', '--ros-args', '-p', given])
    assert str(caught.value) == sentence


def test_values_of_the_command_line_that_can_be_read() -> None:
    words = ['a:=1', "b:='x: y'", 'node:c:=[1.0, 2.0]', 'd:=sim:/videos/street.mp4', "e:=''", 'f:=rtsp://h/p?a=1&b=2']
    refuse_unreadable(['node', '--ros-args', *(part for word in words for part in ('-p', word))])
