# SPDX-License-Identifier: Apache-2.0
"""Two detectors, one model: in memory once, fair, together where that pays, and each with what is its own."""

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detector.detector_sharing import with_open_batch
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend import DEFAULT_OPTIONS
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.image_batch import try_two
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.backends.sharing.shared_model import Member, SharedModel
from gremsy_detector.detector import Detector
from gremsy_detector.errors import BackendLostError, InferenceError, ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts
from gremsy_detector.restarting_detector import RestartingDetector
from gremsy_detector.selection import Selection
from src.gremsy_detector.test.fake_backends import Machine, broken, open_models, out_of_memory

PATH = Path('m.onnx')
SHAPE = (1, 3, 8, 8)


class Scripted:
    """A back end whose answer to an image is the image's mean; runs, their sizes and threads are on record."""

    name, suffixes, preference, builds = 'scripted', ('.onnx',), 10, False
    run_s, concurrent, most_images = 0.0, False, 1
    # How much longer a run takes for each further image, as a share of one.
    further = 0.2

    def __init__(self, model=PATH, options=None):
        self.model, self.options = model, options
        self.runs, self.inside, self.most_inside = [], 0, 0
        self.opened = self.closed = 0
        self.error = None
        self.batch_error = None
        self.mixes = False

    @staticmethod
    def unavailable():
        return None

    def open(self):
        self.opened += 1
        shape = ('batch' if self.most_images > 1 else 1, 3, 8, 8)
        return ModelFacts(self.model, (TensorFacts('images', shape, 'float32'),), (), {})

    def new_input(self, shape, dtype):
        return np.zeros(shape, dtype)

    def infer(self, tensor):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            self.runs.append(len(tensor))
            time.sleep(self.run_s * (1 + self.further * (len(tensor) - 1)))
            if self.error is not None:
                raise self.error
            if self.batch_error is not None and len(tensor) > 1:
                raise self.batch_error
            means = tensor.mean(axis=(1, 2, 3))
            return [np.full_like(means, means.mean()) if self.mixes else means]
        finally:
            self.inside -= 1

    def close(self):
        self.closed += 1

    @property
    def description(self):
        return 'the scripted one'


def scripted(**attributes):
    return type('Kind', (Scripted,), attributes)


def opened(backend, *, batch='auto', members=2, due=lambda: False):
    model = SharedModel(backend, batch=batch)
    model.open()
    made = [Member(f'/robot/{number}/detector', due) for number in range(members)]
    for member in made:
        assert model.join(member)
    return model, [(member, model.new_input(member, SHAPE, 'float32')) for member in made]


def at_once(*calls):
    """Run calls on threads of their own, begun together; what each returned or raised."""
    results = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(number):
        ready.wait()
        try:
            results[number] = calls[number]()
        except Exception as error:  # noqa: BLE001 it is what the test looks at
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
        assert not thread.is_alive()
    return results


# Fairness.


@pytest.mark.parametrize('batch', ['never', 'always'])
def test_a_camera_that_always_has_an_image_starves_none(batch):
    """Both ask again at once: over 40 images each, neither is ever two ahead of the other while both ask."""
    backend = Scripted()
    backend.run_s = 0.002
    backend.most_images = 1 if batch == 'never' else 2
    model, parties = opened(backend, batch=batch)
    order = []

    def camera(number):
        member, tensor = parties[number]
        for _ in range(40):
            model.infer(member, tensor)
            order.append(number)

    at_once(lambda: camera(0), lambda: camera(1))
    ahead = np.cumsum([1 if number else -1 for number in order])
    assert np.abs(ahead[:-2]).max() <= 2
    assert backend.most_inside == 1


def test_a_slow_camera_waits_for_one_run_of_a_fast_one_at_most():
    backend = Scripted()
    backend.run_s = 0.01
    model, ((fast, fast_input), (slow, slow_input)) = opened(backend)
    stop = threading.Event()
    waited = []

    def run_fast():
        while not stop.is_set():
            model.infer(fast, fast_input)

    def run_slow():
        for _ in range(10):
            time.sleep(0.013)
            before = len(backend.runs)
            model.infer(slow, slow_input)
            waited.append(len(backend.runs) - before)
        stop.set()

    at_once(run_fast, run_slow)
    # Its own, and the one that was running or had come before.
    assert max(waited) <= 3


