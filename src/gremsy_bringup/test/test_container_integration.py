# SPDX-License-Identifier: Apache-2.0
"""The real loop container, seen from a second process: a plain rclpy subscriber that knows nothing of the suite."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

pytestmark = pytest.mark.integration

CONTAINER = [sys.executable, '-m', 'gremsy_bringup.container']
NAMES = ['--ros-args', '-r', '__ns:=/it/eo']

WATCHER = textwrap.dedent("""
    import json, sys, time
    import rclpy
    from rclpy.qos import QoSProfile, QoSDurabilityPolicy, QoSReliabilityPolicy
    from sensor_msgs.msg import CameraInfo, Image
    from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo
    from diagnostic_msgs.msg import DiagnosticArray

    rclpy.init()
    node = rclpy.create_node('watcher', namespace='/it/eo')
    best_effort = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    seen = {name: [] for name in ('image', 'info', 'detections', 'tracks', 'labels', 'vision', 'diagnostics')}
    stamp = lambda message: message.header.stamp.sec * 10**9 + message.header.stamp.nanosec

    def image(message):
        seen['image'].append([stamp(message), message.width, message.height, message.encoding, message.header.frame_id])

    def detections(message):
        seen['detections'].append([stamp(message), len(message.detections), message.header.frame_id])

    def diagnostics(message):
        for status in message.status:
            links = {value.key: value.value for value in status.values}.get('local links', '')
            seen['diagnostics'].append([status.name, status.message, links])

    node.create_subscription(Image, 'image_raw', image, best_effort)
    node.create_subscription(CameraInfo, 'camera_info', lambda m: seen['info'].append([stamp(m), m.k[0]]), 10)
    node.create_subscription(Detection2DArray, 'detections', detections, 10)
    node.create_subscription(
        Detection2DArray, 'tracks', lambda m: seen['tracks'].append([stamp(m), len(m.detections)]), 10
    )
    node.create_subscription(
        LabelInfo, 'label_info', lambda m: seen['labels'].append([c.class_name for c in m.class_map]), latched
    )
    node.create_subscription(VisionInfo, 'vision_info', lambda m: seen['vision'].append(m.method), latched)
    node.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, 10)
    end = time.monotonic() + 40
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
        if all(len(rows) >= 1 for rows in seen.values()) and len(seen['detections']) >= 10 and any(
            '/detections/candidates ->' in links for _, _, links in seen['diagnostics']
        ):
            break
    print(json.dumps(seen), flush=True)
    node.destroy_node()
    rclpy.shutdown()
""")


@pytest.fixture
def grey_video(tmp_path):
    path = tmp_path / 'grey.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 15.0, (320, 240))
    for _ in range(30):
        writer.write(np.full((240, 320, 3), 120, np.uint8))
    writer.release()
    return path


def start(*arguments, components=('camera', 'detector', 'tracker')):
    return subprocess.Popen(
        [*CONTAINER, '--components', *components, *NAMES, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    )


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.communicate(timeout=20)[0]


def segments_of(folder):
    """What a process (a folder of /proc) has mapped of Fast DDS's shared memory."""
    try:
        words = (folder / 'maps').read_text().split()
    except OSError:
        # It has ended, or is another user's.
        return set()
    return {Path(word) for word in words if word.startswith('/dev/shm/fastrtps')}


def shared_memory():
    return set(Path('/dev/shm').glob('fastrtps*'))


def left_behind(segments):
    """Those that are still there and that no other process, of a run beside this one, has mapped as well."""
    mapped = set().union(*(segments_of(folder) for folder in Path('/proc').glob('[0-9]*')))
    return [path for path in segments if path.exists() and path not in mapped]


