# SPDX-License-Identifier: Apache-2.0
"""Films by stream copy, read back with FFmpeg's own programs, PyAV and OpenCV, whole, torn and of every codec."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

av = pytest.importorskip('av', reason='PyAV is not installed: run ./gremsy test')

from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.recording.access_units import jpeg_size, nal_units, split_sets
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_camera.recording.video_files import VideoFiles

MS = 1_000_000
STAMP_NS = 1_700_000_000_000_000_000
ENCODERS = {'h264': 'libx264', 'hevc': 'libx265'}


def clip(codec='h264', pictures=60, size=(160, 120), key_every=15, b_frames=0, rate_hz=30, first=0):
    """Packets of pictures whose grey is 4 times their number, as a camera sends them."""
    if codec == 'mjpeg':
        return [
            EncodedPacket(
                cv2.imencode('.jpg', np.full((size[1], size[0], 3), 4 * k % 256, np.uint8))[1].tobytes(),
                STAMP_NS + k * 1000 * MS // rate_hz,
                k * 1000 * MS // rate_hz,
                k * 1000 * MS // rate_hz,
                True,
            )
            for k in range(first, first + pictures)
        ]
    context = av.CodecContext.create(ENCODERS[codec], 'w')
    context.width, context.height, context.pix_fmt = *size, 'yuv420p'
    context.time_base, context.framerate = Fraction(1, rate_hz), Fraction(rate_hz)
    context.gop_size, context.max_b_frames, context.thread_count = key_every, b_frames, 1
    context.options = {'preset': 'ultrafast', 'forced-idr': '1', 'x265-params': 'log-level=none'}
    packets = []
    for k in range(first, first + pictures):
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 4 * k % 256, np.uint8), format='bgr24')
        frame.pts = k
        packets += context.encode(frame)
    packets += context.encode(None)
    return [
        EncodedPacket(
            bytes(packet),
            STAMP_NS + packet.pts * 1000 * MS // rate_hz,
            packet.pts * 1000 * MS // rate_hz,
            packet.dts * 1000 * MS // rate_hz,
            packet.is_keyframe,
        )
        for packet in packets
    ]


def formats(codec='h264', size=(160, 120)) -> EncodedFormat:
    return EncodedFormat(codec, *size)


@pytest.fixture
def films(tmp_path):
    folder = RecordingsFolder(tmp_path)
    folder.prepare()
    made = VideoFiles(folder, 'robot_eo', 0.0)
    yield made
    made.close()


def shown(path: Path) -> list[int]:
    """The pictures' numbers, by decoding in FFmpeg, outside of this process; its errors are the test's."""
    done = subprocess.run(
        ['ffmpeg', '-v', 'error', '-xerror', '-i', str(path), '-fps_mode', 'passthrough', '-pix_fmt', 'gray', '-f',
         'rawvideo', '-'],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.stderr == b'' and done.returncode == 0, done.stderr
    width, height, _ = probed(path)
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width)
    # Codecs of few bits are off by a count or two of 255.
    return [round((float(picture.mean()) + 1) / 4) for picture in pictures]


def probed(path: Path) -> tuple[int, int, str]:
    answer = subprocess.run(
        ['ffprobe', '-v', 'error', '-show_streams', '-of', 'json', str(path)], capture_output=True, check=True
    )
    stream = json.loads(answer.stdout)['streams'][0]
    return stream['width'], stream['height'], f'{stream["codec_name"]} {stream["codec_tag_string"]}'


needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which('ffmpeg') and shutil.which('ffprobe')), reason='the ffmpeg program is not installed'
)


@needs_ffmpeg
@pytest.mark.parametrize(('codec', 'tag'), [('h264', 'h264 avc1'), ('hevc', 'hevc hvc1')])
@pytest.mark.parametrize('b_frames', [0, 2])
def test_a_copied_stream_plays_every_picture_in_order(films, tmp_path, codec, tag, b_frames):
    for packet in clip(codec, b_frames=b_frames):
        films.add(formats(codec), packet)
    films.close()
    film = tmp_path / 'robot_eo_001.mp4'
    assert films.paths == [film.name]
    assert probed(film) == (160, 120, tag)
    assert shown(film) == list(range(60))
    assert films.pictures == 60 and not films.lost


def test_a_camera_of_jpegs_is_copied_to_the_byte(films, tmp_path):
    packets = clip('mjpeg', pictures=20)
    for packet in packets:
        films.add(formats('mjpeg'), packet)
    films.close()
    with av.open(str(tmp_path / 'robot_eo_001.mp4')) as film:
        assert [bytes(packet) for packet in film.demux() if packet.size] == [packet.data for packet in packets]


def test_the_bits_of_the_stream_are_those_that_came(films, tmp_path):
    packets = clip()
    for packet in packets:
        films.add(formats(), packet)
    films.close()
    annex_b = io.BytesIO()
    with av.open(str(tmp_path / 'robot_eo_001.mp4')) as film, av.open(annex_b, 'w', format='h264') as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    came = [unit for packet in packets for unit in nal_units(packet.data)]
    assert [unit for unit in nal_units(annex_b.getvalue()) if unit[0] & 31 in (1, 5)] == [
        unit for unit in came if unit[0] & 31 in (1, 5)
    ]


def test_stamps_of_every_picture_are_beside_the_film(films, tmp_path):
    """They come when a picture was decoded, some pictures later; one that never is has none."""
    packets = clip(b_frames=2)
    for k, packet in enumerate(packets):
        films.add(formats(), packet)
        for decoded in packets[k - 5 : k - 4]:
            if decoded is not packets[30]:
                films.stamp(decoded.pts_ns, decoded.stamp_ns + 7)
    films.flush()
    beside = tmp_path / 'robot_eo_001.stamps.csv'
    assert len(beside.read_text().splitlines()) == 2 + 30
    films.close()
    first, *lines = beside.read_text().splitlines()
    assert first.startswith('# gremsy recording ') and first.endswith(', of robot_eo_001.mp4')
    rows = list(csv.DictReader(lines))
    assert [int(row['picture']) for row in rows] == list(range(60))
    with av.open(str(tmp_path / 'robot_eo_001.mp4')) as film:
        times = [packet.pts * packet.time_base for packet in film.demux() if packet.size]
    assert [float(row['time_in_film_s']) for row in rows] == pytest.approx([float(each) for each in times], abs=1e-5)
    stamps = [str(packet.stamp_ns + 7) for packet in packets]
    stamps[30] = ''
    assert [row['stamp_ns'] for row in rows] == [*stamps[:55], *[''] * 5]


def test_of_a_reader_that_tells_no_positions_the_table_has_what_the_packets_say(films, tmp_path):
    packets = clip()
    for packet in packets:
        films.add(formats(), packet)
    films.close()
    _, *lines = (tmp_path / 'robot_eo_001.stamps.csv').read_text().splitlines()
    assert [int(row['stamp_ns']) for row in csv.DictReader(lines)] == [packet.stamp_ns for packet in packets]


@pytest.mark.parametrize('codec', ['h264', 'hevc'])
def test_b_frames_of_a_reader_without_decoding_times_are_shown_in_order(films, tmp_path, codec):
    """GStreamer's depayloaders tell when a picture is shown, and not when it is decoded."""
    for packet in clip(codec, b_frames=2):
        films.add(formats(codec), EncodedPacket(packet.data, packet.stamp_ns, packet.pts_ns, packet.pts_ns, packet.key))
    films.close()
    assert films.paths == ['robot_eo_001.mp4'] and not films.lost
    assert shown_by_pyav(tmp_path / 'robot_eo_001.mp4') == list(range(60))
    with av.open(str(tmp_path / 'robot_eo_001.mp4')) as film:
        times = [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]
    assert np.diff(times) == pytest.approx(np.full(59, 1 / 30), abs=1e-3)


