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
    # A driver of another make, or an older one, does not say from where it takes setpoints.
    assert (not ControlState(armed, holder).unused_because('/robot/eo/gimbal/setpoint')) is obeys
    assert (not ControlState(armed, holder, setpoint_topic='/a/setpoint').unused_because('/a/setpoint')) is obeys


@pytest.mark.parametrize('holder', [NOBODY, 'tracker', 'other'])
def test_a_tracker_that_is_not_the_source_is_not_obeyed(holder: str) -> None:
    state = ControlState(True, holder, setpoint_topic='/robot/ir/gimbal/setpoint')
    assert state.unused_because('/robot/eo/gimbal/setpoint')


@pytest.mark.parametrize(
    ('state', 'why'),
    [
        (ControlState(True, 'tracker'), ''),
        (ControlState(True, 'operator'), 'the operator holds control'),
        (ControlState(True, 'hand_over'), 'the gimbal is being handed over'),
        (ControlState(False, NOBODY), 'the gimbal driver is disarmed'),
        (
            ControlState(False, NOBODY, setpoint_topic='/robot/ir/gimbal/setpoint'),
            'the gimbal driver takes those on /robot/ir/gimbal/setpoint',
        ),
    ],
)
def test_why_a_setpoint_moves_nothing_is_said(state: ControlState, why: str) -> None:
    assert state.unused_because('/robot/eo/gimbal/setpoint') == why


@pytest.mark.parametrize(
    'text', ['{}', '[]', '{"armed": 1, "holder": "tracker"}', '{"armed": true}', 'null', '"armed"']
)
def test_what_is_no_control_state_is_refused(text: str) -> None:
    with pytest.raises(ControlStateError, match='must say `armed`'):
        ControlState.from_json(text)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ControlStateError, match='`gimbal/control` must come from the gimbal driver'):
        ControlState.from_json('armed')
