# SPDX-License-Identifier: Apache-2.0
"""The detectors of an EO and an IR camera in one process: one model, and all else each one's own."""

import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from rclpy.signals import SignalHandlerOptions

from gremsy_common.ros.node_host import NodeHost
from gremsy_common.types.frame import lock_read_only
from gremsy_detector.backends import backend_registry
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.detector_node import DetectorNode
from gremsy_detector.errors import BackendLostError

from .fake_backends import Machine, open_models, out_of_memory
from .test_detector_node_restart_integration import IMAGE, Camera, Tracker, wait_until

pytestmark = pytest.mark.integration

INFRARED = lock_read_only(np.random.default_rng(1).integers(7000, 7900, (256, 320), dtype=np.uint16))
PICTURES = {'eo': (IMAGE, 'bgr8'), 'ir': (INFRARED, 'mono16')}


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    kinds = (made.backend('fast', 20), made.backend('slow', 10))
    monkeypatch.setattr(backend_registry, 'find_backends', lambda: kinds)
    return made


class Robot:
    """Camera, detector and listener of `/robot/eo` and of `/robot/ir` in one process."""

    def __init__(self, folder):
        self.folder = folder
        self.host = NodeHost()
        self.nodes, self.cameras, self.detectors, self.listeners = [], {}, {}, {}

    def start(self, *parameters, **of_ir):
        """With parameters for all nodes, as on a command line, and some for the infrared camera's detector alone."""
        kinds = {
            (name, kind): type(kind.__name__, (kind,), {'node_name': f'{name}_{kind.node_name}'})
            for name in PICTURES
            for kind in (Camera, DetectorNode, Tracker)
        }
        arguments = [each for parameter in parameters for each in ('-p', parameter)]
        if of_ir:
            file = self.folder / 'ir.yaml'
            file.write_text(yaml.safe_dump({'/robot/ir/ir_detector': {'ros__parameters': of_ir}}))
            arguments += ['--params-file', str(file)]
        for (name, _), kind in kinds.items():
            arguments += ['-r', f'{kind.node_name}:__ns:=/robot/{name}']
        rclpy.init(args=['--ros-args', *arguments], signal_handler_options=SignalHandlerOptions.NO)
        for (name, base), kind in kinds.items():
            node = kind(self.host)
            self.nodes.append(node)
            {Camera: self.cameras, DetectorNode: self.detectors, Tracker: self.listeners}[base][name] = node
        for node in self.nodes:
            node.start()
        self.host.start(self.nodes, on_crash=lambda: None)
        return self

    def rows(self, name):
        return {**self.detectors[name].diagnostics.values(), **self.detectors[name].diagnostic_values()}

    def send(self, *names):
        for name in names or PICTURES:
            self.cameras[name].send(*PICTURES[name])

    def answered(self, *names):
        """Wait until each has an answer to an image that is sent from now on; the newest of each."""
        names = names or tuple(PICTURES)
        first = {name: self.cameras[name].sent + 1 for name in names}
        wait_until(
            lambda: all(any(each.stamp_ns >= first[name] for each in self.listeners[name].found) for name in names),
            meanwhile=lambda: self.send(*names),
        )
        return [self.listeners[name].found[-1] for name in names]

    def on_executor(self, work):
        done = []
        self.host.call_soon(lambda: done.append(work()))
        wait_until(lambda: bool(done))
        return done[0]

    def stop(self):
        self.host.stop()
        for node in reversed(self.nodes):
            node.close()
        self.host.shutdown()
        rclpy.try_shutdown()


@pytest.fixture
def robot(tmp_path):
    made = Robot(tmp_path)
    yield made
    made.stop()


def test_one_model_serves_both_and_each_keeps_topics_and_thresholds(machine, robot):
    robot.start(confidence=0.95)
    assert machine.log == ['open fast']
    eo, ir = robot.answered()
    assert [eo.labels.tolist(), ir.labels.tolist()] == [['person'], []]
    assert [robot.rows(name)['model shared with'] for name in PICTURES] == [
        '/robot/ir/ir_detector',
        '/robot/eo/eo_detector',
    ]
    assert robot.rows('eo')['images per run'] == 'one: the model takes one image at a time'
    # Centre (24, 28), size 16x24 of 64x64, stretched to 640x480.
    assert eo.boxes_px[0].tolist() == [160.0, 120.0, 320.0, 300.0]


def test_a_camera_that_stops_leaves_the_other_its_detections(machine, robot):
    robot.start()
    robot.answered()
    found = len(robot.listeners['ir'].found)
    for _ in range(3):
        robot.answered('eo')
    assert len(robot.listeners['ir'].found) == found


def test_one_detector_may_be_closed_and_opened_while_the_other_goes_on(machine, robot):
    robot.start()
    robot.answered()
    eo = robot.detectors['eo']
    robot.on_executor(eo.trigger_deactivate)
    robot.on_executor(eo.trigger_cleanup)
    assert robot.rows('ir')['model shared with'] == 'nobody'
    robot.answered('ir')
    robot.on_executor(eo.trigger_configure)
    robot.on_executor(eo.trigger_activate)
    robot.answered()
    assert machine.log == ['open fast']
    for each in robot.detectors.values():
        robot.on_executor(each.trigger_deactivate)
        robot.on_executor(each.trigger_cleanup)
    assert machine.log == ['open fast', 'close fast']


@pytest.mark.parametrize('error', [out_of_memory('fast'), BackendLostError('fast has lost its GPU: look at dmesg.')])
def test_a_back_end_that_fails_is_opened_again_once_for_both(machine, robot, error):
    robot.start('failures_before_restart:=1')
    robot.answered()
    machine.run_errors['fast'] = error
    wait_until(
        lambda: (
            all(robot.detectors[name].diagnostics.counters.get('detect errors', 0) for name in PICTURES)
            or all(int(robot.rows(name)['back end restarts']) for name in PICTURES)
        ),
        meanwhile=robot.send,
    )
    machine.run_errors.clear()
    robot.answered()
    assert open_models(robot.host.shared(ModelPool)) == 1
    assert {robot.rows(name)['back end'] for name in PICTURES} == {'the fake fast'}


def test_another_setting_is_another_model_and_a_word(machine, robot):
    robot.start(precision='fp16')
    assert machine.log == ['open fast', 'open fast']
    robot.answered()
    assert robot.rows('ir')['model shared with'] == 'nobody; /robot/eo/eo_detector has another `precision`'


def test_who_does_not_want_to_share_has_its_own(machine, robot):
    robot.start(share_model=False)
    assert machine.log == ['open fast', 'open fast']
    robot.answered()
    assert robot.rows('ir')['model shared with'] == 'nobody: `share_model` is false'
    assert robot.rows('eo')['model shared with'] == 'nobody'
