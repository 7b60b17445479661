# SPDX-License-Identifier: Apache-2.0
"""The real TensorRT for RTX, which builds without a GPU, for the tests that build with it."""

import importlib
import os
import time

import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe
from gremsy_detector.backends.tensorrt.engine_key import EngineTarget
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_builder import TensorRtBuilder
from gremsy_detector.backends.tensorrt.tensorrt_kinds import RTX
from gremsy_detector.backends.tensorrt.tensorrt_library import TensorRt
from gremsy_detector.model.model_description import describe_input
from gremsy_detector.model.onnx_facts import read_onnx_facts

ON_RTX_REFUSED = 'suppressed in the graph'


@pytest.fixture(scope='module')
def library():
    """The real module. CI has it, so that these tests are never left out unseen."""
    try:
        return TensorRt(importlib.import_module('tensorrt_rtx_bindings'))
    except (ImportError, OSError) as error:
        reason = f'TensorRT for RTX is not installed ({error}): ./gremsy setup --extra tensorrt'
        if os.environ.get('CI'):
            pytest.fail(f'CI builds engines, but {reason}')
        pytest.skip(reason)


@pytest.fixture
def build(library):
    """A function that builds a file for the one size that its input has."""

    def run(path, say=lambda sentence: None, clock_s=time.monotonic, **recipe):
        shape = describe_input(read_onnx_facts(path)).shape
        return TensorRtBuilder(library, clock_s).build(path, BuildRecipe(shape, **recipe), say)

    return run


def shapes(tensors):
    return [(tensor.dtype, tensor.shape) for tensor in tensors]


def answered_shapes(path):
    """What ONNX Runtime says of the same file: dtype and size of every output it answers with."""
    backend = OnnxRuntimeBackend(path)
    described = describe_input(backend.open())
    answers = backend.infer(np.zeros(described.shape, dtype=described.dtype))
    found = [(str(answer.dtype), answer.shape) for answer in answers]
    backend.close()
    return found


def engine_cache(library, folder):
    """As the node makes it, on a machine without a GPU."""
    machine = Machine(kind=RTX, load=lambda _kind: library)
    return machine.cache(library, EngineTarget(RTX, library.version, None), folder, lambda sentence: None)
