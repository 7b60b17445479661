# SPDX-License-Identifier: Apache-2.0
"""Engines that NVIDIA's own parser and builder really make: every layout, and every way to fail.

TensorRT for RTX builds without a GPU. To run an engine takes one: without, `Runtime` ends the process.
"""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.engine_cache import EngineRequest
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from benchmarks.detector.detector_sharing import with_open_batch
from src.gremsy_detector.test.real_builds import ON_RTX_REFUSED, answered_shapes, engine_cache, shapes
from src.gremsy_detector.test.real_layouts import IMAGE_PX, LAYOUTS, write_layout

# One of each kind; the rest, and each in each precision, are built in test_precision_builds with --all.
QUICK_LAYOUTS = tuple(name for name in LAYOUTS if name not in ('rt-detr, rows', 'rt-detr, two outputs'))
SHAPE = (1, 3, IMAGE_PX, IMAGE_PX)


def refusal(build, path, **recipe):
    with pytest.raises(ModelError) as refused:
        build(path, **recipe)
    return str(refused.value)


@pytest.mark.parametrize('layout', [name for name in QUICK_LAYOUTS if name != ON_RTX_REFUSED])
def test_each_layout_builds_as_it_was_exported(build, tmp_path, layout):
    path = write_layout(layout, tmp_path / 'model.onnx')
    built = build(path)
    assert shapes(built.inputs) == [('float32', (1, 3, IMAGE_PX, IMAGE_PX))]
    assert shapes(built.outputs) == answered_shapes(path)
    assert len(built.plan) > path.stat().st_size / 2


@pytest.mark.parametrize('opset', [13, 17, 21])
def test_a_yolo_of_any_opset_builds(build, tmp_path, opset):
    """Ultralytics writes 18; 13 is the oldest that the suite quantises, and 21 has the newest types."""
    path = write_layout('yolov8', tmp_path / 'model.onnx', opset=opset)
    assert shapes(build(path).outputs) == answered_shapes(path)


def test_a_file_with_dynamic_axes_is_built_for_the_size_of_its_metadata(build, write_model):
    path = write_model(np.zeros((1, 7, 20)), input_shape=('batch', 3, 'height', 'width'))
    built = build(path)
    assert shapes(built.inputs) == [('float32', (None, 3, None, None))]
    assert shapes(built.outputs) == [('float32', (1, 7, 20))]


class Clock:
    """Each look is five seconds later, so that every step is said."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        self.now_s += 5.0
        return self.now_s


def test_its_steps_are_said(build, tmp_path):
    said = []
    build(write_layout('yolov8', tmp_path / 'model.onnx'), said.append, Clock())
    assert said[0] == 'Building the engine: Building engine.'
    assert len(said) > 10
    for sentence in said[1:]:
        step = re.fullmatch(r'Building the engine: [A-Z][\w ]+, step (\d+) of (\d+)\.', sentence)
        assert step is not None and 1 <= int(step[1]) <= int(step[2]), sentence
    quiet = []
    build(tmp_path / 'model.onnx', quiet.append, lambda: 0.0)
    assert quiet == ['Building the engine: Building engine.']


@pytest.mark.parametrize('timing_cache', [b'', b'garbage'], ids=['none', 'garbage'])
def test_there_is_nothing_to_measure_so_any_timing_cache_is_passed_over(build, tmp_path, timing_cache):
    """TensorRT for RTX measures nothing while it builds; the full one's cache is tried in `test_tensorrt_builder`."""
    path = write_layout('yolov8', tmp_path / 'model.onnx')
    assert build(path, timing_cache=timing_cache).timing_cache == b''


@pytest.mark.filterwarnings('ignore:.*Timing cache operations are no-ops')
def test_the_timing_cache_of_a_library_that_measures_is_taken_and_given_back(library, tmp_path):
    """The full TensorRT's way, on this library, which still has its calls though it measures nothing."""
    path = write_layout('yolov8', tmp_path / 'model.onnx')
    measuring = TensorRt(library.module)
    measuring.kind = FULL
    first = TensorRtBuilder(measuring).build(path, BuildRecipe(SHAPE), print).timing_cache
    assert first
    for given in (first, b'garbage'):
        built = TensorRtBuilder(measuring).build(path, BuildRecipe(SHAPE, timing_cache=given), print)
        assert built.timing_cache == first


def test_a_model_that_leaves_the_number_of_images_open_is_built_for_several(library, tmp_path):
    path = with_open_batch(default_model_path(), tmp_path / 'batched.onnx')
    cache = engine_cache(library, tmp_path / 'engines')
    for images in (1, 4):
        built = cache.obtain(EngineRequest(path, images=images))
        assert built.header.key.shape == (images, 3, 416, 416)
        assert [str(each) for each in built.header.inputs] == ['images float32 [?, 3, 416, 416]']
    assert len(list((tmp_path / 'engines').glob('*.engine'))) == 2


