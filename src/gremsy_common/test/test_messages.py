# SPDX-License-Identifier: Apache-2.0
"""Every conversion there and back; needs the built workspace (sensor_msgs, vision_msgs)."""

import numpy as np
import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from sensor_msgs.msg import CameraInfo, Image, Imu, JointState

from gremsy_common.errors import Unusable
from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.messages.detection_messages import Labels, Pipeline, PixelChoice
from gremsy_common.ros.messages.image_messages import frame_as_sent, frame_from_image
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections, Target, Tracks
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint, ZoomState
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS

STAMP = 1_700_000_000_123_456_789


def there_and_back(topic, item):
    return topic.from_message(topic.to_message(item))


def test_image_keeps_every_pixel_and_its_stamp():
    pixels = np.random.default_rng(1).integers(0, 255, (7, 5, 3), dtype=np.uint8)
    frame = there_and_back(topics.IMAGE_RAW, Frame(pixels, STAMP, 'eo'))
    assert np.array_equal(frame.image, pixels)
    assert (frame.stamp_ns, frame.frame_id, frame.encoding) == (STAMP, 'eo', 'bgr8')
    assert not frame.image.flags.writeable


def test_padded_rows_are_cut():
    message = Image(width=2, height=2, step=8, encoding='bgr8')
    message.data.frombytes(bytes(range(16)))
    assert frame_from_image(message).image.tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 9, 10], [11, 12, 13]]]


def test_rgb_becomes_bgr():
    message = Image(width=1, height=1, step=3, encoding='rgb8')
    message.data.frombytes(bytes([1, 2, 3]))
    assert frame_from_image(message).image.tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize(
    ('width', 'height', 'step', 'size', 'sentence'),
    [
        (0, 2, 0, 0, 'the image is 0x2 px: it has no pixels, so check its publisher.'),
        (2, 2, 6, 11, '11 bytes with a step of 6 are not a 2x2 bgr8 image: check its publisher.'),
        (2, 2, 5, 12, '12 bytes with a step of 5 are not a 2x2 bgr8 image: check its publisher.'),
    ],
)
def test_image_that_does_not_fit_its_header_is_refused(width, height, step, size, sentence):
    message = Image(width=width, height=height, step=step, encoding='bgr8')
    message.data.frombytes(bytes(size))
    with pytest.raises(ValueError, match='image') as refused:
        frame_from_image(message)
    assert str(refused.value) == sentence


def image_of(encoding, width=4, height=4, step=None, data=None, **more):
    message = Image(width=width, height=height, step=step or width, encoding=encoding, **more)
    message.data.frombytes(bytes(step * height if step else width * height) if data is None else data)
    return message


@pytest.mark.parametrize(('encoding', 'shown'), [('8UC1', 'mono8'), ('8UC3', 'bgr8')])
def test_opencvs_own_names_are_pictures_too(encoding, shown):
    frame = frame_from_image(image_of(encoding, step=12))
    assert (frame.encoding, frame.image.shape[:2]) == (shown, (4, 4))


@pytest.mark.parametrize('encoding', ['16UC1', 'mono16'])
@pytest.mark.parametrize('big', [False, True])
def test_an_infrared_picture_is_stretched_to_be_seen(encoding, big):
    """14 of 16 bits, as a bolometer sends them: taken as they are, they would be black."""
    counts = np.full((64, 64), 7000, np.uint16)
    counts[:, 32:] = 8000
    data = counts.astype('>u2' if big else '<u2').tobytes()
    frame = frame_from_image(image_of(encoding, 64, 64, 128, data, is_bigendian=big))
    assert (frame.encoding, frame.image.dtype) == ('mono8', np.uint8)
    assert [int(frame.image[5, 5]), int(frame.image[5, 60])] == [0, 255]
    assert not frame.image.flags.writeable


@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_a_flat_grey_yuv_picture_is_that_grey(encoding):
    """BT.601: Y = 126 is 1.164 (126 - 16) = 128, U = V = 128 no colour."""
    frame = frame_from_image(image_of(encoding, data=bytes([126] * 16 + [128] * 8)))
    assert frame.image.tolist() == [[[128, 128, 128]] * 4] * 4


