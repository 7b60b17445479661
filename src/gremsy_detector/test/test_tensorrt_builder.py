# SPDX-License-Identifier: Apache-2.0
"""Building with TensorRT's own interface, on a fake of it: what is set, what is said, and how it fails."""

import json
import signal
import threading

import numpy as np
import pytest

from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.errors import ModelError
from src.gremsy_detector.test.tensorrt_fakes import FakeCuda, FakeFullLibrary, FakeRtxLibrary

SHAPE = (1, 3, 64, 64)


class Clock:
    def __init__(self, step_s):
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def module():
    return FakeFullLibrary(FakeCuda())


@pytest.fixture
def model(write_model):
    return write_model(np.zeros((1, 7, 20)))


def build(module, model, recipe=None, say=lambda sentence: None, step_s=1.0):
    return TensorRtBuilder(TensorRt(module), Clock(step_s)).build(model, recipe or BuildRecipe(SHAPE), say)


def test_a_build_gives_the_plan_its_tensors_and_the_timing_cache(module, model):
    built = build(module, model, BuildRecipe(SHAPE, timing_cache=b'old'))
    assert json.loads(built.plan)['version'] == '10.3.0'
    assert [str(each) for each in built.inputs] == ['images float32 [1, 3, 64, 64]']
    assert [str(each) for each in built.outputs] == ['output0 float32 [1, 7, 20]']
    assert built.timing_cache == b'old+'


@pytest.mark.parametrize('content', [b'garbage', b'other GPU'])
def test_a_timing_cache_that_does_not_fit_is_begun_anew(module, model, content):
    assert build(module, model, BuildRecipe(SHAPE, timing_cache=content)).timing_cache == b'+'


def test_a_plain_build_sets_the_network_flag_and_nothing_else(module, model):
    build(module, model)
    assert module._log == [('network', 2)]


def test_a_lean_build_is_version_compatible_without_the_runtime_inside(module, model):
    build(module, model, BuildRecipe(SHAPE, lean=True, workspace_bytes=7))
    assert module._log[1:] == [('limit', 'workspace', 7), ('flag', 'vc'), ('flag', 'no lean')]


def test_a_dynamic_file_gets_a_profile_of_the_one_size_that_is_used(module, write_model):
    model = write_model(np.zeros((1, 7, 20)), input_shape=('batch', 3, 'h', 'w'))
    build(module, model)
    assert module._log[1:] == [('profile', 'images', SHAPE, SHAPE, SHAPE), ('add', 'IOptimizationProfile')]


def test_a_file_that_takes_several_images_is_built_for_one_to_the_most_and_two_best(module, write_model):
    model = write_model(np.zeros((1, 7, 20)), input_shape=('batch', 3, 'h', 'w'))
    build(module, model, BuildRecipe((4, *SHAPE[1:])))
    assert module._log[1] == ('profile', 'images', SHAPE, (2, *SHAPE[1:]), (4, *SHAPE[1:]))


def test_what_the_parser_refuses_is_one_sentence_with_the_node(module, model):
    module._fail.add('parse')
    with pytest.raises(ModelError) as refused:
        build(module, model)
    assert str(refused.value) == (
        f'Model file {model} cannot be built by TensorRT 10.3.0 (In node 3: UNSUPPORTED_NODE: no importer at node '
        'node_3 (GridSample)): export it again with another opset, or run it with `backend: onnxruntime`.'
    )


def test_what_the_builder_refuses_is_one_sentence(module, model):
    module._fail.add('build')
    with pytest.raises(ModelError) as refused:
        build(module, model)
    assert str(refused.value) == (
        f'Model file {model} cannot be built by TensorRT 10.3.0 (Error Code 10: Could not find any implementation): '
        'free GPU memory, export it again with another opset, or run it with `backend: onnxruntime`.'
    )


def test_progress_is_said_but_not_at_every_step(module, model):
    said = []
    build(module, model, say=said.append, step_s=0.1)
    assert said == ['Building the engine: Building Engine.']
    said.clear()
    build(module, model, say=said.append, step_s=5.0)
    assert said == [
        'Building the engine: Building Engine.',
        'Building the engine: Building Engine, step 1 of 2.',
        'Building the engine: Building Engine, step 2 of 2.',
    ]


def test_a_terminal_that_is_gone_ends_the_build(module, model):
    def say(sentence):
        raise BrokenPipeError

    with pytest.raises(KeyboardInterrupt):
        build(module, model, say=say)


def test_ctrl_c_ends_the_build_and_never_passes_through_tensorrt(module, model):
    handler = signal.getsignal(signal.SIGINT)
    passed_through = []

    def say(sentence):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            passed_through.append(sentence)

    with pytest.raises(KeyboardInterrupt):
        build(module, model, say=say)
    assert passed_through == []
    assert signal.getsignal(signal.SIGINT) is handler


def test_it_builds_on_another_thread_than_the_main_one(module, model):
    built = []
    thread = threading.Thread(target=lambda: built.append(build(module, model)))
    thread.start()
    thread.join(30)
    assert len(built) == 1


def test_tensorrt_for_rtx_measures_nothing_and_is_aimed_only_where_its_default_does_not_reach(model):
    rtx = FakeRtxLibrary(FakeCuda())
    built = build(rtx, model, BuildRecipe(SHAPE, compute_capability='8.0+', workspace_bytes=7, timing_cache=b'old'))
    assert rtx._log == [('network', 2)]
    assert built.timing_cache == b''
    build(rtx, model, BuildRecipe(SHAPE, compute_capability='7.5'))
    assert rtx._log[1:] == [('network', 2), ('aim', 'sm75')]


def test_what_tensorrt_for_rtx_does_not_build_is_said_without_the_gpu_that_it_does_not_use(model):
    rtx = FakeRtxLibrary(FakeCuda())
    rtx._fail.add('build')
    with pytest.raises(ModelError) as refused:
        build(rtx, model)
    assert str(refused.value) == (
        f'Model file {model} cannot be built by TensorRT for RTX 1.7.1.116 (Error Code 10: Could not find any '
        'implementation): export it again with another opset, or run it with `backend: onnxruntime`.'
    )
