# SPDX-License-Identifier: Apache-2.0
"""The estimators: a line through angles, and the delay, lag and gain that explain an angle's answer to rate steps.

The plant is a pure delay d, a gain k and a first-order lag T, so a change of the commanded rate by u at time t adds
k u g(now - t - d) to the angle, with g(s) = s - T (1 - exp(-s / T)) for s > 0. Angles are fitted rather than reported
rates, which a gimbal may filter, and all steps at once, since one step alone cannot tell d from T in noise.

A command that the link lost is repeated 40 ms later and comes late by that much. So every step has a delay of its own
at first; those that are no later than half a repeat after the earliest were prompt, and share one in the final fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DELAYS_S = np.arange(0.0, 0.61, 0.04)
_LAGS_S = (0.02, 0.05, 0.1, 0.2, 0.4)
_LEAST_LAG_S = 1e-3
_ITERATIONS = 40
_CONVERGED = 1e-9  # of the sum of squares, relative


class FitError(ValueError):
    """The samples cannot support the fit."""


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through angles: its value in the middle of the times, its slope, and what is left."""

    middle_rad: float
    slope_rad_s: float
    slope_error_rad_s: float
    residual_rad: float
    samples: int


def fit_line(times_s: Array, angles_rad: Array) -> Line:
    """Least squares.

    Raises:
        FitError: with fewer than three samples.
    """
    count = len(times_s)
    if count < 3:
        raise FitError(f'{count} attitudes are too few for a line')
    since = times_s - times_s.mean()
    middle = float(angles_rad.mean())
    spread = float(since @ since)
    slope = float(since @ angles_rad) / spread
    rest = angles_rad - middle - slope * since
    residual = math.sqrt(float(rest @ rest) / (count - 2))
    return Line(middle, slope, residual / math.sqrt(spread), residual, count)


@dataclass(frozen=True, slots=True, eq=False)
class StepRecord:
    """What one axis did, from rest, while its commanded rate was changed.

    Attributes:
        times_s, angles_rad: the attitudes.
        steps: (time, change of the commanded rate rad/s).
    """

    times_s: Array
    angles_rad: Array
    steps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ResponseFit:
    """Gain (with the axis's sign), delay and lag with their standard errors, and how well they explain the angles.

    `late_steps` of the `steps` came a repeat or more behind the rest, because the link lost their commands.
    """

    gain: float
    gain_error: float
    delay_s: float
    delay_error_s: float
    lag_s: float
    lag_error_s: float
    residual_rad: float
    samples: int
    steps: int
    late_steps: int


def fit_response(records: Sequence[StepRecord], repeat_s: float) -> ResponseFit:
    """All records together; each has its own resting angle.

    Args:
        records: of one axis.
        repeat_s: how soon a lost command is written again.

    Raises:
        FitError: when there are too few attitudes, or they do not answer to the steps.
    """
    steps = sum(len(record.steps) for record in records)
    samples = sum(len(record.times_s) for record in records)
    if samples < 2 * (2 + steps + len(records)):
        raise FitError(f'{samples} attitudes are too few for {steps} steps')
    gain, lag_s, delay_s = _best_on_grid(records)
    own = _ResponseModel(records, list(range(steps)))
    free = own.refine(own.begin(gain, lag_s, [delay_s] * steps))
    delays = own.delays(free)
    own_errors = np.array(own.errors(free)[0][2 : 2 + steps])
    prompt = delays <= delays.min() + 0.5 * repeat_s + own_errors
    groups: list[int] = []
    late = 0
    for is_prompt in prompt:
        late += not is_prompt
        groups.append(0 if is_prompt else late)
    model = _ResponseModel(records, groups)
    begin = [float(delays[prompt].mean()), *delays[~prompt].tolist()]
    values = model.refine(model.begin(float(free[0]), float(free[1]), begin))
    errors, residual = model.errors(values)
    gain, lag_s, delay_s = values[:3].tolist()
    return ResponseFit(gain, errors[0], delay_s, errors[2], lag_s, errors[1], residual, samples, steps, late)


def _best_on_grid(records: Sequence[StepRecord]) -> tuple[float, float, float]:
    """Gain, lag and delay of a coarse grid's best point, with one delay for all; the gain follows linearly."""
    model = _ResponseModel(records, [0] * sum(len(record.steps) for record in records))
    least, best = math.inf, (0.0, 0.0, 0.0)
    centred = model.centred(model.angles_rad)
    for lag_s in _LAGS_S:
        for delay_s in _DELAYS_S:
            shape = model.centred(model.shape(lag_s, np.array([delay_s])))
            power = float(shape @ shape)
            if power == 0.0:
                continue
            gain = float(shape @ centred) / power
            rest = centred - gain * shape
            squares = float(rest @ rest)
            if squares < least:
                least, best = squares, (gain, lag_s, float(delay_s))
    if best[0] == 0.0:
        raise FitError('the angles do not answer to the steps')
    return best


