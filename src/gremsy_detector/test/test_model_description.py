# SPDX-License-Identifier: Apache-2.0
"""What a file says of itself is read; what fits nothing known is refused with what was found."""

from pathlib import Path

import pytest

from gremsy_detector.errors import ModelError
from gremsy_detector.model_description import Layout, ResizeMode, describe, describe_input
from gremsy_detector.model_facts import ModelFacts, TensorFacts

COCO = str({index: f'thing{index}' for index in range(80)})
TWO = "{0: 'person', 1: 'car'}"
KNOWN_INPUTS = '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8'
KNOWN_OUTPUTS = '[1, 4+classes, N] (YOLOv8, 11), [1, N, 4+classes] (transposed) and [1, N, 6] (end-to-end)'


def facts(shape=(1, 3, 640, 640), dtype='float32', **metadata):
    return ModelFacts(Path('m.onnx'), (TensorFacts('images', shape, dtype),), (), metadata)


@pytest.mark.parametrize(
    ('output', 'names', 'layout', 'boxes'),
    [
        ((1, 84, 8400), COCO, Layout.DENSE, 8400),
        ((1, 84, 84), COCO, Layout.DENSE, 84),
        ((1, 8400, 84), COCO, Layout.TRANSPOSED, 8400),
        ((1, 300, 6), COCO, Layout.END_TO_END, 300),
        ((1, 0 + 1, 6), COCO, Layout.END_TO_END, 1),
        ((1, 6, 8400), TWO, Layout.DENSE, 8400),
        ((1, 300, 6), TWO, Layout.END_TO_END, 300),
        ((1, 8400, 6), TWO, Layout.TRANSPOSED, 8400),
    ],
)
def test_the_layout_follows_from_the_output_shape_and_the_names(output, names, layout, boxes):
    model = describe(facts(names=names), [output])
    assert (model.layout, model.box_count) == (layout, boxes)


@pytest.mark.parametrize('said', [{'end2end': 'True'}, {'args': "{'nms': True, 'batch': 1}"}])
def test_a_two_class_file_with_many_rows_is_end_to_end_when_it_says_so(said):
    assert describe(facts(names=TWO, **said), [(1, 1000, 6)]).layout is Layout.END_TO_END


def test_without_names_the_classes_are_numbered():
    model = describe(facts(), [(1, 7, 8400)])
    assert model.class_names == ('class0', 'class1', 'class2')
    assert model.layout is Layout.DENSE


def test_an_end_to_end_file_without_names_is_refused():
    with pytest.raises(ModelError) as refused:
        describe(facts(), [(1, 300, 6)])
    assert str(refused.value) == (
        'Model file m.onnx has an end-to-end output [1, 300, 6] but no `names` in its metadata, '
        'so its classes are unknown: export it again with Ultralytics, or add the names.'
    )


@pytest.mark.parametrize(
    'outputs',
    [
        [(1, 116, 8400), (1, 32, 160, 160)],
        [(1, 85, 8400)],
        [(1, 25200, 85)],
        [(2, 84, 8400)],
        [(84, 8400)],
        [],
    ],
)
def test_an_unknown_output_is_refused_with_what_was_found_and_what_is_known(outputs):
    with pytest.raises(ModelError) as refused:
        describe(facts(names=COCO), outputs)
    found = '; '.join(str(list(each)) for each in outputs) or 'none'
    assert str(refused.value) == (
        f'Model file m.onnx answers with the outputs {found} and has 80 class names: '
        f'known is one output, {KNOWN_OUTPUTS}.'
    )


def test_stride_title_and_names_come_from_the_metadata():
    model = describe(facts(names=TWO, stride='16', description='My net'), [(1, 6, 8400)])
    assert (model.stride_px, model.title, model.class_names) == (16, 'My net', ('person', 'car'))


