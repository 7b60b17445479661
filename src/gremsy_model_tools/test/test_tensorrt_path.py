# SPDX-License-Identifier: Apache-2.0
"""TensorRT on a fake GPU whose engines compute: the detections of the CPU, what is built, and what is left."""

import gc
import time

import numpy as np
import pytest

pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.tensorrt_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.known_layouts import Layout
from gremsy_model_tools.gpu import gpu_graphs
from gremsy_model_tools.precision.prepare import prepare_model
from src.gremsy_detector.test.model_heads import write_nanodet_plus, write_yolox
from src.gremsy_detector.test.real_layouts import write_layout
from src.gremsy_detector.test.tensorrt_fakes import FakeCuda, fake_machine, no_graphs
from src.gremsy_model_tools.test.computing_tensorrt import ComputingLibrary
from src.gremsy_model_tools.test.test_gpu_graphs import dense, frame_of
from src.gremsy_model_tools.test.test_gpu_path import LOW, MOVES, alike

BUILT_WITHIN_S = 10.0


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def library(cuda):
    return ComputingLibrary(cuda)


def on_gpu(cuda, library, path, folder, graphs=lambda: gpu_graphs, **options):
    machine = fake_machine(cuda, library, prepare=prepare_model, graphs=graphs)
    return BACKEND(path, BackendOptions(engine_dir=folder, **options), machine)


def opened(cuda, library, path, folder, *parts, **options):
    gpu = Detector(on_gpu(cuda, library, path, folder, *parts, **options), LOW)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu.open()
    cpu.open()
    return gpu, cpu


def until_on_gpu(detector, frame):
    """Its detections once the picture's engine is built; until then the CPU resizes."""
    until_s = time.monotonic() + BUILT_WITHIN_S
    found = detector.detect(frame)
    while 'pictures resized on the CPU' in detector.description:
        assert time.monotonic() < until_s, detector.description
        assert len(found.detections) > 0, 'no image waits for the engine'
        time.sleep(0.01)
        found = detector.detect(frame)
    return found.detections


def closed(cuda, *detectors):
    for each in detectors:
        each.close()
    gc.collect()


def test_the_shipped_model_sees_what_it_sees_on_the_cpu(cuda, library, tmp_path, footage_image):
    image = footage_image(100)
    frames = [Frame(lock_read_only(image), 1, 'eo', 'bgr8'), Frame(lock_read_only(image[:400, :600]), 2, 'eo', 'bgr8')]
    gpu, cpu = opened(cuda, library, default_model_path(), tmp_path)
    assert gpu.model.layout is Layout.BEST_BOXES
    # The source changes its size in mid-stream, and back.
    for frame in (*frames, frames[0]):
        alike(until_on_gpu(gpu, frame), cpu.detect(frame).detections)
    # By the graph, after a first run of each call by call.
    before = cuda.calls.count('cudaGraphLaunch')
    alike(gpu.detect(frames[0]).detections, cpu.detect(frames[0]).detections)
    assert cuda.calls.count('cudaGraphLaunch') == before + 1
    assert gpu.description.startswith('TensorRT 10.3.0, Orin, model, pictures resized (')
    assert gpu.description.endswith(' and best boxes chosen on it, CUDA graph')
    # The network, and what is in front of it for each size.
    assert library._parsed == ['images', 'picture', 'picture']
    gpu.close()
    cpu.close()
    del gpu
    gc.collect()
    assert cuda._live == 0, 'something of the GPU is still held'


def test_the_second_start_finds_every_engine(cuda, library, write_model, tmp_path):
    path, frame = dense(lambda base: write_model(base, slope=MOVES), False), frame_of('bgr8')
    for _ in range(2):
        gpu, cpu = opened(cuda, library, path, tmp_path)
        alike(until_on_gpu(gpu, frame), cpu.detect(frame).detections)
        gpu.close()
        cpu.close()
    assert library._parsed == ['images', 'picture']


@pytest.mark.parametrize('encoding', sorted(PIXEL_LAYOUTS))
def test_every_encoding_goes_up_as_a_picture(cuda, library, write_model, tmp_path, encoding):
    gpu, cpu = opened(cuda, library, dense(lambda base: write_model(base, slope=MOVES), False), tmp_path)
    frame = frame_of(encoding)
    alike(until_on_gpu(gpu, frame), cpu.detect(frame).detections)
    gpu.close()
    cpu.close()


