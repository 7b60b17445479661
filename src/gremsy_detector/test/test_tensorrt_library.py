# SPDX-License-Identifier: Apache-2.0
"""Which TensorRT is taken, why none can be, and that nothing is loaded to find out."""

import signal
import subprocess
import sys

import pytest

from gremsy_common.machine import cuda_probe
from gremsy_common.machine.cuda_probe import CudaProbe, ask, look
from gremsy_detector.backends.tensorrt import tensorrt_library as library
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, KINDS, RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import EngineRefused, TensorRt, load_library, why_not
from src.gremsy_detector.test.tensorrt_fakes import (
    HOPPER,
    LAPTOP,
    ORIN,
    FakeCuda,
    FakeFullLibrary,
    FakeRtxLibrary,
    FakeRuntimeLibrary,
    fake_plan,
)

FOUND = CudaProbe((ORIN,), '13.0', '')


def never():
    raise AssertionError('the GPU was asked for although the rest is missing')


def test_the_most_able_library_is_taken(monkeypatch):
    there = {'tensorrt_lean_bindings', 'tensorrt_lean'}
    monkeypatch.setattr(library.importlib.util, 'find_spec', lambda name: name if name in there else None)
    assert library.installed_module() == 'tensorrt_lean'
    there.add('tensorrt')
    assert library.installed_module() == 'tensorrt'
    there.clear()
    assert library.installed_module() is None


def test_each_missing_part_is_named_with_the_way_out_and_the_gpu_is_asked_for_last(monkeypatch):
    monkeypatch.delenv('GREMSY_ENVIRONMENT', raising=False)
    assert why_not(FULL, lambda kind: None, never, never) == (
        'is not installed (apt install python3-libnvinfer on a Jetson, python3 -m pip install tensorrt cuda-python '
        'elsewhere)'
    )
    assert why_not(FULL, lambda kind: 'tensorrt', never, lambda: False) == (
        'lacks cuda-python, which handles its memory (python3 -m pip install cuda-python)'
    )
    nothing = CudaProbe((), '', 'the NVIDIA driver is not installed (libcuda.so.1 is not found)')
    assert why_not(FULL, lambda kind: 'tensorrt', lambda: nothing, lambda: True) == (
        'has no GPU to run on: the NVIDIA driver is not installed (libcuda.so.1 is not found)'
    )
    assert why_not(FULL, lambda kind: 'tensorrt', lambda: FOUND, lambda: True) is None


def test_that_for_rtx_is_asked_which_gpus_it_runs_on_before_anything_is_built(monkeypatch):
    monkeypatch.setenv('GREMSY_ENVIRONMENT', 'wheels')

    def why(*gpus):
        return why_not(RTX, lambda kind: kind.name, lambda: CudaProbe(gpus, '13.0', ''), lambda: True)

    assert why(HOPPER) == (
        'has no GPU to run on: NVIDIA H200 has compute capability 9.0, and TensorRT for RTX runs on 7.5, 8.0, 8.6, '
        '8.9, 12.0 and later ones'
    )
    assert why(HOPPER, LAPTOP) is None, 'parameter `device` says which'
    assert why_not(FULL, lambda kind: kind.name, lambda: CudaProbe((HOPPER,), '13.0', ''), lambda: True) is None
    assert why_not(RTX, lambda kind: None, never, never) == (
        'is not installed (./gremsy exec python -m pip install tensorrt-rtx cuda-python)'
    )


def test_each_kind_is_looked_for_under_its_own_names(monkeypatch):
    there = {'tensorrt_rtx_bindings'}
    monkeypatch.setattr(library.importlib.util, 'find_spec', lambda name: name if name in there else None)
    assert [library.installed_module(kind) for kind in KINDS] == [None, 'tensorrt_rtx_bindings']
    there |= {'tensorrt_rtx', 'tensorrt_lean_bindings'}
    assert [library.installed_module(kind) for kind in KINDS] == ['tensorrt_lean_bindings', 'tensorrt_rtx']
    assert not set(FULL.modules) & set(RTX.modules)


def test_asking_loads_neither_tensorrt_nor_cuda():
    code = (
        'import sys; from gremsy_detector.backends.backend_registry import find_backends; '
        "[each.unavailable() for each in find_backends() if each.name.startswith('tensorrt')]; "
        "print([name for name in sys.modules if name.startswith(('tensorrt', 'cuda.bindings.runtime'))])"
    )
    answer = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == '[]'


def test_a_library_that_does_not_load_says_why(monkeypatch):
    load_library.cache_clear()
    monkeypatch.setattr(library, 'installed_module', lambda kind: 'tensorrt')

    def broken(name):
        raise ImportError('libnvinfer.so.10: cannot open shared object file')

    monkeypatch.setattr(library.importlib, 'import_module', broken)
    with pytest.raises(EngineRefused) as refused:
        load_library()
    assert str(refused.value) == (
        'Python module tensorrt does not load (libnvinfer.so.10: cannot open shared object file)'
    )


