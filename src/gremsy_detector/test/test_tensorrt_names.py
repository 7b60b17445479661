# SPDX-License-Identifier: Apache-2.0
"""Every name of TensorRT and CUDA that is used is in the real modules.

What is used is what the fakes have, since the other tests run through nothing else.
"""

import importlib.util
import inspect
import json
from importlib import metadata

import pytest

from gremsy_detector.backends.tensorrt.tensorrt_kinds import RTX
from src.gremsy_detector.test.record_tensorrt_names import CLASSES, RECORD, RTX_RECORD, compiler, names_of
from src.gremsy_detector.test.tensorrt_fakes import FakeCuda, FakeFullLibrary, FakeRtxLibrary

RUNTIME = ('ICudaEngine', 'IExecutionContext', 'ILogger', 'Runtime', 'TensorIOMode')
RECORDED = json.loads(RECORD.read_text())
RTX_RECORDED = json.loads(RTX_RECORD.read_text())


def recorded(version, of=RECORDED):
    some = {name for name, versions in of['in_some'].items() if version in versions}
    return some | set(of['in_every_version'])


def public_names(container, prefix=''):
    return {f'{prefix}{name}' for name in vars(container) if not name.startswith('_')}


def tensorrt_names(fake):
    module = fake(FakeCuda())
    found = set()
    for one in public_names(module):
        part = getattr(module, one)
        assert inspect.isclass(part) or not callable(part), one
        # Of a class that one fake takes over from another, the inherited names too.
        for container in part.__mro__[:-1] if inspect.isclass(part) else [part]:
            found |= public_names(container, f'{one}.')
    return found


def cuda_names():
    found = set()
    for name in (*public_names(FakeCuda), *public_names(FakeCuda())):
        part = getattr(FakeCuda(), name)
        nested = not callable(part) and hasattr(part, '__dict__')
        found |= public_names(part, f'{name}.') if nested else {name}
    return found - {'failing', 'calls'}


USED = tensorrt_names(FakeFullLibrary)
USED_TO_RUN = {each for each in USED if each.partition('.')[0] in RUNTIME}
RTX_ONLY = tensorrt_names(FakeRtxLibrary) - USED


def test_the_fakes_have_what_runs_and_builds_an_engine():
    """Or nothing below would be asked."""
    assert {'Runtime.deserialize_cuda_engine', 'IExecutionContext.execute_async_v3'} <= USED_TO_RUN
    assert {'Builder.build_serialized_network', 'OnnxParser.parse_from_file'} <= USED - USED_TO_RUN
    assert 'IRuntimeConfig.set_runtime_cache' in RTX_ONLY
    assert {'cudaError_t.cudaSuccess', 'cudaGraphLaunch', 'cudaHostRegister'} <= cuda_names()


def test_every_class_that_is_used_is_recorded():
    assert {name.partition('.')[0] for name in USED | RTX_ONLY} <= set(CLASSES)


@pytest.mark.parametrize('version', RECORDED['versions'])
def test_every_version_has_every_name(version):
    assert USED - recorded(version) == set()


@pytest.mark.parametrize('version', RTX_RECORDED['versions'])
def test_every_version_for_rtx_has_every_name(version):
    assert (USED | RTX_ONLY) - recorded(version, RTX_RECORDED) == set()


def test_the_record_for_rtx_is_of_another_kind():
    assert {'1.4.0.76', '1.7.1.116'} <= set(RTX_RECORDED['versions'])
    assert RTX_ONLY & set(RECORDED['in_every_version']) == set(), 'the full TensorRT has it too'


def test_the_record_shows_what_tensorrt_11_lost():
    """Or the record would be of no use."""
    assert {'10.3.0', '11.4.0.106'} <= set(RECORDED['versions'])
    for name in ('BuilderFlag.FP16', 'BuilderFlag.INT8', 'IBuilderConfig.int8_calibrator'):
        assert name in recorded('10.3.0') and name not in recorded('11.4.0.106')


@pytest.mark.parametrize(
    ('package', 'module', 'names'),
    [
        ('tensorrt_cu13_bindings', 'tensorrt_bindings', USED),
        ('tensorrt_lean_cu13_bindings', 'tensorrt_lean_bindings', USED_TO_RUN),
    ],
)
def test_the_real_bindings_have_every_name(package, module, names, tmp_path):
    """The module itself, whatever version is installed; its library is stood in for by a stub."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f'{package} is not installed (pip install {package.replace("_", "-")})')
    if compiler() is None:
        pytest.skip('there is no C compiler to make a stub of libnvinfer with (apt install gcc)')
    version, found, called = names_of(module, int(metadata.version(package).split('.')[0]), tmp_path)
    assert version == metadata.version(package)
    assert names - found == set()
    fake = FakeFullLibrary(FakeCuda())
    called_here = {name for name in names if callable(getattr(getattr(fake, name.split('.')[0]), name.split('.')[1]))}
    assert called & names == called_here, 'a property is called, or a method read'


def test_the_real_tensorrt_for_rtx_has_every_name_and_knows_the_same_gpus():
    """The module and its library as they are: they load without a GPU, and only `Runtime` would end the process."""
    module = pytest.importorskip(
        'tensorrt_rtx_bindings', reason='TensorRT for RTX is not installed (./gremsy setup --extra tensorrt)'
    )
    fake = FakeRtxLibrary(FakeCuda())
    for name in sorted(USED | RTX_ONLY):
        one, part = name.split('.')
        real, ours = getattr(getattr(module, one), part), getattr(getattr(fake, one), part)
        assert callable(real) == callable(ours), f'{name} is a property that is called, or a method that is read'
    named = {name[2:] for name in dir(module.ComputeCapability) if name.startswith('SM')}
    ours = {each.replace('.', '') for each in (*RTX.portable_to, *RTX.built_for)}
    assert ours <= named
    later = {each for each in named - ours if int(each) > int(RTX.portable_to[-1].replace('.', ''))}
    assert named == ours | later, 'it names a GPU that is refused here'


def test_the_real_cuda_python_has_every_name():
    runtime = pytest.importorskip(
        'cuda.bindings.runtime', reason='cuda-bindings is not installed (pip install cuda-bindings)'
    )
    missing = []
    for name in sorted(cuda_names()):
        part = runtime
        for word in name.split('.'):
            part = getattr(part, word, None)
        if part is None:
            missing.append(name)
    assert missing == []


def test_the_real_cuda_python_answers_with_a_status_first():
    """With no GPU it is an error, with one a success; a bare exception would pass by what reads the status."""
    runtime = pytest.importorskip(
        'cuda.bindings.runtime', reason='cuda-bindings is not installed (pip install cuda-bindings)'
    )
    answer = runtime.cudaHostAlloc(64, runtime.cudaHostAllocDefault)
    assert isinstance(answer[0], runtime.cudaError_t)
    status, name = runtime.cudaGetErrorName(runtime.cudaError_t.cudaErrorMemoryAllocation)
    assert (status, name) == (runtime.cudaError_t.cudaSuccess, b'cudaErrorMemoryAllocation')
