# SPDX-License-Identifier: Apache-2.0
"""Films: true speed whatever the frames' times, files that open, an encoder that may be absent."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gremsy_bringup.film.film import ConstantRate, Film, free_name
from gremsy_bringup.film.film_writers import FilmError, open_film
from gremsy_common.types.frame import Frame

PERIOD_NS = 1_000_000_000 // 30


def frame(stamp_ns: int, grey: int = 90, width: int = 64, height: int = 48) -> Frame:
    return Frame(np.full((height, width, 3), grey, np.uint8), stamp_ns, 'robot/eo_optical')


class ListWriter:
    codec = 'list'

    def __init__(self) -> None:
        self.greys: list[int] = []
        self.closed = False

    def write(self, image: Any) -> None:
        self.greys.append(int(image[0, 0, 0]))

    def close(self) -> None:
        self.closed = True


def film_into(writer: ListWriter) -> Film:
    return Film(Path('unused.mp4'), 30, lambda path, width, height, rate_hz: writer)


def test_steady_frames_are_written_once_each() -> None:
    rate = ConstantRate(30)
    assert [rate.repeats(7 + index * PERIOD_NS) for index in range(100)] == [1] * 100


@pytest.mark.parametrize(('source_hz', 'film_hz'), [(10, 30), (60, 30), (25, 30), (31, 30)])
def test_a_film_lasts_as_long_as_its_source(source_hz: int, film_hz: int) -> None:
    rate = ConstantRate(film_hz)
    written = sum(rate.repeats(index * 1_000_000_000 // source_hz) for index in range(source_hz * 20))
    assert abs(written / film_hz - 20.0) < 0.15


def test_jitter_of_a_third_of_a_period_neither_drops_nor_repeats() -> None:
    rate = ConstantRate(30)
    rng = np.random.default_rng(1)
    jitter = rng.uniform(-0.33, 0.33, 300) * PERIOD_NS
    counts = [rate.repeats(int(index * PERIOD_NS + shift)) for index, shift in enumerate(jitter)]
    assert sum(counts) == pytest.approx(300, abs=1)


def test_a_gap_holds_the_picture_before_it() -> None:
    writer = ListWriter()
    film = film_into(writer)
    film.add(frame(0, grey=10))
    film.add(frame(4 * PERIOD_NS, grey=20))
    assert writer.greys == [10, 10, 10, 10, 20]


@pytest.mark.parametrize('jump_s', [-3600, 3600], ids=['back', 'forward'])
def test_a_jump_of_the_clock_does_not_fill_the_film(jump_s: int) -> None:
    writer = ListWriter()
    film = film_into(writer)
    film.add(frame(10**13))
    for index in range(5):
        film.add(frame(10**13 + jump_s * 10**9 + index * PERIOD_NS))
    assert len(writer.greys) == 6


def test_a_frame_of_another_size_is_left_out_and_counted() -> None:
    writer = ListWriter()
    film = film_into(writer)
    film.add(frame(0))
    film.add(frame(PERIOD_NS, width=32))
    assert (film.frames_written, film.frames_refused) == (1, 1)


def test_a_finished_film_opens_and_has_its_frames(tmp_path: Path) -> None:
    film = Film(tmp_path / 'new folder' / 'film.mp4', 30)
    for index in range(45):
        film.add(frame(index * PERIOD_NS, grey=5 * index, width=65, height=49))
    film.close()
    capture = cv2.VideoCapture(str(film.path))
    greys = []
    while True:
        read, image = capture.read()
        if not read:
            break
        greys.append(float(image.mean()))
    assert len(greys) == 45
    assert image is None or image.shape[:2] == (48, 64)
    assert np.abs(np.array(greys) - 5 * np.arange(45)).max() < 8


def test_without_pyav_the_film_is_mpeg4_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_av(name: str, *rest: Any, **more: Any) -> Any:
        if name == 'av':
            raise ImportError(name)
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, '__import__', without_av)
    writer = open_film(tmp_path / 'film.mp4', 64, 48, 30)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.close()
    assert writer.codec == 'MPEG-4 part 2 (OpenCV mp4v; install PyAV for H.264, which browsers play too)'
    assert cv2.VideoCapture(str(tmp_path / 'film.mp4')).read()[0]


def test_with_pyav_the_film_is_h264(tmp_path: Path) -> None:
    av = pytest.importorskip('av', reason='PyAV is an optional extra')
    writer = open_film(tmp_path / 'film.mp4', 64, 48, 30)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.close()
    with av.open(str(tmp_path / 'film.mp4')) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ('h264', 'yuv420p', 64, 48)


def test_an_encoder_that_does_not_open_gives_way_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a build of FFmpeg that names an encoder and lacks its library: h264_nvenc without a GPU stands for it."""
    av = pytest.importorskip('av', reason='PyAV is an optional extra')
    if 'h264_nvenc' not in av.codecs_available:
        pytest.skip('this PyAV does not name h264_nvenc')
    monkeypatch.setattr('gremsy_camera.recording.frame_encoder._ENCODERS', ('h264_nvenc', 'libx264'))
    writer = open_film(tmp_path / 'film.mp4', 64, 48, 30)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.close()
    assert writer.codec == 'H.264 (libx264)'
    with av.open(str(tmp_path / 'film.mp4')) as container:
        assert [stream.type for stream in container.streams] == ['video']


def test_a_film_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'film.mp4'
    with pytest.raises(FilmError) as caught:
        open_film(path, 64, 48, 30)
    assert str(caught.value) == (
        f"The film '{path}' cannot be written (File exists): name a file in a folder that can be written to."
    )


def test_a_second_film_of_one_name_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / 'film.mp4'
    assert free_name(path) == path
    path.touch()
    (tmp_path / 'film-2.mp4').touch()
    (tmp_path / 'film-3.mp4').symlink_to('nowhere.mp4')
    assert free_name(path) == tmp_path / 'film-4.mp4'
