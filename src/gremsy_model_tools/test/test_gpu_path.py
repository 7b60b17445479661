# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on CUDA, on a fake GPU: the same detections as on the CPU, what goes up and down, and what is left."""

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from benchmarks.detector.detector_sharing import with_open_batch
from gremsy_common.picture.picture_memory import PictureMemory
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_detector.backends import onnxruntime_backend
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.detector import Detector
from gremsy_detector.errors import InferenceError, ModelError
from gremsy_detector.image.region_of_interest import Region
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.selection import Selection
from gremsy_model_tools.gpu import gpu_graphs
from gremsy_model_tools.precision.prepare import prepare_model
from src.gremsy_detector.test.onnxruntime_fakes import FakeGpuRuntime
from src.gremsy_detector.test.tensorrt_fakes import no_graphs
from src.gremsy_model_tools.test.test_gpu_graphs import dense, frame_of

# A few bytes of a picture differ by one count (test_gpu_graphs).
PX, SCORE = 0.1, 0.005
LOW = Selection(confidence=0.4, candidate_confidence=0.3)
# The boxes follow the picture, the scores do not.
MOVES = np.repeat([[8.0], [0.0]], [2, 5], axis=0)[None] * np.ones(2000)


@pytest.fixture
def runtime(monkeypatch):
    fake = FakeGpuRuntime()
    monkeypatch.setattr(onnxruntime_backend, 'load_onnxruntime', lambda: fake)
    return fake


def on_gpu(runtime, path, folder, graphs=lambda: gpu_graphs, **options):
    options = BackendOptions(provider='auto', engine_dir=folder, **options)
    return OnnxRuntimeBackend(path, options, new_stream=runtime.new_stream, graphs=graphs)


def alike(found, wanted):
    assert len(wanted) > 0
    assert found.labels.tolist() == wanted.labels.tolist()
    np.testing.assert_allclose(found.boxes_px, wanted.boxes_px, atol=PX)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=SCORE)


@pytest.fixture(scope='module')
def kept(tmp_path_factory):
    """One folder for the graph of the shipped model, which is made once."""
    return tmp_path_factory.mktemp('engines')


def test_the_shipped_model_sees_what_it_sees_on_the_cpu(runtime, kept, footage_image):
    image = footage_image(100)
    frames = [Frame(lock_read_only(image), 1, 'eo', 'bgr8'), Frame(lock_read_only(image[:400, :600]), 2, 'eo', 'bgr8')]
    cpu = Detector(OnnxRuntimeBackend(default_model_path(), BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, default_model_path(), kept), LOW)
    cpu.open()
    gpu.open()
    # The source changes its size in mid-stream, and back.
    for frame in (*frames, frames[0]):
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert ' CUDA (device 0), pictures resized (' in gpu.description
    assert gpu.description.endswith(' and best boxes chosen on it, CUDA graph')
    # The network once, and what is in front of it once for each size.
    assert len(runtime.sessions) == 3
    gpu.close()
    cpu.close()
    del gpu
    gc.collect()
    assert runtime.cuda._live == 0, 'something of the GPU is still held'


@pytest.mark.parametrize('encoding', sorted(PIXEL_LAYOUTS))
def test_every_encoding_goes_up_as_a_picture(runtime, write_model, tmp_path, encoding):
    path = dense(lambda base: write_model(base, slope=MOVES), False)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, path, tmp_path), LOW)
    cpu.open()
    gpu.open()
    frame = frame_of(encoding)
    alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert len(runtime.sessions) == 2
    gpu.close()
    cpu.close()


def test_tiles_are_pictures_too(runtime, write_model, tmp_path):
    path = dense(lambda base: write_model(base), False)
    selection = replace(LOW, region=Region(0.1, 0.1, 0.9, 0.9), tiling=Tiling(2, 2))
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), selection)
    gpu = Detector(on_gpu(runtime, path, tmp_path), selection)
    cpu.open()
    gpu.open()
    for _ in range(2):
        frame = frame_of('bgr8', 320, 240)
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    gpu.close()
    cpu.close()


def test_each_input_of_a_session_has_a_cuda_graph_of_its_own(runtime, write_model, tmp_path):
    backend = on_gpu(runtime, dense(write_model, False), tmp_path)
    backend.open()
    tensors = [backend.new_input((1, 3, 64, 64), 'float32') for _ in range(2)]
    for tensor in tensors:
        backend.infer(tensor)
    assert [each['gpu_graph_id'] for each in runtime.runs] == ['1', '2']
    assert {each['disable_synchronize_execution_providers'] for each in runtime.runs} == {'1'}
    assert 'cudaStreamBeginCapture' not in runtime.cuda.calls
    backend.close()


