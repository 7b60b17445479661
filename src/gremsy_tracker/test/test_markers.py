# SPDX-License-Identifier: Apache-2.0
"""What RViz is told: lines against values worked out by hand, and markers that come and go."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from gremsy_common.geometry import direction_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_tracker.display import marker_geometry
from gremsy_tracker.display.tracker_view import TrackerView
from gremsy_tracker.lock.target_lock import LockState, LockStatus

Array = NDArray[np.float64]
AHEAD = np.eye(3)
# Turned left by 90 degrees: the camera's x axis is the level frame's y axis.
TO_THE_LEFT = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
# Half the width at distance 1 is 0.8, half the height 0.6: the corners' rays are (1, 0.8, 0.6) / sqrt(2).
CAMERA = CameraModel(640, 480, 400.0, 400.0, 320.0, 240.0)


def test_rays_go_from_the_camera_along_their_bearings_left_and_down_positive() -> None:
    rays = marker_geometry.bearing_rays(np.array([[0.0, 0.0], [math.pi / 2, 0.0], [0.0, math.pi / 6]]), 10.0)
    assert np.allclose(rays[:, 0], 0.0)
    assert np.allclose(rays[:, 1], [[10, 0, 0], [0, 10, 0], [10 * math.sqrt(3) / 2, 0, -5]])
    assert marker_geometry.bearing_rays(np.zeros((0, 2)), 10.0).shape == (0, 2, 3)


def test_the_field_of_view_has_its_corners_where_the_focal_length_says() -> None:
    lines = marker_geometry.field_of_view(CAMERA, AHEAD, 2.0)
    # Top left, top right, bottom right, bottom left of the image; y is left, z is up.
    corners = math.sqrt(2.0) * np.array([[1, 0.8, 0.6], [1, -0.8, 0.6], [1, -0.8, -0.6], [1, 0.8, -0.6]])
    assert np.allclose(lines[:4, 0], 0.0)
    assert np.allclose(lines[:4, 1], corners)
    assert np.allclose(lines[4:, 0], corners)
    assert np.allclose(lines[4:, 1], np.roll(corners, -1, axis=0))


def test_the_field_of_view_turns_with_the_camera_and_narrows_with_its_zoom() -> None:
    lines = marker_geometry.field_of_view(CAMERA.zoomed(4.0), TO_THE_LEFT, 1.0)
    corner = lines[0, 1]  # (1, 0.2, 0.15) turned left, of length 1
    assert np.allclose(corner, np.array([-0.2, 1.0, 0.15]) / math.sqrt(1.0 + 0.04 + 0.0225))


def test_the_cone_of_uncertainty_has_its_half_widths_around_its_axis() -> None:
    lines = marker_geometry.uncertainty_cone(np.array([0.0, 0.0]), np.array([0.1, 0.2]), 5.0)
    assert lines.shape == (28, 2, 3)
    assert np.allclose(np.linalg.norm(lines[:24], axis=2), 5.0)
    assert np.allclose(lines[24:, 0], 0.0)
    left, down, right, up = lines[24:, 1] / 5.0
    assert np.allclose(left, [math.cos(0.1), math.sin(0.1), 0.0])
    assert np.allclose(right, [math.cos(0.1), -math.sin(0.1), 0.0])
    assert np.allclose(down, [math.cos(0.2), 0.0, -math.sin(0.2)])
    assert np.allclose(up, [math.cos(0.2), 0.0, math.sin(0.2)])


def test_a_cone_that_looks_down_is_as_narrow_as_its_azimuth_is_there() -> None:
    bearing = np.array([0.7, 1.0])
    lines = marker_geometry.uncertainty_cone(bearing, np.array([0.1, 0.1]), 1.0)
    axis = direction_from_bearing(bearing[:1], bearing[1:])[0]
    left, down = np.arccos(lines[24:26, 1] @ axis)
    assert left == pytest.approx(0.1 * math.cos(1.0))
    assert down == pytest.approx(0.1)


def test_a_cone_without_width_is_a_line_and_a_huge_one_stays_finite() -> None:
    line = marker_geometry.uncertainty_cone(np.array([0.3, 0.2]), np.zeros(2), 1.0)
    assert np.allclose(line[:24], direction_from_bearing(np.array([0.3]), np.array([0.2]))[0])
    assert np.isfinite(marker_geometry.uncertainty_cone(np.zeros(2), np.full(2, 1e9), 1.0)).all()


def view(state: LockState = LockState.TRACKING, **changes: object) -> TrackerView:
    """Two people; the second is the target."""
    labels = np.array(['person', 'dog'], dtype=np.str_)
    made = TrackerView(
        stamp_ns=12_345_678_901,
        tracks=Tracks(0, '', np.zeros((2, 4)), np.full(2, 0.8), labels, np.array([3, 2**31 + 5])),
        status=LockStatus(state, 'chosen by click', 2**31 + 5, 'dog'),
        enabled=True,
        still_because='',
        predicted_px=None,
        target_size_px=None,
        target_bearing_rad=np.array([0.2, 0.1]),
        target_std_rad=np.array([0.001, 0.001]),
        gimbal_bearing_rad=np.zeros(2),
        error_rad=None,
        latency_s=None,
        zoom=1.0,
        camera=CAMERA,
        level_from_camera=AHEAD,
        track_bearings_rad=np.array([[0.4, 0.0], [0.19, 0.1]]),
    )
    return replace(made, **changes)


class TestMessages:
    """Needs the message packages."""

    @pytest.fixture
    def markers_of(self):
        module = pytest.importorskip(
            'gremsy_tracker.display.marker_messages', reason='the workspace is not built: run ./gremsy setup'
        )
        return lambda shown: module.markers_of(shown, 'robot/gimbal_level').markers

    def test_everything_has_its_name_in_the_level_frame_at_the_views_time(self, markers_of) -> None:
        first, *rest = markers_of(view())
        assert first.action == first.DELETEALL
        assert [(each.ns, each.id) for each in rest] == [
            ('field_of_view', 0),
            ('boresight', 0),
            ('tracks', 3),
            ('names', 3),
            ('target', 0),
            ('target_uncertainty', 0),
            ('names', 5),
        ]
        for each in rest:
            assert each.header.frame_id == 'robot/gimbal_level'
            assert (each.header.stamp.sec, each.header.stamp.nanosec) == (12, 345_678_901)
            assert each.action == each.ADD
            # Whoever sends no more is not believed for longer than a few messages.
            assert 0 < each.lifetime.nanosec <= 500_000_000
            assert each.lifetime.sec == 0
            assert each.pose.orientation.w == 1.0
            assert each.color.a > 0.0
            assert (each.scale.z if each.ns == 'names' else each.scale.x) > 0.0

    def test_the_target_is_bolder_named_and_not_drawn_as_a_track_too(self, markers_of) -> None:
        by_name = {(each.ns, each.id): each for each in markers_of(view())}
        target, track = by_name['target', 0], by_name['tracks', 3]
        assert target.scale.x > 2 * track.scale.x
        assert target.color != track.color
        assert by_name['names', 5].text == f'dog {2**31 + 5}'
        assert by_name['names', 3].text == 'person 3'
        end = target.points[1]
        expected = 10.0 * direction_from_bearing(np.array([0.2]), np.array([0.1]))[0]
        assert np.allclose([end.x, end.y, end.z], expected)

    def test_a_target_that_is_not_seen_says_so_and_a_lost_one_is_gone(self, markers_of) -> None:
        seen = view(LockState.COASTING, track_bearings_rad=np.array([[0.4, 0.0]]))
        other = replace(seen.tracks, ids=np.array([3]), labels=np.array(['person'], dtype=np.str_))
        coasting = replace(seen, tracks=other)
        texts = [each.text for each in markers_of(coasting) if each.ns == 'names']
        assert texts == ['person 3', f'dog {2**31 + 5} (not seen)']
        lost = replace(coasting, target_bearing_rad=None, status=LockStatus(LockState.LOST, '', 9, 'dog'))
        assert not [each for each in markers_of(lost) if each.ns.startswith('target')]

    def test_what_is_not_known_is_left_out(self, markers_of) -> None:
        unknown = view(
            LockState.IDLE,
            camera=None,
            level_from_camera=None,
            gimbal_bearing_rad=None,
            target_bearing_rad=None,
            track_bearings_rad=None,
        )
        (only,) = markers_of(unknown)
        assert only.action == only.DELETEALL

    def test_a_bearing_that_is_no_number_is_no_ray(self, markers_of) -> None:
        shown = view(track_bearings_rad=np.array([[math.nan, 0.0], [0.19, 0.1]]))
        assert not [each for each in markers_of(shown) if each.ns == 'tracks']

    @pytest.mark.parametrize(('watched', 'published'), [(False, 0), (True, 1)])
    def test_they_are_made_and_published_only_while_somebody_watches(self, watched: bool, published: int) -> None:
        module = pytest.importorskip(
            'gremsy_tracker.tracker_node', reason='the workspace is not built: run ./gremsy setup'
        )
        sent, views = [], []
        node = SimpleNamespace(
            _markers=SimpleNamespace(watched=watched, publish=sent.append),
            tracker=SimpleNamespace(view=lambda stamp_ns: views.append(stamp_ns) or view()),
            now_ns=lambda: 5,
            _filled_in=SimpleNamespace(level_frame='gimbal_level'),
        )
        module.TrackerNode._publish_markers(node)
        assert (len(sent), len(views)) == (published, published)
