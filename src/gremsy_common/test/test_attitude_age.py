# SPDX-License-Identifier: Apache-2.0
"""The text between tracker and driver about the telemetry's age."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from gremsy_common.types.attitude_age import AttitudeAge, AttitudeAgeError, together

AGE = AttitudeAge(0.0203, 0.0012, 24, 1_790_000_000_000_000_000)


def test_a_text_is_read_as_it_was_written() -> None:
    assert AttitudeAge.from_json(AGE.to_json()) == AGE


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'late_s': 20.3}, 'The attitude age has 20.3 for `late_s`: use seconds, at most 1.'),
        ({'late_s': float('nan')}, 'The attitude age has nan for `late_s`: use seconds, at most 1.'),
        ({'std_s': True}, 'The attitude age has True for `std_s`: use seconds, at most 1.'),
        ({'std_s': -0.1}, 'The attitude age has -0.1 for `std_s`: use seconds, from 0 up.'),
        ({'pictures': 1.5}, 'The attitude age has 1.5 for `pictures`: use a whole number from 0 up.'),
        ({'since_ns': -1}, 'The attitude age has -1 for `since_ns`: use a whole number from 0 up.'),
    ],
)
def test_what_is_no_age_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(AttitudeAgeError) as refused:
        AttitudeAge.from_json(json.dumps({**asdict(AGE), **changes}))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        (
            'soon',
            'The attitude age is not JSON (Expecting value: line 1 column 1 (char 0)): `gimbal/attitude_age` must '
            'come from the tracker.',
        ),
        (
            '{"late_s": 0.02}',
            'The attitude age must have the fields late_s, std_s, pictures, since_ns, but has late_s: run the driver '
            'and the tracker from the same version of the suite.',
        ),
        (
            '[]',
            'The attitude age must have the fields late_s, std_s, pictures, since_ns, but has list: run the driver '
            'and the tracker from the same version of the suite.',
        ),
    ],
)
def test_another_text_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(AttitudeAgeError) as refused:
        AttitudeAge.from_json(text)
    assert str(refused.value) == sentence


def test_two_estimates_count_by_what_they_are_worth() -> None:
    both = together([AttitudeAge(0.020, 0.001, 12, 500), AttitudeAge(0.026, 0.002, 20, 300)])
    assert both.late_s == pytest.approx(0.0212)
    assert both.std_s == pytest.approx(0.001 / 1.25**0.5)
    assert (both.pictures, both.since_ns) == (32, 300)
