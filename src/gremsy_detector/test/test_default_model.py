# SPDX-License-Identifier: Apache-2.0
"""The shipped model is the one that its notice names, and it finds the people in real footage."""

import hashlib

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from gremsy_common.boxes import intersection_over_union
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model.default_model import SHA256, default_model_path
from gremsy_detector.model.model_description import Layout, ResizeMode

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

# Drawn by eye on frames of vtest.avi: x_min, y_min, x_max, y_max px. Those in view from head to foot ...
IN_FULL_VIEW_PX = {
    1: [[259, 220, 299, 306], [499, 160, 529, 234], [636, 243, 681, 323]],
    30: [[628, 253, 665, 352], [669, 252, 697, 345]],
    60: [[466, 204, 500, 293], [505, 204, 532, 283], [616, 235, 649, 339]],
}
# ... and those that stand behind each other or behind the sign.
HALF_HIDDEN_PX = {
    1: [],
    30: [[378, 186, 401, 263], [390, 179, 410, 255], [400, 200, 428, 293]],
    60: [[367, 175, 384, 237], [382, 183, 400, 260], [404, 193, 425, 262]],
}


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
    assert (model.layout, model.input.resize) == (Layout.DENSE, ResizeMode.LETTERBOX)
    assert (model.input.width_px, model.input.height_px, model.stride_px, model.box_count) == (416, 416, 32, 3549)
    assert len(model.class_names) == 80
    assert model.class_names[:3] == ('person', 'bicycle', 'car')


@pytest.mark.parametrize('grey', [0, 114, 255])
def test_nobody_is_found_in_a_grey_image(detector, make_frame, grey):
    assert len(detector.detect(make_frame(grey=grey)).detections) == 0


def test_nobody_is_found_in_noise(detector, make_frame):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert len(detector.detect(make_frame(noise)).detections) == 0


@pytest.mark.parametrize('number', list(IN_FULL_VIEW_PX))
def test_people_in_full_view_are_found_where_they_stand(detector, make_frame, footage_image, number):
    detector.select(Selection(classes=('person',)))
    found = detector.detect(make_frame(footage_image(number))).detections
    overlap = intersection_over_union(np.array(IN_FULL_VIEW_PX[number], dtype=np.float64), found.boxes_px)
    assert overlap.max(axis=1).min() > 0.65
    assert found.scores[overlap.argmax(axis=1)].min() > 0.7
    centre_error_px = _centres(found.boxes_px[overlap.argmax(axis=1)]) - _centres(np.array(IN_FULL_VIEW_PX[number]))
    assert np.abs(centre_error_px).max() < 4


def test_most_people_half_hidden_are_found_at_a_lower_threshold(detector, make_frame, footage_image):
    detector.select(Selection(confidence=0.25, classes=('person',)))
    matched = 0
    for number in IN_FULL_VIEW_PX:
        people = np.array(IN_FULL_VIEW_PX[number] + HALF_HIDDEN_PX[number], dtype=np.float64)
        found = detector.detect(make_frame(footage_image(number))).detections
        overlap = intersection_over_union(people, found.boxes_px)
        person, box = linear_sum_assignment(-overlap)
        matched += int((overlap[person, box] > 0.4).sum())
    assert matched >= 12  # of 14


@pytest.mark.parametrize('number', list(IN_FULL_VIEW_PX))
def test_a_mirrored_image_gives_mirrored_boxes(detector, make_frame, footage_image, number):
    """A half-pixel shift anywhere between image and box would show here twice."""
    detector.select(Selection(confidence=0.7, classes=('person',)))
    image = footage_image(number)
    width = image.shape[1]
    plain = detector.detect(make_frame(image)).detections.boxes_px
    mirrored = detector.detect(make_frame(np.ascontiguousarray(image[:, ::-1]))).detections.boxes_px
    back = np.stack([width - mirrored[:, 2], mirrored[:, 1], width - mirrored[:, 0], mirrored[:, 3]], axis=1)
    overlap = intersection_over_union(plain, back)
    pairs = overlap.max(axis=1) > 0.6
    assert pairs.sum() >= 2
    shift_px = _centres(back[overlap.argmax(axis=1)])[pairs, 0] - _centres(plain)[pairs, 0]
    assert abs(np.median(shift_px)) < 2


def _centres(boxes_px):
    return (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
