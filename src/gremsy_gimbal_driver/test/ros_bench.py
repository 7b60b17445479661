# SPDX-License-Identifier: Apache-2.0
"""Node and payload in processes of their own, on any plug; whoever uses this is the plain ROS 2 user beside them.

Import it behind `pytest.importorskip('rclpy')`. A `Stage` starts both, `scene` ends whatever a test left running.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, QuaternionStamped, TransformStamped, TwistStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import Imu, JointState, Range
from std_msgs.msg import Float64, String
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage

from gremsy_common.claims import isolated
from gremsy_common.geometry import quaternion_from_bearing
from gremsy_gimbal_sim.truth_ring import TruthRingReader, TruthUnavailable

LEVEL = 'robot/gimbal_level'
NODE = '/robot/gimbal_driver'
ISOLATED = isolated(int(os.environ['ROS_DOMAIN_ID']))
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
# For who wants every one of them: the end of a goal and the begin of the next come together.
LATCHED_ALL = QoSProfile(depth=20, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
FAR_AWAY_S = 15.0
_SENT_EVERY_S = 0.02


class Process:
    """A child of this test; what it says goes into a file, so that it never waits for a reader."""

    def __init__(self, log: Path, *command: str) -> None:
        self._log = log
        with log.open('wb') as file:
            self._process = subprocess.Popen(
                command, env={**os.environ, **ISOLATED, 'PYTHONUNBUFFERED': '1'}, stdout=file, stderr=subprocess.STDOUT
            )
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """So far."""
        return self._log.read_text(errors='replace')

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout_s: float = 20.0) -> int:
        """Its exit status."""
        return self._process.wait(timeout_s)

    def send(self, number: int) -> None:
        """A signal."""
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> str:
        """All that it said, once it has ended in good order."""
        assert self.alive, self.said
        self.send(number)
        assert self.wait() == 0, self.said
        assert 'terminate called' not in self.said
        assert 'Traceback' not in self.said, self.said
        return self.said

    def kill(self) -> None:
        """At once, whatever it does."""
        if self.alive:
            self._process.kill()
        self._process.wait()


class Payload:
    """The simulated payload's process: what it truly does is read from its ring, its control is a pipe."""

    def __init__(
        self, folder: Path, number: int, plugs: str, preset: str, seed: int, options: dict[str, object]
    ) -> None:
        self.ring = f'test-{os.getpid()}-{folder.name}-{number}'
        self._pipe = folder / f'control-{number}'
        self.pty = folder / f'ttyGREMSY{number}'
        self.uris: dict[str, str] = {}
        words: list[str] = []
        if plugs in ('udp', 'both'):
            port = free_udp_port()
            words += ['--udp', f'127.0.0.1:{port}']
            self.uris['udp'] = f'udp://127.0.0.1:{port}'
        if plugs in ('pty', 'both'):
            words += ['--pty', str(self.pty)]
            self.uris['pty'] = f'serial://{self.pty}'
        for name, value in options.items():
            text = ','.join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += ['--set', f'{name}={text}']
        self.process = Process(
            folder / f'payload-{number}.log',
            *(sys.executable, '-m', 'gremsy_gimbal_sim.sim_payload', *words, '--preset', preset),
            *('--seed', str(seed), '--truth-ring', self.ring, '--control', str(self._pipe)),
        )
        self._truth = TruthRingReader(self.ring)
        self._opened = False

    def wait_ready(self) -> None:
        """Until its truth can be read."""
        deadline = time.monotonic() + FAR_AWAY_S
        while not self._opened:
            assert self.process.alive and time.monotonic() < deadline, self.process.said
            try:
                self._truth.open()
                self._opened = True
            except TruthUnavailable:
                time.sleep(0.02)

    def tell(self, line: str) -> None:
        """A line of its control; returns when it is done."""
        done = f'done: {line}'
        before = self.process.said.count(done)
        with self._pipe.open('w') as pipe:
            pipe.write(f'{line}\n')
        deadline = time.monotonic() + FAR_AWAY_S
        while self.process.said.count(done) == before:
            assert time.monotonic() < deadline, self.process.said
            time.sleep(0.01)

    @property
    def state(self):
        return self._truth.newest()

    @property
    def angles(self) -> tuple[float, float]:
        """True azimuth and tilt against the world."""
        state = self.state
        return state.azimuth_rad, state.tilt_rad

    @property
    def speed(self) -> float:
        """Of the faster axis, rad/s."""
        state = self.state
        return max(abs(state.azimuth_rate_rad_s), abs(state.tilt_rate_rad_s))

    def close(self) -> None:
        if self._opened:
            self._truth.close()
        self.process.kill()
        Path(f'/dev/shm/gremsy-truth-{self.ring}').unlink(missing_ok=True)


