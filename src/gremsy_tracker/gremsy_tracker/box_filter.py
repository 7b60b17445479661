# SPDX-License-Identifier: Apache-2.0
"""Kalman filters of many boxes at once: centre and size, each a position with a velocity, in real seconds.

The four quantities of a box (centre x, centre y, width, height) are independent second-order systems driven by white
acceleration (Bar-Shalom, Li & Kirubarajan, 2001, section 6.2.2), so every 8x8 covariance is four 2x2 blocks and one
step over all boxes is a dozen array operations. Noise is a share of the box's own size: a near person's box jitters by
more pixels than a far one's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Share of the box's width (for x, w) or height (for y, h): a detector's boxes jitter by about 5 % of their size.
_MEASURED_SHARE = 0.06
# A walker crosses about half of his own height per second and may turn round within one: velocity and its change per
# root second, as shares of the box's height.
_VELOCITY_SHARE = 1.0
_ACCELERATION_SHARE = np.array([1.0, 1.0, 0.3, 0.3])
# A box that grows does not grow for ever: its size's velocity fades with this time constant.
_SIZE_VELOCITY_FADES_S = 0.5
_SMALLEST_PX = 1.0


@dataclass(slots=True, eq=False)
class BoxStates:
    """N box filters side by side; the 2x2 blocks of their covariances are three arrays.

    Attributes:
        position: (N, 4) centre x, centre y, width, height in px.
        velocity: (N, 4) the same per second.
        position_variance, covariance, velocity_variance: (N, 4) each.
    """

    position: Array
    velocity: Array
    position_variance: Array
    covariance: Array
    velocity_variance: Array

    def __len__(self) -> int:
        return len(self.position)

    @classmethod
    def begin(cls, boxes_px: Array) -> BoxStates:
        """Filters that have seen one box each: at rest, with a velocity uncertain by the box's height per second."""
        position = centres_from_corners(boxes_px)
        still = np.zeros_like(position)
        unknown = still + (_VELOCITY_SHARE * position[:, 3:4]) ** 2
        return cls(position, still, _measured_variance(position), np.zeros_like(position), unknown)

    @classmethod
    def empty(cls) -> BoxStates:
        """No filter."""
        return cls(*(np.zeros((0, 4)) for _ in range(5)))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> BoxStates:
        """Some of the filters."""
        return BoxStates(*(each[index] for each in self._arrays()))

    def join(self, other: BoxStates) -> BoxStates:
        """These filters followed by others."""
        return BoxStates(*map(np.concatenate, zip(self._arrays(), other._arrays(), strict=True)))

    def predict(self, dt_s: float) -> None:
        """Carry every filter on by `dt_s` >= 0 seconds."""
        self.position += self.velocity * dt_s
        self.velocity[:, 2:] *= math.exp(-dt_s / _SIZE_VELOCITY_FADES_S)
        np.maximum(self.position[:, 2:], _SMALLEST_PX, out=self.position[:, 2:])
        density = (_ACCELERATION_SHARE * self.position[:, 3:4]) ** 2
        p, c, v = self.position_variance, self.covariance, self.velocity_variance
        p += c * (2 * dt_s)
        p += v * dt_s**2
        p += density * (dt_s**3 / 3)
        c += v * dt_s
        c += density * (dt_s**2 / 2)
        v += density * dt_s

    def update(self, index: NDArray[np.intp], boxes_px: Array) -> None:
        """Correct the filters at `index` (M,), no index twice, with the measured boxes (M, 4)."""
        if not len(index):
            return
        # All rows at once, those without a measurement with a gain of 0: cheaper than ten gathers and scatters.
        innovation = np.zeros_like(self.position)
        measured = centres_from_corners(boxes_px)
        innovation[index] = measured - self.position[index]
        variance = np.full_like(self.position, np.inf)
        variance[index] = _measured_variance(measured)
        variance += self.position_variance
        gain_position = self.position_variance / variance
        gain_velocity = self.covariance / variance
        self.position += gain_position * innovation
        self.velocity += gain_velocity * innovation
        self.velocity_variance -= gain_velocity * self.covariance
        remains = np.subtract(1.0, gain_position, out=gain_position)
        self.position_variance *= remains
        self.covariance *= remains

    @property
    def boxes_px(self) -> Array:
        """(N, 4) x_min, y_min, x_max, y_max."""
        half = self.position[:, 2:] / 2
        return np.concatenate([self.position[:, :2] - half, self.position[:, :2] + half], axis=1)

    def _arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        return self.position, self.velocity, self.position_variance, self.covariance, self.velocity_variance


def centres_from_corners(boxes_px: Array) -> Array:
    """(N, 4) corners to (N, 4) centre x, centre y, width, height."""
    low, high = boxes_px[:, :2], boxes_px[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def _measured_variance(position: Array) -> Array:
    variance = position[:, [2, 3, 2, 3]]
    variance *= _MEASURED_SHARE
    variance *= variance
    variance += 0.25  # half a pixel
    return variance
