# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

pytest.importorskip('sensor_msgs', reason='needs the workspace environment (./gremsy test)')

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge import CvBridge, CvBridgeError
from cv_bridge.encodings import parse

BRIDGE = CvBridge()
# Blue, green and red differ, so that a swap of two shows.
COLOUR_BGR = (200, 120, 30)


def flat(height=6, width=8, dtype=np.uint8):
    image = np.zeros((height, width, 3), dtype)
    image[:] = COLOUR_BGR
    return image * 257 if dtype == np.uint16 else image


def message(array, encoding, padding=0, big_endian=False):
    if big_endian:
        array = array.astype(array.dtype.newbyteorder('>'))
    rows = [row.tobytes() + b'\xee' * padding for row in array]
    result = Image(height=array.shape[0], width=array.shape[1], encoding=encoding, step=len(rows[0]))
    result.is_bigendian = int(big_endian)
    result.data.frombytes(b''.join(rows))
    return result


@pytest.mark.parametrize('dtype', ['uint8', 'int8', 'uint16', 'int16', 'int32', 'float32', 'float64'])
@pytest.mark.parametrize('channels', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('padding', [0, 16])
@pytest.mark.parametrize('big_endian', [False, True])
def test_numbers_pass_through_unchanged(dtype, channels, padding, big_endian):
    shape = (4, 6) if channels == 1 else (4, 6, channels)
    array = (np.arange(np.prod(shape)).reshape(shape) % 100).astype(dtype)
    name = f'{BRIDGE.numpy_type_to_cvtype[dtype]}C{channels}'
    seen = BRIDGE.imgmsg_to_cv2(message(array, name, padding, big_endian))
    assert seen.dtype == np.dtype(dtype)
    assert seen.dtype.isnative
    np.testing.assert_array_equal(seen, array)


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float32'])
def test_an_array_comes_back_from_a_message(dtype, channels):
    array = np.arange(60 * channels, dtype=dtype).reshape((6, 10) if channels == 1 else (6, 10, channels))
    sent = BRIDGE.cv2_to_imgmsg(array)
    assert (sent.height, sent.width, sent.step) == (6, 10, 10 * channels * array.dtype.itemsize)
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(sent), array)


def test_a_slice_of_an_image_is_sent_without_its_surroundings():
    array = np.arange(100, dtype=np.uint8).reshape(10, 10)[2:5, 3:7]
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(array, 'mono8')), array)


def test_the_header_is_kept():
    header = Header(frame_id='robot/eo_optical')
    assert BRIDGE.cv2_to_imgmsg(flat(), 'bgr8', header=header).header.frame_id == 'robot/eo_optical'


def test_without_conversion_the_memory_is_shared():
    sent = BRIDGE.cv2_to_imgmsg(flat(), 'bgr8')
    BRIDGE.imgmsg_to_cv2(sent)[0, 0] = (1, 2, 3)
    assert bytes(sent.data[:3]) == b'\x01\x02\x03'


@pytest.mark.parametrize(
    ('encoding', 'wanted', 'pixel'),
    [
        ('bgr8', 'rgb8', (30, 120, 200)),
        ('rgb8', 'bgr8', (30, 120, 200)),
        ('bgr8', 'bgra8', (200, 120, 30, 255)),
        ('bgr8', 'rgba8', (30, 120, 200, 255)),
        ('bgr8', 'mono8', 102),
        ('bgr8', 'bgr16', (200 * 257, 120 * 257, 30 * 257)),
        ('bgr8', '8UC3', (200, 120, 30)),
        ('bgr8', '32FC3', (200.0, 120.0, 30.0)),
        ('bgr8', 'mono16', 102 * 257),
    ],
)
def test_colours_become_the_ones_asked_for(encoding, wanted, pixel):
    seen = BRIDGE.imgmsg_to_cv2(message(flat(), encoding), wanted)
    np.testing.assert_allclose(seen[2, 3], pixel, atol=1)
    assert seen.dtype == BRIDGE.encoding_to_dtype_with_channels(wanted)[0]


