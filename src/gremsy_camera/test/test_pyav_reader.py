# SPDX-License-Identifier: Apache-2.0
"""The reader over packets that are made here from x264's, x265's and OpenCV's pictures, without a network."""

import fractions
import itertools
import struct
import subprocess
import time
from collections import Counter

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import SourceError
from gremsy_camera.streams import pyav_reader
from gremsy_camera.streams.pyav_decoder import PyAvDecoder
from gremsy_camera.streams.pyav_reader import PyAvReader
from gremsy_camera.streams.rtp_times import misp_ns, time_code_ns
from gremsy_camera.streams.rtsp_messages import StreamDescription, VideoTrack
from gremsy_camera.streams.rtsp_session import RTCP, RTP, Received
from gremsy_camera.streams.stream_address import StreamAddress

from .reader_steps import live_context

av = pytest.importorskip('av')

S = 1_000_000_000
NTP_EPOCH_S = 2_208_988_800
ADDRESS = StreamAddress.of('rtsp://10.1.2.3/eo', 'source')


class ScriptedSession:
    """In `RtspSession`'s place: hands out lists of packets, then nothing."""

    def __init__(self, encoding, batches):
        self._track = VideoTrack(encoding, 90_000, 96, 'rtsp://10.1.2.3/eo/1', {}, 30.0)
        self._batches = list(batches)
        self.counts = Counter()
        self.udp_buffer_bytes = 0

    def describe(self):
        return StreamDescription(self._track, (f'video {self._track.encoding}',), 'rtsp://10.1.2.3/eo')

    def start(self, track, transport):
        assert track == self._track

    def receive(self, timeout_s):
        if not self._batches:
            time.sleep(min(timeout_s, 0.01))
            return []
        return self._batches.pop(0)

    def close(self):
        self._batches = []


@pytest.fixture
def make_reader(monkeypatch, said):
    def make(encoding, batches, **options):
        monkeypatch.setattr(pyav_reader, 'RtspSession', lambda address: ScriptedSession(encoding, batches))
        return PyAvReader(ADDRESS, live_context(said, decoder='software', **options))

    return make


def encode(images, codec='libx264', pix_fmt='yuv420p', bit_rate=4_000_000, **options):
    """Access units of the images, each with its place."""
    height, width = images[0].shape[:2]
    context = av.CodecContext.create(codec, 'w')
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.framerate, context.time_base, context.bit_rate = 30, fractions.Fraction(1, 30), bit_rate
    context.options = {'preset': 'ultrafast', 'tune': 'zerolatency', 'x264-params': 'repeat-headers=1', **options}
    units = []
    for place, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format='bgr24').reformat(format=pix_fmt)
        frame.pts = place
        units += [(packet.pts, bytes(packet)) for packet in context.encode(frame)]
    return units + [(packet.pts, bytes(packet)) for packet in context.encode(None)]


def split_units(data):
    """The units of Annex B."""
    return [part.removesuffix(b'\0') for part in data.split(b'\0\0\1')[1:]]


class Wire:
    """Makes packets with running numbers."""

    def __init__(self, sequence=0, first_timestamp=0, onvif=None):
        self._sequence = sequence
        self._first = first_timestamp
        self._onvif = onvif

    def picture(self, place, data, joined=()):
        units = [*joined, *split_units(data)]
        timestamp = (self._first + 3000 * place) % (1 << 32)
        return [self._packet(unit, timestamp, unit is units[-1]) for unit in units]

    def _packet(self, payload, timestamp, marker):
        self._sequence = (self._sequence + 1) % 65536
        first = 0x90 if self._onvif else 0x80
        head = struct.pack('>BBHII', first, marker << 7 | 96, self._sequence, timestamp, 1)
        if self._onvif:
            seconds, fraction = self._onvif
            head += struct.pack('>HHIII', 0xABAC, 3, seconds, fraction, 0)
        return Received(RTP, head + payload, time.monotonic_ns())


