# SPDX-License-Identifier: Apache-2.0
import errno

from gremsy_camera.v4l2.camera_list import FoundCamera, found_cameras
from gremsy_camera.v4l2.video_nodes import holders, video_node, video_nodes

from .recorded_cameras import METADATA, PURETHERMAL, WEBCAM, RecordedDevice, RecordedSystem


def machine(tmp_path, names, link=None):
    """A tree of /dev and /sys as the kernel has it."""
    for folder in ('dev/v4l/by-id', 'sys/class/video4linux'):
        (tmp_path / folder).mkdir(parents=True)
    for number, name in names.items():
        (tmp_path / f'dev/video{number}').write_bytes(b'')
        (tmp_path / f'sys/class/video4linux/video{number}').mkdir()
        (tmp_path / f'sys/class/video4linux/video{number}/name').write_text(f'{name}\n')
    if link is not None:
        (tmp_path / 'dev/v4l/by-id' / link).symlink_to('../../video0')
    return tmp_path


def test_cameras_are_listed_with_what_they_offer(clock, tmp_path):
    root = machine(tmp_path, {0: 'HD Webcam', 1: 'HD Webcam', 10: 'Lepton'}, link='usb-HD-video-index0')
    devices = {'/dev/video0': WEBCAM, '/dev/video1': METADATA, '/dev/video10': PURETHERMAL}
    system = RecordedSystem(clock, {path: RecordedDevice(recording) for path, recording in devices.items()})
    assert found_cameras(system, root) == [
        FoundCamera(
            '/dev/video0',
            'HD Webcam',
            '/dev/v4l/by-id/usb-HD-video-index0',
            ('YUYV to 1280x720 at 10 Hz', 'MJPG to 1920x1080 at 30 Hz'),
        ),
        FoundCamera(
            '/dev/video10',
            'PureThermal 1: FLIR Lepton',
            '/dev/video10',
            ('UYVY to 160x120 at 9 Hz', 'Y16 to 160x122 at 9 Hz', 'GREY to 160x120 at 9 Hz', 'BGR3 to 160x120 at 9 Hz'),
        ),
    ]
    assert system.descriptors == 0


def test_a_camera_that_may_not_be_opened_names_the_group(clock, tmp_path):
    root = machine(tmp_path, {0: 'HD Webcam'})
    system = RecordedSystem(clock, {'/dev/video0': RecordedDevice(WEBCAM)})
    system.open_fails['/dev/video0'] = errno.EACCES
    (found,) = found_cameras(system, root)
    assert found.denied_to == (root / 'dev/video0').group() and found.formats == ()


def test_a_camera_that_fails_says_what_the_kernel_said(clock, tmp_path):
    root = machine(tmp_path, {0: 'HD Webcam'})
    device = RecordedDevice(WEBCAM)
    device.fails['ENUM_FMT'] = errno.EIO
    (found,) = found_cameras(RecordedSystem(clock, {'/dev/video0': device}), root)
    assert found.fault == 'Input/output error'


def test_a_machine_without_cameras_lists_none(tmp_path):
    assert found_cameras(root=tmp_path) == []


def test_a_lasting_name_leads_to_its_node(tmp_path):
    root = machine(tmp_path, {0: 'HD Webcam', 2: 'Other'}, link='usb-HD-video-index0')
    node = video_node(str(root / 'dev/v4l/by-id/usb-HD-video-index0'), root)
    assert node is not None and node.path == '/dev/video0'
    assert node.lasting == ('/dev/v4l/by-id/usb-HD-video-index0',)
    assert [node.title for node in video_nodes(root)] == ['/dev/video0 (HD Webcam)', '/dev/video2 (Other)']


def test_who_holds_a_camera_is_named(tmp_path):
    root = machine(tmp_path, {0: 'HD Webcam'})
    camera = str(root / 'dev/video0')
    for number, name, opened in ((4711, 'cheese', camera), (12, 'init', '/dev/null')):
        (root / f'proc/{number}/fd').mkdir(parents=True)
        (root / f'proc/{number}/comm').write_text(f'{name}\n')
        (root / f'proc/{number}/fd/7').symlink_to(opened)
    assert holders(camera, root) == ['cheese (process 4711)']
