# SPDX-License-Identifier: Apache-2.0
"""Engines that NVIDIA's own parser and builder really make: every layout and precision, and every way to fail.

TensorRT for RTX builds without a GPU. To run an engine takes one: without, `Runtime` ends the process.
"""

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import cv2
import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.engine_cache import EngineRequest
from gremsy_detector.backends.tensorrt.engine_key import EngineTarget
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_description import describe_input
from gremsy_detector.model.onnx_facts import read_onnx_facts

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from gremsy_model_tools.precision.prepare import prepare_model
from src.gremsy_detector.test.real_layouts import IMAGE_PX, LAYOUTS, write_layout

PRECISIONS = ('model', 'fp32', 'fp16', 'int8')
# A test of the product is many builds, on a machine that does other things too.
PATIENCE_S = 600
# One of each kind; the rest, and each in each precision, with --all.
QUICK_LAYOUTS = tuple(name for name in LAYOUTS if name not in ('rt-detr, rows', 'rt-detr, two outputs'))
SHAPE = (1, 3, IMAGE_PX, IMAGE_PX)
ON_RTX_REFUSED = 'suppressed in the graph'


@pytest.fixture(scope='module')
def library():
    """The real module. CI has it, so that these tests are never left out unseen."""
    try:
        return TensorRt(importlib.import_module('tensorrt_rtx_bindings'))
    except (ImportError, OSError) as error:
        reason = f'TensorRT for RTX is not installed ({error}): ./gremsy setup --extra tensorrt'
        if os.environ.get('CI'):
            pytest.fail(f'CI builds engines, but {reason}')
        pytest.skip(reason)


@pytest.fixture
def build(library):
    """A function that builds a file for the one size that its input has."""

    def run(path, say=lambda sentence: None, clock_s=time.monotonic, **recipe):
        shape = describe_input(read_onnx_facts(path)).shape
        return TensorRtBuilder(library, clock_s).build(path, BuildRecipe(shape, **recipe), say)

    return run


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


def refusal(build, path, **recipe):
    with pytest.raises(ModelError) as refused:
        build(path, **recipe)
    return str(refused.value)


def shapes(tensors):
    return [(tensor.dtype, tensor.shape) for tensor in tensors]


def answered_shapes(path):
    """What ONNX Runtime says of the same file: dtype and size of every output it answers with."""
    backend = OnnxRuntimeBackend(path)
    described = describe_input(backend.open())
    answers = backend.infer(np.zeros(described.shape, dtype=described.dtype))
    found = [(str(answer.dtype), answer.shape) for answer in answers]
    backend.close()
    return found


@pytest.mark.parametrize('layout', [name for name in QUICK_LAYOUTS if name != ON_RTX_REFUSED])
def test_each_layout_builds_as_it_was_exported(build, tmp_path, layout):
    path = write_layout(layout, tmp_path / 'model.onnx')
    built = build(path)
    assert shapes(built.inputs) == [('float32', (1, 3, IMAGE_PX, IMAGE_PX))]
    assert shapes(built.outputs) == answered_shapes(path)
    assert len(built.plan) > path.stat().st_size / 2


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


def engine_cache(library, folder):
    """As the node makes it, on a machine without a GPU."""
    machine = Machine(kind=RTX, load=lambda _kind: library)
    return machine.cache(library, EngineTarget(RTX, library.version, None), folder, lambda sentence: None)


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
        pytest.skip('Ultralytics is not installed: ./gremsy setup --extra ultralytics (AGPL-3.0, 3 GB with torch)')
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
