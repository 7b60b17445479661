# SPDX-License-Identifier: Apache-2.0
"""What must be visible where; how it looks is for eyes."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_tracker.display.overlay import draw_overlay
from gremsy_tracker.display.overlay_pen import Pen, TagPlacer
from gremsy_tracker.display.tracker_view import TrackerView
from gremsy_tracker.lock.target_lock import LockState, LockStatus
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]
ORANGE, YELLOW, SKY, ALARM = (0, 159, 230), (66, 228, 240), (233, 180, 86), (60, 110, 240)
TARGET, OTHER = [300.0, 150, 360, 300], [100.0, 150, 160, 300]
BAR_PX = 40  # at 480 rows
SIZES = [(480, 640), (1080, 1920), (2160, 3840)]


def view(boxes: Array, state: LockState = LockState.TRACKING, **changes: object) -> TrackerView:
    count = len(boxes)
    labels = np.array(['person'] * count, dtype=np.str_)
    tracks = Tracks(0, '', boxes, np.full(count, 0.8), labels, np.arange(1, count + 1))
    own = {name: changes.pop(name) for name in ('ids', 'labels', 'scores') if name in changes}
    made = TrackerView(
        stamp_ns=0,
        tracks=replace(tracks, **own),
        status=LockStatus(state, 'chosen by click', 1, 'person'),
        enabled=True,
        still_because='',
        predicted_px=np.array([420.0, 200.0]),
        target_size_px=np.array([60.0, 150.0]),
        target_bearing_rad=None,
        target_std_rad=None,
        gimbal_bearing_rad=None,
        error_rad=math.radians(0.3),
        latency_s=0.09,
        zoom=1.0,
        camera=None,
        level_from_camera=None,
        track_bearings_rad=None,
    )
    return replace(made, **changes)


def grey(height: int = 480, width: int = 640, level: int = 90) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, dtype=np.uint8)


def at(drawn: NDArray[np.uint8], colour: tuple[int, int, int], near: int = 12) -> NDArray[np.bool_]:
    """(height, width) where that colour is."""
    return (np.abs(drawn.astype(int) - colour) <= near).all(axis=2)


@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_the_picture_itself_is_left_alone_and_the_lock_is_the_only_warm_colour(height: int, width: int) -> None:
    image = grey(height, width)
    image.flags.writeable = False
    scale = height / 480
    drawn = draw_overlay(image, view(scale * np.array([TARGET, OTHER]), predicted_px=scale * np.array([420.0, 200])))
    assert drawn.shape == image.shape
    assert (image == 90).all()
    below = drawn[int(BAR_PX * scale) + 1 :]
    blue, red = below[..., 0].astype(int), below[..., 2].astype(int)
    warm, cool = np.argwhere(red > blue + 100), np.argwhere(blue > red + 60)
    assert warm[:, 1].min() > 280 * scale
    assert 90 * scale < cool[:, 1].min() < 110 * scale


@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_strokes_and_words_grow_with_the_picture(height: int, width: int) -> None:
    """The same scene covers about the same share of a picture of any size."""
    scale = height / 480
    boxes = scale * np.array([TARGET, OTHER]) + [(width - 640 * scale) / 2, 0] * 2
    touched = (draw_overlay(grey(height, width), view(boxes, predicted_px=None)) != 90).any(axis=2)
    touched = touched[:, : round(640 * scale)]
    reference = (draw_overlay(grey(), view(np.array([TARGET, OTHER]), predicted_px=None)) != 90).any(axis=2)
    assert touched[round(BAR_PX * scale) :].mean() == pytest.approx(reference[BAR_PX:].mean(), rel=0.4)


@pytest.mark.parametrize('level', [0, 60, 128, 190, 255])
@pytest.mark.parametrize('state', list(LockState))
def test_on_any_ground_there_are_dark_and_light_strokes_around_a_box(level: int, state: LockState) -> None:
    drawn = draw_overlay(grey(level=level), view(np.array([TARGET, OTHER]), state))
    around = drawn[140:310, 90:170].astype(int).sum(axis=2)
    brightest, darkest = int(around.max()), int(around.min())
    assert brightest > 3 * level + 150 or darkest < 3 * level - 150
    assert brightest - darkest > 300


def test_a_target_that_is_not_seen_is_dashed_in_another_colour_where_it_is_predicted() -> None:
    drawn = draw_overlay(grey(), view(np.array([OTHER]), LockState.COASTING, ids=np.array([7])))
    assert not at(drawn[BAR_PX:], ORANGE).any()
    left_edge = at(drawn[125:275], YELLOW)[:, 388:393].any(axis=1)  # 420 - 60 / 2 = 390
    changes = np.count_nonzero(np.diff(left_edge.astype(int)))
    assert 0.4 < left_edge.mean() < 0.85
    assert changes >= 12


def test_a_target_that_is_seen_is_not_dashed() -> None:
    drawn = draw_overlay(grey(), view(np.array([TARGET]), predicted_px=None))
    corner = at(drawn[152:166], ORANGE)[:, 298:303].any(axis=1)
    assert corner.all()


def test_lost_has_a_border_and_no_other_state_has() -> None:
    for state in LockState:
        drawn = draw_overlay(grey(), view(np.array([OTHER]), state, predicted_px=None))
        border = np.concatenate([drawn[-1], drawn[:, 0], drawn[:, -1]])
        assert bool(at(border[None], ALARM).all()) is (state is LockState.LOST)


def test_the_crosshair_is_at_the_optical_axis_not_at_the_pictures_middle() -> None:
    camera = CameraModel(640, 480, 800.0, 800.0, 350.0, 260.0)
    drawn = draw_overlay(grey(level=0), view(np.zeros((0, 4)), LockState.IDLE, predicted_px=None, camera=camera))
    rows, columns = np.nonzero(drawn[BAR_PX:].min(axis=2) > 80)
    assert (rows.min() + rows.max() + 1) / 2 + BAR_PX == pytest.approx(260.0, abs=0.6)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(350.0, abs=0.6)


@pytest.mark.parametrize(
    ('predicted', 'rows', 'columns'),
    [
        ([900.0, 260.0], slice(230, 280), slice(610, 640)),
        ([320.0, 9000.0], slice(450, 480), slice(305, 335)),
        ([-50.0, 240.0], slice(225, 255), slice(0, 30)),
        ([320.0, -50.0], slice(BAR_PX, BAR_PX + 30), slice(305, 335)),
    ],
)
def test_an_arrow_points_to_a_target_out_of_the_picture(predicted: list[float], rows: slice, columns: slice) -> None:
    nobody = np.zeros((0, 4))
    drawn = draw_overlay(grey(), view(nobody, LockState.COASTING, predicted_px=np.array(predicted)))
    place = at(drawn[BAR_PX:], YELLOW)
    assert at(drawn, YELLOW)[rows, columns].sum() > 60
    assert place.sum() == at(drawn, YELLOW)[rows, columns].sum()


def test_tags_lie_inside_the_picture_below_the_bar_and_on_no_other() -> None:
    random = np.random.default_rng(5)
    placer = TagPlacer(640, 480, np.array([0.0, 0, 640, 40]))
    found = []
    for _ in range(200):
        middle, half = random.uniform([-50, -50], [690, 530]), random.uniform(5, 120, 2)
        place = placer.place(np.concatenate([middle - half, middle + half]), (random.uniform(40, 110), 14.0))
        found += [] if place is None else [place]
    tags = np.array(found)
    assert 60 < len(tags) < 200  # a picture has room for so many
    assert (tags[:, :2] >= [0, 40]).all()
    assert (tags[:, 2:] <= [640, 480]).all()
    over = (tags[:, None, :2] < tags[None, :, 2:]).all(axis=2) & (tags[:, None, 2:] > tags[None, :, :2]).all(axis=2)
    assert over.sum() == len(tags)


def test_a_tag_is_above_its_box_where_there_is_room_else_below_and_the_targets_is_always_there() -> None:
    bar = np.array([0.0, 0, 640, 40])
    assert TagPlacer(640, 480, bar).place(np.array([100.0, 200, 150, 300]), (80, 14)).tolist() == [100, 186, 180, 200]
    assert TagPlacer(640, 480, bar).place(np.array([100.0, 45, 150, 300]), (80, 14)).tolist() == [100, 300, 180, 314]
    crowded = TagPlacer(640, 480, np.array([0.0, 0, 640, 480]))
    assert crowded.place(np.array([100.0, 200, 150, 300]), (80, 14)) is None
    assert crowded.place(np.array([100.0, 200, 150, 300]), (80, 14), always=True) is not None


def test_words_that_do_not_fit_are_cut_and_say_so() -> None:
    pen = Pen(grey())
    long = 'the target cannot be seen for a reason that takes a while to tell'
    short = pen.fitted(long, 0.4, 150.0)
    assert short.endswith('..')
    assert long.startswith(short[:-2])
    assert pen.text_size(short, 0.4)[0] <= 150.0
    assert pen.text_size(long[: len(short) + 2], 0.4)[0] > 140.0
    assert pen.fitted('short', 0.4, 150.0) == 'short'
    assert pen.fitted(long, 0.4, 1.0) == ''


def bar_of(shown: TrackerView, monkeypatch: pytest.MonkeyPatch, width: int = 640) -> str:
    """Everything that is written into a picture."""
    written = []
    put = cv2.putText
    with monkeypatch.context() as patch:
        patch.setattr(cv2, 'putText', lambda canvas, text, *rest: written.append(text) or put(canvas, text, *rest))
        draw_overlay(grey(480, width), shown)
    return ' | '.join(written)


def test_the_bar_says_state_target_figures_and_why_it_is_still(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = np.array([TARGET])
    moving = bar_of(view(boxes, zoom=2.0), monkeypatch)
    for words in ('TRACKING  person 1', 'zoom 2.0x', 'latency 90 ms', 'error 0.30 deg', 'moving  (chosen by click)'):
        assert words in moving
    still = bar_of(view(boxes, still_because='no gimbal attitude for 0.3 s'), monkeypatch)
    assert 'still: no gimbal attitude for 0.3 s  (chosen by click)' in still
    unused = bar_of(view(boxes, unused_because='the gimbal driver is disarmed'), monkeypatch)
    assert 'not moved: the gimbal driver is disarmed  (chosen by click)' in unused
    off = bar_of(view(boxes, enabled=False, still_because='pointing is not enabled'), monkeypatch)
    assert 'pointing is OFF  (chosen by click)' in off
    status = LockStatus(LockState.IDLE, 'no target was chosen')
    idle = bar_of(
        view(boxes, status=status, still_because='the lock is idle: no target was chosen', error_rad=None), monkeypatch
    )
    assert 'IDLE | still: no target was chosen' in idle
    assert 'error' not in idle
    # Where there is little room, the error is what stays.
    narrow = bar_of(view(boxes, zoom=2.0), monkeypatch, width=240)
    assert 'error' in narrow
    assert 'zoom' not in narrow


@pytest.mark.parametrize('size', [(1, 1), (1, 640), (480, 1), (2, 3), (63, 64), (64, 64), (120, 160), (1920, 1080)])
@pytest.mark.parametrize('state', list(LockState))
def test_no_size_of_picture_breaks_the_drawing(size: tuple[int, int], state: LockState) -> None:
    boxes = np.array([TARGET, OTHER, [0.0, 0, 1, 1]])
    drawn = draw_overlay(grey(*size), view(boxes, state, still_because='no detections yet', enabled=False))
    assert drawn.shape == (*size, 3)


@pytest.mark.parametrize(
    ('image', 'value'),
    [
        (np.full((480, 640), 77, np.uint8), [77, 77, 77]),
        (np.full((480, 640, 1), 77, np.uint8), [77, 77, 77]),
        (np.full((480, 640), 77 << 8, np.uint16), [77, 77, 77]),
        (np.full((480, 640, 4), [10, 20, 30, 255], np.uint8), [10, 20, 30]),
        (np.full((480, 1280, 3), [10, 20, 30], np.uint8)[:, ::2], [10, 20, 30]),
    ],
)
def test_grey_deep_and_transparent_pictures_are_drawn_upon_too(image: NDArray[np.generic], value: list[int]) -> None:
    before = image.copy()
    drawn = draw_overlay(image, view(np.array([TARGET])))
    assert drawn.shape == (480, 640, 3)
    assert drawn.dtype == np.uint8
    assert drawn[470, 10].tolist() == value
    assert (image == before).all()
    assert not np.shares_memory(drawn, image)


@pytest.mark.parametrize('shape', [(480, 640, 2), (0, 640, 3), (480,)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='is neither grey nor BGR nor BGRA'):
        draw_overlay(np.zeros(shape, np.uint8), view(np.array([TARGET])))


def test_a_box_that_is_not_a_number_or_far_outside_does_not_break_the_drawing() -> None:
    boxes = np.array([[math.nan, 0, 1, 1], [-1e12, -1e12, 1e12, 1e12], [5000.0, 5000, 5100, 5100]])
    for state in LockState:
        for predicted in ([1e12, -1e12], [320.0, 240.0]):
            shown = view(boxes, state, predicted_px=np.array(predicted), target_size_px=np.array([1e9, 1e9]))
            assert draw_overlay(np.zeros((480, 640), dtype=np.uint8), shown).shape == (480, 640, 3)


def test_labels_in_any_script_and_three_hundred_tracks_are_drawn() -> None:
    random = np.random.default_rng(4)
    corner = random.uniform([0, 0], [600, 440], (300, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 60, (300, 2))], axis=1)
    labels = np.array(['Fußgänger\n', '人', 'x' * 200] * 100, dtype=np.str_)
    assert draw_overlay(grey(), view(boxes, labels=labels)).shape == (480, 640, 3)


def blue(drawn: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return drawn[..., 0].astype(int) > drawn[..., 2].astype(int) + 40


def test_who_is_of_another_class_than_the_target_is_dim_and_lies_below() -> None:
    crossing = [150.0, 200, 260, 250]
    labels = np.array(['person', 'person', 'dog'], dtype=np.str_)
    boxes = np.array([TARGET, OTHER, crossing])
    drawn = draw_overlay(grey(), view(boxes, labels=labels, followed_classes=('person',)))
    everybody = draw_overlay(grey(), view(boxes, labels=labels))
    # The dog's right edge is blue only where any class may be followed.
    assert blue(everybody)[205:245, 255:265].any()
    assert not blue(drawn)[205:245, 255:265].any()
    assert (drawn[205:245, 255:265] != 90).any()
    # The other person's edge goes through where the dog's box crosses it.
    assert blue(drawn)[190:260, 155:165].any(axis=1).all()


@pytest.mark.parametrize('lock_classes', [(), ('person', 'car')])
def test_without_a_target_the_classes_that_may_be_taken_are_those_that_are_followed(
    lock_classes: tuple[str, ...],
) -> None:
    tracker = Tracker(TrackerParameters(auto_lock='nearest', lock_classes=lock_classes))
    assert tracker.view(0).followed_classes == lock_classes
    tracker.select('class:dog')
    assert tracker.view(0).followed_classes == ('dog',)
