# SPDX-License-Identifier: Apache-2.0
"""Anybody else's camera: a plain rclpy program in a process of its own, which knows nothing of the suite."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from gremsy_bringup.film.recorder_node import RecorderNode
from gremsy_detector.detector_node import DetectorNode
from gremsy_tracker.tracker_node import TrackerNode

pytestmark = pytest.mark.integration

# As a driver of anybody's would be written: OpenCV, cv2.imencode, a timer.
DRIVER = textwrap.dedent("""
    import json, sys
    import cv2
    import numpy as np
    import rclpy
    from rclpy.qos import QoSProfile, QoSReliabilityPolicy, qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image

    wanted = json.loads(sys.argv[1])
    width, height, encoding = wanted.get('width', 128), wanted.get('height', 96), wanted.get('encoding', 'rgb8')
    qos = {
        'default': QoSProfile(depth=10),
        'sensor data': qos_profile_sensor_data,
        'best effort': QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT),
    }[wanted.get('qos', 'default')]
    rclpy.init()
    node = rclpy.create_node(wanted.get('node', 'usb_cam'), namespace=wanted['namespace'])
    topic = wanted.get('topic', 'image_raw')
    raw = node.create_publisher(Image, topic, qos) if wanted.get('raw', True) else None
    jpeg = node.create_publisher(CompressedImage, topic + '/compressed', qos) if wanted.get('compressed') else None
    info = node.create_publisher(CameraInfo, wanted.get('info_topic', 'camera_info'), qos) if wanted.get('k') else None
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = 200, 100, 50  # red first
    ahead = wanted.get('ahead_s', 0)
    count = 0

    def tick():
        global count
        count += 1
        stamp = node.get_clock().now().to_msg()
        stamp.sec += ahead
        if raw is not None and (not wanted.get('skip') or count % wanted['skip'] == 0):
            message = Image(height=height, width=width, encoding=encoding)
            message.header.stamp, message.header.frame_id = stamp, wanted.get('frame_id', 'usb_cam_optical')
            if encoding == 'mono16':
                data = np.full((height, width), 7000, '<u2')
                message.step, message.data = 2 * width, data.tobytes()
            else:
                message.step, message.data = 3 * width, picture.tobytes()
            raw.publish(message)
        if jpeg is not None:
            message = CompressedImage(format='rgb8; jpeg compressed bgr8')
            message.header.stamp, message.header.frame_id = stamp, 'usb_cam_optical'
            message.data = cv2.imencode('.jpg', picture[..., ::-1])[1].tobytes()
            jpeg.publish(message)
        if info is not None:
            message = CameraInfo(width=wanted.get('info_width', width), height=wanted.get('info_height', height))
            message.header.stamp, message.header.frame_id = stamp, 'usb_cam_optical'
            message.distortion_model, message.d = wanted.get('model', 'plumb_bob'), wanted.get('d', [0.0] * 5)
            message.k = [wanted['k'], 0.0, width / 2, 0.0, wanted['k'], height / 2, 0.0, 0.0, 1.0]
            if wanted['k'] < 0:
                message.k = [0.0] * 9
            info.publish(message)

    node.create_timer(0.05, tick)
    rclpy.spin(node)
