# SPDX-License-Identifier: Apache-2.0
"""Zoom control through `Tracker`, closed over the simulated payload's lens: reports 5 times a second, 60 ms old."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import GimbalAttitude, ZoomState
from gremsy_gimbal_sim.camera.lens import ZoomLens
from gremsy_gimbal_sim.options.options_camera import PayloadCameraOptions
from gremsy_tracker.lock.target_lock import LockState
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.zoom import ZoomControl

Array = NDArray[np.float64]
WIDE = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
START_NS = 1_000_000_000_000
FRAME_NS, LATENCY_NS, REPORT_NS, REPORT_AGE_NS = 33_000_000, 120_000_000, 200_000_000, 60_000_000


class Loop:
    """A gimbal that looks at the target, give or take; a lens that takes a second for a factor of two."""

    def __init__(self, **changes: object) -> None:
        self.parameters = TrackerParameters(auto_lock='nearest', **changes)
        self.tracker = Tracker(self.parameters)
        self.lens = ZoomLens(PayloadCameraOptions(), START_NS * 1e-9)
        self.asked: list[float] = []
        self.shares: list[float] = []
        self.zooms: list[float] = []
        self.now_ns = START_NS
        self._random = np.random.default_rng(3)
        self._seen: deque[Detections] = deque()
        self._reports: deque[ZoomState] = deque()

    def run(self, seconds: float, height_at_1: Callable[[float], float | None], reports: bool = True) -> None:
        """Show a person whose height is that share of the frame's at zoom 1 (None: hidden), by the time in s."""
        begin_ns = self.now_ns
        while self.now_ns < begin_ns + seconds * 1e9:
            self._frame(height_at_1((self.now_ns - begin_ns) * 1e-9), reports)
            self.now_ns += FRAME_NS

    def _frame(self, height_at_1: float | None, reports: bool) -> None:
        now_ns, tracker = self.now_ns, self.tracker
        self.lens.advance(now_ns * 1e-9)
        zoom = self.lens.factor
        tracker.offer_camera_model(now_ns, WIDE.zoomed(zoom))
        tracker.offer_attitude(GimbalAttitude(now_ns, 'camera', quaternion_from_bearing(0.0, 0.0), np.zeros(3)))
        if reports and now_ns % REPORT_NS < FRAME_NS:
            self._reports.append(ZoomState(now_ns, zoom))
        while self._reports and self._reports[0].stamp_ns + REPORT_AGE_NS <= now_ns:
            tracker.offer_zoom(self._reports.popleft())
        self._seen.append(self._detect(height_at_1, zoom))
        while self._seen and self._seen[0].stamp_ns + LATENCY_NS <= now_ns:
            update = tracker.offer_detections(self._seen.popleft(), now_ns)
            if update is not None and update.zoom_setpoint is not None:
                self.asked.append(update.zoom_setpoint)
                self.lens.go_to(update.zoom_setpoint)
        self.zooms.append(zoom)
        self.shares.append(math.nan if height_at_1 is None else height_at_1 * zoom)

    def _detect(self, height_at_1: float | None, zoom: float) -> Detections:
        if height_at_1 is None or self._random.random() < 0.05:
            return Detections.empty(self.now_ns, 'optical')
        height = 480 * height_at_1 * zoom * self._random.uniform(0.95, 1.05)
        half = np.array([0.2 * height, 0.5 * height])
        centre = np.array([320.0, 240.0]) + self._random.normal(0.0, 0.02 * height, 2)
        box = np.clip(np.concatenate([centre - half, centre + half]), 0.0, [640, 480, 640, 480])
        return Detections(self.now_ns, 'optical', box[None], np.array([0.8]), np.array(['person']))

    def reversals(self) -> int:
        """How often it was asked to go the other way than last time."""
        signs = np.sign(np.diff(np.log([1.0, *self.asked])))
        signs = signs[signs != 0.0]
        return int(np.count_nonzero(np.diff(signs)))

    def share_off(self) -> Array:
        """Wanted over actual share, or its inverse: the larger."""
        ratio = self.parameters.zoom_target_share / np.array(self.shares)
        return np.maximum(ratio, 1.0 / ratio)


