# SPDX-License-Identifier: Apache-2.0
"""The real node in a process of its own, fed with detections and attitudes by this one, a plain ROS 2 user."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped, TwistStamped, Vector3Stamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, Imu, JointState
from std_msgs.msg import Float64, String
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2D, Detection2DArray
from visualization_msgs.msg import MarkerArray

from gremsy_common.claims import isolated
from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.ros.messages.camera_info_messages import StampedCamera, camera_info_message
from gremsy_common.ros.messages.detection_messages import detections_message
from gremsy_common.ros.messages.gimbal_messages import attitude_message, zoom_message
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.ros.messages.image_messages import image_message
from gremsy_common.timing.trace import read_trace
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, ZoomState

pytestmark = pytest.mark.integration

CAMERA = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
ISOLATED = isolated(int(os.environ['ROS_DOMAIN_ID']))
LEFT, RIGHT, AHEAD = (200.0, 240.0), (440.0, 240.0), (320.0, 240.0)


def start_node(*parameters, namespace='/eo'):
    arguments = [each for parameter in parameters for each in ('-p', parameter)]
    command = [sys.executable, '-m', 'gremsy_tracker.tracker_node', '--ros-args', '-r', f'__ns:={namespace}']
    return subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, **ISOLATED},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class User:
    """Sends what camera, detector and gimbal would, and keeps what comes back."""

    def __init__(self, namespace='/eo', topic='detections/candidates'):
        self.node = rclpy.create_node('user', namespace=namespace)
        self.detections = self.node.create_publisher(Detection2DArray, topic, 5)
        self.info = self.node.create_publisher(CameraInfo, 'camera_info', 5)
        self.attitude = self.node.create_publisher(Imu, 'gimbal/attitude', 5)
        self.zoom = self.node.create_publisher(JointState, 'gimbal/zoom', 5)
        self.images = self.node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.select = self.node.create_publisher(PointStamped, 'target/select', 5)
        self.select_word = self.node.create_publisher(String, 'target/select_id', 5)
        self.tracks, self.targets, self.states, self.setpoints, self.zooms = [], [], [], [], []
        self.node.create_subscription(Detection2DArray, 'tracks', self.tracks.append, 20)
        self.node.create_subscription(Detection2D, 'target', self.targets.append, 20)
        self.node.create_subscription(String, 'target/state', lambda m: self.states.append(json.loads(m.data)), 20)
        self.node.create_subscription(TwistStamped, 'gimbal/setpoint', self.setpoints.append, 100)
        self.node.create_subscription(Float64, 'gimbal/zoom_setpoint', lambda m: self.zooms.append(m.data), 20)
        self.parameters = self.node.create_client(SetParameters, 'tracker/set_parameters')
        self.enable = self.node.create_client(SetBool, 'tracker/enable')
        self.release = self.node.create_client(Trigger, 'tracker/release')

    def spin(self, duration_s):
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            rclpy.spin_once(self.node, timeout_sec=0.01)

    def look(self, *centres):
        """One image with people at these centres, taken 30 ms ago by a gimbal that looks ahead."""
        stamp_ns = time.time_ns() - 30_000_000
        ahead = quaternion_from_bearing(0.0, 0.0)
        self.info.publish(camera_info_message(StampedCamera(stamp_ns, 'optical', CAMERA)))
        self.attitude.publish(attitude_message(GimbalAttitude(time.time_ns(), 'camera', ahead, np.zeros(3))))
        self.zoom.publish(zoom_message(ZoomState(time.time_ns() - 50_000_000, 2.0)))
        boxes = np.array([[x - 30, y - 75, x + 30, y + 75] for x, y in centres]).reshape(-1, 4)
        labels = np.array(['person'] * len(boxes), dtype=np.str_)
        seen = Detections(stamp_ns, 'optical', boxes, np.full(len(boxes), 0.8), labels)
        self.detections.publish(detections_message(seen))
        self.spin(0.05)
        return stamp_ns

    def wait(self, condition, timeout_s=30.0, meanwhile=lambda: None):
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, 'the condition did not come true in time'
            meanwhile()
            self.spin(0.01)

    def state(self):
        return self.states[-1]['state'] if self.states else ''

    def call(self, client, request):
        assert client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(request)
        self.wait(future.done)
        return future.result()


@pytest.fixture(scope='module')
def user():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ISOLATED.items():
            patch.setenv(name, value)
        rclpy.init()
        made = User()
        yield made
        made.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture(scope='module')
def trace_folder(tmp_path_factory):
    return tmp_path_factory.mktemp('trace')


@pytest.fixture(scope='module')
def node(user, trace_folder):
    process = start_node(f'trace_dir:={trace_folder}')
    user.wait(lambda: user.detections.get_subscription_count() > 0 or process.poll() is not None)
    user.wait(lambda: user.info.get_subscription_count() > 0 and user.attitude.get_subscription_count() > 0)
    yield process
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert 'terminate called' not in said
    assert 'Traceback' not in said


def test_people_get_ids_and_a_click_makes_one_the_target_and_the_gimbal_turn_to_it(user, node):
    user.wait(
        lambda: bool(user.tracks) and len(user.tracks[-1].detections) == 2, meanwhile=lambda: user.look(LEFT, RIGHT)
    )
    assert sorted(each.id for each in user.tracks[-1].detections) == ['1', '2']
    assert user.state() == 'idle'
    assert user.setpoints == []
    click = PointStamped()
    click.point.x, click.point.y = LEFT
    user.select.publish(click)
    # The two topics do not wait for each other.
    user.wait(lambda: user.state() == 'tracking' and bool(user.targets), meanwhile=lambda: user.look(LEFT, RIGHT))
    (chosen,) = (each for each in user.tracks[-1].detections if each.bbox.center.position.x < 320)
    assert user.targets[-1].id == chosen.id
    user.setpoints.clear()
    sent_ns = {user.look(LEFT, RIGHT) for _ in range(10)}
    turned = [each for each in user.setpoints if stamp_of(each.header.stamp) in sent_ns]
    assert turned
    assert {each.header.frame_id for each in turned} == {'gimbal_level'}
    assert all(each.twist.angular.z > 0.0 for each in turned)  # to the left
    # A camera's picture comes every 60 ms here; between them the 50 Hz tick goes on.
    assert len(user.setpoints) > 2 * len(sent_ns)


def test_others_get_the_targets_bearing_and_where_its_height_is_known_its_position(user, node):
    bearings, positions, frames, said = [], [], [], []
    watching = [
        user.node.create_subscription(Vector3Stamped, 'target/bearing', bearings.append, 20),
        user.node.create_subscription(PoseWithCovarianceStamped, 'target/position', positions.append, 20),
        user.node.create_subscription(TFMessage, '/tf', frames.append, 20),
        user.node.create_subscription(
            DiagnosticArray, '/diagnostics', lambda m: said.extend(each.values for each in m.status), 20
        ),
    ]

    def say_heights(*heights):
        value = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=heights)
        wish = SetParameters.Request(parameters=[Parameter(name='object_heights_m', value=value)])
        (answer,) = user.call(user.parameters, wish).results
        assert answer.successful, answer.reason

    def said_without_range():
        rows = [{each.key: each.value for each in values} for values in said]
        return any(
            each.get('last error', '').startswith(
                'Nothing measures how far away the target is, so nothing comes on /eo/target/position: '
            )
            for each in rows
        )

    user.wait(lambda: bool(bearings), meanwhile=lambda: user.look(LEFT, RIGHT))
    bearing = bearings[-1]
    assert bearing.header.frame_id == 'eo_still'
    # 120 px left of the middle, by a camera that looks ahead.
    right_px = np.array([bearing.vector.y, -bearing.vector.z]) / bearing.vector.x * CAMERA.focal_x_px
    assert right_px == pytest.approx([120.0, 0.0], abs=1.0)
    user.wait(lambda: bool(frames), meanwhile=lambda: user.look(LEFT, RIGHT))
    (transform,) = frames[-1].transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ('gimbal_level', 'eo_still')
    user.wait(said_without_range, meanwhile=lambda: user.look(LEFT, RIGHT))
    assert positions == []
    say_heights('person 1.7 0.1')
    user.wait(lambda: bool(positions), meanwhile=lambda: user.look(LEFT, RIGHT))
    pose = positions[-1].pose.pose.position
    # 150 px of 879 px of focal length are 1.7 m.
    assert pose.x == pytest.approx(1.7 / 150.0 * CAMERA.focal_x_px, rel=0.02)
    assert pose.y == pytest.approx(pose.x * 120.0 / CAMERA.focal_x_px, rel=0.02)
    say_heights()
    for each in watching:
        user.node.destroy_subscription(each)


def test_silence_of_the_detector_stops_the_gimbal(user, node):
    user.wait(lambda: user.state() == 'tracking', meanwhile=lambda: user.look(LEFT, RIGHT))
    user.wait(lambda: user.states[-1]['still_because'] == 'no detections for 0.3 s')
    user.spin(0.5)
    last = user.setpoints[-1].twist.angular
    assert (last.y, last.z) == (0.0, 0.0)
    user.setpoints.clear()
    user.spin(0.3)
    assert user.setpoints == []


def test_a_disabled_lock_yields_no_setpoints_and_release_ends_it(user, node):
    user.wait(lambda: user.state() == 'tracking', meanwhile=lambda: user.look(LEFT, RIGHT))
    assert user.call(user.enable, SetBool.Request(data=False)).success
    user.wait(lambda: user.states[-1]['still_because'] == 'pointing is not enabled', meanwhile=lambda: user.look(LEFT))
    assert user.state() == 'tracking'
    assert user.call(user.enable, SetBool.Request(data=True)).success
    assert user.call(user.release, Trigger.Request()).success
    user.wait(lambda: user.state() == 'idle', meanwhile=lambda: user.look(LEFT))


def test_zoom_is_asked_for_only_while_it_is_controlled_and_pointing_is_enabled(user, node):
    def control(on):
        values = {
            'zoom_control': ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=on),
            # A person of 150 px in 480 is to be twice as large.
            'zoom_target_share': ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.6),
        }
        wish = SetParameters.Request(parameters=[Parameter(name=name, value=value) for name, value in values.items()])
        for answer in user.call(user.parameters, wish).results:
            assert answer.successful, answer.reason

    def look_for(seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            user.look(AHEAD)

    click = PointStamped()
    click.point.x, click.point.y = AHEAD

    def click_on_it():
        user.look(AHEAD)
        user.select.publish(click)

    user.wait(lambda: user.state() == 'tracking', meanwhile=click_on_it)
    look_for(0.6)
    assert user.zooms == []
    assert user.call(user.enable, SetBool.Request(data=False)).success
    control(True)
    look_for(0.6)
    assert user.zooms == []
    assert user.call(user.enable, SetBool.Request(data=True)).success
    user.wait(lambda: len(user.zooms) > 2, meanwhile=lambda: user.look(AHEAD))
    assert user.zooms == sorted(user.zooms)
    assert 2.0 < user.zooms[0] < 2.3
    control(False)
    user.spin(0.1)
    user.zooms.clear()
    look_for(0.6)
    assert user.zooms == []
    assert user.call(user.release, Trigger.Request()).success


def test_the_overlay_is_drawn_and_images_are_taken_only_while_somebody_watches(user, node):
    user.wait(lambda: user.images.get_subscription_count() == 0)
    drawn, markers = [], []
    watching = [
        user.node.create_subscription(Image, 'overlay', drawn.append, qos_profile_sensor_data),
        user.node.create_subscription(MarkerArray, 'markers', markers.append, 5),
    ]
    user.wait(lambda: user.images.get_subscription_count() == 1)
    grey = np.full((480, 640, 3), 128, np.uint8)

    def show():
        stamp_ns = user.look(LEFT, RIGHT)
        user.images.publish(image_message(Frame(grey, stamp_ns, 'optical')))

    everything = {'field_of_view', 'boresight', 'tracks', 'names'}
    user.wait(lambda: bool(drawn), meanwhile=show)
    user.wait(lambda: any(everything <= {each.ns for each in seen.markers} for seen in markers), meanwhile=show)
    assert (drawn[-1].width, drawn[-1].height, drawn[-1].encoding) == (640, 480, 'bgr8')
    assert np.ptp(np.frombuffer(drawn[-1].data, np.uint8)) > 50
    assert {each.header.frame_id for each in markers[-1].markers} == {'gimbal_level'}
    # Whatever a camera driver sends, down to one pixel, comes back as a picture of that size.
    for encoding, channels, size in [('mono8', 1, 1), ('rgb8', 3, 1), ('bgra8', 4, 1), ('mono16', 1, 2)]:
        for rows, columns in ((48, 64), (1, 1)):
            drawn.clear()
            image = Image(height=rows, width=columns, encoding=encoding, step=columns * channels * size)
            image.data = bytes(rows * image.step)

            def show_it(image=image):
                image.header = header(user.look(LEFT), 'optical')
                user.images.publish(image)

            user.wait(lambda: bool(drawn), meanwhile=show_it)
            user.spin(0.2)
            assert (drawn[-1].height, drawn[-1].width, drawn[-1].encoding) == (rows, columns, 'bgr8')
    for each in watching:
        user.node.destroy_subscription(each)
    user.wait(lambda: user.images.get_subscription_count() == 0)


def test_images_are_taken_while_there_is_a_target_to_know_again(user, node):
    user.wait(lambda: user.images.get_subscription_count() == 0)
    user.select_word.publish(String(data='class:person'))
    user.wait(lambda: user.state() == 'tracking', meanwhile=lambda: user.look(LEFT))
    user.wait(lambda: user.images.get_subscription_count() == 1, meanwhile=lambda: user.look(LEFT))
    assert user.call(user.release, Trigger.Request()).success
    user.wait(lambda: user.images.get_subscription_count() == 0, meanwhile=lambda: user.look(LEFT))


def test_every_image_leaves_its_outcome_in_the_trace(user, node, trace_folder):
    stamp_ns = user.look(LEFT, RIGHT)
    user.wait(lambda: any(each['stamp_ns'] == stamp_ns for each in read_trace(trace_folder)))
    (event,) = (each for each in read_trace(trace_folder) if each['stamp_ns'] == stamp_ns and each['kind'] == 'track')
    assert {'state', 'tracks', 'target_id', 'azimuth_rad', 'tilt_rad', 'error_rad', 'box_px'} <= event.keys()


def test_a_detector_that_publishes_detections_alone_is_said_and_heard_by_a_parameter(user):
    foreign = User('/foreign', topic='detections')
    told = []
    heard = foreign.node.create_subscription(
        DiagnosticArray,
        '/diagnostics',
        lambda array: told.extend(each for each in array.status if each.name == '/foreign/tracker'),
        20,
    )
    said = []
    for parameters in ((), ('detections_topic:=detections',)):
        process = start_node(*parameters, namespace='/foreign')
        try:
            if parameters:
                foreign.wait(lambda: bool(foreign.tracks), meanwhile=lambda: foreign.look(LEFT))
            else:
                foreign.wait(lambda: any(each.message.startswith('Nobody') for each in told))
                assert foreign.detections.get_subscription_count() == 0
        finally:
            process.send_signal(signal.SIGTERM)
            said.append(process.communicate(timeout=20)[0])
    sentence = (
        'Nobody publishes /foreign/detections/candidates, but somebody publishes /foreign/detections: '
        "set parameter `detections_topic` to 'detections'."
    )
    assert {each.level for each in told if each.message == sentence} <= {DiagnosticStatus.WARN, DiagnosticStatus.STALE}
    assert sentence in said[0]
    assert 'Nobody publishes' not in said[1]
    foreign.node.destroy_subscription(heard)
    foreign.node.destroy_node()


@pytest.mark.parametrize(
    ('stamp', 'sentence', 'still', 'level'),
    [
        (
            lambda: time.time_ns() + 36_000_000_000,
            "On /blind/detections/candidates images are stamped 36.0 s ahead of this machine's clock: see that every "
            "machine's clock is set (chrony), and that `use_sim_time` is the same everywhere.",
            "images are stamped 36.0 s ahead of this machine's clock",
            DiagnosticStatus.ERROR,
        ),
        (
            lambda: 0,
            'On /blind/detections/candidates images are stamped 0: let their publisher set header.stamp to when each '
            "was captured, by this machine's clock.",
            'images are stamped 0',
            DiagnosticStatus.ERROR,
        ),
        (
            time.time_ns,
            'Nothing can be pointed at, since no camera_info came on /blind/camera_info: let the camera publish it '
            'beside its images, in the same namespace.',
            'no gimbal attitude for 0.3 s',
            # It tracks, and does not point.
            DiagnosticStatus.WARN,
        ),
    ],
)
def test_a_tracker_that_cannot_use_what_comes_shows_it_and_says_it_once(user, stamp, sentence, still, level):
    told, reasons = [], []

    def keep(array):
        for status in array.status:
            if status.name == '/blind/tracker':
                told.append((status.level, status.message))
                reasons.append({each.key: each.value for each in status.values}.get('still because'))

    publisher = user.node.create_publisher(Detection2DArray, '/blind/detections/candidates', 5)
    subscription = user.node.create_subscription(DiagnosticArray, '/diagnostics', keep, 10)
    process = start_node(namespace='/blind')

    def send():
        publisher.publish(detections_message(Detections.empty(stamp(), 'optical')))
        user.spin(0.05)

    try:
        user.wait(lambda: (level, sentence) in told, meanwhile=send)
        assert reasons[-1] == still
        for _ in range(30):
            send()
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
        user.node.destroy_subscription(subscription)
        user.node.destroy_publisher(publisher)
    assert said.count(sentence) == 1, said


def test_an_attitude_that_came_again_is_not_missed_any_longer(user):
    told = []

    def keep(array):
        told.extend((each.level, each.message) for each in array.status if each.name == '/led/tracker')

    attitude = user.node.create_publisher(Imu, '/led/gimbal/attitude', 5)
    info = user.node.create_publisher(CameraInfo, '/led/camera_info', 5)
    detections = user.node.create_publisher(Detection2DArray, '/led/detections/candidates', 5)
    subscription = user.node.create_subscription(DiagnosticArray, '/diagnostics', keep, 10)
    process = start_node(namespace='/led')

    def look():
        stamp_ns = time.time_ns()
        info.publish(camera_info_message(StampedCamera(stamp_ns, 'optical', CAMERA)))
        detections.publish(detections_message(Detections.empty(stamp_ns, 'optical')))
        user.spin(0.05)

    def turn():
        ahead = quaternion_from_bearing(0.0, 0.0)
        attitude.publish(attitude_message(GimbalAttitude(time.time_ns(), 'camera', ahead, np.zeros(3))))
        look()

    missed = (
        DiagnosticStatus.WARN,
        'Nothing can be pointed at, since no current attitude comes on /led/gimbal/attitude: see what the gimbal '
        'driver says; where there is no gimbal, set `enabled` to false.',
    )
    try:
        user.wait(lambda: missed in told, meanwhile=look)
        for _ in range(80):
            turn()
        told.clear()
        user.wait(lambda: told, meanwhile=turn)
        assert told == [(DiagnosticStatus.OK, 'active')]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        user.node.destroy_subscription(subscription)
        for publisher in (attitude, info, detections):
            user.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    ('info', 'sentence'),
    [
        (
            # As the camera node sends it for a file whose field of view is not given.
            camera_info_message(StampedCamera(0, 'optical', CameraModel(640, 480, 0.0, 0.0, 320.0, 240.0))),
            'The messages on /uncalibrated/camera_info have no focal length, so nothing can be pointed at: calibrate '
            'the camera, or give its field of view (`calibration_file`, `horizontal_field_deg` of our camera node).',
        ),
        (
            CameraInfo(),
            'A message on /uncalibrated/camera_info cannot be used: it is of an image of 0x0 px: set its width and '
            'height.',
        ),
    ],
)
def test_a_camera_info_that_came_is_not_asked_for(user, info, sentence):
    """The remedy for none at all would send the reader looking at namespaces."""
    told = []

    def keep(array):
        told.extend(each.message for each in array.status if each.name == '/uncalibrated/tracker')

    infos = user.node.create_publisher(CameraInfo, '/uncalibrated/camera_info', 5)
    detections = user.node.create_publisher(Detection2DArray, '/uncalibrated/detections/candidates', 5)
    subscription = user.node.create_subscription(DiagnosticArray, '/diagnostics', keep, 10)
    process = start_node(namespace='/uncalibrated')

    def send():
        infos.publish(info)
        detections.publish(detections_message(Detections.empty(time.time_ns(), 'optical')))
        user.spin(0.05)

    try:
        user.wait(lambda: sentence in told, meanwhile=send)
        told.clear()
        # Longer than a camera that comes up is waited for.
        user.wait(lambda: len(told) > 6, meanwhile=send)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
        user.node.destroy_subscription(subscription)
        for publisher in (infos, detections):
            user.node.destroy_publisher(publisher)
    assert set(told) == {sentence}
    assert said.count(sentence) == 1, said
    assert 'let the camera publish it' not in said


@pytest.mark.parametrize(
    ('parameter', 'sentence'),
    [
        ('auto_lock:=closest', "Parameter `auto_lock` is 'closest': use one of none, nearest, largest."),
        ('gain_per_s:=70.0', 'Parameter `gain_per_s` is 70, out of its range: use 0.1 .. 60 1/s.'),
        (
            'low_score:=0.9',
            'Parameter `low_score` is 0.9, above `high_score` 0.45: lower it or raise the other.',
        ),
        (
            'coast_s:=3.0',
            'Parameter `coast_s` is 3 s, above `lost_after_s` 1.5 s: lower it or raise the other.',
        ),
    ],
)
def test_a_wrong_parameter_ends_the_start_with_one_sentence_and_status_2(parameter, sentence):
    process = start_node(parameter, namespace='/other')
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 2, said
    assert said.splitlines() == [f'/other/tracker: {sentence}']
