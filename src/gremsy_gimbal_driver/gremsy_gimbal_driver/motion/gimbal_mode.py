# SPDX-License-Identifier: Apache-2.0
"""What a Gremsy can be told to hold its camera against; the modes of its own firmware (gimbal.md 1.7)."""

from __future__ import annotations

from enum import Enum


class GimbalMode(str, Enum):
    """A mode; `HOME` is a pulse that ends in the mode before it."""

    OFF = 'off'  # motors off: the camera hangs
    LOCK = 'lock'  # azimuth is held against the earth
    FOLLOW = 'follow'  # azimuth goes with the vehicle
    HOME = 'home'  # to azimuth 0, tilt 0 by the gimbal itself
    MAPPING = 'mapping'  # straight down
