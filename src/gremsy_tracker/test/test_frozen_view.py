# SPDX-License-Identifier: Apache-2.0
"""A frozen picture does not move while the camera turns: views of an invented panorama, whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gremsy_tracker.tracking.frozen_view import FrozenView

MS = 1_000_000
NO_BOXES = np.zeros((0, 4))


class Camera:
    """640x360 at 20 Hz, turning by so many px a picture over a panorama, with a sensor's noise."""

    def __init__(self, panorama: np.ndarray, px_per_picture: int = 6, noise: float = 2.0) -> None:
        self.sight = FrozenView()
        self.random = np.random.default_rng(1)
        self.panorama, self.speed, self.noise = panorama, px_per_picture, noise
        self.number = 0
        self.silence_ms = 20

    def view(self) -> np.ndarray:
        left = 100 + self.speed * self.number
        seen = self.panorama[:, left : left + 640].astype(float)
        return np.clip(seen + self.random.normal(0.0, self.noise, seen.shape), 0, 255).astype(np.uint8)

    def picture(self, image: np.ndarray | None = None, boxes: np.ndarray = NO_BOXES) -> bool:
        self.number += 1
        self.sight.see(self.view() if image is None else image, self.number * 50 * MS)

        def motion_since(before_ns: int) -> np.ndarray:
            pictures = self.number - before_ns / (50 * MS)
            return np.array([[1.0, 0.0, -self.speed * pictures], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

        return self.sight.judge(self.number * 50 * MS, boxes, motion_since, lambda *_: self.silence_ms * MS)


def textured(contrast: float = 60.0) -> np.ndarray:
    noise = np.random.default_rng(2).normal(0.0, 1.0, (360, 3000))
    smooth = cv2.GaussianBlur(noise, (0, 0), 8.0)
    return np.clip(110 + contrast * smooth / smooth.std() / 2, 0, 255)


def test_a_living_camera_is_never_frozen() -> None:
    camera = Camera(textured())
    assert not any(camera.picture() for _ in range(200))


def test_a_frozen_one_is_found_within_300_ms_and_thaws_with_the_next_picture() -> None:
    camera = Camera(textured())
    for _ in range(10):
        assert not camera.picture()
    frozen = camera.view()
    assert [camera.picture(frozen) for _ in range(10)].index(True) <= 5
    assert camera.picture(frozen)
    assert not camera.picture()


def test_the_encoders_noise_on_one_frozen_picture_does_not_hide_it() -> None:
    camera = Camera(textured())
    for _ in range(10):
        camera.picture()
    frozen = camera.view().astype(float)
    found = [camera.picture((frozen + camera.random.normal(0.0, 1.0, frozen.shape)).clip(0, 255)) for _ in range(20)]
    assert found.index(True) <= 5 and all(found[6:])


def test_it_stays_the_same_for_longer_than_telemetry_was_silent_before_it_is_called_frozen() -> None:
    camera = Camera(textured())
    camera.silence_ms = 400
    frozen = camera.view()
    # Judged from 150 ms on, in pictures of 50 ms each.
    assert [camera.picture(frozen) for _ in range(15)].index(True) == 12


def test_a_camera_at_rest_sees_a_still_scene() -> None:
    camera = Camera(textured(), px_per_picture=0)
    assert not any(camera.picture() for _ in range(100))


@pytest.mark.parametrize('followed', [False, True], ids=['sky', 'followed'])
def test_an_empty_sky_with_a_caption_and_what_is_followed_is_not_frozen(followed: bool) -> None:
    camera = Camera(np.full((360, 3000), 180.0))
    for _ in range(100):
        image = camera.view()
        image[10:30, 10:150:4] = 255
        if followed:
            image[150:210:3, 300:340] = 20
        assert not camera.picture(image, np.array([[300.0, 150.0, 340.0, 210.0]]))


def test_the_target_alone_filling_the_picture_says_nothing() -> None:
    camera = Camera(textured())
    frozen = camera.view()
    assert not any(camera.picture(frozen, np.array([[0.0, 0.0, 640.0, 360.0]])) for _ in range(30))


def test_one_that_stays_the_same_though_the_camera_has_come_back_is_tried_again() -> None:
    camera = Camera(textured())
    frozen = camera.view()
    while not camera.picture(frozen):
        pass
    camera.speed = 0
    answers = [camera.picture(frozen) for _ in range(70)]
    assert answers[:55] == [True] * 55 and not answers[-1]


def test_another_size_begins_anew() -> None:
    camera = Camera(textured())
    frozen = camera.view()
    while not camera.picture(frozen):
        pass
    assert not camera.picture(frozen[:180])
    # An image that was not seen says nothing new.
    assert not camera.sight.judge(12345, NO_BOXES, lambda _: None, lambda *_: 0)
