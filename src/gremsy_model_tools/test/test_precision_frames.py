# SPDX-License-Identifier: Apache-2.0
"""Frames to calibrate on: which are read from a folder or a video, and which are stored from a camera."""

import os

import cv2
import numpy as np
import pytest

from gremsy_common.errors import SuiteError
from gremsy_model_tools.frames.frame_source import open_source, spread
from gremsy_model_tools.frames.frame_store import FrameStore


def test_positions_are_spread_over_all_and_never_more_than_there_are():
    assert spread(0, 100, 5) == (0, 25, 50, 74, 99)
    assert spread(10, 13, 64) == (10, 11, 12)
    assert spread(5, 5, 3) == ()
    assert spread(0, 10, 1) == (0,)


def test_a_folder_is_read_as_a_person_lists_it(tmp_path):
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f'frame{number}.png'), np.full((4, 6, 3), number, np.uint8))
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'inner.png').mkdir()
    source = open_source(tmp_path)
    assert len(source) == 3
    assert [int(frame.image[0, 0, 0]) for frame in source.read((2, 0))] == [1, 10]


def test_a_grey_or_transparent_image_becomes_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((4, 6), 9, np.uint8))
    cv2.imwrite(str(tmp_path / 'b.png'), np.full((4, 6, 4), 9, np.uint8))
    assert [frame.image.shape for frame in open_source(tmp_path).read((0, 1))] == [(4, 6, 3)] * 2


def test_a_video_gives_the_frames_asked_for(vtest_footage, footage_image):
    source = open_source(vtest_footage)
    assert len(source) == 795
    found = list(source.read((30, 0, 60)))
    assert [frame.stamp_ns for frame in found] == [0, 30, 60]
    np.testing.assert_array_equal(found[1].image, footage_image(30))


def test_a_video_cut_off_gives_what_is_left(vtest_footage, tmp_path):
    path = tmp_path / 'cut.avi'
    path.write_bytes(vtest_footage.read_bytes()[:600_000])
    source = open_source(path)
    found = list(source.read(spread(0, len(source), 10)))
    assert 0 < len(found) <= 10


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.mp4')
    with pytest.raises(SuiteError) as refused:
        open_source(tmp_path / 'pipe.mp4')
    assert str(refused.value) == (f'{tmp_path}/pipe.mp4 is no regular file: give a folder of images, or a video file.')


def test_frames_that_differ_are_kept_until_there_are_enough(tmp_path, make_frame):
    store = FrameStore(tmp_path / 'kept', 3, least_change=2.0)
    kept = [store.offer(make_frame(grey=grey, stamp_ns=grey)) for grey in (10, 11, 30, 31, 10, 60, 90)]
    assert [path is not None for path in kept] == [True, False, True, False, False, True, False]
    assert store.complete
    assert sorted(path.name for path in (tmp_path / 'kept').iterdir()) == [
        'frame_0000000000000000010.png',
        'frame_0000000000000000030.png',
        'frame_0000000000000000060.png',
    ]


def test_what_was_stored_is_what_was_seen(tmp_path, make_frame):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    store = FrameStore(tmp_path, 3, least_change=0.0)
    store.offer(make_frame(image, stamp_ns=1))
    store.offer(make_frame(image[..., ::-1].copy(), stamp_ns=2, encoding='rgb8'))
    store.offer(make_frame(image[..., 0].copy(), stamp_ns=3, encoding='mono8'))
    first, second, third = (frame.image for frame in open_source(tmp_path).read((0, 1, 2)))
    np.testing.assert_array_equal(first, image)
    np.testing.assert_array_equal(second, image)
    np.testing.assert_array_equal(third, np.repeat(image[..., :1], 3, axis=2))


def test_a_static_camera_still_gives_frames(tmp_path, vtest_footage, make_frame):
    """Ten frames in ten seconds of people walking by."""
    store = FrameStore(tmp_path, 10, least_change=2.0)
    for frame in open_source(vtest_footage).read(range(100)):
        store.offer(frame)
    assert store.complete


def test_an_unknown_encoding_is_named(tmp_path, make_frame):
    with pytest.raises(SuiteError) as refused:
        FrameStore(tmp_path, 1, 0.0).offer(make_frame(encoding='mono16'))
    assert str(refused.value) == "Images from 'eo_optical' are encoded as 'mono16': publish them as bgr8, rgb8, mono8."


def test_a_folder_that_cannot_be_made_is_named(tmp_path, make_frame):
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(SuiteError, match=r'frame_0000000000000001000\.png cannot be written'):
        FrameStore(tmp_path / 'file', 1, 0.0).offer(make_frame())


def test_frames_of_a_recording_that_is_played_again_replace_none(make_frame, tmp_path):
    for _ in range(3):
        store = FrameStore(tmp_path, 1, least_change=0.0)
        store.offer(make_frame())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert [name.partition('_')[2].partition('_')[2] for name in names] == ['', '2.png', '3.png']
