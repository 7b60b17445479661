# SPDX-License-Identifier: Apache-2.0
"""Learns from the pictures, while the gimbal moves, how old its telemetry is.

Only pairs of pictures that can tell are looked at: those between which the camera's rate changed. At 8 ms a pair, four
a second at most, that is 3 % of a core while there is something to learn, and nothing while the camera rests.

How old telemetry is when its stamp says "now": the shift in time at which it tells what the pictures show.

Between two pictures things that stand still move by what the camera turned. Telemetry says the same, later or sooner by
its error in time: for each shift of a grid it is compared with what was seen, by least squares, and a parabola through
the best and its neighbours gives what lies between. A camera that turns evenly tells nothing (its turn is the same at
every shift), one that speeds up or reverses does. The picture's scale is fitted as well: a focal length that is a tenth
wrong must not become a time.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import Array
from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_tracker.tracking.visual_ego_motion import KnownMotion, VisualEgoMotion

_STEP_S = 0.01
SHIFTS_S: Array = np.arange(-0.12, 0.3201, _STEP_S)
"""Telemetry that is stamped too late, by up to 0.3 s, and pictures that are, by up to 0.1 s (`arrival` stamps)."""

LEAST_PAIRS = 12
# Another scale than the calibrated one by more than this is another motion.
_LEAST_SCALE, _LARGEST_SCALE = 0.8, 1.25
# What the shifted telemetry must leave unexplained, at most: a vehicle that turns unknown to it leaves more.
_LARGEST_REST_SHARE = 0.2
# Beyond so many times the median of what is left, a pair is a passer-by that was taken for the background.
_OUTLIER = 4.0
# Pairs share pictures, and what disturbs one disturbs the next.
_INFLATED = 1.5
# Stamps in whole milliseconds, and angles that are interpolated.
_FLOOR_S = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class SeenTurn:
    """One pair of pictures.

    Attributes:
        seen: (2,) where the middle of the earlier picture went, in focal lengths.
        telemetry: (len(SHIFTS_S), 2) the same by telemetry at each shift.
    """

    seen: Array
    telemetry: Array


@dataclass(frozen=True, slots=True)
class AgeFit:
    """The shift, its standard deviation, and how many pairs it is from."""

    late_s: float
    std_s: float
    pairs: int


def fit_age(turns: list[SeenTurn]) -> AgeFit | None:
    """The shift that explains them best; None where they tell none."""
    if len(turns) < LEAST_PAIRS:
        return None
    seen = np.stack([each.seen for each in turns])  # (n, 2)
    telemetry = np.stack([each.telemetry for each in turns])  # (n, s, 2)
    kept = np.ones(len(turns), dtype=np.bool_)
    for _ in range(3):
        best, scale, _ = _best(seen[kept], telemetry[kept])
        rest = np.linalg.norm(seen - scale * telemetry[:, best], axis=1)
        kept = rest <= max(_OUTLIER * float(np.median(rest[kept])), 1e-6)
    if kept.sum() < LEAST_PAIRS:
        return None
    return _refined(seen[kept], telemetry[kept])


def _best(seen: Array, telemetry: Array) -> tuple[int, float, Array]:
    """The shift at which least is left, the scale there, and (s,) what is left at each."""
    products = np.einsum('ni,nsi->s', seen, telemetry)
    powers = np.einsum('nsi,nsi->s', telemetry, telemetry) + 1e-12
    scales = np.clip(products / powers, _LEAST_SCALE, _LARGEST_SCALE)
    left = (seen**2).sum() - 2.0 * scales * products + scales**2 * powers
    best = int(left.argmin())
    return best, float(scales[best]), left


def _refined(seen: Array, telemetry: Array) -> AgeFit | None:
    best, scale, left = _best(seen, telemetry)
    if best in (0, len(SHIFTS_S) - 1) or not _LEAST_SCALE < scale < _LARGEST_SCALE:
        return None
    if left[best] > _LARGEST_REST_SHARE * (seen**2).sum():
        return None
    before, here, after = left[best - 1 : best + 2].tolist()
    bend = before - 2.0 * here + after
    if bend <= 0.0:
        return None
    offset = 0.5 * (before - after) / bend
    # Twice the unscaled variance over the second derivative: each of 2 n values has that variance, two are fitted.
    variance = max(here - 0.125 * (before - after) ** 2 / bend, 0.0) / (2 * len(seen) - 2)
    std_s = _INFLATED * math.sqrt(2.0 * variance / bend) * _STEP_S
    return AgeFit(float(SHIFTS_S[best]) + offset * _STEP_S, math.hypot(std_s, _FLOOR_S), len(seen))


# Pictures closer together are not kept, and 32 of them are: 1.4 s.
_LEAST_APART_NS = 45_000_000
# Of a pair: far enough apart to turn by more than a corner's error, near enough to see the same things.
_SHORTEST_NS, _LONGEST_NS = 80_000_000, 260_000_000
_PAIR_EVERY_NS = 250_000_000
# How different telemetry must be at some two shifts, in focal lengths: a quarter of a degree.
_LEAST_TOLD = 0.0044
_AHEAD_NS = round(SHIFTS_S[-1] * 1e9)
# Looked at before the whole grid.
_COARSE = SHIFTS_S[::11]
# Known well enough to be published, or given up.
_KNOWN_STD_S = 0.003
_MOST_PAIRS = 100
# What was learnt is learnt again after so long: nothing of a gimbal's link changes sooner.
_PAUSE_NS = 60_000_000_000
# A camera whose telemetry turned so little lately moves for nobody.
_MOVED_RAD_S = 0.02
_MOVED_LATELY_NS = 2_000_000_000
_FIT_EVERY = 4


class AttitudeAgeLearner:
    """Offer pictures while `wants_pictures`, call `learn` now and then; safe to use from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._visual = VisualEgoMotion(_LEAST_APART_NS)
        self._turns: list[SeenTurn] = []
        self._since_ns: int | None = None
        self._looked_ns = 0  # the later stamp of the newest pair
        self._newest_ns = 0  # stamp of the newest telemetry
        self._moved_ns: int | None = None
        self._paused_until_ns = 0
        self._keeps_on = False

    def clear(self) -> None:
        """The clock restarted."""
        with self._mutex:
            self._visual.clear()
            self._forget()
            self._moved_ns, self._newest_ns, self._looked_ns, self._paused_until_ns = None, 0, 0, 0

    def keep_on(self, keeps_on: bool) -> None:
        """Whether it goes on without a pause: while a calibration moves the gimbal."""
        with self._mutex:
            if keeps_on and not self._keeps_on:
                self._forget()  # what comes is of the calibration's own time
                self._paused_until_ns = 0
            self._keeps_on = keeps_on

    def turns(self, stamp_ns: int, rate_rad_s: float) -> None:
        """Telemetry: how fast the camera turns."""
        self._newest_ns = stamp_ns
        if rate_rad_s >= _MOVED_RAD_S:
            self._moved_ns = stamp_ns

    @property
    def wants_pictures(self) -> bool:
        """Whether something can be learnt now."""
        if self._newest_ns < self._paused_until_ns:
            return False
        return self._keeps_on or (self._moved_ns is not None and self._newest_ns - self._moved_ns <= _MOVED_LATELY_NS)

    def offer_frame(self, frame: Frame) -> None:
        """A picture."""
        self._visual.offer(frame.stamp_ns, frame.image)

    def learn(self, known: KnownMotion, moving_boxes_px: Array | None) -> AttitudeAge | None:
        """Look at one more pair, if there is one; an estimate when there is a new one.

        Args:
            known: by telemetry.
            moving_boxes_px: (N, 4) of what may move by itself, lately.
        """
        pair = self._next_pair()
        if pair is None:
            return None
        before_ns, after_ns = pair
        camera = known.camera_at(after_ns)
        if camera is None or camera != known.camera_at(before_ns):
            return None
        # What turns the frame of the angles has another age than they have.
        if abs(known.heading_at(after_ns + _AHEAD_NS) - known.heading_at(before_ns)) > _LEAST_TOLD:
            return None
        coarse = _turned_by_telemetry(before_ns, after_ns, known, _COARSE)
        if coarse is None or np.ptp(coarse, axis=0).max() < _LEAST_TOLD:
            return None
        telemetry = _turned_by_telemetry(before_ns, after_ns, known, SHIFTS_S)
        motion = self._visual.motion(before_ns, after_ns, moving_boxes_px)
        if telemetry is None or motion is None:
            return None
        return self._add(before_ns, after_ns, SeenTurn(_middle_went(motion, camera), telemetry))

    # Inside.

    def _forget(self) -> None:
        self._turns.clear()
        self._since_ns = None

    def _next_pair(self) -> tuple[int, int] | None:
        """The newest pair that telemetry reaches beyond, not sooner than a quarter of a second after the last."""
        with self._mutex:
            stamps = self._visual.stamps_until(self._newest_ns - _AHEAD_NS)
            if not stamps or stamps[-1] - self._looked_ns < _PAIR_EVERY_NS or stamps[-1] < self._paused_until_ns:
                return None
            after_ns = stamps[-1]
            near = [stamp for stamp in stamps if _SHORTEST_NS <= after_ns - stamp <= _LONGEST_NS]
            if not near:
                return None
            self._looked_ns = after_ns
            return near[0], after_ns

    def _add(self, before_ns: int, after_ns: int, turn: SeenTurn) -> AttitudeAge | None:
        with self._mutex:
            if self._since_ns is None:
                self._since_ns = before_ns
            self._turns.append(turn)
            count = len(self._turns)
            if count < LEAST_PAIRS or count % _FIT_EVERY:
                return None
            fit = fit_age(self._turns)
            known = fit is not None and fit.std_s <= _KNOWN_STD_S
            if not known and count < _MOST_PAIRS:
                return None
            since_ns = self._since_ns
            self._forget()
            if fit is None or not known:
                return None
            if not self._keeps_on:
                self._paused_until_ns = after_ns + _PAUSE_NS
            return AttitudeAge(round(fit.late_s, 5), round(fit.std_s, 5), fit.pairs, since_ns)


def _turned_by_telemetry(before_ns: int, after_ns: int, known: KnownMotion, shifts_s: Array) -> Array | None:
    """(s, 2) where the middle of the earlier picture went, in focal lengths, at each shift."""
    telemetry = np.empty((len(shifts_s), 2))
    for row, shift_s in enumerate(shifts_s.tolist()):
        shift_ns = round(shift_s * 1e9)
        before = known.level_from_camera(before_ns + shift_ns)
        after = known.level_from_camera(after_ns + shift_ns)
        if before is None or after is None:
            return None
        # The axis ahead of the earlier camera, in the later one's frame: x ahead, y left, z up.
        x, y, z = (after.T @ before[:, 0]).tolist()
        if x <= 0.1:
            return None
        telemetry[row] = -y / x, -z / x
    return telemetry


def _middle_went(motion: Array, camera: CameraModel) -> Array:
    """(2,) where the optical axis went by the picture, in focal lengths, x right and y down."""
    axis_px = camera.matrix[:, 2]
    x, y, w = (camera.inverse_matrix @ motion @ axis_px).tolist()
    return np.array([x / w, y / w])
