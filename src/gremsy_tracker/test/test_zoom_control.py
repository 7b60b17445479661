# SPDX-License-Identifier: Apache-2.0
"""When the zoom is asked to change, and when it is left alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.camera_model import CameraModel
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.zoom import ZoomControl, ZoomView

ON = TrackerParameters(zoom_control=True)
FIELD_RAD = math.radians(40.0)
MS = 1_000_000


def camera_at(zoom: float) -> CameraModel:
    return CameraModel.from_horizontal_field(640, 480, 2 * math.atan(math.tan(FIELD_RAD / 2) / zoom))


def sight(
    at_ms: int = 1_000,
    *,
    zoom: float = 1.0,
    share: float | None = 0.35,
    offset_deg: float = 0.0,
    std_deg: float = 0.05,
) -> ZoomView:
    """A target whose height is that share of the frame's; off to the left by an angle."""
    size = None if share is None else np.array([20.0, share * 480.0])
    offset, std = np.radians([offset_deg, 0.0]), np.radians([std_deg, std_deg])
    return ZoomView(at_ms * MS, zoom, camera_at(zoom), size, offset, std)


def follow(control: ZoomControl, share_at_1: float, seconds: float, zoom: float = 1.0) -> list[float]:
    """The zoom at each tenth of a second with a lens that obeys at once and a target that grows with it."""
    zooms = []
    for at_ms in range(1_000, 1_000 + round(seconds * 1e3), 100):
        asked = control.update(sight(at_ms, zoom=zoom, share=min(1.0, share_at_1 * zoom)))
        zoom = zoom if asked is None else asked
        zooms.append(zoom)
    return zooms


def test_it_is_off_unless_asked_for() -> None:
    assert ZoomControl(TrackerParameters()).update(sight(share=0.05)) is None


@pytest.mark.parametrize(('share', 'asks'), [(0.35, False), (0.26, False), (0.24, True), (0.48, False), (0.50, True)])
def test_a_share_within_the_hysteresis_is_left_alone(share: float, asks: bool) -> None:
    assert (ZoomControl(ON).update(sight(zoom=2.0, share=share)) is not None) is asks


@pytest.mark.parametrize(('share_at_1', 'wanted'), [(0.1, 3.5), (0.02, 6.0), (0.6, 1.0)])
def test_it_ends_where_the_target_has_its_share_or_the_zoom_its_limit(share_at_1: float, wanted: float) -> None:
    zooms = follow(ZoomControl(ON), share_at_1, 10.0, zoom=2.0)
    # Half-way back into the band, in the logarithm, is near enough.
    assert abs(math.log(zooms[-1] / wanted)) < math.log(math.sqrt(ON.zoom_hysteresis)) + 1e-6
    assert zooms[-1] == zooms[-20]
    assert ON.zoom_min <= min(zooms) and max(zooms) <= ON.zoom_max


def test_once_it_moves_it_goes_on_until_well_inside_the_band() -> None:
    (asked, *_) = (zoom for zoom in follow(ZoomControl(ON), 0.11, 10.0, zoom=2.0)[::-1])
    share = 0.11 * asked
    assert ON.zoom_target_share / share < math.sqrt(ON.zoom_hysteresis)


def test_it_zooms_no_faster_than_its_rate() -> None:
    zooms = np.array(follow(ZoomControl(ON), 0.02, 3.0))
    per_step = np.log(zooms[1:] / zooms[:-1])
    assert per_step.max() <= ON.zoom_rate_per_s * 0.2 + 1e-9
    assert np.log(zooms[-1]) == pytest.approx(ON.zoom_rate_per_s * 3.0, rel=0.1)


def test_a_slow_lens_is_asked_for_the_way_on_not_for_what_it_already_has() -> None:
    control = ZoomControl(ON)
    asked = [control.update(sight(1_000 + 200 * step, zoom=1.0, share=0.1)) for step in range(3)]
    assert asked == pytest.approx([math.exp(0.1), math.exp(0.2), math.exp(0.3)])


