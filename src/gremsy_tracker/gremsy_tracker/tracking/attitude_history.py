# SPDX-License-Identifier: Apache-2.0
"""Where the camera looked at the moment a picture was taken, from telemetry that comes at its own times."""

from __future__ import annotations

import math
from collections import Counter, deque

import numpy as np

from gremsy_common.geometry import Array, matrix_from_quaternion, multiply_quaternions, quaternion_from_rotation_vector
from gremsy_common.timing.stamp_check import StampOrder, order_of
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.attitude_screen import fault_of, reaches
from gremsy_common.types.gimbal_state import GimbalAttitude

# Longer than the oldest image that may still be pointed with (0.8 s), with room for a late one.
_KEEP_NS = 3_000_000_000
_BREAKS = 8
_KEPT_RESULTS = 8
# An azimuth that is elsewhere than its own rate leads, by more than 2 degrees and what the fastest slew explains (180
# deg/s, in case the rates are not known), while nothing else is, counts from elsewhere: the mode has changed, or the
# device restarted. The camera did not turn.
_RECOUNTED_RAD, _RECOUNTED_RAD_S, _RECOUNTED_RAD_S2 = math.radians(2.0), math.radians(180.0), math.radians(200.0)
_UPRIGHT_RAD = math.radians(2.0)
_LONGEST_GAP_S = 0.5


