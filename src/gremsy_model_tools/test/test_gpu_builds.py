# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's own parser and builder take the graphs that are made for the GPU: the tail of each layout, every front."""

from dataclasses import replace

import pytest

pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.engine_cache import EngineRequest
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.image.picture_form import PictureForm
from gremsy_detector.image.resize import letterbox, stretch
from gremsy_detector.model.default_model import default_model_path
from gremsy_model_tools.gpu.gpu_graphs import engine_model, picture_front
from gremsy_model_tools.precision.prepare import prepare_model
from src.gremsy_detector.test.model_heads import write_yolox
from src.gremsy_detector.test.real_builds import engine_cache, shapes
from src.gremsy_detector.test.real_layouts import write_layout
from src.gremsy_model_tools.test.test_gpu_graphs import INPUTS, YOLO
from src.gremsy_model_tools.test.test_precision_builds import noise_frames  # noqa: F401 - a fixture

BGR = (2, 1, 0)


@pytest.mark.parametrize(
    'write',
    [
        lambda path: write_layout('yolo11', path),
        lambda path: write_layout('transposed', path),
        lambda path: write_yolox(path, metadata={'names': "['person', 'car', 'dog']", 'layout': 'yolox'}),
        lambda _: default_model_path(),
    ],
    ids=['dense', 'transposed', 'yolox', 'nanodet_plus'],
)
def test_the_tail_of_each_layout_builds(build, tmp_path, write):
    model = write(tmp_path / 'model.onnx')
    built = build(engine_model(model, tmp_path))
    ((dtype, (images, boxes, numbers)),) = shapes(built.outputs)
    assert (dtype, images, numbers) == ('float32', 1, 6)
    assert boxes <= 1024


@pytest.mark.parametrize('precision', ['fp16', 'int8'])
def test_the_tail_of_each_precision_builds_on_what_takes_bytes(build, tmp_path, noise_frames, precision):  # noqa: F811
    frames = noise_frames if precision == 'int8' else None
    path = write_layout('yolov8', tmp_path / 'model.onnx')
    made = prepare_model(path, precision, tmp_path / 'out', calibration=frames, limit=0.0)
    assert made.precision == precision
    rewritten = engine_model(made.path, tmp_path)
    assert rewritten != made.path
    built = build(rewritten)
    assert built.inputs[0].dtype == 'uint8'
    assert shapes(built.outputs)[0][1][2] == 6


@pytest.mark.parametrize('fed', INPUTS)
@pytest.mark.parametrize(
    'form',
    [
        PictureForm(letterbox(480, 288, 160, 96), 3, BGR),
        PictureForm(letterbox(94, 66, 160, 96), 4, (0, 1, 2)),
        PictureForm(stretch(97, 66, 160, 96), 1, (0, 0, 0)),
    ],
    ids=['whole factor', 'interpolated and padded', 'grey'],
)
def test_every_front_builds(library, tmp_path, fed, form):
    description = INPUTS[fed]
    onnx = tmp_path / 'picture.onnx'
    onnx.write_bytes(picture_front(form, description))
    built = TensorRtBuilder(library).build(onnx, BuildRecipe(form.shape), lambda _: None)
    assert shapes(built.inputs) == [('uint8', form.shape)]
    assert shapes(built.outputs) == [(description.dtype, description.shape)]


def test_both_are_kept_beside_the_engine_of_the_file_as_it_is(library, tmp_path):
    cache = engine_cache(library, tmp_path)
    model = write_layout('yolov8', tmp_path / 'model.onnx')
    form = PictureForm(letterbox(480, 288, 160, 96), 3, BGR)
    for _ in range(2):
        plain, best = (cache.obtain(EngineRequest(model, best_boxes=best)) for best in (False, True))
        front = cache.picture_front(picture_front(form, YOLO), form.shape)
    assert [each.header.key.graph for each in (plain, best, front)] == ['', 'best2', 'picture']
    assert replace(best.header.key, graph='') == plain.header.key
    assert best.metadata['layout'] == 'best_boxes'
    assert best.as_it_is == ''
    assert len(list(tmp_path.glob('*.engine'))) == 3
