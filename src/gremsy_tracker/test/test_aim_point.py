# SPDX-License-Identifier: Apache-2.0
"""Where the target's centre is in a box that does not show all of it."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_tracker.lock.aim_point import Aimed, AimPoint

IMAGE_PX = np.array([640.0, 480.0])
FOCAL_PX = np.array([880.0, 880.0])
PERIOD_NS = 50_000_000
WIDTH, HEIGHT = 50.0, 150.0


def box_at(x: float, y: float, width: float = WIDTH, height: float = HEIGHT) -> np.ndarray:
    return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


class Watched:
    """An aim point that is shown one box every 50 ms; its last answer predicts the next, as of a target at rest."""

    def __init__(self, *boxes: np.ndarray) -> None:
        self.aim = AimPoint()
        self.stamp_ns = 0
        self.last: Aimed | None = None
        for box in boxes:
            self.see(box)

    def see(self, box: np.ndarray, predicted: np.ndarray | None = None) -> Aimed:
        self.stamp_ns += PERIOD_NS
        if predicted is None and self.last is not None:
            predicted = self.last.centre_px
        self.last = self.aim.aimed(self.stamp_ns, box, IMAGE_PX, FOCAL_PX, predicted)
        return self.last


@pytest.fixture
def known() -> Watched:
    """Two seconds of somebody who stands in the middle, all of him in view."""
    return Watched(*[box_at(320.0, 240.0)] * 40)


def test_of_a_whole_box_it_is_the_middle(known: Watched) -> None:
    aimed = known.see(box_at(322.0, 239.0))
    assert aimed.centre_px == pytest.approx([322.0, 239.0])
    assert aimed.noise_factor == pytest.approx([1.0, 1.0])
    assert not aimed.unknown_px.any()
    assert known.aim.is_whole


def test_a_target_that_turns_is_followed_wherever_it_was_predicted(known: Watched) -> None:
    aimed = known.see(box_at(380.0, 300.0), np.array([320.0, 240.0]))
    assert aimed.centre_px == pytest.approx([380.0, 300.0])


def test_a_box_that_grows_is_taken_at_its_middle(known: Watched) -> None:
    assert known.see(box_at(330.0, 250.0, 90.0, 200.0)).centre_px == pytest.approx([330.0, 250.0])


def test_who_sinks_behind_a_wall_keeps_his_place(known: Watched) -> None:
    """The box's top stays, its lower end comes up by half: taken at its centre, he would rise by 45 px."""
    for part in np.linspace(1.0, 0.4, 10):
        box = np.array([295.0, 165.0, 345.0, 165.0 + HEIGHT * part])
        aimed = known.see(box)
    assert aimed.centre_px[1] == pytest.approx(240.0, abs=6.0)
    assert aimed.noise_factor[1] > 1.3
    assert not known.aim.is_whole


def test_who_comes_up_from_behind_a_wall_keeps_his_place(known: Watched) -> None:
    for part in (*np.linspace(1.0, 0.4, 10), *np.linspace(0.4, 1.0, 10)):
        aimed = known.see(np.array([295.0, 165.0, 345.0, 165.0 + HEIGHT * part]))
    assert aimed.centre_px[1] == pytest.approx(240.0, abs=6.0)


def test_a_walkers_legs_are_not_hidden(known: Watched) -> None:
    for width in (35.0, 50.0, 34.0, 60.0):
        assert known.see(box_at(320.0, 240.0, width)).centre_px[0] == pytest.approx(320.0)


def test_who_walks_away_is_taken_at_his_middle(known: Watched) -> None:
    for step in range(200):
        aimed = known.see(box_at(320.0, 240.0, WIDTH * 0.997**step, HEIGHT * 0.997**step))
        assert aimed.centre_px == pytest.approx([320.0, 240.0], abs=0.5)


def test_whose_legs_the_image_cuts_off_is_still_aimed_at_in_his_middle(known: Watched) -> None:
    for y in np.arange(240.0, 460.0, 4.0):
        box = np.clip(box_at(320.0, y), 0.0, [640.0, 480.0, 640.0, 480.0])
        assert known.see(box).centre_px[1] == pytest.approx(y, abs=3.0)


def test_of_whom_it_never_saw_whole_it_says_how_little_it_knows() -> None:
    aimed = Watched().see(np.array([295.0, 400.0, 345.0, 480.0]))
    assert aimed.centre_px == pytest.approx([320.0, 440.0])
    assert aimed.unknown_px == pytest.approx([0.0, 80.0 / np.sqrt(12.0)])


def test_who_is_cut_off_is_not_whole(known: Watched) -> None:
    known.see(np.array([295.0, 405.0, 345.0, 480.0]), np.array([320.0, 480.0]))
    assert not known.aim.is_whole


def test_the_first_whole_sight_is_a_new_beginning_and_no_motion() -> None:
    """The camera turns down to somebody at its lower edge: his box's centre moves, he stands still."""
    watched = Watched(*(np.array([295.0, 400.0, 345.0, 480.0]), np.array([295.0, 370.0, 345.0, 480.0])))
    assert watched.last is not None
    assert not watched.last.is_first_whole
    assert watched.see(box_at(320.0, 395.0)).is_first_whole
    assert not watched.see(box_at(320.0, 390.0)).is_first_whole


def test_another_target_has_another_size(known: Watched) -> None:
    known.aim.clear()
    small = np.array([300.0, 200.0, 320.0, 240.0])
    assert known.see(small).centre_px == pytest.approx([310.0, 220.0])
    assert known.see(small).centre_px == pytest.approx([310.0, 220.0])
