# SPDX-License-Identifier: Apache-2.0
"""The TensorRT back end on a fake GPU: what runs, what is refused with which sentence, and that nothing is left."""

import gc
import json

import numpy as np
import pytest

from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.tensorrt.engine_file import EngineHeader, write_engine
from gremsy_detector.backends.tensorrt.engine_key import EngineKey, sha256_of_model
from gremsy_detector.backends.tensorrt_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.errors import BackendLostError, InferenceError, ModelError
from src.gremsy_detector.test.tensorrt_fakes import (
    LOST,
    NANO,
    NOT_CAPTURED,
    ORIN,
    OUT_OF_MEMORY,
    FakeBuilder,
    FakeCuda,
    FakeFullLibrary,
    FakeRuntimeLibrary,
    fake_machine,
    fake_plan,
)

# Of a machine without the package that makes graphs.
ON_CPU = 'pictures resized on the CPU (gremsy_model_tools is not installed)'
AS_IT_IS = 'the file as it is (gremsy_model_tools is not installed)'
ANSWER = np.arange(140, dtype=np.float32).reshape(1, 7, 20)
AGAIN = 'build it again with `ros2 run gremsy_model_tools build_engine MODEL.onnx`'


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def library(cuda):
    return FakeRuntimeLibrary(cuda)


def ultralytics(path, plan, **metadata):
    content = {'task': 'detect', 'names': {'0': 'person', '1': 'car', '2': 'dog'}, 'imgsz': [64, 64]} | metadata
    text = json.dumps(content).encode()
    path.write_bytes(len(text).to_bytes(4, 'little') + text + plan)
    return path


def ours(path, *, version='10.3.0', gpu=ORIN, plan=None, model='/nowhere/tiny.onnx', sha='0' * 64, lean=False):
    key = EngineKey(sha, version, gpu.identity, gpu.compute_capability, 'fp16', (1, 3, 64, 64), lean)
    header = EngineHeader(key, 'fp16', str(model), (), (), {'names': "{0: 'person'}"}, '2026-01-01T00:00:00+00:00')
    write_engine(path, header, fake_plan(version) if plan is None else plan)
    return path


def opened(cuda, library, path, **parts):
    options = parts.pop('options', BackendOptions(engine_dir=path.parent / 'engines'))
    backend = BACKEND(path, options, fake_machine(cuda, library, **parts))
    return backend, backend.open()


def refusal(cuda, library, path, **parts):
    with pytest.raises(ModelError) as refused:
        opened(cuda, library, path, **parts)
    assert cuda._live == 0, 'something of the GPU is still held'
    return str(refused.value)


def test_an_engine_of_ours_runs_and_says_what_it_is(cuda, library, tmp_path):
    backend, facts = opened(cuda, library, ours(tmp_path / 'm.engine'))
    assert [str(each) for each in facts.inputs] == ['images float32 [1, 3, 64, 64]']
    assert [str(each) for each in facts.outputs] == ['output0 float32 [1, 7, 20]']
    assert facts.metadata == {'names': "{0: 'person'}"}
    assert facts.path == tmp_path / 'm.engine'
    assert backend.description == f'TensorRT 10.3.0 lean, Orin, fp16, {ON_CPU} and all boxes copied back'


def test_an_engine_of_ultralytics_gives_its_metadata_as_the_onnx_file_would(cuda, library, tmp_path):
    path = ultralytics(tmp_path / 'y.engine', fake_plan(), args={'nms': True}, stride=32)
    backend, facts = opened(cuda, library, path)
    assert facts.metadata == {
        'task': 'detect',
        'names': "{0: 'person', 1: 'car', 2: 'dog'}",
        'imgsz': '[64, 64]',
        'args': "{'nms': True}",
        'stride': '32',
    }
    assert backend.description == f'TensorRT 10.3.0 lean, Orin, {ON_CPU} and all boxes copied back'