def test_a_film_begins_with_a_key_frame(films, tmp_path):
    for packet in clip()[4:]:
        films.add(formats(), packet)
    films.close()
    assert films.lost == {'pictures before a key frame': 11}
    assert shown_by_pyav(tmp_path / 'robot_eo_001.mp4') == list(range(15, 60))


def test_parameter_sets_that_come_apart_from_the_stream_are_used(films, tmp_path):
    packets = clip()
    sets, _ = split_sets('h264', packets[0].data)
    assert sets.complete
    for packet in packets:
        bare = EncodedPacket(
            split_sets('h264', packet.data)[1], packet.stamp_ns, packet.pts_ns, packet.dts_ns, packet.key
        )
        films.add(EncodedFormat('h264', 160, 120, sets.annex_b()), bare)
    films.close()
    assert shown_by_pyav(tmp_path / 'robot_eo_001.mp4') == list(range(60))


def test_without_parameter_sets_nothing_is_written_and_counted(films, tmp_path):
    for packet in clip(pictures=30):
        bare = split_sets('h264', packet.data)[1]
        films.add(formats(), EncodedPacket(bare, packet.stamp_ns, packet.pts_ns, packet.dts_ns, packet.key))
    assert films.lost == {'key frames without parameter sets': 2, 'pictures before a key frame': 28}
    assert list(tmp_path.glob('robot*')) == []


