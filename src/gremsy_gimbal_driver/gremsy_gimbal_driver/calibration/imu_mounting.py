# SPDX-License-Identifier: Apache-2.0
"""How the IMU sits on the camera: checked against gravity while a calibration tilts the camera up and down.

At rest an accelerometer feels g upwards. The attitude gives up in the camera's axes, so one tilt shows which of the
sensor's axes is up, and the change between two tilts which one points along the camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion
from gremsy_common.types.gimbal_state import STANDARD_GRAVITY_M_S2
from gremsy_gimbal_driver.mavlink.mavlink_frames import camera_from_imu, imu_mountings

_LEAST_SAMPLES = 20
# Of the samples, those at the lowest and as many at the highest tilt.
_OUTERMOST_SHARE = 0.1
# A bias of 0.03 g is in the vendor's log (gSDK's README, 6.16); the next mounting is off by 1.4 g.
_LARGEST_ERROR_M_S2 = 0.3 * STANDARD_GRAVITY_M_S2
# What 3 degrees of tilt change.
_LEAST_CHANGE_M_S2 = 0.05 * STANDARD_GRAVITY_M_S2


class ImuMounting:
    """Takes attitudes and IMU readings as they come.

    Args:
        axes: by which the readings were turned into the camera's axes.
    """

    def __init__(self, axes: Sequence[str]) -> None:
        self._axes = tuple(axes)
        self._up: NDArray[np.float64] | None = None
        self._samples: list[NDArray[np.float64]] = []

    def attitude(self, level_from_camera_wxyz: NDArray[np.float64]) -> None:
        """How the camera stands."""
        self._up = matrix_from_quaternion(level_from_camera_wxyz)[2]

    def imu(self, acceleration_m_s2: NDArray[np.float64]) -> None:
        """What was felt, in the camera's axes."""
        if self._up is not None:
            self._samples.append(np.stack([acceleration_m_s2, self._up * STANDARD_GRAVITY_M_S2]))

    def found(self) -> tuple[tuple[str, ...] | None, str]:
        """The axes that agree with gravity, None for none, and a note on them."""
        if len(self._samples) < _LEAST_SAMPLES:
            return None, 'The gimbal sends no IMU data (message 27), so `imu_axes` was not checked against gravity.'
        samples = np.array(sorted(self._samples, key=lambda each: float(each[1, 0])))
        outermost = max(1, round(_OUTERMOST_SHARE * len(samples)))
        low, high = samples[:outermost].mean(axis=0), samples[-outermost:].mean(axis=0)
        middle, change = (low + high) / 2.0, high - low
        changed = float(np.linalg.norm(change[1]))
        imu_from_camera = camera_from_imu(self._axes).T
        for axes, mounting in imu_mountings():
            turn = mounting @ imu_from_camera
            off, change_off = (float(np.linalg.norm(turn @ felt - true)) for felt, true in (middle, change))
            if off < _LARGEST_ERROR_M_S2 and change_off < 0.5 * changed and changed > _LEAST_CHANGE_M_S2:
                return axes, '' if axes == self._axes else (
                    f'Gravity shows that the axes of the IMU point {", ".join(axes)}, not {", ".join(self._axes)}: '
                    '`imu_axes` is corrected.'
                )
        return None, (
            'In no mounting does the IMU measure gravity where it should: calibrate its accelerometer; until '
            'then do not use `gimbal/imu`.'
        )