def test_a_lean_build_with_a_limited_workspace(build, tmp_path):
    path = write_layout('yolov8', tmp_path / 'model.onnx')
    assert build(path, lean=True, workspace_bytes=1 << 28).plan


INTERRUPTED = """
import importlib, sys
from pathlib import Path
from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder

def say(sentence):
    print(sentence, flush=True)

library = TensorRt(importlib.import_module('tensorrt_rtx_bindings'))
builder = TensorRtBuilder(library, iter(range(0, 10**6, 5)).__next__)
try:
    builder.build(Path(sys.argv[1]), BuildRecipe((1, 3, 64, 64)), say)
except KeyboardInterrupt:
    say('interrupted')
    sys.exit(130)
say('built')
"""


def test_ctrl_c_in_mid_build_ends_it_and_the_process_as_python_does(library, tmp_path):
    """A signal from outside, as a terminal sends it; an exception in a callback would end the process in C++."""
    path = write_layout('rt-detr, best rows', tmp_path / 'model.onnx')
    child = subprocess.Popen([sys.executable, '-c', INTERRUPTED, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline().rstrip() for _ in range(3)]
    child.send_signal(signal.SIGINT)
    said += child.stdout.read().splitlines()
    assert child.wait(60) == 130
    child.stdout.close()
    assert said[0] == 'Building the engine: Building engine.'
    assert said[-1] == 'interrupted'
    assert not any(sentence.startswith('Building the engine: Building engine, step 5') for sentence in said)


@pytest.mark.parametrize(
    ('name', 'reason'),
    [('', 'it has no such operator at a node Det'), ('mine', 'it has no such operator at node mine (Det)')],
)
def test_an_operator_that_it_lacks_is_named(build, library, tmp_path, name, reason):
    path = tmp_path / 'model.onnx'
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3, 64, 64] images) => (float[1, 3] output0)'
    model = onnx.parser.parse_model(f'{head} {{ output0 = Det (images) }}')
    model.graph.node[0].name = name
    onnx.save(model, path)
    assert refusal(build, path) == (
        f'Model file {path} cannot be built by TensorRT for RTX {library.version} ({reason}): '
        'export it again with another opset, or run it with `backend: onnxruntime`.'
    )


def test_suppression_in_the_graph_which_it_lacks_has_a_way_out(build, tmp_path):
    """Of the full TensorRT both operators are part; of that for RTX 1.7 neither NonMaxSuppression nor NonZero is."""
    path = write_layout(ON_RTX_REFUSED, tmp_path / 'model.onnx')
    assert refusal(build, path).endswith(
        '): export it again without `nms`, which the detector does itself, or run it with `backend: onnxruntime`.'
    )


def test_bytes_that_are_moved_are_refused_by_name(build, write_model):
    """What `fold_input` is about: if a later version takes it, the Casts in front may go."""
    path = write_model(np.zeros((1, 7, 20)), input_shape=(1, 64, 64, 3), input_type='UINT8',
                       reshape_input_to=(1, 64, 192))  # fmt: skip
    assert 'first input has type UInt8 but must have type Float' in refusal(build, path)


def test_what_is_no_model_is_said_to_be_none(build, library, tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'garbage')
    with pytest.raises(ModelError) as refused:
        TensorRtBuilder(library).build(path, BuildRecipe(SHAPE), print)
    assert str(refused.value).startswith(f'Model file {path} is not ONNX (')


def test_weights_in_a_file_beside_it_are_found_wherever_the_process_is(build, tmp_path, monkeypatch):
    whole = write_layout('yolov8', tmp_path / 'whole.onnx')
    folder = tmp_path / 'model'
    folder.mkdir()
    onnx.save(onnx.load(whole), folder / 'split.onnx', save_as_external_data=True, location='w.bin', size_threshold=0)
    monkeypatch.chdir('/')
    built = build(folder / 'split.onnx')
    assert len(built.plan) == pytest.approx(len(build(whole).plan), rel=0.01)


def test_missing_weights_are_named_before_anything_is_built(library, tmp_path):
    whole = write_layout('yolov8', tmp_path / 'whole.onnx')
    path = tmp_path / 'split.onnx'
    onnx.save(onnx.load(whole), path, save_as_external_data=True, location='w.bin', size_threshold=0)
    (tmp_path / 'w.bin').unlink()
    with pytest.raises(ModelError) as refused:
        engine_cache(library, tmp_path / 'engines').obtain(EngineRequest(path))
    assert 'w.bin' in str(refused.value)
    assert list((tmp_path / 'engines').glob('*.engine')) == []
