# SPDX-License-Identifier: Apache-2.0
"""From a camera's picture to the network's input, as a graph of its own: resize, padding, channels, normalisation.

It is of one picture size and has no weights, so it is made in milliseconds where a source changes its size, and the
network behind it stays as it is. The arithmetic is that of `NetworkInput` and of OpenCV's resize.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.image.picture_form import PictureForm
from gremsy_detector.image.resize import PADDING_GREY, Taps, taps
from gremsy_detector.model.model_description import InputDescription
from gremsy_model_tools.precision.folded_input import steps_to_network
from gremsy_model_tools.precision.nodes import Nodes
from gremsy_model_tools.precision.onnx_file import import_onnx

PICTURE = 'picture'
_OPSET, _IR_VERSION = 17, 8
# Where red, green and blue lie in BGR.
_RGB_IN_BGR = (2, 1, 0)
# 2048 of them, cut by 4 bits; and what is left after 16 more bits go: quarters of a byte.
_SHARES, _QUARTERS = np.float32(2048 / 16), np.float32(2048 / 65536)


def picture_front(form: PictureForm, description: InputDescription) -> bytes:
    """An ONNX file that takes `form.shape` bytes, named `PICTURE`, and answers with what the network reads."""
    onnx = import_onnx()
    helper, kinds = onnx.helper, onnx.TensorProto
    front = Nodes(onnx, 'front')
    place = form.placement
    rows, columns = form.rows, taps(place.source_width_px, place.width_px)
    # TensorRT takes bytes only into a Cast.
    last = front.add('Cast', PICTURE, to=kinds.FLOAT)
    # Of the rows, only those that are read went up.
    if columns.share.any() or rows.share.any():
        last = _interpolated(front, last, columns, rows)
    else:
        last = _lines(front, last, columns.near, 1, place.source_width_px)
        last = _lines(front, last, np.searchsorted(rows.read, rows.near), 0, len(rows.read))
    if form.rgb != _RGB_IN_BGR or form.channels != 3:
        last = front.add('Gather', last, np.array(form.rgb[::-1], np.int64), axis=2)
    right = description.width_px - place.x_px - place.width_px
    below = description.height_px - place.y_px - place.height_px
    if any((place.x_px, place.y_px, right, below)):
        margins = np.array([place.y_px, place.x_px, 0, below, right, 0], np.int64)
        last = front.add('Pad', last, margins, np.float32(PADDING_GREY))
    last = front.add('Unsqueeze', last, np.array([0], np.int64))
    last = front.chain(last, steps_to_network(description))
    if description.dtype == 'uint8':
        last = front.add('Cast', last, to=kinds.UINT8)
    graph = helper.make_graph(
        front.nodes,
        'picture_front',
        [helper.make_tensor_value_info(PICTURE, kinds.UINT8, form.shape)],
        [
            helper.make_tensor_value_info(
                last, helper.np_dtype_to_tensor_dtype(np.dtype(description.dtype)), description.shape
            )
        ],
        front.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', _OPSET)], ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _interpolated(front: Nodes, source: str, columns: Taps, rows: Taps) -> str:
    """Along rows, then along columns, in OpenCV's fixed point (`VResizeLinear` for bytes, resize.cpp), to the last bit.

    But for some products of 27 bits, of which float32 has 24: one byte of ten thousand is one off.
    """
    share = columns.share[None, :, None]
    left = front.add('Gather', source, columns.near.astype(np.int64), axis=1)
    right = front.add('Gather', source, columns.far.astype(np.int64), axis=1)
    # Shares are whole 1/2048; of the sum, 4 bits go.
    left, right = front.add('Mul', left, (1 - share) * _SHARES), front.add('Mul', right, share * _SHARES)
    along = front.add('Floor', front.add('Add', left, right))
    share = rows.share[:, None, None]
    parts = []
    for lines, weight in ((rows.near, 1 - share), (rows.far, share)):
        # A line that has no share need not be there.
        at = np.minimum(np.searchsorted(rows.read, lines), len(rows.read) - 1)
        part = front.add('Mul', _lines(front, along, at, 0, len(rows.read)), weight * _QUARTERS)
        parts.append(front.add('Floor', part))
    quarters = front.add('Add', front.add('Add', *parts), np.float32(2))
    return str(front.add('Floor', front.add('Mul', quarters, np.float32(0.25))))


def _lines(front: Nodes, source: str, lines: NDArray[np.intp], axis: int, count: int) -> str:
    """Those lines of a tensor that has `count`."""
    if np.array_equal(lines, np.arange(count)):
        return source
    return str(front.add('Gather', source, lines.astype(np.int64), axis=axis))
