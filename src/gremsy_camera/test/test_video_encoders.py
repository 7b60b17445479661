# SPDX-License-Identifier: Apache-2.0
"""The encoders that this machine has, judged by FFmpeg's decoder (PyAV) and by the bits of H.264 themselves."""

import sys
import types

import numpy as np
import pytest

from gremsy_camera.gstreamer.gst_library import GStreamerMissing, load_gstreamer
from gremsy_camera.recording.access_units import nal_units
from gremsy_camera.streaming import encoder_choice
from gremsy_camera.streaming.encoder_choice import EncoderChoice, choose_encoder, make_encoder
from gremsy_camera.streaming.video_encoder import EncoderError, EncoderTimes, VideoEncoderSettings
from gremsy_camera.trial.debian_gi import reach_debian_gi
from gremsy_common.picture.i420_planes import i420_planes

av = pytest.importorskip('av', reason='PyAV decodes what was encoded: ./gremsy setup --extra encode')

SETTINGS = VideoEncoderSettings(320, 240, 30.0, 2000, 15)
FIRST_NS, PERIOD_NS = 1_795_989_600_000_000_000, 33_333_333
SPS, PPS, IDR, SLICE = 7, 8, 5, 1


@pytest.fixture(scope='session', autouse=True)
def gstreamer_if_there(tmp_path_factory):
    reach_debian_gi(tmp_path_factory.mktemp('gi'))


@pytest.fixture(params=encoder_choice._SOFTWARE)
def encoder(request):
    """Each of the software encoders that are here."""
    try:
        if request.param.endswith('enc'):
            load_gstreamer()
        made = make_encoder(request.param, SETTINGS)
    except (EncoderError, GStreamerMissing) as error:
        pytest.skip(f'{request.param}: {error}')
    yield made
    made.close()


