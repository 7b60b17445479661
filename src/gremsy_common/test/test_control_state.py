# SPDX-License-Identifier: Apache-2.0
"""The control state goes over the topic unchanged, and nonsense is refused with a sentence."""

from __future__ import annotations

import json

import pytest

from gremsy_common.types.control_state import NOBODY, ControlState, ControlStateError


def test_the_round_trip_is_exact() -> None:
    state = ControlState(True, 'operator', 'follow', 'confirmed', 'moving')
    assert ControlState.from_json(state.to_json()) == state


def test_what_a_newer_driver_says_beside_it_is_left_out() -> None:
    text = json.dumps({'armed': True, 'holder': 'tracker', 'battery': 0.5})
    assert ControlState.from_json(text) == ControlState(True, 'tracker')


@pytest.mark.parametrize(
    ('armed', 'holder', 'obeys'),
    [
        (True, NOBODY, True),
        (True, 'tracker', True),
        (True, 'other', True),
        (True, 'operator', False),
        (True, 'calibration', False),
        (False, NOBODY, False),
        (False, 'tracker', False),
    ],
)
def test_the_tracker_is_obeyed_where_it_is_armed_and_nobody_greater_has_it(
    armed: bool, holder: str, obeys: bool
) -> None:
    assert ControlState(armed, holder).obeys_tracker is obeys


@pytest.mark.parametrize(
    'text', ['{}', '[]', '{"armed": 1, "holder": "tracker"}', '{"armed": true}', 'null', '"armed"']
)
def test_what_is_no_control_state_is_refused(text: str) -> None:
    with pytest.raises(ControlStateError, match='must say `armed`'):
        ControlState.from_json(text)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ControlStateError, match='`gimbal/control` must come from the gimbal driver'):
        ControlState.from_json('armed')
