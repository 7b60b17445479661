# SPDX-License-Identifier: Apache-2.0
"""The pointing core on bad input at the level of bearings and attitudes: counted, no exception, no motion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading, RateSetpoint
from gremsy_tracker.pointing import bearings
from gremsy_tracker.pointing.pointing_core import Aim, PointingCore
from gremsy_tracker.tracker_parameters import TrackerParameters

NOISE = np.full(2, 0.001)
START = 10**18


def ns(seconds: float) -> int:
    return START + round(seconds * 1e9)


def attitude(at: float, azimuth: float = 0.0, tilt: float = 0.0) -> GimbalAttitude:
    return GimbalAttitude(ns(at), 'camera', quaternion_from_bearing(azimuth, tilt), np.zeros(3))


def see(core: PointingCore, at: float, azimuth: float = 0.1, late: float = 0.05) -> bool:
    core.offer_image(ns(at), ns(at + late))
    return core.offer_bearing(ns(at), np.array([azimuth, 0.0]), NOISE)


def following(**changes: object) -> tuple[PointingCore, float]:
    """A core that follows a target at rest, off to the left of a camera that does not move; and the time."""
    core = PointingCore(TrackerParameters(**changes))
    at = 0.0
    for i in range(30):
        at = i / 30
        core.offer_attitude(attitude(at))
        see(core, at)
        core.setpoint(ns(at + 0.05), Aim.TARGET)
    return core, at


def moves(setpoint: RateSetpoint | None) -> bool:
    return setpoint is not None and (setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s) != (0.0, 0.0)


def test_it_follows_what_it_sees() -> None:
    core, at = following()
    setpoint = core.setpoint(ns(at + 0.06), Aim.TARGET)
    assert setpoint is not None
    assert setpoint.azimuth_rate_rad_s > 0.0
    assert setpoint.stamp_ns == ns(at)
    assert core.still_because == ''
    assert not core.counts()


@pytest.mark.parametrize('broken', [math.nan, math.inf, -math.inf])
def test_a_bearing_or_a_noise_that_is_not_finite_is_counted_and_not_used(broken: float) -> None:
    core, at = following()
    before = core.target.at(ns(at))
    core.offer_image(ns(at + 0.033), ns(at + 0.08))
    assert not core.offer_bearing(ns(at + 0.033), np.array([broken, 0.0]), NOISE)
    assert not core.offer_bearing(ns(at + 0.033), np.zeros(2), np.array([0.001, broken]))
    assert not core.offer_bearing(ns(at + 0.033), np.zeros(2), np.array([0.001, 0.0]))
    assert core.counts()['bearings_not_finite'] == 3
    after = core.target.at(ns(at))
    assert before is not None and after is not None
    assert np.array_equal(before.bearing_rad, after.bearing_rad)


def test_only_nonsense_never_moves_anything() -> None:
    core = PointingCore(TrackerParameters())
    random = np.random.default_rng(1)
    stamps = random.permutation(60) / 30
    for at in stamps:
        core.offer_attitude(replace(attitude(at), level_from_camera_wxyz=np.array([math.nan, 0.0, 0.0, 0.0])))
        core.offer_image(ns(at), ns(at + 0.05))
        core.offer_bearing(ns(at), np.full(2, math.nan), NOISE)
        assert not moves(core.setpoint(ns(at + 0.06), Aim.TARGET))
    assert core.counts()['attitudes_not_finite'] == 60


def test_a_clock_that_is_set_begins_anew_at_rest() -> None:
    core, at = following()
    assert moves(core.setpoint(ns(at + 0.06), Aim.TARGET))
    core.restart_time()
    core.offer_image(ns(at - 100.0), ns(at - 99.95))
    assert core.setpoint(ns(at - 99.95), Aim.TARGET) is None
    for i in range(10):
        core.offer_attitude(attitude(at - 99.9 + i / 30))
        see(core, at - 99.9 + i / 30)
    assert moves(core.setpoint(ns(at - 99.9 + 9 / 30 + 0.06), Aim.TARGET))


@pytest.mark.parametrize(
    ('wait', 'why'),
    [
        (0.25, ''),
        (0.36, 'no gimbal attitude for 0.3 s'),
    ],
)
def test_an_attitude_that_stops_ends_motion(wait: float, why: str) -> None:
    core, at = following()
    steps = round(wait * 100)
    for i in range(1, steps + 1):
        now = at + i / 100
        core.offer_image(ns(now - 0.004), ns(now))
        core.offer_bearing(ns(now - 0.004), np.array([0.1, 0.0]), NOISE)
        setpoint = core.setpoint(ns(now), Aim.TARGET)
    assert moves(setpoint) is (why == '')
    assert core.still_because == why


def test_an_attitude_that_jumps_ends_motion_for_a_while_and_forgets_the_bearings_of_the_frame_before() -> None:
    core, at = following()
    core.offer_attitude(attitude(at + 0.03, azimuth=2.0, tilt=0.5))
    assert core.counts()['attitude_jumps'] == 1
    assert core.target.at(ns(at)) is None
    now = at
    for i in range(1, 20):
        now = at + 0.03 + i / 30
        core.offer_attitude(attitude(now, azimuth=2.0, tilt=0.5))
        see(core, now, azimuth=2.1)
        moved = moves(core.setpoint(ns(now + 0.05), Aim.TARGET))
        assert moved is (i / 30 + 0.05 >= 0.3)


@pytest.mark.parametrize('jump_deg', [-178.0, -30.0, -10.0, 10.0, 30.0, 180.0])
def test_an_azimuth_that_counts_from_elsewhere_in_another_mode_leaves_the_target_where_it_is(jump_deg: float) -> None:
    """Follow to lock and back: the azimuth jumps by the heading, the camera stays, and so does everything it sees."""
    core, at = following()
    before = core.target.at(ns(at))
    jump = math.radians(jump_deg)
    for i in range(1, 20):
        now = at + i / 30
        core.offer_attitude(attitude(now, azimuth=jump))
        seen = core.attitude_at(ns(now - 0.05))  # of a picture from before the change too
        assert seen is not None
        assert math.hypot(*bearings.optical_axis(seen)) < 1e-6
        see(core, now)
        moved = moves(core.setpoint(ns(now + 0.05), Aim.TARGET))
        assert moved is (i / 30 + 0.05 >= 1 / 30 + 0.3)
    assert core.counts() == {'azimuths_counted_anew': 1}
    after = core.target.at(ns(now))
    assert before is not None and after is not None
    assert after.bearing_rad == pytest.approx(before.bearing_rad, abs=1e-4)
    assert abs(math.remainder(core.heading_at(ns(now)) + jump, 2 * math.pi)) < 1e-9
    # And back: home is where it was.
    core.offer_attitude(attitude(now + 0.02))
    assert math.remainder(core.heading_at(ns(now + 0.02)), 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_a_heading_that_is_told_goes_on_through_a_change_of_mode() -> None:
    """In follow the vehicle had turned by 20 degrees; in lock the azimuth counts from north, 50 degrees away."""
    core, at = following()
    for i in range(60):
        now = at + (i + 1) / 50
        locked = i >= 30
        core.offer_heading(LevelHeading(ns(now), 'level', math.radians(20.0), 0.0))
        core.offer_attitude(attitude(now, azimuth=math.radians(50.0) if locked else 0.0))
        assert core.heading_at(ns(now)) == pytest.approx(math.radians(-50.0) if locked else 0.0, abs=1e-9)
        axis = core.attitude_at(ns(now))
        assert axis is not None
        assert bearings.optical_axis(axis) == pytest.approx(np.zeros(2), abs=1e-9)


@pytest.mark.parametrize('gap_s', [0.02, 0.1, 0.2])
def test_a_gimbal_that_starts_as_fast_as_any_does_not_count_from_elsewhere(gap_s: float) -> None:
    core = PointingCore(TrackerParameters())
    core.offer_attitude(attitude(0.0))
    # 400 deg/s^2 up to 60 deg/s, on a link that loses what comes between.
    core.offer_attitude(
        attitude(gap_s, azimuth=math.radians(min(200.0 * gap_s**2, 4.5 + 60.0 * max(gap_s - 0.15, 0.0))))
    )
    assert not core.counts()


def test_an_attitude_that_jumps_all_the_time_never_moves_anything() -> None:
    core = PointingCore(TrackerParameters())
    for i in range(60):
        at = i / 30
        core.offer_attitude(attitude(at, azimuth=2.0 * (-1) ** i))
        see(core, at)
        assert i == 0 or not moves(core.setpoint(ns(at + 0.05), Aim.TARGET))
    assert core.counts()['azimuths_counted_anew'] == 59


def test_repeated_and_unsorted_attitudes_are_counted() -> None:
    core, at = following()
    core.offer_attitude(attitude(at))
    core.offer_attitude(attitude(at - 0.1))
    assert core.counts() == {'attitudes_unsorted': 2}


@pytest.mark.parametrize(
    ('late', 'why'), [(0.74, ''), (0.76, 'the newest image is older than 0.75 s')], ids=['just young', 'just old']
)
def test_nothing_moves_on_an_old_image(late: float, why: str) -> None:
    core = PointingCore(TrackerParameters())
    for i in range(60):
        at = i / 30
        core.offer_attitude(attitude(at + late))
        core.offer_image(ns(at), ns(at + late - 0.001))
        core.offer_bearing(ns(at), np.array([0.1, 0.0]), NOISE)
        setpoint = core.setpoint(ns(at + late), Aim.TARGET)
    assert core.still_because == why
    assert moves(setpoint) is (why == '')


def test_parameters_changed_while_running_bend_the_setpoint_but_do_not_break_it() -> None:
    core, at = following()
    usual = TrackerParameters()
    choices: list[Callable[[], TrackerParameters]] = [
        lambda: replace(usual, gain_per_s=1.0, lag_lead=1.0),
        lambda: replace(usual, target_acceleration_rad_s2=2.0, calm_acceleration_rad_s2=1.0),
        lambda: replace(usual, plant_delay_s=0.2, plant_lag_s=0.2),
        lambda: replace(usual, max_rate_rad_s=0.3),
        lambda: usual,
    ]
    asked = []
    for i in range(100):
        at += 0.02
        if i % 7 == 0:
            core.reconfigure(choices[i // 7 % len(choices)]())
        core.offer_attitude(attitude(at))
        see(core, at, azimuth=0.1 + 0.3 * math.sin(at), late=0.0)
        setpoint = core.setpoint(ns(at), Aim.TARGET)
        assert setpoint is not None
        asked.append((setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s))
    assert np.abs(np.diff(asked, axis=0)).max() <= usual.max_acceleration_rad_s2 * 0.02 + 1e-9
    assert np.ptp(asked) > 0.1


def test_a_divergence_disables_says_why_and_enabling_forgets_it() -> None:
    core, at = following()
    azimuth = rate = 0.0
    # `following` has asked for 50 ms more than it has seen, and its camera never turned: a story of its own.
    at += 0.05
    core.enable(True)
    for _ in range(100):
        at += 0.02
        setpoint = core.setpoint(ns(at), Aim.TARGET)
        asked = 0.0 if setpoint is None else setpoint.azimuth_rate_rad_s
        rate += (asked - rate) * (1 - math.exp(-0.02 / 0.06))
        azimuth -= rate * 0.02
        wrong = replace(attitude(at, azimuth=azimuth), rate_rad_s=np.array([0.0, 0.0, -rate]))
        core.offer_attitude(wrong)
        see(core, at, late=0.0)
    assert not core.enabled
    assert core.counts()['divergences'] == 1
    assert core.still_because.startswith("the gimbal's azimuth turns against what it is asked to")
    assert core.setpoint(ns(at + 0.5), Aim.TARGET) is None
    core.enable(True)
    core.offer_attitude(attitude(at + 0.5, azimuth))
    see(core, at + 0.5, late=0.0)
    core.setpoint(ns(at + 0.51), Aim.TARGET)
    assert core.still_because == ''


def search(core: PointingCore, seconds: float, *, images: bool = True) -> list[RateSetpoint | None]:
    """What is asked for at 50 Hz of a gimbal that turns exactly as asked, from the end of `following` on."""
    asked: list[RateSetpoint | None] = []
    bearing = np.zeros(2)
    for tick in range(round(seconds * 50)):
        at = 1.0 + tick * 0.02
        if images:
            core.offer_image(ns(at), ns(at + 0.05))
        core.offer_attitude(attitude(at + 0.04, *bearing))
        setpoint = core.setpoint(ns(at + 0.05), Aim.SEARCH)
        asked.append(setpoint)
        if setpoint is not None:
            bearing = bearing + np.array([setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s]) * 0.02
    return asked


def test_a_search_goes_round_where_the_target_should_be_at_the_rate_allowed_and_ends_at_home() -> None:
    core, _ = following(search_rate_rad_s=0.2, search_radius_rad=0.3, home_rate_rad_s=0.2, plant_lag_s=0.0)
    core.field_rad = 0.2
    rates = np.array([(s.azimuth_rate_rad_s, s.tilt_rate_rad_s) for s in search(core, 25.0) if s is not None])
    path = np.cumsum(rates, axis=0) * 0.02
    assert len(rates) == 25 * 50
    # The target was at 0.1 rad: the spiral is round it.
    assert 0.1 + 0.2 < path[:, 0].max() < 0.1 + 0.32
    assert -0.32 + 0.1 < path[:, 0].min() < 0.1 - 0.2
    speeds = np.abs(path[110:] - path[100:-10]) / 0.2  # over ten ticks, once the spiral is reached
    assert speeds.max() < 0.2 * 1.1
    assert path[-1] == pytest.approx([0.0, 0.0], abs=0.005)


def test_a_search_without_images_does_not_begin_and_one_that_loses_them_ends() -> None:
    core, _ = following()
    assert not any(moves(each) for each in search(core, 2.0, images=False)[20:])
    assert core.still_because == 'no detections for 0.3 s'


def test_two_threads_that_ask_in_the_other_order_than_they_looked_at_the_clock_forget_nothing() -> None:
    """The worker looks at the clock, the 50 Hz timer looks and asks, then the worker asks."""
    (core, at), (other, _) = following(), following()
    for each in (core, other):
        each.setpoint(ns(at + 0.070), Aim.TARGET)
    late = core.setpoint(ns(at + 0.066), Aim.TARGET)
    in_order = other.setpoint(ns(at + 0.070), Aim.TARGET)
    assert late == in_order
    assert core.setpoint(ns(at + 0.09), Aim.TARGET) == other.setpoint(ns(at + 0.09), Aim.TARGET)
    assert core.still_because == ''


def test_what_a_disarmed_driver_does_not_do_is_neither_predicted_nor_held_against_the_gimbal() -> None:
    """The camera does not move although it is asked to, and then moves against what was asked for meanwhile."""
    core = PointingCore(TrackerParameters())
    core.obey(False)
    turn = 0.0
    for i in range(60):
        at = i / 30
        # Until 1 s it rests, then an operator turns it away from the target.
        turn -= 0.0 if at < 1.0 else 0.02
        core.offer_attitude(replace(attitude(at, turn), rate_rad_s=np.array([0.0, 0.0, 0.0 if at < 1.0 else -0.6])))
        see(core, at)
        assert moves(core.setpoint(ns(at + 0.05), Aim.TARGET))
    assert core.enabled
    assert not core.diverged
    # The first setpoint that counts begins at rest, as if nothing had been asked before.
    core.obey(True)
    setpoint = core.setpoint(ns(at + 0.07), Aim.TARGET)
    assert setpoint is not None
    assert abs(setpoint.azimuth_rate_rad_s) <= TrackerParameters().max_acceleration_rad_s2 * 0.021
