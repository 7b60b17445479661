# SPDX-License-Identifier: Apache-2.0
"""`build_engine` as a user types it: exit codes, the last line, and the sentence when it cannot."""

import numpy as np
import pytest

from gremsy_detector import build_engine
from src.gremsy_detector.test.tensorrt_fakes import (
    LOST,
    FakeBuilder,
    FakeCuda,
    FakeFullLibrary,
    FakeRuntimeLibrary,
    fake_machine,
)


@pytest.fixture
def run(tmp_path, capsys, write_model):
    """A function that runs the command on a small model and gives its exit code, stdout lines and stderr."""
    model = write_model(np.zeros((1, 7, 20)))

    def run(*arguments, machine=None, of=model):
        folder = ['--engine-dir', str(tmp_path / 'engines')]
        machine = machine or fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()))
        code = build_engine.main([str(of), *folder, *map(str, arguments)], machine)
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    run.model = model
    return run


def test_it_builds_fp16_shows_progress_and_prints_the_path_last(run, tmp_path):
    code, lines, errors = run()
    assert (code, errors) == (0, '')
    assert lines[-1].startswith(f'{tmp_path}/engines/tiny-fp16-64x64-trt10.3.0-sm87-')
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
        '(ros2 run gremsy_detector export WEIGHTS.pt).\n',
    )


def test_without_tensorrt_it_says_what_is_missing_and_how_to_get_it(run):
    machine = fake_machine(FakeCuda(), FakeFullLibrary(FakeCuda()), reason='is not installed (apt install x)')
    assert run(machine=machine) == (1, [], 'TensorRT is not installed (apt install x).\n')


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


def test_the_real_machine_answers_too(capsys):
    """Wherever the tests run: a path, or one sentence."""
    code = build_engine.main(['/nowhere/m.onnx'])
    errors = capsys.readouterr().err
    assert code == 1 and len(errors.splitlines()) == 1
