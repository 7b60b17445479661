# SPDX-License-Identifier: Apache-2.0
"""The topics that a bag has, their definitions from where ROS installed them, and their items as CDR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage

from gremsy_camera.errors import RecordingError
from gremsy_camera.live.encoded_video import EncodedPacket
from gremsy_camera.recording.bag_file import BagChannel, Serialized
from gremsy_common.picture.viewable_pictures import DEEP_GREY, ViewablePictures
from gremsy_common.ros import topics
from gremsy_common.ros.messages.header_messages import header, stamp_of
from gremsy_common.ros.messages.image_messages import compressed_message
from gremsy_common.ros.transport.quality import Quality
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.types.frame import Frame

_DIAGNOSTICS: Topic[DiagnosticArray] = Topic(
    '/diagnostics', DiagnosticArray, DiagnosticArray, lambda message: message, lambda message: message, Quality.FRAMES
)

RECORDED_TOPICS: tuple[Topic[Any], ...] = (
    topics.DETECTIONS,
    topics.CANDIDATES,
    topics.LABEL_INFO,
    topics.TRACKS,
    topics.TARGET,
    topics.TARGET_STATE,
    topics.TARGET_BEARING,
    topics.TARGET_POSITION,
    topics.GIMBAL_SETPOINT,
    topics.GIMBAL_ATTITUDE,
    topics.GIMBAL_ATTITUDE_EARTH,
    topics.GIMBAL_HEADING,
    topics.GIMBAL_ZOOM,
    topics.GIMBAL_RANGE,
    topics.GIMBAL_CONTROL,
    topics.TF_RECEIVED,
    topics.TF_STATIC_RECEIVED,
    _DIAGNOSTICS,
)
"""What a bag has beside the camera's own topics, wherever it comes from."""

_SEPARATOR = '=' * 80
_FIELD = re.compile(r'^([A-Za-z]\w*(?:/\w+)*)(?:\[[^\]]*\])?\s+\w')
_BUILT_IN = re.compile(r'bool|byte|char|w?string|float(32|64)|u?int(8|16|32|64)')
# As rosbag2 writes it since Jazzy; /tf_static must be played so that those who come late get it too.
_LATCHED_QOS = """- history: keep_last
  depth: 1
  reliability: reliable
  durability: transient_local
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: automatic
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""


def as_message(topic: Topic[Any]) -> Topic[Any]:
    """The topic for a recorder: what comes over DDS is the message itself, turned into nothing and back."""
    return replace(topic, from_message=_same)


def channel_of(topic: Topic[Any], full_name: str) -> BagChannel:
    """For items of the topic and for its messages.

    Raises:
        RecordingError: when the message's definition is not installed.
    """

    def serialize(item: object) -> Serialized:
        return serialized(item if isinstance(item, topic.message_type) else topic.to_message(item))

    return _channel(full_name, topic.message_type, _LATCHED_QOS if topic.quality.latched else '[]', serialize)


def jpeg_channel(full_name: str, jpeg_quality: int) -> BagChannel:
    """Frames as JPEG; those of 16 bits as PNG, which keeps every bit."""
    pictures = ViewablePictures()

    def serialize(frame: Frame) -> Serialized:
        deep = frame.encoding in DEEP_GREY
        shown = frame if deep else pictures.of(frame)
        return serialized(compressed_message(shown, jpeg_quality, lossless=deep))

    return _channel(full_name, CompressedImage, '[]', serialize)


def copied_jpeg_channel(full_name: str, frame_id: str) -> BagChannel:
    """Packets of a camera whose pictures are JPEG already."""

    def serialize(packet: EncodedPacket) -> Serialized:
        message = CompressedImage(header=header(packet.stamp_ns, frame_id), format='bgr8; jpeg compressed bgr8')
        message.data.frombytes(packet.data)
        return serialized(message)

    return _channel(full_name, CompressedImage, '[]', serialize)


def serialized(message: Any) -> Serialized:
    """CDR, and the stamp of the header where it has one."""
    stamped = getattr(message, 'header', None)
    return Serialized(serialize_message(message), (stamp_of(stamped.stamp) or None) if stamped is not None else None)


@cache
def definition_of(root: str) -> str:
    """The message's definition, then those of all the messages in it, each once, in the order in which they are met.

    Raises:
        RecordingError: when one is not installed.
    """
    done: dict[str, str] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        if name not in done:
            done[name] = _text_of(name)
            waiting += _parts_of(name, done[name])
    first, *others = done
    return done[first] + ''.join(f'\n{_SEPARATOR}\nMSG: {name.replace("/msg/", "/")}\n{done[name]}' for name in others)


def _channel(full_name: str, message_type: type[Any], qos: str, serialize: Any) -> BagChannel:
    name = f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'
    return BagChannel(full_name, name, definition_of(name), qos, serialize)


def _same(message: Any) -> Any:
    return message


def _text_of(name: str) -> str:
    package, _, kind = name.partition('/msg/')
    try:
        return (Path(get_package_share_directory(package)) / 'msg' / f'{kind}.msg').read_text(encoding='utf-8')
    except (PackageNotFoundError, OSError) as error:
        raise RecordingError(
            f'The definition of {name} is not installed, and a bag without it could not be read: install the ROS '
            f'package {package}, or set `record_format: mp4`.'
        ) from error


def _parts_of(name: str, text: str) -> Iterator[str]:
    for line in text.splitlines():
        field = _FIELD.match(line)
        if field is None or _BUILT_IN.fullmatch(field[1]):
            continue
        package, _, kind = field[1].rpartition('/')
        yield f'{package.split("/")[0] or name.split("/")[0]}/msg/{kind}'
