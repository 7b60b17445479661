# SPDX-License-Identifier: Apache-2.0
"""What is promised about motion, end to end: whoever dies, hangs, asks too much or asks disarmed, the gimbal is safe.

Node, payload and commander are processes of their own. How far the camera truly turned after an event is compared with
what it may turn at its rate in the promised time; the margin is for a busy machine.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from geometry_msgs.msg import PointStamped

from src.gremsy_gimbal_driver.test.ros_bench import LEVEL, Process, approx, children_of, scene

pytestmark = pytest.mark.integration

RATE = 0.5
TIME_TO_LIVE_S = 0.2
# Delay and lag of the simulated plant; after a stop it turns on for so long at its rate, all told.
PLANT_S = 0.08
BUSY_S = 0.3

COMMANDER = """
import sys, time, rclpy
from geometry_msgs.msg import TwistStamped
rclpy.init()
node = rclpy.create_node('commander', namespace='/robot')
publisher = node.create_publisher(TwistStamped, 'gimbal/setpoint', 10)
message = TwistStamped()
message.header.frame_id = 'robot/gimbal_level'
message.twist.angular.z = float(sys.argv[1])
while True:
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.02)
"""


@pytest.fixture
def stage(tmp_path):
    with scene(tmp_path) as made:
        yield made


@pytest.fixture
def commander(tmp_path):
    """A tracker that is a process of its own and never stops by itself."""
    made = []

    def start():
        made.append(Process(tmp_path / 'commander.log', sys.executable, '-c', COMMANDER, str(RATE)))
        return made[-1]

    yield start
    for each in made:
        each.kill()


def slew(stage):
    """Tracker's setpoints from here until it turns at full rate."""
    user = stage.user
    user.send_until(lambda: stage.payload.speed > 0.95 * RATE, lambda: user.rate(user.setpoints, RATE, 0.0))


def turns_on_for(stage, event, timeout_s=3.0):
    """Seconds at its rate that the camera turned on after the event, until it rested."""
    before = stage.payload.angles[0]
    event()
    deadline = time.monotonic() + timeout_s
    while stage.payload.speed > 1e-3:
        assert time.monotonic() < deadline, f'it still turns: {stage.payload.state}'
        time.sleep(0.002)
    return abs(stage.payload.angles[0] - before) / RATE


def test_a_commander_that_is_killed_mid_slew_leaves_no_motion_after_the_time_to_live(stage, commander):
    stage.start()
    stage.user.arm()
    tracker = commander()
    stage.user.wait_until(lambda: stage.payload.speed > 0.95 * RATE)
    assert turns_on_for(stage, tracker.kill) < TIME_TO_LIVE_S + PLANT_S + BUSY_S
    # The next one may go on: nothing was disarmed.
    commander()
    stage.user.wait_until(lambda: stage.payload.speed > 0.95 * RATE)
    stage.end()
    assert stage.payload.speed < 0.05


@pytest.mark.parametrize('plug', ['udp', pytest.param('pty', marks=pytest.mark.slow)])
def test_a_driver_that_is_killed_mid_slew_is_stopped_by_its_deadman(plug, stage):
    stage.start(plug)
    stage.user.arm()
    slew(stage)
    (deadman,) = children_of(stage.node.pid)
    assert turns_on_for(stage, stage.node.kill) < 0.1 + PLANT_S + BUSY_S
    stage.user.wait_until(lambda: _is_over(deadman))


def test_a_driver_that_hangs_mid_slew_is_stopped_and_does_not_go_on_where_it_was(stage):
    user = stage.user
    stage.start()
    user.arm()
    slew(stage)
    assert turns_on_for(stage, lambda: stage.node.send(signal.SIGSTOP)) < TIME_TO_LIVE_S + 0.1 + PLANT_S + BUSY_S
    before = stage.payload.angles
    stage.node.send(signal.SIGCONT)
    user.spin(0.5)
    assert stage.payload.angles == approx(before, 0.002)
    stage.goes_to(0.0, 0.1)
    stage.end()


