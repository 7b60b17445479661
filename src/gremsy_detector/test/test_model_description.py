# SPDX-License-Identifier: Apache-2.0
"""What a file says of itself is read; what fits nothing known is refused with what was found."""

from pathlib import Path

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_description import Layout, ResizeMode, describe, describe_input
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts

COCO = str({index: f'thing{index}' for index in range(80)})
TWO = "{0: 'person', 1: 'car'}"
KNOWN_INPUTS = '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8'
KNOWN_OUTPUTS = (
    '[1, 4+classes, N] (YOLOv8, 11, 26), [1, N, 4+classes] (transposed, or RT-DETR), [1, N, 6] (end-to-end), '
    '[1, N, 5+classes] (YOLOX), [1, N, classes+32] (NanoDet-Plus), two outputs [1, N, 4] and [1, N, classes] (DETR) or '
    '[1, N, 5] and [1, N] (MMDeploy), and three [1, N, 4], [1, N] and [1, N] (D-FINE)'
)
FOUR = "['a', 'b', 'c', 'd']"
RNG = np.random.default_rng(4)


def facts(shape=(1, 3, 640, 640), dtype='float32', outputs=(), **metadata):
    return ModelFacts(Path('m.onnx'), (TensorFacts('images', shape, dtype),), outputs, metadata)


def pixels(*shapes):
    """An answer that cannot be fractions of the image."""
    return [np.full(shape, 300.0, np.float32) for shape in shapes]


def fractions(*shape):
    return RNG.random(shape, dtype=np.float32)


def logits(*shape):
    return RNG.normal(-3, 2, shape).astype(np.float32)


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
    model = describe(facts(names=names), pixels(output))
    assert (model.layout, model.box_count) == (layout, boxes)


@pytest.mark.parametrize('said', [{'end2end': 'True'}, {'args': "{'nms': True, 'batch': 1}"}])
def test_a_two_class_file_with_many_rows_is_end_to_end_when_it_says_so(said):
    assert describe(facts(names=TWO, **said), pixels((1, 1000, 6))).layout is Layout.END_TO_END


def test_without_names_the_classes_are_numbered():
    model = describe(facts(), pixels((1, 7, 8400)))
    assert model.class_names == ('class0', 'class1', 'class2')
    assert model.layout is Layout.DENSE


def test_an_end_to_end_file_without_names_is_refused():
    with pytest.raises(ModelError) as refused:
        describe(facts(), pixels((1, 300, 6)))
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
        [(1, 300, 4), (1, 300, 81)],
        [(1, 300, 4), (1, 200, 80)],
        [(1, 300), (1, 300, 4), (1, 300)],
        [(1, 0, 84)],
        [],
    ],
)
def test_an_unknown_output_is_refused_with_what_was_found_and_what_is_known(outputs):
    with pytest.raises(ModelError) as refused:
        describe(facts(names=COCO), pixels(*outputs))
    found = '; '.join(str(list(each)) for each in outputs) or 'none'
    assert str(refused.value) == (
        f'Model file m.onnx answers with the outputs {found} and has 80 class names: supported are {KNOWN_OUTPUTS}.'
    )


def test_stride_title_and_names_come_from_the_metadata():
    model = describe(facts(names=TWO, stride='16', description='My net'), pixels((1, 6, 8400)))
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
    assert str(refused.value) == f'Model file m.onnx has the inputs {found}: one input is supported, {KNOWN_INPUTS}.'


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
            "Model file m.onnx has metadata `resize` = 'squash': use letterbox, stretch or top_left.",
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
        describe(facts(**metadata), pixels((1, 6, 8400)))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ('metadata', 'output', 'layout'),
    [
        ({'names': COCO}, fractions(1, 300, 84), Layout.QUERIES),
        ({}, fractions(1, 300, 84), Layout.QUERIES),
        ({'names': COCO}, fractions(1, 300, 6), Layout.TOP_QUERIES),
        ({'names': TWO}, fractions(1, 300, 6), Layout.QUERIES),
        ({'names': TWO}, np.round(fractions(1, 300, 6)), Layout.TOP_QUERIES),
        # Nothing found yet, all zeros: a YOLO that suppresses in its graph, unless it calls itself a DETR.
        ({'names': COCO}, np.zeros((1, 300, 6)), Layout.END_TO_END),
        ({'names': COCO, 'head': 'RTDETRDecoder'}, np.zeros((1, 300, 6)), Layout.TOP_QUERIES),
        ({'names': COCO, 'description': 'Ultralytics rtdetr-l model '}, np.full((1, 300, 84), np.nan), Layout.QUERIES),
        # More boxes than any DETR has queries.
        ({'names': COCO}, fractions(1, 8400, 84), Layout.TRANSPOSED),
        ({'names': COCO, 'description': 'RT-DETR, large'}, fractions(1, 8400, 84), Layout.QUERIES),
    ],
)
def test_boxes_in_fractions_make_a_detr(metadata, output, layout):
    model = describe(facts(**metadata), [output])
    assert model.layout is layout
    assert model.output.class_count == len(model.class_names)


