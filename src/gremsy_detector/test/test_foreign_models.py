# SPDX-License-Identifier: Apache-2.0
"""YOLOX, NanoDet-Plus, RTMDet and D-FINE: from the picture to boxes as their authors define it.

The models end in the true heads (`model_heads`), with random weights. What each should see and how its answer reads is
written here a second time, in plain loops after the authors' own code, whose place is named; nothing of the detector is
used for that but ONNX Runtime, which runs the network.
"""

import math

import cv2
import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_description import Layout, ResizeMode

onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')
pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from src.gremsy_detector.test import model_heads as heads

IMAGENET_BGR = {'mean': '[103.53, 116.28, 123.675]', 'std': '[57.375, 57.12, 58.395]'}
RTMDET = {'names': heads.NAMES, 'channel_order': 'bgr', 'resize': 'top_left', **IMAGENET_BGR}


def photo(width, height, seed=0):
    """Blobs of colour, not noise: the resize is seen, but a pixel's rounding is not all there is."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def answers_of(path, image_tensor, **others):
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return session.run(None, {'images': image_tensor, **others})


def in_the_corner(image, size):
    """YOLOX, preproc of yolox/data/data_augment.py; mmdet's Resize(keep_ratio) and Pad(114) do the same."""
    width, height = size
    ratio = min(height / image.shape[0], width / image.shape[1])
    placed = cv2.resize(image, (int(image.shape[1] * ratio), int(image.shape[0] * ratio)))
    padded = np.full((height, width, 3), 114, np.uint8)
    padded[: placed.shape[0], : placed.shape[1]] = placed
    return padded, ratio


def planes(image, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)):
    tensor = np.empty((1, 3, *image.shape[:2]), np.float32)
    for channel in range(3):
        tensor[0, channel] = (image[..., channel].astype(np.float32) - np.float32(mean[channel])) / np.float32(
            std[channel]
        )
    return tensor


def best_of(found):
    """Of (box, scores by class): (box, best score, its class), best first."""
    rows = [(box, max(scores), int(np.argmax(scores))) for box, scores in found]
    return sorted(rows, key=lambda row: -row[1])


def agree(detections, expected, image, confidence):
    """Every box that the authors' definition gives above the threshold, and no other."""
    height, width = image.shape[:2]
    clipped = []
    for box, score, label in expected:
        x1, y1, x2, y2 = box
        x1, x2 = (min(max(x, 0.0), width) for x in (x1, x2))
        y1, y2 = (min(max(y, 0.0), height) for y in (y1, y2))
        if score > confidence and x2 > x1 and y2 > y1:
            clipped.append([x1, y1, x2, y2, score, label])
    clipped = np.array(clipped)
    assert len(clipped) >= 5, 'the comparison compares nothing'
    labels = np.array([heads.CLASSES.index(label) for label in detections.labels])
    got = np.concatenate([detections.boxes_px, detections.scores[:, None], labels[:, None]], axis=1)
    assert got.shape == clipped.shape
    # Equal scores may come in either order.
    got = got[np.lexsort(np.round(got, 3).T)]
    clipped = clipped[np.lexsort(np.round(clipped, 3).T)]
    np.testing.assert_allclose(got, clipped, atol=2e-3)


def detect(path, image, make_frame, confidence, iou=1.0, **options):
    detector = Detector(
        OnnxRuntimeBackend(path), Selection(confidence=confidence, iou=iou, max_detections=1000), **options
    )
    model = detector.open()
    detector.detect(make_frame(photo(80, 60, 9)))
    detections = detector.detect(make_frame(image)).detections
    detector.close()
    return model, detections


def chosen_threshold(expected):
    """One that leaves some boxes and takes others, away from any score."""
    scores = sorted({round(row[1], 4) for row in expected}, reverse=True)
    gaps = [(scores[index] - scores[index + 1], index) for index in range(20, min(200, len(scores) - 1))]
    _, index = max(gaps)
    return (scores[index] + scores[index + 1]) / 2