def test_a_few_boxes_are_written_where_the_cpu_reads_them(runtime, write_model, tmp_path):
    detector = Detector(on_gpu(runtime, dense(write_model, False), tmp_path))
    detector.open()
    runtime.cuda.calls.clear()
    detector.detect(frame_of('bgr8'))
    # The picture up; nothing down.
    assert runtime.cuda.calls.count('cudaMemcpyAsync') == 1
    detector.close()


def test_nothing_is_allocated_from_the_second_picture_on(runtime, write_model, tmp_path):
    detector = Detector(on_gpu(runtime, dense(write_model, False), tmp_path))
    detector.open()
    detector.detect(frame_of('bgr8'))
    live, sessions = runtime.cuda._live, len(runtime.sessions)
    for seed in range(5):
        detector.detect(frame_of('bgr8', seed=seed))
    assert (runtime.cuda._live, len(runtime.sessions)) == (live, sessions)
    detector.close()


def test_sources_of_ever_new_sizes_do_not_fill_the_gpu(runtime, write_model, tmp_path):
    detector = Detector(on_gpu(runtime, dense(write_model, False), tmp_path))
    detector.open()
    held = []
    for width in range(66, 66 + 2 * 30, 2):
        detector.detect(frame_of('bgr8', width))
        held.append(runtime.cuda._live)
    assert held[-1] == held[20]
    detector.close()


class Refusing:
    """Graphs of which the network's cannot be made."""

    def __init__(self, sentence):
        self.sentence = sentence

    def gpu_model(self, *_):
        raise ModelError(self.sentence)

    def picture_front(self, form, description):
        return gpu_graphs.picture_front(form, description)


OTHERWISE = 'The graph made of it gives other results than the file'


@pytest.mark.parametrize(
    ('graphs', 'why'),
    [(no_graphs, 'gremsy_model_tools is not installed'), (lambda: Refusing(f'{OTHERWISE}.'), OTHERWISE)],
    ids=['no package', 'refused'],
)
def test_a_graph_that_cannot_be_rewritten_runs_as_it_is_and_says_so(runtime, write_model, tmp_path, graphs, why):
    path, said = dense(write_model, False), []
    backend = on_gpu(runtime, path, tmp_path, graphs, say=said.append)
    detector, cpu = Detector(backend, LOW), Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    detector.open()
    cpu.open()
    frame = frame_of('bgr8')
    alike(detector.detect(frame).detections, cpu.detect(frame).detections)
    assert f'the file as it is ({why})' in detector.description
    assert said == [f'tiny.onnx runs on the GPU as it is: {why}{"" if graphs is no_graphs else "."}']
    detector.close()
    cpu.close()


def test_without_the_package_pictures_are_resized_on_the_cpu(runtime, write_model, tmp_path):
    detector = Detector(on_gpu(runtime, dense(write_model, False), tmp_path, no_graphs))
    detector.open()
    detector.detect(frame_of('bgr8'))
    assert len(runtime.sessions) == 1
    assert 'pictures resized on the CPU' in detector.description
    detector.close()


def test_a_picture_graph_that_fails_leaves_the_resize_to_the_cpu(runtime, write_model, tmp_path, monkeypatch):
    path, said = dense(write_model, False), []
    monkeypatch.setattr(gpu_graphs, 'picture_front', lambda *_: b'no graph')
    detector = Detector(on_gpu(runtime, path, tmp_path, say=said.append), LOW)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    detector.open()
    cpu.open()
    for _ in range(2):
        frame = frame_of('bgr8')
        alike(detector.detect(frame).detections, cpu.detect(frame).detections)
    assert sum('resized on the CPU' in each for each in said) == 1
    detector.close()
    cpu.close()


def test_a_session_that_cannot_be_captured_runs_without_a_cuda_graph(monkeypatch, write_model, tmp_path):
    runtime = FakeGpuRuntime(fails='This session cannot use the graph capture feature as requested by the user.')
    monkeypatch.setattr(onnxruntime_backend, 'load_onnxruntime', lambda: runtime)
    backend = on_gpu(runtime, dense(write_model, False), tmp_path)
    backend.open()
    assert [each['enable_cuda_graph'] for each in runtime.sessions] == ['1', '0']
    assert 'no CUDA graph (This session cannot use' in backend.description
    backend.close()


def test_a_gpu_that_does_not_open_leaves_cuda_to_onnx_runtime_alone(runtime, write_model, tmp_path):
    runtime.cuda.failing['cudaStreamCreateWithFlags'] = 700
    said = []
    path = dense(write_model, False)
    backend = on_gpu(runtime, path, tmp_path, say=said.append)
    backend.open()
    assert said[-1].startswith('ONNX Runtime cannot use CUDA')
    assert list(tmp_path.glob('*.gpu.onnx')) == []
    backend.close()