def test_a_back_end_that_takes_several_callers_has_them_side_by_side():
    backend = Scripted()
    backend.run_s, backend.concurrent = 0.05, True
    model, parties = opened(backend)
    at_once(*[lambda party=party: model.infer(*party) for party in parties])
    assert backend.most_inside == 2


def test_a_third_camera_gets_in_beside_two_that_never_rest():
    backend = Scripted()
    backend.run_s, backend.concurrent = 0.002, True
    model, parties = opened(backend)
    stop = threading.Event()

    def busy(party):
        while not stop.is_set():
            model.infer(*party)

    def come_later():
        try:
            for number in range(20):
                late = Member(f'late {number}')
                assert model.join(late)
                model.infer(late, model.new_input(late, SHAPE, 'float32'))
                model.leave(late)
        finally:
            stop.set()

    assert at_once(lambda: busy(parties[0]), lambda: busy(parties[1]), come_later) == [None] * 3
    # What those who left gave back was used again.
    assert len(model._inputs) == 3


# Together.


def together(backend, **options):
    """Two images that wait while another run goes on; the sizes of the runs."""
    backend.run_s = 0.03
    model, parties = opened(backend, members=3, **options)
    for number, (_, tensor) in enumerate(parties):
        tensor[...] = number + 1
    backend.runs.clear()

    def later(party, delay_s):
        time.sleep(delay_s)
        return [np.array(each) for each in model.infer(*party)]

    answers = at_once(lambda: later(parties[0], 0.0), lambda: later(parties[1], 0.01), lambda: later(parties[2], 0.015))
    assert [each[0].tolist() for each in answers] == [[1.0], [2.0], [3.0]]
    assert model.answered == 3
    return model, backend.runs


def test_images_that_are_due_together_go_in_one_run():
    model, runs = together(scripted(most_images=4)())
    assert runs == [1, 2]
    assert model.runs_of_several == 1
    assert re.fullmatch(r'up to 4: two take 1\.\d\d times as long as one', model.images_per_run)


@pytest.mark.parametrize(
    ('attributes', 'batch', 'why'),
    [
        ({'most_images': 1}, 'always', r'one: the model takes one image at a time'),
        ({'most_images': 4}, 'never', r'one: `batch` is never'),
        ({'most_images': 4, 'further': 1.0}, 'auto', r'one: two take (1\.9|2\.\d)\d times as long as one'),
    ],
)
def test_where_a_batch_cannot_be_or_does_not_pay_one_goes_after_the_other(attributes, batch, why):
    model, runs = together(scripted(**attributes)(), batch=batch)
    assert runs == [1, 1, 1]
    assert re.fullmatch(why, model.images_per_run)


def test_always_is_always():
    _, runs = together(scripted(most_images=4, further=1.0)(), batch='always')
    assert runs == [1, 2]


def test_an_image_that_is_about_to_come_is_waited_for_and_one_that_is_not_is_not():
    backend = scripted(most_images=2, run_s=0.03)()
    due = threading.Event()
    model, (first, second) = opened(backend, due=due.is_set)
    backend.runs.clear()

    def soon():
        time.sleep(0.005)
        model.infer(*second)

    due.set()
    at_once(lambda: model.infer(*first), soon)
    assert backend.runs == [2]
    backend.runs.clear()
    due.clear()
    at_once(lambda: model.infer(*first), soon)
    assert backend.runs == [1, 1]


def test_a_camera_that_stops_is_not_waited_for():
    """It says that an image is due, and none comes: half a run is the longest that the other waits for it."""
    backend = scripted(most_images=2, run_s=0.03)()
    model, (first, _) = opened(backend, due=lambda: True)
    began = time.monotonic()
    for _ in range(4):
        model.infer(*first)
    # Four runs of 30 ms and four waits of 15; the bound is generous, the machine may be busy.
    assert time.monotonic() - began < 2.0
    assert backend.runs[-4:] == [1] * 4


