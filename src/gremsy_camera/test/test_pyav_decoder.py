# SPDX-License-Identifier: Apache-2.0
"""Pictures as hardware hands them over. NVDEC itself ran on an H200: NV12, equal to software to the bit."""

import cv2
import numpy as np
import pytest

av = pytest.importorskip('av', reason='PyAV is not installed: ./gremsy setup --extra encode')

from gremsy_camera.streams.pyav_decoder import PyAvDecoder

# FFmpeg (libavutil/pixfmt.h): AVCOL_SPC_BT709, AVCOL_SPC_BT470BG (BT.601); AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG.
BT709, BT601, LIMITED, FULL = 1, 5, 1, 2


def coloured_planes(width, height, matrix, colour_range):
    blocks = np.random.default_rng(7).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    image = cv2.resize(blocks, (width, height))
    frame = av.VideoFrame.from_ndarray(image, format='bgr24').reformat(format='yuv420p')
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


@pytest.mark.parametrize(('matrix', 'colour_range'), [(BT709, LIMITED), (BT601, LIMITED), (BT709, FULL)])
@pytest.mark.parametrize(('width', 'height'), [(640, 480), (642, 482), (2, 2)])
def test_what_hardware_interleaves_becomes_the_picture_that_software_gives(width, height, matrix, colour_range):
    decoder = PyAvDecoder('h264', 'software')
    planes = coloured_planes(width, height, matrix, colour_range)
    interleaved = planes.reformat(format='nv12')
    np.testing.assert_array_equal(decoder.pixels(interleaved)(), decoder.pixels(planes)())
