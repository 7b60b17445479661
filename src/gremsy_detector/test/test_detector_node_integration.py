# SPDX-License-Identifier: Apache-2.0
"""The real node in a process of its own, and this process as the plain ROS 2 user beside it."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool
from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo

from gremsy_common.claims import isolated
from gremsy_common.timing.trace import read_trace

pytestmark = pytest.mark.integration

LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
ISOLATED = isolated(int(os.environ['ROS_DOMAIN_ID']))


def start_node(*parameters, namespace='/eo'):
    arguments = [each for parameter in parameters for each in ('-p', parameter)]
    command = [
        sys.executable,
        '-m',
        'gremsy_detector.detector_node',
        '--ros-args',
        '-r',
        f'__ns:={namespace}',
        *arguments,
    ]
    environment = {**os.environ, **ISOLATED}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_node(process):
    """What it said, once it has ended by SIGTERM with status 0."""
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert 'terminate called' not in said
    assert 'Traceback' not in said
    return said


class User:
    """A plain node that publishes images and keeps what comes back."""

    def __init__(self):
        self.node = rclpy.create_node('user', namespace='/eo')
        self.images = self.node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.found = []
        self.diagnostics, self.levels, self.messages = {}, {}, {}
        self.watch()
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self.keep_diagnostics, 10)
        self.enable = self.node.create_client(SetBool, 'detector/enable')
        self.parameters = self.node.create_client(SetParameters, 'detector/set_parameters')
        self.together = self.node.create_client(SetParametersAtomically, 'detector/set_parameters_atomically')
        self.stamp_ns = 1_700_000_000_000_000_123

    def watch(self):
        self.detections = self.node.create_subscription(Detection2DArray, 'detections', self.found.append, 10)

    def keep_diagnostics(self, array):
        for status in array.status:
            self.levels[status.name] = status.level
            self.messages[status.name] = status.message
            self.diagnostics[status.name] = {each.key: each.value for each in status.values}

    def spin(self, duration_s):
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def wait(self, condition, timeout_s=30.0, meanwhile=lambda: None):
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, 'the condition did not come true in time'
            meanwhile()
            self.spin(0.05)

    def send(self, image, encoding='bgr8', padding=0):
        self.stamp_ns += 33_000_000
        height, width = image.shape[:2]
        row = width * image.itemsize * (image.shape[2] if image.ndim == 3 else 1)
        message = Image(height=height, width=width, encoding=encoding, step=row + padding)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(self.stamp_ns, 1_000_000_000)
        message.header.frame_id = 'eo_optical'
        rows = np.full((height, row + padding), 255, np.uint8)
        rows[:, :row] = np.ascontiguousarray(image).view(np.uint8).reshape(height, row)
        message.data.frombytes(rows.data.cast('B'))
        self.images.publish(message)

    def detections_of(self, image, encoding='bgr8', padding=0):
        """The first answer to an image that is sent, again and again with new stamps, from now on."""
        first_ns = self.stamp_ns + 1
        self.found.clear()
        answers = []

        def answered():
            answers[:] = [each for each in self.found if stamp_ns(each.header) >= first_ns]
            return bool(answers)

        self.wait(answered, meanwhile=lambda: self.send(image, encoding, padding))
        assert stamp_ns(answers[0].header) in range(first_ns + 33_000_000 - 1, self.stamp_ns + 1, 33_000_000)
        return answers[0]

    def call(self, client, request):
        assert client.wait_for_service(timeout_sec=20.0)
        future = client.call_async(request)
        self.wait(future.done)
        return future.result()

    def set_together(self, **values):
        changes = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.call(self.together, SetParametersAtomically.Request(parameters=changes)).result

    def set_parameter(self, name, value):
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(self.parameters, request).results[0]


def stamp_ns(header):
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


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
    user.wait(lambda: user.images.get_subscription_count() > 0 or process.poll() is not None)
    yield process
    end_node(process)


GREY = np.full((480, 640, 3), 128, np.uint8)


def test_an_empty_scene_is_an_empty_array_with_the_images_own_header(user, node):
    answer = user.detections_of(GREY)
    assert list(answer.detections) == []
    assert answer.header.frame_id == 'eo_optical'


def test_labels_reach_a_subscriber_that_comes_late(user, node):
    got = {}
    subscriptions = [
        user.node.create_subscription(LabelInfo, 'label_info', lambda message: got.update(labels=message), LATCHED),
        user.node.create_subscription(VisionInfo, 'vision_info', lambda message: got.update(vision=message), LATCHED),
    ]
    user.wait(lambda: len(got) == 2)
    names = {each.class_id: each.class_name for each in got['labels'].class_map}
    assert (len(names), names[0], names[79]) == (80, 'person', 'toothbrush')
    assert got['labels'].threshold == pytest.approx(0.5)
    assert got['vision'].database_location == '/eo/label_info'
    assert 'NanoDet' in got['vision'].method
    for each in subscriptions:
        user.node.destroy_subscription(each)


def test_people_in_real_footage_are_found_with_name_and_place(user, node, footage_image):
    answer = user.detections_of(footage_image(1))
    people = [each for each in answer.detections if each.results[0].hypothesis.class_id == 'person']
    assert all(each.header == answer.header for each in people)
    for x, y in ((279, 263), (514, 197), (658, 283)):
        nearest = min(
            people, key=lambda each: np.hypot(each.bbox.center.position.x - x, each.bbox.center.position.y - y)
        )
        assert abs(nearest.bbox.center.position.x - x) < 5
        assert abs(nearest.bbox.center.position.y - y) < 5
        assert nearest.results[0].hypothesis.score > 0.7


def test_a_disabled_detector_is_silent_and_takes_no_images_until_enabled(user, node):
    user.detections_of(GREY)
    assert user.call(user.enable, SetBool.Request(data=False)).success
    user.wait(lambda: user.images.get_subscription_count() == 0)
    user.spin(0.5)
    user.found.clear()
    for _ in range(10):
        user.send(GREY)
        user.spin(0.05)
    assert user.found == []
    assert user.call(user.enable, SetBool.Request(data=True)).success
    user.detections_of(GREY)


def test_the_images_are_left_alone_until_somebody_listens(user, node):
    user.detections_of(GREY)
    user.node.destroy_subscription(user.detections)
    user.wait(lambda: user.images.get_subscription_count() == 0)
    # Whoever listens to the candidates alone is a listener too.
    candidates = []
    heard = user.node.create_subscription(Detection2DArray, 'detections/candidates', candidates.append, 10)
    user.wait(lambda: bool(candidates), meanwhile=lambda: user.send(GREY))
    user.node.destroy_subscription(heard)
    user.wait(lambda: user.images.get_subscription_count() == 0)
    user.watch()
    user.wait(lambda: user.images.get_subscription_count() == 1)
    user.detections_of(GREY)


@pytest.mark.parametrize(
    'shape', [(1, 1, 3), (1, 640, 3), (640, 1, 3), (7, 5, 3)], ids=['1x1', 'a row', 'a column', 'tiny']
)
def test_an_image_of_any_size_is_answered(user, node, shape):
    answer = user.detections_of(np.full(shape, 128, np.uint8))
    for each in answer.detections:
        assert each.bbox.center.position.x + each.bbox.size_x / 2 <= shape[1]


def people_at(answer, points):
    """Distance of the nearest person to each point, px."""
    people = [
        each.bbox.center.position for each in answer.detections if each.results[0].hypothesis.class_id == 'person'
    ]
    return [min((np.hypot(each.x - x, each.y - y) for each in people), default=np.inf) for x, y in points]


STANDING = ((279, 263), (514, 197), (658, 283))


def test_padding_at_the_end_of_the_rows_is_not_looked_at(user, node, footage_image):
    answer = user.detections_of(footage_image(1), padding=1000)
    assert max(people_at(answer, STANDING)) < 5


def test_a_region_hides_those_outside_and_keeps_the_others_in_place(user, node, footage_image):
    assert user.set_together(region_of_interest=[0.5, 0.2, 1.0, 0.7]).successful
    answer = user.detections_of(footage_image(1))
    distances_px = people_at(answer, STANDING)
    assert distances_px[0] > 100
    assert max(distances_px[1:]) < 8
    assert all(each.bbox.center.position.x >= 384 for each in answer.detections)
    assert user.set_together(region_of_interest=[0.0, 0.0, 1.0, 1.0]).successful


def test_tiles_find_the_people_that_are_too_small_for_the_whole_image(user, node, footage_image):
    """Nine frames side by side: people of 80 px are 15 px high when 2304 become 416."""
    image = np.tile(footage_image(1), (3, 3, 1))
    points = [(x + 768 * column, y + 576 * row) for x, y in STANDING for column in range(3) for row in range(3)]
    before = user.detections_of(image)
    assert user.set_together(tiles=[4, 4]).successful
    after = user.detections_of(image)
    assert user.set_together(tiles=[1, 1]).successful
    assert sum(each < 8 for each in people_at(after, points)) == len(points)
    assert sum(each < 8 for each in people_at(before, points)) < len(points)


def test_parameters_that_are_set_together_hold_together_or_not_at_all(user, node):
    refused = user.set_together(confidence=0.0, region_of_interest=[0.9, 0.0, 0.1, 1.0])
    assert (refused.successful, refused.reason) == (
        False,
        (
            'Parameter `region_of_interest` is [0.9, 0, 0.1, 1], which encloses nothing: '
            'use x_min below x_max and y_min below y_max, each 0 .. 1.'
        ),
    )
    refused = user.set_together(confidence=0.0, class_confidence=['persom:0.1'])
    assert (refused.successful, refused.reason) == (
        False,
        (
            "Parameter `class_confidence` has 'persom', which is not a class of nanodet_g_416.onnx: did you mean "
            "'person'? `ros2 run gremsy_model_tools model_info` lists its 80 classes."
        ),
    )
    assert user.detections_of(GREY).detections == []


def test_an_unknown_class_is_refused_while_running_and_detection_goes_on(user, node):
    refused = user.set_parameter('classes', ['persom'])
    assert not refused.successful
    assert refused.reason == (
        "Parameter `classes` has 'persom', which is not a class of nanodet_g_416.onnx: did you mean 'person'? "
        '`ros2 run gremsy_model_tools model_info` lists its 80 classes.'
    )
    user.detections_of(GREY)


def test_a_threshold_changes_while_running_and_is_told_with_the_labels(user, node):
    got = []
    subscription = user.node.create_subscription(LabelInfo, 'label_info', got.append, LATCHED)
    assert user.set_parameter('confidence', 0.0).successful
    user.wait(lambda: bool(got) and got[-1].threshold == 0.0)
    # A square has no padding, in which boxes would be left out.
    assert len(user.detections_of(GREY[:, : len(GREY)]).detections) == 100
    assert user.set_parameter('confidence', 0.4).successful
    user.wait(lambda: got[-1].threshold == pytest.approx(0.4))
    user.node.destroy_subscription(subscription)
    refused = user.set_parameter('confidence', 1.5)
    assert not refused.successful


def test_the_next_image_may_be_taken_instead_of_the_one_that_waits(user, node):
    assert user.set_parameter('take', 'next').successful
    for _ in range(3):
        user.detections_of(GREY)
    assert user.set_parameter('take', 'newest').successful


def test_an_image_that_cannot_be_read_is_counted_and_the_next_is_detected(user, node):
    before = int(user.diagnostics.get('/eo/detector', {}).get('errors', '0'))
    user.wait(
        lambda: int(user.diagnostics.get('/eo/detector', {}).get('errors', '0')) > before,
        meanwhile=lambda: user.send(GREY[..., 0], 'no_such_encoding'),
    )
    assert user.detections_of(GREY).detections == []


def image_message(**changes):
    message = Image(**{'width': 64, 'height': 48, 'step': 64, 'encoding': 'mono8', **changes})
    message.header.frame_id = 'eo_optical_frame'
    message.header.stamp.sec = 1_800_000_000
    message.data.frombytes(bytes(64 * 48))
    return message


@pytest.mark.parametrize(
    ('changes', 'reason', 'sentence'),
    [
        (
            {'encoding': '32FC1'},
            'unknown encoding',
            "the encoding '32FC1' is unknown",
        ),
        (
            {'width': 0},
            'no pixels',
            'the image is 0x48 px: it has no pixels',
        ),
        ({'height': 49}, 'data too short', '3072 bytes with a step of 64'),
        ({'encoding': '16UC1'}, 'data too short', '3072 bytes with a step of 64'),
        ({'encoding': 'uyvy', 'width': 31}, 'odd size', "An image from 'eo_optical_frame' is 31x48 px, and uyvy needs"),
    ],
)
def test_an_image_that_is_not_used_is_counted_by_its_reason_and_shown(user, node, changes, reason, sentence):
    def rows():
        return user.diagnostics.get('/eo/detector', {})

    before = int(rows().get(f'image_raw: {reason}', '0'))
    message = image_message(**changes)
    user.wait(
        lambda: int(rows().get(f'image_raw: {reason}', '0')) >= before + 3 and sentence in rows()['last error'],
        meanwhile=lambda: user.images.publish(message),
    )
    assert user.levels['/eo/detector'] == DiagnosticStatus.WARN
    user.detections_of(GREY)


def test_a_detector_that_uses_no_image_does_no_work_and_one_without_images_waits(user, node):
    message, name = image_message(encoding='32FC1'), '/eo/detector'
    user.wait(lambda: user.levels.get(name) == DiagnosticStatus.ERROR, meanwhile=lambda: user.images.publish(message))
    assert user.messages[name].startswith('A message on /eo/image_raw cannot be used: ')
    assert "the encoding '32FC1' is unknown" in user.messages[name]
    user.wait(lambda: user.levels[name] == DiagnosticStatus.STALE)
    said = r'Nothing has come on /eo/image_raw for \d+ s: see what its publisher says\.'
    assert re.fullmatch(said, user.messages[name])
    user.detections_of(GREY)
    user.wait(lambda: user.levels[name] not in (DiagnosticStatus.STALE, DiagnosticStatus.ERROR))


def test_images_without_stamp_and_frame_are_detected_in_and_said(user, node):
    message = image_message()
    message.header = Header()
    user.wait(
        lambda: {'image_raw: no stamp', 'image_raw: no frame_id'} <= set(user.diagnostics.get('/eo/detector', {})),
        meanwhile=lambda: user.images.publish(message),
    )


def test_diagnostics_tell_model_back_end_and_stages(user, node):
    user.detections_of(GREY)
    user.wait(lambda: 'inference latency p50 (ms)' in user.diagnostics.get('/eo/detector', {}))
    rows = user.diagnostics['/eo/detector']
    assert rows['model'].endswith('nanodet_g_416.onnx')
    assert re.fullmatch(r'ONNX Runtime [\d.]+ CPU, 1 thread', rows['back end'])
    assert int(rows['images waiting']) <= 1
    assert {'slot wait', 'preprocess', 'inference', 'decode', 'detections'} <= {
        key.split(' latency')[0] for key in rows
    }


def test_every_answer_leaves_its_stages_in_the_trace(user, node, trace_folder):
    stamp = stamp_ns(user.detections_of(GREY).header)

    def events():
        return [event for event in read_trace(trace_folder) if event['stamp_ns'] == stamp]

    user.wait(lambda: len(events()) == 1)
    (event,) = events()
    assert event['kind'] == 'detection'
    assert event['arrived_ns'] <= event['taken_ns'] <= event['at_ns']
    stages_ns = event['preprocess_ns'] + event['inference_ns'] + event['decode_ns']
    assert 0 < stages_ns <= event['at_ns'] - event['taken_ns']
    assert (event['count'], event['candidates']) == (0, 0)


@pytest.mark.parametrize(
    ('parameter', 'sentence'),
    [
        (
            'model:=/nowhere/m.onnx',
            (
                'Model file /nowhere/m.onnx does not exist: set `model` to an existing file, '
                "or to 'default' for the one shipped."
            ),
        ),
        (
            "classes:=['zebr']",
            (
                "Parameter `classes` has 'zebr', which is not a class of nanodet_g_416.onnx: did you mean 'zebra'? "
                '`ros2 run gremsy_model_tools model_info` lists its 80 classes.'
            ),
        ),
        ('confidence:=1.5', 'Parameter `confidence` is 1.5, out of its range: use 0 .. 1.'),
        (
            "class_confidence:=['zebr:0.4']",
            (
                "Parameter `class_confidence` has 'zebr', which is not a class of nanodet_g_416.onnx: "
                "did you mean 'zebra'? `ros2 run gremsy_model_tools model_info` lists its 80 classes."
            ),
        ),
        (
            'region_of_interest:=[0.0, 1.0]',
            (
                'Parameter `region_of_interest` has 2 numbers [0, 1]: use four, x_min, y_min, x_max, y_max, '
                'as shares of the image.'
            ),
        ),
        ('tiles:=[3]', 'Parameter `tiles` has 1 numbers [3]: use two, columns and rows.'),
        ('resize:=crop', "Parameter `resize` is 'crop': use one of auto, letterbox, stretch, top_left."),
        ('take:=last', "Parameter `take` is 'last': use one of newest, next."),
        ('backend:=tflite', "Parameter `backend` is 'tflite': use one of auto, tensorrt, tensorrt_rtx, onnxruntime."),
    ],
)
def test_a_wrong_parameter_ends_the_start_with_one_sentence_and_status_2(parameter, sentence):
    process = start_node(parameter, namespace='/other')
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 2, said
    own = [line for line in said.splitlines() if not line.startswith('[INFO]')]
    assert own == [f'/other/detector: {sentence}']
