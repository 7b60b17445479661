# SPDX-License-Identifier: Apache-2.0
"""Every reason that the core counts has a sentence for the first of its kind, or is known to need none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gremsy_tracker
from gremsy_tracker.drop_sentences import COUNTED_ONLY, SENTENCES
from gremsy_tracker.tracker import STAMP_REASONS

# As they are written: dropped['x'] += 1, counts['x'], _drop('x'), ('boxes_x', mask), 'motion_x' (and the like).
_REASON = re.compile(
    r"(?:dropped|counts|total|told)\['(\w+)'|_drop\('(\w+)'|^ +\('(boxes_\w+)', |'(motion_\w+)'|'(stamps_\w+)'"
    r"|'(ranges_\w+)'"
    r"|Counter\(\{'(\w+)'",
    re.MULTILINE,
)


def test_no_reason_is_without_a_sentence_or_a_cause_to_have_none() -> None:
    folder = Path(gremsy_tracker.__file__).parent
    text = '\n'.join(
        path.read_text(encoding='utf-8') for path in folder.rglob('*.py') if path.name != 'drop_sentences.py'
    )
    counted = {next(filter(None, found)) for found in _REASON.findall(text)}
    assert counted == {*SENTENCES, *STAMP_REASONS.values(), *COUNTED_ONLY}


@pytest.mark.parametrize('reason', SENTENCES)
def test_a_sentence_names_the_topic_and_the_way_out(reason: str) -> None:
    _, sentence = SENTENCES[reason]
    said = sentence.format(topic='/eo/some_topic')
    assert re.fullmatch(r'[A-Z][^:]*/eo/some_topic[^:]*: [^:]+\.', said), said
