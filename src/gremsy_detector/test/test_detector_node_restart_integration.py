# SPDX-License-Identifier: Apache-2.0
"""The node in this process, on back ends whose failures the test decides, beside nodes that feed and watch it."""

import re
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Level
from gremsy_common.ros.hosting import EXIT_STOPPED, run_nodes
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector import detector_node
from gremsy_detector.backends import backend_registry
from gremsy_detector.detector_node import DetectorNode
from gremsy_detector.errors import BackendLostError, ModelError
from gremsy_detector.gpu_status import GpuReading

from .fake_backends import Machine, broken, out_of_memory

pytestmark = pytest.mark.integration

IMAGE = lock_read_only(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    """None of their own."""


class Camera(SuiteNode[NoParameters]):
    node_name = 'camera'
    parameters_type = NoParameters

    def activate(self):
        self.images = self.publisher(topics.IMAGE_RAW)
        self.sent = 0

    def send(self, image=IMAGE, encoding='bgr8'):
        self.sent += 1
        self.images.publish(Frame(image, self.sent, 'eo_optical', encoding))


class Tracker(SuiteNode[NoParameters]):
    """Watches only while it is told to."""

    node_name = 'tracker'
    parameters_type = NoParameters

    def activate(self):
        self.found = []
        self.labels = []
        self.versions = []
        self.detections = self.subscription(topics.DETECTIONS, self.found.append)
        self.subscription(topics.LABEL_INFO, self.labels.append)
        self.subscription(topics.VISION_INFO, self.versions.append)

    def watch(self, wanted, topic=topics.DETECTIONS):
        if wanted:
            self.detections = self.subscription(topic, self.found.append)
        else:
            self.close_subscription(self.detections)


def wait_until(condition, timeout_s=20.0, meanwhile=lambda: None):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, 'the condition did not come true in time'
        meanwhile()
        time.sleep(0.02)


@pytest.fixture
def machine(monkeypatch):
    """Two back ends, `fast` before `slow`, instead of those that are installed."""
    made = Machine()
    kinds = (made.backend('fast', 20), made.backend('slow', 10))
    monkeypatch.setattr(backend_registry, 'find_backends', lambda: kinds)
    return made


class Loop:
    """Camera, detector and tracker in one process."""

    def __init__(self):
        self.host = NodeHost()
        self.nodes = []

    def start(self, *parameters):
        arguments = [each for parameter in parameters for each in ('-p', parameter)]
        rclpy.init(
            args=['--ros-args', *arguments, '-r', '__ns:=/loop'],
            signal_handler_options=SignalHandlerOptions.NO,
        )
        for kind in (Camera, DetectorNode, Tracker):
            self.nodes.append(kind(self.host))
        self.camera, self.detector, self.tracker = self.nodes
        for node in self.nodes:
            node.start()
        self.host.start(self.nodes, on_crash=lambda: None)
        return self

    def rows(self):
        return {**self.detector.diagnostics.values(), **self.detector.diagnostic_values()}

    def answered(self, image=IMAGE):
        """Wait until an image that is sent from now on is answered; its detections."""
        first = self.camera.sent + 1
        wait_until(
            lambda: any(each.stamp_ns >= first for each in self.tracker.found),
            meanwhile=lambda: self.camera.send(image),
        )
        return self.tracker.found[-1]

    def on_executor(self, work):
        done = []
        self.host.call_soon(lambda: done.append(work()))
        wait_until(lambda: bool(done))
        return done[0]

    def set(self, **values):
        changes = [Parameter(name, value=value) for name, value in values.items()]
        return self.on_executor(lambda: self.detector.set_parameters_atomically(changes))

    def stop(self):
        self.host.stop()
        for node in reversed(self.nodes):
            node.close()
        self.host.shutdown()
        rclpy.try_shutdown()


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.stop()


def test_a_back_end_that_fails_while_running_is_opened_again_and_the_node_goes_on(machine, loop):
    loop.start('confidence:=0.5')
    assert loop.answered().labels.tolist() == ['person']
    machine.run_errors['fast'] = out_of_memory('fast')
    machine.open_errors['fast'] = broken('fast')
    machine.open_errors['slow'] = broken('slow')
    wait_until(lambda: loop.rows()['back end state'] == 'restarting', meanwhile=loop.camera.send)
    wait_until(lambda: 'No back end could be opened again' in loop.rows()['last error'], meanwhile=loop.camera.send)
    # Without any back end it answers what does not need one.
    refused = loop.set(classes=['persom'])
    assert not refused.successful
    assert "did you mean 'person'" in refused.reason
    assert loop.set(confidence=0.3).successful
    machine.run_errors.clear()
    machine.open_errors.clear()
    assert loop.answered().labels.tolist() == ['person']
    rows = loop.rows()
    assert (rows['back end state'], rows['back end restarts'], rows['back end']) == ('running', '1', 'the fake fast')
    assert int(rows['images lost to a restart']) > 0
    wait_until(lambda: loop.tracker.labels[-1].threshold == pytest.approx(0.3))
    assert loop.tracker.versions[-1].database_version == 0


def test_a_lost_gpu_hands_over_to_the_next_back_end(machine, loop):
    loop.start()
    loop.answered()
    machine.run_errors['fast'] = BackendLostError('fast has lost its GPU: look at dmesg.')
    machine.open_errors['fast'] = ModelError('The GPU has fallen off the bus: look at dmesg.')
    loop.answered()
    rows = loop.rows()
    assert rows['back ends in order'] == 'fast failed, slow opened'
    assert rows['back end'] == 'the fake slow'
    assert rows['last error'] == (
        'Back end fast did not open, so slow is tried: The GPU has fallen off the bus: look at dmesg.'
    )


def test_a_back_end_that_does_not_start_is_said_and_the_next_one_runs(machine, loop):
    machine.open_errors['fast'] = broken('fast')
    loop.start()
    rows = loop.rows()
    assert rows['last error'] == 'Back end fast did not open, so slow is tried: The fast is broken: mend it.'
    assert rows['back ends in order'] == 'fast failed, slow opened'
    loop.answered()


def test_nothing_stands_in_for_a_back_end_that_was_named(machine, loop):
    machine.open_errors['fast'] = broken('fast')
    with pytest.raises(SuiteError) as refused:
        loop.start('backend:=fast')
    assert str(refused.value) == '/loop/detector: The fast is broken: mend it.'


def test_another_model_after_a_restart_is_told_with_a_new_version_of_the_names(machine, loop):
    loop.start()
    loop.answered()
    wait_until(lambda: bool(loop.tracker.versions))
    machine.names = "{0: 'ship', 1: 'buoy', 2: 'gull'}"
    machine.run_errors['fast'] = out_of_memory('fast')
    wait_until(lambda: loop.rows()['back end state'] == 'restarting', meanwhile=loop.camera.send)
    machine.run_errors.clear()
    assert loop.answered().labels.tolist() == ['ship']
    wait_until(lambda: loop.tracker.versions[-1].database_version == 1)
    assert loop.tracker.labels[-1].names == ((0, 'ship'), (1, 'buoy'), (2, 'gull'))


def test_a_detector_that_is_restarting_stops_at_once(machine, loop, capfd):
    loop.start()
    loop.answered()
    machine.run_errors['fast'] = out_of_memory('fast')
    machine.open_errors |= {'fast': broken('fast'), 'slow': broken('slow')}
    wait_until(lambda: loop.rows()['back end state'] == 'restarting', meanwhile=loop.camera.send)
    loop.stop()
    loop.nodes.clear()
    said = capfd.readouterr()
    assert 'did not end in time' not in said.err + said.out


def test_after_every_turn_of_the_lifecycle_images_are_answered_and_labels_are_latched(machine, loop):
    loop.start()
    loop.answered()
    for triggers in (('deactivate', 'activate'), ('deactivate', 'cleanup', 'configure', 'activate')):
        wait_until(lambda: bool(loop.tracker.labels))
        loop.tracker.labels.clear()
        for trigger in triggers:
            loop.on_executor(getattr(loop.detector, f'trigger_{trigger}'))
            if trigger == 'deactivate':
                assert not loop.camera.images.watched
        assert loop.answered().labels.tolist() == ['person']
        wait_until(lambda: bool(loop.tracker.labels))
    assert machine.log == ['open fast', 'close fast', 'open fast']


def test_while_nobody_listens_no_image_is_taken_and_no_work_is_done(machine, loop):
    loop.start()
    loop.answered()
    loop.on_executor(lambda: loop.tracker.watch(False))
    wait_until(lambda: not loop.camera.images.watched)
    assert loop.rows()['taking images'] == 'no: nobody subscribes to detections or detections/candidates'
    before = loop.detector.diagnostics.stage('inference').percentiles().samples
    for _ in range(20):
        loop.camera.send()
        time.sleep(0.01)
    assert loop.detector.diagnostics.stage('inference').percentiles().samples == before
    for topic in (topics.CANDIDATES, topics.DETECTIONS):
        loop.on_executor(lambda topic=topic: loop.tracker.watch(True, topic))
        loop.answered()
        loop.on_executor(lambda: loop.tracker.watch(False))
        wait_until(lambda: not loop.camera.images.watched)


def test_both_topics_tell_of_an_image_under_its_stamp_each_with_what_is_above_its_threshold(machine, loop):
    machine.score = 0.4
    loop.start('confidence:=0.5', 'candidate_confidence:=0.2')
    candidates = []
    loop.on_executor(lambda: loop.tracker.subscription(topics.CANDIDATES, candidates.append))
    assert loop.answered().labels.tolist() == []
    wait_until(lambda: bool(candidates), meanwhile=loop.camera.send)
    assert candidates[-1].labels.tolist() == ['person']
    assert candidates[-1].stamp_ns in {each.stamp_ns for each in loop.tracker.found}
    assert loop.tracker.labels[-1].threshold == 0.5
    machine.score = 0.6
    wait_until(lambda: len(loop.tracker.found[-1]) == 1, meanwhile=loop.camera.send)


def test_a_detector_told_to_work_for_nobody_does(machine, loop):
    loop.start('only_when_watched:=false')
    loop.on_executor(lambda: loop.tracker.watch(False))
    time.sleep(0.5)
    assert loop.camera.images.watched
    assert loop.set(only_when_watched=True).successful
    wait_until(lambda: not loop.camera.images.watched)
    assert loop.set(only_when_watched=False).successful
    wait_until(lambda: loop.camera.images.watched)


def test_a_set_of_parameters_with_one_that_is_wrong_changes_none(machine, loop):
    loop.start()
    loop.answered()
    before = loop.detector.parameters
    for wrong, sentence in (
        ({'tiles': [16, 16]}, 'Parameter `tiles` is [16, 16], 256 runs of the network per image: use at most 64.'),
        (
            {'region_of_interest': [0.6, 0.0, 0.4, 1.0]},
            (
                'Parameter `region_of_interest` is [0.6, 0, 0.4, 1], which encloses nothing: '
                'use x_min below x_max and y_min below y_max, each 0 .. 1.'
            ),
        ),
        (
            {'class_confidence': ['parson:0.3']},
            (
                "Parameter `class_confidence` has 'parson', which is not a class of nanodet_g_416.onnx: "
                "did you mean 'person'? `ros2 run gremsy_model_tools model_info` lists its 3 classes."
            ),
        ),
        (
            {'resize': 'stretch'},
            'Parameter `resize` cannot change while the node runs: set it in the parameter file and restart.',
        ),
    ):
        answer = loop.set(confidence=0.95, **wrong)
        assert (answer.successful, answer.reason) == (False, sentence)
        assert loop.detector.parameters == before
    assert len(loop.answered()) == 1


def test_a_threshold_of_one_class_is_live_and_told_with_the_labels(machine, loop):
    loop.start('confidence:=0.5')
    assert loop.set(class_confidence=['person:0.95', 'dog:0.1']).successful
    wait_until(lambda: loop.tracker.labels and loop.tracker.labels[-1].threshold == pytest.approx(0.1))
    assert len(loop.answered()) == 0
    assert loop.set(class_confidence=['person:0.2']).successful
    assert loop.answered().labels.tolist() == ['person']


def test_a_region_and_tiles_are_live_and_their_boxes_are_in_source_pixels(machine, loop):
    loop.start()
    np.testing.assert_allclose(loop.answered().boxes_px, [[160, 120, 320, 300]], atol=0.01)
    assert loop.set(region_of_interest=[0.5, 0.5, 1.0, 1.0]).successful
    np.testing.assert_allclose(loop.answered().boxes_px, [[400, 300, 480, 390]], atol=0.01)
    assert loop.set(tiles=[2, 1], tile_overlap=0.0, tiles_and_whole=False).successful
    found = loop.answered().boxes_px
    np.testing.assert_allclose(sorted(found.tolist()), [[360, 300, 400, 390], [520, 300, 560, 390]], atol=0.01)


def test_images_of_any_size_and_of_no_known_encoding_are_answered_or_reported(machine, loop):
    loop.start('tiles:=[3,2]')
    for shape in ((1, 1, 3), (4320, 7680, 3), (1, 5000, 3)):
        noise = np.random.default_rng(1).integers(0, 256, (min(shape[0], 64), min(shape[1], 64), 3), dtype=np.uint8)
        image = np.resize(noise, shape)
        found = loop.answered(lock_read_only(image))
        assert (found.boxes_px <= [shape[1], shape[0], shape[1], shape[0]]).all()
    before = loop.detector.diagnostics.counters.get('detect errors', 0)
    wait_until(
        lambda: loop.detector.diagnostics.counters.get('detect errors', 0) >= before + 5,
        meanwhile=lambda: loop.camera.send(encoding='no_such_encoding'),
    )
    assert "encoded as 'no_such_encoding'" in loop.rows()['last error']
    loop.answered()
    assert loop.rows()['back end restarts'] == '0'


def test_the_gpu_is_shown_where_there_is_one(machine, loop, monkeypatch):
    class Gpu:
        def read(self):
            return GpuReading(2 << 30, 8 << 30, 918_000_000)

    monkeypatch.setattr(detector_node, 'find_gpu', lambda device: Gpu())
    loop.start()
    wait_until(lambda: 'GPU clock (MHz)' in loop.rows())
    assert loop.rows()['GPU memory used (MiB)'] == '2048'


def run_alone(*parameters):
    arguments = [each for parameter in parameters for each in ('-p', parameter)]
    return run_nodes([DetectorNode], ['--ros-args', '-r', '__ns:=/alone', *arguments])


def test_build_only_builds_says_so_and_ends_well(monkeypatch, capfd):
    machine = Machine()
    absent = machine.backend('rtx', 30, reason='has no GPU to run on: an H200 is none')
    kinds = (absent, machine.backend('builder', 20, builds=True), machine.backend('slow', 10))
    monkeypatch.setattr(backend_registry, 'find_backends', lambda: kinds)
    assert run_alone('build_only:=true') == EXIT_STOPPED
    assert machine.log == ['open builder', 'close builder']
    said = capfd.readouterr()
    assert 'Built: model ' in said.err + said.out
    assert 'Back end not available here: rtx has no GPU to run on: an H200 is none.' in said.err + said.out


def test_build_only_where_nothing_builds_ends_with_status_2(machine, capfd):
    assert run_alone('build_only:=true') == 2
    assert 'Parameter `build_only` is true, but nothing here builds an engine from ' in capfd.readouterr().err
    assert machine.log == []


def test_a_build_that_fails_is_not_made_up_for_by_another_back_end(monkeypatch, capfd):
    machine = Machine()
    machine.open_errors['builder'] = broken('builder')
    kinds = (machine.backend('builder', 20, builds=True), machine.backend('slow', 10))
    monkeypatch.setattr(backend_registry, 'find_backends', lambda: kinds)
    assert run_alone('build_only:=true') == 2
    assert 'The builder is broken: mend it.' in capfd.readouterr().err


def test_an_image_that_hangs_is_said_and_where_nothing_ends_it_the_process_is_given_up(machine, loop):
    loop.start('hangs_after_s:=0.2')
    loop.answered()
    ended = threading.Event()
    # As a run on a GPU that has gone: nothing but the end of the process ends it.
    machine.run_blocks['fast'] = ended
    try:
        wait_until(lambda: loop.host.stuck is not None, meanwhile=loop.camera.send)
        assert loop.detector.health().level is Level.ERROR
    finally:
        ended.set()
    node, sentence = loop.host.stuck
    assert node is loop.detector
    assert re.fullmatch(
        r'The network has not answered an image for \d\.\d s \(`hangs_after_s`\) and cannot be ended: the process of '
        r'/loop/detector ends\.',
        sentence,
    )
    machine.run_blocks.clear()
    loop.answered()
    wait_until(lambda: loop.detector.health().level is Level.OK)