def test_an_uncertain_bearing_zooms_out_though_the_target_is_small() -> None:
    control = ZoomControl(ON)
    assert control.update(sight(zoom=4.0, share=0.1, std_deg=0.05)) > 4.0
    control.rest()
    assert control.update(sight(zoom=4.0, share=0.1, std_deg=3.0)) < 4.0


def test_a_target_that_is_not_seen_zooms_out_as_its_place_grows_uncertain() -> None:
    control = ZoomControl(ON)
    assert control.update(sight(zoom=4.0, share=None, std_deg=0.05)) is None
    assert control.update(sight(1_300, zoom=4.0, share=None, std_deg=2.0)) < 4.0


def test_a_target_near_the_edge_zooms_out() -> None:
    assert ZoomControl(ON).update(sight(zoom=2.0, offset_deg=9.0)) < 2.0


def test_going_in_for_the_size_and_out_for_the_room_do_not_take_turns() -> None:
    control, zoom, zooms = ZoomControl(ON), 1.0, []
    random = np.random.default_rng(1)
    for at_ms in range(1_000, 31_000, 100):
        std = 1.0 + 0.05 * random.normal()
        asked = control.update(sight(at_ms, zoom=zoom, share=0.02 * zoom, std_deg=std, offset_deg=0.2))
        zoom = zoom if asked is None else asked
        zooms.append(zoom)
    settled = np.array(zooms[150:])
    turns = np.diff(np.sign(np.diff(settled)[np.diff(settled) != 0.0]))
    assert np.count_nonzero(turns) <= 2
    assert settled.max() / settled.min() < 1.15


def test_rest_and_a_long_pause_forget_what_was_asked_for() -> None:
    control = ZoomControl(ON)
    control.update(sight(zoom=1.0, share=0.1))
    # Somebody else zoomed in meanwhile: it goes on from there.
    assert control.update(sight(6_000, zoom=3.0, share=0.1)) == pytest.approx(3.0 * math.exp(0.1))
    control.rest()
    assert control.update(sight(6_100, zoom=2.0, share=0.1)) == pytest.approx(2.0 * math.exp(0.1))


def test_a_clock_that_jumps_back_does_not_hold_it_up() -> None:
    control = ZoomControl(ON)
    assert control.update(sight(100_000, share=0.1)) is not None
    assert control.update(sight(1_000, share=0.1)) is not None


@pytest.mark.parametrize(
    'broken',
    [
        replace(sight(share=0.1), zoom=math.nan),
        replace(sight(share=0.1), zoom=0.0),
        replace(sight(share=0.1), offset_rad=np.array([math.nan, 0.0])),
        replace(sight(share=0.1), std_rad=np.array([0.0, math.inf])),
        replace(sight(share=0.1), size_px=np.array([math.nan, 1.0])),
        replace(sight(share=0.1), size_px=np.zeros(2)),
        replace(sight(share=0.1), camera=CameraModel(640, 480, 0.0, 0.0, 320.0, 240.0)),
    ],
)
def test_nonsense_asks_for_nothing(broken: ZoomView) -> None:
    assert ZoomControl(ON).update(broken) is None


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        (
            {'zoom_min': 7.0},
            'Parameter `zoom_min` is 7, above `zoom_max` 6: lower it or raise the other.',
        ),
        (
            {'zoom_target_share': 0.8},
            'Parameters `zoom_target_share` 0.8 and `zoom_hysteresis` 1.4 let a target fill the whole frame before it '
            'is zoomed out: lower one.',
        ),
    ],
)
def test_limits_that_contradict_each_other_are_refused(changes: dict[str, float], sentence: str) -> None:
    with pytest.raises(ParameterError) as refused:
        TrackerParameters(**changes).check()
    assert str(refused.value) == sentence
