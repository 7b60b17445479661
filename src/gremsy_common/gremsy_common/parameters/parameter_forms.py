# SPDX-License-Identifier: Apache-2.0
"""What the text of a parameter must look like, by what becomes of it: part of a topic's name, a frame, a path."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import unicodedata
from collections.abc import Callable
from enum import Enum
from pathlib import Path

_TOPIC = re.compile(r'/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')
_NO_TOPIC = (
    'is no ROS name: use letters, digits and _, with single / between its parts, none of which begins with a digit, as '
    'in robot/eo'
)
_LONGEST_NAME = 128
"""Of ROS's 255 characters of a topic's full name; the rest is for the namespace and the topic's own name."""
_LONGEST_TEXT = 1000
_LONGEST_PART_BYTES, _LONGEST_PATH_BYTES = 255, 4095  # NAME_MAX and PATH_MAX of Linux, without its end
_LONGEST_SHOWN = 100


class TextForm(Enum):
    """Of a text parameter; an empty text is left to the parameter's own meaning."""

    FREE = 'free'
    TOPIC = 'topic'
    FRAME = 'frame'
    FRAME_PREFIX = 'frame prefix'
    PATH = 'path'


def complaint(form: TextForm, text: str) -> str:
    """What is wrong with it and the way out, to be put behind the text; empty for nothing."""
    if any(unicodedata.category(character) in ('Cc', 'Cs') for character in text):
        return 'has a line break or another character in it that cannot be seen: leave it out'
    if not text:
        return ''
    if form is TextForm.FREE:
        return '' if len(text) <= _LONGEST_TEXT else f'is longer than {_LONGEST_TEXT} characters: use a shorter one'
    if form is TextForm.PATH:
        return path_complaint(text)
    if len(text) > _LONGEST_NAME:
        return f'is longer than the {_LONGEST_NAME} characters that a name may have here: use a shorter one'
    if form is TextForm.TOPIC:
        return '' if _TOPIC.fullmatch(text) else _NO_TOPIC
    bare = text.removesuffix('/') if form is TextForm.FRAME_PREFIX else text
    parts = bare.split('/')
    if all(parts) and not any(character.isspace() for character in text):
        return ''
    if form is TextForm.FRAME_PREFIX:
        return 'is no beginning of a frame: use no spaces, and no / at its beginning, as in robot/'
    return 'is no frame: use no spaces, and no / at its beginning or end, as in robot/base'


def given_path(text: str) -> Path:
    """A path of a command line, with `~` filled in (no shell does so in `--out=~/models`); a `type` of argparse.

    Raises:
        argparse.ArgumentTypeError: for what is no path.
    """
    wrong = path_complaint(text)
    if wrong:
        raise argparse.ArgumentTypeError(f"'{text[:_LONGEST_SHOWN]}' {wrong}")
    return Path(text).expanduser()


def given_number(low: float, high: float) -> Callable[[str], float]:
    """A number of a command line between the two; a `type` of argparse."""

    def number(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"give a number from {low:g} to {high:g}, not '{text[:_LONGEST_SHOWN]}'")

    return number


def path_complaint(text: str) -> str:
    """As `complaint`, of a path alone: on a command line its names may have any characters."""
    if len(os.fsencode(text)) > _LONGEST_PATH_BYTES or any(
        len(os.fsencode(part)) > _LONGEST_PART_BYTES for part in text.split('/')
    ):
        return f'is longer than a path may be ({_LONGEST_PART_BYTES} bytes a name): use a shorter one'
    try:
        Path(text).expanduser()
    except RuntimeError:
        return 'begins with the home folder of an unknown user: write the whole path'
    return ''
