# SPDX-License-Identifier: Apache-2.0
"""Recordings from the first call to the last, with what comes and what goes wrong on the way."""

from __future__ import annotations

import csv
import errno
import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip('av', reason='PyAV is not installed: run ./gremsy test')
pytest.importorskip('mcap', reason='mcap is not installed: run ./gremsy test')
from mcap.reader import make_reader

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_camera.errors import RecordingError
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.recording import recording_libraries
from gremsy_camera.recording.bag_file import BagChannel, Serialized
from gremsy_camera.recording.camera_recorder import CameraRecorder
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_camera.recording.recording_session import CameraChannels, file_stem
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_common.installing import pip_install
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.types.frame import Frame, lock_read_only

NS_PER_S = 1_000_000_000
# The conftest's clock begins at 1 700 000 000 s.
STARTED = '20231114T221320Z'
STAMP_NS = 1_700_000_000_000_000_000


def as_text(item: object) -> Serialized:
    if item == 'bad':
        raise TypeError('no message')
    return Serialized(b'\x00\x01\x00\x00' + str(item).encode(), None)


def frame_stamp(frame: Frame) -> Serialized:
    return Serialized(b'\x00\x01\x00\x00' + str(frame.stamp_ns).encode(), frame.stamp_ns)


def packet_stamp(packet: EncodedPacket) -> Serialized:
    return Serialized(b'\x00\x01\x00\x00' + packet.data, packet.stamp_ns)


STATE = BagChannel('/state', 'std_msgs/msg/String', 'string data', '', as_text)
CHANNELS = CameraChannels(
    BagChannel('/image', 'test_msgs/msg/Image', 'string data', '', frame_stamp),
    BagChannel('/image', 'test_msgs/msg/Image', 'string data', '', packet_stamp),
    BagChannel('/info', 'test_msgs/msg/Info', 'string data', '', as_text),
)


class Desk:
    """A recorder, what it said, and its writing thread's steps one by one."""

    def __init__(self, folder: Path, clock, **changes) -> None:
        wanted = {'dir': str(folder), 'format': 'both', 'segment_s': 0.0, 'keep_free_gb': 0.0} | changes
        self.parameters = RecordingParameters(**{f'record_{name}': value for name, value in wanted.items()})
        self.said: list[str] = []
        self.errors: list[str] = []
        self.drops: list[tuple[str, str, str]] = []
        self.clock = clock
        self.folder = folder
        self.recorder = CameraRecorder(
            clock, self.said.append, self.errors.append, lambda *drop: self.drops.append(drop)
        )

    def start(self) -> str:
        return self.recorder.start(self.parameters, '/robot/eo', lambda: CHANNELS)

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.recorder.step(0.0)

    def stop(self) -> str:
        answer = self.recorder.stop()
        self.recorder.close()
        return answer

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith('.'))

    def bag(self) -> list[tuple[str, str]]:
        (path,) = self.folder.glob('*.mcap')
        with path.open('rb') as file:
            return [(c.topic, record.data[4:].decode()) for _, c, record in make_reader(file).iter_messages()]


@pytest.fixture
def desk(tmp_path, clock):
    made: list[Desk] = []

    def make(**changes) -> Desk:
        made.append(Desk(tmp_path / 'recordings', clock, **changes))
        return made[-1]

    yield make
    for each in made:
        each.recorder.close()