@pytest.mark.parametrize(('version', 'flags'), [('10.3.0', 2), ('10.16.1.11', 2), ('11.0.0', 0), ('11.4.0.106', 0)])
def test_networks_are_strongly_typed_in_every_version(version, flags):
    assert TensorRt(FakeFullLibrary(FakeCuda(), version)).network_flags == flags
    # The versions of that for RTX say nothing of this.
    assert TensorRt(FakeRtxLibrary(FakeCuda(), version)).network_flags == 2


@pytest.mark.parametrize(
    ('module', 'title', 'builds'),
    [
        (FakeFullLibrary(FakeCuda(), '10.3.0'), 'TensorRT 10.3.0', True),
        (FakeRuntimeLibrary(FakeCuda(), '11.4.0', 'tensorrt_lean_bindings'), 'TensorRT 11.4.0 lean', False),
        (FakeRuntimeLibrary(FakeCuda(), '10.3.0', 'tensorrt_dispatch'), 'TensorRT 10.3.0 dispatch', False),
        (FakeRtxLibrary(FakeCuda()), 'TensorRT for RTX 1.7.1.116', True),
        (FakeRtxLibrary(FakeCuda(), name='tensorrt_rtx_bindings'), 'TensorRT for RTX 1.7.1.116', True),
    ],
)
def test_a_library_knows_what_it_is(module, title, builds):
    loaded = TensorRt(module)
    assert (loaded.title, loaded.has_builder) == (title, builds)


def test_the_dispatch_runtime_hands_over_to_a_lean_one():
    module = FakeRuntimeLibrary(FakeCuda(), '10.3.0', 'tensorrt_dispatch')
    TensorRt(module).open_engine(fake_plan('10.3.0'))
    assert module._loaded == 'libnvinfer_lean.so.10'
    module._fail.add('load_runtime')
    with pytest.raises(EngineRefused, match='it gives no runtime'):
        TensorRt(module).open_engine(fake_plan('10.3.0'))


def test_an_error_is_the_reason_of_one_refusal_only():
    module = FakeRuntimeLibrary(FakeCuda())
    loaded = TensorRt(module)
    with pytest.raises(EngineRefused, match='Magic tag'):
        loaded.open_engine(b'garbage')
    assert loaded.last_error('nothing') == 'nothing'


def test_a_type_that_numpy_lacks_keeps_its_own_name():
    engine = TensorRt(FakeRuntimeLibrary(FakeCuda())).open_engine(fake_plan(dtype='BF16'))
    assert str(engine.inputs[0]) == 'images bf16 [1, 3, 64, 64]'


def child(code):
    return ask([sys.executable, '-c', code], patience_s=10)


def test_the_probe_reads_the_childs_answer():
    found = child(
        'import json; print(json.dumps({"gpus": [{"name": "Orin", "compute_capability": "8.7", "multiprocessors": 16, '
        '"memory_bytes": 1}], "driver_version": "12.6", "reason": ""}))'
    )
    assert found.gpus[0].identity == 'Orin with 16 multiprocessors'
    assert found.reason == ''


@pytest.mark.parametrize(
    ('code', 'reason'),
    [
        (f'import os; os.kill(os.getpid(), {signal.SIGSEGV:d})', 'the NVIDIA driver ended the probe with signal 11'),
        ('raise RuntimeError("no such thing.")', 'the probe for it failed (RuntimeError: no such thing)'),
        ('print("{}")', 'the probe for it failed (it printed nothing)'),
        ('print("[1]")', 'the probe for it failed (it printed nothing)'),
    ],
)
def test_a_child_that_dies_or_babbles_is_no_gpu(code, reason):
    assert child(code) == CudaProbe((), '', reason)


def test_a_driver_that_hangs_is_given_up():
    found = ask([sys.executable, '-c', 'import time; time.sleep(60)'], patience_s=0.2)
    assert found.reason == 'the NVIDIA driver did not answer within 0 s'


def test_a_probe_that_cannot_start_is_no_gpu():
    assert ask(['/nowhere/python']).reason == 'the probe for it cannot be started (No such file or directory)'


def test_a_machine_without_a_driver_says_so():
    assert look('libcuda.so.none')['reason'] == ('the NVIDIA driver is not installed (libcuda.so.none is not found)')


def test_the_real_probe_answers_here_whatever_there_is():
    found = cuda_probe.probe_cuda()
    assert bool(found.gpus) != bool(found.reason)
    assert cuda_probe.probe_cuda() is found, 'asked once per process'
