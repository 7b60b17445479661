# SPDX-License-Identifier: Apache-2.0
"""When an image is said to hang: against the slowest before it, in invented times; and how ONNX Runtime ends one."""

import threading

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from gremsy_detector.backends.backend import Interruptible
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.detector import Detector
from gremsy_detector.errors import InferenceError
from gremsy_detector.run_watch import RunWatch, too_slow


def answered(watch, begun_s, took_s):
    watch.begin(begun_s)
    watch.end(begun_s + took_s, answered=True)


def test_an_image_hangs_after_the_given_time_where_others_are_quick():
    watch = RunWatch(2.0)
    answered(watch, 0.0, 0.1)
    watch.begin(10.0)
    assert watch.hangs_for_s(11.9) is None
    assert watch.hangs_for_s(12.5) == pytest.approx(2.5)
    watch.end(13.0, answered=False)
    assert watch.hangs_for_s(20.0) is None


def test_a_slow_model_may_take_ten_times_as_long_as_its_slowest_image():
    watch = RunWatch(2.0)
    answered(watch, 0.0, 1.5)
    answered(watch, 5.0, 0.5)
    watch.begin(10.0)
    assert watch.hangs_for_s(24.9) is None
    assert watch.hangs_for_s(25.1) is not None


def test_before_the_first_answer_nobody_knows_how_slow_it_is():
    watch = RunWatch(2.0)
    watch.begin(0.0)
    assert watch.hangs_for_s(29.0) is None
    assert watch.hangs_for_s(31.0) is not None
    watch.end(31.0, answered=False)
    assert watch.limit_s == 30.0
    answered(watch, 40.0, 0.1)
    watch.forget()
    assert watch.limit_s == 30.0


def test_zero_waits_for_ever():
    watch = RunWatch(0.0)
    answered(watch, 0.0, 0.01)
    watch.begin(1.0)
    assert watch.hangs_for_s(1e6) is None


@pytest.fixture
def endless_model(tmp_path):
    """Goes round for hours where the first pixel is above 0.5; answers 0 else."""
    body = helper.make_graph(
        [helper.make_node('Identity', ['on'], ['on_']), helper.make_node('Sin', ['sum'], ['sum_'])],
        'round',
        [
            helper.make_tensor_value_info('number', TensorProto.INT64, []),
            helper.make_tensor_value_info('on', TensorProto.BOOL, []),
            helper.make_tensor_value_info('sum', TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info('on_', TensorProto.BOOL, []),
            helper.make_tensor_value_info('sum_', TensorProto.FLOAT, []),
        ],
    )
    constants = {
        'half': np.float32(0.5),
        'many': np.int64(10**12),
        'yes': np.bool_(True),
        'zero': np.float32(0.0),
        'empty': np.zeros((1, 7, 20), np.float32),
    }
    nodes = [
        helper.make_node('ReduceMax', ['images'], ['brightest'], keepdims=0),
        helper.make_node('Greater', ['brightest', 'half'], ['bright']),
        helper.make_node('Cast', ['bright'], ['once'], to=TensorProto.INT64),
        helper.make_node('Mul', ['once', 'many'], ['rounds']),
        helper.make_node('Loop', ['rounds', 'yes', 'zero'], ['sum_of_all'], body=body),
        helper.make_node('Add', ['empty', 'sum_of_all'], ['output0']),
    ]
    graph = helper.make_graph(
        nodes,
        'endless',
        [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info('output0', TensorProto.FLOAT, [1, 7, 20])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, {'names': "{0: 'a', 1: 'b', 2: 'c'}"})
    path = tmp_path / 'endless.onnx'
    path.write_bytes(model.SerializeToString())
    return path


def shared(path):
    return ModelPool().backend(OnnxRuntimeBackend, path, OnnxRuntimeBackend(path)._options, name='one')


@pytest.mark.parametrize('make', [OnnxRuntimeBackend, shared], ids=['alone', 'shared'])
def test_a_run_that_does_not_end_is_ended_from_another_thread_and_the_next_one_answers(make, endless_model):
    backend = make(endless_model)
    assert isinstance(backend, Interruptible)
    backend.open()
    tensor = backend.new_input((1, 3, 64, 64), 'float32')
    # Before its buffers are bound and after.
    for _ in range(2):
        backend.infer(tensor)
        tensor[...] = 1.0
        over = threading.Event()

        def interrupt(over=over):
            while not over.wait(0.05):
                backend.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(InferenceError, match='terminate'):
                backend.infer(tensor)
        finally:
            over.set()
            thread.join()
        tensor[...] = 0.0
        assert not np.any(backend.infer(tensor)[0])
    backend.close()


def test_to_interrupt_what_does_not_run_is_harmless(endless_model):
    detector = Detector(OnnxRuntimeBackend(endless_model))
    detector.interrupt()
    detector.open()
    detector.interrupt()
    detector.close()


@pytest.mark.parametrize(
    ('looks', 'dropped', 'said'),
    [
        pytest.param(15, 90, '3.0 images a second, 8 are needed', id='a slow machine'),
        pytest.param(38, 90, '7.6 images a second, 8 are needed', id='nearly enough'),
        pytest.param(40, 90, '', id='just enough'),
        pytest.param(15, 0, '', id='a slow camera'),
        pytest.param(0, 90, '', id='none: said otherwise'),
    ],
)
def test_a_machine_that_is_too_slow_is_told_so(looks: int, dropped: int, said: str) -> None:
    sentence = too_slow(looks, dropped, 5.0)
    assert sentence == (
        f'This machine is too slow for the model: {said} to follow what moves: use a smaller `model`, a part '
        'of the image (`region_of_interest`), or a GPU (`backend`).'
        if said
        else ''
    )
