# SPDX-License-Identifier: Apache-2.0
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.sources import create_source


def test_a_file_plays_every_frame_at_its_own_rate(context, make_video, index_of):
    source = create_source(str(make_video(4, rate_hz=25.0)), context())
    assert source.open().rate_hz == 25.0
    captured = [source.read(1.0) for _ in range(4)]
    assert (
        [index_of(each.frame.image) for each in captured] == [each.footage_index for each in captured] == [0, 1, 2, 3]
    )
    assert captured[3].frame.stamp_ns - captured[0].frame.stamp_ns == 3 * 40_000_000
    source.close()


def test_the_end_of_a_looped_file_is_said_once_and_counted_every_time(context, make_video, said):
    video = make_video(2)
    source = create_source(str(video), context())
    source.open()
    for _ in range(5):
        source.read(1.0)
    assert said.sentences == [f'The video {video} ended and starts again.']
    assert source.counts().loops == 2
    source.close()


def test_a_held_file_goes_on_with_its_last_frame_under_new_stamps(context, make_video, said):
    video = make_video(2)
    source = create_source(str(video), context(at_end=AtEnd.HOLD))
    source.open()
    captured = [source.read(1.0) for _ in range(5)]
    assert [each.footage_index for each in captured] == [0, 1, 1, 1, 1]
    assert captured[4].frame.stamp_ns > captured[3].frame.stamp_ns
    assert said.sentences == [f'The video {video} has no more frames: its last one is held.']
    source.close()
