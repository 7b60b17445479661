# SPDX-License-Identifier: Apache-2.0
"""Every topic of the suite in one table (design.md section 4): relative name, core type, ROS message, QoS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from geometry_msgs.msg import PointStamped, PoseWithCovarianceStamped, QuaternionStamped, TwistStamped, Vector3Stamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState, Range, TimeReference
from std_msgs.msg import Float64, String
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, VisionInfo
from visualization_msgs.msg import MarkerArray

from gremsy_common.ros.messages import (
    camera_info_messages as camera_info,
)
from gremsy_common.ros.messages import (
    detection_messages as detection,
)
from gremsy_common.ros.messages import (
    gimbal_messages as gimbal,
)
from gremsy_common.ros.messages import (
    image_messages as image,
)
from gremsy_common.ros.messages import (
    image_wire_messages as image_wire,
)
from gremsy_common.ros.messages import (
    request_messages as requests,
)
from gremsy_common.ros.messages import (
    target_messages as place,
)
from gremsy_common.ros.messages import (
    vehicle_messages as vehicle,
)
from gremsy_common.ros.messages import (
    video_time_messages as video_time,
)
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


def _same(message: object) -> object:
    return message


def _text(name: str, quality: Quality = Quality.RESULT) -> Topic[str]:
    def to_message(text: str) -> String:
        return String(data=text)

    def from_message(message: String) -> str:
        return str(message.data)

    return Topic(name, str, String, to_message, from_message, quality)


def _number(name: str) -> Topic[float]:
    return Topic(name, float, Float64, lambda number: Float64(data=number), lambda message: float(message.data))


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
IMAGE_COMPRESSED: Topic[CompressedImage] = Topic(
    'image_raw/compressed',
    CompressedImage,
    CompressedImage,
    _same,
    _same,
    Quality.IMAGE,
    when_doubled=_TWO_CAMERAS,
)
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
VISION_INFO = Topic(
    'vision_info', detection.Pipeline, VisionInfo, detection.pipeline_message, detection.pipeline_from, Quality.LATCHED
)
TRACKS = Topic('tracks', Tracks, Detection2DArray, detection.tracks_message, detection.tracks_from)
TARGET = Topic('target', Target, Detection2D, detection.target_message, detection.target_from)
TARGET_STATE = _text('target/state')
TARGET_BEARING = Topic('target/bearing', TargetBearing, Vector3Stamped, place.bearing_message, place.bearing_from)
TARGET_POSITION = Topic(
    'target/position', TargetPosition, PoseWithCovarianceStamped, place.position_message, place.position_from
)
TARGET_SELECT = Topic(
    'target/select', detection.PixelChoice, PointStamped, detection.choice_message, detection.choice_from
)
# `PATH` once a second while somebody watches that path of video, `PATH key` when somebody has just come.
STREAM_WATCH = _text('stream/watch')
TARGET_SELECT_ID = _text('target/select_id')
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
COMMAND_RATE = Topic('~/cmd/rate', RateSetpoint, TwistStamped, gimbal.setpoint_message, gimbal.setpoint_from)
COMMAND_ATTITUDE = Topic(
    '~/cmd/attitude', OrientationRequest, QuaternionStamped, requests.orientation_message, requests.orientation_from
)
COMMAND_JOINT = Topic('~/cmd/joint', JointRequest, JointState, requests.joint_message, requests.joint_from)
COMMAND_LOOK_AT = Topic('~/cmd/look_at', PointRequest, PointStamped, requests.point_message, requests.point_from)
COMMAND_ZOOM = _number('~/cmd/zoom')
# Shares of the payload's own picture, 0 to 1 from its top left corner: which pixels it has depends on its view.
COMMAND_TRACK: Topic[PointStamped] = Topic('~/cmd/track', PointStamped, PointStamped, _same, _same)
VEHICLE_IMU = Topic('vehicle/imu', VehicleAttitude, Imu, vehicle.imu_message, vehicle.vehicle_from_imu)
VEHICLE_ODOMETRY = Topic(
    'vehicle/odometry', VehicleAttitude, Odometry, vehicle.odometry_message, vehicle.vehicle_from_odometry
)
JOINT_STATES: Topic[JointState] = Topic('joint_states', JointState, JointState, _same, _same)
TF: Topic[TFMessage] = Topic('/tf', TFMessage, TFMessage, _same, _same, shared=True)
# For listening to everybody's frames: always over DDS, whoever publishes in this process too.
TF_RECEIVED: Topic[TFMessage] = Topic('/tf', TFMessage, TFMessage, _same, _same, Quality.FRAMES, shared=True)
TF_STATIC_RECEIVED: Topic[TFMessage] = Topic(
    '/tf_static', TFMessage, TFMessage, _same, _same, Quality.STATIC_FRAMES, shared=True
)
MARKERS: Topic[MarkerArray] = Topic('markers', MarkerArray, MarkerArray, _same, _same)
