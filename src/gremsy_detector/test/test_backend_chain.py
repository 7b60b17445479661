# SPDX-License-Identifier: Apache-2.0
"""Which back ends are tried, in which order, and what is said of those that fail."""

from pathlib import Path

import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.backend_registry import backends_for, builders_of, find_backends
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.selection import Selection

from .fake_backends import Machine, broken

MODEL = Path('m.onnx')


@pytest.fixture
def machine():
    return Machine()


def chain_of(machine, *names):
    said = []
    kinds = [machine.backend(name) for name in names]
    chain = BackendChain(MODEL, kinds, lambda kind, selection: Detector(kind(MODEL), selection), said.append)
    return chain, said


def test_the_first_that_opens_is_taken_and_nothing_is_said(machine):
    chain, said = chain_of(machine, 'fast', 'slow')
    detector = chain.open(Selection())
    assert detector.description == 'the fake fast'
    assert (machine.log, said) == (['open fast'], [])
    assert chain.states == 'fast opened, slow in reserve'


def test_a_back_end_that_fails_is_said_once_and_the_next_is_tried(machine):
    machine.open_errors['fast'] = broken('fast')
    chain, said = chain_of(machine, 'fast', 'middle', 'slow')
    assert chain.open(Selection()).description == 'the fake middle'
    assert said == ['Back end fast did not open, so middle is tried: The fast is broken: mend it.']
    assert (chain.position, chain.name) == (1, 'middle')
    assert chain.states == 'fast failed, middle opened, slow in reserve'
    assert machine.log == ['open fast', 'close fast', 'open middle']


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (OSError('libnvinfer.so.10: cannot open shared object file'), 'OSError: libnvinfer.so.10: cannot open'),
        (MemoryError(), 'MemoryError'),
    ],
)
def test_what_a_library_itself_raises_counts_as_a_failure_too(machine, error, text):
    machine.open_errors['fast'] = error
    chain, said = chain_of(machine, 'fast', 'slow')
    assert chain.open(Selection()).description == 'the fake slow'
    assert len(said) == 1
    assert said[0].startswith(f'Back end fast did not open, so slow is tried: Back end fast cannot open m.onnx ({text}')
    assert said[0].endswith('): choose another one with `backend`, or repair it.')


def test_when_none_opens_the_last_one_speaks(machine):
    machine.open_errors |= {'fast': broken('fast'), 'slow': broken('slow')}
    chain, said = chain_of(machine, 'fast', 'slow')
    with pytest.raises(ModelError) as refused:
        chain.open(Selection())
    assert str(refused.value) == 'The slow is broken: mend it.'
    assert len(said) == 1


def test_a_class_that_the_model_has_not_is_no_failure_of_the_back_end(machine):
    chain, said = chain_of(machine, 'fast', 'slow')
    with pytest.raises(ParameterError, match="'persom'"):
        chain.open(Selection(classes=('persom',)))
    assert (machine.log, said) == (['open fast', 'close fast'], [])


def test_the_order_is_that_of_preference_without_those_not_available(machine):
    kinds = (
        machine.backend('gpu', 30, reason='has no GPU (plug one in)'),
        machine.backend('fast', 20),
        machine.backend('slow', 10),
    )
    order = backends_for(MODEL, 'auto', kinds)
    assert [each.name for each in order.candidates] == ['fast', 'slow']
    assert order.passed_over == ('gpu has no GPU (plug one in)',)


def test_nothing_stands_in_for_a_back_end_that_is_named(machine):
    kinds = (machine.backend('fast', 20), machine.backend('slow', 10))
    assert [each.name for each in backends_for(MODEL, 'slow', kinds).candidates] == ['slow']
    assert [each.name for each in backends_for(MODEL, 'fast', kinds).candidates] == ['fast']


def test_only_what_builds_is_asked_to_build(machine):
    kinds = (machine.backend('fast', 20), machine.backend('builder', 10, builds=True))
    order = builders_of(backends_for(MODEL, 'auto', kinds), MODEL)
    assert [each.name for each in order.candidates] == ['builder']


def test_where_nothing_builds_a_build_is_refused(machine):
    kinds = (machine.backend('gpu', 30, reason='has no GPU', builds=True), machine.backend('slow', 10))
    with pytest.raises(ModelError) as refused:
        builders_of(backends_for(MODEL, 'auto', kinds), MODEL)
    assert str(refused.value) == (
        'Parameter `build_only` is true, but nothing here builds an engine from m.onnx (gpu has no GPU; '
        'slow runs the file as it is): run it where TensorRT is, or set `build_only` to false.'
    )


@pytest.mark.parametrize('backend', find_backends(), ids=lambda backend: backend.name)
def test_every_back_end_says_whether_it_builds(backend):
    assert isinstance(backend.builds, bool)
