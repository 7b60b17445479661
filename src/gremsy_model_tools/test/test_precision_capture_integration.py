# SPDX-License-Identifier: Apache-2.0
"""The real capture tool in a process of its own, and this process as the camera."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from gremsy_common.claims import isolated
from gremsy_model_tools.frames.frame_source import open_source

pytestmark = pytest.mark.integration

ISOLATED = isolated(int(os.environ['ROS_DOMAIN_ID']))


def start(*parameters):
    arguments = [each for parameter in parameters for each in ('-p', parameter)]
    command = [sys.executable, '-m', 'gremsy_model_tools.frames.capture_frames', '--ros-args', '-r', '__ns:=/eo']
    return subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, **ISOLATED},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def camera():
    """A function that publishes one image of a grey value on /eo/image_raw."""
    context = rclpy.context.Context()
    rclpy.init(context=context, domain_id=int(ISOLATED['ROS_DOMAIN_ID']))
    node = rclpy.create_node('camera', context=context)
    publisher = node.create_publisher(Image, '/eo/image_raw', qos_profile_sensor_data)

    def publish(grey, stamp_s):
        message = Image(height=48, width=64, encoding='bgr8', step=192)
        message.header.stamp.sec = stamp_s
        message.data.frombytes(np.full((48, 64, 3), grey, np.uint8).tobytes())
        publisher.publish(message)

    yield publish
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_it_stores_frames_that_differ_and_ends_by_itself(tmp_path, camera):
    folder = tmp_path / 'frames'
    process = start(f'folder:={folder}', 'count:=3')
    deadline = time.monotonic() + 60
    step = 0
    while process.poll() is None and time.monotonic() < deadline:
        # Each grey value ten times over: only one of the ten is new.
        camera(step // 10 * 20 % 240, step)
        step += 1
        time.sleep(0.05)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert 'Traceback' not in said
    assert '3/3: ' in said
    greys = [int(frame.image[0, 0, 0]) for frame in open_source(folder).read((0, 1, 2))]
    assert len(set(greys)) == 3 == len(list(folder.iterdir()))


def test_a_count_out_of_range_is_refused_in_a_sentence(tmp_path):
    process = start(f'folder:={tmp_path / "frames"}', 'count:=0')
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert 'count' in said and 'Traceback' not in said
    assert not (tmp_path / 'frames').exists()