@pytest.mark.parametrize('height_at_1', [0.08, 0.15, 0.3])
def test_a_person_comes_to_fill_the_wanted_share_and_the_zoom_then_rests(height_at_1: float) -> None:
    loop = Loop(zoom_control=True)
    loop.run(8.0, lambda _: height_at_1)
    settled = len(loop.asked)
    loop.run(6.0, lambda _: height_at_1)
    assert loop.share_off()[-180:].max() < loop.parameters.zoom_hysteresis
    assert len(loop.asked) == settled
    assert loop.reversals() == 0


def test_one_who_walks_up_and_away_again_is_kept_within_the_band_with_one_turn_each() -> None:
    loop = Loop(zoom_control=True)
    loop.run(8.0, lambda _: 0.15)
    loop.run(24.0, lambda t: 0.15 * 2.0 ** math.sin(math.pi * t / 12.0))
    after = loop.share_off()[-int(24e9 // FRAME_NS) :]
    # Out of the band it may be for as long as it takes to notice: the latency, a step, the lens.
    assert after.max() < 1.1 * loop.parameters.zoom_hysteresis
    assert max(loop.zooms) > 2.0 * min(loop.zooms[240:])
    assert loop.reversals() <= 3


def test_a_hidden_person_zooms_out_and_is_zoomed_in_upon_when_seen_again() -> None:
    loop = Loop(zoom_control=True)
    loop.run(8.0, lambda _: 0.1)
    near = loop.lens.factor
    assert near > 2.5
    loop.run(8.0, lambda _: None)
    assert loop.tracker.status.state in (LockState.SEARCHING, LockState.LOST)
    assert loop.lens.factor == pytest.approx(1.0, rel=0.03)
    loop.run(8.0, lambda _: 0.1)
    assert loop.lens.factor == pytest.approx(near, rel=0.2)
    assert loop.reversals() == 2


def test_a_person_hidden_for_a_moment_leaves_the_zoom_alone() -> None:
    loop = Loop(zoom_control=True)
    loop.run(8.0, lambda _: 0.1)
    asked = len(loop.asked)
    loop.run(2.0, lambda t: None if t < 0.2 else 0.1)
    assert len(loop.asked) == asked


@pytest.mark.parametrize('why', ['off', 'disabled', 'released', 'never had a target', 'no reports'])
def test_nothing_is_asked_for(why: str) -> None:
    loop = Loop(zoom_control=why != 'off')
    if why == 'disabled':
        loop.tracker.enable(False)
    if why == 'released':
        loop.run(8.0, lambda _: 0.1)
        assert loop.asked
        loop.asked.clear()
        loop.tracker.release()
    loop.run(4.0, lambda _: None if why == 'never had a target' else 0.1, reports=why != 'no reports')
    assert loop.asked == []


def test_what_the_payload_reported_is_interpolated_to_the_images_time() -> None:
    control = ZoomControl(TrackerParameters())
    assert control.factor_at(0) is None
    assert control.factor == 1.0
    control.offer(ZoomState(1_000_000_000, 1.0))
    control.offer(ZoomState(2_000_000_000, 4.0))
    assert control.factor_at(1_500_000_000) == pytest.approx(2.0)
    assert control.factor_at(500_000_000) == 1.0
    assert control.factor_at(2_000_000_000) == 4.0
    assert control.factor_at(3_900_000_000) == 4.0
    assert control.factor_at(4_100_000_000) is None


def test_reports_that_are_nonsense_are_left_out_and_a_clock_that_jumps_back_begins_anew() -> None:
    control = ZoomControl(TrackerParameters())
    for factor in (math.nan, math.inf, 0.0, -1.0):
        control.offer(ZoomState(5_000_000_000, factor))
    assert control.factor == 1.0
    control.offer(ZoomState(5_000_000_000, 3.0))
    control.offer(ZoomState(5_000_000_000, 4.0))
    assert control.factor_at(5_000_000_000) == 3.0
    control.offer(ZoomState(1_000_000_000, 2.0))
    assert control.factor_at(5_000_000_000) is None
    assert control.factor_at(1_000_000_000) == 2.0
