# SPDX-License-Identifier: Apache-2.0
"""TensorRT for RTX on a fake GPU: what it refuses before it builds, its kernels, and the two kinds side by side."""

from dataclasses import replace

import numpy as np
import pytest

from gremsy_common.machine.cuda_probe import CudaProbe
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.backend_registry import backends_for, find_backends
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.tensorrt.engine_file import EngineHeader, read_engine, write_engine
from gremsy_detector.backends.tensorrt.engine_key import EngineKey
from gremsy_detector.backends.tensorrt.kernel_file import KernelFile
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import why_not
from gremsy_detector.backends.tensorrt_backend import TensorRtBackend
from gremsy_detector.backends.tensorrt_rtx_backend import TensorRtRtxBackend
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.selection import Selection
from src.gremsy_detector.test.tensorrt_fakes import (
    DESKTOP,
    HOPPER,
    LAPTOP,
    ORIN,
    TURING,
    FakeBuilder,
    FakeCuda,
    FakeFullLibrary,
    FakeRtxLibrary,
    FakeRuntimeLibrary,
    fake_machine,
    fake_plan,
)

ANSWER = np.arange(140, dtype=np.float32).reshape(1, 7, 20)
IMAGE = np.zeros((1, 3, 64, 64), np.float32)


class Pc:
    """A PC with an RTX card: opens the back end on one model, and counts."""

    def __init__(self, model):
        self.model = model
        self.cuda = FakeCuda()
        self.library = FakeRtxLibrary(self.cuda)
        self.said = []
        self.folder = model.parent / 'engines'

    def open(self, model=None, *, gpu=LAPTOP, driver='13.0', **parts):
        options = BackendOptions(engine_dir=self.folder, say=self.said.append)
        machine = fake_machine(self.cuda, self.library, gpu=gpu, **parts)
        machine = replace(machine, probe=lambda: CudaProbe((gpu,), driver, ''))
        backend = TensorRtRtxBackend(model or self.model, options, machine)
        backend.open()
        return backend

    def start(self, **where):
        """Open, run once, close, and say how often something was compiled so far."""
        backend = self.open(**where)
        np.testing.assert_array_equal(backend.infer(IMAGE)[0], ANSWER)
        backend.close()
        return self.library._compiled

    @property
    def built(self):
        return sum(sentence.startswith('Built ') for sentence in self.said)

    def files(self, ending):
        return sorted(path for path in self.folder.iterdir() if path.name.endswith(ending))


@pytest.fixture
def pc(write_model):
    return Pc(write_model(np.zeros((1, 7, 20))))


def engine_of(path, kind, version, plan, *, gpu='', capability='8.0+'):
    key = EngineKey('0' * 64, version, gpu, capability, 'fp16', (1, 3, 64, 64), kind=kind.name)
    header = EngineHeader(key, 'fp16', '/nowhere/m.onnx', (), (), {'names': "{0: 'person'}"}, '2026-01-01T00:00:00')
    write_engine(path, header, plan)
    return path


def test_it_says_what_it_is_and_that_its_build_takes_seconds(pc):
    backend = pc.open()
    assert backend.description.startswith(f'TensorRT for RTX 1.7.1.116, {LAPTOP.name}, model, ')
    (engine,) = pc.files('.engine')
    assert engine.name.startswith('tiny-model-64x64-rtx1.7.1.116-sm80up-')
    assert pc.said[0] == (f'Building {engine.name} with TensorRT for RTX 1.7.1.116: this takes seconds, and is kept.')
    assert not list(pc.folder.glob('timing*')), 'its timing caches hold nothing'


def test_one_engine_serves_every_rtx_card_and_a_turing_card_gets_its_own(pc):
    for gpu in (LAPTOP, DESKTOP, LAPTOP):
        pc.start(gpu=gpu)
    assert pc.built == 1
    assert not [entry for entry in pc.library._log if entry[0] in ('aim', 'limit')], 'it would be for one GPU'
    for _ in range(2):
        pc.start(gpu=TURING)
    assert pc.built == 2
    assert [entry for entry in pc.library._log if entry[0] == 'aim'] == [('aim', 'sm75')]
    assert [path.name.split('-')[4] for path in pc.files('.engine')] == ['sm75', 'sm80up']


def test_the_second_start_compiles_nothing(pc):
    assert pc.start() == 1
    (kernels,) = pc.files('.kernels')
    assert kernels.name.startswith(pc.files('.engine')[0].stem + '.')
    before = kernels.stat().st_mtime_ns
    assert pc.start() == 1
    assert kernels.stat().st_mtime_ns == before, 'what is there already is not written again'


def test_every_gpu_has_its_kernels_and_a_new_driver_or_engine_compiles_anew(pc):
    assert pc.start() == 1
    assert pc.start(gpu=DESKTOP) == 2
    assert len(pc.files('.kernels')) == 2
    assert pc.start() == pc.start(gpu=DESKTOP) == 2
    assert pc.start(driver='13.1') == 3
    assert pc.start(driver='13.1') == 3
    assert len(pc.files('.kernels')) == 2, 'the old driver is gone'
    pc.library.__version__ = '1.8.0.1'
    assert pc.start(driver='13.1') == 4


