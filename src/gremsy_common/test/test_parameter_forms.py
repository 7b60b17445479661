# SPDX-License-Identifier: Apache-2.0
"""What a text parameter may be, held against ROS's own validation of names and against Linux's paths."""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError, ParameterMeta, ParameterSpec, coerce
from gremsy_common.parameters.parameter_forms import TextForm, complaint, given_path

LETTERS = 'ab_Z09/~{} .-é\\'


def refusal(form: TextForm, value: object, kind: type = str) -> str:
    with pytest.raises(ParameterError) as refused:
        coerce(ParameterSpec('it', kind, kind(), ParameterMeta('', form=form)), value)
    return str(refused.value)


def which(shown: str, wrong: str) -> str:
    return f"Parameter `it` is '{shown}', which {wrong}."


@pytest.mark.parametrize('text', ['eo', '/robot/eo', 'robot/eo_2', '_a', ''])
def test_names_that_ros_takes(text):
    assert complaint(TextForm.TOPIC, text) == ''


@pytest.mark.parametrize(
    'text', ['eo/bad name', 'eo/', '/', '//', 'a//b', '~', '~/eo', '2eo', 'eo/2', 'é', '{node}', 'a.b', ' eo', '-']
)
def test_names_that_ros_does_not_take(text):
    assert refusal(TextForm.TOPIC, text) == which(
        f'{text}',
        'is no ROS name: use letters, digits and _, with single / between its parts, '
        'none of which begins with a digit, as in robot/eo',
    )


def test_whatever_is_let_through_is_a_topic_for_ros():
    """rclpy's own checks are the truth; random names of all that is special in them."""
    names = pytest.importorskip('rclpy.validate_topic_name', reason='ROS 2 is not sourced: run ./gremsy test')
    from rclpy.expand_topic_name import expand_topic_name
    from rclpy.validate_full_topic_name import validate_full_topic_name

    dice, taken = random.Random(11), 0
    for _ in range(20_000):
        text = ''.join(dice.choices(LETTERS, k=dice.randint(1, 6)))
        if complaint(TextForm.TOPIC, text):
            continue
        taken += 1
        name = f'{text}/gimbal/setpoint'
        assert names.validate_topic_name(name)
        assert validate_full_topic_name(expand_topic_name(name, 'gimbal_driver', '/a_rather_long_robot'))
    assert taken > 500


@pytest.mark.parametrize('text', ['base', 'robot/base', 'map', 'caméra', 'a.b-c', ''])
def test_frames(text):
    assert complaint(TextForm.FRAME, text) == complaint(TextForm.FRAME_PREFIX, text) == ''
    assert complaint(TextForm.FRAME_PREFIX, f'{text}/' if text else '') == ''


@pytest.mark.parametrize('text', ['/base', 'base/', 'a//b', 'a b', ' ', '/', 'a\u00a0b'])
def test_what_is_no_frame(text):
    shown = text if text.isprintable() else repr(text)[1:-1]
    assert refusal(TextForm.FRAME, text) == which(
        f'{shown}',
        'is no frame: use no spaces, and no / at its beginning or end, as in robot/base',
    )


@pytest.mark.parametrize('text', ['/robot/', '//', 'a b/', '/', 'robot//'])
def test_what_is_no_beginning_of_a_frame(text):
    assert refusal(TextForm.FRAME_PREFIX, text) == which(
        f'{text}',
        'is no beginning of a frame: use no spaces, and no / at its beginning, as in robot/',
    )


def test_a_name_and_a_text_have_an_end():
    assert complaint(TextForm.FREE, 'a' * 1000) == ''
    assert refusal(TextForm.FREE, 'a' * 1001) == which(
        f'{"a" * 100} ...', 'is longer than 1000 characters: use a shorter one'
    )
    assert complaint(TextForm.TOPIC, 'a' * 128) == complaint(TextForm.FRAME, 'a' * 128) == ''
    assert refusal(TextForm.TOPIC, 'a' * 129) == which(
        f'{"a" * 100} ...',
        'is longer than the 128 characters that a name may have here: use a shorter one',
    )


@pytest.mark.parametrize('text', ['film.mp4', '~/film.mp4', '/a b/ü', '.', '/', 'x' * 255, ''])
def test_paths(text):
    assert complaint(TextForm.PATH, text) == ''


def test_paths_longer_than_linux_has_them_and_homes_of_nobody():
    assert len('x' * 255) == os.pathconf('/', 'PC_NAME_MAX')
    assert refusal(TextForm.PATH, 'é' * 128) == which(
        f'{"é" * 100} ...',
        'is longer than a path may be (255 bytes a name): use a shorter one',
    )
    assert refusal(TextForm.PATH, 'a/' * 2048) == which(
        f'{"a/" * 50} ...',
        'is longer than a path may be (255 bytes a name): use a shorter one',
    )
    assert refusal(TextForm.PATH, '~nobody_of_that_name/x') == which(
        '~nobody_of_that_name/x',
        'begins with the home folder of an unknown user: write the whole path',
    )


@pytest.mark.parametrize('form', TextForm)
@pytest.mark.parametrize('text', ['a\nb', 'a\0b', '\x1b[31m', 'a\n', '\ud800'])
def test_no_text_has_a_character_that_cannot_be_seen(form, text):
    assert refusal(form, text) == which(
        f'{repr(text)[1:-1]}',
        'has a line break or another character in it that cannot be seen: leave it out',
    )


@pytest.mark.parametrize(
    ('kind', 'value', 'sentence'),
    [
        (int, 10**400, f'Parameter `it` is 1{"0" * 99} ..., out of its range: use a finite number.'),
        (float, 10**400, 'Parameter `it` is inf, out of its range: use a finite number.'),
        (float, -(10**400), 'Parameter `it` is -inf, out of its range: use a finite number.'),
        (int, 'x' * 200, f"Parameter `it` is '{'x' * 99} ...: use a whole number."),
    ],
)
def test_numbers_and_texts_without_end_are_refused_in_one_short_sentence(kind, value, sentence):
    assert refusal(TextForm.FREE, value, kind) == sentence


def test_a_path_of_a_command_line_may_have_any_name_and_its_home_is_filled_in():
    assert given_path('~/models/a.onnx') == Path.home() / 'models/a.onnx'
    for name in ('a\nb', os.fsdecode(b'\xff'), 'x' * 255):
        assert given_path(name) == Path(name)


@pytest.mark.parametrize(
    ('text', 'wrong'),
    [
        (
            '~nosuchuser/a',
            "'~nosuchuser/a' begins with the home folder of an unknown user: write the whole path",
        ),
        ('x' * 256, f"'{'x' * 100}' is longer than a path may be (255 bytes a name): use a shorter one"),
    ],
)
def test_a_path_of_a_command_line_that_is_none_is_refused(text, wrong):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        given_path(text)
    assert str(refused.value) == wrong