def test_rubbish_that_is_called_a_key_frame_leaves_no_file(films, tmp_path):
    sets = split_sets('h264', clip(pictures=1)[0].data)[0].annex_b()
    generator = random.Random(13)
    for k in range(20):
        rubbish = b'\x00\x00\x00\x01' + generator.randbytes(300)
        films.add(EncodedFormat('h264', 0, 0, b'\x00\x00\x01\x67\x00\x00\x00\x01\x68\x00'), EncodedPacket(
            rubbish, STAMP_NS, k * MS, k * MS, True))  # fmt: skip
    assert list(tmp_path.glob('robot*')) == []
    assert sum(films.lost.values()) == 20
    films.add(EncodedFormat('h264', 160, 120, sets), clip(pictures=1)[0])
    assert films.pictures == 1


@pytest.mark.parametrize(
    ('codec', 'size'), [('h264', (320, 240)), ('hevc', (160, 120)), ('mjpeg', (160, 120))], ids=str
)
def test_another_stream_goes_to_another_file(films, tmp_path, codec, size):
    for packet in clip():
        films.add(formats(), packet)
    for packet in clip(codec, size=size, first=60, pictures=30):
        films.add(formats(codec, size), packet)
    films.close()
    assert films.paths == ['robot_eo_001.mp4', 'robot_eo_002.mp4']
    assert shown_by_pyav(tmp_path / 'robot_eo_001.mp4') == list(range(60))
    with av.open(str(tmp_path / 'robot_eo_002.mp4')) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == size
        assert len([1 for _ in film.decode(video=0)]) == 30


def test_jpegs_of_another_size_go_to_another_file(films):
    """By what the pictures themselves say: a reader may learn the size of the first from its decoding only."""
    for size in ((160, 120), (320, 240)):
        for packet in clip('mjpeg', size=size, pictures=3, first=size[0]):
            assert jpeg_size(packet.data) == size
            films.add(formats('mjpeg', (0, 0)), packet)
    assert films.paths == ['robot_eo_001.mp4', 'robot_eo_002.mp4']


def moved(packet: EncodedPacket, by_s: float) -> EncodedPacket:
    by_ns = round(by_s * 1000) * MS
    return EncodedPacket(packet.data, packet.stamp_ns + by_ns, packet.pts_ns + by_ns, packet.dts_ns + by_ns, packet.key)


@pytest.mark.parametrize(
    ('by_s', 'files', 'pictures'),
    [
        (4.0, 1, 120),  # a gap: the last picture is held
        (60.0, 2, 120),  # the camera was away: two films
        (-100.0, 2, 120),  # the camera was restarted, its time began again
    ],
)
def test_what_times_that_jump_do(films, tmp_path, by_s, files, pictures):
    packets = clip()
    for packet in [*packets, *(moved(each, 2.0 + by_s) for each in packets)]:
        films.add(formats(), packet)
    films.close()
    assert len(films.paths) == files
    assert sum(len(shown_by_pyav(tmp_path / name)) for name in films.paths) == pictures
    if files == 1:
        with av.open(str(tmp_path / films.paths[0])) as film:
            times = [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]
        assert times[60] - times[59] == pytest.approx(4.0 + 1 / 30, abs=0.01)


