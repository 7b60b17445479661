# SPDX-License-Identifier: Apache-2.0
"""A live source over a reader that is scripted from here, on the machine's real clocks."""

import queue
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from gremsy_camera.errors import PictureDamaged, SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, LiveReader, TimeBase
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources.source import SourceContext, SourceInfo

INFO = SourceInfo(8, 6, 30.0, details=(('codec', 'made up'),))
NAME = 'The camera test://cam'


class ScriptedReader(LiveReader):
    """Gives what is put into it; `opens` are the outcomes of opening."""

    def __init__(self, context):
        super().__init__(NAME, context)
        self.queue = queue.Queue()
        self.opens = []
        self.info = INFO
        self.closed = 0
        self.threads = set()
        self.made = []
        self.hang = None
        self.poll_s = 0.02

    def open(self):
        self.threads.add(threading.get_ident())
        outcome = self.opens.pop(0) if self.opens else INFO
        if isinstance(outcome, Exception):
            raise outcome
        self.info = outcome
        return outcome

    def read(self, timeout_s):
        self.threads.add(threading.get_ident())
        if self.hang is not None:
            self.hang.wait()
        try:
            item = self.queue.get(timeout=min(timeout_s, self.poll_s))
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def counts(self):
        return {} if self.closed else {'packets lost': 2, 'pictures that failed to decode': 1}

    def close(self):
        self.closed += 1

    def put(self, level=0, size=(8, 6), capture=None):
        width, height = size

        def pixels():
            self.made.append(level)
            return np.full((height, width, 3), level, dtype=np.uint8)

        self.queue.put(LivePicture(pixels, 'bgr8', width, height, time.monotonic_ns(), capture, None))


@pytest.fixture
def reader(said):
    return ScriptedReader(SourceContext('eo', 0.0, AtEnd.LOOP, SystemClock(), said))


@pytest.fixture
def live(reader):
    made = []

    def make(rate_hz=0.0, **options):
        reader.context = replace(reader.context, rate_hz=rate_hz, live=LiveParameters(**options))
        made.append(LiveSource(reader))
        return made[-1]

    yield make
    for source in made:
        source.close()


