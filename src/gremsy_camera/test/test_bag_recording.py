# SPDX-License-Identifier: Apache-2.0
"""Bags read back by readers that are not ours: MCAP's own decoder of ROS 2 messages, and rosbags."""

from __future__ import annotations

import contextlib
import io
import random
import struct

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
pytest.importorskip('mcap_ros2', reason='mcap-ros2-support is not installed: run ./gremsy test')
from mcap.exceptions import EndOfFile
from mcap.reader import NonSeekingReader, make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from rosbags.rosbag2.storage_mcap import McapReader
from sensor_msgs.msg import CameraInfo, CompressedImage, Imu
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from gremsy_camera.errors import RecordingError
from gremsy_camera.live.encoded_video import EncodedPacket
from gremsy_camera.recording.bag_file import BagFiles
from gremsy_camera.recording.bag_messages import (
    RECORDED_TOPICS,
    as_message,
    channel_of,
    copied_jpeg_channel,
    definition_of,
    jpeg_channel,
)
from gremsy_camera.recording.recordings_folder import RecordingsFolder
from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame

MS = 1_000_000
STAMP_NS = 1_700_000_000_123_456_789
CAME_NS = STAMP_NS + 40 * MS


@pytest.fixture
def bags(tmp_path):
    folder = RecordingsFolder(tmp_path)
    folder.prepare()
    made = BagFiles(folder, 'robot_eo', 0.0)
    yield made
    made.close()


def add(bags: BagFiles, channel, item, came_ns: int, now_ns: int) -> None:
    bags.add(channel, channel.serialize(item), came_ns, now_ns)


def decoded(path):
    """(topic, message) by MCAP's own decoder, in the order of the file's log times."""
    with path.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()], validate_crcs=True)
        assert reader.get_header().profile == 'ros2'
        return [(channel.topic, record, message) for _, channel, record, message in reader.iter_decoded_messages()]


def picture(dtype=np.uint8, channels=3):
    shape = (120, 160) if channels == 1 else (120, 160, channels)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def test_every_topic_that_is_heard_can_be_recorded_and_read(bags, tmp_path):
    """An empty message of each: schema and CDR are understood by both readers, and say the same type."""
    for topic in RECORDED_TOPICS:
        add(bags, channel_of(topic, f'/robot/eo/{topic.name.strip("/")}'), topic.message_type(), CAME_NS, 0)
    bags.close()
    path = tmp_path / 'robot_eo_001.mcap'
    seen = decoded(path)
    assert [topic for topic, _, _ in seen] == [f'/robot/eo/{topic.name.strip("/")}' for topic in RECORDED_TOPICS]
    reader = McapReader(path)
    reader.open()
    types = {each.topic: each.msgtype for each in reader.connections}
    reader.close()
    for topic in RECORDED_TOPICS:
        kind = f'{topic.message_type.__module__.split(".")[0]}/msg/{topic.message_type.__name__}'
        assert types[f'/robot/eo/{topic.name.strip("/")}'] == kind


def test_an_item_and_the_message_it_would_be_are_written_alike(bags, tmp_path):
    box = np.array([[10.0, 20.0, 30.0, 60.0]])
    item = Detections(STAMP_NS, 'robot/eo_optical_frame', box, np.array([0.75]), np.array(['person']))
    channel = channel_of(topics.DETECTIONS, '/robot/eo/detections')
    add(bags, channel, item, CAME_NS, 0)
    add(bags, channel, topics.DETECTIONS.to_message(item), CAME_NS + 1, 0)
    bags.close()
    (_, first, message), (_, second, _) = decoded(tmp_path / 'robot_eo_001.mcap')
    assert first.data == second.data
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert message.detections[0].results[0].hypothesis.class_id == 'person'
    assert message.detections[0].results[0].hypothesis.score == 0.75
    assert (message.detections[0].bbox.center.position.x, message.detections[0].bbox.size_y) == (20.0, 40.0)


