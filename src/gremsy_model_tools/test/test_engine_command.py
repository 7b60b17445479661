# SPDX-License-Identifier: Apache-2.0
"""`build_engine` as a user types it: exit codes, the last line, and the sentence when it cannot."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gremsy_common.machine.cuda_probe import CudaProbe
from gremsy_detector.backends.tensorrt.engine_file import read_engine
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_kinds import RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import installed_module, why_not
from gremsy_model_tools import build_engine
from src.gremsy_detector.test.tensorrt_fakes import (
    HOPPER,
    LAPTOP,
    LOST,
    TURING,
    FakeBuilder,
    FakeCuda,
    FakeFullLibrary,
    FakeRtxLibrary,
    FakeRuntimeLibrary,
    fake_machine,
)
from src.gremsy_detector.test.test_tensorrt_rtx_backend import Pc


@pytest.fixture
def run(tmp_path, capsys, write_model):
    """A function that runs the command on a small model and gives its exit code, stdout lines and stderr."""
    model = write_model(np.zeros((1, 7, 20)))

    def run(*arguments, machine=None, of=model):
        folder = ['--engine-dir', str(tmp_path / 'engines')]
        machine = machine or fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()))
        # Few boxes, as it were: `test_tensorrt_path` has the real graphs.
        machine = replace(machine, graphs=lambda: SimpleNamespace(engine_model=lambda model, _: model))
        code = build_engine.main([str(of), *folder, *map(str, arguments)], machine)
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    run.model = model
    return run


def test_it_builds_fp16_shows_progress_and_prints_the_path_last(run, tmp_path):
    code, lines, errors = run()
    assert (code, errors) == (0, '')
    assert lines[-1].startswith(f'{tmp_path}/engines/tiny-fp16-64x64-best2-trt10.3.0-sm87-')
    assert 'Preparing tiny.onnx.' in lines and 'tiny.onnx runs in fp16.' in lines
    assert 'Building the engine: Building Engine.' in lines


def test_the_second_time_it_only_prints_the_path(run):
    first = run()
    assert run() == (0, [first[1][-1]], '')
    assert len(run('--force')[1]) > 1


def test_int8_that_lost_too_much_is_said_so_each_time(run, tmp_path):
    arguments = ('--precision', 'int8', '--calibration', tmp_path, '--check', tmp_path / 'spoiled')
    sentence = 'It computes in fp16: int8 lost too much when it was built.'
    assert run(*arguments)[1][-2] == sentence
    assert run(*arguments)[1][:-1] == [sentence]


def test_weights_are_to_be_exported_first(run, tmp_path):
    assert run(of=tmp_path / 'yolo11n.pt') == (
        1,
        [],
        f"Model file {tmp_path / 'yolo11n.pt'} ends in '.pt' and engines are built from .onnx files: export it first "
        '(ros2 run gremsy_model_tools export WEIGHTS.pt).\n',
    )


def test_a_file_that_is_not_there_is_named_before_what_this_machine_lacks(run, tmp_path):
    machine = fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()), reason='is not installed (apt install x)')
    assert run(of=tmp_path / 'mine.onnx', machine=machine) == (
        1,
        [],
        f"Model file {tmp_path / 'mine.onnx'} does not exist: set `model` to an existing file, or to 'default' for the "
        'one shipped.\n',
    )


def test_without_tensorrt_it_says_what_is_missing_and_how_to_get_it(run, monkeypatch):
    monkeypatch.delenv('GREMSY_ENVIRONMENT', raising=False)
    machine = fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()), reason='is not installed (apt install x)')
    sentence = (
        'TensorRT is not installed (apt install x); TensorRT for RTX is not installed (python3 -m pip install '
        'tensorrt-rtx cuda-python).\n'
    )
    assert run(machine=machine) == (1, [], sentence)
    assert run('--backend', 'tensorrt', machine=machine) == (1, [], 'TensorRT is not installed (apt install x).\n')


def test_where_only_that_for_rtx_is_it_is_taken(run, tmp_path):
    cuda = FakeCuda()
    code, lines, errors = run(machine=fake_machine(cuda, FakeRtxLibrary(cuda), gpu=LAPTOP))
    assert (code, errors, cuda.calls) == (0, '', []), 'it needs no GPU to build'
    assert lines[-1].startswith(f'{tmp_path}/engines/tiny-fp16-64x64-best2-rtx1.7.1.116-sm80up-')
    assert not any('for another machine' in line for line in lines)


def test_that_for_rtx_builds_where_it_cannot_run_when_it_is_named(run, monkeypatch):
    monkeypatch.delenv('GREMSY_ENVIRONMENT', raising=False)
    reason = why_not(RTX, lambda kind: 'there', lambda: CudaProbe((HOPPER,), '13.0', ''), lambda: True)
    machine = fake_machine(FakeCuda(), FakeRtxLibrary(FakeCuda()), gpu=HOPPER, reason=reason)
    refusal = (
        'TensorRT for RTX has no GPU to run on: NVIDIA H200 has compute capability 9.0, and TensorRT for RTX runs on '
        '7.5, 8.0, 8.6, 8.9, 12.0 and later ones'
    )
    assert run(machine=machine) == (
        1,
        [],
        'TensorRT is not installed (apt install python3-libnvinfer on a Jetson, python3 -m pip install tensorrt '
        'cuda-python elsewhere); '
        f'{refusal} (`--backend tensorrt_rtx` builds for another machine).\n',
    )
    code, lines, errors = run('--backend', 'tensorrt_rtx', machine=machine)
    assert (code, errors) == (0, '')
    assert 'It is for another machine, because TensorRT for RTX here has no GPU to run on: NVIDIA H200' in lines[-2]


def test_that_for_rtx_has_no_lean_engines(run):
    machine = fake_machine(FakeCuda(), FakeRtxLibrary(FakeCuda()), gpu=LAPTOP)
    assert run('--lean', machine=machine) == (
        1,
        [],
        'TensorRT for RTX has no lean engines: build one that is not lean.\n',
    )


def test_with_the_lean_runtime_only_it_says_what_is_missing(run):
    code, lines, errors = run(machine=fake_machine(FakeCuda(), FakeRuntimeLibrary(FakeCuda())))
    assert (code, lines) == (1, [])
    assert 'and this machine has no TensorRT builder: install the full TensorRT, or build it with' in errors


def test_ctrl_c_leaves_nothing(run, tmp_path):
    builder = FakeBuilder()
    builder.error = KeyboardInterrupt()
    machine = fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()), builder=builder)
    code, _, errors = run(machine=machine)
    assert (code, errors) == (130, 'Interrupted: nothing half-written is left.\n')
    assert [path.suffix for path in (tmp_path / 'engines').iterdir()] == ['.lock']


def test_it_builds_for_the_gpu_that_is_asked_for_and_lets_go_of_it(run):
    cuda = FakeCuda()
    code, _, errors = run(machine=fake_machine(cuda, FakeFullLibrary(cuda)))
    assert code == 0 and cuda.calls[0] == 'cudaSetDevice' and cuda._live == 0
    code, _, errors = run('--device', '1', machine=fake_machine(cuda, FakeFullLibrary(cuda)))
    assert (code, errors) == (
        1,
        'There is no GPU 1: this machine has 1, counted from 0, so set `device` to one of them.\n',
    )
    cuda.failing['cudaSetDevice'] = LOST
    code, _, errors = run(machine=fake_machine(cuda, FakeFullLibrary(cuda)))
    assert code == 1 and errors.startswith('GPU 0 cannot be used (cudaErrorIllegalAddress): ')


@pytest.mark.parametrize('arguments', [['--precision', 'fp8'], ['--device', 'x'], ['--nonsense']])
def test_wrong_arguments_end_with_2(run, arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2


@pytest.mark.skipif(
    installed_module(RTX) is None, reason='TensorRT for RTX is not installed (./gremsy setup --extra tensorrt)'
)
@pytest.mark.parametrize(
    ('precision', 'taken'), [('model', 'images float32 [1, 3, 64, 64]'), ('fp16', 'images_bgr8 uint8 [1, 64, 64, 3]')]
)
def test_the_real_tensorrt_for_rtx_builds_a_portable_engine_with_or_without_a_gpu(run, tmp_path, precision, taken):
    code, lines, errors = run('--backend', 'tensorrt_rtx', '--precision', precision, machine=Machine())
    assert (code, errors) == (0, '')
    file = read_engine(Path(lines[-1]))
    assert (file.header.key.kind, file.header.key.gpu, file.header.key.compute_capability) == (RTX.name, '', '8.0+')
    assert file.header.key.tensorrt_version == version('tensorrt_rtx_cu13_bindings')
    assert [str(each) for each in file.header.inputs] == [taken]
    assert [path.suffix for path in sorted((tmp_path / 'engines').iterdir())] == ['.lock', '.engine']
    again = run('--backend', 'tensorrt_rtx', '--precision', precision, machine=Machine())
    assert again[1][-1] == lines[-1] and not any('Building' in line for line in again[1])


@pytest.mark.skipif(
    installed_module(RTX) is None, reason='TensorRT for RTX is not installed (./gremsy setup --extra tensorrt)'
)
def test_the_real_tensorrt_for_rtx_builds_for_a_turing_card_when_told(run):
    found = CudaProbe((TURING,), '13.0', '')
    code, lines, errors = run(
        '--backend', 'tensorrt_rtx', machine=Machine(unavailable=lambda kind: None, probe=lambda: found)
    )
    assert (code, errors) == (0, '')
    assert '-sm75-' in lines[-1]
    portable = run('--backend', 'tensorrt_rtx', machine=Machine(probe=lambda: CudaProbe((), '', 'none')))[1][-1]
    assert read_engine(Path(portable)).plan != read_engine(Path(lines[-1])).plan


def test_the_real_machine_answers_too(capsys):
    """Wherever the tests run: a path, or one sentence."""
    code = build_engine.main(['/nowhere/m.onnx'])
    errors = capsys.readouterr().err
    assert code == 1 and len(errors.splitlines()) == 1


def test_what_was_built_without_a_gpu_runs_where_one_is(write_model, capsys):
    pc = Pc(write_model(np.zeros((1, 7, 20))))
    elsewhere = fake_machine(pc.cuda, pc.library, gpu=HOPPER)
    arguments = [str(pc.model), '--backend', 'tensorrt_rtx', '--precision', 'model', '--engine-dir', str(pc.folder)]
    assert build_engine.main(arguments, elsewhere) == 0
    built = capsys.readouterr().out.splitlines()[-1]
    pc.start()
    assert pc.built == 0 and [str(path) for path in pc.files('.engine')] == [built]