@pytest.mark.slow
def test_a_gimbal_that_cannot_be_stopped_by_silence_rests_when_the_node_ends(stage):
    """The payload keeps its last rate for ever: only zeros stop it."""
    stage.start(options={'rate_expiry_s': 0, 'lost_byte_share': 0.02})
    stage.user.arm()
    slew(stage)
    stage.end()
    stage.rest(1.0)


@pytest.mark.parametrize('dying', [pytest.param('udp', marks=pytest.mark.slow), 'pty'])
def test_of_two_links_one_dies_mid_slew_and_motion_goes_on_over_the_other_which_is_said_once(dying, stage):
    user = stage.user
    payload = stage.add_payload('both')
    first, second = dying, {'udp': 'pty', 'pty': 'udp'}[dying]
    stage.add_node(payload.uris[first], second_link=payload.uris[second])
    payload.wait_ready()
    user.wait_until(lambda: user.attitudes)
    user.wait_for_row('link 1 carries motion', 'False')
    user.wait_for_row('link 2 trouble', '')
    user.arm()

    def ask():
        # To and fro, so that it stays within its limits; only a command that arrives turns it round.
        user.rate(user.setpoints, RATE if int(2 * time.monotonic()) % 2 else -RATE, 0.0)

    # Where the second link was heard first, it carries until the first has been steady for 3 s.
    user.send_until(lambda: user.diagnostics.get('link 1 carries motion') == 'True', ask)
    slew(stage)
    payload.tell(f'unplug {dying}')
    end = time.monotonic() + 2.5
    user.send_until(lambda: time.monotonic() >= end, ask)
    before = payload.angles[0]
    user.send_until(lambda: payload.angles[0] < before - 0.15, lambda: user.rate(user.setpoints, -RATE, 0.0))
    user.send_until(lambda: payload.angles[0] > before, lambda: user.rate(user.setpoints, RATE, 0.0))
    user.wait_for_row('link 2 carries motion', 'True')
    stage.rest()
    stage.goes_to(0.0, 0.1)
    payload.tell(f'replug {dying}')
    back = f'The gimbal link {payload.uris[first]} has recovered and is used instead of {payload.uris[second]}.'
    user.wait_until(lambda: back in stage.node.said, why=lambda: stage.node.said)
    stage.goes_to(0.2, 0.0)
    said = stage.end()
    why = 'has fallen silent' if dying == 'udp' else 'is lost'
    assert said.count(f'The gimbal link {payload.uris[first]} {why}: {payload.uris[second]} is used instead.') == 1
    assert 'No attitude has come' not in said


@pytest.mark.slow
def test_a_stop_goes_out_on_every_link_though_the_one_that_carried_the_motion_is_dead(stage):
    user = stage.user
    payload = stage.add_payload('both')
    stage.add_node(payload.uris['udp'], second_link=payload.uris['pty'])
    payload.wait_ready()
    user.wait_until(lambda: user.attitudes)
    user.wait_for_row('link 2 heard', '1/26, 1/101, 1/154')
    user.arm()
    slew(stage)
    payload.tell('unplug udp')
    assert turns_on_for(stage, lambda: user.trigger('stop')) < PLANT_S + BUSY_S
    stage.end()


def test_the_operator_beats_the_tracker_until_its_lease_ends(stage, commander):
    user = stage.user
    stage.start()
    user.arm()
    commander()
    user.wait_until(lambda: stage.payload.speed > 0.95 * RATE)
    assert user.controls[-1]['holder'] == 'tracker'
    user.send_until(
        lambda: stage.payload.state.azimuth_rate_rad_s < -0.2, lambda: user.rate(user.rates, -0.3, 0.0), timeout_s=3.0
    )
    assert user.controls[-1]['holder'] == 'operator'
    # A goal of the operator's is kept from the tracker to its end, and control comes back afterwards.
    goal = user.goal_after(lambda: user.look(-0.3, 0.1))
    assert (goal['state'], goal['source']) == ('reached', 'operator')
    assert stage.payload.angles == approx((-0.3, 0.1), 0.05)
    user.wait_until(lambda: user.controls[-1]['holder'] == 'tracker')
    user.wait_until(lambda: stage.payload.speed > 0.95 * RATE)
    stage.end()


