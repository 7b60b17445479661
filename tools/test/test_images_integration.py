# SPDX-License-Identifier: Apache-2.0
"""The images, built for real and run: what is in them, how large they are, and that the suite works in them.

The robot's is PLATFORM=debian, the same stages on Debian 12 with ROS 2 from PyPI's wheels; what NVIDIA's base and ROS's
own packages add is told in docker/README.md.
"""

import json
import time
import urllib.request

import pytest

from gremsy_camera.trial.trial_camera import free_port
from tools.test.image_builder import BASE, REPOSITORY, SIM

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

ROBOT = 'gremsy-vision:local'
PATIENCE_S = 120.0
KEY = 'key-of-the-image-tests'
MB = 10**6


@pytest.fixture(scope='module')
def sim(builder, sim_image):
    with builder.container(sim_image) as container:
        yield container


@pytest.fixture(scope='module')
def robot(builder, sim_image):
    builder.build(
        'docker/Dockerfile', ROBOT, target='runtime', PLATFORM='debian', DEBIAN_IMAGE=BASE, SIM_IMAGE=sim_image
    )
    with builder.container(ROBOT) as container:
        yield container


def get(url):
    request = urllib.request.Request(url, headers={'Authorization': f'Bearer {KEY}'})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5.0) as answer:
        return answer.read()


def until(true, process):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert process.status() is None and time.monotonic() < deadline, process.last_words()
        time.sleep(0.5)


def answers(url):
    try:
        get(url)
    except OSError:
        return False
    return True


def in_image(builder, container, *names):
    """Which of these programs or modules are there."""
    ask = 'for each in "$@"; do command -v "$each"; done; true'
    return builder.run(container, 'sh', '-c', ask, 'sh', *names).stdout.split()


def test_the_simulations_image_is_small_clean_and_nobody_is_root_in_it(builder, sim):
    layers = builder.layers(SIM)
    print([round(layer.compressed / MB) for layer in layers], [round(layer.unpacked / MB) for layer in layers])
    assert sum(layer.unpacked for layer in layers) <= 900 * MB
    settings = builder.configuration(SIM)
    assert settings['User'] == '1000:1000'
    assert settings['Healthcheck']['Test'][0] == 'CMD'
    assert builder.run(sim, 'id', '-u').stdout.strip() == '1000'
    assert in_image(builder, sim, 'gcc', 'g++', 'cc', 'c++', 'cmake', 'git', 'node') == []
    looked_for = [
        '(',
        '-name',
        '.git',
        '-o',
        '-name',
        '.env*',
        '-o',
        '-name',
        'node_modules',
        '-o',
        '-name',
        '*.pem',
        ')',
    ]
    looked_for += ['!', '-name', '.env.example', '-not', '-path', '*/site-packages/*']
    assert builder.run(sim, 'find', '/opt/gremsy', '/home', *looked_for).stdout == ''
    assert builder.run(sim, 'sh', '-c', 'touch /opt/gremsy/x', check=False).returncode != 0


def test_the_demo_runs_in_it(builder, sim):
    done = builder.run(sim, './gremsy', 'demo', '--headless', '--duration', '20', '--report', '/tmp/report')
    summary = json.loads(builder.run(sim, 'cat', '/tmp/report/summary.json').stdout)
    assert summary['lock_count'] >= 1, done.stdout[-2000:]


def test_the_demos_page_is_seen_from_outside(builder, sim):
    with builder.running(sim, './gremsy', 'demo', '--duration', '0', '--report', '/tmp/page') as demo:
        until(lambda: any('http://' in line for line in demo.said), demo)
        (address,) = {word.strip('.,') for line in demo.said for word in line.split() if word.startswith('http://')}
        until(lambda: answers(f'{address.rstrip("/")}/health'), demo)
        assert b'<html' in get(address)


def test_the_suites_tests_run_in_it(builder, sim):
    chosen = ['src/gremsy_tracker', 'src/gremsy_gimbal_driver/test/test_geometry.py', 'src/gremsy_web']
    chosen = [each for each in chosen if (REPOSITORY / each).exists()]
    options = ['-q', '-o', 'cache_dir=/tmp/pytest_cache', '-m', 'not slow and not integration']
    environment = {'HYPOTHESIS_STORAGE_DIRECTORY': '/tmp/hypothesis'}
    done = builder.run(
        sim, './gremsy', 'exec', 'python', '-m', 'pytest', *options, *chosen, environment=environment, timeout_s=1200.0
    )
    assert ' passed' in done.stdout


