# SPDX-License-Identifier: Apache-2.0
"""Every topic of the suite in one table (design.md section 4): relative name, core type, ROS message, QoS."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped, QuaternionStamped, TwistStamped, Vector3Stamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState, Range, TimeReference
from std_msgs.msg import Float64, String
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, VisionInfo
from visualization_msgs.msg import MarkerArray

import gremsy_common.ros.messages.camera_info_messages as camera_info
import gremsy_common.ros.messages.detection_messages as detection
import gremsy_common.ros.messages.gimbal_messages as gimbal
import gremsy_common.ros.messages.image_messages as image
import gremsy_common.ros.messages.image_wire_messages as image_wire
import gremsy_common.ros.messages.request_messages as requests
import gremsy_common.ros.messages.target_messages as place
import gremsy_common.ros.messages.vehicle_messages as vehicle
import gremsy_common.ros.messages.video_time_messages as video_time
from gremsy_common.ros.transport.quality import Quality
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.ros.transport.wire_form import WireForm
from gremsy_common.types.detections import Detections, Target, Tracks
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.gimbal_state import (
    EarthAttitude,
    GimbalAttitude,
    ImuReading,
    JointRequest,
    LevelHeading,
    OrientationRequest,
    PointRequest,
    RangeReading,
    RateSetpoint,
    VehicleAttitude,
    ZoomState,
)
from gremsy_common.types.target_place import TargetBearing, TargetPosition
from gremsy_common.types.video_time import VideoTime

Message = TypeVar('Message')


def _of_ros(name: str, of: type[Message], quality: Quality = Quality.RESULT, *, shared: bool = False) -> Topic[Message]:
    """Its items are the messages themselves."""

    def same(message: Message) -> Message:
        return message

    return Topic(name, of, of, same, same, quality, shared=shared)


def _text(name: str, quality: Quality = Quality.RESULT, *, is_request: bool = False) -> Topic[str]:
    def to_message(text: str) -> String:
        return String(data=text)

    return Topic(name, str, String, to_message, lambda message: str(message.data), quality, is_request=is_request)


def _number(name: str, *, is_request: bool = False) -> Topic[float]:
    def to_message(number: float) -> Float64:
        return Float64(data=number)

    return Topic(name, float, Float64, to_message, lambda message: float(message.data), is_request=is_request)


def _image(name: str) -> Topic[Frame]:
    example = Frame(lock_read_only(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)), 1_234_567_890_123, 'optical')
    return Topic(
        name,
        Frame,
        Image,
        image.image_message,
        image.frame_from_image,
        Quality.IMAGE,
        heavy=True,
        wire=WireForm(image_wire.image_wire, image_wire.image_from_wire, example),
    )


_TWO_CAMERAS = "stop or remap one of them, or let the suite's camera hand on the other's images (`source: external`)"
IMAGE_RAW = replace(_image('image_raw'), when_doubled=_TWO_CAMERAS)
# The same topic for a consumer that reads every encoding itself, so that nothing is converted at full size.
IMAGE_RAW_AS_SENT = replace(IMAGE_RAW, from_message=image.frame_as_sent)
# 16-bit infrared as 8 bits, made by the camera only while somebody listens.
IMAGE_MONO8 = _image('image_mono8')
OVERLAY = _image('overlay')
# The JPEG is made by the camera only while somebody listens, so the item is the message itself.
IMAGE_COMPRESSED = replace(_of_ros('image_raw/compressed', CompressedImage, Quality.IMAGE), when_doubled=_TWO_CAMERAS)
CAMERA_INFO = Topic(
    'camera_info',
    camera_info.StampedCamera,
    CameraInfo,
    camera_info.camera_info_message,
    camera_info.camera_from_info,
    Quality.SENSOR,
    when_doubled=_TWO_CAMERAS,
)
# Of a camera that is read from the media server that browsers read too; of any other the RTP time is made of the stamp.
VIDEO_TIME = Topic(
    'video_time',
    VideoTime,
    TimeReference,
    video_time.video_time_message,
    video_time.video_time_from,
    Quality.SENSOR,
)
DETECTIONS = Topic('detections', Detections, Detection2DArray, detection.detections_message, detection.detections_from)
# Down to a lower score, for a tracker that keeps a known target by doubtful boxes.
CANDIDATES = replace(DETECTIONS, name='detections/candidates')
LABEL_INFO = Topic(
    'label_info', detection.Labels, LabelInfo, detection.labels_message, detection.labels_from, Quality.LATCHED
)
VISION_INFO = _of_ros('vision_info', VisionInfo, Quality.LATCHED)
TRACKS = Topic('tracks', Tracks, Detection2DArray, detection.tracks_message, detection.tracks_from)
TARGET = Topic('target', Target, Detection2D, detection.target_message, detection.target_from)
TARGET_STATE = _text('target/state')
TARGET_BEARING = Topic('target/bearing', TargetBearing, Vector3Stamped, place.bearing_message, place.bearing_from)
TARGET_POSITION = Topic(
    'target/position', TargetPosition, PoseWithCovarianceStamped, place.position_message, place.position_from
)
TARGET_SELECT = Topic(
    'target/select',
    detection.PixelChoice,
    PointStamped,
    detection.choice_message,
    detection.choice_from,
    is_request=True,
)
# `PATH` once a second while somebody watches that path of video, `PATH key` when somebody has just come.
STREAM_WATCH = _text('stream/watch')
TARGET_SELECT_ID = _text('target/select_id', is_request=True)
GIMBAL_SETPOINT = Topic('gimbal/setpoint', RateSetpoint, TwistStamped, gimbal.setpoint_message, gimbal.setpoint_from)
GIMBAL_ZOOM_SETPOINT = _number('gimbal/zoom_setpoint')
GIMBAL_ATTITUDE = Topic('gimbal/attitude', GimbalAttitude, Imu, gimbal.attitude_message, gimbal.attitude_from)
GIMBAL_ZOOM = Topic('gimbal/zoom', ZoomState, JointState, gimbal.zoom_message, gimbal.zoom_from)
GIMBAL_CONTROL = _text('gimbal/control', Quality.LATCHED)
GIMBAL_ATTITUDE_EARTH = Topic(
    'gimbal/attitude_earth', EarthAttitude, Imu, gimbal.earth_attitude_message, gimbal.earth_attitude_from
)
GIMBAL_HEADING = Topic('gimbal/heading', LevelHeading, Imu, gimbal.heading_message, gimbal.heading_from)
GIMBAL_IMU = Topic('gimbal/imu', ImuReading, Imu, gimbal.imu_message, gimbal.imu_from)
GIMBAL_RANGE = Topic('gimbal/range', RangeReading, Range, gimbal.range_message, gimbal.range_from)
GIMBAL_GOAL = _text('gimbal/goal', Quality.EVENTS)
GIMBAL_PLANT = _text('gimbal/plant', Quality.LATCHED)
GIMBAL_ATTITUDE_AGE = _text('gimbal/attitude_age')
COMMAND_RATE = Topic(
    '~/cmd/rate', RateSetpoint, TwistStamped, gimbal.setpoint_message, gimbal.setpoint_from, is_request=True
)
COMMAND_ATTITUDE = Topic(
    '~/cmd/attitude',
    OrientationRequest,
    QuaternionStamped,
    requests.orientation_message,
    requests.orientation_from,
    is_request=True,
)
COMMAND_JOINT = Topic(
    '~/cmd/joint', JointRequest, JointState, requests.joint_message, requests.joint_from, is_request=True
)
COMMAND_LOOK_AT = Topic(
    '~/cmd/look_at', PointRequest, PointStamped, requests.point_message, requests.point_from, is_request=True
)
COMMAND_ZOOM = _number('~/cmd/zoom', is_request=True)
# Shares of the payload's own picture, 0 to 1 from its top left corner: which pixels it has depends on its view.
COMMAND_TRACK = replace(_of_ros('~/cmd/track', PointStamped), is_request=True)
VEHICLE_IMU = Topic('vehicle/imu', VehicleAttitude, Imu, vehicle.imu_message, vehicle.vehicle_from_imu)
VEHICLE_ODOMETRY = Topic(
    'vehicle/odometry', VehicleAttitude, Odometry, vehicle.odometry_message, vehicle.vehicle_from_odometry
)
JOINT_STATES = _of_ros('joint_states', JointState)
TF = _of_ros('/tf', TFMessage, shared=True)
# For listening to everybody's frames: always over DDS, whoever publishes in this process too.
TF_RECEIVED = _of_ros('/tf', TFMessage, Quality.FRAMES, shared=True)
TF_STATIC_RECEIVED = _of_ros('/tf_static', TFMessage, Quality.STATIC_FRAMES, shared=True)
MARKERS = _of_ros('markers', MarkerArray)