@pytest.mark.parametrize(
    ('message', 'reason', 'text'),
    [
        (
            image_of('nv12', 5, 4, 5, bytes(30)),
            'odd size',
            'the image is 5x4 px, and nv12 shares colour between two pixels: publish it in an even size, or as bgr8.',
        ),
        (image_of('mono8', 0), 'no pixels', 'the image is 0x4 px: it has no pixels, so check its publisher.'),
        (
            image_of('16UC1', step=4),
            'data too short',
            '16 bytes with a step of 4 are not a 4x4 16UC1 image: check its publisher.',
        ),
    ],
)
def test_an_image_that_is_not_used_has_a_reason(message, reason, text):
    with pytest.raises(Unusable) as refused:
        frame_from_image(message)
    assert (refused.value.reason, str(refused.value)) == (reason, text)


@pytest.mark.parametrize('encoding', ['32FC1', 'mei', ''])
def test_an_encoding_that_is_no_picture_is_named_with_those_that_are(encoding):
    for convert, text in ((frame_from_image, 'is no picture that can be shown ('), (frame_as_sent, 'is unknown')):
        with pytest.raises(Unusable) as refused:
            convert(image_of(encoding, step=16))
        assert refused.value.reason == 'unknown encoding'
        assert f"encoding '{encoding}' {text}" in str(refused.value)
        assert str(refused.value).endswith(f': publish one of {", ".join(PIXEL_LAYOUTS)}.')


BOXES = np.array([[1.0, 2.0, 3.0, 6.0], [10.5, 0.0, 20.0, 5.25]])
SCORES = np.array([0.9, 0.25])
LABELS = np.array(['person', 'dog'])


def test_detections_keep_boxes_scores_and_names():
    message = topics.DETECTIONS.to_message(Detections(STAMP, 'eo', BOXES, SCORES, LABELS))
    assert [each.id for each in message.detections] == ['', '']
    assert message.detections[0].header == message.header
    back = topics.DETECTIONS.from_message(message)
    assert back.boxes_px == pytest.approx(BOXES)
    assert back.scores == pytest.approx(SCORES)
    assert back.labels.tolist() == ['person', 'dog']
    assert back.stamp_ns == STAMP


def test_nothing_seen_is_an_empty_array_with_the_images_header():
    back = there_and_back(topics.DETECTIONS, Detections.empty(STAMP, 'eo'))
    assert (len(back), back.stamp_ns, back.frame_id) == (0, STAMP, 'eo')


def test_detection_without_a_hypothesis_has_score_zero():
    message = topics.DETECTIONS.to_message(Detections(STAMP, 'eo', BOXES, SCORES, LABELS))
    message.detections[1].results.clear()
    back = topics.DETECTIONS.from_message(message)
    assert (back.scores[1], back.labels[1]) == (0.0, '')


def test_tracks_and_target_keep_their_numbers():
    back = there_and_back(topics.TRACKS, Tracks(STAMP, 'eo', BOXES, SCORES, LABELS, np.array([7, 12])))
    assert back.ids.tolist() == [7, 12]
    target = there_and_back(topics.TARGET, Target(STAMP, 'eo', 7, 'person', 0.9, BOXES[0]))
    assert (target.id, target.label, target.box_px.tolist()) == (7, 'person', BOXES[0].tolist())


def test_camera_keeps_its_principal_point_across_the_half_pixel():
    camera = StampedCamera(STAMP, 'eo', CameraModel(640, 480, 600.0, 601.0, 320.0, 240.0, (0.1, 0.0, 0.0, 0.0, 0.0)))
    message = topics.CAMERA_INFO.to_message(camera)
    assert message.k[2] == 319.5  # ROS counts pixel centres
    assert topics.CAMERA_INFO.from_message(message) == camera


@pytest.mark.parametrize('coefficients', [(0.0,) * 4, (-0.005, 0.04, -0.04, 0.006)])
def test_a_fisheye_stays_one(coefficients):
    model = CameraModel(848, 800, 285.0, 286.0, 424.0, 400.0, coefficients, fisheye=True)
    message = topics.CAMERA_INFO.to_message(StampedCamera(STAMP, 'eo', model))
    assert (message.distortion_model, list(message.d)) == ('equidistant', list(coefficients))
    assert topics.CAMERA_INFO.from_message(message).model == model


