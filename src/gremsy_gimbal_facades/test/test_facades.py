# SPDX-License-Identifier: Apache-2.0
"""The facades with stand-ins that have exactly the fields of the true messages.

mavros_msgs as of 2024 (mavlink/mavros), ptz_action_server_msgs in its two forms: release 2.0.2 and the branch ros2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from types import SimpleNamespace

import numpy as np
import pytest

from gremsy_common.geometry import direction_from_bearing, matrix_from_quaternion
from gremsy_common.ros.messages.header_messages import stamp_of
from gremsy_common.types.gimbal_state import OrientationRequest, PointRequest, RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalPath, GoalProgress, GoalState
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.ros.driver_port import Pointing
from gremsy_gimbal_facades import mavros_facade, mavros_requests, ptz_facade, ptz_goals
from gremsy_gimbal_facades.mavros_facade import MavrosFacade
from gremsy_gimbal_facades.mavros_requests import Addressee, FacadeRefusal
from gremsy_gimbal_facades.ptz_facade import PtzFacade, PtzMessages

NAN = math.nan
LEVEL = 'robot/gimbal_level'
TO = Addressee(154, LEVEL, 7_000)
RETRACT, NEUTRAL, ROLL_LOCK, PITCH_LOCK, YAW_LOCK = 1, 2, 4, 8, 16
SECOND = 1_000_000_000


@dataclass(slots=True)
class Quaternion:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    w: float = 1.0


@dataclass(slots=True)
class SetPitchyaw:
    target_system: int = 0
    target_component: int = 0
    flags: int = 0
    gimbal_device_id: int = 0
    pitch: float = 0.0
    yaw: float = 0.0
    pitch_rate: float = 0.0
    yaw_rate: float = 0.0


@dataclass(slots=True)
class ManagerSetAttitude:
    target_system: int = 0
    target_component: int = 0
    flags: int = 0
    gimbal_device_id: int = 0
    q: Quaternion = field(default_factory=Quaternion)
    angular_velocity_x: float = 0.0
    angular_velocity_y: float = 0.0
    angular_velocity_z: float = 0.0


@dataclass(slots=True)
class DeviceSetAttitude:
    target_system: int = 0
    target_component: int = 0
    flags: int = 0
    q: Quaternion = field(default_factory=Quaternion)
    angular_velocity_x: float = 0.0
    angular_velocity_y: float = 0.0
    angular_velocity_z: float = 0.0


@dataclass(slots=True)
class AttitudeStatusMessage:
    header: object = None
    target_system: int = 0
    target_component: int = 0
    flags: int = 0
    q: Quaternion = field(default_factory=Quaternion)
    angular_velocity_x: float = 0.0
    angular_velocity_y: float = 0.0
    angular_velocity_z: float = 0.0
    failure_flags: int = 0


@dataclass(slots=True)
class Ptz:
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0


@dataclass(slots=True)
class PtzState:
    mode: int = 0
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0

    MODE_IDLE = 0
    MODE_POSITION = 1
    MODE_VELOCITY = 2


@dataclass(slots=True)
class Result:
    success: bool = False
    message: str = ''


@dataclass(slots=True)
class FlatRemaining:
    pan_remaining: float = 0.0
    tilt_remaining: float = 0.0
    zoom_remaining: float = 0.0


@dataclass(slots=True)
class NestedRemaining:
    ptz_remaining: Ptz = field(default_factory=Ptz)


@dataclass(slots=True)
class NestedMoveGoal:
    ptz: Ptz = field(default_factory=Ptz)


@dataclass(slots=True)
class FlatRelToGoal:
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0
    frame_id: str = ''


@dataclass(slots=True)
class NestedRelToGoal:
    ptz: Ptz = field(default_factory=Ptz)
    frame_id: str = ''


@dataclass(slots=True)
class FrameGoal:
    frame_id: str = ''
    zoom: float = 0.0


FLAT_MOVE = SimpleNamespace(Goal=Ptz, Result=Result, Feedback=FlatRemaining)
NESTED_MOVE = SimpleNamespace(Goal=NestedMoveGoal, Result=Result, Feedback=NestedRemaining)
REL_TO = SimpleNamespace(Goal=NestedRelToGoal, Result=Result, Feedback=FlatRemaining)
FRAME = SimpleNamespace(Goal=FrameGoal, Result=Result, Feedback=FlatRemaining)


class Port:
    """A driver that does what the test says."""

    level_frame = LEVEL

    def __init__(self) -> None:
        self.now = Pointing(0.0, 0.0, 1.0)
        self.reported: GimbalMode | None = GimbalMode.FOLLOW
        self.modes: list[GimbalMode] = []
        self.rates: list[RateSetpoint] = []
        self.goals: list[object] = []
        self.zooms: list[float] = []
        self.cancelled: list[tuple[int, str]] = []
        self.progress: dict[int, GoalProgress] = {}
        self.refusal = ''
        self.zoom_refusal = ''

    def now_ns(self) -> int:
        return 7_000

    def pointing(self) -> Pointing | None:
        return self.now

    def mode(self) -> GimbalMode | None:
        return self.reported

    def set_mode(self, mode: GimbalMode) -> CommandResult:
        self.modes.append(mode)
        return CommandResult(not self.refusal, self.refusal or 'Changing.')

    def offer_rate(self, setpoint: RateSetpoint) -> bool:
        self.rates.append(setpoint)
        return True

    def offer_goal(self, wish: object) -> CommandResult:
        if self.refusal:
            return CommandResult(False, self.refusal)
        self.goals.append(wish)
        number = len(self.goals)
        self.move(number, GoalState.MOVING, (0.5, -0.25))
        return CommandResult(True, 'Going.', number)

    def move(self, number: int, state: GoalState, left: tuple[float, float] = (0.0, 0.0), reason: str = '') -> None:
        ended = state is not GoalState.MOVING
        self.progress[number] = GoalProgress(number, 'operator', state, ended, reason, left, GoalPath.RATE)

    def goal_progress(self, number: int) -> GoalProgress | None:
        return self.progress.get(number)

    def cancel_goal(self, number: int, by: str) -> CommandResult:
        self.cancelled.append((number, by))
        return CommandResult(True, 'Cancelled.')

    def zoom_to(self, factor: float) -> CommandResult:
        self.zooms.append(factor)
        return CommandResult(not self.zoom_refusal, self.zoom_refusal)


@pytest.fixture
def port() -> Port:
    return Port()


# MAVROS: the conversion.


def test_pitch_up_and_yaw_right_become_tilt_and_azimuth_of_rep_103():
    wish = mavros_requests.request_of_pitchyaw(SetPitchyaw(pitch=0.3, yaw=0.5, pitch_rate=NAN, yaw_rate=NAN), TO)
    assert wish.mode is GimbalMode.FOLLOW
    assert isinstance(wish.motion, AngleGoal)
    assert (wish.motion.azimuth_rad, wish.motion.tilt_rad) == (-0.5, -0.3)
    assert (wish.motion.any_turn, wish.motion.frame_id, wish.motion.stamp_ns) == (True, LEVEL, 7_000)


def test_an_angle_that_is_nan_keeps_its_axis():
    nothing = {'pitch_rate': NAN, 'yaw_rate': NAN}
    only_pitch = mavros_requests.request_of_pitchyaw(SetPitchyaw(pitch=-1.0, yaw=NAN, **nothing), TO).motion
    only_yaw = mavros_requests.request_of_pitchyaw(SetPitchyaw(pitch=NAN, yaw=0.2, **nothing), TO).motion
    assert (only_pitch.azimuth_rad, only_pitch.tilt_rad) == (None, 1.0)
    assert (only_yaw.azimuth_rad, only_yaw.tilt_rad) == (-0.2, None)


def test_rates_alone_are_a_setpoint_stamped_when_they_came():
    message = SetPitchyaw(pitch=NAN, yaw=NAN, pitch_rate=0.2, yaw_rate=NAN)
    assert mavros_requests.request_of_pitchyaw(message, TO).motion == RateSetpoint(7_000, LEVEL, 0.0, -0.2)
    message = SetPitchyaw(pitch=NAN, yaw=NAN, pitch_rate=0.2, yaw_rate=-0.4)
    assert mavros_requests.request_of_pitchyaw(message, TO).motion == RateSetpoint(7_000, LEVEL, 0.4, -0.2)


def test_angles_beside_rates_are_meant_and_nothing_at_all_says_only_the_mode():
    both = mavros_requests.request_of_pitchyaw(SetPitchyaw(pitch=0.1, yaw=0.2, pitch_rate=0.3, yaw_rate=0.3), TO)
    assert isinstance(both.motion, AngleGoal)
    none = mavros_requests.request_of_pitchyaw(SetPitchyaw(0, 0, YAW_LOCK, 0, NAN, NAN, NAN, NAN), TO)
    assert (none.mode, none.motion) == (GimbalMode.LOCK, None)


@pytest.mark.parametrize(
    ('flags', 'mode'),
    [
        (0, GimbalMode.FOLLOW),
        (ROLL_LOCK | PITCH_LOCK, GimbalMode.FOLLOW),
        (ROLL_LOCK | PITCH_LOCK | YAW_LOCK, GimbalMode.LOCK),
        (NEUTRAL | YAW_LOCK, GimbalMode.HOME),
        (RETRACT | NEUTRAL | YAW_LOCK, GimbalMode.OFF),
    ],
)
def test_modes_by_flags_with_mavlinks_precedence(flags, mode):
    assert mavros_requests.mode_of_flags(flags) is mode
    wish = mavros_requests.request_of_pitchyaw(SetPitchyaw(flags=flags, pitch=0.1), TO)
    assert wish.mode is mode
    assert (wish.motion is None) == (mode in (GimbalMode.OFF, GimbalMode.HOME))


@pytest.mark.parametrize('azimuth', [-2.5, 0.0, 1.2])
@pytest.mark.parametrize('tilt', [-0.7, 0.0, math.pi / 2])
def test_an_attitude_looks_where_its_ned_quaternion_says(azimuth, tilt):
    # Yaw right + about down, then pitch up + about right, as MAVLink composes them; written out, not by our own code.
    yaw, pitch = -azimuth, -tilt
    w, x, y, z = (
        math.cos(yaw / 2) * math.cos(pitch / 2),
        -math.sin(yaw / 2) * math.sin(pitch / 2),
        math.cos(yaw / 2) * math.sin(pitch / 2),
        math.sin(yaw / 2) * math.cos(pitch / 2),
    )
    for wish_of, kind in (
        (mavros_requests.request_of_attitude, ManagerSetAttitude),
        (mavros_requests.request_of_attitude, DeviceSetAttitude),
    ):
        motion = wish_of(kind(q=Quaternion(x, y, z, w)), TO).motion
        assert isinstance(motion, OrientationRequest)
        assert motion.frame_id == LEVEL
        forward = matrix_from_quaternion(motion.frame_from_camera_wxyz)[:, 0]
        np.testing.assert_allclose(forward, direction_from_bearing(azimuth, tilt), atol=1e-12)


def test_angular_velocities_count_where_the_quaternion_is_nan():
    nothing = Quaternion(NAN, NAN, NAN, NAN)
    message = DeviceSetAttitude(q=nothing, angular_velocity_y=0.2, angular_velocity_z=0.4)
    assert mavros_requests.request_of_attitude(message, TO).motion == RateSetpoint(7_000, LEVEL, -0.4, -0.2)
    message.angular_velocity_x = 0.1
    with pytest.raises(FacadeRefusal) as refused:
        mavros_requests.request_of_attitude(message, TO)
    assert str(refused.value) == (
        'A MAVROS gimbal command was refused: it asks for a roll rate, and the horizon is held level; '
        'leave angular_velocity_x 0 or NaN.'
    )


@pytest.mark.parametrize(
    ('message', 'sentence'),
    [
        (
            SetPitchyaw(pitch=math.inf),
            'pitch is infinite; use NaN for what is not meant.',
        ),
        (
            SetPitchyaw(pitch=0.1, yaw=NAN, yaw_rate=0.2),
            'it turns one axis to an angle and the other at a rate; '
            'give angles or rates, and NaN for what is not meant.',
        ),
        (SetPitchyaw(gimbal_device_id=171), 'it is for the gimbal 171, this one is 154; use that, or 0 for all.'),
    ],
)
def test_what_cannot_be_meant_is_refused(message, sentence):
    with pytest.raises(FacadeRefusal) as refused:
        mavros_requests.request_of_pitchyaw(message, TO)
    assert str(refused.value) == f'A MAVROS gimbal command was refused: {sentence}'


def test_the_status_carries_the_wires_own_numbers():
    status = AttitudeStatus(Sender(4, 171), 1, 0x1C, (0.5, 0.5, -0.5, 0.5), (0.1, NAN, 0.3), 2)
    message = AttitudeStatusMessage()
    mavros_requests.fill_attitude_status(message, status)
    assert (message.target_system, message.target_component) == (4, 171)
    assert (message.flags, message.failure_flags) == (0x1C, 2)
    assert (message.q.w, message.q.x, message.q.y, message.q.z) == (0.5, 0.5, -0.5, 0.5)
    assert message.angular_velocity_x == 0.1
    assert math.isnan(message.angular_velocity_y)


# MAVROS: the wiring.


class Node:
    """Records what is made and destroyed."""

    def __init__(self) -> None:
        self.publishers: dict[str, list[object]] = {}
        self.callbacks: dict[str, object] = {}
        self.listeners = 1
        self.destroyed: list[str] = []
        self.timer = None

    def create_publisher(self, kind, name, depth):
        sent = self.publishers.setdefault(name, [])
        return SimpleNamespace(publish=sent.append, get_subscription_count=lambda: self.listeners, name=name)

    def create_subscription(self, kind, name, callback, depth):
        self.callbacks[name] = callback
        return SimpleNamespace(name=name)

    def create_timer(self, period_s, callback):
        assert period_s <= 1.0
        self.timer = callback
        return SimpleNamespace(name='timer')

    def destroy_publisher(self, made):
        self.destroyed.append(made.name)

    destroy_subscription = destroy_timer = destroy_publisher


MESSAGES = SimpleNamespace(
    GimbalManagerSetPitchyaw=SetPitchyaw,
    GimbalManagerSetAttitude=ManagerSetAttitude,
    GimbalDeviceSetAttitude=DeviceSetAttitude,
    GimbalDeviceAttitudeStatus=AttitudeStatusMessage,
)
PITCHYAW = 'gimbal_control/manager/set_pitchyaw'
STATUS = AttitudeStatus(Sender(1, 154), 1, 0x0C, (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def facade(node, port, said) -> MavrosFacade:
    return MavrosFacade(node, port, MESSAGES, said.append)


def test_the_topics_are_mavros_own_and_all_go_again(node, facade):
    assert set(node.callbacks) == {
        PITCHYAW,
        'gimbal_control/manager/set_attitude',
        'gimbal_control/device/set_attitude',
    }
    assert set(node.publishers) == {'gimbal_control/device/attitude_status'}
    facade.close()
    facade.close()
    assert sorted(node.destroyed) == sorted([*node.callbacks, *node.publishers])


def test_the_attitude_is_published_only_where_somebody_listens(node, facade):
    facade.attitude(STATUS, 5)
    (message,) = node.publishers['gimbal_control/device/attitude_status']
    assert (stamp_of(message.header.stamp), message.header.frame_id) == (5, 'base_link_frd')
    assert (message.target_component, message.flags) == (154, 0x0C)
    node.listeners = 0
    facade.attitude(STATUS, 6)
    assert len(node.publishers['gimbal_control/device/attitude_status']) == 1


def test_a_rate_goes_to_the_driver(node, port, facade):
    node.callbacks[PITCHYAW](SetPitchyaw(pitch=NAN, yaw=NAN, pitch_rate=0.1, yaw_rate=0.2))
    assert port.rates == [RateSetpoint(7_000, LEVEL, -0.2, -0.1)]
    assert port.modes == []


def test_an_angle_waits_until_the_gimbal_is_in_the_mode_that_it_is_meant_in(node, port, facade, said):
    message = SetPitchyaw(flags=YAW_LOCK, yaw=0.05, pitch_rate=NAN, yaw_rate=NAN)
    for _ in range(5):
        node.callbacks[PITCHYAW](message)
    assert (port.modes, port.goals) == ([GimbalMode.LOCK], [])
    assert said == ['A MAVROS angle was refused: the gimbal is not in mode lock yet; send it again.']
    port.reported = GimbalMode.LOCK
    node.callbacks[PITCHYAW](message)
    assert [(goal.azimuth_rad, goal.tilt_rad) for goal in port.goals] == [(-0.05, 0.0)]
    # Somebody changes the mode; the next message asks for its own again.
    port.reported = GimbalMode.FOLLOW
    node.callbacks[PITCHYAW](message)
    assert port.modes == [GimbalMode.LOCK] * 2
    assert len(port.goals) == 1


def test_a_stream_of_neutral_is_one_pulse(node, port, facade):
    for _ in range(5):
        node.callbacks[PITCHYAW](SetPitchyaw(flags=NEUTRAL))
    assert (port.modes, port.goals, port.rates) == ([GimbalMode.HOME], [], [])


def test_what_the_driver_refuses_is_said_once_and_moves_nothing(node, port, facade, said):
    port.refusal = 'Not changing to mode lock: disarmed; call `arm` first.'
    for _ in range(3):
        node.callbacks[PITCHYAW](SetPitchyaw(flags=YAW_LOCK, pitch=NAN, yaw=NAN, pitch_rate=0.1))
    assert said == [port.refusal]
    assert port.rates == []
    assert facade.counts == {'mavros_mode_refused': 3}


def test_a_refused_goal_and_a_wrong_message_are_said(node, port, facade, said):
    port.refusal = 'Not going there: disarmed.'
    node.callbacks[PITCHYAW](SetPitchyaw(pitch_rate=NAN, yaw_rate=NAN))
    facade.attitude(STATUS, 1)
    node.callbacks['gimbal_control/device/set_attitude'](DeviceSetAttitude(target_component=172))
    assert said == [
        port.refusal,
        'A MAVROS gimbal command was refused: it is for the gimbal 172, this one is 154; use that, or 0 for all.',
    ]


# PTZ: the conversion.


@pytest.mark.parametrize('form', [Ptz, lambda pan, tilt, zoom: NestedMoveGoal(Ptz(pan, tilt, zoom))])
def test_pan_right_and_tilt_up_become_azimuth_and_tilt_of_rep_103(form):
    target = ptz_goals.absolute_target(form(0.5, 0.25, 4.0))
    assert (target.goal.azimuth_rad, target.goal.tilt_rad, target.goal.any_turn) == (-0.5, -0.25, True)
    assert (target.zoom_factor, target.clamped) == (4.0, '')


def test_what_is_out_of_range_is_cut_and_said():
    target = ptz_goals.absolute_target(Ptz(4.0, -2.0, 0.5))
    assert (target.goal.azimuth_rad, target.goal.tilt_rad) == (-math.pi, math.pi / 2)
    assert target.zoom_factor == 1.0
    assert target.clamped == (
        ' The pan of 4 rad was cut to +-pi. The tilt of -2 rad was cut to +-pi/2. The zoom of 0.5x was cut to 1x.'
    )


def test_a_goal_that_says_nothing_of_zoom_leaves_it():
    assert ptz_goals.absolute_target(Ptz(0.1, 0.0, 0.0)).zoom_factor is None
    assert ptz_goals.relative_target(Ptz(0.1, 0.0, 0.0), Pointing(0.0, 0.0, 3.0)).zoom_factor is None


def test_a_relative_goal_counts_from_where_the_camera_looks_also_beyond_half_a_turn():
    target = ptz_goals.relative_target(Ptz(0.5, 0.25, 2.0), Pointing(-3.0, 0.5, 3.0))
    assert (target.goal.azimuth_rad, target.goal.tilt_rad, target.goal.any_turn) == (-3.5, 0.25, False)
    assert target.zoom_factor == 5.0
    with pytest.raises(ptz_goals.PtzRefused):
        ptz_goals.relative_target(Ptz(0.5), None)


@pytest.mark.parametrize('form', [FlatRelToGoal, lambda *goal: NestedRelToGoal(Ptz(*goal[:3]), goal[3])])
def test_a_goal_relative_to_a_frame_is_an_orientation_in_it(form):
    target = ptz_goals.relative_to_frame_target(form(0.5, 0.25, 0.0, 'map'), 9)
    assert isinstance(target.goal, OrientationRequest)
    assert (target.goal.frame_id, target.goal.stamp_ns) == ('map', 9)
    forward = matrix_from_quaternion(target.goal.frame_from_camera_wxyz)[:, 0]
    np.testing.assert_allclose(forward, direction_from_bearing(-0.5, -0.25), atol=1e-12)
    plain = ptz_goals.relative_to_frame_target(form(0.5, 0.25, 0.0, ''), 9)
    assert isinstance(plain.goal, AngleGoal)


def test_a_frame_goal_looks_at_its_origin():
    target = ptz_goals.frame_target(FrameGoal('target_link', 2.0), 9)
    assert (target.goal, target.zoom_factor) == (PointRequest(9, 'target_link', (0.0, 0.0, 0.0)), 2.0)


@pytest.mark.parametrize(
    ('goal', 'target_of', 'sentence'),
    [
        (Ptz(NAN), ptz_goals.absolute_target, 'its pan is not a finite number'),
        (Ptz(0.0, math.inf), ptz_goals.absolute_target, 'its tilt is not a finite number'),
        (Ptz(0.0, 0.0, NAN), ptz_goals.absolute_target, 'its zoom is not a finite number'),
        (FrameGoal('x', NAN), lambda goal: ptz_goals.frame_target(goal, 0), 'its zoom is not a finite number'),
        (FrameGoal(), lambda goal: ptz_goals.frame_target(goal, 0), 'its frame_id is empty; name the frame to look at'),
    ],
)
def test_a_ptz_goal_that_is_none_is_refused(goal, target_of, sentence):
    with pytest.raises(ptz_goals.PtzRefused) as refused:
        target_of(goal)
    assert str(refused.value) == f'The PTZ goal was refused: {sentence}.'


@pytest.mark.parametrize(
    ('now', 'mode'),
    [
        (Pointing(-0.5, -0.25, 3.0), PtzState.MODE_IDLE),
        (Pointing(-0.5, -0.25, 3.0, by_goal=True), PtzState.MODE_POSITION),
        (Pointing(-0.5, -0.25, 3.0, by_rate=True), PtzState.MODE_VELOCITY),
        (Pointing(-0.5 + 4 * math.pi, -0.25, 3.0), PtzState.MODE_IDLE),
    ],
)
def test_the_state_has_positions_in_their_signs(now, mode):
    message = PtzState()
    ptz_goals.fill_state(message, now)
    assert (message.mode, message.pan, message.tilt, message.zoom) == (mode, pytest.approx(0.5), 0.25, 3.0)


# PTZ: the action.


class Handle:
    """A goal handle of rclpy: `execute` runs its callback at once here, on the executor there."""

    def __init__(self, request: object) -> None:
        self.request = request
        self.is_cancel_requested = False
        self.feedback: list[object] = []
        self.end = ''
        self.result = None

    def publish_feedback(self, message):
        self.feedback.append(message)

    def execute(self, callback):
        assert not self.end, 'a goal ends once'
        self.result = callback(self)

    def succeed(self):
        self.end = 'succeeded'

    def abort(self):
        self.end = 'aborted'

    def canceled(self):
        self.end = 'canceled'


class ActionServer:
    def __init__(self, node, action, name, *, execute_callback, handle_accepted_callback, cancel_callback) -> None:
        self.accept, self.cancel = handle_accepted_callback, cancel_callback
        self.destroyed = False
        node.servers[name] = self

    def destroy(self):
        self.destroyed = True


class PtzBench:
    def __init__(self, node: Node, port: Port, move: object) -> None:
        self.node, self.port, self.now_ns = node, port, 0
        node.servers = {}
        messages = PtzMessages(move, REL_TO, FRAME, PtzState, ActionServer, 'accept')
        self.facade = PtzFacade(node, port, messages, clock=lambda: self.now_ns)

    def send(self, name: str, goal: object) -> Handle:
        handle = Handle(goal)
        self.node.servers[f'move_ptz/{name}'].accept(handle)
        return handle

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + round(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns += SECOND // 10
            self.node.timer()


@pytest.fixture
def ptz(node, port) -> PtzBench:
    return PtzBench(node, port, FLAT_MOVE)


def test_the_actions_are_clearpaths(node, ptz):
    names = ['move_ptz/position_abs', 'move_ptz/position_rel', 'move_ptz/position_abs_tf', 'move_ptz/frame']
    assert list(node.servers) == names
    ptz.facade.close()
    ptz.facade.close()
    assert all(server.destroyed for server in node.servers.values())
    assert sorted(node.destroyed) == ['ptz_state', 'timer']


def test_a_goal_gives_feedback_until_the_camera_is_there(ptz, port):
    handle = ptz.send('position_abs', Ptz(0.5, 0.25, 0.0))
    ptz.run(1.0)
    assert (handle.end, len(handle.feedback)) == ('', 10)
    assert handle.feedback[-1] == FlatRemaining(0.5, 0.25, 0.0)
    port.move(1, GoalState.REACHED)
    ptz.run(0.1)
    assert (handle.end, handle.result) == ('succeeded', Result(True, 'The camera points there.'))


def test_the_newer_form_of_the_messages_gives_nested_feedback(node, port):
    ptz = PtzBench(node, port, NESTED_MOVE)
    handle = ptz.send('position_rel', NestedMoveGoal(Ptz(0.5, 0.0, 0.0)))
    ptz.run(0.1)
    assert handle.feedback == [NestedRemaining(Ptz(0.5, 0.25, 0.0))]


@pytest.mark.parametrize('state', [GoalState.BLOCKED, GoalState.STALLED, GoalState.TIMED_OUT, GoalState.CANCELLED])
def test_every_other_end_aborts_with_its_reason(ptz, port, state):
    handle = ptz.send('position_abs', Ptz(4.0, 0.0, 0.0))
    port.move(1, state, (0.1, 0.0), 'Azimuth is blocked by its limit.')
    ptz.run(0.1)
    assert handle.end == 'aborted'
    assert handle.result == Result(False, 'Azimuth is blocked by its limit. The pan of 4 rad was cut to +-pi.')


def test_what_the_driver_refuses_aborts_at_once(ptz, port):
    port.refusal = 'Not going there: disarmed; call `arm` first.'
    handle = ptz.send('frame', FrameGoal('target'))
    assert (handle.end, handle.result) == ('aborted', Result(False, port.refusal))
    assert port.zooms == []


def test_what_is_no_goal_aborts_at_once(ptz, port):
    handle = ptz.send('position_abs', Ptz(NAN))
    assert handle.end == 'aborted'
    assert handle.result.message == 'The PTZ goal was refused: its pan is not a finite number.'
    assert port.goals == []


def test_a_cancelled_goal_stops_the_gimbal(ptz, port):
    handle = ptz.send('position_abs', Ptz(0.5))
    ptz.run(0.2)
    assert ptz.node.servers['move_ptz/frame'].cancel(handle) == 'accept'
    handle.is_cancel_requested = True
    ptz.run(0.1)
    assert (handle.end, port.cancelled) == ('canceled', [(1, 'its client')])
    assert handle.result == Result(False, 'The PTZ goal was cancelled by its client.')


def test_a_newer_goal_of_any_action_ends_the_one_before(ptz, port):
    first = ptz.send('position_abs', Ptz(0.5))
    second = ptz.send('position_rel', Ptz(0.1))
    assert (first.end, first.result.message) == ('aborted', 'The PTZ goal was cancelled by a newer PTZ goal.')
    port.move(2, GoalState.REACHED)
    ptz.run(0.1)
    assert second.end == 'succeeded'


def test_a_goal_with_zoom_is_over_when_the_lens_is_there(ptz, port):
    handle = ptz.send('position_abs', Ptz(0.5, 0.0, 4.0))
    assert port.zooms == [4.0]
    port.move(1, GoalState.REACHED)
    ptz.run(1.0)
    assert (handle.end, handle.feedback[-1].zoom_remaining) == ('', 3.0)
    port.now = Pointing(-0.5, 0.0, 3.9)
    ptz.run(0.1)
    assert handle.end == 'succeeded'


def test_a_lens_that_never_gets_there_aborts(ptz, port):
    handle = ptz.send('position_abs', Ptz(0.5, 0.0, 4.0))
    port.move(1, GoalState.REACHED)
    ptz.run(9.5)
    assert handle.end == ''
    ptz.run(1.0)
    assert handle.end == 'aborted'
    assert handle.result.message == 'The camera points there, but its zoom is still 3x away from 4x.'


def test_a_gimbal_without_zoom_ignores_it(ptz, port):
    port.zoom_refusal = 'This device has no camera.'
    handle = ptz.send('position_abs', Ptz(0.5, 0.0, 4.0))
    port.move(1, GoalState.REACHED)
    ptz.run(0.1)
    assert handle.end == 'succeeded'
    assert handle.result.message == 'The camera points there. This device has no camera.'


def test_the_state_is_published_at_least_once_a_second_and_not_while_nothing_is_known(ptz, port, node):
    ptz.run(1.0)
    assert len(node.publishers['ptz_state']) == 10
    port.now = None
    ptz.run(1.0)
    assert len(node.publishers['ptz_state']) == 10


def test_closing_stops_a_running_goal(ptz, port):
    ptz.send('position_abs', Ptz(0.5))
    ptz.facade.close()
    assert port.cancelled == [(1, 'the end of the driver')]


# The messages.


def test_messages_that_are_not_installed_are_none(monkeypatch):
    def absent(name: str) -> object:
        raise ModuleNotFoundError(name)

    for module, messages in (
        (mavros_facade, mavros_facade.mavros_messages),
        (ptz_facade, ptz_facade.ptz_messages),
    ):
        monkeypatch.setattr(module.importlib, 'import_module', absent)
        assert messages() is None


def test_an_installed_package_without_the_gimbal_messages_is_none(monkeypatch):
    monkeypatch.setattr(mavros_facade.importlib, 'import_module', lambda name: SimpleNamespace())
    assert mavros_facade.mavros_messages() is None


@pytest.mark.skipif(mavros_facade.mavros_messages() is None, reason='mavros_msgs is not installed')
def test_the_stand_ins_have_the_fields_of_mavros_msgs():
    installed = mavros_facade.mavros_messages()
    for name, mine in vars(MESSAGES).items():
        assert {each.name for each in fields(mine)} == set(getattr(installed, name).get_fields_and_field_types())
