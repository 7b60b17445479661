# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from gremsy_camera.errors import SourceEnded, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd, FootageReader


def test_frames_come_in_order_with_their_index(make_video, index_of):
    reader = FootageReader(make_video(5))
    info = reader.open()
    assert (info.width, info.height, info.rate_hz, info.frames) == (160, 120, 10.0, 5)
    frames = [reader.next() for _ in range(5)]
    assert [frame.index for frame in frames] == [index_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]


def test_a_looped_video_starts_again_with_the_same_frames(make_video, index_of):
    reader = FootageReader(make_video(3))
    reader.open()
    assert [index_of(reader.next().image) for _ in range(8)] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert reader.loops == 2
    assert reader.decode_failures == 0


def test_a_held_video_gives_nothing_new_after_its_end(make_video):
    reader = FootageReader(make_video(2), AtEnd.HOLD)
    reader.open()
    assert [reader.next() is None for _ in range(4)] == [False, False, True, True]
    assert reader.ended


def test_a_stopped_video_says_that_it_ended(make_video):
    video = make_video(2)
    reader = FootageReader(video, AtEnd.STOP)
    reader.open()
    reader.next(), reader.next()
    with pytest.raises(SourceEnded) as raised:
        reader.next()
    assert str(raised.value) == (
        f'The video {video} ended after 2 frames and `at_end` is `stop`: set `at_end` to `loop` or `hold` to go on.'
    )


def test_frames_that_fail_to_decode_are_counted_and_the_rest_is_given(make_video, index_of):
    video = make_video(30)
    content = bytearray(video.read_bytes())
    middle, part = len(content) // 2, len(content) // 8
    content[middle : middle + part] = bytes(part)
    video.write_bytes(content)
    reader = FootageReader(video, AtEnd.HOLD)
    reader.open()
    given = []
    while (frame := reader.next()) is not None:
        given.append(index_of(frame.image))
    assert given[0] == 0 and given[-1] == 29
    assert reader.decode_failures == 30 - len(given) > 0


def test_a_still_image_is_one_frame_that_never_ends(tmp_path):
    path = tmp_path / 'still.png'
    cv2.imwrite(str(path), np.full((48, 64, 3), 77, dtype=np.uint8))
    reader = FootageReader(path, AtEnd.STOP)
    info = reader.open()
    assert (info.width, info.height, info.rate_hz) == (64, 48, 0.0)
    assert reader.next().image[0, 0, 0] == 77
    assert reader.next() is None


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SourceUnusable) as raised:
        FootageReader(tmp_path / 'none.avi').open()
    assert str(raised.value) == f'There is no file or folder {tmp_path}/none.avi: check the path of `source`.'


@pytest.mark.parametrize('content', [b'', b'this is no video' * 100, b'RIFF\x00\x10\x00\x00AVI LIST'])
def test_a_file_without_a_frame_is_one_sentence(tmp_path, content):
    path = tmp_path / 'bad.avi'
    path.write_bytes(content)
    with pytest.raises(SourceUnusable) as raised:
        FootageReader(path).open()
    assert str(raised.value) == (
        f'The file {path} has no video that can be decoded: '
        'check that it is complete and that `ffmpeg` plays it, or use another.'
    )


def test_a_damaged_image_is_one_sentence(tmp_path):
    path = tmp_path / 'bad.png'
    path.write_bytes(b'no image')
    with pytest.raises(SourceUnusable) as raised:
        FootageReader(path).open()
    assert str(raised.value) == (f'The image file {path} cannot be decoded: check that it is complete, or use another.')
