# SPDX-License-Identifier: Apache-2.0
"""What fails at run time is closed and opened again, another takes its place, and nothing is tried without a pause."""

from pathlib import Path

import numpy as np
import pytest

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.detector import Detector
from gremsy_detector.errors import BackendLostError, FrameError, InferenceError
from gremsy_detector.restarting_detector import RestartingDetector
from gremsy_detector.selection import Selection

from .fake_backends import Machine, broken, out_of_memory

MODEL = Path('m.onnx')


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(machine, clock):
    """A function that opens a detector on back ends of these names; what was said is in `.said`."""

    def make(*names, selection=None, failures=3):
        said = []
        kinds = [machine.backend(name) for name in names]
        chain = BackendChain(MODEL, kinds, lambda kind, wanted: Detector(kind(MODEL), wanted), said.append)
        detector = RestartingDetector(
            chain, selection or Selection(), failures_before_restart=failures, say=said.append, clock_s=clock
        )
        detector.said = said
        detector.open()
        return detector

    return make


@pytest.fixture
def image(make_frame):
    return make_frame(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def fail(detector, image, times=3):
    for _ in range(times):
        with pytest.raises(InferenceError):
            detector.detect(image)


def test_a_back_end_that_fails_thrice_in_a_row_is_closed_and_opened_again(start, machine, image):
    detector = start('fast', 'slow')
    assert len(detector.detect(image).detections) == 1
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image, 2)
    assert not detector.restarting
    with pytest.raises(InferenceError) as refused:
        detector.detect(image)
    assert str(refused.value) == 'fast failed on m.onnx: out of memory; the back end is closed and opened again.'
    assert detector.restarting
    machine.run_errors.clear()
    assert detector.recover()
    assert len(detector.detect(image).detections) == 1
    assert (detector.restarts, detector.description) == (1, 'the fake fast')
    assert machine.log == ['open fast', 'close fast', 'open fast']


def test_what_it_says_of_the_back_end_is_what_that_says_now(start, machine, image):
    detector = start('fast')
    before = detector.description
    machine.remark = ', its pictures resized'
    assert detector.description == f'{before}, its pictures resized'


def test_failures_with_a_success_between_them_close_nothing(start, machine, image):
    detector = start('fast')
    for _ in range(5):
        machine.run_errors['fast'] = out_of_memory('fast')
        fail(detector, image, 2)
        machine.run_errors.clear()
        detector.detect(image)
    assert not detector.restarting
    assert machine.log == ['open fast']


def test_a_lost_gpu_is_not_asked_a_second_time(start, machine, image):
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = BackendLostError('fast has lost its GPU: look at dmesg.')
    fail(detector, image, 1)
    assert detector.restarting


def test_an_image_that_cannot_be_read_says_nothing_about_the_back_end(start, make_frame):
    detector = start('fast')
    for _ in range(10):
        with pytest.raises(FrameError):
            detector.detect(make_frame(encoding='no_such_encoding'))
    assert not detector.restarting


def test_when_it_does_not_open_again_the_next_in_order_takes_over(start, machine, image):
    detector = start('fast', 'slow')
    detector.detect(image)
    machine.run_errors['fast'] = BackendLostError('fast has lost its GPU: look at dmesg.')
    machine.open_errors['fast'] = broken('fast')
    fail(detector, image, 1)
    assert detector.recover()
    assert len(detector.detect(image).detections) == 1
    assert detector.description == 'the fake slow'
    assert detector.backends == 'fast failed, slow opened'
    assert detector.said == ['Back end fast did not open, so slow is tried: The fast is broken: mend it.']


def test_one_that_opens_and_never_answers_is_passed_over(start, machine, image):
    detector = start('fast', 'slow')
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    assert detector.recover()
    assert detector.backend_name == 'slow'
    assert len(detector.detect(image).detections) == 1


def test_a_named_back_end_is_tried_again_after_ever_longer_pauses(start, machine, image, clock):
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = machine.open_errors['fast'] = broken('fast')
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    for pause_s in (1, 2, 4, 8, 10, 10):
        with pytest.raises(SuiteError) as refused:
            detector.recover()
        assert str(refused.value) == (
            f'No back end could be opened again; next attempt in {pause_s} s: The fast is broken: mend it.'
        )
        attempts = machine.log.count('open fast')
        clock.now_s += pause_s - 0.01
        assert not detector.recover()
        assert machine.log.count('open fast') == attempts
        clock.now_s += 0.01
    machine.open_errors.clear()
    machine.run_errors.clear()
    assert detector.recover()
    assert len(detector.detect(image).detections) == 1