def test_the_robots_own_layers_are_within_their_budget(builder, robot):
    own = builder.layers(ROBOT)[len(builder.layers(BASE)) :]
    print([round(layer.compressed / MB) for layer in own], [round(layer.unpacked / MB) for layer in own])
    assert sum(layer.compressed for layer in own) <= 350 * MB
    assert sum(layer.unpacked for layer in own) <= 900 * MB


def test_what_is_in_the_robots_image(builder, robot):
    settings = builder.configuration(ROBOT)
    assert settings['User'] == '1000:1000'
    assert settings['Cmd'][:2] == ['ros2', 'launch']
    assert settings['Healthcheck']['Test'][0] == 'CMD'
    assert builder.run(robot, 'id', '-u').stdout.strip() == '1000'
    assert in_image(builder, robot, 'gcc', 'g++', 'cc', 'c++', 'make', 'pip3', 'git') == []
    find = 'import importlib.util, sys; print([m for m in sys.argv[1:] if importlib.util.find_spec(m)])'
    asked = [
        'torch',
        'av',
        'aiortc',
        'pip',
        'colcon_core',
        'tensorrt_lean_bindings',
        'onnxruntime',
        'cv2',
        'gi',
        'rclpy',
    ]
    there = builder.run(robot, '/entrypoint', 'python3', '-c', find, *asked).stdout.strip().splitlines()[-1]
    assert there == "['tensorrt_lean_bindings', 'onnxruntime', 'cv2', 'gi', 'rclpy']"
    names = ['(', '-name', '.env*', '-o', '-name', '*.pem', '-o', '-name', 'test', ')']
    assert builder.run(robot, 'find', '/opt/gremsy', *names, user='root').stdout == ''
    caches = ['/root/.cache', '/var/lib/apt/lists', '/var/cache/apt/archives', '/image', '/packages']
    left = builder.run(robot, 'find', *caches, '-type', 'f', user='root', check=False).stdout.splitlines()
    # apt's own locks are empty.
    assert [line for line in left if line.startswith('/') and not line.endswith(('/lock', 'directory'))] == []


def test_the_robots_image_streams_without_pyav(builder, robot):
    """Its encoder is one of GStreamer's, tried with a picture."""
    choose = (
        'from gremsy_camera.streaming.encoder_choice import choose_encoder; '
        'from gremsy_camera.streaming.video_encoder import VideoEncoderSettings; '
        "print(choose_encoder('auto', VideoEncoderSettings(640, 480, 30, 2000, 30)).encoder)"
    )
    said = builder.run(robot, '/entrypoint', 'python3', '-c', choose).stdout.split()
    assert said[-1] in ('x264enc', 'openh264enc')


def test_the_robots_image_starts_the_suite_and_is_healthy(builder, robot):
    """On a simulated payload; wheels have no `ros2 launch`, so by the suite's own supervisor."""
    port = free_port()
    environment = {
        'PORT': str(port), 'GREMSY_WEB_KEY': KEY, 'ROS_DOMAIN_ID': '88', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': '/tmp/ros',
    }  # fmt: skip
    command = ['/entrypoint', 'python3', '-m', 'gremsy_bringup.run', 'sim:=true', 'web:=true', 'video:=mediamtx']
    # What the simulated camera looks at; the footage of the demo is not in this image.
    wall = (
        "import cv2, numpy; cv2.imwrite('/tmp/wall.png', numpy.random.default_rng(0).integers(0, 255, (576, 768, 3)))"
    )
    builder.run(robot, '/entrypoint', 'python3', '-c', wall)
    environment['EO_SOURCE'] = 'sim:/tmp/wall.png'
    check = builder.configuration(ROBOT)['Healthcheck']['Test'][1:]
    with builder.running(robot, *command, 'params_file:=/tmp/robot.yaml', environment=environment) as suite:
        until(lambda: builder.run(robot, *check, environment=environment, check=False).returncode == 0, suite)
        status = json.loads(get(f'http://127.0.0.1:{port}/api/status'))
        assert status['robot'] == 'robot'
        assert b'<html' in get(f'http://127.0.0.1:{port}/')