def test_received_and_captured_are_the_times_of_a_message(bags, tmp_path):
    camera = StampedCamera(STAMP_NS, 'eo', CameraModel.from_horizontal_field(160, 120, 1.0))
    add(bags, channel_of(topics.CAMERA_INFO, '/robot/eo/camera_info'), camera, CAME_NS, 0)
    add(bags, channel_of(topics.TARGET_STATE, '/robot/eo/target/state'), 'searching', CAME_NS + 5, 0)
    add(bags, channel_of(topics.TF_RECEIVED, '/tf'), TFMessage(), CAME_NS + 6, 0)
    add(bags, channel_of(topics.GIMBAL_ATTITUDE, '/robot/eo/gimbal/attitude'), Imu(), CAME_NS + 7, 0)
    bags.close()
    times = [(record.log_time, record.publish_time) for _, record, _ in decoded(tmp_path / 'robot_eo_001.mcap')]
    # Without a header, or with stamp 0, there is only the time at which it came.
    assert times == [(CAME_NS, STAMP_NS), *((CAME_NS + k, CAME_NS + k) for k in (5, 6, 7))]


def test_pictures_are_jpeg_and_those_of_16_bits_keep_every_bit(bags, tmp_path):
    channel = jpeg_channel('/robot/eo/image_raw/compressed', 90)
    colour, deep = picture(), picture(np.uint16, 1)
    add(bags, channel, Frame(colour, STAMP_NS, 'eo'), CAME_NS, 0)
    add(bags, channel, Frame(deep, STAMP_NS, 'eo', 'mono16'), CAME_NS + 1, 0)
    add(bags, channel, Frame(deep.astype('>u2'), STAMP_NS, 'eo', 'mono16'), CAME_NS + 2, 0)
    bags.close()
    messages = [message for _, _, message in decoded(tmp_path / 'robot_eo_001.mcap')]
    assert [message.format for message in messages] == [
        'bgr8; jpeg compressed bgr8', 'mono16; png compressed ', 'mono16; png compressed '
    ]  # fmt: skip
    assert cv2.imdecode(np.frombuffer(messages[0].data, np.uint8), cv2.IMREAD_COLOR).shape == colour.shape
    for message in messages[1:]:
        read = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert read.dtype == np.uint16 and (read == deep).all()


def test_pictures_that_are_jpeg_already_are_copied(bags, tmp_path):
    jpeg = cv2.imencode('.jpg', picture())[1].tobytes()
    channel = copied_jpeg_channel('/robot/eo/image_raw/compressed', 'eo')
    add(bags, channel, EncodedPacket(jpeg, STAMP_NS, 0, 0, True), CAME_NS, 0)
    add(bags, jpeg_channel('/robot/eo/image_raw/compressed', 90), Frame(picture(), STAMP_NS, 'eo'), CAME_NS, 0)
    bags.close()
    with (tmp_path / 'robot_eo_001.mcap').open('rb') as file:
        assert len(make_reader(file).get_summary().channels) == 1
    message = decoded(tmp_path / 'robot_eo_001.mcap')[0][2]
    assert bytes(message.data) == jpeg and message.header.frame_id == 'eo'


def test_a_message_read_by_rclpy_is_the_one_that_was_written(bags, tmp_path):
    written = CameraInfo(width=640, height=480, distortion_model='plumb_bob', d=[0.1, 0.2, 0.3, 0.4, 0.5])
    add(bags, channel_of(topics.CAMERA_INFO, '/c'), written, CAME_NS, 0)
    bags.close()
    ((_, record, _),) = decoded(tmp_path / 'robot_eo_001.mcap')
    assert deserialize_message(record.data, CameraInfo) == written


def test_rosbags_reads_the_messages_with_the_definitions_in_the_file(bags, tmp_path):
    for k in range(50):
        frame = Frame(picture(), STAMP_NS + k * MS, 'eo')
        add(bags, jpeg_channel('/robot/eo/image_raw/compressed', 80), frame, CAME_NS + k * MS, 0)
        add(bags, channel_of(topics.TARGET_STATE, '/robot/eo/target/state'), String(data=f'{k}'), CAME_NS + k * MS, 0)
    bags.close()
    with AnyReader([tmp_path / 'robot_eo_001.mcap']) as reader:
        read = [(c.topic, time, reader.deserialize(raw, c.msgtype)) for c, time, raw in reader.messages()]
    states = [(time, message.data) for topic, time, message in read if topic.endswith('state')]
    assert states == [(CAME_NS + k * MS, f'{k}') for k in range(50)]
    assert len(read) == 100


