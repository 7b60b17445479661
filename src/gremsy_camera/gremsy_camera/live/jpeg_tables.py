# SPDX-License-Identifier: Apache-2.0
"""The tables of JPEG's standard, for pictures that come without them: those that OpenCV's encoder writes.

They are those of ITU-T T.81, annex K, the quantisation scaled to a quality as libjpeg and RFC 2435 (appendix A) do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np

START_OF_SCAN = 0xDA
HUFFMAN, QUANTISATION = 0xC4, 0xDB


def segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """The kind, beginning and end of each segment up to the first scan's, as far as there are whole ones."""
    begin, kind = 2, 0
    while kind != START_OF_SCAN and begin + 4 <= len(jpeg) and jpeg[begin] == 0xFF:
        kind, end = jpeg[begin + 1], begin + 2 + int.from_bytes(jpeg[begin + 2 : begin + 4], 'big')
        yield kind, begin, end
        begin = end


@cache
def standard_tables(quality: int) -> tuple[bytes, bytes]:
    """Of a quality, 1 to 100: two quantisation tables of 64 bytes (luma, chroma), and Huffman tables as segments."""
    made, data = cv2.imencode(
        '.jpg', np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 0]
    )
    assert made
    jpeg = data.tobytes()
    found = list(segments(jpeg))
    # Behind a segment's marker and length stands the table's number.
    quantisation = b''.join(jpeg[begin + 5 : end] for kind, begin, end in found if kind == QUANTISATION)
    return quantisation, b''.join(jpeg[begin:end] for kind, begin, end in found if kind == HUFFMAN)
