# SPDX-License-Identifier: Apache-2.0
"""Who holds control, by source, lease and time to live; an operator's zoom stays, whatever a tracker wishes."""

from __future__ import annotations

import itertools

import pytest

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal
from gremsy_gimbal_driver.motion.command_arbiter import CommandArbiter, HeldCommand, Source, ZoomArbiter
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_driver.motion.notices import Refusal

MS = 1_000_000
S = 1000 * MS
ROS_START = 1_790_000_000_000_000_000


def at(ms: float) -> Instant:
    return Instant(int(ms * MS), ROS_START + int(ms * MS))


def rate(ms: float, azimuth: float = 0.1) -> RateSetpoint:
    return RateSetpoint(at(ms).ros_ns, 'gimbal_level', azimuth, 0.0)


def offered(arbiter: CommandArbiter, source: Source, ms: float) -> HeldCommand:
    return arbiter.offer(source, rate(ms), at(ms))


def test_the_order_is_calibration_operator_tracker_others():
    assert sorted(Source, reverse=True) == [Source.CALIBRATION, Source.OPERATOR, Source.TRACKER, Source.OTHER]


@pytest.mark.parametrize('order', list(itertools.permutations(Source)))
def test_the_highest_source_is_chosen_in_whatever_order_they_come(order):
    arbiter = CommandArbiter(MotionParameters())
    for number, source in enumerate(order):
        offered(arbiter, source, number)
    chosen = arbiter.chosen(at(10))
    assert chosen is not None
    assert chosen.source is arbiter.holder(at(10)) is Source.CALIBRATION


def test_the_newest_wins_within_a_source():
    arbiter = CommandArbiter(MotionParameters())
    first = offered(arbiter, Source.TRACKER, 0)
    second = offered(arbiter, Source.TRACKER, 5)
    assert second.number > first.number
    assert arbiter.chosen(at(6)) == second


@pytest.mark.parametrize(
    ('source', 'lease_s'),
    [
        (Source.OTHER, 0.0),
        (Source.TRACKER, 0.0),
        (Source.OPERATOR, 0.0),
        (Source.OPERATOR, 0.3),
        (Source.CALIBRATION, 0.5),
    ],
)
def test_a_lease_keeps_lower_sources_out_and_moves_nothing_itself(source, lease_s):
    arbiter = CommandArbiter(MotionParameters(operator_lease_s=lease_s))
    offered(arbiter, source, 0)
    end_ms = 200 + lease_s * 1e3
    assert arbiter.chosen(at(199)) is not None
    assert arbiter.chosen(at(200)) is None
    assert arbiter.holder(at(end_ms - 1)) is source
    assert arbiter.holder(at(end_ms)) is None


def test_a_goal_holds_until_it_is_finished_and_has_no_lease_after():
    arbiter = CommandArbiter(MotionParameters())
    held = arbiter.offer(Source.OPERATOR, AngleGoal(0.1, 0.0, 60.0), at(0))
    assert arbiter.expires_ns(held, at(0)) is None
    offered(arbiter, Source.TRACKER, 30_000)
    assert arbiter.chosen(at(30_000)) == held
    arbiter.finish(held.number)
    chosen = arbiter.chosen(at(30_001))
    assert chosen is not None and chosen.source is Source.TRACKER


def test_a_refused_command_ends_what_its_own_source_asked_and_nothing_of_another():
    arbiter = CommandArbiter(MotionParameters())
    offered(arbiter, Source.OPERATOR, 0)
    tracker = offered(arbiter, Source.TRACKER, 0)
    with pytest.raises(Refusal):
        arbiter.offer(Source.OPERATOR, rate(1, float('nan')), at(1))
    assert arbiter.chosen(at(2)) == tracker


def test_a_goal_of_a_lower_source_is_refused_within_the_lease_of_a_higher():
    arbiter = CommandArbiter(MotionParameters())
    offered(arbiter, Source.OPERATOR, 0)
    goal = AngleGoal(0.1, 0.0, 5.0)
    with pytest.raises(Refusal) as refusal:
        arbiter.offer(Source.OTHER, goal, at(600))
    assert str(refusal.value) == 'An angle goal from another source was refused: the operator holds control.'
    assert arbiter.offer(Source.OTHER, goal, at(700)).source is Source.OTHER


def test_before_any_operator_the_tracker_may_zoom() -> None:
    assert ZoomArbiter(5.0).tracker_may(0)


def test_an_operator_keeps_the_tracker_out_for_the_lease_from_the_last_command_on() -> None:
    arbiter = ZoomArbiter(5.0)
    arbiter.operator_zooms(10 * S)
    arbiter.operator_zooms(12 * S)
    assert not arbiter.tracker_may(17 * S - 1)
    assert arbiter.tracker_may(17 * S)
    assert arbiter.refused == 1


def test_without_a_lease_the_newest_wins() -> None:
    arbiter = ZoomArbiter(0.0)
    arbiter.operator_zooms(10 * S)
    assert arbiter.tracker_may(10 * S)
