# SPDX-License-Identifier: Apache-2.0
"""Every topic of the suite in one table (design.md section 4): relative name, core type, ROS message, QoS."""

from __future__ import annotations

from geometry_msgs.msg import PointStamped, TwistStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState
from std_msgs.msg import Float64, String
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, VisionInfo
from visualization_msgs.msg import MarkerArray

from gremsy_common.detections import Detections, Target, Tracks
from gremsy_common.frame import Frame
from gremsy_common.gimbal_state import GimbalAttitude, RateSetpoint, ZoomState
from gremsy_common.messages import camera_info, detection, gimbal, image
from gremsy_common.transport.topic import Quality, Topic


def _same(message: object) -> object:
    return message


def _text(name: str, latched: bool = False) -> Topic[str]:
    def to_message(text: str) -> String:
        return String(data=text)

    def from_message(message: String) -> str:
        return str(message.data)

    if latched:
        return Topic(name, str, String, to_message, from_message, Quality.LATCHED)
    return Topic(name, str, String, to_message, from_message)


def _image(name: str) -> Topic[Frame]:
    return Topic(name, Frame, Image, image.image_message, image.frame_from_image, Quality.IMAGE, heavy=True)


IMAGE_RAW = _image('image_raw')
OVERLAY = _image('overlay')
# The JPEG is made by the camera only while somebody listens, so the item is the message itself.
IMAGE_COMPRESSED: Topic[CompressedImage] = Topic(
    'image_raw/compressed',
    CompressedImage,
    CompressedImage,
    _same,
    _same,
    Quality.IMAGE,
)
CAMERA_INFO = Topic(
    'camera_info', camera_info.StampedCamera, CameraInfo, camera_info.camera_info_message, camera_info.camera_from_info
)
DETECTIONS = Topic('detections', Detections, Detection2DArray, detection.detections_message, detection.detections_from)
LABEL_INFO = Topic(
    'label_info', detection.Labels, LabelInfo, detection.labels_message, detection.labels_from, Quality.LATCHED
)
VISION_INFO = Topic(
    'vision_info', detection.Pipeline, VisionInfo, detection.pipeline_message, detection.pipeline_from, Quality.LATCHED
)
TRACKS = Topic('tracks', Tracks, Detection2DArray, detection.tracks_message, detection.tracks_from)
TARGET = Topic('target', Target, Detection2D, detection.target_message, detection.target_from)
TARGET_STATE = _text('target/state')
TARGET_SELECT = Topic(
    'target/select', detection.PixelChoice, PointStamped, detection.choice_message, detection.choice_from
)
TARGET_SELECT_ID = _text('target/select_id')
GIMBAL_SETPOINT = Topic('gimbal/setpoint', RateSetpoint, TwistStamped, gimbal.setpoint_message, gimbal.setpoint_from)
GIMBAL_ZOOM_SETPOINT: Topic[float] = Topic(
    'gimbal/zoom_setpoint', float, Float64, lambda factor: Float64(data=factor), lambda message: float(message.data)
)
GIMBAL_ATTITUDE = Topic('gimbal/attitude', GimbalAttitude, Imu, gimbal.attitude_message, gimbal.attitude_from)
GIMBAL_ZOOM = Topic('gimbal/zoom', ZoomState, JointState, gimbal.zoom_message, gimbal.zoom_from)
GIMBAL_CONTROL = _text('gimbal/control', latched=True)
COMMAND_RATE = Topic('~/cmd/rate', RateSetpoint, TwistStamped, gimbal.setpoint_message, gimbal.setpoint_from)
JOINT_STATES: Topic[JointState] = Topic('joint_states', JointState, JointState, _same, _same)
TF: Topic[TFMessage] = Topic('/tf', TFMessage, TFMessage, _same, _same)
MARKERS: Topic[MarkerArray] = Topic('markers', MarkerArray, MarkerArray, _same, _same)
