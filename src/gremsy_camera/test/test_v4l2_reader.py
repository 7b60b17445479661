# SPDX-License-Identifier: Apache-2.0
"""The reader against recorded devices: pictures, capture times, losses, faults, and nothing left behind."""

import errno
import gc
import grp
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import PictureDamaged, SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.encoded_video import NO_TAP, EncodedFormat
from gremsy_camera.live.live_reader import CaptureTime, TimeBase
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.source_feed import FeedState, SourceFeed
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.v4l2 import camera_failures
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.camera_modes import Wanted
from gremsy_camera.v4l2.v4l2_reader import V4l2Reader
from gremsy_camera.v4l2.video_nodes import video_nodes
from gremsy_camera.v4l2.video_system import VideoSystem

from .reader_steps import live_context
from .recorded_cameras import (
    EOF,
    HELLO_INFRARED,
    METADATA,
    OBSTINATE,
    PURETHERMAL,
    RKISP,
    SOE,
    WEBCAM,
    RecordedDevice,
    RecordedSystem,
    Shot,
    padded,
)

PERIOD_NS = 33_333_333


@pytest.fixture
def made(clock, tmp_path):
    """A reader of one recorded device, the device, and the system that it is on."""

    def make(recording, path='/dev/video0', controls=(), tap=NO_TAP, **wanted):
        device = RecordedDevice(recording)
        system = RecordedSystem(clock, {path: device})
        # Long since start: the monotonic clock of a machine that has just begun would make no difference.
        clock.now_ns = max(clock.now_ns, 4_900_000_000_000)
        context = SourceContext('eo', 0.0, AtEnd.LOOP, clock, print, tap=tap)
        return V4l2Reader(path, context, system, Wanted(**wanted), tuple(controls), tmp_path), device, system

    return make


def shoot(clock, device, count=1, value=None, flags=SOE, lost=0, late_ns=20_000_000):
    """Pictures taken one period apart, each of one value, ready some time after they were taken."""
    for index in range(count):
        at_ns = clock.monotonic_ns() + index * PERIOD_NS
        fill = index + 1 if value is None else value
        planes = tuple(bytes((fill,)) * length for length in device.lengths)
        device.shots.append(Shot(planes, at_ns, at_ns + late_ns, flags, lost))


def test_a_picture_is_what_the_driver_wrote(made, clock):
    reader, device, _ = made(HELLO_INFRARED, format='GREY')
    info = reader.open()
    assert (info.width, info.height, info.rate_hz) == (640, 360, 15.0)
    assert dict(info.details)['camera'] == 'USB2.0 HD UVC WebCam: USB2.0 IR'
    assert dict(info.details)['codec'] == 'GREY'
    shoot(clock, device, value=77)
    picture = reader.read(1.0)
    assert (picture.encoding, picture.width, picture.height) == ('mono8', 640, 360)
    np.testing.assert_array_equal(picture.pixels(), np.full((360, 640), 77, np.uint8))
    reader.close()


def test_the_drivers_time_is_the_capture_time(made, clock):
    # The stamp and flags of the recorded VIDIOC_DQBUF (ircam-viewer issue 7), ready one period of 15 Hz later.
    reader, device, _ = made(HELLO_INFRARED, format='GREY')
    clock.now_ns = 4_903_526_865_000
    reader.open()
    shoot(clock, device, late_ns=66_700_000)
    picture = reader.read(1.0)
    expected = CaptureTime(4_903_526_865_000, TimeBase.MONOTONIC, 'V4L2 buffer time (start of exposure)')
    assert picture.capture == expected
    assert picture.arrived_ns == 4_903_526_865_000 + 66_700_000
    reader.close()


@pytest.mark.parametrize(
    ('flags', 'origin'),
    [
        (EOF, 'V4L2 buffer time (end of frame)'),
        (kernel.BUF_FLAG_TIMESTAMP_UNKNOWN, None),
        # A loopback device hands on the time of who feeds it, of whatever clock.
        (kernel.BUF_FLAG_TIMESTAMP_COPY, None),
    ],
)
def test_other_flags_say_other_things_of_the_time(made, clock, flags, origin):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    shoot(clock, device, flags=flags)
    capture = reader.read(1.0).capture
    assert (capture and capture.origin) == origin
    reader.close()