def test_when_the_last_one_fails_too_the_whole_order_is_tried_again(start, machine, image, clock):
    machine.open_errors['fast'] = broken('fast')
    detector = start('fast', 'slow')
    detector.detect(image)
    machine.run_errors['slow'] = out_of_memory('slow')
    machine.open_errors['slow'] = broken('slow')
    fail(detector, image)
    with pytest.raises(SuiteError, match='No back end could be opened again'):
        detector.recover()
    machine.open_errors.clear()
    clock.now_s += 1
    assert detector.recover()
    assert detector.backend_name == 'fast'


def test_one_that_answers_once_and_fails_again_is_not_restarted_without_a_pause(start, machine, image, clock):
    detector = start('fast')
    pauses_s = []
    for _ in range(4):
        machine.run_errors.clear()
        detector.detect(image)
        machine.run_errors['fast'] = out_of_memory('fast')
        fail(detector, image)
        before_s = clock.now_s
        while not detector.recover():
            clock.now_s += 0.5
        pauses_s.append(clock.now_s - before_s)
    assert pauses_s == [0, 1, 2, 4]


def test_a_hundred_good_images_make_the_next_failure_a_first_one(start, machine, image):
    detector = start('fast')
    for _ in range(3):
        machine.run_errors.clear()
        for _ in range(100):
            detector.detect(image)
        machine.run_errors['fast'] = out_of_memory('fast')
        fail(detector, image)
        assert detector.recover()
    assert detector.restarts == 3


def test_what_was_selected_meanwhile_holds_after_the_restart(start, machine, image):
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    with pytest.raises(ParameterError, match="'persom'"):
        detector.select(Selection(classes=('persom',)))
    detector.select(Selection(classes=('car',)))
    machine.run_errors.clear()
    detector.recover()
    assert len(detector.detect(image).detections) == 0


def test_a_file_that_became_another_model_is_told(start, machine, image):
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    machine.run_errors.clear()
    machine.names = "{0: 'ship', 1: 'buoy', 2: 'gull'}"
    detector.recover()
    assert detector.model.class_names == ('ship', 'buoy', 'gull')
    assert detector.detect(image).detections.labels.tolist() == ['ship']


def test_a_back_end_that_cannot_be_closed_is_said_and_replaced(start, machine, image, monkeypatch):
    detector = start('fast', 'slow')
    machine.run_errors['fast'] = out_of_memory('fast')

    def close(self):
        raise RuntimeError('CUDA error 999')

    monkeypatch.setattr(Detector, 'close', close)
    fail(detector, image)
    assert detector.said == [
        'Back end fast failed and could not be closed (RuntimeError: CUDA error 999): what it held is lost until the '
        'detector is started again.'
    ]
    assert detector.recover()


def test_closed_while_it_is_being_opened_it_stays_closed(start, machine, image, monkeypatch):
    """Opening an engine takes seconds, on the worker; the node may be stopped meanwhile."""
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    opened = Detector.open

    def open_slowly(self):
        model = opened(self)
        detector.close()
        return model

    monkeypatch.setattr(Detector, 'open', open_slowly)
    assert not detector.recover()
    assert machine.log[-2:] == ['open fast', 'close fast']
    assert not detector.restarting
    assert not detector.recover()
    with pytest.raises(InferenceError, match='no model open'):
        detector.detect(image)


def test_a_second_worker_does_not_open_what_the_first_one_is_opening(start, machine, image, monkeypatch):
    """The node was deactivated and activated again while the first worker was at it."""
    detector = start('fast')
    detector.detect(image)
    machine.run_errors['fast'] = out_of_memory('fast')
    fail(detector, image)
    opened = Detector.open
    second = []

    def open_slowly(self):
        second.append(detector.recover())
        return opened(self)

    monkeypatch.setattr(Detector, 'open', open_slowly)
    assert detector.recover()
    assert second == [False]
    assert machine.log == ['open fast', 'close fast', 'open fast']
