# SPDX-License-Identifier: Apache-2.0
"""An EO and an IR camera on one gimbal, beside a second robot: the whole suite in processes, simulated payloads.

The detectors are in this test: they know from the payload's truth where a person at a fixed bearing is in each picture,
which no network on these cores would tell as soon.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String
from std_srvs.srv import SetBool
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2DArray

from gremsy_bringup.describe.rviz_view import rviz_view
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import PayloadStart, describe, process_specs
from gremsy_bringup.supervise.free_ports import free_udp_port
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent, Supervisor
from gremsy_common.geometry import matrix_from_quaternion, quaternion_from_bearing
from gremsy_common.ros.messages.camera_info_messages import camera_from_info
from gremsy_common.ros.messages.detection_messages import detections_message
from gremsy_common.types.detections import Detections
from gremsy_gimbal_sim.truth_ring import TruthRingReader, TruthUnavailable, ring_path
from gremsy_tracker.pointing.bearings import pixels_of_bearings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PATIENCE_S = 60.0
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
# What RViz's displays subscribe to: https://github.com/ros2/rviz, rviz_default_plugins.
SHOWN_TYPES = {
    'rviz_default_plugins/Image': 'sensor_msgs/msg/Image',
    'rviz_default_plugins/MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'rviz_default_plugins/PoseWithCovariance': 'geometry_msgs/msg/PoseWithCovarianceStamped',
}


@pytest.fixture(scope='module')
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of grey: what is in the pictures does not matter."""
    path = tmp_path_factory.mktemp('footage') / 'grey.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (384, 288))
    assert writer.isOpened()
    for _ in range(10):
        writer.write(np.full((288, 384, 3), 90, np.uint8))
    writer.release()
    return path


class Robot:
    """One robot's processes, as `./gremsy run` starts them."""

    def __init__(self, folder: Path, footage: Path, namespace: str, cameras: str) -> None:
        folder.mkdir()
        self.namespace = namespace
        self.events: list[ProcessEvent] = []
        self.said: list[str] = []
        payload = PayloadStart(free_udp_port(), f'test-{os.getpid()}-{secrets.token_hex(4)}')
        own = folder / 'own.yaml'
        values = {'source': f'sim:{footage}', 'rate_hz': 15.0}
        own.write_text(yaml.safe_dump({'/**/camera': {'ros__parameters': values}}))
        arguments = SuiteArguments(namespace=namespace, cameras=cameras, params_file=str(own), sim=True)
        self.description = describe(arguments, payload=payload)
        self.supervisor = Supervisor(
            process_specs(self.description, folder),
            lambda record: self.said.extend(record.lines()),
            self.events.append,
            [ring_path(payload.truth_ring)],
        )
        self._truth = TruthRingReader(payload.truth_ring)

    def start(self) -> None:
        self.supervisor.start()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._truth.open()
            except TruthUnavailable:
                assert time.monotonic() < deadline, self.said
                time.sleep(0.05)

    def stop(self) -> None:
        self.supervisor.stop()
        self._truth.close()

    @property
    def azimuth(self) -> float:
        """Where its camera truly looks, rad, left +."""
        newest = self._truth.newest()
        assert newest is not None
        return newest.azimuth_rad

    def level_from_camera(self, stamp_ns: int) -> Any:
        newest = self._truth.newest()
        assert newest is not None
        true = newest.at(stamp_ns)
        return matrix_from_quaternion(quaternion_from_bearing(true.azimuth_rad, true.tilt_rad))


