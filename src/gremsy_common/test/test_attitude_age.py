# SPDX-License-Identifier: Apache-2.0
"""The text between tracker and driver about the telemetry's age."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.attitude_age import AttitudeAge, together

AGE = AttitudeAge(0.0203, 0.0012, 24, 1_790_000_000_000_000_000)


def test_a_text_is_read_as_it_was_written() -> None:
    assert AttitudeAge.from_json(AGE.to_json()) == AGE


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'late_s': 20.3}, 'Attitude age `late_s` is 20.3, out of its range: use -1 .. 1 s.'),
        ({'late_s': float('nan')}, 'Attitude age `late_s` is nan, out of its range: use -1 .. 1 s.'),
        ({'std_s': True}, 'Attitude age `std_s` is True: use a number.'),
        ({'std_s': -0.1}, 'Attitude age `std_s` is -0.1, out of its range: use 0 .. 1 s.'),
        ({'pictures': 1.5}, 'Attitude age `pictures` is 1.5: use a whole number.'),
        ({'since_ns': -1}, 'Attitude age `since_ns` is -1, out of its range: use 0 or more ns.'),
    ],
)
def test_what_is_no_age_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError) as refused:
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
    with pytest.raises(ParameterError) as refused:
        AttitudeAge.from_json(text)
    assert str(refused.value) == sentence


def test_two_estimates_count_by_what_they_are_worth() -> None:
    both = together([AttitudeAge(0.020, 0.001, 12, 500), AttitudeAge(0.026, 0.002, 20, 300)])
    assert both.late_s == pytest.approx(0.0212)
    assert both.std_s == pytest.approx(0.001 / 1.25**0.5)
    assert (both.pictures, both.since_ns) == (32, 300)
