# SPDX-License-Identifier: Apache-2.0
"""What the video benchmark makes of what a page painted: read clocks, judged boxes, delays."""

import math
import shutil
import struct
import subprocess

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
av = pytest.importorskip('av', reason='run ./gremsy setup --extra encode')

from benchmarks.video import encoder_costs
from benchmarks.video.encoder_costs import encode
from benchmarks.video.painted_frames import delays, medians, overlay, worst
from benchmarks.video.video_page import READER, DrawnBoxes, PaintedFrame, stamp_of_word
from benchmarks.video.video_scene import PAN_RAD_S, RATE_HZ, SWING_RAD, PanningScene, azimuth_at, burn
from benchmarks.video.virtual_screen import PicturePlacement, ScreenReading, figures, pixels_of
from gremsy_camera.trial import burned_clock

STAMP_NS = 1_795_990_000_123_456_000


def painted(stamp_ns=STAMP_NS, *, edges=(), dashed=False, late_ms=50.0, page_stamp_ns=None, last=None):
    at_s = stamp_ns * 1e-9
    boxes = DrawnBoxes(edges, dashed)
    return PaintedFrame(stamp_ns, page_stamp_ns or stamp_ns, at_s + 0.010, at_s + late_ms * 1e-3, boxes, last or boxes)


def test_the_camera_turns_at_30_degrees_a_second_and_its_boxes_are_the_doors():
    scene = PanningScene()
    times = np.arange(0, 20, 1 / RATE_HZ)
    azimuths = np.array([azimuth_at(each) for each in times])
    assert np.abs(azimuths).max() <= SWING_RAD
    speeds = np.abs(np.diff(azimuths)) * RATE_HZ
    # But for the pictures in which it turns round.
    assert np.mean(np.isclose(speeds, PAN_RAD_S)) > 0.95
    assert math.degrees(PAN_RAD_S) == pytest.approx(30.0)
    for azimuth in (-0.4, 0.0, 0.31):
        image, boxes = scene.render(azimuth), scene.boxes(azimuth)
        assert len(boxes) >= 2
        for _, left, top, right, bottom in boxes:
            # Dark inside, the wall outside, to the pixel.
            middle = round((top + bottom) / 2)
            row = image[middle, :, 1].astype(int)
            assert row[math.ceil(left) + 1 : math.floor(right) - 1].max() < 40
            assert row[max(0, math.floor(left) - 2)] > 60 or left < 3
            assert row[min(1279, math.ceil(right) + 2)] > 60 or right > 1276