def test_a_second_process_sees_frames_results_and_latched_labels(grey_video):
    # A process that was killed leaves its port's segment to the next one on that port.
    before = shared_memory()
    container = start('-p', f'source:={grey_video}', '-p', 'at_end:=loop', '-p', 'horizontal_field_deg:=60')
    try:
        watched = subprocess.run(
            [sys.executable, '-c', WATCHER], stdout=subprocess.PIPE, text=True, timeout=90, check=True
        )
        segments = segments_of(Path(f'/proc/{container.pid}'))
    finally:
        output = stop(container)
    assert container.returncode == 0, output
    assert 'terminate called' not in output
    seen = json.loads(watched.stdout)
    stamps = [row[0] for row in seen['image']]
    assert seen['image'][0][1:4] == [320, 240, 'bgr8']
    assert stamps == sorted(stamps)
    assert seen['info'][0][1] > 0
    # Nothing is there to be seen, and that is said for every image that was looked at, under the image's own header.
    assert all(count == 0 for _, count, _ in seen['detections'])
    assert {stamp for stamp, *_ in seen['detections'][1:-1]} & set(stamps)
    assert {frame for *_, frame in seen['detections']} == {seen['image'][0][4]}
    assert seen['tracks'][0][1] == 0
    assert seen['labels'][0][0] == 'person'
    assert len(seen['labels'][0]) == 80
    assert len(seen['vision']) == 1
    links = ' '.join(row[2] for row in seen['diagnostics'])
    assert '/it/eo/detections/candidates -> 1' in links
    assert segments and left_behind(segments - before) == []


def test_a_container_that_is_told_to_stop_again_and_again_ends_in_order(grey_video):
    process = start('-p', f'source:={grey_video}', components=['eo/camera', 'ir/camera'])
    assert wait_for_lock(process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.003)
    assert process.returncode == 0, process.communicate()[0]


def test_a_second_container_on_the_same_names_ends_with_one_sentence(grey_video):
    first = start('-p', f'source:={grey_video}', '-p', 'at_end:=loop', components=('camera',))
    try:
        assert wait_for_lock(first)
        second = start('-p', f'source:={grey_video}', components=('camera',))
        said = second.communicate(timeout=30)[0]
    finally:
        output = stop(first, signal.SIGINT)
    assert second.returncode == 2
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith('A node named /it/eo/camera already runs on this machine in ROS domain ')
    assert lines[0].endswith('stop it, or start this one in another namespace.')
    assert first.returncode == 0, output


def wait_for_lock(process):
    """True once the first container's camera is up: it says nothing, but its diagnostics can be heard."""
    code = textwrap.dedent("""
        import sys, time, rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        rclpy.init()
        node = rclpy.create_node('waiter')
        heard = []
        node.create_subscription(DiagnosticArray, '/diagnostics', heard.append, 10)
        end = time.monotonic() + 30
        while not heard and time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.1)
        node.destroy_node()
        rclpy.shutdown()
        sys.exit(0 if heard else 1)
    """)
    return subprocess.run([sys.executable, '-c', code], timeout=60).returncode == 0 and process.poll() is None


@pytest.mark.parametrize(
    ('components', 'arguments', 'sentence'),
    [
        (
            ['camera', 'teapot'],
            [],
            "There is no component 'teapot': installed are camera, detector, foreign_logs, gimbal_driver, recorder, "
            'stream, tracker, web.',
        ),
        (['camera', 'camera'], [], "Component 'camera' is named twice: name each once."),
        (['eo/camera', 'eo/camera'], [], "Component 'eo/camera' is named twice: name each once."),
        (
            ['eo/teapot'],
            [],
            "There is no component 'teapot': installed are camera, detector, foreign_logs, gimbal_driver, recorder, "
            'stream, tracker, web.',
        ),
        (
            ['/eo/camera'],
            [],
            "Component '/eo/camera' is in no namespace of this process: write it as eo/camera, with letters, digits "
            'and _.',
        ),
        (
            ['2nd/camera'],
            [],
            "Component '2nd/camera' is in no namespace of this process: write it as eo/camera, with letters, digits "
            'and _.',
        ),
        (
            ['detector'],
            ['-p', 'confidence:=1.5'],
            '/it/eo/detector: Parameter `confidence` is 1.5, out of its range: use 0 .. 1.',
        ),
    ],
)
def test_what_cannot_start_is_one_sentence_and_status_two(components, arguments, sentence):
    process = start(*arguments, components=components)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 2
    assert said.strip() == sentence


def test_a_camera_without_a_source_ends_the_process_and_names_the_camera():
    process = start(components=['ir/camera'])
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 2
    assert said.strip() == (
        'Parameter `source` of /it/eo/ir/camera is empty: say where its video comes from in the parameter file '
        '(params_file), or start with sim:=true for the simulated payload.'
    )