class User:
    """A plain node in the robot's namespace."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('user', namespace='/robot')
        self.attitudes: list[Imu] = []
        self.earth: list[Imu] = []
        self.headings: list[Imu] = []
        self.imu: list[Imu] = []
        self.ranges: list[Range] = []
        self.zooms: list[JointState] = []
        self.joints: list[JointState] = []
        self.controls: list[dict] = []
        self.goals: list[dict] = []
        self.plants: list[dict] = []
        self.diagnostics: dict[str, str] = {}
        self.health = (-1, '')
        self.diagnosed = 0
        for kind, name, kept in (
            (Imu, 'gimbal/attitude', self.attitudes),
            (Imu, 'gimbal/attitude_earth', self.earth),
            (Imu, 'gimbal/heading', self.headings),
            (Imu, 'gimbal/imu', self.imu),
            (Range, 'gimbal/range', self.ranges),
            (JointState, 'gimbal/zoom', self.zooms),
            (JointState, 'joint_states', self.joints),
        ):
            self.node.create_subscription(kind, name, kept.append, 10)
        for name, told in (('control', self.controls), ('goal', self.goals), ('plant', self.plants)):
            self.node.create_subscription(
                String, f'gimbal/{name}', lambda message, told=told: told.append(json.loads(message.data)), LATCHED_ALL
            )
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._keep_diagnostics, 10)
        make = self.node.create_publisher
        self.setpoints = make(TwistStamped, 'gimbal/setpoint', 10)
        self.rates = make(TwistStamped, 'gimbal_driver/cmd/rate', 10)
        self.attitude_goals = make(QuaternionStamped, 'gimbal_driver/cmd/attitude', 10)
        self.joint_goals = make(JointState, 'gimbal_driver/cmd/joint', 10)
        self.points = make(PointStamped, 'gimbal_driver/cmd/look_at', 10)
        self.zoom_wishes = make(Float64, 'gimbal_driver/cmd/zoom', 10)
        self.tracker_zooms = make(Float64, 'gimbal/zoom_setpoint', 10)
        self.places = make(PointStamped, 'gimbal_driver/cmd/track', 10)
        self.frames = make(TFMessage, '/tf', 10)
        self.static_frames = make(TFMessage, '/tf_static', LATCHED)
        self.vehicle = make(Imu, 'vehicle/imu', 10)
        self._clients: dict[str, object] = {}

    def _keep_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name == NODE:
                self.diagnostics = {each.key: each.value for each in status.values}
                self.health = (ord(status.level), status.message)
                self.diagnosed += 1

    # Time.

    def wait_until(self, true, timeout_s: float = FAR_AWAY_S, why='') -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f'it did not come true in time {why() if callable(why) else why}'
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def spin(self, duration_s: float) -> None:
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def send_until(self, true, send, timeout_s: float = 10.0) -> None:
        """Call `send` at 50 Hz until it is true."""
        now = time.monotonic()
        deadline, due = now + timeout_s, now
        while not true():
            now = time.monotonic()
            assert now < deadline, 'it did not come true in time'
            if now >= due:
                send()
                due = now + _SENT_EVERY_S
            rclpy.spin_once(self.node, timeout_sec=max(0.0, min(0.02, due - time.monotonic())))

    def send_for(self, duration_s: float, send) -> None:
        end = time.monotonic() + duration_s
        self.send_until(lambda: time.monotonic() >= end, send, duration_s + 10.0)

    def fresh_diagnostics(self, settled: int = 2) -> dict[str, str]:
        """Not from before the call."""
        until = self.diagnosed + settled
        self.wait_until(lambda: self.diagnosed >= until)
        return self.diagnostics

    def wait_for_row(self, key: str, value: str, timeout_s: float = FAR_AWAY_S) -> None:
        self.wait_until(lambda: self.diagnostics.get(key) == value, timeout_s, lambda: f'{key}: {self.diagnostics}')

    # Wishes.

    def stamp(self, age_s: float = 0.0):
        nanoseconds = self.node.get_clock().now().nanoseconds - round(age_s * 1e9)
        return rclpy.time.Time(nanoseconds=nanoseconds).to_msg()

    def rate(self, publisher, azimuth: float, tilt: float, frame: str = LEVEL, age_s: float = 0.0) -> None:
        message = TwistStamped()
        message.header.stamp, message.header.frame_id = self.stamp(age_s), frame
        message.twist.angular.z, message.twist.angular.y = float(azimuth), float(tilt)
        publisher.publish(message)

    def look(self, azimuth: float, tilt: float, frame: str = LEVEL, age_s: float = 0.0) -> None:
        """An attitude goal."""
        message = QuaternionStamped()
        message.header.stamp, message.header.frame_id = self.stamp(age_s), frame
        q = message.quaternion
        q.w, q.x, q.y, q.z = (float(each) for each in quaternion_from_bearing(azimuth, tilt))
        self.attitude_goals.publish(message)

    def look_at(self, point: tuple[float, float, float], frame: str, age_s: float = 0.0) -> None:
        message = PointStamped()
        message.header.stamp, message.header.frame_id = self.stamp(age_s), frame
        message.point.x, message.point.y, message.point.z = map(float, point)
        self.points.publish(message)

    def turn_joints(self, **angles: float) -> None:
        """`yaw=0.3` turns `gimbal_yaw_joint`."""
        names = [f'gimbal_{name}_joint' for name in angles]
        message = JointState(name=names, position=list(map(float, angles.values())))
        message.header.stamp = self.stamp()
        self.joint_goals.publish(message)

    def transform(self, publisher, parent: str, child: str, xyz=(0.0, 0.0, 0.0), yaw: float = 0.0, age_s=0.0) -> None:
        made = TransformStamped(child_frame_id=child)
        made.header.stamp, made.header.frame_id = self.stamp(age_s), parent
        made.transform.translation.x, made.transform.translation.y, made.transform.translation.z = map(float, xyz)
        made.transform.rotation.w, made.transform.rotation.z = math.cos(yaw / 2), math.sin(yaw / 2)
        publisher.publish(TFMessage(transforms=[made]))

    def feed_vehicle(self, heading: float = 0.0, pitch: float = 0.0) -> None:
        """`vehicle/imu`."""
        message = Imu()
        message.header.stamp, message.header.frame_id = self.stamp(), 'base_link'
        q = message.orientation
        q.w, q.x, q.y, q.z = (float(each) for each in quaternion_from_bearing(heading, pitch))
        self.vehicle.publish(message)

    def goal_after(self, wish, timeout_s: float = 20.0) -> dict:
        """How the goal of this wish ended."""
        before = max((each['number'] for each in self.goals), default=0)
        wish()
        self.wait_until(
            lambda: self.goals and self.goals[-1]['number'] > before and self.goals[-1]['ended'],
            timeout_s,
            lambda: f'{self.goals[-3:]} {self.diagnostics.get("last error")}',
        )
        return self.goals[-1]

    # Services.

    def call(self, kind: type, name: str, request: object) -> object:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(kind, f'gimbal_driver/{name}')
        self.wait_until(client.service_is_ready)
        future = client.call_async(request)
        self.wait_until(future.done)
        return future.result()

    def trigger(self, name: str) -> tuple[bool, str]:
        answer = self.call(Trigger, name, Trigger.Request())
        return answer.success, answer.message

    def switch(self, name: str, on: bool) -> tuple[bool, str]:
        answer = self.call(SetBool, name, SetBool.Request(data=on))
        return answer.success, answer.message

    def arm(self) -> None:
        assert self.switch('arm', True) == (True, 'Armed.')

    def set_parameter(self, name: str, value: str) -> tuple[bool, str]:
        wanted = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=wanted)])
        (result,) = self.call(SetParameters, 'set_parameters', request).results
        return result.successful, result.reason


class Stage:
    """Payload, node and user; `end` asserts that the node ends in good order."""

    def __init__(self, folder: Path, user: User) -> None:
        self.folder = folder
        self.user = user
        self.payloads: list[Payload] = []
        self.nodes: list[Process] = []

    @property
    def payload(self) -> Payload:
        return self.payloads[-1]

    @property
    def node(self) -> Process:
        return self.nodes[-1]

    def add_payload(self, plugs: str = 'udp', preset: str = 'ideal', seed: int = 1, **options: object) -> Payload:
        self.payloads.append(Payload(self.folder, len(self.payloads), plugs, preset, seed, options))
        return self.payload

    def add_node(self, link: str, *before: str, parameter_file: Path | None = None, **parameters: object) -> Process:
        """`before` is put in front of the command, as `setpriv`."""
        from_file = () if parameter_file is None else ('--params-file', str(parameter_file))
        words = [
            f'{name}:={str(value).lower() if isinstance(value, bool) else value}'
            for name, value in {'link': link, **parameters}.items()
        ]
        self.nodes.append(
            Process(
                self.folder / f'node-{len(self.nodes)}.log',
                *(*before, sys.executable, '-m', 'gremsy_gimbal_driver.gimbal_driver_node'),
                *('--ros-args', '-r', '__ns:=/robot', *from_file, *(each for word in words for each in ('-p', word))),
            )
        )
        return self.node

    def start(self, plugs: str = 'udp', preset: str = 'ideal', options=None, **parameters: object) -> None:
        """Both, until attitudes come."""
        payload = self.add_payload(plugs, preset, **(options or {}))
        links = list(payload.uris.values())
        if len(links) > 1:
            parameters = {'second_link': links[1], **parameters}
        self.add_node(links[0], **parameters)
        payload.wait_ready()
        self.user.wait_until(lambda: self.user.attitudes and self.user.controls, why=lambda: self.node.said)

    def end(self) -> str:
        """What the node said; it lived until now and ends with status 0."""
        return self.node.end()

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        for payload in self.payloads:
            payload.close()

    # What nearly every test does.

    def turn(self, azimuth: float = 0.3, tilt: float = 0.0, publisher=None, rate: float = 0.6) -> None:
        """By rates until it has truly turned by so much; then it rests by itself."""
        begin = self.payload.angles
        size = max(abs(azimuth), abs(tilt))
        wish = rate * azimuth / size, rate * tilt / size

        def there() -> bool:
            moved = zip(self.payload.angles, begin, (azimuth, tilt), strict=True)
            return all((now - then) * math.copysign(1.0, wanted) >= 0.9 * abs(wanted) for now, then, wanted in moved)

        publisher = publisher or self.user.rates
        self.user.send_until(there, lambda: self.user.rate(publisher, *wish))
        self.rest()

    def rest(self, timeout_s: float = 5.0) -> None:
        self.user.wait_until(lambda: self.payload.speed < 2e-3, timeout_s, lambda: f'{self.payload.state}')

    def goes_to(
        self, azimuth: float, tilt: float, within_rad: float = 0.03, timeout_s: float = 20.0, zero_rad: float = 0.0
    ) -> dict:
        """An attitude goal that must be reached in truth; `zero_rad` is the true azimuth of the mode's azimuth 0."""
        goal = self.user.goal_after(lambda: self.user.look(azimuth, tilt), timeout_s)
        assert goal['state'] == 'reached', goal
        assert self.payload.angles == approx((zero_rad + azimuth, tilt), within_rad)
        return goal

    def nothing_moves(self, act, duration_s: float = 0.4) -> None:
        """While `act` is done at 50 Hz and for as long again."""
        self.user.spin(0.1)
        before = self.payload.angles
        self.user.send_for(duration_s, act)
        self.user.spin(duration_s)
        assert self.payload.angles == approx(before, 0.005)


def approx(values: tuple[float, ...], within_rad: float) -> object:
    """To compare angles with."""
    return pytest.approx(values, abs=within_rad)


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def children_of(process: int) -> list[int]:
    found = []
    for each in Path('/proc').glob('[0-9]*'):
        try:
            parent = int((each / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
        if parent == process:
            found.append(int(each.name))
    return found


@contextmanager
def scene(folder: Path) -> Iterator[Stage]:
    """A stage with a user of its own; ends what is left."""
    os.environ.update(ISOLATED)
    rclpy.init()
    with ExitStack() as stack:
        stack.callback(rclpy.shutdown)
        user = User()
        stack.callback(user.node.destroy_node)
        stage = Stage(folder, user)
        stack.callback(stage.close)
        yield stage
