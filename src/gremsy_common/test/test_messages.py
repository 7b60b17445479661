# SPDX-License-Identifier: Apache-2.0
"""Every conversion there and back; needs the built workspace (sensor_msgs, vision_msgs)."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState

from gremsy_common.errors import Unusable
from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.messages.detection_messages import Labels, PixelChoice
from gremsy_common.ros.messages.image_messages import (
    compressed_message,
    frame_as_sent,
    frame_from_compressed,
    frame_from_image,
)
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections, Target, Tracks
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint, ZoomState
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_common.types.video_time import VideoTime

STAMP = 1_700_000_000_123_456_789


def there_and_back(topic, item):
    return topic.from_message(topic.to_message(item))


@given(st.integers(0, 2**32 - 1))
def test_every_rtp_time_comes_back(rtp):
    assert there_and_back(topics.VIDEO_TIME, VideoTime(STAMP, rtp)) == VideoTime(STAMP, rtp)


def test_a_time_of_something_else_is_no_rtp_time():
    message = topics.VIDEO_TIME.to_message(VideoTime(STAMP, 90_000))
    # One second of a clock of 90 kHz.
    assert (message.time_ref.sec, message.time_ref.nanosec, message.source) == (1, 0, 'rtp')
    message.source = 'gps'
    with pytest.raises(Unusable, match="its source is 'gps': only 'rtp' is used here"):
        topics.VIDEO_TIME.from_message(message)


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


# usb_cam's config/camera_info.yaml.
CALIBRATED = {
    'width': 640,
    'height': 480,
    'distortion_model': 'plumb_bob',
    'd': [-0.361976, 0.110510, 0.001014, 0.000505, 0.0],
    'k': [438.783367, 0.0, 305.593336, 0.0, 437.302876, 243.738352, 0.0, 0.0, 1.0],
    'r': [0.999978, 0.002789, -0.006046, -0.002816, 0.999986, -0.004401, 0.006034, 0.004417, 0.999972],
    'p': [393.6538, 0.0, 322.797939, -47.2, 0.0, 393.6538, 241.090902, 0.0, 0.0, 0.0, 1.0, 0.0],
}


def test_a_foreign_calibration_keeps_rectification_and_projection():
    back = topics.CAMERA_INFO.to_message(topics.CAMERA_INFO.from_message(CameraInfo(**CALIBRATED)))
    assert (back.distortion_model, list(back.d)) == ('plumb_bob', CALIBRATED['d'])
    for name in ('k', 'r', 'p'):
        assert list(getattr(back, name)) == pytest.approx(CALIBRATED[name])


def test_a_region_that_was_binned_is_as_image_geometry_has_it():
    """PinholeCameraModel: focal / binning, (centre - offset) / binning, of K and of P. It counts a bin's first pixel
    as its middle; the true middle of two pixels is a quarter of a pixel (of the binned picture) further back."""
    info = CameraInfo(**CALIBRATED, binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 60, 400, 300
    back = topics.CAMERA_INFO.to_message(topics.CAMERA_INFO.from_message(info))
    assert (back.width, back.height) == (200, 150)
    assert (back.k[0], back.k[4]) == pytest.approx((438.783367 / 2, 437.302876 / 2))
    assert (back.k[2], back.k[5]) == pytest.approx(((305.593336 - 100) / 2 - 0.25, (243.738352 - 60) / 2 - 0.25))
    assert (back.p[0], back.p[3], back.p[5]) == pytest.approx((393.6538 / 2, -47.2 / 2, 393.6538 / 2))
    assert (back.p[2], back.p[6]) == pytest.approx(((322.797939 - 100) / 2 - 0.25, (241.090902 - 60) / 2 - 0.25))


@pytest.mark.parametrize('change', [{'p': [0.0] * 12}, {'p': [float('nan')] * 12}, {'r': [0.0] * 9}])
def test_a_projection_that_is_none_is_left_out(change):
    camera = topics.CAMERA_INFO.from_message(CameraInfo(**{**CALIBRATED, **change})).model
    assert camera.usable
    assert (camera.projection == ()) == ('p' in change)
    assert (camera.rectification == ()) == ('r' in change)


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


def test_labels_and_choice_survive():
    labels = Labels(STAMP, 'eo', ((0, 'person'), (2, 'car')), 0.25)
    assert there_and_back(topics.LABEL_INFO, labels) == labels
    choice = PixelChoice(STAMP, 12.5, 40.0)
    assert there_and_back(topics.TARGET_SELECT, choice) == choice


SCENE = np.dstack([np.tile(np.linspace(20, 230, 32), (24, 1)), np.full((24, 32), 60), np.full((24, 32), 180)]).astype(
    np.uint8
)
GREY = SCENE[..., 0]
INFRARED = (GREY.astype(np.uint16) * 7 + 7000).astype(np.uint16)


@pytest.mark.parametrize(
    ('image', 'encoding', 'lossless', 'written'),
    [
        (SCENE, 'bgr8', False, 'bgr8; jpeg compressed bgr8'),
        (GREY, 'mono8', False, 'mono8; jpeg compressed mono8'),
        (SCENE, 'bgr8', True, 'bgr8; png compressed bgr8'),
        (GREY, 'mono8', True, 'mono8; png compressed '),
        (INFRARED, 'mono16', True, 'mono16; png compressed '),
        (INFRARED.astype('>u2'), 'mono16', True, 'mono16; png compressed '),
    ],
    ids=['jpeg', 'grey jpeg', 'png', 'grey png', 'infrared png', 'big-endian infrared png'],
)
def test_a_compressed_image_is_read_back_and_named_as_compressed_image_transport_does(
    image, encoding, lossless, written
):
    """The names are those of its compressed_publisher.cpp."""
    message = compressed_message(Frame(image, STAMP, 'eo', encoding), 95, lossless=lossless)
    assert message.format == written
    frame = frame_from_compressed(message)
    assert (frame.stamp_ns, frame.frame_id, frame.encoding) == (STAMP, 'eo', encoding)
    np.testing.assert_allclose(frame.image.astype(int), image.astype(int), atol=0 if lossless else 8)
    assert not frame.image.flags.writeable


def compressed(text, image, extension='.png'):
    message = CompressedImage(format=text)
    message.data.frombytes(cv2.imencode(extension, image)[1].tobytes())
    return message


RED_FIRST = np.ascontiguousarray(SCENE[..., ::-1])


@pytest.mark.parametrize(
    ('message', 'encoding', 'image'),
    [
        (compressed('jpeg', SCENE), 'bgr8', SCENE),
        (compressed('', GREY), 'mono8', GREY),
        (compressed('png', INFRARED), 'mono16', INFRARED),
        (compressed('rgb8; jpeg compressed bgr8', SCENE), 'bgr8', SCENE),
        (compressed('bgr8; jpeg compressed ', RED_FIRST), 'bgr8', SCENE),
        (compressed('yuv422_yuy2; jpeg compressed bgr8', SCENE), 'bgr8', SCENE),
        (compressed('bgra8; png compressed bgr8', np.dstack([SCENE, GREY])), 'bgr8', SCENE),
        (compressed('mono16; jpeg compressed mono8', GREY), 'mono16', GREY.astype(np.uint16) * 256),
        (compressed('rgb16; png compressed bgr16', SCENE.astype(np.uint16) * 256), 'bgr8', SCENE),
    ],
    ids=['plain name', 'no name', '16 bits', 'rgb', 'red first', 'yuv', 'alpha', '16 bits as jpeg', 'deep colour'],
)
def test_a_compressed_image_of_others_is_read_as_compressed_image_transport_reads_it(message, encoding, image):
    """Its compressed_subscriber.cpp; PNG for every one here, so that the numbers are exact."""
    frame = frame_from_compressed(message)
    assert frame.encoding == encoding
    np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize(
    ('message', 'text'),
    [
        (
            CompressedImage(format='h264', data=[0, 0, 0, 1, 103]),
            "its 5 bytes of format 'h264' are no JPEG, PNG or TIFF: check its publisher.",
        ),
        (CompressedImage(format='jpeg'), "its 0 bytes of format 'jpeg' are no JPEG, PNG or TIFF: check its publisher."),
        (
            compressed('32FC1; tiff compressed ', GREY.astype(np.float32), '.tiff'),
            'its pixels are float32: publish it as JPEG, or as PNG of 8 or 16 bits.',
        ),
    ],
    ids=['video', 'nothing', 'numbers'],
)
def test_a_compressed_image_that_is_none_says_so(message, text):
    with pytest.raises(Unusable) as refused:
        frame_from_compressed(message)
    assert (refused.value.reason, str(refused.value)) == ('not decoded', text)


@pytest.mark.parametrize(('order', 'big'), [('<', False), ('>', True)])
def test_sixteen_bits_keep_the_byte_order_they_have(order, big):
    sent = topics.IMAGE_RAW.to_message(Frame(INFRARED.astype(f'{order}u2'), STAMP, 'ir', 'mono16'))
    assert bool(sent.is_bigendian) is big
    np.testing.assert_array_equal(frame_as_sent(sent).image, INFRARED)


def test_a_picture_with_rows_of_colour_keeps_its_height():
    frame = Frame(np.zeros((36, 32), np.uint8), STAMP, 'eo', 'nv12')
    message = topics.IMAGE_RAW.to_message(frame)
    assert (message.width, message.height, message.step, len(message.data)) == (32, 24, 32, 36 * 32)
    assert frame_as_sent(message).height == 24
