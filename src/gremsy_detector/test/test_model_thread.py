# SPDX-License-Identifier: Apache-2.0
"""The thread that runs a model: what it hands back, and what closing does while a run hangs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.gpu import model_thread
from gremsy_detector.backends.gpu.model_thread import ModelThread
from gremsy_detector.backends.gpu.onnxruntime_gpu import OnnxRuntimeGpu
from gremsy_detector.errors import InferenceError


class _Stream:
    """Counts what is asked of the GPU's memory."""

    handle = 0

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def hanging(monkeypatch):
    """A thread in a run that ends when the test does."""
    monkeypatch.setattr(model_thread, '_PATIENCE_S', 0.05)
    thread, end, began = ModelThread('model'), threading.Event(), threading.Event()

    def run() -> None:
        began.set()
        end.wait()

    caller = threading.Thread(target=thread.do, args=(run,))
    caller.start()
    assert began.wait(10.0)
    yield thread
    end.set()
    caller.join(10.0)


def test_a_job_runs_on_one_thread_and_its_result_and_error_are_the_callers():
    thread = ModelThread('model of a test')
    try:
        assert thread.do(lambda: threading.current_thread().name) == 'model of a test'
        assert thread.do(threading.get_ident) == thread.do(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            thread.do(lambda: 1 / 0)
    finally:
        assert thread.close()
    assert thread.close()
    with pytest.raises(InferenceError, match='was closed in the meantime: open it again'):
        thread.do(int)


def test_closing_says_whether_a_run_still_hangs(hanging):
    assert not hanging.close()


def _gpu(stream: _Stream, thread: ModelThread, said: list[str]) -> OnnxRuntimeGpu:
    gpu = OnnxRuntimeGpu(Path('person.onnx'), BackendOptions(say=said.append), None, stream, lambda: None)
    gpu._thread = thread
    return gpu


def test_memory_of_a_run_that_hangs_is_not_freed_under_it(hanging):
    stream, said = _Stream(), []
    _gpu(stream, hanging, said).close()
    assert stream.closed == 0
    assert said == ['person.onnx hangs in a run on the GPU: its memory there is only freed when this process ends.']


def test_memory_is_freed_when_the_runs_are_done():
    stream, said = _Stream(), []
    _gpu(stream, ModelThread('model'), said).close()
    assert (stream.closed, said) == (1, [])
