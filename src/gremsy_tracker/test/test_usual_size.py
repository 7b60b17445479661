# SPDX-License-Identifier: Apache-2.0
"""A box that is suddenly small: by how much its centre may be off."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_tracker.usual_size import UsualSize

FULL = np.array([0.05, 0.15])


def seen(seconds: float, size: np.ndarray = FULL) -> UsualSize:
    usual = UsualSize()
    for step in range(round(seconds * 20) + 1):
        usual.learn(step * 50_000_000, size)
    return usual


def test_a_normal_box_and_a_first_one_are_where_they_are() -> None:
    assert UsualSize().displacement(FULL).tolist() == [0.0, 0.0]
    assert seen(2.0).displacement(0.86 * FULL).tolist() == [0.0, 0.0]
    assert seen(2.0).displacement(1.5 * FULL).tolist() == [0.0, 0.0], 'larger: the whole of it is seen'


def test_half_a_person_may_be_off_by_a_quarter_of_its_height() -> None:
    half = FULL * [1.0, 0.5]
    assert seen(2.0).displacement(half) == pytest.approx([0.0, 0.15 * (0.5 - 0.15) / 2])


def test_who_stays_small_is_small() -> None:
    usual = seen(2.0)
    for step in range(100):
        usual.learn(2_000_000_000 + step * 50_000_000, 0.5 * FULL)
    assert usual.displacement(0.5 * FULL).tolist() == [0.0, 0.0]


def test_another_target_has_another_size() -> None:
    usual = seen(2.0)
    usual.clear()
    assert usual.displacement(0.2 * FULL).tolist() == [0.0, 0.0]
