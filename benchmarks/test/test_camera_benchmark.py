# SPDX-License-Identifier: Apache-2.0
"""What the camera benchmark makes of its figures, and its processes on a short stream."""

import pytest

from benchmarks.camera import camera_readers
from benchmarks.camera.camera_benchmark import worst
from benchmarks.camera.camera_readers import next_frame, usable_readers
from gremsy_camera.errors import SourceUnusable
from gremsy_common.errors import SuiteError


def test_without_a_reader_a_figure_is_the_worst_of_all():
    figures = {
        'readers': ['pyav', 'opencv'],
        'first_frame_s_pyav': 0.1,
        'first_frame_s_opencv': 0.4,
        'decode_overhead_ms_pyav': 0.2,
        'decode_overhead_ms_opencv': None,
        'capture_error_ms_p95_ours_direct_pyav': 0.03,
    }
    assert worst(figures) == {
        'capture_error_ms_p95_ours_direct': 0.03,
        'cpu_over_opencv': None,
        'decode_overhead_ms': 0.2,
        'first_frame_s': 0.4,
        'reconnect_s': None,
        'stall_noticed_s': None,
    }


def test_a_reader_that_cannot_be_used_says_why(tmp_path, monkeypatch):
    def choose(options):
        if options.reader == 'pyav':
            raise SourceUnusable('There is no PyAV: install it.')

    monkeypatch.setattr(camera_readers, 'reach_debian_gi', lambda _: None)
    monkeypatch.setattr(camera_readers, 'choose_reader', choose)
    usable, unusable = usable_readers(tmp_path)
    assert [reader.name for reader in usable] == ['gstreamer', 'opencv']
    assert unusable == {'pyav': 'There is no PyAV: install it.'}


def test_a_stream_that_gives_nothing_ends_the_benchmark_with_a_sentence():
    class Silent:
        problem = 'The camera is off.'

        def read(self, timeout_s):
            return None

    with pytest.raises(SuiteError) as raised:
        next_frame(Silent(), 0.05)
    assert str(raised.value) == ('The camera benchmark cannot go on: no frame came within 0.05 s. The camera is off.')