class Watcher:
    """A plain node beside them, which also detects: a person at a bearing of its own for each camera."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('watcher')
        self.rows: dict[str, dict[str, str]] = {}
        self.control: dict[str, Any] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.frames: set[str] = set()
        self.counts: dict[str, int] = {}
        self.persons: dict[str, float] = {}
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnosed, 50)
        self.node.create_subscription(TFMessage, '/tf', self._transformed, 50)

    def detect(self, robot: Robot, camera: str, azimuth: float) -> None:
        where = f'/{robot.namespace}/{camera}'
        self.persons[where] = azimuth
        boxes = self.node.create_publisher(Detection2DArray, f'{where}/detections/candidates', 5)

        def look(info: CameraInfo) -> None:
            stamped = camera_from_info(info)
            place = np.array([[self.persons[where], 0.0]])
            (x, y) = pixels_of_bearings(place, stamped.model, robot.level_from_camera(stamped.stamp_ns))[0]
            seen = Detections(
                stamped.stamp_ns,
                info.header.frame_id,
                np.array([[x - 20, y - 50, x + 20, y + 50]]),
                np.array([0.9]),
                np.array(['person']),
            )
            boxes.publish(detections_message(seen))

        self.node.create_subscription(CameraInfo, f'{where}/camera_info', look, 5)
        self.count(Detection2DArray, f'{where}/tracks')

        def stands(message: String) -> None:
            self.states[where] = json.loads(message.data)

        self.node.create_subscription(String, f'{where}/target/state', stands, 5)

    def count(self, kind: type[Any], topic: str) -> None:
        self.counts[topic] = 0

        def came(_: Any) -> None:
            self.counts[topic] += 1

        self.node.create_subscription(kind, topic, came, 5)

    def hear_control(self, robot: Robot) -> None:
        def told(message: String) -> None:
            self.control = json.loads(message.data)

        self.node.create_subscription(String, f'/{robot.namespace}/gimbal/control', told, LATCHED)

    def wait(self, condition: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.control, self.rows)
            meanwhile()
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def spin(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, meanwhile)

    def call(self, kind: type[Any], name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        self.wait(client.service_is_ready)
        future = client.call_async(request)
        self.wait(future.done)
        self.node.destroy_client(client)
        return future.result()

    def arm(self, robot: Robot) -> None:
        """Telemetry must be there first."""
        self.wait(
            lambda: self.call(SetBool, f'/{robot.namespace}/gimbal_driver/arm', SetBool.Request(data=True)).success
        )

    def hand_over(self, robot: Robot, camera: str) -> None:
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=camera)
        request = SetParameters.Request(parameters=[Parameter(name='setpoint_source', value=value)])
        (result,) = self.call(SetParameters, f'/{robot.namespace}/gimbal_driver/set_parameters', request).results
        assert result.successful, result.reason

    def used(self, robot: Robot, camera: str) -> str:
        """What that camera's tracker says of its setpoints."""
        return self.rows.get(f'/{robot.namespace}/{camera}/tracker', {}).get('setpoints are used', '')

    def _diagnosed(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.rows[status.name] = {each.key: each.value for each in status.values}

    def _transformed(self, message: TFMessage) -> None:
        self.frames.update(each.child_frame_id for each in message.transforms)


@pytest.fixture(scope='module')
def watcher() -> Iterator[Watcher]:
    rclpy.init()
    made = Watcher()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


@pytest.fixture(scope='module')
def pair(watcher: Watcher, tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Iterator[Robot]:
    """Two cameras that track. The gimbal's field is 40 degrees wide: both persons are in view from either."""
    folder = tmp_path_factory.mktemp('robots')
    robot = Robot(folder / 'pair', footage, 'fleet/pair', 'eo:camera+tracker ir:camera+tracker')
    watcher.hear_control(robot)
    watcher.detect(robot, 'eo', 0.12)
    watcher.detect(robot, 'ir', -0.12)
    robot.start()
    yield robot
    robot.stop()


@pytest.fixture(scope='module')
def lone(pair: Robot, watcher: Watcher, tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Iterator[Robot]:
    """A second robot on this machine, in the same domain."""
    robot = Robot(tmp_path_factory.mktemp('robots') / 'lone', footage, 'fleet/lone', 'eo:camera')
    robot.start()
    yield robot
    robot.stop()


def near(azimuth: float) -> Any:
    return pytest.approx(azimuth, abs=0.02)


def test_the_gimbal_follows_the_first_cameras_tracker_and_the_other_knows_that_it_does_not(
    pair: Robot, watcher: Watcher
) -> None:
    watcher.arm(pair)
    watcher.wait(lambda: pair.azimuth == near(0.12))
    watcher.wait(lambda: watcher.used(pair, 'eo') == 'yes')
    watcher.wait(
        lambda: watcher.used(pair, 'ir') == 'no: the gimbal driver takes those on /fleet/pair/eo/gimbal/setpoint'
    )
    watcher.wait(lambda: watcher.control['holder'] == 'tracker')
    watcher.wait(
        lambda: (
            watcher.states['/fleet/pair/ir']['unused_because']
            == 'the gimbal driver takes those on /fleet/pair/eo/gimbal/setpoint'
        )
    )
    assert watcher.states['/fleet/pair/eo']['unused_because'] == ''


def test_the_gimbal_is_handed_over_and_back_while_both_trackers_go_on(pair: Robot, watcher: Watcher) -> None:
    watcher.wait(lambda: pair.azimuth == near(0.12))
    watcher.hand_over(pair, 'ir')
    watcher.wait(lambda: pair.azimuth == near(-0.12))
    watcher.wait(
        lambda: watcher.used(pair, 'eo') == 'no: the gimbal driver takes those on /fleet/pair/ir/gimbal/setpoint'
    )
    watcher.wait(lambda: watcher.used(pair, 'ir') == 'yes')
    assert watcher.control['setpoint_topic'] == '/fleet/pair/ir/gimbal/setpoint'
    # The one that lost the gimbal has switched nothing off: given it back, it follows at once.
    assert watcher.rows['/fleet/pair/eo/tracker']['enabled'] == 'True'
    watcher.hand_over(pair, 'eo')
    watcher.wait(lambda: pair.azimuth == near(0.12))


def test_every_topic_of_the_view_for_rviz_is_there_in_its_type(pair: Robot, watcher: Watcher) -> None:
    displays = [each for each in rviz_view(pair.description)['Visualization Manager']['Displays'] if 'Topic' in each]
    assert [each['Name'] for each in displays] == ['eo', 'ir', 'eo bearings', 'ir bearings', 'eo target', 'ir target']
    for display in displays:
        topic, kind = display['Topic']['Value'], SHOWN_TYPES[display['Class']]
        watcher.wait(lambda topic=topic: watcher.node.count_publishers(topic))
        assert dict(watcher.node.get_topic_names_and_types())[topic] == [kind]
        # Quality of service: RViz gets what it asks for from what is offered.
        (offered,) = watcher.node.get_publishers_info_by_topic(topic)
        if display['Topic']['Reliability Policy'] == 'Reliable':
            assert offered.qos_profile.reliability.name == 'RELIABLE'
    fixed = rviz_view(pair.description)['Visualization Manager']['Global Options']['Fixed Frame']
    assert fixed == 'fleet/pair/gimbal_level'
    watcher.wait(lambda: 'fleet/pair/gimbal_camera' in watcher.frames)


def test_frames_of_both_cameras_hang_on_the_gimbal(pair: Robot, watcher: Watcher) -> None:
    wanted = {'fleet/pair/eo_optical_frame', 'fleet/pair/ir_optical_frame'}
    watcher.wait(lambda: wanted <= watcher.frames)


def test_two_robots_on_one_machine_do_not_meet(pair: Robot, lone: Robot, watcher: Watcher) -> None:
    watcher.arm(lone)
    rates = watcher.node.create_publisher(TwistStamped, '/fleet/lone/gimbal_driver/cmd/rate', 10)

    def turn() -> None:
        message = TwistStamped()
        message.header.stamp = watcher.node.get_clock().now().to_msg()
        message.header.frame_id = 'fleet/lone/gimbal_level'
        message.twist.angular.z = -0.5
        rates.publish(message)

    before = pair.azimuth
    watcher.wait(lambda: lone.azimuth < -0.4, turn)
    # The one that follows its own person stays there, and the one that was turned has not seen it.
    assert pair.azimuth == near(before)
    watcher.wait(lambda: 'fleet/lone/eo_optical_frame' in watcher.frames)
    expected = {'/fleet/pair': 1, '/fleet/pair/eo': 2, '/fleet/pair/ir': 2, '/fleet/lone': 1, '/fleet/lone/eo': 1}

    def nodes() -> dict[str, int]:
        namespaces = [where for _, where in watcher.node.get_node_names_and_namespaces()]
        return {where: namespaces.count(where) for where in expected}

    watcher.wait(lambda: nodes() == expected)
    watcher.node.destroy_publisher(rates)


def test_a_camera_that_dies_leaves_the_other_the_gimbal_and_comes_back(pair: Robot, watcher: Watcher) -> None:
    watcher.hand_over(pair, 'ir')
    watcher.wait(lambda: pair.azimuth == near(-0.12))
    pid = pair.supervisor.states()['loop_eo'].pid
    assert pid is not None
    watcher.wait(lambda: watcher.counts['/fleet/pair/eo/tracks'] > 0)
    os.kill(pid, signal.SIGKILL)
    # The other one's person walks on, and is followed.
    watcher.persons['/fleet/pair/ir'] = -0.02
    watcher.wait(lambda: pair.azimuth == near(-0.02))
    watcher.wait(lambda: pair.supervisor.states()['loop_eo'].restarts == 1)
    watcher.counts['/fleet/pair/eo/tracks'] = 0
    watcher.wait(lambda: watcher.counts['/fleet/pair/eo/tracks'] > 5)
    assert [event.name for event in pair.events if event.kind is EventKind.RESPAWNING] == ['loop_eo']
    assert pair.supervisor.states()['loop_ir'].restarts == 0
