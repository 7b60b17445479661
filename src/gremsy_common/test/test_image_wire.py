# SPDX-License-Identifier: Apache-2.0
"""rclpy reads our bytes of an image as its own, and we read its bytes as it does."""

import contextlib

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from gremsy_common.errors import Unusable
from gremsy_common.ros.messages.image_messages import frame_as_sent, image_message
from gremsy_common.ros.messages.image_wire_messages import image_from_wire, image_wire
from gremsy_common.types.frame import Frame

PICTURES = {
    'bgr8': np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3),
    'mono8': np.arange(35, dtype=np.uint8).reshape(5, 7),
    'mono16': np.arange(35, dtype=np.uint16).reshape(5, 7) * 900,
    'bgr8 of one pixel': np.full((1, 1, 3), 9, np.uint8),
    'bgr8, every second column': np.arange(5 * 14 * 3, dtype=np.uint8).reshape(5, 14, 3)[:, ::2],
    'mono16, most significant byte first': np.arange(35, dtype='>u2').reshape(5, 7),
}


@pytest.mark.parametrize('name', PICTURES)
@pytest.mark.parametrize('frame_id', ['', 'eo', 'robot/eo_optical', 'Wärmebild'])
def test_rclpy_reads_our_bytes_as_the_message_that_they_stand_for(name, frame_id):
    frame = Frame(PICTURES[name], 1_234_567_890_987_654_321, frame_id, name.partition(',')[0].partition(' ')[0])
    head, pixels = image_wire(frame)
    data, message = head + pixels.tobytes(), image_message(frame)
    # Not byte by byte: the serialiser leaves between two fields whatever was in the memory.
    assert len(data) == len(serialize_message(message))
    assert deserialize_message(data, Image) == message


def test_the_pixels_are_not_copied():
    image = np.zeros((1080, 1920, 3), np.uint8)
    _, pixels = image_wire(Frame(image, 1, 'eo'))
    assert np.shares_memory(pixels, image)
    data = b''.join((image_wire(Frame(image, 1, 'eo'))[0], pixels.tobytes()))
    assert np.shares_memory(frame_as_sent(image_from_wire(data)).image, np.frombuffer(data, np.uint8))


@settings(max_examples=200, deadline=None)
@given(
    sec=st.integers(-(2**31), 2**31 - 1),
    nanosec=st.integers(0, 2**32 - 1),
    frame_id=st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=9),
    encoding=st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=9),
    size=st.tuples(*[st.integers(0, 2**32 - 1)] * 3),
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=33),
)
def test_what_rclpy_serialises_is_read_field_by_field(sec, nanosec, frame_id, encoding, size, is_bigendian, data):
    sent = Image(encoding=encoding, is_bigendian=is_bigendian, data=data)
    sent.height, sent.width, sent.step = size
    sent.header.frame_id = frame_id
    sent.header.stamp.sec, sent.header.stamp.nanosec = sec, nanosec
    got = image_from_wire(serialize_message(sent))
    assert (got.header.stamp.sec, got.header.stamp.nanosec, got.header.frame_id) == (sec, nanosec, frame_id)
    assert (got.height, got.width, got.step, got.encoding, got.is_bigendian) == (*size, encoding, is_bigendian)
    assert bytes(got.data) == data


def test_the_other_byte_order_is_read():
    """Written out by hand from the rules of CDR: every number has its most significant byte first."""
    data = bytes.fromhex('00000000 00000007 00000008 00000002 6500 0000 00000001 00000002 00000006 6d6f6e6f3800 01 00')
    data += bytes.fromhex('00000002 00000002 0a0b')
    got = image_from_wire(data)
    assert (got.header.stamp.sec, got.header.stamp.nanosec, got.header.frame_id) == (7, 8, 'e')
    assert (got.height, got.width, got.encoding, got.is_bigendian, got.step) == (1, 2, 'mono8', 1, 2)
    assert bytes(got.data) == b'\x0a\x0b'


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(0, 200), flips=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=4))
def test_damaged_bytes_are_refused_or_read_and_nothing_else(cut, flips):
    data = bytearray(serialize_message(image_message(Frame(PICTURES['bgr8'], 5, 'eo'))))
    for place, value in flips:
        data[place] = value
    with contextlib.suppress(Unusable):
        image_from_wire(bytes(data[: len(data) - cut]))


def test_bytes_that_end_early_are_named():
    data = serialize_message(image_message(Frame(PICTURES['mono8'], 5, 'eo')))
    with pytest.raises(Unusable) as refused:
        image_from_wire(data[:-1])
    assert str(refused.value) == (
        'its bytes end early or are no sensor_msgs/Image (35 bytes of pixels are announced and 34 there): '
        'check its publisher.'
    )