def frame(index, width=320, height=240):
    """A pattern that moves, brighter with each."""
    rows, columns = np.mgrid[:height, :width]
    pattern = ((rows // 16 + (columns + 4 * index) // 16) % 2 * 60 + 12 * index % 120).astype(np.uint8)
    return np.dstack([pattern, pattern + 20, pattern + 40])


def kinds(data):
    return [unit[0] & 0x1F for unit in nal_units(data)]


def test_each_frame_comes_out_at_once_under_its_stamp(encoder):
    stamps = [FIRST_NS + index * PERIOD_NS for index in range(20)]
    out = [encoder.encode(i420_planes(frame(index)), stamp, key=False) for index, stamp in enumerate(stamps)]
    assert [[each.stamp_ns for each in pictures] for pictures in out] == [[stamp] for stamp in stamps]


def test_a_key_frame_comes_when_it_is_asked_for_and_the_next_a_gop_later(encoder):
    pictures = [
        each
        for index in range(40)
        for each in encoder.encode(i420_planes(frame(index)), FIRST_NS + index * PERIOD_NS, key=index == 7)
    ]
    assert [index for index, each in enumerate(pictures) if each.key] == [0, 7, 22, 37]
    for each in pictures:
        found = kinds(each.data)
        if each.key:
            assert {SPS, PPS, IDR} <= set(found)
            assert found.index(SPS) < found.index(PPS) < found.index(IDR)
        else:
            assert SLICE in found and IDR not in found


def test_there_are_no_b_frames_and_the_profile_is_baseline(encoder):
    """profile_idc, the first byte after the header of the parameter set, is 66 (H.264, A.2.1)."""
    decoder = av.CodecContext.create('h264', 'r')
    decoder.thread_type = 'SLICE'
    types, levels = [], []
    for index in range(30):
        for each in encoder.encode(i420_planes(frame(index)), FIRST_NS + index * PERIOD_NS, key=False):
            for unit in nal_units(each.data):
                assert unit[0] & 0x1F != SPS or unit[1] == 66
            decoded = decoder.decode(av.Packet(each.data))
            types += [int(picture.pict_type) for picture in decoded]
            levels += [float(picture.to_ndarray(format='bgr24').mean()) for picture in decoded]
    # FFmpeg's numbers: 1 is I, 2 is P, 3 is B.
    assert set(types) == {1, 2}
    # A frame is shown as soon as its packet is there: nothing is put in order again.
    assert len(levels) == 30
    assert levels == pytest.approx([float(frame(index).mean()) for index in range(30)], abs=6.0)


def test_the_stream_says_that_its_colours_are_bt_601(encoder):
    """A browser that is told nothing takes BT.709 for HD. FFmpeg's numbers: 5 and 6 are BT.601's matrix, 2 is nothing.

    GStreamer's OpenH264 cannot say it.
    """
    decoder = av.CodecContext.create('h264', 'r')
    decoder.thread_type = 'SLICE'
    (picture,) = encoder.encode(i420_planes(frame(0)), FIRST_NS, key=True)
    (decoded,) = decoder.decode(av.Packet(picture.data))
    assert int(decoded.colorspace) in ((2,) if encoder.name == 'OpenH264 (GStreamer)' else (5, 6))


def test_stamps_that_jump_or_go_back_are_handed_on(encoder):
    stamps = [FIRST_NS, FIRST_NS + PERIOD_NS, FIRST_NS + 3600 * 10**9, FIRST_NS + 5, FIRST_NS + 5, 0]
    out = [encoder.encode(i420_planes(frame(index)), stamp, key=False) for index, stamp in enumerate(stamps)]
    assert [each.stamp_ns for pictures in out for each in pictures] == stamps


def test_a_key_frame_of_x264_has_about_its_share():
    """One-frame VBV: 3000 kbit/s at 30 Hz are 12 500 bytes a picture, of noise that would take 300 000."""
    made = make_encoder('x264', VideoEncoderSettings(1280, 720, 30.0, 3000, 15))
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    still = np.full((720, 1280, 3), 90, np.uint8)
    still[200:500] = np.repeat(np.repeat(noise[:75, :320], 4, 0), 4, 1)
    sizes = {True: [], False: []}
    for index in range(31):
        for each in made.encode(i420_planes(np.roll(still, 8 * index, 1)), FIRST_NS + index * PERIOD_NS, key=False):
            sizes[each.key].append(len(each.data))
    assert len(sizes[True]) == 3
    assert max(sizes[True]) < 2 * 12_500
    assert sum(map(sum, sizes.values())) * 8 / 31 * 30 < 1.2 * 3_000_000


def test_the_first_that_works_is_chosen_and_the_others_have_a_reason():
    choice = choose_encoder('auto', SETTINGS)
    assert choice.encoder in encoder_choice.ENCODERS
    before = encoder_choice.ENCODERS[: encoder_choice.ENCODERS.index(choice.encoder)]
    assert tuple(choice.passed_over) == before and all(choice.passed_over.values())


def test_one_that_failed_is_passed_over():
    first = choose_encoder('software', SETTINGS).encoder
    failed = dict.fromkeys(encoder_choice._SOFTWARE, 'failed on this video')
    with pytest.raises(EncoderError, match='failed on this video'):
        choose_encoder('software', SETTINGS, failed)
    del failed[first]
    assert choose_encoder('software', SETTINGS, failed).encoder == first


def test_reasons_that_several_have_in_common_are_said_once():
    choice = EncoderChoice('x264', {'a': 'is not installed', 'b': 'does not open', 'c': 'is not installed'})
    assert choice.why_not_another == 'a, c: is not installed; b: does not open'


def test_hardware_that_is_not_there_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr(encoder_choice, '_why_not', lambda name, settings: 'does not open')
    monkeypatch.setattr(encoder_choice, 'why_no_gstreamer', lambda: 'no module `gi`')
    with pytest.raises(EncoderError) as raised:
        choose_encoder('hardware', SETTINGS)
    assert str(raised.value) == (
        'No encoder for H.264 works here (nvv4l2h264enc, nvh264enc, vah264enc, vaapih264enc: this Python has no '
        'GStreamer; nvenc: does not open): set `encoder` to auto.'
    )
    with pytest.raises(EncoderError) as raised:
        choose_encoder('x264', SETTINGS)
    assert str(raised.value) == 'No encoder for H.264 works here (x264: does not open): set `encoder` to auto.'


def test_times_for_the_encoder_rise_whatever_the_stamps_do():
    times = EncoderTimes(30.0)
    stamps = [5, 5 + PERIOD_NS, 5 + PERIOD_NS, 0, 20 * 10**9, 20 * 10**9 + 1]
    ticks = [times.begin(stamp) for stamp in stamps]
    # 90 kHz: 1/30 s is 2999.99 ticks; a stamp that does not rise, or by more than 10 s, counts as a period.
    assert ticks == [0, 2999, 5999, 8999, 11999, 12000]
    assert [times.end(tick) for tick in ticks] == stamps


class _OldContext:
    """Of PyAV 10, as Debian 12 has it: no such attribute can be set (seen there)."""

    __slots__ = ('bit_rate', 'framerate', 'gop_size', 'height', 'pix_fmt', 'time_base', 'width')


def test_a_pyav_that_is_too_old_is_passed_over_and_says_how_to_get_a_newer(monkeypatch):
    old = types.SimpleNamespace(
        __version__='10.0.0',
        codecs_available={'libx264'},
        CodecContext=types.SimpleNamespace(create=lambda codec, mode: _OldContext()),
        FFmpegError=RuntimeError,
    )
    monkeypatch.setitem(sys.modules, 'av', old)
    with pytest.raises(EncoderError) as caught:
        make_encoder('x264', VideoEncoderSettings(640, 480, 30.0, 2000, 60))
    assert str(caught.value) == (
        "PyAV 10.0.0 is too old ('_OldContext' object has no attribute 'max_b_frames'): python3 -m pip install -U av"
    )