class AttitudeHistory:
    """The last seconds of telemetry, asked by time.

    Attributes:
        samples: in order of time.
        dropped: counts by reason of samples that were not used, and of jumps.
        jumped_ns: stamp of the newest sample that no gimbal can have come to from the one before; None for none.
        recounted: stamp of the newest sample and by how much its azimuth counts from elsewhere than that of the one
            before, rad; None where it does not.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.jumped_ns: int | None = None
        self.recounted: tuple[int, float] | None = None
        self._breaks_ns: deque[int] = deque(maxlen=_BREAKS)  # of the first samples that count from elsewhere
        self.samples: TimedHistory[GimbalAttitude] = TimedHistory(keep_ns=_KEEP_NS)
        self._results: dict[tuple[int, float], Array | None] = {}  # since the newest sample

    def offer(self, sample: GimbalAttitude) -> bool:
        """Store a sample; False (and counted) if no camera can have it, or it is not newer than the newest."""
        norm, rates = float(np.linalg.norm(sample.level_from_camera_wxyz)), sample.rate_rad_s.tolist()
        if fault_of(norm, rates) is not None or not all(map(math.isfinite, rates)):
            self.dropped['attitudes_not_finite'] += 1
            return False
        order = order_of(sample.stamp_ns, self.samples.newest_ns)
        if order is StampOrder.NOT_NEWER:
            self.dropped['attitudes_unsorted'] += 1
            return False
        if order is StampOrder.RESTARTED:
            self.clear()
        self.recounted = None
        before = self.samples.newest
        turned_rad = _recounted(before, sample) if before is not None else 0.0
        if turned_rad:
            self.dropped['azimuths_counted_anew'] += 1
            self.recounted = sample.stamp_ns, turned_rad
            self.jumped_ns = sample.stamp_ns
            self._breaks_ns.append(sample.stamp_ns)
        elif before is not None and _jumps(before, sample):
            # What came before is of another frame, or this is damaged: nothing is interpolated between the two.
            self.dropped['attitude_jumps'] += 1
            self.clear()
            self.jumped_ns = sample.stamp_ns
        self.samples.put(sample.stamp_ns, sample)
        self._results.clear()
        return True

    def clear(self) -> None:
        """Forget everything."""
        self.samples.clear()
        self._results.clear()
        self.jumped_ns = self.recounted = None
        self._breaks_ns.clear()

    def at(self, stamp_ns: int, reach_s: float) -> Array | None:
        """The orientation at a time; None where the nearest sample is more than `reach_s` away.

        (3, 3) rotation, camera frame (x forward, y left, z up) to the level frame.

        Between two samples the rotation is interpolated (slerp), its rate changing evenly from the one's to the
        other's: at 10 Hz a straight line would be 0.1 degrees off where the gimbal takes up 80 deg/s^2, and the loop
        swings on that. What both rates have too much, as those of a gyro on a turning vehicle, cancels. Beside one
        sample alone it is carried on, or back, at that sample's own rate.
        """
        # The stamps of an image and of the one before are asked for by everybody in turn.
        asked = (stamp_ns, reach_s)
        if asked not in self._results:
            if len(self._results) >= _KEPT_RESULTS:
                self._results.clear()
            self._results[asked] = self._found(stamp_ns, int(reach_s * 1e9))
        return self._results[asked]

    def _found(self, stamp_ns: int, reach_ns: int) -> Array | None:
        earlier, later = self.samples.around(stamp_ns)
        if earlier is None or later is None or earlier is later:
            only = earlier or later
            return None if only is None else self._carried(only, stamp_ns, reach_ns)
        gap_ns = later.stamp_ns - earlier.stamp_ns
        if gap_ns > 2 * reach_ns or later.stamp_ns in self._breaks_ns:
            nearer = earlier if stamp_ns - earlier.stamp_ns < later.stamp_ns - stamp_ns else later
            return self._carried(nearer, stamp_ns, reach_ns)
        share = (stamp_ns - earlier.stamp_ns) / gap_ns
        quaternion = slerp(earlier.level_from_camera_wxyz, later.level_from_camera_wxyz, share)
        bent = 0.5 * share * (1.0 - share) * gap_ns * 1e-9 * (earlier.rate_rad_s - later.rate_rad_s)
        quaternion = multiply_quaternions(quaternion, quaternion_from_rotation_vector(bent))
        return matrix_from_quaternion(quaternion)

    @staticmethod
    def _carried(sample: GimbalAttitude, stamp_ns: int, reach_ns: int) -> Array | None:
        offset_ns = stamp_ns - sample.stamp_ns
        if abs(offset_ns) > reach_ns:
            return None
        turn = quaternion_from_rotation_vector(sample.rate_rad_s * (offset_ns * 1e-9))
        return matrix_from_quaternion(multiply_quaternions(sample.level_from_camera_wxyz, turn))


def _recounted(before: GimbalAttitude, after: GimbalAttitude) -> float:
    """By how much more azimuth counts, rad, where nothing but that explains the later sample; else 0."""
    gap_s = (after.stamp_ns - before.stamp_ns) * 1e-9
    if gap_s > _LONGEST_GAP_S:
        return 0.0
    turn = quaternion_from_rotation_vector(before.rate_rad_s * gap_s)
    expected = multiply_quaternions(before.level_from_camera_wxyz, turn)
    w, x, y, z = multiply_quaternions(after.level_from_camera_wxyz, expected * [1.0, -1.0, -1.0, -1.0]).tolist()
    about_up_rad = math.remainder(2.0 * math.atan2(z, w), 2 * math.pi)
    allowed_rad = gap_s * (_RECOUNTED_RAD_S + gap_s * _RECOUNTED_RAD_S2)
    if abs(about_up_rad) <= _RECOUNTED_RAD + allowed_rad:
        return 0.0
    # Swing and twist: what is left beside the turn about up.
    return about_up_rad if 2.0 * math.asin(min(1.0, math.hypot(x, y))) <= _UPRIGHT_RAD + allowed_rad else 0.0


def _jumps(before: GimbalAttitude, after: GimbalAttitude) -> bool:
    cosine = float(before.level_from_camera_wxyz @ after.level_from_camera_wxyz)
    return not reaches(cosine, (after.stamp_ns - before.stamp_ns) * 1e-9)


def slerp(a_wxyz: Array, b_wxyz: Array, share: float) -> Array:
    """Unit quaternion `share` (0..1) of the shortest way from a to b (Shoemake, SIGGRAPH 1985)."""
    cosine = float(a_wxyz @ b_wxyz)
    b_wxyz, cosine = (b_wxyz, cosine) if cosine >= 0 else (-b_wxyz, -cosine)
    if cosine > 0.999999:  # less than 0.2 degrees apart: sin(angle) is too small to divide by
        mixed = (1.0 - share) * a_wxyz + share * b_wxyz
    else:
        angle = np.arccos(cosine)
        mixed = np.sin((1.0 - share) * angle) * a_wxyz + np.sin(share * angle) * b_wxyz
    return np.asarray(mixed / np.linalg.norm(mixed))