@pytest.mark.parametrize(
    'write',
    [
        lambda path: write_yolox(path, metadata={'names': "['person', 'car', 'dog']", 'layout': 'yolox'}),
        lambda path: write_nanodet_plus(path),
    ],
    ids=['yolox', 'nanodet_plus'],
)
@pytest.mark.parametrize('precision', ['model', 'fp16'])
def test_networks_on_a_grid_in_either_precision(cuda, library, tmp_path, write, precision):
    gpu, cpu = opened(cuda, library, write(tmp_path / 'grid.onnx'), tmp_path / 'kept', precision=precision)
    assert gpu.model.layout is Layout.BEST_BOXES
    assert gpu.model.input.dtype == ('uint8' if precision == 'fp16' else 'float32')
    gpu.close()
    cpu.close()


def test_a_precision_keeps_its_tail(cuda, library, tmp_path, footage_image):
    frame = Frame(lock_read_only(footage_image(100)), 1, 'eo', 'bgr8')
    gpu, cpu = opened(cuda, library, default_model_path(), tmp_path, precision='fp16')
    found, wanted = until_on_gpu(gpu, frame), cpu.detect(frame).detections
    assert (gpu.model.layout, gpu.model.input.dtype) == (Layout.BEST_BOXES, 'uint8')
    assert len(found) == pytest.approx(len(wanted), abs=2)
    gpu.close()
    cpu.close()


def test_a_network_with_few_boxes_keeps_its_answer(cuda, library, tmp_path):
    path = write_layout('yolov10 end-to-end', tmp_path / 'model.onnx')
    gpu = Detector(on_gpu(cuda, library, path, tmp_path / 'kept'))
    assert gpu.open().layout is Layout.END_TO_END
    assert 'all boxes copied back' in gpu.description
    gpu.close()


class Refusing:
    """Graphs of which the network's cannot be made."""

    picture_front = staticmethod(gpu_graphs.picture_front)

    @staticmethod
    def engine_model(*_):
        raise ModelError('It gives other results than the file.')


@pytest.mark.parametrize(
    ('graphs', 'why'),
    [
        (no_graphs, 'gremsy_model_tools is not installed'),
        (lambda: Refusing, 'It gives other results than the file'),
    ],
    ids=['no package', 'refused'],
)
def test_a_graph_that_cannot_be_rewritten_runs_as_it_is_and_says_so(cuda, library, write_model, tmp_path, graphs, why):
    said, path = [], dense(write_model, False)
    gpu, cpu = opened(cuda, library, path, tmp_path, graphs, say=said.append)
    frame = frame_of('bgr8')
    alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert gpu.model.layout is Layout.DENSE
    assert f'the file as it is ({why})' in gpu.description
    assert f'tiny.onnx runs on the GPU as it is: {why}.' in said
    gpu.close()
    cpu.close()
    # Once it can be, it is.
    gpu, cpu = opened(cuda, library, path, tmp_path)
    assert gpu.model.layout is Layout.BEST_BOXES
    gpu.close()
    cpu.close()


def test_a_graph_that_was_found_wrong_is_not_made_again_at_the_next_start(
    cuda, library, write_model, tmp_path, monkeypatch
):
    path, made = dense(write_model, False), []
    monkeypatch.setattr(gpu_graphs, '_alike', lambda *_: made.append(1) is not None)
    why = []
    for _ in range(2):
        backend = on_gpu(cuda, library, path, tmp_path)
        backend.open()
        why.append(backend.description)
        backend.close()
    assert len(made) == 1
    assert 'gives other results than the file)' in why[0]
    assert 'gives other results than the file (found at an earlier start: remove ' in why[1]