def test_sixteen_bits_become_eight_at_full_scale():
    seen = BRIDGE.imgmsg_to_cv2(message(flat(dtype=np.uint16), 'bgr16'), 'bgr8')
    np.testing.assert_array_equal(seen, flat())


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('wanted', ['bgr8', 'rgb8', 'mono8', 'bgra8'])
def test_a_mosaic_of_one_colour_becomes_that_colour(pattern, bits, wanted):
    values = dict(zip('bgr', COLOUR_BGR, strict=True))
    tile = np.array([[values[pattern[0]], values[pattern[1]]], [values[pattern[2]], values[pattern[3]]]])
    mosaic = np.tile(tile, (8, 8)).astype(np.uint16)
    mosaic = (mosaic * 257).astype(np.uint16) if bits == 16 else mosaic.astype(np.uint8)
    seen = BRIDGE.imgmsg_to_cv2(message(mosaic, f'bayer_{pattern}{bits}'), wanted)
    expected = BRIDGE.imgmsg_to_cv2(message(flat(), 'bgr8'), wanted)
    np.testing.assert_allclose(seen[8, 8].astype(int), expected[2, 3].astype(int), atol=1)


@pytest.mark.parametrize(
    ('encoding', 'order'), [('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv')]
)
def test_packed_video_becomes_the_colour_it_shows(encoding, order):
    y, u, v = _video_yuv()
    sample = {'y': y, 'u': u, 'v': v}
    row = np.array([sample[letter] for letter in order] * 4, np.uint8).reshape(8, 2)
    seen = BRIDGE.imgmsg_to_cv2(message(np.stack([row] * 6), encoding), 'bgr8')
    np.testing.assert_allclose(seen[2, 3].astype(int), COLOUR_BGR, atol=3)


@pytest.mark.parametrize('encoding', ['nv21', 'nv24'])
@pytest.mark.parametrize('padding', [0, 5])
def test_planar_video_becomes_the_colour_it_shows(encoding, padding):
    y, u, v = _video_yuv()
    height, width = 6, 8
    luma = np.full((height, width), y, np.uint8)
    rows = height // 2 if encoding == 'nv21' else 2 * height
    chroma = np.tile(np.array([v, u], np.uint8), (rows, width // 2))
    sent = message(np.vstack([luma, chroma]), encoding, padding)
    sent.height = height
    seen = BRIDGE.imgmsg_to_cv2(sent, 'bgr8')
    assert seen.shape == (height, width, 3)
    np.testing.assert_allclose(seen[2, 3].astype(int), COLOUR_BGR, atol=3)


def _video_yuv():
    """Limited-range BT.601, what the packed and planar formats hold."""
    b, g, r = (value / 255.0 for value in COLOUR_BGR)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return round(16 + 219 * y), round(128 + 224 * (b - y) / 1.772), round(128 + 224 * (r - y) / 1.402)


@pytest.mark.parametrize('extension', ['png', 'jpg'])
def test_a_compressed_image_comes_back(extension):
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8), (9, 9), 3)
    packed = BRIDGE.cv2_to_compressed_imgmsg(image, extension)
    assert packed.format == extension
    seen = BRIDGE.compressed_imgmsg_to_cv2(packed)
    np.testing.assert_allclose(seen.astype(int), image.astype(int), atol=0 if extension == 'png' else 40)
    swapped = BRIDGE.compressed_imgmsg_to_cv2(packed, 'rgb8')
    np.testing.assert_array_equal(swapped, seen[..., ::-1])


def test_a_compressed_grey_image_can_be_asked_for_in_colour():
    packed = BRIDGE.cv2_to_compressed_imgmsg(np.full((4, 4), 77, np.uint8), 'png')
    assert BRIDGE.compressed_imgmsg_to_cv2(packed, 'bgr8')[1, 1].tolist() == [77, 77, 77]


@pytest.mark.parametrize(
    ('encoding', 'expected'),
    [
        ('bgr8', ('uint8', 3)),
        ('mono16', ('uint16', 1)),
        ('bayer_rggb16', ('uint16', 1)),
        ('yuv422', ('uint8', 2)),
        ('32FC1', ('float32', 1)),
        ('64FC4', ('float64', 4)),
        ('8UC7', ('uint8', 7)),
        ('16S', ('int16', 1)),
    ],
)
def test_an_encoding_tells_type_and_channels(encoding, expected):
    assert BRIDGE.encoding_to_dtype_with_channels(encoding) == expected