def report(time_ns, timestamp):
    ntp = ((time_ns // S + NTP_EPOCH_S) << 32) + ((time_ns % S) << 32) // S
    data = struct.pack('>BBHIQIII', 0x80, 200, 6, 1, ntp, timestamp, 0, 0)
    return [Received(RTCP, data, time.monotonic_ns())]


def scenes(count, width=160, height=128):
    generator = np.random.default_rng(5)
    base = cv2.resize(generator.integers(30, 220, (9, 16, 3), dtype=np.uint8), (width, height))
    return [np.roll(base, 4 * place, axis=1) for place in range(count)]


def read_all(reader, count):
    reader.open()
    pictures = []
    for _ in range(20 * count):
        picture = reader.read(0.05)
        if picture is not None:
            pictures.append(picture)
        if len(pictures) == count:
            return pictures
    raise AssertionError(f'{len(pictures)} of {count} pictures came: {reader.counts()}')


def test_each_picture_comes_with_its_own_last_packet(make_reader):
    """The first picture's packets alone bring it: nothing waits for the second's."""
    images = scenes(2)
    units = encode(images)
    reader = make_reader('H264', [Wire().picture(*units[0])])
    (picture,) = read_all(reader, 1)
    assert np.abs(picture.pixels().astype(int) - images[0]).mean() < 6
    assert (picture.width, picture.height) == (160, 128)


def test_times_go_on_across_the_wrap_of_rtp_times(make_reader):
    """The 32 bits end with the third picture, 13 h after their zero; positions and reported times go on."""
    wire, first = Wire(sequence=65530, first_timestamp=(1 << 32) - 7000), 1_795_984_797 * S
    units = encode(scenes(6))
    batches = [wire.picture(*units[0]), report(first, (1 << 32) - 7000), *(wire.picture(*unit) for unit in units[1:])]
    pictures = read_all(make_reader('H264', batches), 6)
    positions = [picture.position_ns for picture in pictures]
    assert all(after - before == 33_333_333 or after - before == 33_333_334 for before, after in
               itertools.pairwise(positions))  # fmt: skip
    times = [picture.capture.time_ns for picture in pictures[1:]]
    np.testing.assert_allclose(np.array(times) - first, [S * place // 30 for place in range(1, 6)], atol=2000)
    assert pictures[0].capture is None and pictures[1].capture.origin == 'RTCP sender reports'


def test_onvifs_times_are_taken_before_reports(make_reader):
    onvif = (1_795_984_797 + NTP_EPOCH_S) & 0xFFFF_FFFF, 0x4000_0000
    units = encode(scenes(1))
    batches = [report(1, 0), Wire(onvif=onvif).picture(*units[0])]
    (picture,) = read_all(make_reader('H264', batches), 1)
    assert picture.capture.time_ns == 1_795_984_797 * S + S // 4
    assert picture.capture.origin == "ONVIF's RTP extension"


def misp_unit(name, number):
    raw = struct.pack('>Q', number)
    body = name + b'\x1f' + b'\xff'.join((raw[0:2], raw[2:4], raw[4:6], raw[6:8]))
    return b'\x06\x05' + bytes((len(body),)) + body + b'\x80'


def test_times_in_the_video_are_read_where_they_are_asked_for(make_reader):
    units = encode(scenes(2))
    wire = Wire()
    sei = misp_unit(b'MISPmicrosectime', 1_795_984_797_866_066)
    batches = [wire.picture(*units[0], joined=[sei]), wire.picture(*units[1])]
    first, second = read_all(make_reader('H264', batches, stamps='sei'), 2)
    assert first.capture.time_ns == 1_795_984_797_866_066_000
    assert first.capture.origin == 'MISP time in the video (SEI)'
    assert second.capture is None


def test_misp_times_by_the_standard():
    """ST 0604's layout: 16 bytes of name, status, and the number with 0xff after each two bytes."""
    nano = bytes.fromhex('cf848278ee23306c9265e8fef22fb8b8')
    assert misp_ns(nano + bytes.fromhex('1f 1112 ff 1314 ff 1516 ff 1718')) == 0x1112131415161718
    assert misp_ns(b'MISPmicrosectime' + bytes.fromhex('1f 1112 ff 1314 00 1516 ff 1718')) is None
    assert misp_ns(b'another name'.ljust(40, b'\0')) is None
    assert misp_ns(b'') is None


@pytest.mark.parametrize(('hour', 'day'), [(12, 0), (23, -1), (0, 0)])
def test_a_time_code_is_of_the_nearest_day(hour, day):
    """2026-11-29 00:00 UTC is 1795910400; the code is hour:30:15 and 15 frames at 30 Hz."""
    midnight = 1_795_910_400 * S
    word = (hour // 10 << 4 | hour % 10) | 0x30 << 8 | 0x15 << 16 | 0x15 << 24
    now_ns = midnight + 3600 * S
    assert time_code_ns(word, 30.0, now_ns) == midnight + day * 86_400 * S + (3600 * hour + 1815) * S + S // 2


def test_a_time_code_that_is_none():
    assert time_code_ns(0x29, 30.0, 0) is None


def test_pictures_before_the_first_key_frame_are_counted(make_reader):
    units = encode(scenes(40), g='20')
    wire = Wire()
    reader = make_reader('H264', [wire.picture(*unit) for unit in units[5:]])
    pictures = read_all(reader, 20)
    assert reader.counts()['pictures before the first key frame'] == 15
    assert pictures[0].position_ns == 0


@pytest.fixture
def slow_decoder(monkeypatch):
    """30 ms a picture, which is nearly a period of 30 Hz."""
    decode = PyAvDecoder.decode

    def slowly(self, data, position):
        time.sleep(0.03)
        return decode(self, data, position)

    monkeypatch.setattr(PyAvDecoder, 'decode', slowly)


def test_what_decoding_cannot_keep_up_with_is_left_out_up_to_the_newest_key_frame_and_said_once(
    make_reader, said, slow_decoder
):
    units = encode(scenes(120), g='10')
    wire = Wire()
    at_ease = [wire.picture(*unit) for unit in units[:20]]
    everything = [packet for unit in units[20:] for packet in wire.picture(*unit)]
    reader = make_reader('H264', [*at_ease, everything])
    pictures = read_all(reader, 30)
    # Of the hundred that came at once the last ten are decoded.
    assert reader.counts()['pictures that decoding could not keep up with'] == 90
    assert said.sentences == [
        'The pictures of the camera rtsp://10.1.2.3/eo come faster than they are decoded: some are left out; set the '
        'camera to a smaller size or rate, or `decoder` to hardware.'
    ]
    assert np.abs(pictures[-1].pixels().astype(int) - scenes(120)[-1]).mean() < 6


def test_many_pictures_at_once_that_are_decoded_soon_are_all_shown(make_reader, said):
    units = encode(scenes(60), g='10')
    wire = Wire()
    reader = make_reader('H264', [[packet for unit in units for packet in wire.picture(*unit)]])
    assert len(read_all(reader, 60)) == 60
    assert said.sentences == []


def test_without_a_key_frame_all_is_left_out_until_the_next_before_memory_ends(make_reader, slow_decoder):
    units = encode(scenes(760), g='1000')
    wire = Wire()
    at_ease = [wire.picture(*unit) for unit in units[:20]]
    everything = [packet for unit in units[20:] for packet in wire.picture(*unit)]
    late = encode(scenes(2))
    again = [packet for place, data in late for packet in wire.picture(800 + place, data)]
    pictures = read_all(make_reader('H264', [*at_ease, everything, again]), 22)
    assert pictures[-1].position_ns - pictures[0].position_ns == pytest.approx(801 * S / 30, abs=2)


@pytest.mark.parametrize('size', [(2, 2), (98, 50), (50, 98), (126, 2)])
def test_sizes(make_reader, size):
    units = encode(scenes(1, *size))
    (picture,) = read_all(make_reader('H264', [Wire().picture(*units[0])]), 1)
    assert picture.pixels().shape == (size[1], size[0], 3)


def test_an_odd_size(make_reader):
    """Odd sides take colours that are not halved."""
    units = encode(scenes(1, 33, 21), pix_fmt='yuv444p')
    (picture,) = read_all(make_reader('H264', [Wire().picture(*units[0])]), 1)
    assert picture.pixels().shape == (21, 33, 3)
    assert np.abs(picture.pixels().astype(int) - scenes(1, 33, 21)[0]).mean() < 6


def test_8k(make_reader):
    image = np.full((4320, 7680, 3), 90, dtype=np.uint8)
    units = encode([image])
    (picture,) = read_all(make_reader('H264', [Wire().picture(*units[0])]), 1)
    assert picture.pixels().shape == image.shape


@pytest.mark.parametrize(
    ('matrix', 'full'), [('bt709', False), ('bt709', True), ('smpte170m', False), ('smpte170m', True)]
)
def test_colours_are_those_of_ffmpegs_own_conversion(make_reader, tmp_path, matrix, full):
    """A stream that bears its matrix and range, converted here and by the program ffmpeg."""
    x264 = f'repeat-headers=1:colormatrix={matrix}:range={"pc" if full else "tv"}'
    units = encode(scenes(1), **{'x264-params': x264})
    stream = tmp_path / 'stream.h264'
    stream.write_bytes(units[0][1])
    try:
        raw = subprocess.run(
            ['ffmpeg', '-v', 'error', '-i', str(stream), '-pix_fmt', 'bgr24', '-f', 'rawvideo', '-'],
            capture_output=True,
            check=True,
        ).stdout
    except FileNotFoundError:
        pytest.skip('There is no ffmpeg to compare with.')
    truth = np.frombuffer(raw, np.uint8).reshape(128, 160, 3)
    (picture,) = read_all(make_reader('H264', [Wire().picture(*units[0])]), 1)
    assert np.abs(picture.pixels().astype(int) - truth).mean() < 1.0
    # What the other range or matrix would do to it is more.
    assert np.abs(picture.pixels().astype(int) - truth).max() <= 8


def test_random_bytes_in_place_of_pictures_do_no_harm(make_reader):
    generator = np.random.default_rng(7)
    wire = Wire()
    units = encode(scenes(60), g='6')
    batches = []
    for place, data in units:
        damaged = bytearray(data)
        if place % 3:
            for _ in range(int(generator.integers(1, 40))):
                damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        batches.append(wire.picture(place, bytes(damaged)))
    reader = make_reader('H264', batches)
    reader.open()
    for _ in range(80):
        picture = reader.read(0.02)
        if picture is not None:
            assert picture.pixels().shape[2] == 3


def test_a_camera_whose_datagrams_do_not_arrive(make_reader, monkeypatch):
    monkeypatch.setattr(pyav_reader, '_SIZE_WITHIN_S', 0.1)
    with pytest.raises(SourceError) as raised:
        make_reader('H264', [], transport='udp').open()
    assert str(raised.value) == (
        'The camera rtsp://10.1.2.3/eo sends over UDP and none of it arrives: let UDP through the firewall, or set '
        '`transport` to tcp.'
    )


def test_a_camera_that_plays_and_sends_nothing_is_not_waited_for_as_for_a_key_frame(make_reader, monkeypatch):
    monkeypatch.setattr(pyav_reader, '_SIZE_WITHIN_S', 0.1)
    with pytest.raises(SourceError) as raised:
        make_reader('H264', []).open()
    assert str(raised.value) == (
        'The camera rtsp://10.1.2.3/eo has sent nothing for 0.1 s since it was asked to play: it is opened '
        'again; restart it if that goes on.'
    )
    # Any packet, here a report of its clock, is a sign that a key frame may come.
    report = Received(RTCP, struct.pack('>BBHIQIII', 0x80, 200, 6, 1, NTP_EPOCH_S << 32, 0, 0, 0), 0)
    assert make_reader('H264', [[report]]).open().width == 0
