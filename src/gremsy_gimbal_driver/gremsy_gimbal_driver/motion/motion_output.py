# SPDX-License-Identifier: Apache-2.0
"""What motion control wants on the wire: a mode of the gimbal's, and rates or angles in the suite's own axes.

The protocols turn it into messages. The modes are those of the firmware (gimbal.md 1.7).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum

Pair = tuple[float, float]


class GimbalMode(str, Enum):
    """What a Gremsy holds its camera against; `HOME` is a pulse that ends in the mode before it."""

    OFF = 'off'  # motors off: the camera hangs
    LOCK = 'lock'  # azimuth is held against the earth
    FOLLOW = 'follow'  # azimuth goes with the vehicle
    HOME = 'home'  # to azimuth 0, tilt 0 by the gimbal itself
    MAPPING = 'mapping'  # straight down


def no_such_mode(mode: GimbalMode, lacking: Set[GimbalMode]) -> str:
    """Why a mode that the gimbal does not have is refused; empty for one that it has."""
    if mode not in lacking:
        return ''
    others = ', '.join(each.value for each in GimbalMode if each not in lacking)
    return f'the gimbal reports (message 283) that it has no mode {mode.value}; it has {others or "none"}.'


@dataclass(frozen=True, slots=True)
class MotionOutput:
    """What to write now; exactly one of rates and angles is given.

    Attributes:
        mode: what the flags of a 284 carry; HOME only during its pulse.
        assert_mode: v1 must also send its mode command; v2 carries it in the flags of this very message.
        rates_rad_s: azimuth and tilt, level frame, after the plant's inverse.
        angles_rad: azimuth and tilt, level frame; the azimuth is continuous over +-pi like the telemetry's.
        rests_on_ns: stamp of the image that a command rests on, also in its repeats; None for zeros and goals.
    """

    mode: GimbalMode
    assert_mode: bool = False
    rates_rad_s: Pair | None = None
    angles_rad: Pair | None = None
    rests_on_ns: int | None = None