def test_a_rewritten_graph_that_tensorrt_refuses_leaves_the_file_as_it_is(cuda, library, write_model, tmp_path):
    parse = library.OnnxParser.parse_from_file

    def refusing(parser, path):
        library._fail = {'parse'} if path.endswith('.best.onnx') else set()
        return parse(parser, path)

    library.OnnxParser.parse_from_file = refusing
    gpu, cpu = opened(cuda, library, dense(write_model, False), tmp_path)
    assert 'the file as it is (Model file ' in gpu.description
    frame = frame_of('bgr8')
    alike(until_on_gpu(gpu, frame), cpu.detect(frame).detections)
    gpu.close()
    cpu.close()


def test_a_robot_without_onnx_runtime_runs_the_file_as_it_is(cuda, library, write_model, tmp_path, monkeypatch):
    path = dense(write_model, False)
    monkeypatch.setattr(OnnxRuntimeBackend, 'unavailable', staticmethod(lambda: 'is not installed (pip)'))
    backend = on_gpu(cuda, library, path, tmp_path)
    backend.open()
    assert 'the file as it is (ONNX Runtime is not installed (pip))' in backend.description
    backend.close()


def test_an_engine_that_cannot_be_prepared_anew_is_the_one_that_was_built_before(cuda, library, write_model, tmp_path):
    """As int8, for which a node has no frames to calibrate on: `build_engine` of an older version built it."""
    path = dense(write_model, False)
    gpu, cpu = opened(cuda, library, path, tmp_path, no_graphs, precision='fp16')
    gpu.close()
    cpu.close()

    def without_frames(*_, **__):
        raise ModelError('It takes frames to calibrate on.')

    machine = fake_machine(cuda, library, prepare=without_frames, graphs=lambda: gpu_graphs)
    backend = BACKEND(path, BackendOptions(engine_dir=tmp_path, precision='fp16'), machine)
    backend.open()
    assert 'the file as it is (It takes frames to calibrate on)' in backend.description
    backend.close()
    assert library._parsed == ['images_bgr8']


def test_a_picture_engine_that_cannot_be_built_leaves_the_resize_to_the_cpu(cuda, library, write_model, tmp_path):
    said, path = [], dense(write_model, False)
    gpu, cpu = opened(cuda, library, path, tmp_path, say=said.append)
    library._fail = {'parse'}
    frame = frame_of('bgr8')
    until_s = time.monotonic() + BUILT_WITHIN_S
    while not any('resized on the CPU' in each for each in said):
        assert time.monotonic() < until_s
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert sum('resized on the CPU' in each for each in said) == 1
    assert 'pictures resized on the CPU (Model file' in gpu.description
    gpu.close()
    cpu.close()


def test_several_images_in_one_run_are_the_files_own(cuda, library, write_model, tmp_path):
    path = write_model(np.zeros((1, 7, 20)), input_shape=('batch', 3, 64, 64))
    backend = on_gpu(cuda, library, path, tmp_path, images=4)
    backend.open()
    assert 'the file as it is (it takes several images at a time)' in backend.description
    backend.close()


def test_sources_of_ever_new_sizes_fill_neither_gpu_nor_disk(cuda, library, write_model, tmp_path, monkeypatch):
    monkeypatch.setattr('gremsy_detector.backends.tensorrt.engine_cache._MOST_FRONTS', 3)
    monkeypatch.setattr('gremsy_detector.backends.gpu.engine_runner._MOST_PICTURES', 2)
    gpu, cpu = opened(cuda, library, dense(write_model, False), tmp_path)
    held = []
    for width in range(66, 66 + 2 * 6, 2):
        until_on_gpu(gpu, frame_of('bgr8', width))
        held.append(cuda._live)
    assert held[-1] == held[2]
    assert len(list(tmp_path.glob('picture-*.engine'))) == 3
    gpu.close()
    cpu.close()


def test_closing_waits_for_what_is_being_built(cuda, library, write_model, tmp_path):
    parse = library.OnnxParser.parse_from_file

    def slow(parser, path):
        if path.endswith('picture.onnx'):
            time.sleep(0.2)
        return parse(parser, path)

    library.OnnxParser.parse_from_file = slow
    gpu, cpu = opened(cuda, library, dense(write_model, False), tmp_path)
    gpu.detect(frame_of('bgr8'))
    gpu.close()
    cpu.close()
    del gpu
    gc.collect()
    assert cuda._live == 0
    assert len(list(tmp_path.glob('picture-*.engine'))) == 1