def test_a_model_whose_answers_mix_the_images_is_not_run_with_several():
    backend = scripted(most_images=2)()
    backend.mixes = True
    model, _ = opened(backend, batch='always')
    assert model.images_per_run == ('one: the model gives other results for two images together than for each alone')


def test_a_model_that_fails_with_two_says_so_and_runs_one_by_one():
    backend = scripted(most_images=2)()
    backend.batch_error = InferenceError('the scripted one cannot.')
    model, parties = opened(backend, batch='always')
    assert model.images_per_run == 'one: two together fail (the scripted one cannot)'
    assert all(
        isinstance(each, list) for each in at_once(*[lambda party=party: model.infer(*party) for party in parties])
    )


def test_a_batch_that_begins_to_fail_is_given_up_without_losing_an_image():
    backend = scripted(most_images=2, run_s=0.03)()
    model, parties = opened(backend, batch='always', due=lambda: True)
    backend.batch_error = InferenceError('out of memory.')
    for _ in range(2):
        answers = at_once(*[lambda party=party: model.infer(*party) for party in parties])
        assert all(isinstance(each, list) for each in answers)
    assert model.images_per_run == 'one: several together fail (out of memory)'


def test_answers_to_noise_that_are_no_numbers_are_alike_where_both_are_none():
    backend = scripted(most_images=2)()
    answer = backend.infer
    backend.infer = lambda tensor: [np.stack([each, each * np.nan, each * np.inf], axis=1) for each in answer(tensor)]
    backend.open()
    assert try_two(backend, backend.new_input(SHAPE, 'float32'), always=True).batch is not None


def test_the_trial_leaves_the_input_as_it_was_made():
    backend = scripted(most_images=2)()
    backend.open()
    tensor = backend.new_input(SHAPE, 'float32')
    assert try_two(backend, tensor, always=True).batch is not None
    assert not tensor.any()


# The pool.


def counting(kind):
    """A kind of back end that keeps the ones that were made."""

    made = []

    class Counting(kind):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    Counting.made = made
    return Counting


def test_the_same_settings_are_one_model_and_others_are_said():
    pool, kind = ModelPool(), counting(Scripted)
    eo = pool.backend(kind, PATH, DEFAULT_OPTIONS, name='/robot/eo/detector')
    ir = pool.backend(kind, PATH, replace(DEFAULT_OPTIONS, say=print), name='/robot/ir/detector')
    other = pool.backend(kind, PATH, replace(DEFAULT_OPTIONS, precision='fp16', device=1), name='/two/eo/detector')
    assert eo.shared_with == ''
    for each in (eo, ir, other):
        each.open()
    assert [len(kind.made), open_models(pool)] == [2, 2]
    assert [eo.shared_with, ir.shared_with] == ['/robot/ir/detector', '/robot/eo/detector']
    assert other.shared_with == (
        'nobody; /robot/eo/detector has another `device`, `precision`; '
        '/robot/ir/detector has another `device`, `precision`'
    )
    for each in (eo, ir, other):
        each.close()
        each.close()
    assert open_models(pool) == 0
    assert dict(pool._models) == {}, 'what is closed is not held'
    assert [(each.opened, each.closed) for each in kind.made] == [(1, 1), (1, 1)]


