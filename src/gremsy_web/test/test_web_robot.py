# SPDX-License-Identifier: Apache-2.0
"""A pixel of a frame that was seen; readiness and numbers in words."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_common.geometry import (
    CAMERA_FROM_OPTICAL,
    direction_from_bearing,
    matrix_from_quaternion,
    quaternion_from_bearing,
)
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.video_time import VideoTime
from gremsy_web.http.api_errors import ApiError
from gremsy_web.robot import frame_pixels
from gremsy_web.robot.prometheus_text import prometheus_text, robot_samples
from gremsy_web.robot.readiness import parts_of
from gremsy_web.robot.robot_picture import ModelAt, NodeState, RobotPicture, tracks_content
from gremsy_web.robot.stamp_memory import StampMemory
from gremsy_web.video.video_server_client import is_pulled
from src.gremsy_web.test.web_stand_ins import FRAME_NS, STAMP_NS, Stand


def memory(*stamps):
    made = StampMemory()
    for stamp in stamps:
        made.put(ModelAt(stamp, CameraModel.from_horizontal_field(64, 48, 1.0)))
    return made


def span(made):
    """The stamps of the oldest and the newest."""
    return made.nearest(-1).stamp_ns, made.newest.stamp_ns


@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=60), st.integers(0, 4_000_000_000))
def test_the_memory_finds_what_a_search_of_all_would_find(stamps, asked):
    made = memory(*stamps)
    kept: list[int] = []
    for stamp in stamps:
        if kept and stamp < max(kept) - 2_000_000_000:
            kept = []
        kept = [each for each in [*kept, stamp] if each >= max([*kept, stamp]) - 2_000_000_000]
    assert span(made) == (min(kept), max(kept))
    assert abs(made.nearest(asked).stamp_ns - asked) == min(abs(each - asked) for each in kept)
    around = made.around(asked)
    if min(kept) <= asked <= max(kept):
        assert around[0].stamp_ns <= asked <= around[1].stamp_ns
    else:
        assert around is None


def test_a_clock_that_is_set_back_begins_a_new_memory():
    made = memory(10_000_000_000, 1_000_000_000)
    assert span(made) == (1_000_000_000, 1_000_000_000)
    assert span(memory(*range(2000))) == (2000 - 512, 1999)


@pytest.mark.parametrize('azimuth', [-2.0, 0.0, 1.2])
@pytest.mark.parametrize('tilt', [-0.5, 0.0, 1.0])
def test_a_pixel_is_where_a_camera_at_the_pose_of_that_frame_would_see_it(azimuth, tilt):
    """Truth: a point at a bearing, projected into a camera that looks elsewhere."""
    stand = Stand()
    stand.see(azimuths=(azimuth - 0.1, azimuth, azimuth + 0.1))
    model = CameraModel.from_horizontal_field(1280, 720, 1.0)
    level_from_camera = matrix_from_quaternion(quaternion_from_bearing(azimuth, 0.0))
    point = direction_from_bearing(azimuth + 0.2, tilt * 0.3)
    pixel = model.pixels((CAMERA_FROM_OPTICAL.T @ level_from_camera.T @ point)[None])[0]
    found = frame_pixels.bearing_at(
        stand.picture.cameras['eo'], stand.picture.attitudes, STAMP_NS + FRAME_NS, (pixel[0], pixel[1])
    )
    np.testing.assert_allclose(np.exp(1j * (found[0] - azimuth - 0.2)), 1.0, atol=1e-9)
    assert found[1] == pytest.approx(tilt * 0.3)


def test_between_two_readings_the_gimbal_was_between_them():
    stand = Stand()
    stand.see(azimuths=(0.0, 0.02))
    seen, middle = stand.picture.cameras['eo'], (640.0, 360.0)
    azimuth, _ = frame_pixels.bearing_at(seen, stand.picture.attitudes, STAMP_NS + FRAME_NS // 4, middle)
    assert azimuth == pytest.approx(0.005, abs=1e-6)


def refusal(call, *arguments):
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    return str(caught.value), caught.value.field, caught.value.status == 409


def test_what_is_wrong_with_a_pixel_or_frame_is_said():
    stand = Stand()
    seen, attitudes = stand.picture.cameras['eo'], stand.picture.attitudes
    middle = (640.0, 360.0)
    no_image = ('No image has come from camera eo yet: wait for its picture.', 'camera', True)
    assert refusal(frame_pixels.check_pixel, seen, middle) == no_image
    assert refusal(frame_pixels.bearing_at, seen, attitudes, 0, middle) == no_image
    assert refusal(frame_pixels.tracks_at, seen, 0)[0] == 'Nothing has been tracked by camera eo yet.'
    stand.see()
    assert refusal(frame_pixels.check_pixel, seen, (1281.0, 3.0)) == (
        'Pixel (1281, 3) is outside the image of 1280x720 of camera eo.',
        'pixel',
        False,
    )
    old = STAMP_NS - 1_000_000_000
    gone = (f'The frame of stamp {old} of camera eo is gone: those of the last 2 s are kept.', 'stamp_ns', True)
    assert refusal(frame_pixels.tracks_at, seen, old) == gone
    assert refusal(frame_pixels.bearing_at, seen, attitudes, old, middle) == gone
    ahead = STAMP_NS + 1_000_000_000
    never = (f'No frame of camera eo has the stamp {ahead} yet: send that of a frame.', 'stamp_ns', False)
    assert refusal(frame_pixels.tracks_at, seen, ahead) == never
    assert refusal(frame_pixels.bearing_at, seen, StampMemory(), 0, middle)[0] == (
        "The gimbal's attitude at that frame is not known: wait for its telemetry."
    )
    tracks = frame_pixels.tracks_at(seen, 0)
    assert frame_pixels.track_at(tracks, (650.0, 350.0)) == 7
    assert frame_pixels.track_at(tracks, (180.0, 240.0)) == 8
    assert refusal(frame_pixels.track_at, tracks, (1000.0, 700.0)) == (
        'No track is at pixel (1000, 700): click on a box, or within 40 px of one.',
        'pixel',
        False,
    )


@pytest.mark.parametrize(
    ('stamp_ns', 'rtp'),
    # By hand: 90 000 ticks a second; 2^32 of them are 47721.85884444 s.
    [(0, 0), (1_000_000_000, 90_000), (47_721_858_844_445, 0), (47_721_858_833_334, 2**32 - 1)],
)
def test_the_rtp_time_of_a_stamp_wraps_around(stamp_ns, rtp):
    assert rtp_time(stamp_ns) == rtp


def test_tracks_of_a_pulled_camera_have_its_own_rtp_time_or_none():
    stand = Stand()
    stand.see()
    newest_ns = STAMP_NS + 2 * FRAME_NS
    picture, eo = stand.picture, stand.picture.cameras['eo']
    assert tracks_content(eo, eo.tracks.newest)['rtp'] == rtp_time(newest_ns)
    picture.video_is_pulled('eo', True)
    picture.video_is_pulled('eo_overlay', False)
    assert tracks_content(eo, eo.tracks.newest)['rtp'] is None
    picture.cameras['eo'].times.put(VideoTime(newest_ns - FRAME_NS, 77))
    assert tracks_content(eo, eo.tracks.newest)['rtp'] is None
    picture.cameras['eo'].times.put(VideoTime(newest_ns, 3077))
    assert tracks_content(eo, eo.tracks.newest)['rtp'] == 3077


@pytest.mark.parametrize(
    ('said', 'pulled'),
    [
        # As MediaMTX 1.20.1 answered.
        ({'name': 'eo', 'source': {'type': 'rtspSource', 'id': ''}, 'readers': []}, True),
        ({'name': 'eo', 'source': {'type': 'rtspSession', 'id': '3f1c'}, 'readers': []}, False),
        ({'name': 'eo', 'source': None, 'readers': []}, False),
        ({'name': 'eo', 'source': 'rtspSource'}, False),
        ({}, False),
    ],
)
def test_who_sends_a_path_tells_whether_it_is_pulled(said, pulled):
    assert is_pulled(said) is pulled


def test_readiness_says_what_is_missing_in_words():
    picture = RobotPicture('robot', ('eo',))
    now = time.monotonic()
    picture.on_node_state(NodeState('eo/detector', 2, 'The model is gone: name one.', {}, now))
    picture.on_node_state(NodeState('eo/camera', 0, 'active', {}, now - 10.0))
    picture.on_node_state(NodeState('gimbal_driver', 3, '', {}, now))
    assert {part.name: part.reason for part in parts_of(picture, now)} == {
        'node eo/camera': 'It has reported nothing for 10 s: is its process running?',
        'node eo/detector': 'The model is gone: name one.',
        'node gimbal_driver': 'It is not active.',
        'camera eo': 'No image has come yet: is the camera node running?',
        'detector eo': 'No detections have come for two seconds: check the detector and the tracker.',
        'gimbal link': 'No attitude has come from the gimbal yet: is its driver running, and the link open?',
        'video server': 'The video server cannot be used: it has not been asked yet.',
    }
    picture = RobotPicture('robot', ('eo',))
    picture.video_server = None
    for step in range(10):
        for arrivals in (picture.cameras['eo'].frames, picture.cameras['eo'].results, picture.attitude_arrivals):
            arrivals.note(now + step / 30.0)
    assert all(part.ready for part in parts_of(picture, now + 9 / 30.0))
    late = {part.name: part.reason for part in parts_of(picture, now + 9 / 30.0 + 1.0)}
    assert late['camera eo'] == 'The newest image is 1.0 s old.'
    assert late['gimbal link'] == "The gimbal's newest attitude is 1.0 s old."
    picture.on_node_state(NodeState('eo/camera', 1, 'The disk is full: make room.', {}, now))
    warned = next(part for part in parts_of(picture, now + 9 / 30.0) if part.name == 'node eo/camera')
    assert warned.ready and warned.warning == 'The disk is full: make room.'
    assert picture.cameras['eo'].frames.rate_hz(now + 9 / 30.0) == pytest.approx(30.0)


def test_the_numbers_are_prometheus_text():
    picture = RobotPicture('robot', ('eo',))
    values = {'capture latency p50 (ms)': '12.50', 'capture rate (Hz)': '30.0', 'odd rate (Hz)': 'none'}
    picture.on_node_state(NodeState('eo/ca"me\\ra\n', 1, '', values, 0.0))
    text = prometheus_text(robot_samples(picture, parts_of(picture, 0.0), 0.0))
    line = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? -?[0-9.e+-]+')
    rows = [row for row in text.splitlines() if not row.startswith('#')]
    assert all(line.fullmatch(row) for row in rows), rows
    assert 'gremsy_stage_latency_seconds{node="eo/ca\\"me\\\\ra\\n",stage="capture",quantile="0.50"} 0.0125' in rows
    assert 'gremsy_node_level{node="eo/ca\\"me\\\\ra\\n"} 1' in rows
    assert text.count('# TYPE gremsy_ready gauge') == 1