def test_times_that_stand_or_step_back_a_little_are_evened_out(films, tmp_path):
    packets = clip()
    for k, packet in enumerate(packets):
        films.add(formats(), moved(packet, (0.0, -0.1, 0.0)[k % 3]))
    films.close()
    assert set(films.lost) == {'times that did not go on, evened out'}
    # Once it is known how much room the order needs, another film begins, and needs no more.
    assert len(films.paths) == 2
    assert [number for name in films.paths for number in shown_by_pyav(tmp_path / name)] == list(range(60))


def test_segments_begin_with_key_frames_and_lose_nothing(tmp_path):
    folder = RecordingsFolder(tmp_path)
    folder.prepare()
    films = VideoFiles(folder, 'a', 0.7)
    for packet in clip(pictures=90):
        films.add(formats(), packet)
    films.close()
    # Key frames are half a second apart, so each file has a second of them.
    assert [shown_by_pyav(tmp_path / name) for name in films.paths] == [
        list(range(30)), list(range(30, 60)), [k % 64 for k in range(60, 90)]
    ]  # fmt: skip


def shown_by_pyav(path: Path) -> list[int]:
    with av.open(str(path)) as film:
        return [round((float(frame.to_ndarray(format='gray').mean()) + 1) / 4) for frame in film.decode(video=0)]


@pytest.mark.parametrize('rubbish', [b'', b'\xff', b'\xff\xd8', b'\xff\xd8\xff\xc0\x00', bytes(100), b'\xff' * 100])
def test_what_is_no_jpeg_has_no_size(rubbish):
    assert jpeg_size(rubbish) is None


@needs_ffmpeg
@pytest.mark.parametrize('codec', ['h264', 'hevc', 'mjpeg'])
def test_torn_anywhere_a_film_plays_up_to_its_last_whole_fragment(films, tmp_path, codec):
    """As after a power cut: the bytes that are there are a beginning of those that were written."""
    for packet in clip(codec, pictures=150, key_every=50):
        films.add(formats(codec), packet)
    # Not closed: what the file has is what a machine that died has.
    whole = (tmp_path / 'robot_eo_001.mp4').read_bytes()
    fragments = [at for at in range(len(whole)) if whole[at : at + 4] == b'moof']
    # 5 s of pictures at a fragment a second, the last of which is not written yet.
    assert len(fragments) >= 4
    generator = random.Random(7)
    cuts = [len(whole), *(generator.randrange(fragments[1] - 4, len(whole)) for _ in range(8))]
    for cut in cuts:
        torn = tmp_path / 'torn.mp4'
        torn.write_bytes(whole[:cut])
        ends = [at - 4 for at in fragments[1:] if at - 4 <= cut] + ([len(whole)] if cut == len(whole) else [])
        by_then = pictures_before(whole, ends[-1])
        probed(torn)
        subprocess.run(['ffmpeg', '-v', 'error', '-i', str(torn), '-f', 'null', '-'], check=True, capture_output=True)
        capture = cv2.VideoCapture(str(torn))
        seen = 0
        while capture.read()[0]:
            seen += 1
        capture.release()
        assert seen >= by_then > 0, cut


def pictures_before(whole: bytes, end: int) -> int:
    """Pictures of the fragments that are whole before that byte, by FFmpeg's own count."""
    with av.open(io.BytesIO(whole[:end])) as film:
        return len([1 for _ in film.decode(video=0)])


def add_all(films: VideoFiles, packets: list[EncodedPacket]) -> None:
    for packet in packets:
        films.add(formats(), packet)


class FullDisk:
    """Takes so many bytes and no more, in the middle of a write."""

    def __init__(self, file, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data) -> int:
        if self._room == 0:
            raise OSError(28, 'No space left on device')
        taken = self._file.write(data[: self._room])
        self._room -= taken
        return taken

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_disk_that_is_full_leaves_a_film_that_plays(films, tmp_path):
    packets = clip(pictures=150)
    films.add(formats(), packets[0])
    film = films.current[0]
    film._file = FullDisk(film._file, 6000)
    with pytest.raises(OSError, match='No space left'):
        add_all(films, packets[1:])
    with pytest.raises(OSError, match='No space left'):
        films.close()
    pictures = shown_by_pyav(tmp_path / 'robot_eo_001.mp4')
    assert pictures == list(range(len(pictures))) and len(pictures) >= 15
    films.close()