def test_stop_always_works_whatever_goes_on(stage):
    user = stage.user
    stage.start()
    stopped = (True, 'Stopped and disarmed: arm again to move.')

    def rates():
        slew(stage)

    def goal():
        user.look(-1.0, 0.5)
        user.wait_until(lambda: stage.payload.speed > 0.3)

    def home():
        assert user.trigger('home') == (True, 'Moving home.')
        user.wait_until(lambda: stage.payload.speed > 0.3)

    def device_home():
        assert user.trigger('device_home') == (True, 'Changing to mode home.')
        user.wait_until(lambda: stage.payload.speed > 0.3)

    def calibration():
        assert user.trigger('calibrate') == (True, 'The calibration is running: keep the vehicle still.')
        user.wait_until(lambda: stage.payload.speed > 0.03)

    assert user.trigger('stop') == stopped
    for begin in (rates, goal, rates, home, rates, device_home, calibration):
        user.arm()
        begin()
        assert user.trigger('stop') == stopped
        user.wait_until(lambda: stage.payload.speed < 1e-3, 1.0, lambda begin=begin: begin.__name__)
        user.wait_until(lambda: not user.controls[-1]['armed'])
        stage.nothing_moves(lambda: user.rate(user.setpoints, RATE, 0.0), 0.2)
    said = stage.end()
    assert said.count('The calibration was ended and the gimbal stopped: the driver was disarmed.') == 1


def test_disarmed_nothing_moves_for_any_command_topic_or_service(stage):
    user = stage.user
    stage.start()
    place = PointStamped()
    place.point.x = place.point.y = 0.5

    def ask():
        user.rate(user.setpoints, RATE, RATE)
        user.rate(user.rates, RATE, RATE)
        user.look(0.5, 0.5)
        user.turn_joints(yaw=0.5, pitch=0.5)
        user.look_at((5.0, 5.0, -5.0), LEVEL)

    stage.nothing_moves(ask)
    for name, sentence in {
        'home': 'Not moving home: disarmed; call `arm` first.',
        'device_home': 'Not changing to mode home: disarmed; call `arm` first.',
        'calibrate': 'Not calibrating: disarmed; call `arm` first.',
        'cancel': 'No goal runs.',
    }.items():
        assert user.trigger(name) == (False, sentence)
    for name, on, mode in (('lock', True, 'lock'), ('lock', False, 'follow'), ('motors', False, 'off')):
        assert user.switch(name, on) == (False, f'Not changing to mode {mode}: disarmed; call `arm` first.')
    stage.nothing_moves(lambda: None, 0.2)
    # What was asked before is not done when it is armed.
    user.arm()
    stage.nothing_moves(lambda: None, 0.3)
    assert int(user.fresh_diagnostics(1)['disarmed']) > 5
    stage.end()


def test_a_command_lives_for_its_time_to_live_and_no_older_or_future_one_moves_it(stage):
    user = stage.user
    stage.start(time_to_live_s=0.4, age_limit_s=0.5)
    user.arm()
    user.wait_until(lambda: user.rates.get_subscription_count())
    user.rate(user.rates, RATE, 0.0)
    user.wait_until(lambda: stage.payload.speed > 0.1)
    stage.rest()
    # Of one command only: a ramp of 0.07 s on either side.
    assert stage.payload.angles[0] / RATE == pytest.approx(0.4, abs=0.12)
    for age_s in (0.6, 5.0, -0.5):
        stage.nothing_moves(lambda age_s=age_s: user.rate(user.rates, RATE, 0.0, age_s=age_s), 0.2)
        stage.nothing_moves(lambda age_s=age_s: user.look(0.0, 0.3, age_s=age_s), 0.2)
    said = stage.end()
    old = (
        r'A rate command from the operator was refused: its stamp is \d\.\d\d s old, the limit is 0\.5 s; '
        r'stamp it with the time of the image it was computed from\.'
    )
    future = (
        r'A rate command from the operator was refused: its stamp is 0\.\d\d s ahead of this machine; '
        r'synchronise the clocks\.'
    )
    assert len(re.findall(old, said)) == 1
    assert len(re.findall(future, said)) == 1