@pytest.mark.parametrize(
    'damage',
    [
        lambda whole: b'',
        lambda whole: whole[:-1],
        lambda whole: whole[:-1] + b'?',
        lambda whole: b'kernels of 1.7.1.116',
    ],
    ids=['empty', 'cut off', 'a bit', 'bare'],
)
def test_damaged_kernels_cost_nothing_but_time_and_are_written_anew(pc, damage):
    pc.start()
    (kernels,) = pc.files('.kernels')
    whole = kernels.read_bytes()
    kernels.write_bytes(damage(whole))
    assert pc.start() == 2
    assert kernels.read_bytes() == whole


def test_kernels_of_another_engine_or_gpu_are_not_taken_under_its_name(pc, tmp_path):
    mine = KernelFile(tmp_path / 'a.engine', 'a' * 64, LAPTOP.identity, '13.0')
    mine.write(b'kernels')
    assert mine.read() == b'kernels'
    for other in (('b' * 64, LAPTOP.identity, '13.0'), ('a' * 64, DESKTOP.identity, '13.0'), ('a' * 64, '', '13.1')):
        foreign = KernelFile(tmp_path / 'a.engine', *other)
        foreign.path.write_bytes(mine.path.read_bytes())
        assert foreign.read() == b''


def test_what_the_library_itself_refuses_of_the_kernels_is_compiled_again(pc):
    pc.start()
    engine = read_engine(pc.files('.engine')[0])
    kept = KernelFile(engine.path, engine.header.plan_sha256, LAPTOP.identity, '13.0')
    assert kept.read() == b'kernels of 1.7.1.116'
    kept.write(b'kernels of another CUDA')
    assert pc.start() == 2
    assert kept.read() == b'kernels of 1.7.1.116'


def test_a_folder_that_takes_no_kernels_is_said_once_and_everything_runs(pc, monkeypatch):
    def full(self, content):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(KernelFile, 'write', full)
    backend = pc.open()
    for _ in range(3):
        np.testing.assert_array_equal(backend.infer(IMAGE)[0], ANSWER)
    assert [sentence for sentence in pc.said if 'kernels' in sentence] == [
        f'The kernels compiled for this GPU cannot be kept in {pc.folder} (No space left on device): every start '
        'compiles them again.'
    ]


def test_kernels_that_cannot_be_had_are_not_kept(pc):
    pc.library._fail.add('serialize')
    assert pc.start() == 1
    assert pc.files('.kernels') == []


def test_kernels_go_with_their_engine(pc, write_model):
    pc.start()
    write_model(np.ones((1, 7, 20)))
    pc.open()
    assert len(pc.files('.engine')) == 1 and pc.files('.kernels') == []


def test_a_gpu_that_it_does_not_run_on_is_refused_before_anything_is_built(pc):
    builder = FakeBuilder('1.7.1.116')
    with pytest.raises(ModelError) as refused:
        pc.open(gpu=HOPPER, builder=builder)
    assert str(refused.value) == (
        'TensorRT for RTX cannot use GPU 0: NVIDIA H200 has compute capability 9.0, and TensorRT for RTX runs on 7.5, '
        '8.0, 8.6, 8.9, 12.0 and later ones, so set `device` to another one, or `backend: onnxruntime`.'
    )
    assert (builder.built, pc.cuda.calls, pc.folder.exists()) == ([], [], False)


def test_on_such_a_gpu_the_chain_has_it_passed_over_with_the_reason(pc, monkeypatch):
    """As on an H200 with TensorRT for RTX and ONNX Runtime: `unavailable`, as every back end's, is asked first."""
    probe = CudaProbe((HOPPER,), '13.0', '')
    found = {'unavailable': staticmethod(lambda: why_not(RTX, lambda kind: kind.name, lambda: probe, lambda: True))}
    there = type('There', (TensorRtRtxBackend,), found)
    order = backends_for(pc.model, 'auto', (there, OnnxRuntimeBackend))
    assert [kind.name for kind in order.candidates] == ['onnxruntime']
    assert order.passed_over == (
        'tensorrt_rtx has no GPU to run on: NVIDIA H200 has compute capability 9.0, and TensorRT for RTX runs on 7.5, '
        '8.0, 8.6, 8.9, 12.0 and later ones',
    )


def test_of_several_gpus_the_one_that_it_cannot_use_is_said_and_the_next_back_end_opens(pc):
    said = []

    def make(kind, selection):
        parts = (fake_machine(pc.cuda, pc.library, gpu=HOPPER),) if kind is TensorRtRtxBackend else ()
        return Detector(kind(pc.model, BackendOptions(engine_dir=pc.folder), *parts), selection)

    chain = BackendChain(pc.model, (TensorRtRtxBackend, OnnxRuntimeBackend), make, said.append)
    chain.open(Selection()).close()
    assert chain.states == 'tensorrt_rtx failed, onnxruntime opened'
    assert said[0].startswith(
        'Back end tensorrt_rtx did not open, so onnxruntime is tried: TensorRT for RTX cannot use GPU 0: NVIDIA H200 '
    )


