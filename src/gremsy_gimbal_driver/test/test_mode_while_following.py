# SPDX-License-Identifier: Apache-2.0
"""When the mode changes by itself: while a tracker follows and nothing reports the vehicle's turning, if allowed."""

from __future__ import annotations

import pytest

from gremsy_common.types.control_state import NOBODY, ControlState
from gremsy_gimbal_driver.motion.mode_while_following import ModeWhileFollowing
from gremsy_gimbal_driver.motion.motion_output import GimbalMode

FOLLOW, LOCK = GimbalMode.FOLLOW, GimbalMode.LOCK
TRACKER, REST = ControlState(True, 'tracker'), ControlState(True, NOBODY)
MS = 1_000_000


class Driver:
    """Takes every change at once."""

    def __init__(self, allowed: GimbalMode | None) -> None:
        self.choice = ModeWhileFollowing(allowed)
        self.mode, self.now_ms, self.said = FOLLOW, 0, list[str]()

    def run(self, ms: int, control: ControlState, *, known: bool = False) -> GimbalMode:
        for _ in range(ms // 50):
            self.now_ms += 50
            changed = self.choice.change(control, self.mode, turning_known=known, now_ns=self.now_ms * MS)
            self.mode = self.mode if changed is None else changed
            self.said += [self.choice.sentence] if self.choice.sentence else []
        return self.mode


def test_it_locks_while_a_tracker_follows_and_comes_back_three_seconds_after_it_ended() -> None:
    driver = Driver(LOCK)
    assert driver.run(450, TRACKER) is FOLLOW
    assert driver.run(200, TRACKER) is LOCK
    assert driver.said == ['Nothing reports how the vehicle turns: mode lock while a tracker follows.']
    # In lock it is known how the level frame turns: not at all.
    assert driver.run(5000, TRACKER, known=True) is LOCK
    assert driver.run(2950, REST, known=True) is LOCK
    assert driver.run(100, REST, known=True) is FOLLOW


def test_who_is_found_again_in_time_is_followed_in_the_same_mode() -> None:
    driver = Driver(LOCK)
    driver.run(1000, TRACKER)
    driver.run(2000, REST, known=True)
    driver.run(100, TRACKER, known=True)
    assert driver.run(2900, REST, known=True) is LOCK


@pytest.mark.parametrize(
    ('control', 'known'),
    [(TRACKER, True), (REST, False), (ControlState(True, 'operator'), False), (ControlState(False, 'tracker'), False)],
    ids=['the turning is known', 'nobody moves it', 'the operator does', 'disarmed'],
)
def test_else_the_mode_is_left(control: ControlState, known: bool) -> None:
    driver = Driver(LOCK)
    assert driver.run(5000, control, known=known) is FOLLOW
    assert driver.said == []


def test_what_the_operator_chooses_meanwhile_stays() -> None:
    driver = Driver(LOCK)
    driver.run(1000, TRACKER)
    driver.mode = GimbalMode.MAPPING
    assert driver.run(10_000, REST, known=True) is GimbalMode.MAPPING


def test_where_it_is_not_allowed_that_is_said_once() -> None:
    driver = Driver(None)
    assert driver.run(5000, TRACKER) is FOLLOW
    driver.run(1000, REST)
    driver.run(5000, TRACKER)
    assert driver.said == [
        'Nothing reports how the vehicle turns, and in follow that is taken for the motion of what is followed: '
        'if it turns, feed its attitude (`vehicle_attitude`), or set `mode_while_following` to lock.'
    ]