class _ResponseModel:
    """Angles as a function of [gain, lag, delay of each group, resting angle of each record]."""

    def __init__(self, records: Sequence[StepRecord], groups: list[int]) -> None:
        self._group_count = max(groups) + 1
        self._groups = np.array(groups)
        self.angles_rad = np.concatenate([record.angles_rad for record in records])
        self._record_of = np.concatenate([np.full(len(each.times_s), n) for n, each in enumerate(records)])
        self._rests = np.eye(len(records))[self._record_of]
        self._counts = self._rests.sum(axis=0)
        # A step acts in its own record only.
        self._since = np.full((len(self.angles_rad), len(groups)), -math.inf)
        self._changes = np.array([change for record in records for _, change in record.steps])
        row = column = 0
        for record in records:
            starts = np.array([time_s for time_s, _ in record.steps])
            rows, columns = row + len(record.times_s), column + len(starts)
            self._since[row:rows, column:columns] = record.times_s[:, None] - starts[None, :]
            row, column = rows, columns
        self._membership = np.eye(self._group_count)[self._groups]

    def centred(self, values: Array) -> Array:
        """Less the mean of each record."""
        return values - ((values @ self._rests) / self._counts)[self._record_of]

    def begin(self, gain: float, lag_s: float, delays_s: Sequence[float]) -> Array:
        rest = self.angles_rad - gain * self.shape(lag_s, np.array(delays_s))
        return np.array([gain, lag_s, *delays_s, *((rest @ self._rests) / self._counts)])

    def shape(self, lag_s: float, delays_s: Array) -> Array:
        """The angle for a gain of 1 from a resting angle of 0."""
        since = np.maximum(self._since - delays_s[self._groups], 0.0)
        return np.asarray((since + lag_s * np.expm1(-since / lag_s)) @ self._changes)

    def delays(self, values: Array) -> Array:
        """Of each step."""
        return np.asarray(values[2 : 2 + self._group_count][self._groups])

    def refine(self, values: Array) -> Array:
        """Levenberg-Marquardt: Gauss-Newton with the diagonal raised while a step makes it worse."""
        damping = 1e-3
        rest, jacobian = self._linearised(values)
        squares = float(rest @ rest)
        for _ in range(_ITERATIONS):
            normal = jacobian.T @ jacobian
            raised = normal + damping * np.diag(np.diag(normal) + 1e-12)
            proposal = values + np.linalg.solve(raised, jacobian.T @ rest)
            proposal[1] = max(proposal[1], _LEAST_LAG_S)
            new_rest, new_jacobian = self._linearised(proposal)
            new_squares = float(new_rest @ new_rest)
            if new_squares >= squares:
                damping *= 10.0
                if damping > 1e8:
                    break
                continue
            small = squares - new_squares <= _CONVERGED * squares
            values, rest, jacobian, squares = proposal, new_rest, new_jacobian, new_squares
            damping = max(damping * 0.3, 1e-9)
            if small:
                break
        return values

    def errors(self, values: Array) -> tuple[list[float], float]:
        """Standard errors of all values, and the root mean square of what is left, per degree of freedom."""
        rest, jacobian = self._linearised(values)
        freedom = max(1, len(rest) - len(values))
        variance = float(rest @ rest) / freedom
        covariance = variance * np.linalg.pinv(jacobian.T @ jacobian)
        return np.sqrt(np.maximum(np.diag(covariance), 0.0)).tolist(), math.sqrt(variance)

    def _linearised(self, values: Array) -> tuple[Array, Array]:
        """What is left of the angles, and the derivatives of the model."""
        gain, lag_s = float(values[0]), float(values[1])
        since = np.maximum(self._since - self.delays(values), 0.0)
        covered = -np.expm1(-since / lag_s)  # the share of the step's rate that is reached
        shape = (since - lag_s * covered) @ self._changes
        by_lag = gain * ((since / lag_s * (1.0 - covered) - covered) @ self._changes)
        by_delay = (-gain * covered * self._changes) @ self._membership
        rests = values[2 + self._group_count :]
        jacobian = np.column_stack([shape, by_lag, by_delay, self._rests])
        return self.angles_rad - gain * shape - rests[self._record_of], jacobian