def test_a_run_that_fails_says_what_onnx_runtime_says(runtime, write_model, tmp_path):
    backend = on_gpu(runtime, dense(write_model, False), tmp_path)
    backend.open()
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    runtime.run_fails = True
    with pytest.raises(InferenceError) as failed:
        backend.infer(tensor)
    assert str(failed.value) == 'ONNX Runtime did not start the run: CUDNN failure 4.'
    runtime.run_fails = False
    assert len(backend.infer(tensor)) == 1
    backend.close()


def test_float32_is_computed_as_such_where_it_is_asked_for(runtime, kept):
    fast = []
    for precision in ('model', 'fp32'):
        backend = on_gpu(runtime, default_model_path(), kept, precision=precision)
        backend.open()
        fast.append((runtime.sessions[-1]['use_tf32'], runtime.sessions[-1]['prefer_nhwc']))
        backend.close()
    assert fast == [('1', '1'), ('0', '0')]


def test_weights_that_are_computed_keep_their_layout(runtime, kept, tmp_path, footage_image):
    # ONNX Runtime 1.31 fails on int8 with the channels last: "Input channels C is not equal to kernel channels".
    for number in range(12):
        cv2.imwrite(str(tmp_path / f'{number}.png'), footage_image(20 * number))
    int8 = prepare_model(default_model_path(), 'int8', kept, calibration=tmp_path, fold_input=False, limit=0.0)
    assert int8.precision == 'int8'
    backend = on_gpu(runtime, int8.path, kept)
    backend.open()
    assert runtime.sessions[-1]['prefer_nhwc'] == '0'
    backend.close()


def on_fake_gpu(runtime):
    """The kind of back end, as a pool of models opens one."""

    class OnFakeGpu(OnnxRuntimeBackend):
        def __init__(self, model, options):
            super().__init__(model, options, new_stream=runtime.new_stream, graphs=lambda: gpu_graphs)

    return OnFakeGpu


def test_two_detectors_share_the_model_and_have_pictures_of_their_own(runtime, write_model, tmp_path, monkeypatch):
    path = dense(write_model, False)
    pool, kind = ModelPool(), on_fake_gpu(runtime)
    options = BackendOptions(engine_dir=tmp_path)
    detectors = [Detector(pool.backend(kind, path, options, name=name), LOW) for name in ('eo', 'ir')]
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    for each in (*detectors, cpu):
        each.open()
    for frame in (frame_of('bgr8'), frame_of('mono16', 64, 48)):
        for each in detectors:
            alike(each.detect(frame).detections, cpu.detect(frame).detections)
    # The network once; each member's two kinds of pictures.
    assert len(runtime.sessions) == 1 + 4
    for each in (*detectors, cpu):
        each.close()
    del detectors, each
    gc.collect()
    assert runtime.cuda._live == 0


def test_one_thread_runs_a_model_however_often_its_detectors_are_activated(runtime, write_model, tmp_path):
    # ONNX Runtime keeps what it has for a thread (0.5 GB of the GPU) until the model closes: figures.md.
    path = dense(write_model, False)
    pool, kind = ModelPool(), on_fake_gpu(runtime)
    options = BackendOptions(engine_dir=tmp_path)
    detectors = [Detector(pool.backend(kind, path, options, name=name), LOW) for name in ('eo', 'ir')]
    for each in detectors:
        each.open()
    for activation in range(4):
        frame = frame_of('bgr8', 66 + 2 * activation, 66)
        # As the nodes' workers, a new one in each activation.
        with ThreadPoolExecutor(len(detectors)) as workers:
            for found in [workers.submit(each.detect, frame) for each in 2 * detectors]:
                found.result()
    (thread,) = runtime.threads
    # The network, and for each size of each member another in front.
    assert len(runtime.sessions) == 1 + 2 * 4
    for each in detectors:
        each.close()
    assert not thread.is_alive()


def test_a_model_that_was_closed_refuses_a_late_run(runtime, write_model, tmp_path):
    backend = on_gpu(runtime, dense(write_model, False), tmp_path)
    backend.open()
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    gpu = backend._gpu
    backend.close()
    with pytest.raises(InferenceError) as refused:
        gpu.run(tensor)
    assert str(refused.value) == 'The model was closed in the meantime: open it again.'


def ring(count, width, height):
    """Frames in memory that is reused, as of a camera."""
    return [frame_of('bgr8', width, height, seed) for seed in range(count)]


