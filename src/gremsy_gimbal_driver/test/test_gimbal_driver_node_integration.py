# SPDX-License-Identifier: Apache-2.0
"""Node and payload in processes of their own, over UDP and over a pty; this process is the plain ROS 2 user."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage

from gremsy_common.claims import isolated
from gremsy_common.timing.trace import read_trace
from gremsy_gimbal_sim.truth_ring import TruthRingReader, ring_path

pytestmark = pytest.mark.integration

ISOLATED = isolated(int(os.environ['ROS_DOMAIN_ID']))
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


_started = []


@pytest.fixture(autouse=True)
def _leave_no_process():
    """A test that fails half-way must not leave a node behind that keeps the next one's name."""
    yield
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
            process.wait()


def start(*command):
    process = subprocess.Popen(
        [sys.executable, '-m', *command],
        env={**os.environ, **ISOLATED, 'PYTHONUNBUFFERED': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _started.append(process)
    return process


def start_node(link, *parameters):
    words = [each for parameter in (f'link:={link}', *parameters) for each in ('-p', parameter)]
    return start('gremsy_gimbal_driver.gimbal_driver_node', '--ros-args', '-r', '__ns:=/robot', *words)


def end(process, number=signal.SIGTERM):
    """What it said, once it has ended with status 0."""
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert 'terminate called' not in said
    assert 'Traceback' not in said
    return said


class Payload:
    """The simulated payload's process; what it truly does is read from its ring."""

    def __init__(self, kind, folder):
        self.ring = f'test-{os.getpid()}-{kind}'
        self.pty = str(folder / 'ttyGREMSY')
        plug = ('--udp', '127.0.0.1:0') if kind == 'udp' else ('--pty', self.pty)
        self.process = start('gremsy_gimbal_sim.sim_payload', *plug, '--truth-ring', self.ring)
        words = self.process.stdout.readline().split()
        while not self.process.stdout.readline().startswith('simulated payload ready'):
            assert self.process.poll() is None
        self.uri = f'udp://127.0.0.1:{words[-1]}' if kind == 'udp' else f'serial://{self.pty}'
        self.truth = TruthRingReader(self.ring)
        self.truth.open()

    @property
    def state(self):
        return self.truth.newest()

    def close(self):
        self.truth.close()
        end(self.process)
        assert not ring_path(self.ring).exists()


class User:
    """A plain node in the robot's namespace."""

    def __init__(self):
        self.node = rclpy.create_node('user', namespace='/robot')
        self.attitudes, self.joints, self.transforms, self.controls = [], [], [], []
        self.diagnostics = {}
        self.node.create_subscription(Imu, 'gimbal/attitude', self.attitudes.append, 10)
        self.node.create_subscription(JointState, 'joint_states', self.joints.append, 10)
        self.node.create_subscription(TFMessage, '/tf', self.transforms.append, 10)
        self.node.create_subscription(String, 'gimbal/control', self.controls.append, LATCHED)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self.keep_diagnostics, 10)
        self.setpoints = self.node.create_publisher(TwistStamped, 'gimbal/setpoint', 10)
        self.rates = self.node.create_publisher(TwistStamped, 'gimbal_driver/cmd/rate', 10)
        self.arm = self.node.create_client(SetBool, 'gimbal_driver/arm')
        self.stop = self.node.create_client(Trigger, 'gimbal_driver/stop')
        self.home = self.node.create_client(Trigger, 'gimbal_driver/home')

    def keep_diagnostics(self, array):
        for status in array.status:
            self.diagnostics[status.name] = {each.key: each.value for each in status.values}

    def wait_until(self, true, timeout_s=15.0):
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, 'it did not come true in time'
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def spin(self, duration_s):
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def call(self, client, request):
        assert client.wait_for_service(timeout_sec=10.0)
        future = client.call_async(request)
        self.wait_until(future.done)
        return future.result()

    def send(self, publisher, azimuth, tilt, frame='robot/gimbal_level', stamp=None):
        message = TwistStamped()
        message.header.stamp = stamp or self.node.get_clock().now().to_msg()
        message.header.frame_id = frame
        message.twist.angular.z, message.twist.angular.y = azimuth, tilt
        publisher.publish(message)

    def send_until(self, true, publisher, azimuth, tilt, timeout_s=10.0):
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, 'it did not come true in time'
            self.send(publisher, azimuth, tilt)
            rclpy.spin_once(self.node, timeout_sec=0.02)


@pytest.fixture
def user():
    os.environ.update(ISOLATED)
    rclpy.init()
    made = User()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


@pytest.fixture(params=['udp', 'pty'])
def payload(request, tmp_path):
    made = Payload(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def udp_payload(tmp_path):
    made = Payload('udp', tmp_path)
    yield made
    made.close()


def children_of(process):
    found = []
    for each in Path('/proc').glob('[0-9]*'):
        try:
            parent = int((each / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
        if parent == process:
            found.append(int(each.name))
    return found


def test_armed_it_moves_the_way_it_is_asked_and_disarmed_it_does_not(payload, user, tmp_path):
    node = start_node(payload.uri, f'trace_dir:={tmp_path / "trace"}')
    user.wait_until(lambda: user.attitudes and user.joints and user.transforms and user.controls)

    # Disarmed, nothing moves, whoever asks.
    said = json.loads(user.controls[-1].data)
    assert (said['armed'], said['holder']) == (False, 'nobody')
    for publisher in (user.setpoints, user.rates):
        begun = time.monotonic()
        user.send_until(lambda begun=begun: time.monotonic() - begun > 0.5, publisher, 0.5, 0.3)
    assert payload.state.azimuth_rad == payload.state.tilt_rad == 0.0
    assert not user.call(user.home, Trigger.Request()).success

    # Armed, azimuth + is left and tilt + is down, in truth and in everything published.
    assert user.call(user.arm, SetBool.Request(data=True)).success
    user.send_until(lambda: payload.state.azimuth_rad > 0.3, user.setpoints, 0.6, 0.3)
    assert payload.state.tilt_rad > 0.1
    assert {json.loads(each.data)['holder'] for each in user.controls} >= {'nobody', 'tracker'}
    user.wait_until(lambda: abs(payload.state.azimuth_rate_rad_s) < 1e-4)
    azimuth, tilt = payload.state.azimuth_rad, payload.state.tilt_rad
    user.attitudes.clear()
    user.joints.clear()
    user.transforms.clear()
    user.spin(0.3)
    q = user.attitudes[-1].orientation
    assert 2 * math.atan2(q.z, q.w) == pytest.approx(azimuth, abs=0.02)
    assert user.attitudes[-1].header.frame_id == 'robot/gimbal_camera'
    joints = dict(zip(user.joints[-1].name, user.joints[-1].position, strict=True))
    assert joints == pytest.approx(
        {'gimbal_yaw_joint': azimuth, 'gimbal_roll_joint': 0.0, 'gimbal_pitch_joint': tilt}, abs=1e-3
    )
    frames = {(each.header.frame_id, each.child_frame_id) for each in user.transforms[-1].transforms}
    assert frames == {
        ('robot/gimbal_level', 'robot/gimbal_camera'),
        ('robot/gimbal_camera', 'robot/eo_optical_frame'),
    }
    age_s = time.time() - (user.attitudes[-1].header.stamp.sec + user.attitudes[-1].header.stamp.nanosec * 1e-9)
    assert 0.0 < age_s < 1.0

    # Home, then stop disarms.
    assert user.call(user.home, Trigger.Request()).success
    user.wait_until(lambda: abs(payload.state.azimuth_rad) < 0.03 and abs(payload.state.tilt_rad) < 0.03)
    assert user.call(user.stop, Trigger.Request()).success
    user.wait_until(lambda: {'armed': False, 'holder': 'nobody'}.items() <= json.loads(user.controls[-1].data).items())

    name = '/robot/gimbal_driver'
    user.wait_until(lambda: user.diagnostics.get(name, {}).get('gimbal') == '1/154')
    assert user.diagnostics[name]['model'] == 'GREMSY SIMULATED'
    assert int(user.diagnostics[name]['disarmed']) > 0
    end(node)
    commands = [event for event in read_trace(tmp_path / 'trace') if event['kind'] == 'command']
    assert commands
    assert all(event['wire_ns'] > event['stamp_ns'] for event in commands)
    assert children_of(node.pid) == []


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_every_signal_stops_the_gimbal_and_leaves_no_process(udp_payload, user, number):
    node = start_node(udp_payload.uri)
    user.wait_until(lambda: user.attitudes)
    assert user.call(user.arm, SetBool.Request(data=True)).success
    user.send_until(lambda: udp_payload.state.azimuth_rate_rad_s > 0.4, user.setpoints, 0.6, 0.0)
    deadman = children_of(node.pid)
    assert len(deadman) == 1
    if number == signal.SIGKILL:
        node.kill()
        node.communicate(timeout=10)
    else:
        end(node, number)
    user.wait_until(lambda: abs(udp_payload.state.azimuth_rate_rad_s) < 1e-3, timeout_s=3.0)
    user.wait_until(lambda: not Path(f'/proc/{deadman[0]}').exists() or 'Z' in status_of(deadman[0]))


def status_of(process):
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return 'Z'


def test_a_wrong_link_is_one_sentence_and_status_2():
    process = start_node('tcp://1.2.3.4:5')
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert (
        "The gimbal link 'tcp://1.2.3.4:5' has an unknown scheme 'tcp': "
        'write udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200.'
    ) in said
    assert 'Traceback' not in said


def test_a_port_that_is_not_there_yet_is_said_and_found_when_it_comes(tmp_path, user):
    name = tmp_path / 'ttyGREMSY'
    node = start_node(f'serial://{name}')
    user.wait_until(
        lambda: 'There is no serial port' in user.diagnostics.get('/robot/gimbal_driver', {}).get('link trouble', '')
    )
    payload = Payload('pty', tmp_path)
    user.wait_until(lambda: user.attitudes)
    said = end(node)
    assert said.count(f'There is no serial port {name}: plug the gimbal in, or correct the parameter `link`.') == 1
    payload.close()


def test_a_setpoint_in_another_frame_does_not_move_it_and_is_said_once(udp_payload, user):
    node = start_node(udp_payload.uri)
    user.wait_until(lambda: user.attitudes)
    assert user.call(user.arm, SetBool.Request(data=True)).success
    for _ in range(20):
        user.send(user.setpoints, 0.5, 0.0, frame='map')
        user.spin(0.02)
    assert udp_payload.state.azimuth_rad == 0.0
    said = end(node)
    assert said.count("it is in the frame 'map', rates must be in 'robot/gimbal_level'.") == 1


def test_with_simulated_time_all_that_is_compared_with_stamps_is_that_time(udp_payload, user):
    """As beside a bag that is played: everything is stamped in its time, a thousand seconds after 1970."""
    begun = time.monotonic()
    clock = user.node.create_publisher(Clock, '/clock', 10)

    def now():
        return Time(nanoseconds=round((1000.0 + time.monotonic() - begun) * 1e9)).to_msg()

    user.node.create_timer(0.01, lambda: clock.publish(Clock(clock=now())))
    node = start_node(udp_payload.uri, 'use_sim_time:=true')
    user.wait_until(lambda: user.attitudes and user.attitudes[-1].header.stamp.sec >= 1000)
    age_s = (Time.from_msg(now()) - Time.from_msg(user.attitudes[-1].header.stamp)).nanoseconds * 1e-9
    assert -0.05 < age_s < 0.5
    assert user.call(user.arm, SetBool.Request(data=True)).success
    deadline = time.monotonic() + 10.0
    while udp_payload.state.azimuth_rad < 0.1:
        assert time.monotonic() < deadline, user.diagnostics
        user.send(user.setpoints, 0.5, 0.0, stamp=now())
        rclpy.spin_once(user.node, timeout_sec=0.02)
    said = end(node)
    assert 'refused' not in said
