# SPDX-License-Identifier: Apache-2.0
"""What may be asked for in one word, and what is said to anything else."""

from __future__ import annotations

import pytest

from gremsy_tracker.lock.target_request import TargetRequest, parse_request


@pytest.mark.parametrize(
    ('text', 'request_', 'said'),
    [
        ('7', TargetRequest(track_id=7), 'track 7'),
        (' 12\n', TargetRequest(track_id=12), 'track 12'),
        ('nearest', TargetRequest(), 'the track nearest to the centre'),
        ('largest', TargetRequest(policy='largest'), 'the largest track'),
        ('class:person', TargetRequest(label='person'), 'the person nearest to the centre'),
        ('nearest: traffic light', TargetRequest(label='traffic light'), 'the traffic light nearest to the centre'),
        ('largest:car', TargetRequest(policy='largest', label='car'), 'the largest car'),
        ('class:7', TargetRequest(label='7'), 'the 7 nearest to the centre'),
    ],
)
def test_requests(text: str, request_: TargetRequest, said: str) -> None:
    assert parse_request(text) == request_
    assert str(request_) == said
    assert parse_request(request_.word) == request_


@pytest.mark.parametrize(
    'text', ['', 'person', 'class:', 'class', 'nearest:', '-1', '1.5', '٣', '9' * 19, 'track:7', ':car']
)
def test_anything_else_is_refused_in_one_sentence_that_says_what_is_known(text: str) -> None:
    with pytest.raises(ValueError, match='names no target') as error:
        parse_request(text)
    assert str(error.value) == (
        f"'{text}' names no target: give a track's id as `tracks` carries it ('7'), a class ('class:person'), "
        "'nearest' or 'largest', or both ('largest:car')."
    )


def test_a_novel_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"^'x{40}\.\.\.' names no target"):
        parse_request('x' * 100_000)
