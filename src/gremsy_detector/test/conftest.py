# SPDX-License-Identifier: Apache-2.0
"""Small real ONNX files whose answer is known, and frames of the real footage."""

import cv2
import numpy as np
import pytest

from gremsy_common.types.frame import Frame, lock_read_only
from src.gremsy_detector.test.real_builds import build, library

__all__ = ['build', 'footage_image', 'library', 'make_frame', 'write_model']

PEOPLE = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'stride': '32', 'task': 'detect', 'imgsz': '[64, 64]'}


@pytest.fixture
def write_model(tmp_path):
    """A function that writes an ONNX file answering `base + mean(input) * slope`, whatever the image's content."""
    onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

    def write(
        base,
        *,
        slope=None,
        metadata=None,
        name='tiny.onnx',
        input_shape=(1, 3, 64, 64),
        output_shape=None,
        input_type='FLOAT',
        reshape_input_to=None,
    ):
        helper, kinds = onnx.helper, onnx.TensorProto
        base = np.asarray(base, dtype=np.float32)
        slope = np.zeros_like(base) if slope is None else np.asarray(slope, dtype=np.float32)
        source = 'images'
        nodes = []
        constants = [onnx.numpy_helper.from_array(base, 'base'), onnx.numpy_helper.from_array(slope, 'slope')]
        if reshape_input_to is not None:
            constants.append(onnx.numpy_helper.from_array(np.array(reshape_input_to, dtype=np.int64), 'fixed'))
            nodes.append(helper.make_node('Reshape', [source, 'fixed'], ['reshaped']))
            source = 'reshaped'
        nodes += [
            helper.make_node('Cast', [source], ['real'], to=kinds.FLOAT),
            helper.make_node('ReduceMean', ['real'], ['mean'], keepdims=0),
            helper.make_node('Mul', ['slope', 'mean'], ['change']),
            helper.make_node('Add', ['base', 'change'], ['output0']),
        ]
        graph = helper.make_graph(
            nodes,
            'tiny',
            [helper.make_tensor_value_info('images', getattr(kinds, input_type), input_shape)],
            [helper.make_tensor_value_info('output0', kinds.FLOAT, output_shape or base.shape)],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
        helper.set_model_props(model, PEOPLE if metadata is None else metadata)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def make_frame():
    """A function that makes a locked frame: of one grey value, or of the image given."""

    def make(image=None, *, width=640, height=480, grey=128, stamp_ns=1_000, encoding='bgr8'):
        if image is None:
            image = np.full((height, width) if encoding == 'mono8' else (height, width, 3), grey, dtype=np.uint8)
        return Frame(lock_read_only(image), stamp_ns, 'eo_optical', encoding)

    return make


@pytest.fixture(scope='session')
def footage_image(vtest_footage):
    """A function that gives one frame (BGR) of vtest.avi by its number."""

    def read(number):
        capture = cv2.VideoCapture(str(vtest_footage))
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        done, image = capture.read()
        capture.release()
        assert done
        return image

    return read
