# SPDX-License-Identifier: Apache-2.0
"""Notices that the loop drives the wrong way: a sign is wrong somewhere, and every correction makes the error larger.

Two signs can be wrong. The gimbal's: telemetry shows it turning as it was asked to, but mirrored; no operator and no
wind does that. The image's: telemetry agrees with what was asked, but the target runs away from the camera as the
camera turns to it, further and further; one that is only fast leaves a gimbal behind that turns less than it.

What the camera turned is what telemetry shows, in the world: a gimbal that turns against its vehicle's turning, or that
has come to a limit, is asked to turn and stands still. And a loop on a machine that is held up swings: its answer comes
half a swing late and looks mirrored, so only what is turned one way counts, and nothing while no rate is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array, wrap_angle
from gremsy_tracker.tracker_parameters import TrackerParameters

_AXES = ('azimuth', 'tilt')
# Sightings, or telemetry, further apart than this do not belong together.
_LONGEST_GAP_S = 0.5
# Telemetry shows a wrong sign before the target has gone far: a quarter of what the image is given.
_TURNED_SHARE = 0.25
# Of the square of the expected rates, what the mirrored measured ones may differ by; 4 is a gimbal that does as asked.
_MIRRORED = 0.25
# Of all that it was to turn to and fro, what must be left over one way: a wrong sign drives the camera off.
_ONE_WAY = 0.7
# What happened so long ago counts 1/e.
_MEMORY_S = 0.5
# An error that grows because of a wrong sign grows at least this often in a row, ...
_LEAST_SIGHTINGS = 4
# ... by no more than twice what the camera turned: a faster target is not the camera's doing.
_LEAST_TURN_PER_GROWTH = 0.5


@dataclass(slots=True)
class _Growth:
    """Of one axis: what the error grew from and to, how far the camera turned to the target, in how many sightings."""

    first_rad: float
    last_rad: float
    turned_rad: float = 0.0
    sightings: int = 1


class DivergenceGuard:
    """What telemetry and the sightings of one target say about the loop's signs."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self.clear()

    def clear(self) -> None:
        """The target is another one, or nothing is asked: what was seen says nothing about the loop."""
        self._growths: list[_Growth | None] = [None, None]
        self._seen_ns: int | None = None
        self._axis = np.zeros(2)
        self._turned_ns: int | None = None
        self._expected = np.zeros(2)
        self._turned, self._swung = np.zeros(2), np.zeros(2)
        self._squares, self._mirrored = np.zeros(2), np.zeros(2)

    def turning(self, stamp_ns: int, measured_rad_s: Array, asked_rad_s: Array | None, field_rad: float) -> str:
        """Take telemetry's rates; returns what is wrong, empty for nothing.

        Args:
            stamp_ns: of the telemetry.
            measured_rad_s: (2,) rates of azimuth and tilt.
            asked_rad_s: (2,) what was asked for one delay of the plant before; None for nothing.
            field_rad: the field of view's width: zoomed in, the target is lost sooner.
        """
        before_ns, self._turned_ns = self._turned_ns, stamp_ns
        if asked_rad_s is None or before_ns is None or not 0 < stamp_ns - before_ns <= _LONGEST_GAP_S * 1e9:
            self._expected = np.zeros(2)
            self._turned, self._swung = np.zeros(2), np.zeros(2)
            self._squares, self._mirrored = np.zeros(2), np.zeros(2)
            return ''
        dt_s = (stamp_ns - before_ns) * 1e-9
        lag_s = self.parameters.plant_lag_s
        left = math.exp(-dt_s / lag_s) if lag_s > 0.0 else 0.0
        self._expected = asked_rad_s + (self._expected - asked_rad_s) * left
        kept = math.exp(-dt_s / _MEMORY_S)
        self._turned = kept * self._turned + self._expected * dt_s
        self._swung = kept * self._swung + np.abs(self._expected) * dt_s
        self._squares = kept * self._squares + self._expected**2 * dt_s
        self._mirrored = kept * self._mirrored + (self._expected + measured_rad_s) ** 2 * dt_s
        least_rad = _TURNED_SHARE * self.parameters.divergence_field_share * field_rad
        one_way = np.abs(self._turned) >= np.maximum(least_rad, _ONE_WAY * self._swung)
        wrong = one_way & (self._mirrored < _MIRRORED * self._squares)
        if not wrong.any():
            return ''
        name = _AXES[int(np.argmax(wrong))]
        return (
            f"the gimbal's {name} turns against what it is asked to: check the driver's `{name}_sign` (calibrate it), "
            'then enable pointing again'
        )

    def sighting(
        self, stamp_ns: int, error_rad: Array, axis_rad: Array, acting_rad_s: Array | None, field_rad: float
    ) -> str:
        """Take the target's offset from the optical axis in an image; returns what is wrong, empty for nothing.

        Args:
            stamp_ns: of the image, later than the last.
            error_rad: (2,) azimuth and tilt.
            axis_rad: (2,) where the camera looked, in a frame that does not turn with the vehicle.
            acting_rad_s: (2,) the rate that was asked for one delay and lag of the plant before; None for none.
            field_rad: the field of view's width: zoomed in, the target is lost sooner.
        """
        before_ns, self._seen_ns = self._seen_ns, stamp_ns
        turned_rad, self._axis = wrap_angle(axis_rad - self._axis), axis_rad
        dt_s = math.inf if before_ns is None else (stamp_ns - before_ns) * 1e-9
        if acting_rad_s is None or not 0.0 < dt_s <= _LONGEST_GAP_S:
            self._growths = [None, None]
            return ''
        for axis, name in enumerate(_AXES):
            error, rate = float(error_rad[axis]), float(acting_rad_s[axis])
            growth = self._growths[axis]
            if rate * error <= 0.0 or (growth is not None and abs(error) <= growth.last_rad):
                self._growths[axis] = None
                continue
            if growth is None:
                self._growths[axis] = _Growth(abs(error), abs(error))
                continue
            growth.last_rad = abs(error)
            growth.turned_rad += max(0.0, math.copysign(float(turned_rad[axis]), error * turned_rad[axis]))
            growth.sightings += 1
            grown_rad = growth.last_rad - growth.first_rad
            if (
                growth.sightings >= _LEAST_SIGHTINGS
                and grown_rad >= self.parameters.divergence_field_share * field_rad
                and growth.turned_rad >= _LEAST_TURN_PER_GROWTH * grown_rad
            ):
                return (
                    f'the {name} error grew from {math.degrees(growth.first_rad):.1f} to '
                    f'{math.degrees(growth.last_rad):.1f} deg while the camera turned towards the target: '
                    'is the image mirrored or upside down? Mend that, then enable pointing again'
                )
        return ''
