# SPDX-License-Identifier: Apache-2.0
"""Which range is believed, for how long, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gremsy_common.geometry import Array
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.types.gimbal_state import RangeReading
from gremsy_tracker.place.box_ranges import UprightBox
from gremsy_tracker.place.target_range import RangeSource, TargetRanges
from gremsy_tracker.tracker_parameters import TrackerParameters

T0, MS = 10**18, 1_000_000
# Somebody of 1.7 m, 40 m away, seen level; the box's edges are good to 0.5 mrad, which is 1.7 % of it.
PERSON = UprightBox(-math.atan(0.85 / 40.0), math.atan(0.85 / 40.0), 0.0, 0.0005, 0.001)
SIZE_RAD = np.array([0.6, 1.7]) / 40.0


def ranges(**changes: object) -> TargetRanges:
    return TargetRanges(from_values(TrackerParameters, changes))


def reading(range_m: float, at_ms: int = 0) -> RangeReading:
    return RangeReading(T0 + at_ms * MS, 'camera', range_m, 5.0, 300.0, 0.001)


def sight(
    at_ms: int = 0,
    *,
    upright: UprightBox | None = PERSON,
    off_rad: tuple[float, float] | None = (0.0, 0.0),
    label: str = 'person',
) -> tuple[int, str, UprightBox | None, Array, Callable[[int], Array | None]]:
    return T0 + at_ms * MS, label, upright, SIZE_RAD, lambda _: None if off_rad is None else np.array(off_rad)


def now(at_ms: int) -> int:
    return T0 + at_ms * MS


def test_without_any_source_there_is_no_range() -> None:
    told = ranges()
    told.seen(*sight())
    assert told.at(now(0)) is None


def test_the_source_with_the_smallest_standard_deviation_is_believed() -> None:
    told = ranges(object_heights_m=['person 1.7 0.1'])
    told.seen(*sight())
    by_height = told.at(now(0))
    assert by_height is not None and by_height.source is RangeSource.HEIGHT
    assert by_height.range_m == pytest.approx(40.0, rel=1e-3)
    # 0.1 of 1.7 m are 5.9 %, two edges of 0.5 mrad of 42 are 1.7 %.
    assert by_height.std_m == pytest.approx(40.0 * math.hypot(0.1 / 1.7, math.sqrt(2.0) * 0.0005 / 0.0425), rel=0.01)
    assert told.offer(reading(41.0, 10), now(30))
    told.seen(*sight(60))
    by_finder = told.at(now(10))
    assert by_finder is not None
    assert (by_finder.source, by_finder.range_m, by_finder.std_m) == (RangeSource.FINDER, 41.0, 1.0)


def test_a_range_is_known_worse_the_older_it_is_and_then_not_at_all() -> None:
    told = ranges(range_speed_m_s=3.0, range_max_age_s=0.5)
    told.offer(reading(41.0), now(0))
    told.seen(*sight())
    later = told.at(now(400))
    assert later is not None and later.std_m == pytest.approx(math.hypot(1.0, 3.0 * 0.4))
    assert told.at(now(500)) is not None
    assert told.at(now(501)) is None


@pytest.mark.parametrize(
    ('off_rad', 'used'),
    [((0.0044, 0.0), True), ((0.0046, 0.0), False), ((0.0, -0.0127), True), ((0.0, -0.0128), False), (None, False)],
    ids=['just on it', 'just beside', 'just on its head', 'just above', 'axis not known'],
)
def test_the_finder_tells_the_targets_range_only_while_the_axis_is_well_within_its_box(
    off_rad: tuple[float, float] | None, used: bool
) -> None:
    told = ranges()
    told.offer(reading(41.0), now(0))
    told.seen(*sight(off_rad=off_rad))
    assert (told.at(now(0)) is not None) is used
    assert told.counts == ({} if used else {'ranges_beside_the_target': 1})


def test_a_reading_is_used_once() -> None:
    told = ranges(range_speed_m_s=0.0)
    told.offer(reading(41.0), now(0))
    told.seen(*sight())
    told.forget_target()
    told.seen(*sight(30))
    assert told.at(now(30)) is None, 'it was of the target before'


@pytest.mark.parametrize(
    ('reading_m', 'at_ms', 'now_ms', 'reason'),
    [
        (0.0, 0, 0, 'ranges_unusable'),
        (-3.0, 0, 0, 'ranges_unusable'),
        (math.nan, 0, 0, 'ranges_unusable'),
        (math.inf, 0, 0, 'ranges_out_of_reach'),
        (-math.inf, 0, 0, 'ranges_out_of_reach'),
        (4.9, 0, 0, 'ranges_out_of_reach'),
        (300.1, 0, 0, 'ranges_out_of_reach'),
        (41.0, 0, 1001, 'ranges_stale'),
        (41.0, 1000, 0, 'ranges_stale'),
    ],
)
def test_what_is_no_range_is_refused_and_counted(reading_m: float, at_ms: int, now_ms: int, reason: str) -> None:
    told = ranges()
    assert not told.offer(reading(reading_m, at_ms), now(now_ms))
    told.seen(*sight())
    assert told.at(now(0)) is None
    assert told.counts == {reason: 1}


def test_a_reading_that_is_not_newer_is_refused_and_counted() -> None:
    told = ranges()
    assert told.offer(reading(41.0, 100), now(100))
    assert not told.offer(reading(41.0, 100), now(110))
    assert told.counts == {'ranges_unsorted': 1}
    told.restart_time()
    assert told.offer(reading(41.0, 50), now(60)), 'the clock was set back'


def test_the_wall_behind_is_not_taken_for_the_target() -> None:
    told = ranges(object_heights_m=['person 1.7 0.1'])
    told.offer(reading(120.0), now(0))
    told.seen(*sight())
    believed = told.at(now(0))
    assert believed is not None and believed.source is RangeSource.HEIGHT
    assert told.counts == {'ranges_contradicted': 1}


def test_a_class_without_a_known_height_has_no_range_by_it() -> None:
    told = ranges(object_heights_m=['traffic light 0.9 0.1'])
    told.seen(*sight())
    assert told.at(now(0)) is None
    told.seen(*sight(label='traffic light'))
    assert told.at(now(0)) is not None


def test_a_cut_off_box_tells_no_range_by_its_edges() -> None:
    told = ranges(object_heights_m=['person 1.7 0.1'], camera_height_m=10.0)
    told.seen(*sight(upright=None))
    assert told.at(now(0)) is None


def test_the_ground_tells_where_its_camera_is_high() -> None:
    told = ranges(camera_height_m=10.0)
    foot, middle = math.atan(10.0 / 30.0), math.atan(9.15 / 30.0)
    told.seen(*sight(upright=UprightBox(math.atan(8.3 / 30.0), foot, middle, 0.001, 0.001)))
    believed = told.at(now(0))
    assert believed is not None and believed.source is RangeSource.GROUND
    assert believed.range_m == pytest.approx(math.hypot(30.0, 9.15))


@pytest.mark.parametrize(
    'entry',
    [
        'person',
        'person tall 0.1',
        'person 1.7',
        'person 1.7 1.8',
        'person 0 0',
        '1.7 0.1',
        'person nan 0.1',
        'person inf 0.1',
        'person -1.7 0.1',
        'person 1700 100',
    ],
)
def test_an_entry_that_is_no_height_is_refused_in_a_sentence(entry: str) -> None:
    with pytest.raises(ParameterError) as refused:
        from_values(TrackerParameters, {'object_heights_m': [entry]})
    assert str(refused.value) == (
        f"Parameter `object_heights_m` has '{entry}': give a class, its height and a smaller standard deviation in m, "
        "as 'person 1.7 0.1'."
    )


def test_a_class_that_is_given_twice_is_refused_in_a_sentence() -> None:
    with pytest.raises(ParameterError) as refused:
        from_values(TrackerParameters, {'object_heights_m': ['person 1.7 0.1', ' person 1.2 0.1']})
    assert str(refused.value) == "Parameter `object_heights_m` has 'person' twice: leave one out."


def test_a_class_may_have_spaces_in_it_and_around_it() -> None:
    parameters = from_values(TrackerParameters, {'object_heights_m': ['  traffic light 0.9 0.1 ', 'Fußgänger 1.7 0.1']})
    assert parameters.heights_m() == {'traffic light': (0.9, 0.1), 'Fußgänger': (1.7, 0.1)}


@pytest.mark.parametrize('limits_m', [(0.0, 0.0), (math.nan, math.nan), (0.0, math.nan)])
def test_limits_that_nobody_filled_in_are_none(limits_m: tuple[float, float]) -> None:
    told = ranges()
    assert told.offer(RangeReading(T0, 'camera', 41.0, *limits_m, 0.001), now(0))
    told.seen(*sight())
    assert told.at(now(0)) is not None