def test_a_region_that_is_binned_has_the_intrinsics_of_what_is_sent():
    """The middle of the sensor's pixel 799 (corner 799.5 right of the first centre) is the middle of what is sent."""
    info = CameraInfo(width=1600, height=1200, binning_x=2, binning_y=2)
    info.k = [1000.0, 0.0, 799.5, 0.0, 1000.0, 599.5, 0.0, 0.0, 1.0]
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 400, 300, 800, 600
    assert topics.CAMERA_INFO.from_message(info).model == CameraModel(400, 300, 500.0, 500.0, 200.0, 150.0)


@pytest.mark.parametrize(
    ('change', 'reason', 'text'),
    [
        (
            {'distortion_model': 'mei', 'd': [0.1] * 5},
            'unknown lens',
            "it has the distortion model 'mei', and known are plumb_bob, rational_polynomial, thin_prism, equidistant, "
            'fisheye: calibrate the camera with one of these.',
        ),
        (
            {'d': [0.1, 0.2]},
            'unknown lens',
            'it has 2 coefficients of distortion, and OpenCV knows 4, 5, 8, 12 or 14: calibrate the camera with one of '
            'these.',
        ),
        ({'width': 0}, 'no image size', 'it is of an image of 0x480 px: set its width and height.'),
    ],
)
def test_a_camera_info_that_cannot_be_used_says_why(change, reason, text):
    info = CameraInfo(**{'width': 640, 'height': 480, 'distortion_model': 'plumb_bob', **change})
    info.k = [600.0, 0.0, 319.5, 0.0, 600.0, 239.5, 0.0, 0.0, 1.0]
    with pytest.raises(Unusable) as refused:
        topics.CAMERA_INFO.from_message(info)
    assert (refused.value.reason, str(refused.value)) == (reason, text)


def test_uncalibrated_camera_comes_through_unusable():
    assert not topics.CAMERA_INFO.from_message(CameraInfo(width=640, height=480)).model.usable


def test_gimbal_state_survives():
    quaternion = np.array([0.8, 0.0, 0.6, 0.0])
    back = there_and_back(topics.GIMBAL_ATTITUDE, GimbalAttitude(STAMP, 'cam', quaternion, np.array([0.0, 0.1, -0.2])))
    assert back.level_from_camera_wxyz == pytest.approx(quaternion)
    assert back.rate_rad_s == pytest.approx([0.0, 0.1, -0.2])
    setpoint = RateSetpoint(STAMP, 'level', 0.25, -0.5)
    message = topics.GIMBAL_SETPOINT.to_message(setpoint)
    assert (message.twist.angular.z, message.twist.angular.y, message.twist.angular.x) == (0.25, -0.5, 0.0)
    assert topics.GIMBAL_SETPOINT.from_message(message) == setpoint
    assert there_and_back(topics.GIMBAL_ZOOM, ZoomState(STAMP, 3.5)) == ZoomState(STAMP, 3.5)


@pytest.mark.parametrize('w', [0.0, float('nan')])
def test_attitude_that_is_no_rotation_is_refused(w):
    message = Imu()
    message.orientation.w = w
    with pytest.raises(ValueError, match='is no attitude'):
        topics.GIMBAL_ATTITUDE.from_message(message)


@pytest.mark.parametrize('position', [[], [0.0], [float('inf')]])
def test_zoom_that_is_no_magnification_is_refused(position):
    with pytest.raises(ValueError, match='a positive magnification is needed'):
        topics.GIMBAL_ZOOM.from_message(JointState(name=['zoom'], position=position))


def test_labels_pipeline_and_choice_survive():
    labels = Labels(STAMP, 'eo', ((0, 'person'), (2, 'car')), 0.25)
    assert there_and_back(topics.LABEL_INFO, labels) == labels
    pipeline = Pipeline(STAMP, 'eo', 'nanodet', '/label_info', 1)
    assert there_and_back(topics.VISION_INFO, pipeline) == pipeline
    choice = PixelChoice(STAMP, 12.5, 40.0)
    assert there_and_back(topics.TARGET_SELECT, choice) == choice


def test_compressed_image_decodes_to_the_same_size():
    import cv2

    from gremsy_common.ros.messages.image_messages import compressed_message

    message = compressed_message(Frame(np.full((20, 30, 3), 128, np.uint8), STAMP, 'eo'), 90)
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (20, 30, 3)
    assert message.format == 'bgr8; jpeg compressed bgr8'