""")
UNKNOWN = 'unknown: neither calibration_file nor horizontal_field_deg is given'
GUESS = 'a guess: horizontal_field_deg 60'
EQUIDISTANT = {'k': 60.0, 'model': 'equidistant', 'd': [0.01, -0.002, 0.0003, -0.0001]}


@pytest.fixture
def driver(robot):
    """Starts the foreign driver in the camera's namespace, or where it is told."""
    started = []

    def start(**wanted):
        wanted = {'namespace': robot.namespace, **wanted}
        started.append(subprocess.Popen([sys.executable, '-c', DRIVER, json.dumps(wanted)], env=os.environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(process):
    process.kill()
    process.wait()


class Heard:
    """Hears the very frames that the detector and the tracker are handed."""

    def __init__(self, monkeypatch):
        self.detector, self.tracker = [], []
        for node_type, name, into in (
            (DetectorNode, '_store', self.detector),
            (TrackerNode, '_on_image', self.tracker),
        ):
            monkeypatch.setattr(node_type, name, self._listening(getattr(node_type, name), into))

    @staticmethod
    def _listening(method, into):
        def heard(node, frame):
            into.append(frame)
            return method(node, frame)

        return heard


@pytest.fixture
def heard(monkeypatch):
    return Heard(monkeypatch)


@pytest.mark.parametrize('qos', ['default', 'sensor data', 'best effort'])
def test_another_drivers_camera_is_detected_in_by_reference(robot, driver, heard, qos):
    detections, status = robot.watch(Detection2DArray, 'detections', 5), robot.status()
    overlay = robot.watch(Image, 'overlay')
    driver(qos=qos, **EQUIDISTANT)
    robot.start(DetectorNode, TrackerNode, RecorderNode, source='external')
    robot.until(lambda: len(detections) > 5 and overlay and len(heard.detector) > 10 and len(heard.tracker) > 10)
    # The tracker listens since somebody watches the overlay; both have the very same objects.
    both = {id(frame) for frame in heard.detector} & {id(frame) for frame in heard.tracker}
    assert len(both) > 5
    frame = heard.detector[-1]
    assert (frame.encoding, frame.frame_id, frame.width, frame.height) == ('rgb8', 'usb_cam_optical', 128, 96)
    assert tuple(frame.image[0, 0]) == (200, 100, 50)
    picture = np.frombuffer(overlay[-1].data, np.uint8).reshape(96, 128, 3)
    assert overlay[-1].encoding == 'bgr8'
    assert np.median(picture.reshape(-1, 3), axis=0).tolist() == [50, 100, 200]
    camera, _detector, tracker = robot.nodes[:3]
    # One DDS subscription of the process, and nobody beside the driver publishes the name.
    assert camera.count_subscribers('image_raw') == 1
    assert camera.count_publishers('image_raw') == camera.count_publishers('camera_info') == 1
    robot.until(lambda: tracker.tracker.knows_camera)
    model = tracker.tracker.view(frame.stamp_ns).camera
    assert model.fisheye and model.focal_x_px == 60.0 and model.distortion == (0.01, -0.002, 0.0003, -0.0001)
    robot.until(lambda: status()[1].get('source state') == 'playing')
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
    offered = 'reliable' if qos == 'default' else 'best effort'
    name = f'{robot.namespace}/usb_cam ({offered})'
    robot.until(lambda: (status()[1]['images from'], status()[1]['camera_info from']) == (name, name))
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
    level, rows = status()
    assert (rows['transport'], rows['encoding'], rows['image']) == ('raw', 'rgb8', '128x96')
    assert rows['intrinsics'] == "the driver's"
    robot.until(lambda: status()[1].get('camera_info is stamped') == 'as its image')
    assert rows['stamp is'] == "the header.stamp of the camera's own driver"
    assert 10.0 < float(rows['images a second']) < 25.0
    assert 0.0 <= float(rows['age of the newest frame (s)']) < 5.0
    assert level.message == 'active'


@pytest.mark.slow
def test_a_driver_that_dies_and_comes_back_is_said_and_goes_on(robot, driver, heard):
    status = robot.status()
    robot.start(DetectorNode, TrackerNode, source='external')
    robot.until(lambda: status()[0] and status()[0].message.startswith('Nobody'))
    assert status()[0].level == DiagnosticStatus.STALE
    nobody = (
        f'Nobody publishes {robot.namespace}/image_raw or {robot.namespace}/image_raw/compressed: start the driver of '
        'the camera with this topic, or name its own in `source`: external:/usb_cam/image_raw.'
    )
    robot.until(lambda: status()[0].message == nobody)
    assert status()[1]['source state'] == 'waiting for the first image'
    first = driver(**EQUIDISTANT)
    robot.until(lambda: len(heard.detector) > 5)
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
    end(first)
    robot.until(lambda: status()[0].level == DiagnosticStatus.STALE)
    robot.until(lambda: status()[1]['source state'] == 'silent')
    robot.until(lambda: status()[0].message == nobody)
    heard.detector.clear()
    driver(**EQUIDISTANT)
    robot.until(lambda: len(heard.detector) > 5)
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)


def test_compressed_images_alone_are_decoded_and_published(robot, driver, heard):
    images, infos = robot.watch(Image, 'image_raw'), robot.watch(CameraInfo, 'camera_info', 10)
    status = robot.status()
    driver(raw=False, compressed=True)
    robot.start(DetectorNode, TrackerNode, source='external', horizontal_field_deg='60.0')
    robot.until(lambda: len(heard.detector) > 5 and len(images) > 2 and infos)
    assert (images[-1].encoding, images[-1].header.frame_id) == ('bgr8', 'usb_cam_optical')
    np.testing.assert_allclose(list(images[-1].data[:3]), [50, 100, 200], atol=4)
    # Nobody else publishes them, so the node does, by its own parameters.
    assert infos[-1].k[0] == pytest.approx(128 / 2 / np.tan(np.radians(30)))
    robot.until(lambda: status()[1].get('transport') == 'compressed')
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
    assert status()[1]['intrinsics'] == 'a guess: horizontal_field_deg 60'
    assert robot.nodes[0].count_publishers('image_raw/compressed') == 1


def test_a_driver_that_sends_both_is_taken_raw(robot, driver, heard):
    compressed, status = robot.watch(CompressedImage, 'image_raw/compressed'), robot.status()
    driver(compressed=True, **EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: len(heard.detector) > 5 and compressed)
    robot.until(lambda: status()[1].get('transport') == 'raw')
    camera = robot.nodes[0]
    assert camera.count_publishers('image_raw') == camera.count_publishers('image_raw/compressed') == 1
    assert heard.detector[-1].encoding == 'rgb8'


def test_a_camera_of_any_other_name_is_taken_and_published_under_the_suites(robot, driver, heard):
    elsewhere = f'{robot.namespace}_usb'
    images, infos = robot.watch(Image, 'image_raw'), robot.watch(CameraInfo, 'camera_info', 10)
    compressed = robot.watch(CompressedImage, 'image_raw/compressed')
    driver(namespace=elsewhere, topic='color/image', info_topic='color/camera_info', frame_id='', **EQUIDISTANT)
    robot.start(DetectorNode, source=f'external:{elsewhere}/color/image')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: len(heard.detector) > 5 and images and infos and compressed)
    # A driver without a frame gets the camera's own.
    assert heard.detector[-1].frame_id == f'{robot.namespace.strip("/")}_optical_frame'
    assert (images[-1].encoding, infos[-1].distortion_model, infos[-1].k[0]) == ('rgb8', 'equidistant', 60.0)
    assert infos[-1].header.stamp in [each.header.stamp for each in images] or len(infos) > 1


