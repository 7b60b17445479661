# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from benchmarks.loop.pointing_score import score_pointing
from gremsy_camera.scene.scene import SceneGeometry, View

GEOMETRY = SceneGeometry.of(768, 576)
PERIOD_NS = 33_333_333


class TwoPeople:
    """Person 1 stands at the footage's centre, person 2 100 px (10.7 degrees) to its right."""

    def at(self, frame):
        if frame >= 90:
            return np.array([2]), np.array([[464.0, 228.0, 504.0, 348.0]])
        return np.array([1, 2]), np.array([[364.0, 228.0, 404.0, 348.0], [464.0, 228.0, 504.0, 348.0]])


def frame_event(step, azimuth_rad=0.0):
    return {
        'kind': 'frame',
        'stamp_ns': step * PERIOD_NS,
        'footage_frame': step,
        'azimuth_rad': azimuth_rad,
        'tilt_rad': 0.0,
        'zoom': 1.0,
    }


def track_event(step, state='tracking', footage_centre=(384.0, 288.0), azimuth_rad=0.0):
    x, y = GEOMETRY.camera_px_from_footage_px([footage_centre], View(azimuth_rad, 0.0))[0]
    box = [x - 30, y - 80, x + 30, y + 80] if state == 'tracking' else None
    return {'kind': 'track', 'stamp_ns': step * PERIOD_NS, 'state': state, 'box_px': box, 'target_id': 5}


def test_constant_offset_is_the_rms_error():
    axis = math.radians(0.5)
    events = [frame_event(step, axis) for step in range(90)]
    events += [track_event(step, azimuth_rad=axis) for step in range(90)]
    score, errors = score_pointing(events, TwoPeople(), GEOMETRY)
    assert score.rms_deg == pytest.approx(0.5, abs=1e-6)
    assert (score.locked_fraction, score.wrong_target_fraction, score.locks, score.people_followed) == (1.0, 0.0, 1, 1)
    assert len(errors) == 90


def test_the_way_to_the_target_does_not_count():
    events = [frame_event(step, math.radians(8.0 if step < 44 else 0.2)) for step in range(90)]
    events += [track_event(step, azimuth_rad=math.radians(8.0 if step < 44 else 0.2)) for step in range(90)]
    score, _ = score_pointing(events, TwoPeople(), GEOMETRY)
    assert score.rms_deg == pytest.approx(0.2, abs=1e-6)
    assert score.frames_scored == 90 - 46


def test_time_on_somebody_else_is_wrong_and_counts_against_the_first_person_in_the_strict_figure():
    events = [frame_event(step, 0.0 if step < 60 else math.radians(-10.0)) for step in range(90)]
    events += [track_event(step) for step in range(60)]
    events += [track_event(step, 'tracking', (484.0, 288.0), math.radians(-10.0)) for step in range(60, 90)]
    score, _ = score_pointing(events, TwoPeople(), GEOMETRY)
    assert score.wrong_target_fraction == pytest.approx(1 / 3)
    assert score.rms_deg == pytest.approx(0.0, abs=1e-6)
    assert score.rms_first_person_deg == pytest.approx(10.0 * math.sqrt(30 / 44), abs=1e-6)


def test_searching_while_somebody_is_in_view_lowers_the_locked_fraction():
    events = [frame_event(step) for step in range(90)]
    events += [track_event(step, 'searching' if step < 30 else 'tracking') for step in range(90)]
    score, _ = score_pointing(events, TwoPeople(), GEOMETRY)
    assert score.locked_fraction == pytest.approx(2 / 3)


def test_nothing_is_scored_once_the_person_left():
    events = [frame_event(step) for step in range(120)] + [track_event(step) for step in range(90)]
    events += [track_event(step, 'coasting') for step in range(90, 120)]
    score, errors = score_pointing(events, TwoPeople(), GEOMETRY)
    assert len(errors) == 90
    assert score.locks == 1


def test_an_empty_run_has_no_figures():
    score, _ = score_pointing([], TwoPeople(), GEOMETRY)
    assert (score.rms_deg, score.locked_fraction, score.wrong_target_fraction) == (None, None, None)


def test_the_share_of_the_squared_error_while_coasting_is_told():
    events = [frame_event(step, math.radians(0.5 if step < 75 else 1.0)) for step in range(90)]
    events += [
        track_event(step, 'tracking' if step < 75 else 'coasting', azimuth_rad=math.radians(0.5)) for step in range(90)
    ]
    score, errors = score_pointing(events, TwoPeople(), GEOMETRY)
    assert sum(each.coasting for each in errors) == 15
    # 45 settled frames, of which 15 at twice the error.
    assert score.coasting_share == pytest.approx(15 * 4 / (15 * 4 + 30), abs=0.01)


def test_of_nothing_scored_no_share_is_told():
    assert score_pointing([frame_event(0)], TwoPeople(), GEOMETRY)[0].coasting_share is None