def test_a_segmentation_model_is_refused_by_its_task():
    with pytest.raises(ModelError) as refused:
        describe_input(facts(task='segment'))
    assert str(refused.value) == (
        "Model file m.onnx is a 'segment' model: the detector needs one whose task is 'detect', "
        'for example yolo11n.onnx instead of yolo11n-seg.onnx.'
    )


def test_letterbox_is_what_a_file_means_that_says_nothing():
    assert describe_input(facts()).resize is ResizeMode.LETTERBOX
    assert describe_input(facts(resize='stretch')).resize is ResizeMode.STRETCH


@pytest.mark.parametrize(
    ('shape', 'metadata', 'size'),
    [
        ((1, 3, 384, 640), {}, (640, 384)),
        (('batch', 3, 'height', 'width'), {'imgsz': '[416, 320]'}, (320, 416)),
        (('batch', 3, 'height', 'width'), {'imgsz': '320'}, (320, 320)),
        (('batch', 3, None, None), {}, (640, 640)),
        ((-1, 3, -1, -1), {}, (640, 640)),
        ((1, 3, 416, 416), {'imgsz': '[640, 640]'}, (416, 416)),
    ],
)
def test_dynamic_axes_take_the_size_of_the_metadata(shape, metadata, size):
    described = describe_input(facts(shape, **metadata))
    assert (described.width_px, described.height_px) == size


def test_a_uint8_input_may_have_its_channels_last_and_blue_first():
    described = describe_input(facts((1, 480, 640, 3), 'uint8', channel_order='bgr'))
    assert (described.channels_last, described.bgr, described.shape) == (True, True, (1, 480, 640, 3))


@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [
        ((1, 1, 640, 640), 'float32'),
        ((4, 3, 640, 640), 'float32'),
        ((1, 640, 640, 3), 'float32'),
        ((1, 3, 640, 640), 'int64'),
        ((1, 3, 640), 'float32'),
        ((), 'float32'),
    ],
)
def test_an_input_that_is_not_one_image_is_refused(shape, dtype):
    with pytest.raises(ModelError) as refused:
        describe_input(facts(shape, dtype))
    found = f'images {dtype} {list(shape)}'
    assert str(refused.value) == f'Model file m.onnx has the inputs {found}: known is one input, {KNOWN_INPUTS}.'


@pytest.mark.parametrize(
    ('shape', 'metadata', 'sentence'),
    [
        (
            (1, 3, 100000, 100000),
            {},
            'Model file m.onnx asks for an input of 100000x100000 pixels: export it with a side of at most 4096.',
        ),
        (
            ('b', 3, 'h', 'w'),
            {'imgsz': '[0, 640]'},
            'Model file m.onnx asks for an input of 640x0 pixels: export it with a side of at most 4096.',
        ),
        (
            ('b', 3, 'h', 'w'),
            {'imgsz': 'large'},
            "Model file m.onnx has metadata `imgsz` = 'large': write it as [height, width].",
        ),
        (
            (1, 3, 640, 640),
            {'resize': 'squash'},
            "Model file m.onnx has metadata `resize` = 'squash': use letterbox or stretch.",
        ),
        (
            (1, 3, 640, 640),
            {'channel_order': 'yuv'},
            "Model file m.onnx has metadata `channel_order` = 'yuv': use rgb or bgr.",
        ),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(shape, metadata, sentence):
    with pytest.raises(ModelError) as refused:
        describe_input(facts(shape, **metadata))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ('metadata', 'sentence'),
    [
        (
            {'names': 'person'},
            (
                'Model file m.onnx has metadata `names` that is not a Python dict or list literal: '
                "write it as {0: 'person', 1: 'bicycle'}."
            ),
        ),
        (
            {'names': TWO, 'stride': '-8'},
            "Model file m.onnx has metadata `stride` = '-8': write it as whole pixels, like 32.",
        ),
    ],
)
def test_metadata_of_the_output_that_makes_no_sense_is_refused(metadata, sentence):
    with pytest.raises(ModelError) as refused:
        describe(facts(**metadata), [(1, 6, 8400)])
    assert str(refused.value) == sentence