def test_what_is_latched_is_played_so(bags, tmp_path):
    for topic in (topics.TF_STATIC_RECEIVED, topics.TF_RECEIVED):
        add(bags, channel_of(topic, topic.name), TFMessage(), CAME_NS, 0)
    bags.close()
    reader = McapReader(tmp_path / 'robot_eo_001.mcap')
    reader.open()
    durabilities = {
        each.topic: [qos.durability.name for qos in each.ext.offered_qos_profiles] for each in reader.connections
    }
    reader.close()
    assert durabilities == {'/tf_static': ['TRANSIENT_LOCAL'], '/tf': []}


def torn(path, cut: int) -> list[str]:
    """What a reader that goes from the front finds before the file ends in the middle."""
    found = []
    reader = NonSeekingReader(io.BytesIO(path.read_bytes()[:cut]), decoder_factories=[DecoderFactory()])
    # In the middle of a record's head it is struct that complains.
    with contextlib.suppress(EndOfFile, struct.error):
        found += (message.data for _, _, _, message in reader.iter_decoded_messages(log_time_order=False))
    return found


def test_a_file_that_was_never_closed_has_all_up_to_the_last_flush(bags, tmp_path):
    path = tmp_path / 'robot_eo_001.mcap'
    sizes = []
    for k in range(100):
        add(bags, channel_of(topics.TARGET_STATE, '/state'), f'state {k}', CAME_NS + k, 0)
        if k % 10 == 9:
            bags.flush()
            sizes.append(path.stat().st_size)
    generator = random.Random(3)
    for cut in [path.stat().st_size, *(generator.randrange(sizes[0], sizes[-1]) for _ in range(10))]:
        whole = 10 * len([size for size in sizes if size <= cut])
        found = torn(path, cut)
        # The index behind a chunk may be torn off, and the messages are there all the same.
        assert found in ([f'state {k}' for k in range(whole)], [f'state {k}' for k in range(whole + 10)])


def test_segments_have_their_own_definitions(tmp_path):
    folder = RecordingsFolder(tmp_path)
    folder.prepare()
    bags = BagFiles(folder, 'a', 10.0)
    for second in range(25):
        add(bags, channel_of(topics.TARGET_STATE, '/state'), f'{second}', CAME_NS, second * 1_000_000_000)
    bags.close()
    assert bags.paths == ['a_001.mcap', 'a_002.mcap', 'a_003.mcap']
    assert [[m.data for _, _, m in decoded(tmp_path / name)] for name in bags.paths] == [
        [f'{k}' for k in range(10)], [f'{k}' for k in range(10, 20)], [f'{k}' for k in range(20, 25)]
    ]  # fmt: skip


def test_a_bag_that_gets_nothing_is_no_file(bags, tmp_path):
    bags.flush()
    bags.close()
    assert list(tmp_path.glob('*.mcap')) == []


def test_a_definition_has_each_of_its_parts_once():
    text = definition_of('tf2_msgs/msg/TFMessage')
    assert [line for line in text.splitlines() if line.startswith('MSG: ')] == [
        'MSG: geometry_msgs/TransformStamped',
        'MSG: std_msgs/Header',
        'MSG: geometry_msgs/Transform',
        'MSG: builtin_interfaces/Time',
        'MSG: geometry_msgs/Vector3',
        'MSG: geometry_msgs/Quaternion',
    ]


def test_a_definition_that_is_not_installed_is_named():
    with pytest.raises(RecordingError) as refused:
        definition_of('foreign_msgs/msg/Foreign')
    assert str(refused.value) == (
        'The definition of foreign_msgs/msg/Foreign is not installed, and a bag without it could not be read: install '
        'the ROS package foreign_msgs, or set `record_format: mp4`.'
    )


def test_a_recorder_gets_foreign_messages_as_they_are():
    message = CompressedImage(format='whatever')
    assert as_message(topics.DETECTIONS).from_message(message) is message
    assert as_message(topics.DETECTIONS).item_type is topics.DETECTIONS.item_type
