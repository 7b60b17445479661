# SPDX-License-Identifier: Apache-2.0
"""How far away the target is, by the best of what tells: the range finder, its known height, or the ground.

Each measures at its own times, and a measurement is worth less the older it is: by `range_speed_m_s`, at which target
and camera may have approached or separated in the meantime. The one with the smallest standard deviation is believed.

The range finder says how far it is along the optical axis, whatever is there. It is the target's range while the axis
is well within the target's box; beside a leg it is the range of the wall behind. So a range that the others contradict
is not believed either.

With the bearing's estimate it is what other nodes get: a direction, and a position with its covariance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from gremsy_common.geometry import Array, direction_from_bearing
from gremsy_common.timing.stamp_check import AHEAD_NS
from gremsy_common.types.gimbal_state import RangeReading
from gremsy_common.types.target_place import TargetBearing, TargetPosition
from gremsy_tracker.place.box_ranges import UprightBox, by_ground, by_height
from gremsy_tracker.pointing.bearing_filter import BearingEstimate
from gremsy_tracker.tracker_parameters import TrackerParameters

# Of the box, from its middle to an edge: between a walker's legs, and beside his neck, the beam goes past him.
_HIT_SHARE = 0.6
# Two ranges farther apart, in standard deviations of their difference, are of two things.
_CONTRADICTION_SIGMA = 4.0


class RangeSource(str, Enum):
    """What tells the range."""

    FINDER = 'the range finder'
    HEIGHT = 'the known height of its class'
    GROUND = 'the ground that it stands on'


@dataclass(frozen=True, slots=True)
class TargetRange:
    """From the camera to the target's middle, by that source, at that time."""

    stamp_ns: int
    range_m: float
    std_m: float
    source: RangeSource