def test_a_time_of_another_clock_is_not_believed(made, clock):
    # uvcvideo with clock=CLOCK_REALTIME marks its times as monotonic all the same.
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    shoot(clock, device)
    device.shots[0].at_ns = 1_790_000_000_000_000_000
    assert reader.read(1.0).capture is None
    assert reader.counts() == {"buffer times that are not of this machine's clock": 1}
    reader.close()


def test_sixteen_bits_stay_sixteen_bits(made, clock):
    reader, device, _ = made(PURETHERMAL, format='Y16', width=160, height=120)
    reader.open()
    values = np.arange(160 * 120, dtype='<u2')
    now_ns = clock.monotonic_ns()
    device.shots.append(Shot((values.tobytes(),), now_ns, now_ns))
    picture = reader.read(1.0)
    assert picture.encoding == 'mono16'
    np.testing.assert_array_equal(picture.pixels().ravel(), values)
    reader.close()


@pytest.mark.parametrize(('format_name', 'planes'), [('NM12', 2), ('YUYV', 1)])
def test_a_multi_planar_camera_is_read(made, clock, format_name, planes):
    reader, device, _ = made(RKISP, format=format_name)
    assert (reader.open().width, reader.info.height) == (1920, 1080)
    assert len(device.lengths) == planes
    luma = {'NM12': (bytes((235,)) * device.lengths[0], bytes((128,)) * device.lengths[-1])}
    shot = luma.get(format_name, (bytes((235, 128)) * (device.lengths[0] // 2),))
    now_ns = clock.monotonic_ns()
    device.shots.append(Shot(shot, now_ns, now_ns))
    image = reader.read(1.0).pixels()
    assert image.shape == (1080, 1920, 3) and image.min() >= 254
    reader.close()


def test_lines_that_are_filled_up_are_read(made, clock):
    reader, device, _ = made(padded(HELLO_INFRARED, 64), format='GREY')
    reader.open()
    line = bytes(range(256)) * 2 + bytes(range(128)) + bytes((255,)) * 64
    now_ns = clock.monotonic_ns()
    device.shots.append(Shot((line * 360,), now_ns, now_ns))
    image = reader.read(1.0).pixels()
    np.testing.assert_array_equal(image[5], np.frombuffer(line[:640], np.uint8))
    reader.close()


def test_the_rate_that_was_asked_for_is_set(made):
    reader, device, _ = made(WEBCAM, width=640, height=480, rate_hz=15.0)
    assert reader.open().rate_hz == 15.0
    assert float(device.interval) == pytest.approx(1 / 15)
    reader.close()


def test_what_the_driver_dropped_is_counted(made, clock):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    # What went by before the first picture that we took was never ours.
    shoot(clock, device, lost=3)
    reader.read(1.0)
    shoot(clock, device, lost=2)
    reader.read(1.0)
    assert reader.counts() == {'frames dropped by the driver': 2}
    reader.close()


def test_a_driver_that_does_not_count_loses_nothing(made, clock):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    for _ in range(3):
        shoot(clock, device)
        device.sequence = -1
        assert reader.read(1.0) is not None
    assert reader.counts() == {}
    reader.close()


def test_damaged_and_short_frames_are_left_out_and_counted(made, clock):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    shoot(clock, device, flags=SOE | kernel.BUF_FLAG_ERROR)
    shoot(clock, device)
    device.shots[-1].planes = (bytes(1000),)
    shoot(clock, device, value=9)
    assert reader.read(1.0).pixels() is not None
    assert reader.counts() == {'frames marked as damaged by the driver': 1, 'frames cut short': 1}
    reader.close()


def test_a_damaged_jpeg_is_counted_and_said_where_it_is_decoded(made, clock):
    reader, device, _ = made(WEBCAM, width=640, height=480, format='MJPG')
    reader.open()
    data = cv2.imencode('.jpg', np.zeros((480, 640, 3), np.uint8))[1].tobytes()
    now_ns = clock.monotonic_ns()
    device.shots.extend([Shot((data[:-9],), now_ns, now_ns), Shot((data,), now_ns, now_ns)])
    with pytest.raises(PictureDamaged) as raised:
        reader.read(1.0).pixels()
    assert str(raised.value) == ('A picture of the camera /dev/video0 (HD Webcam) is a JPEG cut short: it is left out.')
    assert reader.read(1.0).pixels().shape == (480, 640, 3)
    assert reader.counts() == {}
    reader.close()


class Tap:
    """Keeps what is put while it is wanted."""

    def __init__(self):
        self.wanted, self.kept = False, []

    def put(self, video, packet):
        self.kept.append((video, packet))

    def stamped(self, pts_ns, stamp_ns):
        pass


def test_jpegs_are_handed_on_as_they_came_while_somebody_wants_them(made, clock):
    tap = Tap()
    reader, device, _ = made(WEBCAM, tap=tap, width=640, height=480, format='MJPG')
    reader.open()
    data, positions = cv2.imencode('.jpg', np.zeros((480, 640, 3), np.uint8))[1].tobytes(), []
    for wanted, sent in ((False, data), (True, data + bytes(99)), (True, data[:-9])):
        tap.wanted = wanted
        now_ns = clock.monotonic_ns()
        device.shots.append(Shot((sent,), now_ns, now_ns + 30_000_000))
        positions.append(reader.read(1.0).position_ns)
    position_ns = positions[1]
    ((video, packet),) = tap.kept
    assert video == EncodedFormat('mjpeg', 640, 480)
    assert packet.data == data and packet.key and packet.pts_ns == packet.dts_ns == position_ns
    # Of the capture, 30 ms before it came.
    assert packet.stamp_ns == clock.ros_ns() - 60_000_000
    reader.close()


def test_nothing_within_the_timeout_is_none(made, clock):
    reader, _, _ = made(WEBCAM)
    reader.open()
    before = clock.monotonic_ns()
    assert reader.read(0.05) is None
    assert clock.monotonic_ns() - before == 50_000_000
    reader.close()


def test_a_picture_that_is_dropped_gives_its_buffer_back(made, clock):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    for _ in range(30):
        shoot(clock, device)
        assert reader.read(1.0) is not None
        assert len(device.queued) == 6
    assert reader.counts() == {}
    reader.close()


def test_pictures_that_are_kept_stay_what_they_were_and_the_driver_has_room(made, clock):
    reader, device, _ = made(WEBCAM, format='YUYV')
    reader.open()
    kept = []
    for value in range(16, 36):
        shoot(clock, device, value=value)
        kept.append(reader.read(1.0))
        assert len(device.queued) >= 2
    assert reader.counts() == {}
    # Each is the grey of its own value: Y and the colours are one byte.
    greens = [int(picture.pixels()[0, 0, 1]) for picture in kept]
    expected = [
        int(cv2.cvtColor(np.full((1, 2, 2), value, np.uint8), cv2.COLOR_YUV2BGR_YUY2)[0, 0, 1])
        for value in range(16, 36)
    ]
    assert greens == expected
    assert len(device.queued) == 6
    reader.close()


def test_a_picture_outlives_the_camera(made, clock):
    reader, device, _ = made(HELLO_INFRARED, format='GREY')
    reader.open()
    shoot(clock, device, value=50)
    picture = reader.read(1.0)
    reader.close()
    assert picture.pixels()[0, 0] == 50


def test_images_are_made_on_another_thread_while_the_camera_is_read_and_closed(made, clock):
    reader, device, system = made(HELLO_INFRARED, format='GREY')
    wrong = []

    def decode(picture, value):
        image = picture.pixels()
        if image.min() != value or image.max() != value:
            wrong.append(value)

    for _ in range(5):
        reader.open()
        threads = []
        for value in range(1, 21):
            shoot(clock, device, value=value)
            picture = reader.read(1.0)
            threads.append(threading.Thread(target=decode, args=(picture, value)))
            threads[-1].start()
            del picture
        reader.close()
        for thread in threads:
            thread.join(10.0)
    assert wrong == [] and system.descriptors == 0


def test_unplugged_in_the_middle_it_says_so_and_opens_again(made, clock):
    reader, device, system = made(WEBCAM)
    reader.open()
    device.unplugged = True
    with pytest.raises(SourceError) as raised:
        reader.read(1.0)
    assert str(raised.value) == (
        'The camera /dev/video0 (HD Webcam) is unplugged: it is opened again when it is back under the same number '
        '(its link in /dev/v4l/by-id names it whatever number it has).'
    )
    assert not raised.value.permanent
    reader.close()
    assert system.descriptors == 0
    with pytest.raises(SourceError, match='There is no camera /dev/video0: this machine has no /dev/video'):
        reader.open()
    device.unplugged = False
    reader.open()
    shoot(clock, device)
    assert reader.read(1.0) is not None
    reader.close()


def test_the_feed_opens_a_camera_again_that_was_unplugged_and_is_back(tmp_path, said):
    clock = SystemClock()
    path = '/dev/v4l/by-id/usb-HD-video-index0'
    device = RecordedDevice(HELLO_INFRARED, period_ns=20_000_000)
    system = RecordedSystem(clock, {path: device})
    reader = V4l2Reader(path, live_context(said), system, Wanted('GREY'), root=tmp_path)
    feed = SourceFeed(LiveSource(reader), clock, said)

    def until(condition):
        end = clock.monotonic_ns() + 10_000_000_000
        while not condition(feed.read(0.05)):
            assert clock.monotonic_ns() < end, said.sentences

    feed.open()
    until(lambda captured: captured is not None)
    device.unplugged = True
    until(lambda _: feed.state is FeedState.RETRYING)
    assert said.sentences[0] == (
        f'The camera {path} (USB2.0 HD UVC WebCam: USB2.0 IR) is unplugged: it is opened again when it is back.'
    )
    until(lambda _: 'There is no camera' in feed.problem)
    device.unplugged = False
    until(lambda captured: captured is not None)
    assert feed.reopened == 1 and feed.problem == ''
    feed.close()
    assert system.descriptors == 0


def test_a_lasting_name_comes_back_by_itself(made):
    reader, device, _ = made(WEBCAM, path='/dev/v4l/by-id/usb-HD-video-index0')
    reader.open()
    device.unplugged = True
    with pytest.raises(SourceError) as raised:
        reader.read(1.0)
    assert str(raised.value) == (
        'The camera /dev/v4l/by-id/usb-HD-video-index0 (HD Webcam) is unplugged: it is opened again when it is back.'
    )
    reader.close()


@pytest.mark.parametrize('request_name', ['S_FMT', 'REQBUFS', 'STREAMON'])
def test_a_busy_camera_is_one_to_try_again(made, request_name):
    reader, device, system = made(WEBCAM)
    device.fails[request_name] = errno.EBUSY
    with pytest.raises(SourceError) as raised:
        reader.open()
    assert str(raised.value) == (
        'The camera /dev/video0 (HD Webcam) is in use by another process: close that, or take another camera.'
    )
    assert not raised.value.permanent and system.descriptors == 0
    device.fails.clear()
    reader.open()
    reader.close()


def test_a_full_usb_bus_is_named(made):
    reader, device, _ = made(WEBCAM, format='YUYV', width=640, height=480)
    device.fails['STREAMON'] = errno.ENOSPC
    with pytest.raises(SourceError) as raised:
        reader.open()
    assert str(raised.value) == (
        'The USB bus has no room left for YUYV at 640x480 of the camera /dev/video0 (HD Webcam): ask for '
        '`format=MJPG`, a smaller size or a lower rate, or plug it in elsewhere.'
    )


def test_a_driver_that_gives_another_mode_is_not_taken_at_its_word(made):
    reader, device, system = made(OBSTINATE, width=256, height=384)
    device.obstinate = True
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == (
        'The camera /dev/video0 (Thermal) offers YUYV at 256x384 but gives YUYV at 320x240: ask for that, as '
        '`format=YUYV&size=320x240`.'
    )
    assert system.descriptors == 0


def test_a_driver_that_gives_another_rate_is_not_taken_at_its_word(made):
    reader, device, _ = made(WEBCAM, width=640, height=480, rate_hz=15.0)
    device.obstinate, device.standing = True, (kernel.fourcc('YUYV'), 640, 480)
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == (
        'The camera /dev/video0 (HD Webcam) gives 30 Hz instead of 15 Hz at 640x480: ask for `rate=30`.'
    )


def test_a_driver_without_rates_refuses_one(made):
    reader, _, _ = made(RKISP, rate_hz=25.0)
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == ('The camera /dev/video0 (rkisp1_mainpath) has a fixed rate: leave `rate` out.')


def test_no_permission_names_the_group(made, tmp_path):
    reader, _, system = made(WEBCAM, path=str(tmp_path / 'video0'))
    (tmp_path / 'video0').write_bytes(b'')
    system.open_fails[str(tmp_path / 'video0')] = errno.EACCES
    group = grp.getgrgid((tmp_path / 'video0').stat().st_gid).gr_name
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == (
        f'The camera {tmp_path}/video0 may not be opened by this user: `sudo usermod -aG {group} $USER`, log in again, '
        f'and start again (in a container: `--device {tmp_path}/video0 --group-add {group}`).'
    )


def test_another_kind_of_device_is_refused_and_not_opened(tmp_path):
    reader = V4l2Reader('/dev/null', live_context(), VideoSystem(), Wanted(), root=tmp_path)
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == '/dev/null is not a V4L2 device: this machine has no /dev/video* at all.'


def test_a_camera_that_is_not_there_is_waited_for(tmp_path):
    missing = tmp_path / 'video7'
    with pytest.raises(SourceError) as raised:
        V4l2Reader(str(missing), live_context(), VideoSystem(), Wanted(), root=tmp_path).open()
    assert str(raised.value) == f'There is no camera {missing}: this machine has no /dev/video* at all.'
    assert not raised.value.permanent


def machine(tmp_path, names):
    """A tree of /dev and /sys as the kernel has it, all nodes of one USB device."""
    usb = tmp_path / 'sys/devices/usb1/1-4'
    usb.mkdir(parents=True)
    for number, name in enumerate(names):
        (tmp_path / 'dev').mkdir(exist_ok=True)
        (tmp_path / f'dev/video{number}').write_bytes(b'')
        about = tmp_path / f'sys/class/video4linux/video{number}'
        about.mkdir(parents=True)
        (about / 'name').write_text(name + '\n')
        (about / 'device').symlink_to(usb)


def test_a_metadata_node_names_the_node_with_the_pictures(clock, tmp_path, monkeypatch):
    machine(tmp_path, ['HD Pro Webcam C920', 'HD Pro Webcam C920'])
    system = RecordedSystem(clock, {'/dev/video0': RecordedDevice(WEBCAM), '/dev/video1': RecordedDevice(METADATA)})
    monkeypatch.setattr(
        camera_failures, 'video_node', lambda path, root: {node.path: node for node in video_nodes(root)}[path]
    )
    with pytest.raises(SourceUnusable) as raised:
        V4l2Reader('/dev/video1', live_context(), system, Wanted(), root=tmp_path).open()
    assert str(raised.value) == (
        '/dev/video1 (HD Pro Webcam C920) has only data about the pictures (metadata), no pictures: take /dev/video0, '
        'which has those of the same camera.'
    )
    assert system.descriptors == 0


def test_a_metadata_node_alone_lists_what_there_is(clock, tmp_path):
    system = RecordedSystem(clock, {'/dev/video1': RecordedDevice(METADATA)})
    with pytest.raises(SourceUnusable) as raised:
        V4l2Reader('/dev/video1', live_context(), system, Wanted(), root=tmp_path).open()
    assert str(raised.value) == (
        '/dev/video1 (HD Pro Webcam C920) has only data about the pictures (metadata), no pictures: this machine has '
        'no /dev/video* at all.'
    )


def test_controls_are_set_in_the_order_given(made):
    reader, device, _ = made(
        WEBCAM,
        controls=[
            ('auto_exposure', 'manual_mode'),
            ('exposure_time_absolute', '300'),
            ('brightness', '-10'),
            ('white_balance_automatic', 'off'),
            ('auto_exposure_bias', '-3667'),
        ],
    )
    reader.open()
    assert device.settings == {
        0x00980001: 0,
        0x00980900: -10,
        0x0098090C: 0,
        0x00980910: 115,
        0x0098091A: 4600,
        0x009A0901: 1,
        0x009A0902: 300,
        0x009A090D: 0,
        0x009A0913: 1,
    }
    reader.close()


@pytest.mark.parametrize(
    ('control', 'sentence'),
    [
        (
            ('gamma', '99'),
            "The control 'gamma' of the camera /dev/video0 (HD Webcam) cannot be '99': it takes 100 to 300.",
        ),
        (
            ('gamma', 'x'),
            "The control 'gamma' of the camera /dev/video0 (HD Webcam) cannot be 'x': it takes 100 to 300.",
        ),
        (
            ('white_balance_temperature', '4605'),
            "The control 'white_balance_temperature' of the camera /dev/video0 (HD Webcam) cannot be '4605': it takes "
            '2800 to 6500 in steps of 10.',
        ),
        (
            ('white_balance_automatic', '2'),
            "The control 'white_balance_automatic' of the camera /dev/video0 (HD Webcam) cannot be '2': it takes true "
            'or false.',
        ),
        (
            ('auto_exposure', '2'),
            "The control 'auto_exposure' of the camera /dev/video0 (HD Webcam) cannot be '2': it takes Manual Mode "
            '(1), Aperture Priority Mode (3).',
        ),
        (
            ('zoom_continuous', '1'),
            "The control 'zoom_continuous' of the camera /dev/video0 (HD Webcam) cannot be set: leave it out.",
        ),
        (
            ('brightnes', '1'),
            "The camera /dev/video0 (HD Webcam) has no control 'brightnes': it has brightness (-64 to 64); "
            'white_balance_automatic (true or false); gamma (100 to 300); white_balance_temperature (2800 to 6500 in '
            'steps of 10); auto_exposure (Manual Mode (1), Aperture Priority Mode (3)); exposure_time_absolute (3 to '
            '2047); auto_exposure_bias (-4000 (0), -3667 (1), -3333 (2)).',
        ),
    ],
)
def test_a_control_that_cannot_be_is_refused_with_what_there_is(made, control, sentence):
    reader, _, system = made(WEBCAM, controls=[control])
    with pytest.raises(SourceUnusable) as raised:
        reader.open()
    assert str(raised.value) == sentence
    assert system.descriptors == 0


def test_a_control_that_an_automatic_has_says_what_to_switch_off_first(made):
    reader, _, _ = made(WEBCAM, controls=[('exposure_time_absolute', '300')])
    with pytest.raises(SourceError) as raised:
        reader.open()
    assert str(raised.value) == (
        "The camera /dev/video0 (HD Webcam) did not take 300 for the control 'exposure_time_absolute' (Permission "
        'denied): if an automatic mode controls it, put the option that switches that off before it.'
    )


def resources():
    files, memory = Path('/proc/self/fd'), Path('/proc/self/maps')
    return len(list(files.iterdir())), len(memory.read_text().splitlines()), threading.active_count()


def test_two_thousand_restarts_leave_nothing_behind(made, clock):
    reader, device, system = made(HELLO_INFRARED, format='GREY')
    kept = []
    for restart in range(2000):
        if restart == 50:
            gc.collect()
            before = resources()
        reader.open()
        shoot(clock, device, 3)
        # One used, one dropped, one kept beyond the end, as a slow subscriber would.
        reader.read(1.0).pixels()
        reader.read(1.0)
        kept = [reader.read(1.0)]
        if restart % 7 == 0:
            device.fails['STREAMON'] = errno.EIO
            reader.close()
            with pytest.raises(SourceError):
                reader.open()
            device.fails.clear()
        reader.close()
    del kept
    gc.collect()
    after = resources()
    assert system.descriptors == 0
    assert after[0] <= before[0] and after[2] <= before[2]
    # The allocator may map a few arenas more; a leak of one buffer a restart would be thousands.
    assert after[1] <= before[1] + 20