def yolox_by_its_authors(answer, size, strides, ratio):
    """demo_postprocess (yolox/utils/demo_utils.py) and what demo/ONNXRuntime/onnx_inference.py makes of it."""
    found, index = [], 0
    for stride in strides:
        for row in range(size[1] // stride):
            for column in range(size[0] // stride):
                x, y, w, h, objectness, *scores = (float(number) for number in answer[0, index])
                cx, cy = (x + column) * stride, (y + row) * stride
                w, h = math.exp(w) * stride, math.exp(h) * stride
                box = [(cx - w / 2) / ratio, (cy - h / 2) / ratio, (cx + w / 2) / ratio, (cy + h / 2) / ratio]
                found.append((box, [objectness * score for score in scores]))
                index += 1
    assert index == answer.shape[1]
    return found


@pytest.mark.parametrize('strides', [(8, 16, 32), (8, 16, 32, 64)], ids=['P5', 'P6'])
@pytest.mark.parametrize('shape', [(640, 480), (480, 640), (831, 299)])
def test_yolox_sees_and_reads_as_its_authors_define(tmp_path, make_frame, strides, shape):
    size = (384, 320)
    image = photo(*shape)
    path = heads.write_yolox(tmp_path / 'yolox.onnx', size, strides)
    padded, ratio = in_the_corner(image, size)
    # Its demo divides by the ratio, which is not quite that of the sides that were cut off to whole pixels: up to a
    # pixel at the far edge. What the network truly saw is what the sides say.
    (answer,) = answers_of(path, planes(padded))
    found = yolox_by_its_authors(answer, size, strides, 1.0)
    scale_x, scale_y = int(shape[0] * ratio) / shape[0], int(shape[1] * ratio) / shape[1]
    found = [([x1 / scale_x, y1 / scale_y, x2 / scale_x, y2 / scale_y], each) for (x1, y1, x2, y2), each in found]
    expected = best_of(found)
    confidence = chosen_threshold(expected)
    model, detections = detect(path, image, make_frame, confidence)
    assert (model.layout, model.output.strides_px) == (Layout.YOLOX, strides)
    assert (model.input.bgr, model.input.resize, model.input.std) == (True, ResizeMode.TOP_LEFT, (1.0, 1.0, 1.0))
    agree(detections, expected, image, confidence)
    assert abs(ratio - scale_x) * shape[0] < 1 and abs(ratio - scale_y) * shape[1] < 1


def test_duplicates_of_yolox_are_suppressed_as_its_authors_do_it_class_by_class(tmp_path, make_frame):
    """multiclass_nms_class_aware of yolox/utils/demo_utils.py, of the best class of each box."""
    size, image = (384, 320), photo(384, 320)
    path = heads.write_yolox(tmp_path / 'yolox.onnx', size)
    (answer,) = answers_of(path, planes(image))
    expected = best_of(yolox_by_its_authors(answer, size, (8, 16, 32), 1.0))
    confidence = chosen_threshold(expected)
    kept = []
    for row in (row for row in expected if row[1] > confidence):
        if all(row[2] != other[2] or overlap(row[0], other[0]) <= 0.45 for other in kept):
            kept.append(row)
    _, detections = detect(path, image, make_frame, confidence, iou=0.45)
    assert len(kept) < sum(row[1] > confidence for row in expected)
    agree(detections, kept, image, confidence)


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


def test_a_yolox_that_decodes_in_its_graph_must_say_so(tmp_path, make_frame, write_model):
    """decode_outputs of yolox/models/yolo_head.py: the same numbers, already in pixels."""
    size, image = (384, 320), photo(384, 320)
    raw = heads.write_yolox(tmp_path / 'raw.onnx', size)
    (answer,) = answers_of(raw, planes(image))
    decoded = answer.copy()
    for index, (box, _) in enumerate(yolox_by_its_authors(answer, size, (8, 16, 32), 1.0)):
        x1, y1, x2, y2 = box
        decoded[0, index, :4] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    shape = (1, 3, 320, 384)
    silent = write_model(decoded, metadata={'names': heads.NAMES}, input_shape=shape)
    with pytest.raises(ModelError) as refused:
        Detector(OnnxRuntimeBackend(silent)).open()
    assert str(refused.value) == (
        f'Model file {silent} answers with [1, 2520, 8], which may be one of several networks: add metadata `layout` '
        '(`yolox` or `yolox_decoded`) and `names`, and `channel_order`, `mean`, `std` and `resize` where it is not fed '
        'like YOLOX.'
    )
    stated = {'names': heads.NAMES, 'layout': 'yolox_decoded'}
    path = write_model(decoded, metadata=stated, input_shape=shape, name='decoded.onnx')
    expected = best_of(yolox_by_its_authors(answer, size, (8, 16, 32), 1.0))
    confidence = chosen_threshold(expected)
    model, detections = detect(path, image, make_frame, confidence)
    assert (model.layout, model.input.resize) == (Layout.YOLOX_DECODED, ResizeMode.TOP_LEFT)
    agree(detections, expected, image, confidence)


def nanodet_plus_by_its_authors(answer, size, classes, bins=8):
    """get_bboxes of nanodet/model/head/nanodet_plus_head.py, Integral of gfl_head.py, distance2bbox."""
    found, index = [], 0
    for stride in (8, 16, 32, 64):
        for row in range(math.ceil(size[1] / stride)):
            for column in range(math.ceil(size[0] / stride)):
                numbers = [float(number) for number in answer[0, index]]
                distances = []
                for side in range(4):
                    logits = numbers[classes + side * bins : classes + (side + 1) * bins]
                    powers = [math.exp(logit) for logit in logits]
                    mean = sum(place * power for place, power in enumerate(powers)) / sum(powers)
                    distances.append(mean * stride)
                x, y = column * stride, row * stride
                box = [x - distances[0], y - distances[1], x + distances[2], y + distances[3]]
                box = [min(max(number, 0.0), limit) for number, limit in zip(box, (*size, *size), strict=True)]
                found.append((box, numbers[:classes]))
                index += 1
    assert index == answer.shape[1]
    return found


@pytest.mark.parametrize('size', [(416, 416), (320, 352)])
def test_nanodet_plus_sees_and_reads_as_its_authors_define(tmp_path, make_frame, size):
    image = photo(640, 480)
    path = heads.write_nanodet_plus(tmp_path / 'nanodet.onnx', size)
    # config/nanodet-plus-m_416.yml: keep_ratio False, normalize with ImageNet's mean, blue first.
    tensor = planes(cv2.resize(image, size), (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
    (answer,) = answers_of(path, tensor)
    scale_x, scale_y = size[0] / 640, size[1] / 480
    expected = [
        ([x1 / scale_x, y1 / scale_y, x2 / scale_x, y2 / scale_y], scores)
        for (x1, y1, x2, y2), scores in nanodet_plus_by_its_authors(answer, size, len(heads.CLASSES))
    ]
    expected = best_of(expected)
    confidence = chosen_threshold(expected)
    model, detections = detect(path, image, make_frame, confidence)
    assert (model.layout, model.input.resize) == (Layout.NANODET_PLUS, ResizeMode.STRETCH)
    agree(detections, expected, image, confidence)


def test_rtmdet_is_fed_as_its_file_says_and_read_as_mmdeploy_writes_it(tmp_path, make_frame):
    """mmdeploy/codebase/mmdet/deploy/object_detection_model.py: dets are corners and score, labels beside them."""
    size, image = (320, 256), photo(640, 512)
    path = heads.write_rtmdet(tmp_path / 'rtmdet.onnx', size, RTMDET)
    padded, ratio = in_the_corner(image, size)
    dets, labels = answers_of(path, planes(padded, (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)))
    expected = [
        ([float(number) / ratio for number in row[:4]], float(row[4]), int(label))
        for row, label in zip(dets[0], labels[0], strict=True)
    ]
    expected.sort(key=lambda row: -row[1])
    confidence = chosen_threshold(expected)
    model, detections = detect(path, image, make_frame, confidence)
    assert (model.layout, model.layout.has_duplicates) == (Layout.DETS_LABELS, False)
    agree(detections, expected, image, confidence)


def test_rtmdet_may_find_nothing_at_first(tmp_path, make_frame):
    path = heads.write_rtmdet(tmp_path / 'rtmdet.onnx', metadata=RTMDET, score_bias=-80.0)
    model, detections = detect(path, photo(320, 256), make_frame, 0.25)
    assert (model.layout, model.box_count, len(detections.scores)) == (Layout.DETS_LABELS, 0, 0)


@pytest.mark.parametrize(
    ('metadata', 'sentence'),
    [
        (
            {},
            'Model file {path} answers with class indices ([1, 0, 5]; [1, 0]) but has no `names` in its metadata, so '
            'its classes are unknown: add the names.',
        ),
        (
            {'names': heads.NAMES},
            'Model file {path} answers with [1, 0, 5]; [1, 0], as MMDeploy exports detectors, and does not say how it '
            'is fed: add metadata `channel_order`, `mean`, `std` and `resize`.',
        ),
    ],
)
def test_mmdeploys_export_that_does_not_say_how_it_is_fed_is_refused(tmp_path, metadata, sentence):
    path = heads.write_rtmdet(tmp_path / 'rtmdet.onnx', metadata=metadata, score_bias=-80.0)
    with pytest.raises(ModelError) as refused:
        Detector(OnnxRuntimeBackend(path)).open()
    assert str(refused.value) == sentence.format(path=path)


def test_dfine_is_told_the_size_of_its_input_and_read_as_its_authors_define(tmp_path, make_frame):
    """DFINEPostProcessor.deploy (src/zoo/dfine/postprocessor.py): labels, boxes in the told size's pixels, scores."""
    size, image = (320, 256), photo(640, 480)
    path = heads.write_dfine(tmp_path / 'dfine.onnx', size)
    # configs/dataset/coco_detection.yml: Resize to the input's size, ConvertPILImage with scale, RGB.
    rgb = cv2.resize(image, size)[..., ::-1]
    told = np.array([[640, 480]], np.int64)  # as its authors use it: boxes in pixels of the photo itself
    labels, boxes, scores = answers_of(path, planes(rgb, std=(255.0, 255.0, 255.0)), orig_target_sizes=told)
    rows = zip(boxes[0], scores[0], labels[0], strict=True)
    expected = [([float(number) for number in box], float(score), int(label)) for box, score, label in rows]
    confidence = (expected[9][1] + expected[10][1]) / 2
    model, detections = detect(path, image, make_frame, confidence)
    assert (model.layout, model.input.resize) == (Layout.BOXES_SCORES_LABELS, ResizeMode.STRETCH)
    agree(detections, expected, image, confidence)


@pytest.mark.parametrize(
    ('metadata', 'sentence'),
    [
        (
            {'layout': 'ssd'},
            "Model file {path} has metadata `layout` = 'ssd': use yolox, yolox_decoded, nanodet_plus, dets_labels or "
            'best_boxes.',
        ),
        (
            {'layout': 'nanodet_plus', 'names': heads.NAMES},
            "Model file {path} has metadata `layout` = 'nanodet_plus', but answers with [1, 2730, 8] to an image of "
            '416x320 pixels and has 3 class names: correct the metadata, or export it again.',
        ),
        (
            {'layout': 'dets_labels', 'names': heads.NAMES},
            "Model file {path} has metadata `layout` = 'dets_labels', but answers with the outputs [1, 2730, 8]: that "
            'is [1, N, 5+nc] on a grid, so take the key out.',
        ),
        (
            {'names': heads.NAMES, 'mean': '[1, 2]'},
            "Model file {path} has metadata `mean` = '[1, 2]': write it as [103.53, 116.28, 123.675], a number for "
            'each channel in the order of `channel_order`.',
        ),
        (
            {'names': heads.NAMES, 'std': '[0, 1, 1]'},
            "Model file {path} has metadata `std` = '[0, 1, 1]': write it as [57.375, 57.12, 58.395], a number for "
            'each channel in the order of `channel_order`, above 0.',
        ),
    ],
)
def test_metadata_that_does_not_fit_is_refused(tmp_path, metadata, sentence):
    path = heads.write_yolox(tmp_path / 'yolox.onnx', metadata=metadata)
    with pytest.raises(ModelError) as refused:
        Detector(OnnxRuntimeBackend(path)).open()
    assert str(refused.value) == sentence.format(path=path)


def test_what_the_file_states_goes_before_what_is_usual(tmp_path):
    stated = {'names': heads.NAMES, 'channel_order': 'rgb', 'std': '[255, 255, 255]', 'resize': 'letterbox'}
    model = Detector(OnnxRuntimeBackend(heads.write_yolox(tmp_path / 'legacy.onnx', metadata=stated))).open()
    fed = model.input
    assert (model.layout, fed.bgr, fed.std, fed.resize) == (Layout.YOLOX, False, (255.0,) * 3, ResizeMode.LETTERBOX)


@pytest.mark.parametrize('write', [heads.write_yolox, heads.write_nanodet_plus])
def test_without_names_the_heads_are_told_by_their_values(tmp_path, write):
    model = Detector(OnnxRuntimeBackend(write(tmp_path / 'm.onnx', metadata={}))).open()
    assert model.layout is (Layout.YOLOX if write is heads.write_yolox else Layout.NANODET_PLUS)
    assert model.class_names == ('class0', 'class1', 'class2')