def test_a_detector_runs_on_it(cuda, library, tmp_path, make_frame):
    path = ultralytics(tmp_path / 'y.engine', fake_plan())
    detector = Detector(BACKEND(path, BackendOptions(), fake_machine(cuda, library)))
    model = detector.open()
    assert model.class_names == ('person', 'car', 'dog')
    assert len(detector.detect(make_frame()).detections) > 0
    detector.close()


def test_every_run_sees_the_present_content_and_all_but_the_first_are_replays(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    assert not tensor.any()
    for value in (0.0, 0.25, 0.5, 0.125):
        tensor[...] = value
        np.testing.assert_array_equal(backend.infer(tensor)[0], ANSWER + np.float32(value))
    assert cuda.calls.count('cudaGraphLaunch') == 3
    assert backend.description == f'TensorRT 10.3.0 lean, Orin, fp16, {ON_CPU} and all boxes copied back, CUDA graph'


def test_a_run_allocates_nothing(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    first = backend.infer(tensor)
    backend.infer(tensor)
    cuda.calls.clear()
    again = backend.infer(tensor)
    assert cuda.calls == ['cudaSetDevice', 'cudaGraphLaunch', 'cudaStreamQuery', 'cudaStreamQuery']
    assert again[0] is first[0]


@pytest.mark.parametrize('step', ['cudaStreamBeginCapture', 'cudaStreamEndCapture', 'cudaGraphInstantiate'])
def test_a_gpu_that_refuses_the_capture_is_run_call_by_call(cuda, library, tmp_path, step):
    cuda.failing[step] = NOT_CAPTURED
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    for value in (0.25, 0.5, 0.75):
        tensor[...] = value
        np.testing.assert_array_equal(backend.infer(tensor)[0], ANSWER + np.float32(value))
    assert 'CUDA graph' not in backend.description
    assert cuda.calls.count(step) == 1, 'it is not tried again with every frame'
    backend.close()
    del tensor, backend
    gc.collect()
    assert cuda._live == 0


def test_another_array_than_the_input_is_taken_too(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    own = backend.new_input((1, 3, 64, 64), 'float32')
    own[...] = 0.5
    backend.infer(own)
    other = np.full((1, 3, 64, 64), 0.75, np.float32)
    np.testing.assert_array_equal(backend.infer(other)[0], ANSWER + np.float32(0.75))


def test_each_input_has_outputs_and_a_graph_of_its_own_on_one_engine(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    first, second = (backend.new_input((1, 3, 64, 64), 'float32') for _ in range(2))
    for value in (0.25, 0.5, 0.75):
        first[...], second[...] = value, value + 1
        one, other = backend.infer(first)[0], backend.infer(second)[0]
        np.testing.assert_array_equal(one, ANSWER + np.float32(value))
        np.testing.assert_array_equal(other, ANSWER + np.float32(value + 1))
    assert cuda.calls.count('cudaGraphLaunch') == 4
    backend.close()
    del first, second, one, other
    gc.collect()
    assert cuda._live == 0


def test_a_gpu_without_memory_for_another_input_says_so_and_the_first_goes_on(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    first = backend.new_input((1, 3, 64, 64), 'float32')
    library._fail.add('create_execution_context')
    with pytest.raises(InferenceError) as refused:
        backend.new_input((1, 3, 64, 64), 'float32')
    assert str(refused.value) == (
        'TensorRT 10.3.0 lean, Orin, fp16 cannot take one more input '
        '(Error Code 2: OutOfMemory (Requested size was 400 bytes.)).'
    )
    np.testing.assert_array_equal(backend.infer(first)[0], ANSWER)


@pytest.mark.parametrize(
    ('plan', 'images'),
    [
        ({}, 1),
        ({'input_shape': (-1, 3, 64, 64), 'largest': [4, 3, 64, 64]}, 4),
        ({'input_shape': (1, 3, -1, -1), 'outputs': ((1, 7, -1),), 'largest': [1, 3, 128, 128]}, 1),
    ],
)
def test_it_takes_as_many_images_at_a_time_as_the_engine_was_built_for(cuda, library, tmp_path, plan, images):
    backend, _ = opened(cuda, library, ultralytics(tmp_path / 'y.engine', fake_plan(**plan)))
    assert (backend.most_images, backend.concurrent) == (images, False)
    backend.close()
    assert backend.most_images == 1


def test_a_tensor_of_another_shape_or_type_fails_and_the_next_run_works(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    good = np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(InferenceError) as refused:
        backend.infer(np.zeros((1, 3, 32, 64), np.float32))
    assert str(refused.value) == (
        "A tensor of [1, 3, 32, 64] does not fit the engine's input images float32 [1, 3, 64, 64]."
    )
    with pytest.raises(InferenceError) as refused:
        backend.infer(np.zeros((1, 3, 64, 64), np.uint8))
    assert str(refused.value) == "A tensor of uint8 does not fit the engine's input images float32 [1, 3, 64, 64]."
    np.testing.assert_array_equal(backend.infer(good)[0], ANSWER)
    with pytest.raises(InferenceError):
        backend.infer(good.astype(np.float16))
    np.testing.assert_array_equal(backend.infer(good)[0], ANSWER)


def test_a_dynamic_engine_takes_each_size_within_its_range(cuda, library, tmp_path):
    plan = fake_plan(input_shape=(1, 3, -1, -1), outputs=((1, 7, -1),), largest=[1, 3, 128, 128])
    backend, facts = opened(cuda, library, ultralytics(tmp_path / 'y.engine', plan))
    assert str(facts.inputs[0]) == 'images float32 [1, 3, ?, ?]'
    for side in (64, 32, 64):
        assert backend.infer(np.zeros((1, 3, side, side), np.float32))[0].shape == (1, 7, side)
    assert cuda.calls.count('cudaMalloc') == 6 and cuda.calls.count('cudaFree') == 4
    with pytest.raises(InferenceError) as refused:
        backend.infer(np.zeros((1, 3, 256, 256), np.float32))
    assert str(refused.value) == (
        'A tensor of [1, 3, 256, 256] does not fit the engine, which was built for images from [1, 3, 1, 1] to '
        '[1, 3, 128, 128].'
    )


def test_an_output_whose_size_the_data_decides_is_refused(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ultralytics(tmp_path / 'y.engine', fake_plan(outputs=((-2, 6),))))
    with pytest.raises(InferenceError) as refused:
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
    assert 'is of a size that only the data decides: export the model without its own suppression' in str(refused.value)


def test_closing_frees_all_and_the_users_array_outlives_it(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    outputs = [backend.infer(tensor), backend.infer(tensor)]
    backend.close()
    backend.close()
    tensor[...] = 1.0
    assert tensor.sum() == tensor.size
    with pytest.raises(InferenceError) as refused:
        backend.infer(tensor)
    assert str(refused.value) == 'tensorrt has no model open: call open() first.'
    del tensor, outputs, refused
    gc.collect()
    assert cuda._live == 0


def test_it_opens_again_after_closing(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    for _ in range(3):
        backend.open()
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
        backend.close()
    gc.collect()
    assert cuda._live == 0


def test_a_gpu_that_is_out_of_memory_says_how_much_was_asked_and_is_free(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine', plan=fake_plan(input_shape=(1, 3, 2048, 2048))))
    cuda.failing['cudaMalloc'] = OUT_OF_MEMORY
    tensor = np.zeros((1, 3, 2048, 2048), np.float32)
    with pytest.raises(InferenceError) as refused:
        backend.infer(tensor)
    assert str(refused.value) == (
        'GPU 0 cannot allocate 48 MiB: it is out of memory (3 MiB are free), so close other programs that use it, or '
        'take a smaller model or input.'
    )
    cuda.failing.clear()
    assert backend.infer(tensor)[0].shape == (1, 7, 20), 'with memory again, it runs'


def test_memory_that_runs_out_half_way_gives_back_the_first_half(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    before, allocate = cuda._live, cuda.cudaMalloc
    answers = [allocate, lambda size: (OUT_OF_MEMORY, 0)]
    cuda.cudaMalloc = lambda size: answers.pop(0)(size)
    with pytest.raises(InferenceError):
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
    gc.collect()
    assert cuda._live == before


def test_a_machine_that_is_out_of_memory_says_which_memory(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    cuda.failing['cudaHostAlloc'] = OUT_OF_MEMORY
    with pytest.raises(InferenceError) as refused:
        backend.new_input((1, 3, 2048, 2048), 'float32')
    assert str(refused.value) == (
        'GPU 0 cannot page-lock 48 MiB: this machine is out of memory, so close other programs, or take '
        'a smaller model or input.'
    )


def test_a_gpu_that_is_lost_is_said_so(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    cuda.failing['cudaStreamQuery'] = LOST
    with pytest.raises(BackendLostError) as refused:
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
    assert str(refused.value) == (
        'GPU 0 cannot run (cudaErrorIllegalAddress): look at `dmesg` for what happened to it, and start the node again.'
    )


def test_a_lost_gpu_is_let_go_of_without_an_error_and_opened_again_when_it_is_back(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    tensor = np.zeros((1, 3, 64, 64), np.float32)
    backend.infer(tensor)
    cuda.failing = dict.fromkeys(('cudaSetDevice', 'cudaGraphLaunch', 'cudaStreamQuery', 'cudaMalloc'), LOST)
    with pytest.raises(InferenceError):
        backend.infer(tensor)
    backend.close()
    with pytest.raises(ModelError):
        backend.open()
    cuda.failing = {}
    backend.open()
    np.testing.assert_array_equal(backend.infer(tensor)[0], ANSWER)


def test_a_run_that_tensorrt_does_not_start_gives_its_reason(cuda, library, tmp_path):
    backend, _ = opened(cuda, library, ours(tmp_path / 'm.engine'))
    library._fail.add('execute_async_v3')
    with pytest.raises(InferenceError) as refused:
        backend.infer(np.zeros((1, 3, 64, 64), np.float32))
    assert str(refused.value) == (
        'TensorRT did not start the run: IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (x).'
    )


def test_no_gpu_at_start_is_a_model_error(cuda, library, tmp_path):
    cuda.failing['cudaSetDevice'] = LOST
    path = ours(tmp_path / 'm.engine')
    assert refusal(cuda, library, path).startswith('GPU 0 cannot be used (cudaErrorIllegalAddress): ')


def test_a_gpu_number_that_is_not_there_is_named(cuda, library, tmp_path):
    path = ours(tmp_path / 'm.engine')
    assert refusal(cuda, library, path, options=BackendOptions(device=2)) == (
        'There is no GPU 2: this machine has 1, counted from 0, so set `device` to one of them.'
    )


def test_where_tensorrt_is_not_available_nothing_is_loaded(cuda, library, tmp_path):
    path = ours(tmp_path / 'm.engine')
    assert refusal(cuda, library, path, reason='is not installed (apt install x)') == (
        'TensorRT is not installed (apt install x).'
    )
    assert cuda.calls == []


def test_a_missing_file_is_named(cuda, library, tmp_path):
    path = tmp_path / 'm.engine'
    assert refusal(cuda, library, path) == (
        f"Model file {path} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
    )


def test_an_engine_of_another_tensorrt_is_refused_and_never_given_to_the_runtime(cuda, library, tmp_path):
    path = ours(tmp_path / 'm.engine', version='10.16.1.11')
    library.Runtime.deserialize_cuda_engine = None
    assert refusal(cuda, library, path) == (
        f'Engine {path} cannot be used, because it was built with TensorRT 10.16.1.11 and this machine has 10.3.0: '
        f'{AGAIN}.'
    )


def test_an_engine_of_another_board_of_the_same_name_is_refused(cuda, library, tmp_path):
    path = ours(tmp_path / 'm.engine', gpu=NANO)
    assert refusal(cuda, library, path) == (
        f'Engine {path} cannot be used, because it was built for Orin with 8 multiprocessors (compute capability 8.7) '
        f'and this machine has Orin with 16 multiprocessors (8.7): {AGAIN}.'
    )


@pytest.mark.parametrize(('built', 'here', 'runs'), [('10.3.0', '10.16.1', True), ('10.16.1', '10.3.0', False)])
def test_a_lean_engine_runs_under_a_later_tensorrt_of_the_same_major(cuda, tmp_path, built, here, runs):
    path = ours(tmp_path / 'm.engine', version=built, lean=True, plan=fake_plan(here))
    library = FakeRuntimeLibrary(cuda, here)
    if runs:
        opened(cuda, library, path)
    else:
        assert 'it was built with TensorRT 10.16.1 and this machine has 10.3.0' in refusal(cuda, library, path)


def test_a_lean_engine_of_another_major_is_refused(cuda, tmp_path):
    path = ours(tmp_path / 'm.engine', version='10.16.1', lean=True)
    assert 'built with TensorRT 10.16.1 and this machine has 11.4.0' in refusal(
        cuda, FakeRuntimeLibrary(cuda, '11.4.0'), path
    )


def test_a_plan_that_the_runtime_refuses_is_a_sentence_with_its_reason(cuda, library, tmp_path):
    path = ultralytics(tmp_path / 'y.engine', fake_plan('8.6.1'))
    assert refusal(cuda, library, path) == (
        f'Engine {path} is refused by TensorRT 10.3.0 lean (Error Code 6: the engine plan file is not compatible): it '
        f'is damaged, or was built with another TensorRT or for another GPU, so {AGAIN}.'
    )
    path = ultralytics(tmp_path / 'z.engine', b'\x00' * 1000)
    assert '(IRuntime::deserializeCudaEngine: Error Code 1: Magic tag)' in refusal(cuda, library, path)


def test_an_engine_that_does_not_fit_into_the_gpu_says_so(cuda, library, tmp_path):
    library._fail.add('create_execution_context')
    path = ours(tmp_path / 'm.engine')
    assert '(Error Code 2: OutOfMemory (Requested size was 400 bytes.))' in refusal(cuda, library, path)


def test_a_bare_plan_is_refused_because_nothing_says_what_it_takes(cuda, library, tmp_path):
    path = tmp_path / 'trtexec.engine'
    path.write_bytes(b'ptrt' + bytes(1000))
    assert refusal(cuda, library, path) == (
        f'Engine {path} is neither one of build_engine nor one of Ultralytics (its metadata would have 1953657968 '
        f'bytes), so what it takes and what its classes are is unknown: {AGAIN}.'
    )


def test_a_truncated_engine_without_its_model_is_refused(cuda, library, tmp_path):
    path = ours(tmp_path / 'm.engine')
    path.write_bytes(path.read_bytes()[:-1])
    size = len(fake_plan())
    assert refusal(cuda, library, path) == (
        f'Engine {path} cannot be used, because it is damaged (it has {size - 1} of {size} bytes): {AGAIN}.'
    )


@pytest.mark.parametrize('fault', ['truncated', 'other_version', 'other_model'])
def test_an_unfit_engine_is_made_anew_where_its_model_is_at_hand(cuda, tmp_path, write_model, fault):
    model = write_model(np.zeros((1, 7, 20)))
    sha = sha256_of_model(model) if fault != 'other_model' else '1' * 64
    path = ours(tmp_path / 'm.engine', model=model, sha=sha, version='10.1.0' if fault == 'other_version' else '10.3.0')
    if fault == 'truncated':
        path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()
    said, builder = [], FakeBuilder()
    options = BackendOptions(engine_dir=tmp_path / 'engines', say=said.append)
    backend, facts = opened(cuda, FakeFullLibrary(cuda), path, options=options, builder=builder)
    assert facts.path == path
    np.testing.assert_array_equal(backend.infer(np.zeros((1, 3, 64, 64), np.float32))[0], ANSWER)
    assert len(builder.built) == 1
    assert path.read_bytes() == before, "the user's own file is left as it is"
    assert said[0].startswith(f'Engine {path} cannot be used, because ')
    assert said[0].endswith(f': taking one made from {model}.')
    opened(cuda, FakeFullLibrary(cuda), path, options=options, builder=builder)
    assert len(builder.built) == 1, 'the second start finds it'


def test_the_model_beside_a_copied_engine_is_found(cuda, tmp_path, write_model):
    model = write_model(np.zeros((1, 7, 20)), name='tiny.onnx')
    path = ours(tmp_path / 'm.engine', model='/other/machine/tiny.onnx', sha=sha256_of_model(model), version='10.1.0')
    builder = FakeBuilder()
    opened(cuda, FakeFullLibrary(cuda), path, builder=builder)
    assert builder.built[0][0].name == 'tiny.fp16.onnx'


def test_an_onnx_file_is_built_once_and_found_from_then_on(cuda, tmp_path, write_model):
    model = write_model(np.zeros((1, 7, 20)))
    builder = FakeBuilder()
    for _ in range(3):
        backend, facts = opened(cuda, FakeFullLibrary(cuda), model, builder=builder)
        np.testing.assert_array_equal(backend.infer(np.zeros((1, 3, 64, 64), np.float32))[0], ANSWER)
        assert facts.metadata['names'] == "{0: 'person', 1: 'car', 2: 'dog'}"
        assert backend.description == f'TensorRT 10.3.0, Orin, model, {ON_CPU} and {AS_IT_IS}, CUDA graph'
        backend.close()
    assert len(builder.built) == 1


def test_an_onnx_file_where_there_is_only_the_lean_runtime_says_what_to_do(cuda, library, tmp_path, write_model):
    model = write_model(np.zeros((1, 7, 20)))
    assert refusal(cuda, library, model) == (
        f'Model file {model} has no engine in {tmp_path / "engines"} for TensorRT 10.3.0 on Orin with 16 '
        'multiprocessors, and this machine has no TensorRT builder: install the full TensorRT, or build it with '
        '`build_engine --lean` on a machine with the same GPU and copy it there.'
    )
    assert not (tmp_path / 'engines').exists()


def test_a_kept_engine_that_tensorrt_refuses_after_all_is_built_again_once(cuda, tmp_path, write_model):
    model = write_model(np.zeros((1, 7, 20)))
    builder, library = FakeBuilder(), FakeFullLibrary(cuda)
    builder.plan = fake_plan('9.9.9')
    fresh = (
        'was just built and is refused by TensorRT 10.3.0 (Error Code 6: the engine plan file is not compatible): '
        'run the model with `backend: onnxruntime`.'
    )
    assert refusal(cuda, library, model, builder=builder).endswith(fresh)
    assert len(builder.built) == 1, 'a second build would give the same'
    assert refusal(cuda, library, model, builder=builder).endswith(fresh)
    assert len(builder.built) == 2
    builder.plan = b''
    opened(cuda, library, model, builder=builder)
    assert len(builder.built) == 3


def test_the_whole_way_from_an_onnx_file_with_tensorrts_own_builder(cuda, tmp_path, write_model):
    model = write_model(np.zeros((1, 7, 20)))
    backend, _ = opened(cuda, FakeFullLibrary(cuda, '11.4.0'), model)
    np.testing.assert_array_equal(backend.infer(np.zeros((1, 3, 64, 64), np.float32))[0], ANSWER)
    assert backend.description == f'TensorRT 11.4.0, Orin, model, {ON_CPU} and {AS_IT_IS}, CUDA graph'