@pytest.mark.slow
def test_a_command_that_grows_old_on_its_way_dies_by_its_age_before_its_time_to_live(stage):
    user = stage.user
    stage.start(time_to_live_s=1.0, age_limit_s=0.5)
    user.arm()
    user.wait_until(lambda: user.rates.get_subscription_count())
    user.rate(user.rates, RATE, 0.0, age_s=0.2)
    user.wait_until(lambda: stage.payload.speed > 0.1)
    stage.rest()
    assert stage.payload.angles[0] / RATE == pytest.approx(0.3, abs=0.12)
    stage.end()


@pytest.mark.slow
def test_a_goal_too_far_from_where_the_camera_looks_is_refused(stage):
    user = stage.user
    stage.start(max_jump_rad=0.5)
    user.arm()
    refused = (
        'An angle goal from the operator was refused: its azimuth is 0.80 rad (46 degrees) from where the camera '
        'looks, `max_jump_rad` is 0.5 rad; check its frame, or go there in steps.'
    )
    stage.nothing_moves(lambda: user.look(0.8, 0.0))
    user.wait_until(lambda: refused in stage.node.said)
    stage.goes_to(0.4, 0.0)
    stage.goes_to(0.8, 0.0)
    assert stage.end().count(refused) == 1


@pytest.mark.slow
def test_two_drivers_of_one_name_are_refused_and_the_first_goes_on(stage):
    stage.start()
    first = stage.node
    stage.user.arm()
    second = stage.add_node(stage.payload.uris['udp'])
    assert second.wait() != 0
    assert 'Traceback' not in second.said
    assert '/robot/gimbal_driver' in second.said
    stage.goes_to(0.2, 0.1)
    first.end()


@pytest.mark.slow
def test_commands_at_500_a_second_are_obeyed_by_the_newest(stage):
    user = stage.user
    stage.start()
    user.arm()
    sign, end = 1.0, time.monotonic() + 1.5

    def flood():
        nonlocal sign
        for _ in range(10):
            sign = -sign
            user.rate(user.setpoints, sign * RATE, 0.0)
        user.rate(user.setpoints, RATE, 0.0)

    user.send_until(lambda: time.monotonic() >= end, flood)
    # The newest of every bunch goes to the left.
    assert stage.payload.angles[0] > 0.2
    assert turns_on_for(stage, lambda: user.trigger('stop')) < PLANT_S + BUSY_S
    stage.end()


@pytest.mark.slow
def test_rates_beyond_the_limits_are_cut_and_said_once(stage):
    user = stage.user
    stage.start(max_rate_rad_s=0.5, azimuth_max_rad=0.6, tilt_max_rad=0.3)
    user.arm()
    fastest = 0.0

    def ask():
        nonlocal fastest
        fastest = max(fastest, stage.payload.speed)
        user.rate(user.setpoints, 5.0, 5.0)

    user.send_for(3.0, ask)
    azimuth, tilt = stage.payload.angles
    assert fastest < 0.52
    assert azimuth == pytest.approx(0.6, abs=0.03)
    assert tilt == pytest.approx(0.3, abs=0.03)
    stage.rest()
    said = stage.end()
    for sentence in (
        'A rate command is beyond `max_rate_rad_s` (0.5 rad/s) and is cut to it.',
        'The azimuth is at its limit (-3 .. 0.6 rad): motion beyond it is cut off.',
        'The tilt is at its limit (-0.7854 .. 0.3 rad): motion beyond it is cut off.',
    ):
        assert said.count(sentence) == 1, said


@pytest.mark.slow
def test_the_time_to_live_of_the_parameters_is_the_deadmans_too(stage):
    stage.start(time_to_live_s=0.5)
    stage.user.arm()
    slew(stage)
    lived_s = turns_on_for(stage, lambda: stage.node.send(signal.SIGSTOP))
    assert 0.35 < lived_s < 0.5 + 0.1 + PLANT_S + BUSY_S
    stage.node.send(signal.SIGCONT)
    stage.end()


def _is_over(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True