def test_the_last_to_leave_closes_and_whoever_comes_back_takes_part_again():
    pool, kind = ModelPool(), counting(Scripted)
    eo, ir = (pool.backend(kind, PATH, DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir'))
    for _ in range(20):
        eo.open()
        ir.open()
        eo.close()
        assert kind.made[0].closed == 0
        ir.infer(ir.new_input(SHAPE, 'float32'))
        eo.open()
        eo.close()
    assert len(kind.made) == 1
    ir.close()
    assert kind.made[0].closed == 1
    with pytest.raises(InferenceError, match=re.escape('The detector has no model open: call open() first.')):
        ir.infer(np.zeros(SHAPE, np.float32))


def test_a_file_that_was_replaced_is_another_model(tmp_path):
    pool, kind, path = ModelPool(), counting(Scripted), tmp_path / 'm.onnx'
    path.write_bytes(b'one')
    eo, ir = (pool.backend(kind, path, DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir'))
    eo.open()
    path.write_bytes(b'another')
    ir.open()
    assert len(kind.made) == 2
    assert ir.shared_with == 'nobody; eo has another `model`'


def test_two_who_open_at_once_open_it_once():
    kind = counting(Scripted)
    slow_open = kind.open
    kind.open = lambda self: (time.sleep(0.05), slow_open(self))[1]
    pool = ModelPool()
    members = [pool.backend(kind, PATH, DEFAULT_OPTIONS, name=str(number)) for number in range(4)]
    at_once(*[each.open for each in members])
    assert [len(kind.made), kind.made[0].opened] == [1, 1]


def test_a_model_that_does_not_open_is_tried_again_by_the_next():
    class Refusing(counting(Scripted)):
        def open(self):
            super().open()
            raise ModelError('no.')

    pool = ModelPool()
    for name in ('eo', 'ir'):
        with pytest.raises(ModelError, match=re.escape('no.')):
            pool.backend(Refusing, PATH, DEFAULT_OPTIONS, name=name).open()
    assert [each.closed for each in Refusing.made] == [1, 1]
    assert open_models(pool) == 0


# What breaks.


def test_a_lost_back_end_is_lost_for_all_and_closed_before_it_is_opened_anew():
    pool, kind = ModelPool(), counting(Scripted)
    eo, ir = (pool.backend(kind, PATH, DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir'))
    eo.open()
    ir.open()
    kind.made[0].error = BackendLostError('GPU 0 is gone.')
    with pytest.raises(BackendLostError, match=re.escape('GPU 0 is gone.')):
        eo.infer(eo.new_input(SHAPE, 'float32'))
    assert kind.made[0].closed == 1
    with pytest.raises(BackendLostError) as told:
        ir.infer(np.zeros(SHAPE, np.float32))
    assert str(told.value) == 'The model that eo shares was lost (GPU 0 is gone).'
    for each in (eo, ir):
        each.close()
        each.open()
        each.infer(each.new_input(SHAPE, 'float32'))
    assert [len(kind.made), kind.made[0].closed, kind.made[1].closed] == [2, 1, 0]


def test_what_fails_for_one_and_answers_the_other_stays_open():
    pool, kind = ModelPool(), counting(Scripted)
    eo, ir = (pool.backend(kind, PATH, DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir'))
    eo.open()
    ir.open()
    kind.made[0].error = InferenceError('not this image.')
    with pytest.raises(InferenceError):
        eo.infer(eo.new_input(SHAPE, 'float32'))
    kind.made[0].error = None
    ir.infer(ir.new_input(SHAPE, 'float32'))
    eo.close()
    assert kind.made[0].closed == 0
    ir.infer(np.zeros(SHAPE, np.float32))


def test_what_fails_for_one_and_answered_nobody_since_is_opened_anew_for_both():
    pool, kind = ModelPool(), counting(Scripted)
    eo, ir = (pool.backend(kind, PATH, DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir'))
    eo.open()
    ir.open()
    kind.made[0].error = InferenceError('out of memory.')
    with pytest.raises(InferenceError):
        eo.infer(eo.new_input(SHAPE, 'float32'))
    eo.close()
    assert kind.made[0].closed == 1
    with pytest.raises(BackendLostError) as told:
        ir.infer(np.zeros(SHAPE, np.float32))
    assert str(told.value) == 'Eo, which shares the model, found it failing.'


def test_those_who_wait_when_it_ends_are_told():
    backend = Scripted()
    backend.run_s = 0.05
    model, (first, second) = opened(backend)
    backend.error = BackendLostError('gone.')

    def second_soon():
        time.sleep(0.01)
        model.infer(*second)

    told = at_once(lambda: model.infer(*first), second_soon)
    assert [str(each) for each in told] == ['gone.', 'The model that /robot/0/detector shares was lost (gone).']
    assert backend.closed == 1


def test_a_member_that_cannot_say_what_is_due_leaves_nobody_waiting():
    backend = scripted(most_images=2, run_s=0.03)()
    model, parties = opened(backend, batch='always')
    parties[0][0].due = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model.infer(*parties[1])
    parties[0][0].due = lambda: False
    assert model.infer(*parties[1])[0].tolist() == [0.0]


def test_an_exception_of_any_other_kind_leaves_nobody_waiting():
    backend = scripted(most_images=2, run_s=0.03)()
    model, parties = opened(backend, batch='always', due=lambda: True)
    backend.error = RuntimeError('a fault of the library')
    told = at_once(*[lambda party=party: model.infer(*party) for party in parties])
    assert sorted(type(each).__name__ for each in told) == ['InferenceError', 'RuntimeError']


@pytest.mark.parametrize('attributes', [{}, {'concurrent': True}, {'most_images': 4}], ids=['turns', 'beside', 'batch'])
def test_whatever_members_do_and_however_it_fails_nobody_waits_for_ever(attributes):
    """Four members come, run and leave at random while runs fail and the back end is lost: all end, all is closed."""

    class Shaky(counting(scripted(**attributes))):
        def infer(self, tensor):
            chance = dice.random()
            if chance < 0.02:
                raise BackendLostError('lost.')
            if chance < 0.1:
                raise InferenceError('failed.')
            return super().infer(tensor)

    dice, pool = np.random.default_rng(5), ModelPool()

    def member(number):
        own = np.random.default_rng(number)
        backend = pool.backend(Shaky, PATH, DEFAULT_OPTIONS, name=str(number), due=lambda: True, batch='always')
        answered = 0
        for _ in range(60):
            try:
                backend.open()
                tensor = backend.new_input(SHAPE, 'float32')
                for _ in range(int(own.integers(1, 6))):
                    tensor[...] = number
                    answer = backend.infer(tensor)[0]
                    assert answer.tolist() == [float(number)]
                    answered += 1
            except InferenceError:
                pass
            if own.random() < 0.7:
                backend.close()
        backend.close()
        return answered

    answered = at_once(*[lambda number=number: member(number) for number in range(4)])
    assert all(isinstance(each, int) and each > 20 for each in answered), answered
    assert open_models(pool) == 0
    assert [each.closed for each in Shaky.made] == [1] * len(Shaky.made)


# The detectors on top of it.


def restarting(pool, machine, name, *, order=('gpu', 'cpu')):
    kinds = [machine.backend(each) for each in order]

    def make(kind, selection):
        return Detector(pool.backend(kind, PATH, DEFAULT_OPTIONS, name=name), selection)

    said = []
    detector = RestartingDetector(
        BackendChain(PATH, kinds, make, said.append), Selection(), failures_before_restart=1, say=said.append
    )
    return detector, said


def image(value=200):
    pixels = np.full((64, 64, 3), value, np.uint8)
    pixels[0, 0] = 0
    return Frame(lock_read_only(pixels), 1, 'eo')


def test_where_the_gpu_refuses_both_share_what_stands_in_for_it():
    machine, pool = Machine(), ModelPool()
    machine.open_errors['gpu'] = broken('gpu')
    eo, said = restarting(pool, machine, 'eo')
    ir, _ = restarting(pool, machine, 'ir')
    eo.open()
    ir.open()
    assert [eo.backend_name, ir.backend_name] == ['cpu', 'cpu']
    assert machine.log.count('open cpu') == 1
    assert said == ['Back end gpu did not open, so cpu is tried: The gpu is broken: mend it.']
    assert [len(each.detect(image()).detections) for each in (eo, ir)] == [1, 1]
    eo.close()
    assert 'close cpu' not in machine.log
    ir.close()
    assert machine.log.count('close cpu') == 1


def test_a_back_end_that_fails_is_opened_once_for_both():
    machine, pool = Machine(), ModelPool()
    eo, _ = restarting(pool, machine, 'eo')
    ir, _ = restarting(pool, machine, 'ir')
    for each in (eo, ir):
        each.open()
        each.detect(image())
    machine.run_errors['gpu'] = out_of_memory('gpu')
    for each in (eo, ir):
        with pytest.raises(InferenceError):
            each.detect(image())
        assert each.restarting
    machine.run_errors.clear()
    machine.log.clear()
    for each in (eo, ir):
        assert each.recover()
        assert len(each.detect(image()).detections) == 1
        assert each.backend_name == 'gpu'
    assert machine.log == ['open gpu']
    assert open_models(pool) == 1


# A real model.


@pytest.fixture(scope='session')
def batched_nanodet(tmp_path_factory):
    """The shipped model with its batch left open, as an export with dynamic axes has it."""
    return with_open_batch(default_model_path(), tmp_path_factory.mktemp('batched') / 'nanodet_dynamic.onnx')


def found_by(detector, frame):
    result = detector.detect(frame)
    return result.candidates


def test_two_real_cameras_of_different_sizes_find_the_same_together_as_alone(batched_nanodet, footage_image):
    """To the last digit: ONNX Runtime's kernels on the CPU add up each image by itself."""
    first, second = footage_image(30), footage_image(400)
    frames = [Frame(lock_read_only(first), 1, 'eo'), Frame(lock_read_only(second[:500, :700].copy()), 2, 'ir', 'bgr8')]
    selections = [Selection(), Selection(confidence=0.3, classes=('person',))]
    resizes = ['auto', 'stretch']
    alone = []
    for frame, selection, resize in zip(frames, selections, resizes, strict=True):
        detector = Detector(OnnxRuntimeBackend(batched_nanodet), selection, resize=resize)
        detector.open()
        alone.append(found_by(detector, frame))
        detector.close()
    pool, kind = ModelPool(), counting(OnnxRuntimeBackend)
    backends = [
        pool.backend(kind, batched_nanodet, DEFAULT_OPTIONS, name=name, due=lambda: True, batch='always')
        for name in ('eo', 'ir')
    ]
    detectors = [
        Detector(backend, selection, resize=resize)
        for backend, selection, resize in zip(backends, selections, resizes, strict=True)
    ]
    for detector in detectors:
        detector.open()
    assert len(kind.made) == 1
    before = backends[0].runs_of_several
    for _ in range(3):
        shared = at_once(
            *[
                lambda detector=detector, frame=frame: found_by(detector, frame)
                for detector, frame in zip(detectors, frames, strict=True)
            ]
        )
        for one, other in zip(alone, shared, strict=True):
            assert len(one) > 3
            np.testing.assert_array_equal(one.boxes_px, other.boxes_px)
            np.testing.assert_array_equal(one.scores, other.scores)
            np.testing.assert_array_equal(one.labels, other.labels)
            assert (one.stamp_ns, one.frame_id) == (other.stamp_ns, other.frame_id)
    assert backends[0].runs_of_several > before
    for detector in detectors:
        detector.close()


def test_the_shipped_model_is_shared_side_by_side_and_finds_the_same(footage_image):
    frames = [Frame(lock_read_only(footage_image(number)), number, 'eo') for number in (30, 400)]
    own = Detector(OnnxRuntimeBackend(default_model_path()))
    own.open()
    alone = [found_by(own, frame) for frame in frames]
    own.close()
    pool, kind = ModelPool(), counting(OnnxRuntimeBackend)
    backends = [pool.backend(kind, default_model_path(), DEFAULT_OPTIONS, name=name) for name in ('eo', 'ir')]
    detectors = [Detector(backend) for backend in backends]
    for detector in detectors:
        detector.open()
    assert backends[0].images_per_run == 'one: the model takes one image at a time'
    for _ in range(10):
        shared = at_once(
            *[
                lambda detector=detector, frame=frame: found_by(detector, frame)
                for detector, frame in zip(detectors, frames, strict=True)
            ]
        )
        for one, other in zip(alone, shared, strict=True):
            np.testing.assert_array_equal(one.boxes_px, other.boxes_px)
    assert [len(kind.made), open_models(pool)] == [1, 1]
    for detector in detectors:
        detector.close()