def picture(index: int, size=(160, 120), encoding='bgr8') -> Frame:
    shape = (size[1], size[0]) if encoding.startswith('mono') else (size[1], size[0], 3)
    deep = encoding == 'mono16'
    image = np.full(shape, 4 * index % 256, np.uint16 if deep else np.uint8)
    if deep:
        image[:, : size[0] // 2] = 20000
    return Frame(lock_read_only(image), STAMP_NS + index * NS_PER_S // 30, 'eo', encoding)


def packets(count: int = 60, first: int = 0) -> list[EncodedPacket]:
    from gremsy_camera.recording.frame_encoder import FrameEncoder

    encoder = FrameEncoder(160, 120)
    made = []
    for index in range(first, first + count):
        made += [packet for _, packet in encoder.encode(picture(index), picture(index).image)]
    return made


H264 = EncodedFormat('h264', 160, 120)


def shown(path: Path) -> list[float]:
    """The pictures' numbers, as far as an encoder of few bits leaves them; `numbers` is what they are near to."""
    with av.open(str(path)) as film:
        return [float(frame.to_ndarray(format='gray').mean()) / 4 for frame in film.decode(video=0)]


def numbers(first: int, end: int) -> object:
    return pytest.approx(list(range(first, end)), abs=1.5)


def stamps(path: Path) -> list[int]:
    _, *lines = path.read_text().splitlines()
    return [int(row['stamp_ns']) for row in csv.DictReader(lines)]


def test_a_source_that_has_its_video_encoded_is_copied(desk):
    made = desk()
    assert made.start() == (
        f"Recording to '{made.folder}/robot_eo_{STARTED}_001.mp4' and '{made.folder}/robot_eo_{STARTED}_001.mcap'."
    )
    assert made.recorder.wanted
    for index, packet in enumerate(packets()):
        made.recorder.put(H264, packet)
        # The decoder's pictures come some packets later.
        if index >= 3:
            made.recorder.stamped(packets_pts(index - 3), STAMP_NS + index - 3)
            made.recorder.frame(picture(index - 3))
            made.recorder.message(STATE, f'state {index}')
        made.step(4)
    made.clock.sleep_s(2.0)
    assert made.stop() == (
        f"Recorded 2.0 s to '{made.folder}/robot_eo_{STARTED}_001.mp4' and '{made.folder}/robot_eo_{STARTED}_001.mcap'."
    )
    assert made.files() == [
        f'robot_eo_{STARTED}_001.mcap', f'robot_eo_{STARTED}_001.mp4', f'robot_eo_{STARTED}_001.stamps.csv'
    ]  # fmt: skip
    assert shown(made.folder / f'robot_eo_{STARTED}_001.mp4') == numbers(0, 60)
    # Beside a film the bag has no pictures.
    assert {topic for topic, _ in made.bag()} == {'/state'}
    assert made.said == [f"Recorded to '{made.folder}': robot_eo_{STARTED}_001.mp4, robot_eo_{STARTED}_001.mcap."]
    assert not made.recorder.wanted and not made.errors


def packets_pts(index: int) -> int:
    return packets_cache()[index].pts_ns


def packets_cache(made: list[EncodedPacket] = []) -> list[EncodedPacket]:  # noqa: B006 kept on purpose
    if not made:
        made += packets()
    return made


@pytest.mark.parametrize('encoding', ['bgr8', 'mono8', 'rgb8'])
def test_frames_of_a_source_without_encoded_video_are_encoded_from_the_first(desk, encoding):
    made = desk(format='mp4')
    made.start()
    for index in range(60):
        made.recorder.frame(picture(index, encoding=encoding))
        made.step()
    assert made.recorder.rows()['recording film'].startswith('encoded by lib')
    made.stop()
    assert shown(made.folder / f'robot_eo_{STARTED}_001.mp4') == numbers(0, 60)
    assert stamps(made.folder / f'robot_eo_{STARTED}_001.stamps.csv') == [picture(k).stamp_ns for k in range(60)]


def test_infrared_of_16_bits_is_shown_in_the_film(desk):
    made = desk(format='mp4')
    made.start()
    for index in range(20):
        made.recorder.frame(picture(index, encoding='mono16'))
        made.step()
    made.stop()
    with av.open(str(next(made.folder.glob('*.mp4')))) as film:
        grey = [frame.to_ndarray(format='gray') for frame in film.decode(video=0)]
    assert len(grey) == 20 and int(grey[-1][:, :70].mean()) > 200 and int(grey[-1][:, 90:].mean()) < 50


@pytest.mark.parametrize(('images', 'deep'), [('auto', 8), ('jpeg', 8), ('none', 0)])
def test_infrared_of_16_bits_is_in_the_bag_beside_the_film(desk, images, deep):
    made = desk(images=images)
    made.start()
    frames = [picture(index, encoding='mono16') for index in range(8)]
    for frame in frames:
        made.recorder.frame(frame)
        made.step()
    made.recorder.message(STATE, 'then')
    made.stop()
    assert made.bag() == [*(('/image', str(each.stamp_ns)) for each in frames[:deep]), ('/state', 'then')]
    assert any(name.endswith('.mp4') for name in made.files())


def test_a_source_that_loses_its_encoded_video_is_encoded_from_then_on_and_back(desk):
    """The camera was opened again with a reader that decodes only, and then with the first one."""
    made = desk(format='mp4')
    made.start()
    for packet in packets(30):
        made.recorder.put(H264, packet)
        made.step()
    made.recorder.frame(picture(29))
    made.step()
    for index in range(30, 60):
        made.recorder.frame(picture(index))
        made.step()
    for packet in packets(30, first=10):
        made.recorder.put(H264, packet)
        made.step()
    made.stop()
    names = [f'robot_eo_{STARTED}_00{k}.mp4' for k in (1, 2, 3)]
    copied, encoded, again = (shown(made.folder / name) for name in names)
    assert copied == numbers(0, 30) and again == numbers(10, 40)
    # At most the frame is missing that came with the last packet.
    assert encoded == numbers(30, 60)


def test_frames_of_another_size_go_to_another_film(desk):
    made = desk(format='mp4')
    made.start()
    for size in ((160, 120), (321, 241), (64, 48)):
        for index in range(10):
            made.recorder.frame(picture(index, size))
            made.step()
    made.stop()
    sizes = []
    for path in sorted(made.folder.glob('*.mp4')):
        with av.open(str(path)) as film:
            sizes.append((film.streams.video[0].width, film.streams.video[0].height))
    # H.264 of this kind has even sides.
    assert sizes == [(160, 120), (320, 240), (64, 48)]


def test_a_frame_that_no_film_can_show_is_counted(desk):
    made = desk(format='mp4')
    made.start()
    for index in range(8):
        made.recorder.frame(picture(index, (1, 1)))
        made.step()
    assert made.recorder.rows()['recording losses'] == '8 frames too small for a film'
    made.stop()
    assert made.files() == []
    assert made.said == [f"Recorded to '{made.folder}': nothing, as nothing came that could be."]


def test_a_bag_alone_has_the_pictures(desk):
    made = desk(format='mcap')
    assert made.start() == f"Recording to '{made.folder}/robot_eo_{STARTED}_001.mcap'."
    for index in range(3):
        made.recorder.frame(picture(index))
        made.recorder.message(CHANNELS.camera_info, index)
        made.step(2)
    made.stop()
    assert made.bag() == [
        entry for k in range(3) for entry in (('/image', str(picture(k).stamp_ns)), ('/info', str(k)))
    ]


@pytest.mark.parametrize('stamped', [True, False])
def test_pictures_that_are_jpeg_already_go_to_the_bag_under_their_capture_time(desk, stamped):
    made = desk(format='mcap')
    made.start()
    made.recorder.frame(picture(0))
    for index in range(1, 5):
        packet = EncodedPacket(b'jpeg %d' % index, STAMP_NS - index, index, index, True)
        made.recorder.put(EncodedFormat('mjpeg', 160, 120), packet)
        if stamped and index != 3:
            made.recorder.stamped(index, STAMP_NS + index)
        made.recorder.frame(picture(index))
        made.step(4)
    made.stop()
    (path,) = made.folder.glob('*.mcap')
    with path.open('rb') as file:
        found = {record.data[4:].decode(): record.publish_time for _, _, record in make_reader(file).iter_messages()}
    # The frame before the first packet has no packet; the third was never decoded.
    first = {str(picture(0).stamp_ns): picture(0).stamp_ns}
    if stamped:
        assert found == first | {f'jpeg {k}': STAMP_NS + k for k in (1, 2, 4)}
    else:
        assert found == first | {f'jpeg {k}': STAMP_NS - k for k in (1, 2, 3, 4)}


def test_what_cannot_be_a_message_is_counted_and_said_once(desk):
    made = desk(format='mcap')
    made.start()
    for item in ('one', 'bad', 'bad', 'two'):
        made.recorder.message(STATE, item)
        made.step()
    assert made.recorder.rows()['recording losses'] == '2 messages on /state'
    made.stop()
    assert made.bag() == [('/state', 'one'), ('/state', 'two')]
    assert made.said[0] == 'A message on /state cannot be recorded (TypeError: no message): check its publisher.'


def test_starting_and_stopping_twice_is_answered(desk):
    made = desk()
    assert made.recorder.stop() == 'Nothing is being recorded.'
    made.start()
    assert made.start() == (
        f"Already recording to '{made.folder}/robot_eo_{STARTED}_001.mp4' and "
        f"'{made.folder}/robot_eo_{STARTED}_001.mcap'."
    )
    made.recorder.stop()
    with pytest.raises(RecordingError) as refused:
        made.start()
    assert str(refused.value) == 'The last recording is still being closed: ask again.'
    made.step()
    assert made.start().startswith('Recording to ')


def test_recordings_of_one_second_do_not_meet(desk):
    made = desk(format='mp4')
    for _ in range(2):
        made.start()
        for packet in packets(5):
            made.recorder.put(H264, packet)
        made.stop()
    assert [path.name for path in sorted(made.folder.glob('*.mp4'))] == [
        f'robot_eo_{STARTED}-2_001.mp4', f'robot_eo_{STARTED}_001.mp4'
    ]  # fmt: skip


def test_a_clock_that_is_set_back_neither_ends_nor_overwrites_anything(desk):
    made = desk(format='mcap', segment_s=10.0)
    made.start()
    for second in range(30):
        made.recorder.message(STATE, second)
        made.step()
        made.clock.sleep_s(1.0)
    names = made.files()
    made.stop()
    assert len(names) == 3
    made.clock.ros_ns = lambda: STAMP_NS
    made.start()
    made.recorder.message(STATE, 'again')
    made.stop()
    assert len(made.files()) == 4


class Refusing:
    """A disk that fills up, or is pulled out."""

    def __init__(self, file, error: OSError) -> None:
        self._file, self._error = file, error

    def write(self, data) -> int:
        raise self._error

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize(
    ('number', 'sentence'),
    [
        (
            errno.ENOSPC,
            "the disk that '{folder}' is on is full: make room, or raise `record_keep_free_gb`, with which recording "
            'ends before.',
        ),
        (errno.EIO, "'{folder}' can no longer be written to (Input/output error)."),
    ],
    ids=['full', 'gone'],
)
def test_a_disk_that_refuses_ends_the_recording_with_a_sentence(desk, number, sentence):
    made = desk()
    made.start()
    made.recorder.message(STATE, 'one')
    for packet in packets(5):
        made.recorder.put(H264, packet)
    made.step(6)
    for file in made.recorder._session.files():
        file._file = Refusing(file._file, OSError(number, errno.errorcode[number]))
        file._file._error.strerror = {errno.ENOSPC: 'No space left', errno.EIO: 'Input/output error'}[number]
    for index, packet in enumerate(packets(90, first=5)):
        made.recorder.put(H264, packet)
        made.step(2)
        made.clock.sleep_s(0.0 if index else 1.5)
    assert made.errors == [f'The recording robot_eo_{STARTED} ends here: {sentence.format(folder=made.folder)}']
    assert not made.recorder.recording
    assert made.recorder.rows() == {
        'recording': f'none; robot_eo_{STARTED} ended by itself: {sentence.format(folder=made.folder)}'
    }
    # And the next one may be better.
    assert made.start().startswith('Recording to ')


def test_the_floor_of_free_space_ends_a_recording_that_is_going_on(desk, monkeypatch):
    made = desk(format='mcap', keep_free_gb=1e-6)
    made.start()
    made.recorder.message(STATE, 'one')
    made.step(2)
    monkeypatch.setattr(RecordingsFolder, 'free_bytes', lambda self: 999)
    made.clock.sleep_s(1.1)
    made.step()
    assert made.errors == [
        f"The recording robot_eo_{STARTED} ends here: Only 0.0 GB are free where '{made.folder}' is, less than the "
        '1e-06 GB of `record_keep_free_gb`: make room, or set `record_delete_oldest`.'
    ]
    assert made.bag() == [('/state', 'one')]
    with pytest.raises(RecordingError):
        made.start()


def test_the_oldest_give_way_while_one_is_being_written(desk):
    made = desk(format='mcap', segment_s=1.0, limit_gb=6e-6, delete_oldest=True)
    made.start()
    for _ in range(30):
        made.recorder.message(STATE, 'x' * 10)
        made.step(2)
        made.clock.sleep_s(1.0)
    made.stop()
    left = made.files()
    assert 1 < len(left) < 29 and left[-1].endswith('_030.mcap') and not made.errors
    assert made.said[0] == (
        f"'robot_eo_{STARTED}_001.mcap', the oldest recording, was deleted to make room, as "
        '`record_delete_oldest` asks.'
    )


def test_packets_beyond_what_a_slow_disk_may_take_are_dropped_to_the_next_key_frame(desk):
    made = desk(format='mp4')
    made.start()
    big = EncodedPacket(bytes(20_000_000), 0, 0, 0, True)
    for _ in range(5):
        made.recorder.put(H264, big)
    for packet in packets(40)[1:]:
        made.recorder.put(H264, packet)
    made.step()
    # 64 MB hold three; the others wait for the next key frame, a second later.
    reason = 'pictures, the disk is too slow'
    assert made.recorder._session.queue.dropped == {reason: 2 + 29}
    assert made.drops == [
        (
            'recording',
            reason,
            f'The recording robot_eo_{STARTED} misses {reason}: name a faster disk in `record_dir`, or record less '
            '(`record_format`, `record_images`).',
        )
    ]


def test_frames_that_encoding_is_too_slow_for_are_dropped_and_said(desk):
    made = desk(format='mcap')
    made.start()
    for index in range(10):
        made.recorder.frame(picture(index))
    made.step(5)
    assert [drop[1] for drop in made.drops] == ['frames, writing them is too slow']
    made.stop()
    assert len(made.bag()) == 4


def test_no_key_frame_for_long_is_said(desk):
    made = desk(format='mp4')
    # Of a machine that was switched on an hour ago.
    made.clock.sleep_s(3600.0)
    made.start()
    for number, packet in enumerate(packets(30)[1:] * 12):
        made.recorder.put(H264, packet)
        made.step()
        made.clock.sleep_s(1 / 30)
        assert number > 300 or not made.said
    assert made.said == [
        'No key frame has come for 10 s, and a film can only begin with one: set a shorter key frame (I frame) '
        'interval on the camera.'
    ]


@pytest.mark.parametrize(
    ('wanted', 'there', 'sentence'),
    [
        (
            'auto',
            (),
            'MP4 is written with PyAV and MCAP with the package mcap, and neither is installed here: run `{av_mcap}`.',
        ),
        ('auto', ('av',), "Recording to '{stem}_001.mp4' (no MCAP: the package mcap is not installed here)."),
        ('auto', ('mcap',), "Recording to '{stem}_001.mcap' (no MP4: PyAV is not installed here)."),
        ('auto', ('av', 'mcap'), "Recording to '{stem}_001.mp4' and '{stem}_001.mcap'."),
    ],
    ids=['neither', 'film', 'bag', 'both'],
)
def test_what_is_installed_decides_where_nothing_is_asked_for(desk, monkeypatch, wanted, there, sentence):
    monkeypatch.setattr(recording_libraries, '_installed', lambda name: name in there)
    made = desk(format=wanted)
    stem = made.folder / f'robot_eo_{STARTED}'
    try:
        answer = made.start()
    except RecordingError as error:
        answer = str(error)
    assert answer == sentence.format(stem=stem, av_mcap=pip_install('av', 'mcap', extra='record'))


@pytest.mark.parametrize(
    ('wanted', 'module', 'sentence'),
    [
        (
            'mp4',
            'av',
            'MP4 is written with PyAV, which cannot be used here (import of av halted; None in sys.modules): run '
            f'`{pip_install("av", extra="record")}`, or set `record_format: mcap`.',
        ),
        (
            'mcap',
            'mcap.writer',
            'MCAP is written with the package mcap, which cannot be used here (import of mcap.writer halted; None in '
            'sys.modules): run '
            f'`{pip_install("mcap", extra="record")}`, or set `record_format: mp4`.',
        ),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_way_to_it(desk, monkeypatch, wanted, module, sentence):
    monkeypatch.setattr(recording_libraries, '_installed', lambda name: False)
    monkeypatch.setitem(__import__('sys').modules, module, None)
    with pytest.raises(RecordingError) as refused:
        desk(format=wanted).start()
    assert str(refused.value) == sentence


def test_a_start_that_is_refused_touches_nothing(tmp_path, clock):
    made = Desk(tmp_path / 'usb' / 'recordings', clock)
    with pytest.raises(RecordingError):
        made.start()
    assert list(tmp_path.iterdir()) == [] and made.recorder.rows() == {'recording': 'none'}


def test_whatever_writing_raises_does_not_leave_the_thread(desk, monkeypatch):
    made = desk(format='mcap')
    made.start()
    monkeypatch.setattr(RecordingsFolder, 'create', lambda *_: 1 / 0)
    made.recorder.message(STATE, 'one')
    made.step()
    assert made.errors == [f'The recording robot_eo_{STARTED} ends here: ZeroDivisionError: division by zero.']


def test_diagnostics_say_where_how_long_how_much_and_what_is_missing(desk):
    made = desk()
    assert made.recorder.rows() == {'recording': 'none'}
    made.start()
    for packet in packets(60)[3:]:
        made.recorder.put(H264, packet)
        made.step()
    made.clock.sleep_s(2.0)
    rows = made.recorder.rows()
    size_mb = float(rows.pop('recording size (MB)'))
    assert rows == {
        'recording': 'going on',
        'recording to': f'{made.folder}/robot_eo_{STARTED}_001.mp4, {made.folder}/robot_eo_{STARTED}_001.stamps.csv',
        'recording length (s)': '2.0',
        'recording film': 'copied from the source',
        'recording losses': '27 pictures before a key frame',
    }
    assert size_mb == round(sum(path.stat().st_size for path in made.folder.glob('robot*')) / 1e6, 1)
    made.recorder.stop()
    assert made.recorder.rows()['recording'] == 'being closed'
    made.step(3)
    assert made.recorder.rows() == {'recording': f'none; last: robot_eo_{STARTED}_001.mp4'}


def test_finish_waits_for_the_thread_that_writes(desk):
    made = desk()
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            made.recorder.step(0.05)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    made.start()
    for packet in packets_cache():
        made.recorder.put(H264, packet)
    assert made.recorder.finish(10.0)
    ended.set()
    thread.join()
    assert shown(next(made.folder.glob('*.mp4'))) == numbers(0, 60)


def test_mcap_and_av_are_looked_for_without_importing_them():
    assert recording_libraries._installed('mcap') is (importlib.util.find_spec('mcap') is not None)
    assert not recording_libraries._installed('surely_no_such_package')


@pytest.mark.parametrize(
    ('pattern', 'namespace', 'stem'),
    [
        ('{robot}_{camera}_{time}', '/robot/eo', 'robot_eo_T'),
        ('{robot}_{camera}_{time}', '/fleet/robot/ir', 'fleet_robot_ir_T'),
        ('{robot}_{camera}_{time}', '/eo', 'eo_T'),
        ('{robot}_{camera}_{time}', '/', 'camera_T'),
        ('flight 7', '/robot/eo', 'flight 7'),
        ('{robot}', '/', 'camera'),
    ],
)
def test_files_are_called_after_robot_and_camera(pattern, namespace, stem):
    assert file_stem(pattern, namespace, 'T') == stem


@pytest.mark.parametrize('name', ['', '../{time}', '.hidden', 'a/b', '{date}', 'x' * 101, 'a\nb'])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ParameterError):
        from_values(CameraParameters, {'record_name': name})


def test_a_name_that_is_none_is_refused_with_what_one_is():
    with pytest.raises(ParameterError) as refused:
        from_values(CameraParameters, {'record_name': '../{time}'})
    assert str(refused.value) == (
        "Parameter `record_name` is '../{time}', which names no file: use letters, digits, spaces and -_.+ with "
        '{robot}, {camera} and {time}, and no dot at its beginning.'
    )
    assert from_values(CameraParameters, {'record_name': 'Flug 7-{camera}_{time}'}).record_name
