# SPDX-License-Identifier: Apache-2.0
"""Stamps that cannot be true: each kind is told from the others, counted, and said with its number."""

from __future__ import annotations

import pytest

from gremsy_common.timing.stamp_check import StampCheck, StampKind, duration

NOW = 1_790_000_000_000_000_000
MS = 1_000_000
SECOND = 1000 * MS
HOUR = 3600 * SECOND
CLOCKS = "see that every machine's clock is set (chrony), and that `use_sim_time` is the same everywhere"


def said(fault):
    return None if fault is None else fault.sentence('/robot/eo/image_raw')


@pytest.mark.parametrize(
    ('stamp_ns', 'kind', 'sentence'),
    [
        (
            0,
            StampKind.ZERO,
            'On /robot/eo/image_raw images are stamped 0: '
            "let their publisher set header.stamp to when each was captured, by this machine's clock.",
        ),
        (
            NOW + 10 * SECOND,
            StampKind.AHEAD,
            f"On /robot/eo/image_raw images are stamped 10.0 s ahead of this machine's clock: {CLOCKS}.",
        ),
        (
            NOW - 3 * HOUR,
            StampKind.BEHIND,
            f"On /robot/eo/image_raw images are stamped 3.0 h behind this machine's clock: {CLOCKS}.",
        ),
        # A clock that counts from the machine's start, as V4L2's does.
        (
            2 * HOUR,
            StampKind.BEHIND,
            f"On /robot/eo/image_raw images are stamped 20718 days behind this machine's clock: {CLOCKS}.",
        ),
    ],
)
def test_a_stamp_of_another_clock_is_said_with_how_far_off_it_is(stamp_ns, kind, sentence):
    check = StampCheck()
    fault = check.look(stamp_ns, NOW)
    assert (fault.kind, said(fault)) == (kind, sentence)
    assert check.counts == {kind: 1}


@pytest.mark.parametrize('late_ns', [-100 * MS, 0, 40 * MS, 5 * SECOND])
def test_a_little_early_and_a_delayed_link_are_no_fault(late_ns):
    check = StampCheck()
    assert [check.look(NOW + number * 33 * MS - late_ns, NOW + number * 33 * MS) for number in range(9)] == [None] * 9
    assert not check.counts


def test_just_beyond_either_limit_is_a_fault():
    assert StampCheck().look(NOW + 101 * MS, NOW).text == "images are stamped 0.101 s ahead of this machine's clock"
    assert StampCheck().look(NOW - 5001 * MS, NOW).text == "images are stamped 5.0 s behind this machine's clock"


def test_a_frozen_stamp_is_counted_image_by_image_and_mended_by_the_next_one():
    check = StampCheck()
    assert check.look(NOW, NOW) is None
    faults = [check.look(NOW, NOW + number * 33 * MS) for number in range(1, 4)]
    assert [fault.text for fault in faults] == [f'the last {number} images have the same stamp' for number in (2, 3, 4)]
    assert said(faults[0]) == (
        'On /robot/eo/image_raw the last 2 images have the same stamp: '
        'let the camera stamp each image when it was captured, and see that nobody else publishes there.'
    )
    assert check.look(NOW + 133 * MS, NOW + 133 * MS) is None
    assert check.counts == {StampKind.FROZEN: 3}
    assert check.look(NOW + 133 * MS, NOW + 166 * MS).text == 'the last 2 images have the same stamp'


def test_stamps_that_go_backwards_are_said_against_the_newest():
    check = StampCheck()
    check.look(NOW, NOW)
    fault = check.look(NOW - 20 * MS, NOW + 33 * MS)
    assert said(fault) == (
        'On /robot/eo/image_raw images are stamped 0.020 s before one that came earlier: '
        'see that nobody else publishes there, and that no clock is set back.'
    )
    # Two publishers take turns: the second is still older than the first's.
    assert check.look(NOW - 10 * MS, NOW + 66 * MS).kind is StampKind.BACKWARDS
    assert check.look(NOW + 33 * MS, NOW + 66 * MS) is None


def test_a_clock_that_was_set_back_is_said_once_and_its_time_goes_on():
    check = StampCheck()
    check.look(NOW, NOW)
    later = NOW - 2 * SECOND
    assert check.look(later, later).text == 'images are stamped 2.0 s before one that came earlier'
    assert [check.look(later + number * 33 * MS, later + number * 33 * MS) for number in range(1, 5)] == [None] * 4


def test_a_stamp_that_was_ahead_does_not_make_the_next_true_one_late():
    check = StampCheck()
    check.look(NOW, NOW)
    check.look(NOW + HOUR, NOW + 33 * MS)
    check.look(0, NOW + 50 * MS)
    assert check.look(NOW + 66 * MS, NOW + 66 * MS) is None


@pytest.mark.parametrize(
    ('span_ns', 'text'),
    [
        (1, '0.000 s'),
        (999 * MS, '0.999 s'),
        (SECOND, '1.0 s'),
        (119 * SECOND, '119.0 s'),
        (120 * SECOND, '2 min'),
        (2 * HOUR, '2.0 h'),
        (48 * HOUR, '2 days'),
    ],
)
def test_a_duration_is_said_in_the_unit_that_fits(span_ns, text):
    assert duration(span_ns) == text
