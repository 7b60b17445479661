# SPDX-License-Identifier: Apache-2.0
"""The recorder as a process of its own: a film has one size, and what does not fit it is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0


def picture(width: int, height: int, stamp_ns: int) -> Image:
    message = Image(width=width, height=height, step=3 * width, encoding='bgr8')
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    message.data.frombytes(bytes(3 * width * height))
    return message


def test_pictures_of_another_size_are_counted_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    command = [sys.executable, '-m', 'gremsy_bringup.film.recorder_node', '--ros-args', '-r', '__ns:=/film']
    process = subprocess.Popen(
        [*command, '-p', f'path:={tmp_path}/film.mp4'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('user', namespace='/film', context=context)
    rows: dict[str, str] = {}

    def keep(array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name == '/film/recorder':
                rows.update({each.key: each.value for each in status.values})

    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_subscription(DiagnosticArray, '/diagnostics', keep, 10)
    publisher = node.create_publisher(Image, 'overlay', qos_profile_sensor_data)
    stamp_ns = 1_000_000_000

    def send_until(size: tuple[int, int], key: str, least: int) -> None:
        nonlocal stamp_ns
        until_s = time.monotonic() + PATIENCE_S
        while int(rows.get(key, '0')) < least:
            assert time.monotonic() < until_s, rows
            stamp_ns += 33_000_000
            publisher.publish(picture(*size, stamp_ns))
            executor.spin_once(timeout_sec=0.03)

    try:
        send_until((64, 48), 'frames written', 1)
        send_until((32, 24), 'overlay: another size', 3)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_S)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    sentence = (
        'Pictures on /film/overlay have changed to 32x24 px and are left out of the film, which has one size: '
        'start the recorder again for a film of them.'
    )
    assert rows['last error'] == sentence
    assert said.count(sentence) == 1, said