def test_an_image_topic_elsewhere_is_the_way_out(robot, driver):
    status = robot.status()
    driver(namespace=f'{robot.namespace}_usb')
    robot.start(source='external')
    there = f'{robot.namespace}_usb/image_raw'
    robot.until(
        lambda: status()[0] and status()[0].message
        == f'Nobody publishes {robot.namespace}/image_raw or {robot.namespace}/image_raw/compressed: name the topic in '
        f'`source`, as external:{there}, of those with images now: {there}.'
    )  # fmt: skip


def test_a_second_driver_on_the_name_is_said(robot, driver, heard):
    status = robot.status()
    driver(node='one', **EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: heard.detector)
    robot.until(lambda: status()[0])
    driver(node='two', **EQUIDISTANT)
    names = {f'{robot.namespace}/{name}' for name in ('one', 'two')}
    robot.until(lambda: 'come in turns' in status()[0].message and all(each in status()[0].message for each in names))
    # A node's name comes a moment after its topics: until then it is 'another node'.
    robot.until(lambda: set(status()[1]['images from'].split(', ')) == {f'{name} (reliable)' for name in names})


@pytest.mark.parametrize(
    ('wanted', 'parameters', 'text', 'origin'),
    [
        (
            {},
            {},
            'Nobody publishes {ns}/camera_info, so no gimbal can be pointed by these images: set `calibration_file` or '
            '`horizontal_field_deg`, or have the driver publish it.',
            UNKNOWN,
        ),
        (
            {'k': -1.0},
            {},
            'The camera_info on {ns}/camera_info is of an uncalibrated camera (its K is 0), so no gimbal can be '
            'pointed by these images: calibrate the camera in its driver, or set `calibration_file` or '
            '`horizontal_field_deg`.',
            f"{UNKNOWN} (the driver's camera_info has no calibration)",
        ),
        (
            {'k': -1.0},
            {'horizontal_field_deg': '60.0'},
            'active',
            f"{GUESS} (the driver's camera_info has no calibration)",
        ),
        ({}, {'horizontal_field_deg': '60.0'}, 'active', GUESS),
        (
            {'k': 60.0, 'info_width': 160, 'info_height': 90},
            {},
            'The camera_info on {ns}/camera_info is of a picture of 160x90 px and the images are 128x96, which is '
            'another aspect, so it is not used: calibrate the camera in its driver at the size that it sends, or set '
            '`calibration_file` or `horizontal_field_deg`.',
            f"{UNKNOWN} (the driver's camera_info is of 160x90 px)",
        ),
        (
            {'k': 120.0, 'info_width': 256, 'info_height': 192},
            {},
            'active',
            "the driver's, of 256x192 px carried to 128x96",
        ),
    ],
    ids=['no camera_info', 'K of 0', 'K of 0 and a field', 'a field', 'another aspect', 'another size'],
)
def test_what_is_known_of_the_lens_is_said(robot, driver, heard, wanted, parameters, text, origin):
    status = robot.status()
    overlay = robot.watch(Image, 'overlay')
    driver(**wanted)
    robot.start(DetectorNode, TrackerNode, source='external', **{'horizontal_field_deg': '0.0', **parameters})
    robot.until(lambda: overlay and heard.detector)
    robot.until(lambda: status()[1].get('intrinsics') == origin)
    robot.until(lambda: status()[0].message == text.format(ns=robot.namespace))
    robot.until(lambda: robot.nodes[2].tracker.knows_camera == (text == 'active'))
    if origin.endswith('carried to 128x96'):
        assert robot.nodes[2].tracker.view(0).camera.focal_x_px == 60.0