def test_pictures_whose_memory_comes_again_are_read_where_they_lie(runtime, write_model, tmp_path):
    path = dense(lambda base: write_model(base, slope=MOVES), False)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, path, tmp_path), LOW)
    cpu.open()
    gpu.open()
    frames = ring(3, 192, 192)
    for seen in range(3):
        runtime.cuda.calls.clear()
        for frame in frames:
            alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
        # The first time they are copied, the second time registered as well, and then only read.
        assert runtime.cuda.calls.count('cudaHostRegister') == (3 if seen == 1 else 0)
        assert runtime.cuda.calls.count('cudaMemcpy2DAsync') == (3 if seen else 0)
    assert 'pictures resized (read in place)' in gpu.description
    # Each goes when its owner does.
    del frame, frames[1]
    assert runtime.cuda.calls.count('cudaHostUnregister') == 1
    # And not with the model: another may look at it, which cannot register it again.
    gpu.close()
    again = Detector(on_gpu(runtime, path, tmp_path), LOW)
    again.open()
    alike(again.detect(frames[0]).detections, cpu.detect(frames[0]).detections)
    assert runtime.cuda.calls.count('cudaHostRegister') == 0
    assert 'pictures resized (read in place)' in again.description
    again.close()
    cpu.close()
    del gpu, again, frames
    gc.collect()
    assert (runtime.cuda._live, runtime.cuda._registered) == (0, {})


def test_a_cameras_pictures_are_registered_once_for_all_that_come_in_their_memory(runtime, write_model, tmp_path):
    path = dense(lambda base: write_model(base, slope=MOVES), False)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, path, tmp_path), LOW)
    cpu.open()
    gpu.open()
    memory = PictureMemory()
    for seed in range(6):
        image = memory.new((192, 192, 3))
        image[...] = frame_of('bgr8', 192, 192, seed).image
        frame = Frame(lock_read_only(image), seed, 'eo', 'bgr8')
        del image
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
        del frame
    assert runtime.cuda.calls.count('cudaHostRegister') == 1
    assert runtime.cuda.calls.count('cudaMemcpy2DAsync') == 5
    gpu.close()
    cpu.close()


def test_of_a_size_whose_rows_are_not_evenly_apart_all_are_read_where_they_lie(runtime, write_model, tmp_path):
    path = dense(lambda base: write_model(base, slope=MOVES), False)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, path, tmp_path), LOW)
    cpu.open()
    gpu.open()
    frame = frame_of('bgr8', 150, 100)
    for _ in range(3):
        runtime.cuda.calls.clear()
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert runtime.cuda.calls.count('cudaMemcpy2DAsync') == 1
    assert 'pictures resized (read in place)' in gpu.description
    gpu.close()
    cpu.close()


@pytest.mark.parametrize(
    ('refusal', 'why'),
    [
        ({'cudaHostRegister': 700}, 'copied, CUDA refuses to register their memory: cudaErrorIllegalAddress'),
        ({}, 'copied, 0 MiB of pictures are already locked'),
    ],
    ids=['refused', 'too much'],
)
def test_memory_that_cannot_be_locked_is_copied_and_said_so(runtime, write_model, tmp_path, monkeypatch, refusal, why):
    if not refusal:
        monkeypatch.setattr('gremsy_detector.backends.gpu.lent_pictures._MOST_BYTES', 1000)
    runtime.cuda.failing.update(refusal)
    path = dense(lambda base: write_model(base, slope=MOVES), False)
    cpu = Detector(OnnxRuntimeBackend(path, BackendOptions(provider='cpu')), LOW)
    gpu = Detector(on_gpu(runtime, path, tmp_path), LOW)
    cpu.open()
    gpu.open()
    frame = frame_of('bgr8', 192, 192)
    for _ in range(3):
        alike(gpu.detect(frame).detections, cpu.detect(frame).detections)
    assert why in gpu.description
    assert 'cudaMemcpy2DAsync' not in runtime.cuda.calls
    # It is not tried again with every picture.
    assert runtime.cuda.calls.count('cudaHostRegister') == len(refusal)
    gpu.close()
    cpu.close()


def test_pictures_in_memory_of_their_own_each_are_copied(runtime, write_model, tmp_path):
    gpu = Detector(on_gpu(runtime, dense(write_model, False), tmp_path), LOW)
    gpu.open()
    for seed in range(3):
        gpu.detect(frame_of('bgr8', 192, 192, seed))
    assert 'pictures resized (copied, their memory is not reused)' in gpu.description
    assert 'cudaHostRegister' not in runtime.cuda.calls
    gpu.close()


def test_a_file_of_several_images_is_fixed_to_one_and_says_so_or_left_as_it_is(runtime, tmp_path):
    path = with_open_batch(default_model_path(), tmp_path / 'batched.onnx')
    backend = on_gpu(runtime, path, tmp_path)
    backend.open()
    assert backend.most_images == 1
    assert 'best boxes chosen on it, one image at a time, CUDA graph' in backend.description
    backend.close()
    backend = on_gpu(runtime, path, tmp_path, images=4)
    backend._plan_gpu(runtime)
    assert backend._gpu_remark == 'images copied to it one by one (several images may go in one run)'