def read_until(source, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        captured = source.read(0.05)
        if captured is not None:
            return captured
    raise AssertionError('no frame came')


def wait_for(condition, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_picture_becomes_a_frame(live, reader):
    source = live()
    assert source.open().details == (('codec', 'made up'),)
    reader.put(7)
    captured = read_until(source)
    assert captured.frame.image.shape == (6, 8, 3) and captured.frame.image[0, 0, 0] == 7
    assert captured.frame.frame_id == 'eo' and captured.frame.encoding == 'bgr8'
    assert abs(time.time_ns() - captured.frame.stamp_ns) < 5e9
    assert captured.info.stamp_source == 'arrival'
    with pytest.raises(ValueError, match='read-only'):
        captured.frame.image[0, 0, 0] = 1


def test_the_reader_is_used_by_one_thread_that_is_not_ours(live, reader):
    source = live()
    source.open()
    reader.put()
    read_until(source)
    assert len(reader.threads) == 1 and threading.get_ident() not in reader.threads


def test_the_newest_picture_wins_and_the_others_are_never_made(live, reader):
    source = live()
    source.open()
    for level in range(5):
        reader.put(level)
    wait_for(lambda: source.counts().others.get('pictures skipped for a newer one') == 4)
    assert read_until(source).frame.image[0, 0, 0] == 4
    assert reader.made == [4]


def test_what_opening_says_is_raised_where_it_was_asked_for(live, reader):
    reader.opens = [SourceUnusable('There is no such camera.'), SourceError('It is away.')]
    source = live()
    with pytest.raises(SourceUnusable, match=r'There is no such camera\.'):
        source.open()
    with pytest.raises(SourceError, match=r'It is away\.'):
        source.open()
    assert source.open().width == 8


def test_a_stall_is_noticed_though_the_reader_hangs_and_said_with_the_way_out(live, reader):
    source = live(stall_after_s=0.3)
    source.open()
    reader.put()
    read_until(source)
    reader.hang = threading.Event()
    began = time.monotonic()
    with pytest.raises(SourceError) as raised:
        read_until(source)
    assert time.monotonic() - began < 3.0
    assert str(raised.value).startswith(f'{NAME} has sent no picture for 0.')
    assert str(raised.value).endswith(
        ' s: it is opened again; check its power and the network, or raise `stall_after_s` for a camera that is that '
        'slow.'
    )
    reader.hang.set()


def test_a_slow_camera_is_given_three_periods(live, reader):
    reader.opens = [replace(INFO, rate_hz=4.0)]
    source = live(stall_after_s=0.2)
    source.open()
    reader.put()
    read_until(source)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert source.read(0.05) is None


def test_a_reader_that_hangs_while_it_is_closed_is_waited_for_before_it_is_used_again(live, reader, monkeypatch):
    monkeypatch.setattr('gremsy_camera.live.live_source._JOIN_S', 0.1)
    source = live()
    source.open()
    reader.hang = threading.Event()
    reader.put()
    time.sleep(0.1)
    source.close()
    with pytest.raises(SourceError) as raised:
        source.open()
    assert str(raised.value) == f'{NAME} does not let go of its last connection: it is waited for.'
    hang, reader.hang = reader.hang, None
    hang.set()
    wait_for(lambda: reader.closed == 1)
    source.open()


@pytest.mark.parametrize('error', [SourceError('The cable is out.'), ValueError('bad byte')])
def test_whatever_breaks_the_reader_is_a_sentence(live, reader, error):
    source = live()
    source.open()
    reader.queue.put(error)
    with pytest.raises(SourceError) as raised:
        read_until(source)
    assert str(raised.value) in ('The cable is out.', f'{NAME} cannot be read (ValueError: bad byte).')
    source.close()
    assert reader.closed == 1


def test_another_size_and_another_origin_of_stamps_are_said_with_the_frame(live, reader):
    source = live()
    source.open()
    reader.put()
    assert read_until(source).info is not None
    reader.put(1)
    assert read_until(source).info is None
    reader.put(2, size=(4, 4), capture=CaptureTime(time.monotonic_ns(), TimeBase.MONOTONIC, 'V4L2 buffer time'))
    info = read_until(source).info
    assert (info.width, info.height, info.stamp_source) == (4, 4, 'V4L2 buffer time')


def test_a_rate_that_is_asked_for_leaves_pictures_out_and_counts_them(live, reader):
    source = live(rate_hz=5.0)
    source.open()
    for level in range(10):
        reader.put(level)
    read_until(source)
    wait_for(lambda: source.counts().others.get('pictures left out for `rate_hz`') == 9)


def test_what_the_reader_counts_is_in_the_sources_counts(live, reader):
    source = live()
    source.open()
    counts = source.counts()
    assert counts.decode_failures == 1 and counts.others == {'packets lost': 2}


def test_what_was_lost_before_it_broke_is_counted_after(live, reader):
    source = live()
    source.open()
    reader.queue.put(SourceError('The cable is out.'))
    with pytest.raises(SourceError):
        read_until(source)
    wait_for(lambda: reader.closed == 1)
    assert source.counts().others == {'packets lost': 2}


def test_a_frozen_camera_is_opened_again_and_shows_nothing_until_it_changes(live, reader, said):
    source = live(frozen_after_s=0.3)
    source.open()

    def watch():
        for _ in range(100):
            reader.put(9)
            read_until(source)
            time.sleep(0.02)

    with pytest.raises(SourceError) as raised:
        watch()
    assert str(raised.value) == (
        f'{NAME} has sent the same picture for 0.3 s: it is opened again, and its pictures are used when they change; '
        '`frozen_after_s` 0 takes them as they are.'
    )
    source.close()
    source.open()
    reader.put(9)
    assert source.read(0.5) is None
    reader.put(200)
    assert read_until(source).frame.image[0, 0, 0] == 200
    assert said.sentences == [f'{NAME} shows another picture again.']


def test_two_thousand_openings_leave_no_thread_behind(live, reader):
    reader.poll_s = 0.0005
    source = live()
    threads = threading.active_count()
    for _ in range(2000):
        source.open()
        source.close()
    assert threading.active_count() <= threads
    assert reader.closed == 2000


def test_a_picture_that_cannot_be_decoded_is_left_out_and_said_once(live, reader, said):
    source = live()
    source.open()

    def broken():
        raise PictureDamaged('A picture is no picture: it is left out.')

    for _ in range(3):
        reader.queue.put(LivePicture(broken, 'bgr8', 8, 6, time.monotonic_ns(), None, None))
        assert source.read(0.2) is None
    reader.put(5)
    assert read_until(source).frame.image[0, 0, 0] == 5
    assert said.sentences == ['A picture is no picture: it is left out. Others like it are counted.']
    # One of the reader's own besides.
    assert source.counts().decode_failures == 4


class StampTap:
    """Takes the capture times of pictures while it is wanted."""

    def __init__(self):
        self.wanted = True
        self.stamps = {}

    def put(self, video, packet):
        raise AssertionError

    def stamped(self, pts_ns, stamp_ns):
        self.stamps[pts_ns] = stamp_ns


def test_a_tap_is_told_the_stamps_that_pictures_are_published_with(reader):
    tap = StampTap()
    reader.context = replace(reader.context, tap=tap)
    source = LiveSource(reader)
    source.open()
    stamps = {}
    for position_ns in (None, 40, 80):
        reader.queue.put(
            LivePicture(lambda: np.zeros((6, 8, 3), np.uint8), 'bgr8', 8, 6, time.monotonic_ns(), None, position_ns)
        )
        stamps[position_ns] = source.read(1.0).frame.stamp_ns
    tap.wanted = False
    reader.queue.put(LivePicture(lambda: np.zeros((6, 8, 3), np.uint8), 'bgr8', 8, 6, time.monotonic_ns(), None, 120))
    source.read(1.0)
    source.close()
    assert tap.stamps == {40: stamps[40], 80: stamps[80]}


def test_a_source_may_be_closed_by_two_threads_at_once(live, reader):
    source = live()
    source.open()
    reader.hang = threading.Event()
    time.sleep(0.1)
    failed = []

    def close():
        try:
            source.close()
        except AttributeError as error:
            failed.append(error)

    closing = [threading.Thread(target=close) for _ in range(8)]
    for thread in closing:
        thread.start()
    reader.hang.set()
    for thread in closing:
        thread.join(5.0)
    assert failed == []
