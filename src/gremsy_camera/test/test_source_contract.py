# SPDX-License-Identifier: Apache-2.0
"""What every source of `gremsy_camera.sources` must do. A new one needs an entry in `EXAMPLES`: a URI that works."""

import numpy as np
import pytest

from gremsy_camera.errors import SourceError
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.sources import available_sources, create_source

EXAMPLES = {
    'file': lambda video, ring: str(video),
    'sim': lambda video, ring: f'sim:{video}?ring={ring}',
}


@pytest.fixture(params=sorted(available_sources()))
def make_source(request, context, make_video, payload):
    assert request.param in EXAMPLES, f'Source {request.param}: has no entry in EXAMPLES: add a URI that works.'
    payload.start()
    payload.write()
    uri = EXAMPLES[request.param](make_video(4), payload.ring)

    def make(**options):
        return create_source(uri, context(**options))

    return make


def read_frames(source, count, payload):
    frames = []
    for _ in range(50 * count):
        payload.write()
        captured = source.read(0.2)
        if captured is not None:
            frames.append(captured)
        if len(frames) == count:
            return frames
    raise AssertionError(f'{len(frames)} of {count} frames came')


def test_making_a_source_touches_nothing(make_source):
    make_source().close()


def test_reading_before_open_is_an_error_that_says_so(make_source):
    with pytest.raises(SourceError, match='call `open` first'):
        make_source().read(0.1)


def test_an_open_source_says_what_it_gives_and_gives_that(make_source, payload):
    source = make_source()
    info = source.open()
    captured = read_frames(source, 1, payload)[0]
    assert (captured.frame.width, captured.frame.height) == (info.width, info.height)
    assert captured.frame.encoding == 'bgr8' and captured.frame.image.dtype == np.uint8
    assert captured.frame.frame_id == 'robot/eo_optical_frame'
    assert info.rate_hz > 0.0 and info.stamp_source
    source.close()


def test_stamps_rise_by_the_period_of_the_rate_asked_for(make_source, payload):
    source = make_source(rate_hz=20.0)
    assert source.open().rate_hz == 20.0
    stamps = [captured.frame.stamp_ns for captured in read_frames(source, 6, payload)]
    np.testing.assert_array_equal(np.diff(stamps), 50_000_000)
    source.close()


def test_frames_are_read_only_and_stay_as_they_were(make_source, payload):
    source = make_source()
    source.open()
    first = read_frames(source, 1, payload)[0].frame.image
    before = first.copy()
    read_frames(source, 8, payload)
    with pytest.raises(ValueError, match='read-only'):
        first[0, 0, 0] = 1
    np.testing.assert_array_equal(first, before)
    source.close()


def test_a_read_takes_no_longer_than_its_timeout_when_nothing_is_due(make_source, payload, clock):
    source = make_source(rate_hz=0.5)
    source.open()
    read_frames(source, 1, payload)
    before = clock.monotonic_ns()
    assert source.read(0.05) is None
    assert clock.monotonic_ns() - before <= 50_000_000
    source.close()


def test_a_footage_that_loops_goes_on_and_counts(make_source, payload):
    source = make_source()
    source.open()
    while source.counts().loops < 2:
        read_frames(source, 1, payload)
    source.close()


def test_a_footage_that_stops_says_so(make_source, payload):
    source = make_source(at_end=AtEnd.STOP)
    source.open()
    with pytest.raises(SourceError, match='ended after 4 frames'):
        read_frames(source, 100, payload)
    source.close()


def test_a_source_opens_again_after_close_and_closes_twice(make_source, payload):
    source = make_source()
    source.open()
    read_frames(source, 2, payload)
    source.close()
    source.close()
    source.open()
    assert read_frames(source, 1, payload)[0].footage_index == 0
    source.close()