def test_a_burned_time_is_read_by_the_camera_packages_own_reader():
    image = np.full((720, 1280, 3), 100, np.uint8)
    burn(image, STAMP_NS // 1000)
    assert burned_clock.read(image) == STAMP_NS // 1000
    assert (image[burned_clock.SIDE_PX :, :] == 100).all()


def test_a_word_with_one_wrong_bit_tells_no_time():
    image = np.zeros((128, 128, 3), np.uint8)
    burn(image, 1_000_000)
    bits = (image[8::16, 8::16, 0] > 125).ravel()
    digits = ''.join(
        f'{int("".join("01"[bit] for bit in bits[at : at + 4].astype(int)), 2):x}' for at in range(0, 64, 4)
    )
    assert stamp_of_word(digits) == 1_000_000_000
    wrong = f'{int(digits, 16) ^ 1 << 30:016x}'
    assert stamp_of_word(wrong) is None
    assert stamp_of_word('') is None


def test_boxes_count_as_the_frames_own_only_where_all_of_them_are():
    truth = {STAMP_NS + index * 1000: (100.0, 200.0) for index in range(8)}
    truth[STAMP_NS + 5000] = ()
    frames = [
        painted(STAMP_NS, edges=(101.0, 199.5)),
        painted(STAMP_NS + 1000, edges=(131.0, 231.0)),  # of the picture before, at 31 px a picture
        painted(STAMP_NS + 2000, edges=()),
        painted(STAMP_NS + 3000, edges=(108.0, 208.0), dashed=True),
        painted(STAMP_NS + 4000, edges=(100.0,)),  # one is missing
        painted(STAMP_NS + 5000, edges=(100.0, 200.0)),  # there is none
        painted(STAMP_NS + 6000, edges=(), last=DrawnBoxes((100.0, 200.0))),  # came a refresh later
        painted(STAMP_NS + 7000, edges=(131.0, 231.0), last=DrawnBoxes((100.0, 200.0))),  # and was another's until then
    ]
    assert overlay(frames, truth) == {
        'overlay_matched_fraction': pytest.approx(3 / 7, abs=1e-4),
        'overlay_mismatches': 4,
        'overlay_late': 2,
        'overlay_estimated': 1,
        'overlay_without_boxes': 1,
        'overlay_frames': 8,
        'overlay_stamps_wrong': 0,
    }


def test_a_stamp_of_another_frame_is_counted_and_one_within_rtps_tick_is_not():
    frames = [painted(), painted(page_stamp_ns=STAMP_NS + 11_100), painted(page_stamp_ns=STAMP_NS + 33_333_000)]
    assert overlay(frames, {})['overlay_stamps_wrong'] == 1


def test_delays_are_from_the_burned_time_to_the_paint_and_add_up():
    frames = [painted(STAMP_NS + index * 33_333_000, late_ms=40.0 + index) for index in (0, 1, 2, 4)]
    truth = [STAMP_NS + index * 33_333_000 for index in range(-2, 9)]
    sent_s = {STAMP_NS: STAMP_NS * 1e-9 + 0.006}
    found = delays([*frames, PaintedFrame(None, None, None, 0.0, DrawnBoxes(), DrawnBoxes())], sent_s, truth)
    assert found['glass_to_glass_ms_p50'] == pytest.approx(41.5, abs=0.01)
    assert found['glass_to_glass_ms_max'] == pytest.approx(44.0, abs=0.01)
    assert (found['frames_painted'], found['frames_unreadable'], found['frames_never_painted']) == (5, 1, 1)
    assert found['encoded_and_sent_ms'] == pytest.approx(6.0, abs=0.01)
    assert found['served_and_decoded_ms'] == pytest.approx(4.0, abs=0.01)
    assert found['painting_ms'] == pytest.approx(31.5, abs=0.01)


def test_rounds_are_told_by_their_median_and_what_must_not_happen_by_the_worst():
    rounds = [{'a': 3.0, 'b': None}, {'a': 1.0, 'b': 4}, {'a': 2.0, 'b': 0}]
    assert medians(rounds) == {'a': 2.0, 'b': 2.0}
    assert worst(rounds, 'a', max) == 3.0
    assert worst(rounds, 'b', max) is None


def test_a_screens_memory_is_read_as_xwdfile_h_lays_it_out():
    # XWDFileHeader: 25 fields of 4 bytes, big-endian; then 12 bytes a colour, then lines of bytes_per_line.
    width, height, line_bytes, colours = 6, 4, 32, 2
    head = [0] * 25
    head[0], head[4], head[5], head[12], head[19] = 100 + 8, width, height, line_bytes, colours
    pixels = np.zeros((height, line_bytes), np.uint8)
    pixels[2, 4 * 3 : 4 * 3 + 4] = (1, 2, 3, 0)
    memory = struct.pack('>25I', *head) + b'name\0\0\0\0' + bytes(12 * colours) + pixels.tobytes()
    screen = pixels_of(memory)
    assert screen.shape == (height, width, 4)
    assert screen[2, 3].tolist() == [1, 2, 3, 0]


def test_clock_and_lines_are_found_where_the_picture_is_on_the_screen():
    import cv2

    image = PanningScene().render(0.1)
    burn(image, STAMP_NS // 1000)
    screen = np.zeros((900, 1280, 4), np.uint8)
    small = cv2.resize(image, (960, 540), interpolation=cv2.INTER_AREA)
    place = PicturePlacement(10.0, 100.0, 0.75)
    screen[100:640, 10:970, :3] = small
    for edge in (400.0, 700.0):
        x = 10 + round(edge * 0.75)
        screen[100:640, x - 1 : x + 3, :3] = 10
        screen[100:640, x : x + 2, :3] = 230
    word = int(''.join(str(bit) for bit in place.clock(screen)), 2)
    assert burned_clock.time_of_word(word) == STAMP_NS // 1000
    assert place.lines(place.band(screen)) == pytest.approx([401.0, 701.0], abs=1.0)


def test_a_box_on_the_screen_is_its_frames_own_or_that_of_one_nearby():
    stamps = [STAMP_NS + index * 33_333_000 for index in range(10)]
    truth = {stamp: (100.0 + 31 * index, 300.0 + 31 * index) for index, stamp in enumerate(stamps)}
    at_s = stamps[5] * 1e-9 + 0.040
    own, before, none = truth[stamps[5]], truth[stamps[4]], ()
    seen = [ScreenReading(at_s, stamps[5], lines) for lines in (own, own, before, none)]
    assert figures(seen, truth) == {
        'screen_glass_to_glass_ms_p50': pytest.approx(40.0, abs=0.01),
        'screen_glass_to_glass_ms_p95': pytest.approx(40.0, abs=0.01),
        'screen_frames': 1,
        'screen_boxes_own': 0.5,
        'screen_boxes_another': 0.25,
        'screen_boxes_unclear': 0.25,
    }


@pytest.mark.skipif(shutil.which('node') is None, reason='needs node')
def test_the_reader_is_javascript():
    subprocess.run(['node', '--check', str(READER)], check=True)


def test_an_encoder_that_is_not_here_says_why(monkeypatch):
    found = encode('openh264') if 'libopenh264' not in av.codecs_available else {'unusable': 'is not in this PyAV'}
    assert found == {'unusable': 'is not in this PyAV'}
    monkeypatch.setattr(encoder_costs, '_WARM', 2)
    monkeypatch.setattr(encoder_costs, '_PICTURES', 6)
    monkeypatch.setattr(encoder_costs, '_KEPT', 2)
    found = encode('x264')
    assert set(found) == {'encoder_cpu_cores', 'encoder_ms', 'encoder_kbps'}
    assert 0 < found['encoder_cpu_cores'] < 2
    # At most its share of 3000 kbit/s a picture, and RTP's headers.
    assert 100 < found['encoder_kbps'] < 3500
