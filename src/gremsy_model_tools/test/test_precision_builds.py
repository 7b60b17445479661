# SPDX-License-Identifier: Apache-2.0
"""Engines that are really built from what the suite prepares: every layout in every precision, and real exports."""

import os
import shutil
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest

from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.engine_cache import EngineRequest
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from gremsy_model_tools.precision.prepare import prepare_model
from src.gremsy_detector.test.real_builds import ON_RTX_REFUSED, answered_shapes, engine_cache, shapes
from src.gremsy_detector.test.real_layouts import IMAGE_PX, LAYOUTS, write_layout

PRECISIONS = ('model', 'fp32', 'fp16', 'int8')
# A test of the product is many builds, on a machine that does other things too.
PATIENCE_S = 600


@pytest.fixture(scope='session')
def noise_frames(tmp_path_factory):
    """A folder of images that differ, to calibrate a network of random weights on."""
    folder = tmp_path_factory.mktemp('frames')
    random = np.random.default_rng(0)
    for index in range(40):
        grey = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index:02}.png'), cv2.resize(grey, (IMAGE_PX, IMAGE_PX)))
    return folder


def prepared(path, precision, out, frames, *, folded):
    """By the suite's own step; a network of random weights need not agree with itself to be built."""
    calibration = frames if precision == 'int8' else None
    made = prepare_model(path, precision, out, calibration=calibration, fold_input=folded, limit=0.0)
    assert made.precision == ('fp32' if precision == 'model' else precision), made.sentence
    return made.path


@pytest.mark.parametrize('folded', [False, True], ids=['plain', 'folded'])
@pytest.mark.parametrize('precision', PRECISIONS)
def test_each_precision_builds_from_what_the_suite_prepares(build, tmp_path, noise_frames, precision, folded):
    path = write_layout('yolo11', tmp_path / 'model.onnx')
    ready = prepared(path, precision, tmp_path / 'out', noise_frames, folded=folded)
    built = build(ready)
    image = ('uint8', (1, IMAGE_PX, IMAGE_PX, 3)) if folded else ('float32', (1, 3, IMAGE_PX, IMAGE_PX))
    assert shapes(built.inputs) == [image]
    assert shapes(built.outputs) == answered_shapes(path)


def test_the_shipped_model_builds_and_is_smaller_in_float16(build, tmp_path):
    """Strongly typed: what the file says is what is built, and not what the builder would choose."""
    plans = {}
    for precision in ('model', 'fp16'):
        made = prepare_model(default_model_path(), precision, tmp_path)
        built = build(made.path)
        assert shapes(built.inputs) == [('uint8', (1, 416, 416, 3))]
        assert shapes(built.outputs) == [('float32', (1, 84, 3549))]
        plans[precision] = len(built.plan)
    assert plans['fp16'] < 0.7 * plans['model']


def test_a_file_of_an_old_version_that_moves_bytes_builds_through_the_cache(library, tmp_path):
    """`quantize` of step 4 put Transpose and Gather on bytes; NCHW uint8 is what other exporters write."""
    made = prepare_model(default_model_path(), 'fp16', tmp_path)
    graph = onnx.load(made.path)
    cast, transpose, gather = graph.graph.node[:3]
    assert [cast.op_type, transpose.op_type, gather.op_type] == ['Cast', 'Transpose', 'Gather']
    image, last = cast.input[0], gather.output[0]
    transpose.input[0], gather.output[0], cast.input[0], cast.output[0] = image, 'bytes', 'bytes', last
    moved = [transpose, gather, cast, *graph.graph.node[3:]]
    moved = [onnx.NodeProto.FromString(node.SerializeToString()) for node in moved]
    del graph.graph.node[:]
    graph.graph.node.extend(moved)
    del graph.graph.value_info[:]
    old = tmp_path / 'old.bgr8.onnx'
    onnx.save(graph, old)
    with pytest.raises(ModelError, match='UInt8'):
        TensorRtBuilder(library).build(old, BuildRecipe((1, 416, 416, 3)), print)
    cache = engine_cache(library, tmp_path / 'engines')
    engine = cache.obtain(EngineRequest(old))
    assert [str(each) for each in engine.header.inputs] == ['images_bgr8 uint8 [1, 416, 416, 3]']
    assert engine.metadata['channel_order'] == 'bgr'
    assert cache.obtain(EngineRequest(old)).path == engine.path


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('layout', [name for name in LAYOUTS if name != ON_RTX_REFUSED])
def test_every_layout_builds_in_every_precision(build, tmp_path, noise_frames, layout, precision):
    path = write_layout(layout, tmp_path / 'model.onnx')
    for folded in (False, True):
        ready = prepared(path, precision, tmp_path / 'out', noise_frames, folded=folded)
        assert shapes(build(ready).outputs) == answered_shapes(path)


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S)
def test_the_shipped_model_builds_in_int8(build, tmp_path, vtest_footage):
    made = prepare_model(default_model_path(), 'int8', tmp_path, calibration=vtest_footage)
    assert made.precision == 'int8', made.sentence
    assert shapes(build(made.path).outputs) == [('float32', (1, 84, 3549))]


EXPORT = """
import os, shutil, sys
os.environ['YOLO_AUTOINSTALL'] = 'False'
from ultralytics import RTDETR, YOLO
name, target, *options = sys.argv[1:]
model = (RTDETR if name.startswith('rtdetr') else YOLO)(f'{name}.yaml')
made = model.export(format='onnx', imgsz=320, simplify=False, **{option: True for option in options})
shutil.move(made, target)
"""
EXPORTS = {
    'yolov8': ('yolov8n',),
    'yolo11': ('yolo11n',),
    'yolo26': ('yolo26n',),
    'yolov10 end-to-end': ('yolov10n', 'end2end'),
    'yolo26 end-to-end': ('yolo26n', 'end2end'),
    'rt-detr, best rows': ('rtdetr-l',),
    'dynamic axes': ('yolov8n', 'dynamic'),
}


@pytest.fixture(scope='session')
def ultralytics_python():
    """A Python that has Ultralytics: this one, or one apart that GREMSY_ULTRALYTICS_PYTHON names."""
    python = os.environ.get('GREMSY_ULTRALYTICS_PYTHON', sys.executable)
    asked = subprocess.run([python, '-c', 'import ultralytics'], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip('Ultralytics is not installed: ./gremsy setup --extra ultralytics (AGPL-3.0, 2.8 GB with torch)')
    return python


@pytest.fixture
def export(ultralytics_python, tmp_path):
    """A function that exports a network of random weights by Ultralytics itself."""

    def run(name, *options):
        folder = tmp_path / 'ultralytics'
        folder.mkdir()
        target = tmp_path / f'{name}.onnx'
        environment = {**os.environ, 'YOLO_CONFIG_DIR': str(folder)}
        command = [ultralytics_python, '-c', textwrap.dedent(EXPORT), name, str(target), *options]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        shutil.rmtree(folder)
        return target

    return run


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize('layout', EXPORTS)
def test_real_exports_build_and_have_no_operator_that_the_small_ones_lack(build, export, tmp_path, layout):
    path = export(*EXPORTS[layout])
    operators = {node.op_type for node in onnx.load(path).graph.node}
    if layout in LAYOUTS:
        small = onnx.load(write_layout(layout, tmp_path / 'small.onnx'))
        assert operators - {node.op_type for node in small.graph.node} == set()
    for precision in ('model', 'fp16'):
        made = prepare_model(path, precision, tmp_path / 'out')
        assert shapes(build(made.path).outputs) == answered_shapes(made.path)
