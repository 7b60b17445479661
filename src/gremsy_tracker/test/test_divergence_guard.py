# SPDX-License-Identifier: Apache-2.0
"""When the guard speaks, and what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gremsy_tracker.pointing.divergence_guard import DivergenceGuard
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]

FIELD_RAD = math.radians(40.0)
MS = 1_000_000


def axis(value: float, which: int) -> Array:
    both = np.zeros(2)
    both[which] = value
    return both


def turn(guard: DivergenceGuard, factor: float, which: int = 0, seconds: float = 1.0, noise: float = 0.0) -> list[str]:
    """Telemetry at 20 Hz of a gimbal that does `factor` times what it is asked, 60 ms late."""
    random = np.random.default_rng(1)
    rate, said = 0.0, []
    for i in range(round(seconds * 20)):
        asked = 0.3 * math.sin(2.0 * i / 20) + 0.1
        rate += (asked - rate) * (1 - math.exp(-0.05 / 0.06))
        measured = axis(factor * rate, which) + random.normal(0.0, noise, 2)
        said.append(guard.turning(i * 50 * MS, measured, axis(asked, which), FIELD_RAD))
    return [each for each in said if each]


@pytest.mark.parametrize(('which', 'name'), [(0, 'azimuth'), (1, 'tilt')])
def test_a_gimbal_that_turns_the_other_way_is_told_by_its_axis(which: int, name: str) -> None:
    said = turn(DivergenceGuard(TrackerParameters()), -1.0, which, noise=0.002)
    assert said[0] == (
        f"the gimbal's {name} turns against what it is asked to: check the driver's `{name}_sign` (calibrate it), then "
        'enable pointing again'
    )


@pytest.mark.parametrize('factor', [1.0, 0.5, 1.5, 0.0, -0.4])
def test_a_gimbal_that_does_something_else_is_not_a_wrong_sign(factor: float) -> None:
    assert turn(DivergenceGuard(TrackerParameters()), factor, seconds=5.0, noise=0.002) == []


def test_a_wrong_sign_is_said_before_a_tenth_of_the_field_is_turned() -> None:
    guard, turned = DivergenceGuard(TrackerParameters()), 0.0
    for i in range(100):
        turned += 0.2 * 0.05
        rate = 0.2 * (1 - math.exp(-0.05 * i / 0.06))
        if guard.turning(i * 50 * MS, axis(-rate, 0), axis(0.2, 0), FIELD_RAD):
            break
    assert turned < 0.1 * FIELD_RAD


def sight(
    guard: DivergenceGuard,
    errors_deg: list[float],
    rate_rad_s: float,
    period_ms: int = 33,
    turns_rad_s: float | None = None,
) -> list[str]:
    """The camera turns as it is asked to, or as fast as `turns_rad_s`."""
    turned = axis(period_ms * 1e-3 * (rate_rad_s if turns_rad_s is None else turns_rad_s), 0)
    said = [
        guard.sighting(i * period_ms * MS, axis(math.radians(error), 0), i * turned, axis(rate_rad_s, 0), FIELD_RAD)
        for i, error in enumerate(errors_deg)
    ]
    return [each for each in said if each]


def test_an_error_that_grows_as_the_camera_turns_to_it_is_a_mirrored_image() -> None:
    said = sight(DivergenceGuard(TrackerParameters()), [1.0, 1.5, 3.5, 6.0, 8.5, 11.0], rate_rad_s=0.7)
    assert said == [
        'the azimuth error grew from 1.5 to 11.0 deg while the camera turned towards the target: is the image mirrored '
        'or upside down? Mend that, then enable pointing again'
    ]


@pytest.mark.parametrize(
    ('errors_deg', 'rate_rad_s'),
    [
        ([1.0, 1.5, 3.5, 6.0, 8.5, 11.0], 0.05),  # the target outruns a camera that hardly turns
        ([1.0, 1.5, 3.5, 6.0, 8.5, 11.0], -0.7),  # the camera turns away, from another target
        ([1.0, 10.0, 10.0, 9.0, 8.0], 0.7),  # a step
        ([1.0, 4.0, 3.9, 8.0, 7.9, 12.0, 11.0, 16.0], 0.7),  # not steadily
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.7),  # not far
    ],
)
def test_other_errors_that_grow_are_not(errors_deg: list[float], rate_rad_s: float) -> None:
    assert sight(DivergenceGuard(TrackerParameters()), errors_deg, rate_rad_s) == []


def test_a_gap_and_another_target_begin_anew() -> None:
    assert sight(DivergenceGuard(TrackerParameters()), [1.0, 1.5, 3.5, 6.0, 8.5, 11.0], 0.7, period_ms=600) == []
    guard = DivergenceGuard(TrackerParameters())
    sight(guard, [1.0, 1.5, 3.5, 6.0, 8.5], 0.7)
    guard.clear()
    assert guard.sighting(165 * MS, axis(0.2, 0), axis(0.12, 0), axis(0.7, 0), FIELD_RAD) == ''


def test_zoomed_in_it_speaks_sooner() -> None:
    guard = DivergenceGuard(TrackerParameters())
    errors = [0.2, 0.5, 0.9, 1.3, 1.7, 2.1]
    said = [
        guard.sighting(i * 33 * MS, axis(math.radians(error), 0), axis(i * 0.0066, 0), axis(0.2, 0), FIELD_RAD / 6)
        for i, error in enumerate(errors)
    ]
    assert said[-1]


@pytest.mark.parametrize('turns_rad_s', [0.0, -0.3, 0.1], ids=['at a limit', 'carried away', 'against its vehicle'])
def test_a_camera_that_is_asked_to_turn_and_does_not_is_no_mirrored_image(turns_rad_s: float) -> None:
    errors_deg = [1.0, 1.5, 3.5, 6.0, 8.5, 11.0, 14.0, 17.0]
    assert sight(DivergenceGuard(TrackerParameters()), errors_deg, 0.7, turns_rad_s=turns_rad_s) == []


def test_a_loop_that_swings_with_its_answer_half_a_swing_late_is_no_wrong_sign() -> None:
    """As on a machine that holds the setpoints up: asked 30 deg/s to and fro at 2 Hz, answered 250 ms later."""
    guard = DivergenceGuard(TrackerParameters())
    said = []
    for i in range(200):
        asked = 0.5 * math.sin(4 * math.pi * i / 20)
        late = 0.4 * math.sin(4 * math.pi * max(0.0, i / 20 - 0.29))
        said.append(guard.turning(i * 50 * MS, axis(late, 1), axis(asked, 1), FIELD_RAD))
    assert not any(said)