def test_images_lost_on_the_way_are_told_by_the_camera_info(robot, driver, heard):
    status = robot.status()
    # As seen from here, a driver that sends every third image has lost two of three.
    driver(skip=3, **EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: status()[0] and 'so they are lost on the way: ' in status()[0].message)
    message = status()[0].message
    assert f'images on {robot.namespace}/image_raw did not come, as {robot.namespace}/camera_info tells, ' in message
    assert 'fastdds_shm.xml' in message


def test_stamps_of_another_clock_are_said_with_the_number(robot, driver, heard):
    status = robot.status()
    driver(ahead_s=10, **EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: status()[0] and "ahead of this machine's clock" in status()[0].message)
    assert status()[0].message.startswith(f'On {robot.namespace}/image_raw images are stamped ')


def test_nothing_is_taken_while_nobody_in_the_process_wants_it(robot, driver, heard):
    """As beside nodes that are processes of their own, which subscribe to the driver themselves."""
    status = robot.status()
    driver(**EQUIDISTANT)
    robot.start(source='external')
    robot.until(lambda: status()[1].get('images from') == f'{robot.namespace}/usb_cam (reliable)')
    robot.until(lambda: status()[1].get('source state') == 'idle: nobody takes its images from here')
    assert status()[0].level == DiagnosticStatus.OK
    assert robot.nodes[0].count_subscribers('image_raw') == 0
    # Until somebody asks for what only this node makes.
    compressed = robot.watch(CompressedImage, 'image_raw/compressed')
    robot.until(lambda: compressed)
    assert compressed[0].format == 'bgr8; jpeg compressed bgr8'


def test_a_camera_node_that_is_stopped_leaves_the_driver_to_the_others_and_takes_it_back(robot, driver, heard):
    robot.watch(Detection2DArray, 'detections', 5)
    driver(**EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    camera = robot.nodes[0]
    for _ in range(3):
        heard.detector.clear()
        robot.until(lambda: len(heard.detector) > 3)
        assert camera.count_subscribers('image_raw') == 1
        robot.call(camera.trigger_deactivate)
        heard.detector.clear()
        # Without a publisher in its process the detector subscribes to the driver itself.
        robot.until(lambda: len(heard.detector) > 3)
        robot.call(camera.trigger_activate)
    assert 'errors' not in camera.diagnostics.counters


def test_infrared_of_another_driver_is_kept_and_shown(robot, driver, heard):
    shown = robot.watch(Image, 'image_mono8')
    driver(encoding='mono16', **EQUIDISTANT)
    robot.start(DetectorNode, source='external')
    robot.watch(Detection2DArray, 'detections', 5)
    robot.until(lambda: shown and heard.detector)
    assert heard.detector[-1].encoding == 'mono16' and int(heard.detector[-1].image[0, 0]) == 7000
    assert shown[-1].encoding == 'mono8'
