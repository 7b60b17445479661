# SPDX-License-Identifier: Apache-2.0
"""Launches of a part of the suite, in namespaces of any depth or in none, seen by a plain node of somebody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from sensor_msgs.msg import Image, Imu
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray

from gremsy_bringup.describe.starting import Starting
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import process_specs
from gremsy_bringup.supervise.supervisor import Supervisor

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0


class Suite:
    """Started as `./gremsy run` does it; `said` is what its processes say."""

    def __init__(self, **arguments: Any) -> None:
        self.said: list[str] = []
        self._starting = Starting(SuiteArguments(**arguments))

    def __enter__(self) -> Suite:
        self._starting.open()
        specs = process_specs(self._starting.description(), self._starting.folder)
        self.supervisor = Supervisor(specs, lambda record: self.said.extend(record.lines()), lambda _: None)
        self.supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()
        self._starting.close()


class Other:
    """Somebody else's node."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('somebody_else')

    def wait(self, suite: Suite, condition: Callable[[], object], meanwhile: Callable[[], object] = int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, suite.said
            assert suite.supervisor.failure is None, suite.supervisor.failure
            meanwhile()
            rclpy.spin_once(self.node, timeout_sec=0.05)


@pytest.fixture
def other() -> Iterator[Other]:
    rclpy.init()
    made = Other()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


def test_a_detector_alone_takes_the_images_of_somebody_elses_camera(other: Other) -> None:
    images = other.node.create_publisher(Image, '/robot/eo/image_raw', 5)
    found: list[Detection2DArray] = []
    other.node.create_subscription(Detection2DArray, '/robot/eo/detections', found.append, 5)
    sent: list[int] = []

    def send() -> None:
        picture = np.full((240, 320, 3), 120, np.uint8)
        message = Image(height=240, width=320, encoding='bgr8', step=960, data=picture.tobytes())
        message.header.stamp, message.header.frame_id = other.node.get_clock().now().to_msg(), 'their_optical_frame'
        sent.append(message.header.stamp.nanosec)
        images.publish(message)

    with Suite(cameras='eo:detector', gimbal=False) as suite:
        other.wait(suite, lambda: len(found) >= 3, send)
        names = [name for name, where in other.node.get_node_names_and_namespaces() if where.startswith('/robot')]
    assert names == ['detector']
    assert {each.header.stamp.nanosec for each in found} <= set(sent)
    assert {each.header.frame_id for each in found} == {'their_optical_frame'}


def test_the_driver_alone_in_no_namespace(other: Other) -> None:
    attitudes: list[Imu] = []
    control: list[str] = []
    other.node.create_subscription(Imu, '/gimbal/attitude', attitudes.append, 5)
    other.node.create_subscription(String, '/gimbal/control', lambda message: control.append(message.data), 5)
    with Suite(namespace='', cameras='', sim=True) as suite:
        other.wait(suite, lambda: attitudes)
        # Of this suite, which has no namespace: nodes of a test before may still be in the graph.
        other.wait(
            suite,
            lambda: (
                {
                    (name, namespace)
                    for name, namespace in other.node.get_node_names_and_namespaces()
                    if namespace in ('/', '/eo', '/ir') and name != 'somebody_else'
                }
                == {('gimbal_driver', '/')}
            ),
        )
    assert attitudes[0].header.frame_id == 'gimbal_camera'


def test_a_camera_in_no_namespace_has_the_same_names_without_the_robots(other: Other, tmp_path: Path) -> None:
    """One loop, whose process has no namespace either."""
    own = tmp_path / 'own.yaml'
    own.write_text(yaml.safe_dump({'/**/eo/camera': {'ros__parameters': {'rate_hz': 5.0}}}))
    pictures: list[Image] = []
    other.node.create_subscription(Image, '/eo/image_raw', pictures.append, 1)
    with Suite(namespace='', cameras='eo:camera ir:camera', one_loop=True, sim=True, params_file=str(own)) as suite:
        other.wait(suite, lambda: pictures)
        expected = {'/ir/image_raw', '/eo/camera_info', '/gimbal/attitude'}
        other.wait(suite, lambda: expected <= {name for name, _ in other.node.get_topic_names_and_types()})
    assert pictures[0].header.frame_id == 'eo_optical_frame'


def test_a_camera_that_has_no_source_ends_everything_with_its_name() -> None:
    with Suite(namespace='sourceless', cameras='eo:camera', gimbal=False) as suite:
        assert suite.supervisor.wait(PATIENCE_S)
        assert suite.supervisor.failure == (
            'Parameter `source` of /sourceless/eo/camera is empty: say where its video comes from in the parameter '
            'file (params_file), or start with sim:=true for the simulated payload.'
        )
        assert suite.supervisor.states()['loop'].exit_status == 2