class TargetRanges:
    """One target's ranges.

    Attributes:
        counts: by reason, what of the range finder was not used.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.counts: Counter[str] = Counter()
        self._reading: RangeReading | None = None
        self._newest_ns: int | None = None
        self._ranges: dict[RangeSource, TargetRange] = {}
        self.reconfigure(parameters)

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on."""
        self.parameters = parameters
        self._heights_m = parameters.heights_m()

    def forget_target(self) -> None:
        """Another target from now on."""
        self._ranges.clear()

    def restart_time(self) -> None:
        """The clock was set."""
        self.forget_target()
        self._reading = self._newest_ns = None

    def offer(self, reading: RangeReading, now_ns: int) -> bool:
        """A reading of the range finder; False: not used, counted."""
        reason = self._fault(reading, now_ns)
        if reason:
            self.counts[reason] += 1
            return False
        self._reading, self._newest_ns = reading, reading.stamp_ns
        return True

    def seen(
        self,
        stamp_ns: int,
        label: str,
        upright: UprightBox | None,
        size_rad: Array,
        off_axis_at: Callable[[int], Array | None],
    ) -> None:
        """The target was in an image.

        Args:
            stamp_ns: of the image.
            label: the target's class.
            upright: its box's edges; None where the box does not show the whole of it.
            size_rad: (2,) angular width and height of the box.
            off_axis_at: (2,) from the optical axis to the target at a time, azimuth (on the sphere) and tilt, rad; None
                where it is not known.
        """
        parameters = self.parameters
        if upright is not None:
            height = self._heights_m.get(label)
            if height is not None:
                self._keep(stamp_ns, by_height(upright, *height), RangeSource.HEIGHT)
            if parameters.camera_height_m > 0.0:
                ground = by_ground(upright, parameters.camera_height_m, parameters.camera_height_std_m)
                self._keep(stamp_ns, ground, RangeSource.GROUND)
        reading, self._reading = self._reading, None
        if reading is None or abs(reading.stamp_ns - stamp_ns) > parameters.range_max_age_s * 1e9:
            return
        off = off_axis_at(reading.stamp_ns)
        if off is None or (np.abs(off) > _HIT_SHARE * size_rad / 2.0).any():
            self.counts['ranges_beside_the_target'] += 1
            return
        found = TargetRange(reading.stamp_ns, reading.range_m, parameters.range_finder_std_m, RangeSource.FINDER)
        if self._contradicted(found):
            self.counts['ranges_contradicted'] += 1
            return
        self._ranges[RangeSource.FINDER] = found

    def at(self, stamp_ns: int) -> TargetRange | None:
        """The best known for that time; None where nothing is known, or only from too long ago."""
        carried = [each for each in (self._carried(each, stamp_ns) for each in self._ranges.values()) if each]
        return min(carried, key=lambda each: each.std_m, default=None)

    def _fault(self, reading: RangeReading, now_ns: int) -> str:
        if not (math.isfinite(reading.range_m) and reading.range_m > 0.0):
            # -inf and inf say, by REP 117, that something is nearer or farther than can be measured.
            return 'ranges_out_of_reach' if math.isinf(reading.range_m) else 'ranges_unusable'
        # Limits that nobody filled in, both 0 or no numbers, are none.
        if reading.min_m < reading.max_m and not reading.min_m <= reading.range_m <= reading.max_m:
            return 'ranges_out_of_reach'
        if not -AHEAD_NS <= now_ns - reading.stamp_ns <= self.parameters.range_max_age_s * 1e9:
            return 'ranges_stale'
        if self._newest_ns is not None and reading.stamp_ns <= self._newest_ns:
            return 'ranges_unsorted'
        return ''

    def _keep(self, stamp_ns: int, found: tuple[float, float] | None, source: RangeSource) -> None:
        if found is not None:
            self._ranges[source] = TargetRange(stamp_ns, *found, source)

    def _carried(self, known: TargetRange, stamp_ns: int) -> TargetRange | None:
        age_s = abs(stamp_ns - known.stamp_ns) * 1e-9
        if age_s > self.parameters.range_max_age_s:
            return None
        return replace(known, stamp_ns=stamp_ns, std_m=math.hypot(known.std_m, self.parameters.range_speed_m_s * age_s))

    def _contradicted(self, found: TargetRange) -> bool:
        others = (each for source, each in self._ranges.items() if source is not found.source)
        for other in (self._carried(each, found.stamp_ns) for each in others):
            if other is not None:
                apart = abs(other.range_m - found.range_m)
                if apart > _CONTRADICTION_SIGMA * math.hypot(other.std_m, found.std_m):
                    return True
        return False


def bearing_of(
    estimate: BearingEstimate, rate_std_rad_s: Array, frame_id: str, attitude_std_rad: float
) -> TargetBearing:
    """The estimate as a direction in the still frame `frame_id`.

    Args:
        estimate: of the bearing filter, which takes telemetry to be exact.
        rate_std_rad_s: (2,) of its rates.
        frame_id: of the still frame.
        attitude_std_rad: how exact telemetry is, each axis.
    """
    azimuth, tilt = estimate.bearing_rad
    std = np.hypot(estimate.std_rad, [attitude_std_rad / max(float(np.cos(tilt)), 0.1), attitude_std_rad])
    return TargetBearing(
        estimate.stamp_ns,
        frame_id,
        direction_from_bearing(azimuth, tilt),
        estimate.rate_rad_s,
        std,
        rate_std_rad_s,
    )


def position_of(bearing: TargetBearing, distance: TargetRange) -> TargetPosition:
    """That far along the bearing; errors of range, azimuth and tilt are taken to be independent and small."""
    x, y, z = bearing.direction
    level = float(np.hypot(x, y))
    # Derivatives of the position by range, azimuth and tilt.
    by_azimuth = distance.range_m * np.array([-y, x, 0.0])
    by_tilt = distance.range_m * np.array([x * z / max(level, 1e-9), y * z / max(level, 1e-9), -level])
    spread = np.stack(
        [distance.std_m * bearing.direction, bearing.std_rad[0] * by_azimuth, bearing.std_rad[1] * by_tilt], axis=1
    )
    return TargetPosition(
        bearing.stamp_ns, bearing.frame_id, distance.range_m * bearing.direction, np.asarray(spread @ spread.T)
    )
