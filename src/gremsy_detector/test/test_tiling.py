# SPDX-License-Identifier: Apache-2.0
"""Tiles cover the image, and what is seen in several of them is reported once, whole."""

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.decode.candidates import Boxes
from gremsy_detector.image.region_of_interest import Window
from gremsy_detector.image.tiling import Tiling, merge

AREA = Window(0, 0, 1000, 600)
LEFT, RIGHT = Window(0, 0, 600, 600), Window(400, 0, 600, 600)


def boxes(*rows):
    """Rows of x_min, y_min, x_max, y_max, score, class."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4].astype(np.float32), table[:, 5].astype(np.intp))


def merged(left, right, *whole, iou=0.5, max_boxes=100):
    windows = (LEFT, RIGHT, AREA) if whole else (LEFT, RIGHT)
    return merge([left, right, *whole], windows, AREA, iou=iou, max_boxes=max_boxes)


@pytest.mark.parametrize('size', [(1920, 1080), (7680, 4320), (641, 479), (33, 7), (2, 2), (1, 1), (1, 4000)])
@pytest.mark.parametrize('overlap', [0.0, 0.2, 0.5])
@pytest.mark.parametrize('tiles', [(1, 1), (2, 2), (5, 3), (16, 4)])
def test_every_pixel_of_the_area_is_in_a_tile_and_no_tile_reaches_out(size, overlap, tiles):
    area = Window(10, 20, *size)
    seen = np.zeros((size[1] + 40, size[0] + 40), np.uint8)
    windows = Tiling(*tiles, overlap, whole_too=False).windows(area)
    for each in windows:
        assert each.width_px > 0
        assert each.height_px > 0
        seen[each.y_px : each.y_px + each.height_px, each.x_px : each.x_px + each.width_px] = 1
    assert seen[20 : 20 + size[1], 10 : 10 + size[0]].all()
    assert seen.sum() == size[0] * size[1]
    assert len(set(windows)) == len(windows) <= tiles[0] * tiles[1]


def test_neighbours_share_the_overlap_that_was_asked_for():
    first, second = Tiling(2, 1, 0.2, whole_too=False).windows(Window(0, 0, 1800, 400))
    shared_px = first.x_px + first.width_px - second.x_px
    assert shared_px / first.width_px == pytest.approx(0.2, abs=0.005)
    assert (first.width_px, first.height_px) == (second.width_px, 400)


def test_tiles_begin_at_even_pixels():
    windows = Tiling(3, 3, 0.15).windows(Window(0, 0, 1279, 719))
    assert all(each.x_px % 2 == each.y_px % 2 == 0 for each in windows)


def test_the_whole_area_comes_last_when_it_is_looked_at_too():
    assert Tiling(2, 1, 0.2, whole_too=True).windows(AREA)[-1] == AREA
    assert AREA not in Tiling(2, 1, 0.2, whole_too=False).windows(AREA)
    assert Tiling(1, 1).windows(AREA) == (AREA,)


def test_an_image_too_small_to_cut_is_looked_at_once():
    assert Tiling(4, 4, 0.2, whole_too=True).windows(Window(0, 0, 1, 1)) == (Window(0, 0, 1, 1),)


def test_an_object_in_the_overlap_is_told_once_with_the_better_score():
    found = merged(boxes((450, 100, 550, 300, 0.6, 0)), boxes((452, 101, 551, 300, 0.8, 0)))
    np.testing.assert_allclose(found.corners_px, [[452, 101, 551, 300]])
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-6)


def test_a_box_cut_at_a_tile_edge_gives_way_to_the_whole_one_even_with_a_better_score():
    found = merged(boxes((560, 100, 599, 300, 0.9, 0)), boxes((560, 100, 700, 300, 0.6, 0)))
    np.testing.assert_allclose(found.corners_px, [[560, 100, 700, 300]])


def test_both_parts_of_a_large_object_give_way_to_the_whole_image():
    found = merged(
        boxes((200, 100, 600, 500, 0.9, 0)), boxes((400, 100, 800, 500, 0.8, 0)), boxes((200, 100, 800, 500, 0.5, 0))
    )
    np.testing.assert_allclose(found.corners_px, [[200, 100, 800, 500]])


def test_an_object_inside_another_stays_when_no_edge_cuts_it():
    """A person before a bus of people: two objects of one class, one in the other."""
    found = merged(boxes((100, 100, 300, 500, 0.9, 0), (150, 150, 200, 250, 0.7, 0)), boxes())
    assert len(found) == 2


def test_the_edge_of_the_image_cuts_nothing():
    found = merged(boxes((0, 100, 60, 300, 0.5, 0), (0, 50, 200, 400, 0.9, 0)), boxes())
    assert len(found) == 2


def test_another_class_is_another_object():
    found = merged(boxes((560, 100, 600, 300, 0.9, 0)), boxes((560, 100, 700, 300, 0.6, 1)))
    assert sorted(found.classes.tolist()) == [0, 1]


def test_a_part_that_no_box_has_whole_stays():
    found = merged(boxes((560, 100, 600, 300, 0.9, 0)), boxes())
    assert len(found) == 1


def test_the_best_come_first_and_only_so_many():
    found = merged(
        boxes((0, 0, 50, 50, 0.3, 0), (100, 0, 150, 50, 0.9, 0)), boxes((700, 0, 750, 50, 0.6, 0)), max_boxes=2
    )
    np.testing.assert_allclose(found.scores, [0.9, 0.6], atol=1e-6)


def test_nothing_in_any_tile_is_nothing():
    found = merged(boxes(), boxes())
    assert len(found) == 0
    assert found.corners_px.shape == (0, 4)


@pytest.mark.parametrize(
    ('tiles', 'sentence'),
    [
        ((2,), 'Parameter `tiles` has 1 numbers [2]: use two, columns and rows.'),
        ((), 'Parameter `tiles` has 0 numbers []: use two, columns and rows.'),
        (
            (16, 5),
            'Parameter `tiles` is [16, 5], 80 runs of the network per image: use at most 64.',
        ),
    ],
)
def test_what_is_no_grid_is_refused(tiles, sentence):
    with pytest.raises(ParameterError) as refused:
        Tiling.parse(tiles, 0.2, True)
    assert str(refused.value) == sentence


def test_a_doubtful_whole_does_not_take_the_place_of_a_sure_half():
    half, whole = (500, 100, 600, 300, 0.7, 0), (490, 90, 690, 310, 0.3, 0)
    windows = (LEFT, RIGHT, AREA)
    found = [boxes(half), boxes(), boxes(whole)]
    sure = merge(found, windows, AREA, iou=0.5, max_boxes=100, sure_above=0.5)
    assert sure.scores.tolist() == pytest.approx([0.7, 0.3])
    # Where both are sure, the whole one is told, whatever it scores.
    told = merge(found, windows, AREA, iou=0.5, max_boxes=100, sure_above=0.2)
    assert told.scores.tolist() == pytest.approx([0.3])
