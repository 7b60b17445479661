# SPDX-License-Identifier: Apache-2.0
"""The estimators: right without noise, honest about their errors with it, not misled by commands that got lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.calibration.calibration_fit import FitError, StepRecord, fit_line, fit_response
from gremsy_gimbal_sim.plant.plant import GREMSY, Plant, PlantParameters

REPEAT_S = 0.04
DELAY_S, LAG_S, GAIN = 0.15, 0.1, -1.04
HOLD_S = 0.7
PATTERN = ((0.4, 1), (1.1, -1), (1.8, -1), (3.2, 1), (3.9, 1), (4.6, -1))
DEGREE = math.radians(1.0)


def from_plant(parameters: PlantParameters, level: float, angle_rad: float = 0.0) -> StepRecord:
    """What the suite's own plant does with the pattern, 50 attitudes a second."""
    plant = Plant(parameters, angles_rad=(angle_rad, 0.0))
    times, angles, rate, waiting = [], [], 0.0, list(PATTERN)
    for number in range(1, 280):
        now_s = 0.02 * number
        while waiting and waiting[0][0] <= now_s:
            at_s, change = waiting.pop(0)
            plant.advance(at_s)
            rate += change * level
            plant.command(at_s, (rate, 0.0))
        plant.advance(now_s)
        times.append(plant.time_s)
        angles.append(float(plant.angles_rad[0]))
    return StepRecord(np.array(times), np.array(angles), tuple((at_s, change * level) for at_s, change in PATTERN))


def noisy(random: np.random.Generator, noise_rad: float, count: int, level: float, lost_share: float) -> StepRecord:
    """The model itself with noise, at random times; each command is lost so often and repeated after 40 ms."""
    times = np.sort(random.uniform(0.0, 5.2, count))
    angles = random.normal(0.3, 0.0, count) + random.normal(0.0, noise_rad, count)
    for at_s, change in PATTERN:
        late_s = REPEAT_S * (random.geometric(1.0 - lost_share) - 1)
        since = np.maximum(times - at_s - DELAY_S - late_s, 0.0)
        angles += GAIN * change * level * (since - LAG_S * (1.0 - np.exp(-since / LAG_S)))
    return StepRecord(times, angles, tuple((at_s, change * level) for at_s, change in PATTERN))


def two_records(seed: int, noise_rad: float, rate_hz: float, lost_share: float) -> list[StepRecord]:
    random = np.random.default_rng([7, seed])
    count = int(5.2 * rate_hz)
    return [noisy(random, noise_rad, count, level, lost_share) for level in (8 * DEGREE, 4 * DEGREE)]


@pytest.mark.parametrize(
    'parameters',
    [
        GREMSY,
        PlantParameters(delay_s=0.02, lag_s=0.06),
        PlantParameters(delay_s=0.0, lag_s=0.02),
        PlantParameters(delay_s=0.4, lag_s=0.3, rate_gain_by_zoom=((1.0, 0.3),)),
    ],
)
def test_a_plant_is_recovered_from_its_angles(parameters: PlantParameters) -> None:
    records = [from_plant(parameters, 8 * DEGREE), from_plant(parameters, 4 * DEGREE, angle_rad=0.2)]
    fit = fit_response(records, REPEAT_S)
    # The plant's steps are 1 ms.
    assert fit.delay_s == pytest.approx(parameters.delay_s, abs=0.0015)
    assert fit.lag_s == pytest.approx(parameters.lag_s, abs=0.0015)
    assert fit.gain == pytest.approx(parameters.rate_gain(1.0), rel=0.002)
    assert (fit.steps, fit.late_steps) == (12, 0)
    assert fit.residual_rad < 0.01 * DEGREE


@pytest.mark.parametrize(
    ('noise_deg', 'rate_hz', 'lost_share'), [(0.02, 50.0, 0.0), (0.1, 50.0, 0.0), (0.02, 17.0, 0.6), (0.1, 17.0, 0.6)]
)
def test_its_standard_errors_are_true(noise_deg: float, rate_hz: float, lost_share: float) -> None:
    fits = [fit_response(two_records(seed, noise_deg * DEGREE, rate_hz, lost_share), REPEAT_S) for seed in range(40)]
    for name, truth in (('delay', DELAY_S), ('lag', LAG_S), ('gain', GAIN)):
        values = [getattr(fit, name if name == 'gain' else f'{name}_s') for fit in fits]
        errors = [getattr(fit, 'gain_error' if name == 'gain' else f'{name}_error_s') for fit in fits]
        off = (np.array(values) - truth) / np.array(errors)
        assert abs(off.mean()) < 0.6
        assert 0.6 < off.std() < 1.6
    assert np.mean([fit.residual_rad for fit in fits]) == pytest.approx(noise_deg * DEGREE, rel=0.05)


def test_lost_commands_are_told_from_a_slow_gimbal() -> None:
    clean = [fit_response(two_records(seed, 0.02 * DEGREE, 50.0, 0.0), REPEAT_S) for seed in range(10)]
    lossy = [fit_response(two_records(seed, 0.02 * DEGREE, 50.0, 0.5), REPEAT_S) for seed in range(10)]
    assert [fit.late_steps for fit in clean] == [0] * 10
    assert 4 <= np.mean([fit.late_steps for fit in lossy]) <= 8
    assert np.mean([fit.delay_s for fit in lossy]) == pytest.approx(DELAY_S, abs=0.003)


def test_too_few_attitudes_are_refused() -> None:
    record = from_plant(GREMSY, 8 * DEGREE)
    few = StepRecord(record.times_s[::20], record.angles_rad[::20], record.steps)
    with pytest.raises(FitError, match=r'^14 attitudes are too few for 6 steps$'):
        fit_response([few], REPEAT_S)


def test_attitudes_that_end_before_the_steps_are_refused() -> None:
    record = from_plant(GREMSY, 8 * DEGREE)
    early = StepRecord(record.times_s * 0.05, record.angles_rad, record.steps)
    with pytest.raises(FitError, match=r'^the angles do not answer to the steps$'):
        fit_response([early], REPEAT_S)


def test_a_line_has_its_slope_and_error() -> None:
    random = np.random.default_rng(3)
    times = np.linspace(0.0, 2.0, 41)
    off = []
    for _ in range(200):
        line = fit_line(times, 0.1 + 0.3 * times + random.normal(0.0, 0.01, 41))
        off.append((line.slope_rad_s - 0.3) / line.slope_error_rad_s)
    assert abs(np.mean(off)) < 0.25
    assert np.std(off) == pytest.approx(1.0, abs=0.2)
    assert line.middle_rad == pytest.approx(0.4, abs=0.01)
    assert line.samples == 41


def test_two_attitudes_are_no_line() -> None:
    with pytest.raises(FitError, match=r'^2 attitudes are too few for a line$'):
        fit_line(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