def test_an_engine_that_the_runtime_refuses_is_not_built_again(pc):
    """What a second build gives does not depend on the GPU, so it would be refused again."""
    pc.library._fail.add('deserialize')
    for was in ('was just built and is', 'is'):
        with pytest.raises(ModelError) as refused:
            pc.open()
        (engine,) = pc.files('.engine')
        assert str(refused.value) == (
            f'Engine {engine} {was} refused by TensorRT for RTX 1.7.1.116 (Error Code 6: the engine plan file is not '
            'compatible): run the model with `backend: onnxruntime`.'
        )
    assert pc.built == 1


def test_its_engine_is_never_offered_to_the_full_one(pc, tmp_path):
    """Not even one of the same version; nor is another built from its model, since there is a back end for it."""
    path = engine_of(tmp_path / 'm.engine', RTX, '10.3.0', fake_plan('10.3.0'))
    library = FakeFullLibrary(pc.cuda)
    library.Runtime.deserialize_cuda_engine = None
    with pytest.raises(ModelError) as refused:
        TensorRtBackend(path, BackendOptions(engine_dir=pc.folder), fake_machine(pc.cuda, library)).open()
    assert str(refused.value) == (
        f'Engine {path} is one of TensorRT for RTX, which TensorRT does not run: set `backend` to `tensorrt_rtx`, or '
        'build it again with `ros2 run gremsy_model_tools build_engine MODEL.onnx`.'
    )
    assert pc.open(engine_of(path, RTX, '1.7.1.116', fake_plan('1.7.1.116'))).description.split(', ')[2] == 'fp16'


def test_no_engine_of_the_full_one_is_offered_to_it(pc, tmp_path):
    pc.library.Runtime.deserialize_cuda_engine = None
    plan = fake_plan('1.7.1.116')
    path = engine_of(tmp_path / 'm.engine', FULL, '1.7.1.116', plan, gpu=LAPTOP.identity, capability='8.9')
    text = b'{"task": "detect", "names": {"0": "person"}}'
    ultralytics = tmp_path / 'y.engine'
    ultralytics.write_bytes(len(text).to_bytes(4, 'little') + text + plan)
    for engine in (path, ultralytics):
        with pytest.raises(ModelError) as refused:
            pc.open(engine)
        assert str(refused.value) == (
            f'Engine {engine} is one of TensorRT, which TensorRT for RTX does not run: set `backend` to `tensorrt`, or '
            'build it again with `ros2 run gremsy_model_tools build_engine MODEL.onnx`.'
        )


def test_an_engine_of_ours_from_before_there_were_two_kinds_runs_on_the_full_one(pc, tmp_path):
    path = engine_of(tmp_path / 'm.engine', FULL, '10.3.0', fake_plan('10.3.0'), gpu=ORIN.identity, capability='8.7')
    whole = path.read_bytes()
    old = whole.replace(b', "kind": "tensorrt"', b'')
    length = int.from_bytes(whole[16:20], 'little') - (len(whole) - len(old))
    path.write_bytes(old[:16] + length.to_bytes(4, 'little') + old[20:])
    TensorRtBackend(path, BackendOptions(), fake_machine(pc.cuda, FakeFullLibrary(pc.cuda))).open()
    with pytest.raises(ModelError, match='is one of TensorRT, which TensorRT for RTX does not run'):
        pc.open(path)


def test_a_file_that_is_no_engine_is_named_as_such(pc, tmp_path):
    path = tmp_path / 'm.engine'
    path.write_bytes(b'nothing')
    with pytest.raises(ModelError, match='is neither one of build_engine nor one of Ultralytics'):
        pc.open(path)


def test_what_the_full_one_cannot_build_is_left_to_it(pc):
    """As where the lean runtime is installed beside it."""
    said = []
    lean = fake_machine(pc.cuda, FakeRuntimeLibrary(pc.cuda), gpu=LAPTOP)
    machines = {TensorRtBackend: lean, TensorRtRtxBackend: fake_machine(pc.cuda, pc.library, gpu=LAPTOP)}

    def make(kind, selection):
        return Detector(kind(pc.model, BackendOptions(engine_dir=pc.folder), machines[kind]), selection)

    chain = BackendChain(pc.model, (TensorRtBackend, TensorRtRtxBackend), make, said.append)
    chain.open(Selection()).close()
    assert chain.states == 'tensorrt failed, tensorrt_rtx opened'
    assert 'this machine has no TensorRT builder' in said[0]


def test_the_full_one_is_preferred_and_both_come_before_onnx_runtime():
    assert [kind.name for kind in find_backends()] == ['tensorrt', 'tensorrt_rtx', 'onnxruntime']


def test_both_kinds_keep_their_engines_in_one_folder(pc):
    pc.start()
    options = BackendOptions(engine_dir=pc.folder, say=pc.said.append)
    TensorRtBackend(pc.model, options, fake_machine(pc.cuda, FakeFullLibrary(pc.cuda), gpu=LAPTOP)).open()
    assert pc.built == 2 and len(pc.files('.engine')) == 2
    assert pc.start() == 1
    assert pc.built == 2