@pytest.mark.parametrize('swapped', [False, True])
@pytest.mark.parametrize(('scores', 'are_logits'), [(logits(1, 300, 80), True), (fractions(1, 300, 80), False)])
@pytest.mark.parametrize('names', [{'names': COCO}, {}])
def test_two_outputs_are_boxes_and_scores_in_either_order(swapped, scores, are_logits, names):
    outputs = [fractions(1, 300, 4), scores]
    output = describe(facts(**names), outputs[::-1] if swapped else outputs).output
    assert output.layout is Layout.TWO_OUTPUTS
    assert (output.boxes_index, output.scores_index) == ((1, 0) if swapped else (0, 1))
    assert (output.logits, output.box_count, output.class_count) == (are_logits, 300, 80)


def named(*names):
    return tuple(TensorFacts(name, (1, 300, 4), 'float32') for name in names)


@pytest.mark.parametrize(
    ('outputs', 'answer', 'boxes_index'),
    [
        (named('logits', 'pred_boxes'), [fractions(1, 300, 4), fractions(1, 300, 4)], 1),
        (named('dets', 'labels'), [fractions(1, 300, 4), fractions(1, 300, 4)], 0),
        (named('x', 'class_scores'), [fractions(1, 300, 4), fractions(1, 300, 4)], 0),
        (named('x', 'y'), [logits(1, 300, 4), fractions(1, 300, 4)], 1),
    ],
)
def test_with_four_classes_names_or_values_tell_which_are_the_boxes(outputs, answer, boxes_index):
    output = describe(facts(outputs=outputs, names=FOUR), answer).output
    assert (output.boxes_index, output.scores_index) == (boxes_index, 1 - boxes_index)


@pytest.mark.parametrize(
    ('answer', 'sentence'),
    [
        (
            [fractions(1, 300, 4), fractions(1, 300, 4)],
            (
                'Model file m.onnx answers with two outputs [1, 300, 4], and nothing tells which are the boxes: '
                'name that output `boxes`.'
            ),
        ),
        (
            [np.full((1, 300, 4), 512.5, np.float32), np.zeros((1, 300, 3), np.float32)],
            (
                'Model file m.onnx answers with boxes that are not fractions of the image (they reach 512.5): '
                'export it with boxes as cx, cy, w, h in 0..1.'
            ),
        ),
    ],
)
def test_two_outputs_that_cannot_be_told_apart_or_are_no_fractions_are_refused(answer, sentence):
    with pytest.raises(ModelError) as refused:
        describe(facts(outputs=named('x', 'y')), answer)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ('metadata', 'answer', 'wanted', 'resize'),
    [
        ({}, pixels((1, 84, 8400)), 'auto', ResizeMode.LETTERBOX),
        ({}, pixels((1, 84, 8400)), 'stretch', ResizeMode.STRETCH),
        ({'resize': 'stretch'}, pixels((1, 84, 8400)), 'auto', ResizeMode.STRETCH),
        ({'resize': 'stretch'}, pixels((1, 84, 8400)), 'letterbox', ResizeMode.LETTERBOX),
        ({}, [fractions(1, 300, 84)], 'auto', ResizeMode.STRETCH),
        ({'resize': 'letterbox'}, [fractions(1, 300, 84)], 'auto', ResizeMode.LETTERBOX),
        ({}, [fractions(1, 300, 84)], 'letterbox', ResizeMode.LETTERBOX),
    ],
)
def test_the_parameter_overrides_the_file_which_overrides_what_is_usual(metadata, answer, wanted, resize):
    assert describe(facts(names=COCO, **metadata), answer, wanted).input.resize is resize


def test_a_file_that_calls_itself_a_detr_is_fed_stretched_from_the_start():
    assert describe_input(facts(head='RTDETRDecoder')).resize is ResizeMode.STRETCH


def test_an_unknown_resize_parameter_is_refused():
    with pytest.raises(ParameterError) as refused:
        describe_input(facts(), 'crop')
    assert str(refused.value) == "Parameter `resize` is 'crop': use one of auto, letterbox, stretch, top_left."


def test_a_spoiled_resize_in_the_file_shows_even_where_it_is_overruled():
    with pytest.raises(ModelError) as refused:
        describe_input(facts(resize='squash\n' * 100), 'letterbox')
    said = ' '.join(['squash'] * 100)[:60]
    assert (
        str(refused.value)
        == f"Model file m.onnx has metadata `resize` = '{said}...': use letterbox, stretch or top_left."
    )


@pytest.mark.parametrize('shape', [(4, 3, 640, 640), (8, 640, 640, 3)])
def test_a_model_for_several_images_at_a_time_is_refused(shape):
    with pytest.raises(ModelError) as refused:
        describe_input(facts(shape, 'uint8'))
    assert str(refused.value) == f'Model file m.onnx takes {shape[0]} images at a time: export it with batch=1.'


def test_an_answer_that_no_memory_holds_is_refused_before_it_is_asked_for():
    outputs = (TensorFacts('output0', (1, 84, 'anchors', 10_000_000), 'float32'),)
    with pytest.raises(ModelError) as refused:
        describe_input(facts(outputs=outputs))
    assert str(refused.value) == (
        'Model file m.onnx answers with output0 float32 [1, 84, anchors, 10000000], more than 268435456 numbers: '
        'export it for a smaller image.'
    )