def test_types_have_the_same_numbers_as_opencvs():
    assert BRIDGE.encoding_to_cvtype2('bgr8') == cv2.CV_8UC3
    assert BRIDGE.encoding_to_cvtype2('32FC1') == cv2.CV_32FC1
    assert BRIDGE.cvtype2_to_dtype_with_channels(cv2.CV_16UC3) == ('uint16', 3)
    assert BRIDGE.dtype_with_channels_to_cvtype2(np.dtype('uint8'), 3) == '8UC3'


def test_an_unknown_encoding_is_named():
    with pytest.raises(CvBridgeError) as caught:
        BRIDGE.imgmsg_to_cv2(message(flat(), 'bgr9'))
    assert str(caught.value) == (
        'The encoding "bgr9" is not one of sensor_msgs/image_encodings: use for example "bgr8", "mono8" or "32FC1".'
    )


def test_numbers_do_not_become_colours():
    with pytest.raises(CvBridgeError) as caught:
        BRIDGE.imgmsg_to_cv2(message(flat(), '8UC3'), 'bgr8')
    assert str(caught.value) == (
        'An image of "8UC3" has no colours, so it cannot become "bgr8": ask for "passthrough".'
    )


def test_another_number_of_channels_is_refused():
    with pytest.raises(CvBridgeError, match=r'different numbers of channels \(3 and 1\)'):
        BRIDGE.imgmsg_to_cv2(message(flat(), 'bgr8'), '32FC1')


def test_a_mosaic_is_not_made_of_colours():
    with pytest.raises(CvBridgeError, match='makes no "bayer_rggb8" of "bgr8": ask for "bgr8" or "mono8"'):
        BRIDGE.imgmsg_to_cv2(message(flat(), 'bgr8'), 'bayer_rggb8')


@pytest.mark.parametrize('fault', ['short', 'empty', 'narrow step'])
def test_a_message_whose_size_is_wrong_is_refused(fault):
    sent = message(flat(), 'bgr8')
    if fault == 'short':
        sent.data = sent.data[:-1]
    elif fault == 'empty':
        sent = Image(encoding='bgr8')
    else:
        sent.step -= 1
    with pytest.raises(CvBridgeError, match='check its publisher'):
        BRIDGE.imgmsg_to_cv2(sent)


def test_an_array_that_does_not_fit_the_encoding_is_refused():
    with pytest.raises(CvBridgeError) as caught:
        BRIDGE.cv2_to_imgmsg(flat(), 'mono8')
    assert str(caught.value) == (
        'The encoding "mono8" needs an array of 8UC1, this one is 8UC3: convert it first, or leave the encoding at '
        '"passthrough".'
    )


@pytest.mark.parametrize('array', [np.zeros(3, np.uint8), np.zeros((0, 4), np.uint8), np.zeros((2, 2), np.complex64)])
def test_an_array_that_is_no_image_is_refused(array):
    with pytest.raises(CvBridgeError):
        BRIDGE.cv2_to_imgmsg(array)


def test_a_list_is_no_array():
    with pytest.raises(TypeError, match='this is list'):
        BRIDGE.cv2_to_imgmsg([[1, 2]])


def test_bytes_that_are_no_picture_are_refused():
    packed = CompressedImage(format='h264')
    packed.data.frombytes(b'\x00\x00\x01\x65')
    with pytest.raises(CvBridgeError, match='format "h264" are no picture that OpenCV can decode'):
        BRIDGE.compressed_imgmsg_to_cv2(packed)


def test_an_unwritable_format_is_refused():
    with pytest.raises(CvBridgeError, match='cannot write "xyz" of this array'):
        BRIDGE.cv2_to_compressed_imgmsg(flat(), 'xyz')


def test_every_encoding_name_parses():
    colours = ('rgb', 'bgr', 'rgba', 'bgra', 'mono', 'bayer_rggb', 'bayer_bggr', 'bayer_gbrg', 'bayer_grbg')
    for name in [f'{colour}{bits}' for colour in colours for bits in (8, 16)]:
        assert parse(name).name == name
