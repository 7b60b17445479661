# SPDX-License-Identifier: Apache-2.0
"""Every command topic and service, and every topic of telemetry, of one running node: what a robot's other nodes use.

One node and one payload serve the whole file; each test begins armed, with the camera ahead.
"""

from __future__ import annotations

import math
import re

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PointStamped, QuaternionStamped, TwistStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, String

from src.gremsy_gimbal_driver.test.ros_bench import LATCHED, LEVEL, approx, scene

pytestmark = pytest.mark.integration

BASE = 'robot/gimbal_base'


@pytest.fixture(scope='module')
def running(tmp_path_factory):
    with scene(tmp_path_factory.mktemp('commands')) as made:
        made.start(
            imu_rate_hz=20.0,
            range_rate_hz=5.0,
            vehicle_attitude='imu',
            earth_frame='map',
            optical_frames="['eo_optical_frame', 'ir_optical_frame']",
            azimuth_max_rad=1.5,
        )
        yield made
        made.end()


@pytest.fixture
def stage(running):
    user = running.user
    user.trigger('stop')
    running.rest()
    user.wait_until(lambda: not user.controls[-1]['armed'])
    user.arm()
    if max(map(abs, running.payload.angles)) > 0.02:
        running.goes_to(0.0, 0.0)
    return running


def says(stage, sentence):
    stage.user.wait_until(lambda: sentence in stage.node.said, why=lambda: stage.node.said[-3000:])


# Goals.


def test_an_attitude_goal_is_reached_and_told_from_its_begin_to_its_end(stage):
    user = stage.user
    user.goals.clear()
    stage.goes_to(0.3, -0.2)
    number = user.goals[-1]['number']
    assert [(each['number'], each['state'], each['ended']) for each in user.goals[-2:]] == [
        (number, 'moving', False),
        (number, 'reached', True),
    ]
    assert user.goals[-1]['reason'] == 'The gimbal looks at the goal.'
    user.wait_until(lambda: user.controls[-1]['goal'] == 'reached')
    # Latched: who comes later hears it too.
    late = []
    late_subscription = user.node.create_subscription(String, 'gimbal/goal', late.append, LATCHED)
    user.wait_until(lambda: late)
    assert f'"number": {number}' in late[0].data
    user.node.destroy_subscription(late_subscription)


def test_a_goal_that_is_refused_is_answered_where_goals_are(stage):
    user = stage.user
    user.trigger('stop')
    user.look(0.2, 0.0)
    user.wait_until(lambda: user.goals and user.goals[-1]['state'] == 'refused')
    disarmed = user.goals[-1]
    assert (disarmed['number'], disarmed['source'], disarmed['ended']) == (0, 'operator', True)
    assert disarmed['reason'] == 'Not moving: disarmed; call `arm` first.'
    user.look(0.2, 0.0, 'elsewhere')
    user.wait_until(lambda: user.goals[-1]['reason'].startswith("An attitude goal was refused. The frame 'elsewhere' "))
    assert user.goals[-1]['state'] == 'refused'


def test_a_goal_straight_down_keeps_its_azimuth(stage):
    goal = stage.user.goal_after(lambda: stage.user.look(0.4, math.radians(90)))
    assert goal['state'] == 'reached'
    assert stage.payload.angles == approx((0.4, math.radians(90)), 0.03)


def test_a_goal_beyond_our_limit_is_blocked_and_names_it(stage):
    goal = stage.user.goal_after(lambda: stage.user.look(2.0, 0.0))
    assert (goal['state'], goal['reason']) == (
        'blocked',
        'The gimbal stopped short of the goal: the azimuth limit of 1.5 rad, set by the soft limits, lies between.',
    )
    assert goal['remaining_azimuth_rad'] == pytest.approx(0.5, abs=0.03)
    assert stage.payload.angles[0] == pytest.approx(1.5, abs=0.03)


@pytest.mark.slow
def test_a_goal_is_cancelled_by_service_by_a_newer_one_and_by_rates_and_says_by_whom(stage):
    user = stage.user

    def begin():
        before = max((each['number'] for each in user.goals), default=0)
        user.look(-1.4 if stage.payload.angles[0] > -0.5 else 1.4, 0.0)
        user.wait_until(lambda: user.goals and user.goals[-1]['number'] > before and stage.payload.speed > 0.3)
        return user.goals[-1]['number']

    def end_of(number):
        user.wait_until(lambda: any(each['number'] == number and each['ended'] for each in user.goals))
        return next(each for each in user.goals if each['number'] == number and each['ended'])

    first = begin()
    assert user.trigger('cancel') == (True, f'Goal {first} is cancelled.')
    assert end_of(first)['reason'] == 'The goal was cancelled by the operator.'
    stage.rest()
    assert user.trigger('cancel') == (False, 'No goal runs.')
    second = begin()
    newer = user.goal_after(lambda: user.look(0.0, 0.1))
    assert newer['state'] == 'reached'
    second_end = end_of(second)
    assert (second_end['state'], second_end['reason']) == (
        'cancelled',
        'The goal was cancelled by a newer command of the operator.',
    )
    third = begin()
    user.send_for(0.3, lambda: user.rate(user.rates, 0.0, 0.2))
    assert end_of(third)['reason'] == 'The goal was cancelled by a newer command of the operator.'
    stage.rest()
    fourth = begin()
    user.trigger('stop')
    assert end_of(fourth)['reason'] == 'The goal was cancelled by stop.'


def test_a_goal_may_be_given_in_any_frame_that_hangs_from_the_base(stage):
    user = stage.user
    user.wait_until(lambda: user.static_frames.get_subscription_count())
    # The base is turned by 0.5 rad to the left on its vehicle.
    user.transform(user.static_frames, 'base_link', BASE, xyz=(0.2, 0.0, 0.1), yaw=0.5)
    user.spin(0.3)
    goal = user.goal_after(lambda: user.look(0.2, 0.1, 'base_link'))
    assert goal['state'] == 'reached'
    assert stage.payload.angles == approx((-0.3, 0.1), 0.03)
    # A point 5 m ahead of the vehicle at the height of the gimbal, seen from 0.2 m ahead of its origin.
    goal = user.goal_after(lambda: user.look_at((5.0, 2.0, 0.1), 'base_link'))
    assert goal['state'] == 'reached'
    assert stage.payload.angles == approx((math.atan2(2.0, 4.8) - 0.5, 0.0), 0.03)


def test_a_goal_in_an_unknown_or_a_stale_frame_is_refused_and_nothing_moves(stage):
    user = stage.user
    stage.nothing_moves(lambda: user.look(0.5, 0.0, 'nowhere'))
    unknown = "An attitude goal was refused. The frame 'nowhere' is not known; known are "
    assert stage.node.said.count(unknown) == 1
    stage.nothing_moves(lambda: user.look_at((5.0, 5.0, 0.0), 'nowhere'), 0.2)
    stage.nothing_moves(lambda: user.look(0.5, 0.0, ''), 0.2)
    says(stage, f"An attitude goal was refused: its header has no frame_id; use '{LEVEL}'.")
    user.transform(user.frames, BASE, 'mast', yaw=0.3, age_s=3.0)
    user.spin(0.2)
    stage.nothing_moves(lambda: user.look(0.5, 0.0, 'mast'), 0.2)
    stale = (
        rf"An attitude goal was refused\. The transform from '{BASE}' to 'mast' is \d\.\d s old, the limit is 0\.5 s: "
        r'see whether its publisher still runs\.'
    )
    user.wait_until(lambda: re.search(stale, stage.node.said))
    assert int(user.fresh_diagnostics()['stale transform']) > 0
    # The same frame, fresh, is gone to.
    user.transform(user.frames, BASE, 'mast', yaw=0.3)
    user.spin(0.1)
    goal = user.goal_after(lambda: user.look(0.2, 0.0, 'mast'))
    assert goal['state'] == 'reached'
    assert stage.payload.angles == approx((0.5, 0.0), 0.03)


def test_a_point_is_looked_at(stage):
    goal = stage.user.goal_after(lambda: stage.user.look_at((10.0, -5.0, -2.0), LEVEL))
    assert goal['state'] == 'reached'
    assert stage.payload.angles == approx((math.atan2(-5, 10), math.atan2(2, math.hypot(10, 5))), 0.03)


def test_joints_are_turned_one_or_both_and_what_is_no_joint_is_refused(stage):
    user = stage.user
    assert user.goal_after(lambda: user.turn_joints(yaw=0.3, pitch=0.2))['state'] == 'reached'
    assert stage.payload.angles == approx((0.3, 0.2), 0.03)
    assert user.goal_after(lambda: user.turn_joints(pitch=-0.1))['state'] == 'reached'
    assert stage.payload.angles == approx((0.3, -0.1), 0.03)
    stage.nothing_moves(lambda: user.turn_joints(elbow=1.0), 0.2)
    says(
        stage,
        'A joint goal was refused: it names gimbal_elbow_joint; name each of gimbal_yaw_joint, gimbal_roll_joint, '
        'gimbal_pitch_joint once at most.',
    )


def test_home_is_ahead(stage):
    user = stage.user
    stage.goes_to(0.4, 0.3)
    user.goals.clear()
    assert user.trigger('home') == (True, 'Moving home.')
    user.wait_until(lambda: user.goals and user.goals[-1]['ended'])
    assert (user.goals[-1]['state'], user.goals[-1]['reason']) == ('reached', 'The gimbal is home.')
    assert stage.payload.angles == approx((0.0, 0.0), 0.03)


NAN, INF = math.nan, math.inf


def test_what_is_not_a_finite_number_moves_nothing_and_is_said(stage):
    user = stage.user
    for wrong in (NAN, INF, -INF):
        stage.nothing_moves(lambda wrong=wrong: user.rate(user.setpoints, wrong, 0.0), 0.1)
        stage.nothing_moves(lambda wrong=wrong: user.rate(user.rates, 0.3, wrong), 0.1)
        stage.nothing_moves(lambda wrong=wrong: user.look_at((1.0, wrong, 0.0), LEVEL), 0.1)
        stage.nothing_moves(lambda wrong=wrong: user.turn_joints(yaw=wrong), 0.1)
        quaternion = QuaternionStamped()
        quaternion.header.stamp, quaternion.header.frame_id = user.stamp(), LEVEL
        quaternion.quaternion.w = wrong
        stage.nothing_moves(lambda message=quaternion: user.attitude_goals.publish(message), 0.1)
        stage.nothing_moves(lambda wrong=wrong: user.zoom_wishes.publish(Float64(data=wrong)), 0.1)
    for sentence in (
        'A rate command from the tracker was refused: its rates are not finite numbers.',
        'A look-at goal was refused: its point is not of finite numbers.',
        'A joint goal was refused: its positions are not finite numbers.',
        'An attitude goal was refused: its quaternion is not of length 1 or its numbers are not finite.',
        'A zoom of nanx was not sent: use 1 .. 20.',
    ):
        says(stage, sentence)
    assert stage.payload.state.zoom == pytest.approx(1.0)
    stage.goes_to(0.2, 0.1)


@pytest.mark.parametrize('source', ['tracker', 'operator'])
def test_rates_in_another_frame_move_nothing_and_end_what_that_source_asked(source, stage):
    user = stage.user
    publisher = user.setpoints if source == 'tracker' else user.rates
    user.send_until(lambda: stage.payload.speed > 0.2, lambda: user.rate(publisher, 0.3, 0.0))
    user.rate(publisher, 0.3, 0.0, frame='map')
    stage.rest(1.0)
    stage.nothing_moves(lambda: user.rate(publisher, 0.3, 0.0, frame='map'), 0.2)
    says(stage, f"A rate command from the {source} was refused: it is in the frame 'map', rates must be in '{LEVEL}'.")


# Modes, arm, source.


def test_motors_off_lets_the_camera_hang_and_on_brings_it_back(stage):
    user = stage.user
    assert user.switch('motors', False) == (True, 'Changing to mode off.')
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('off', 'confirmed'))
    user.wait_until(lambda: stage.payload.angles[1] == pytest.approx(math.pi / 2, abs=0.02))
    stage.rest()
    refused = 'was refused: the mode is off, the motors with it; change the mode first.'
    stage.nothing_moves(lambda: user.rate(user.rates, 0.3, -0.3), 0.2)
    says(stage, f'A rate command from the operator {refused}')
    stage.nothing_moves(lambda: user.look(0.0, 0.0), 0.2)
    says(stage, f'An angle goal from the operator {refused}')
    assert user.switch('motors', True) == (True, 'Changing to mode follow.')
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('follow', 'confirmed'))
    stage.goes_to(0.1, 0.2)


def test_the_tracker_of_the_named_camera_is_obeyed_and_no_other(stage):
    user = stage.user
    eo = user.node.create_publisher(TwistStamped, 'eo/gimbal/setpoint', 10)
    assert user.set_parameter('setpoint_source', 'eo') == (True, '')
    user.wait_until(eo.get_subscription_count)
    stage.nothing_moves(lambda: user.rate(user.setpoints, 0.4, 0.0))
    user.send_until(lambda: stage.payload.angles[0] > 0.1, lambda: user.rate(eo, 0.4, 0.0))
    assert user.set_parameter('setpoint_source', '') == (True, '')
    stage.rest()
    before = stage.payload.angles[0]
    user.send_until(lambda: stage.payload.angles[0] > before + 0.1, lambda: user.rate(user.setpoints, 0.4, 0.0))
    user.node.destroy_publisher(eo)


def test_the_gimbal_is_handed_from_one_camera_to_another_while_both_go_on_asking(stage):
    user = stage.user
    make = user.node.create_publisher
    eo, ir = (make(TwistStamped, f'{camera}/gimbal/setpoint', 10) for camera in ('eo', 'ir'))
    zooms = make(Float64, 'eo/gimbal/zoom_setpoint', 10)
    assert user.set_parameter('setpoint_source', 'eo') == (True, '')
    user.wait_until(lambda: user.controls[-1]['setpoint_topic'] == '/robot/eo/gimbal/setpoint')
    user.wait_until(lambda: eo.get_subscription_count() and zooms.get_subscription_count())

    def both_ask():
        user.rate(eo, 0.4, 0.0)
        user.rate(ir, -0.4, 0.0)

    user.send_until(lambda: stage.payload.angles[0] > 0.15, both_ask)
    assert user.set_parameter('setpoint_source', 'ir') == (True, '')
    user.send_until(lambda: stage.payload.angles[0] < -0.15, both_ask)
    assert user.controls[-1]['setpoint_topic'] == '/robot/ir/gimbal/setpoint'
    assert user.controls[-1]['armed']
    named = [each for each in user.controls if each['setpoint_topic'] == '/robot/ir/gimbal/setpoint']
    assert list(dict.fromkeys(each['holder'] for each in named))[:2] == ['hand_over', 'tracker']
    says(stage, 'Setpoints are taken on /robot/ir/gimbal/setpoint from now on.')
    says(
        stage,
        "The setpoints on /robot/eo/gimbal/setpoint are refused while `setpoint_source` is 'ir', and counted in "
        '/diagnostics.',
    )
    rows = user.fresh_diagnostics()
    assert rows['setpoints from'] == '/robot/ir/gimbal/setpoint'
    refused = 'setpoints refused, not of `setpoint_source`: /robot/eo/gimbal/setpoint'
    assert int(rows[refused]) > 5
    # Nor does the one that is not the source zoom.
    zooms.publish(Float64(data=3.0))
    user.wait_for_row('zoom setpoints refused, not of `setpoint_source`: /robot/eo/gimbal/setpoint', '1')
    assert stage.payload.state.zoom == pytest.approx(1.0)
    # Back at the first, which had never stopped asking.
    assert user.set_parameter('setpoint_source', 'eo') == (True, '')
    user.send_until(lambda: stage.payload.angles[0] > 0.1, both_ask)
    assert user.set_parameter('setpoint_source', 'nobody') == (True, '')
    user.wait_for_row('setpoints from', '/robot/nobody/gimbal/setpoint, where nobody publishes')
    sentence = (
        "Nobody publishes setpoints on /robot/nobody/gimbal/setpoint, which `setpoint_source` 'nobody' names: start "
        "that camera's tracker, or name another camera."
    )
    says(stage, sentence)
    user.wait_until(lambda: user.health == (ord(DiagnosticStatus.WARN), sentence), why=lambda: user.health)
    stage.rest()
    assert user.set_parameter('setpoint_source', '') == (True, '')
    user.wait_until(lambda: user.controls[-1]['setpoint_topic'] == '/robot/gimbal/setpoint')
    for publisher in (eo, ir, zooms):
        user.node.destroy_publisher(publisher)


@pytest.mark.slow
def test_a_calibration_ends_where_the_operator_moves_the_gimbal(stage):
    user = stage.user
    assert user.trigger('calibrate') == (True, 'The calibration is running: keep the vehicle still.')
    assert user.trigger('calibrate') == (False, 'Not calibrating: it is running already.')
    user.wait_until(lambda: user.controls[-1]['holder'] == 'calibration')
    # A tracker that follows meanwhile is shut out and does not end it.
    user.send_for(0.3, lambda: user.rate(user.setpoints, 0.4, 0.0))
    assert user.fresh_diagnostics(1)['calibration'] == 'The calibration is running: keep the vehicle still.'
    stage.turn(0.2, 0.1)
    says(stage, 'The calibration was ended and the gimbal stopped: the operator asked for motion.')


# Telemetry.


def test_the_plant_is_latched_and_says_where_it_is_from(running):
    running.user.wait_until(lambda: running.user.plants)
    assert running.user.plants[-1] == {
        'delay_s': 0.02,
        'lag_s': 0.06,
        'dead_zone_rad_s': 0.0,
        'source': 'default',
    }


def test_attitude_imu_range_zoom_and_joints_say_what_is_true(stage):
    user = stage.user
    stage.goes_to(0.3, 0.2)
    assert user.set_parameter('lrf_mode', '10hz') == (True, '')
    stage.rest()
    for kept in (user.attitudes, user.imu, user.ranges, user.zooms, user.joints):
        kept.clear()
    user.wait_until(lambda: len(user.attitudes) > 60 and user.imu and user.ranges and user.zooms)
    azimuth, tilt = stage.payload.angles
    q = user.attitudes[-1].orientation
    assert 2 * math.atan2(q.z, q.w) == pytest.approx(azimuth, abs=0.01)
    imu = user.imu[-1]
    assert imu.header.frame_id == 'robot/gimbal_camera'
    # The camera looks down by the tilt, so gravity pushes it up and, by as much, back.
    force = imu.linear_acceleration
    assert (force.x, force.y, force.z) == pytest.approx(
        (-9.80665 * math.sin(tilt), 0.0, 9.80665 * math.cos(tilt)), abs=0.05
    )
    newest = user.ranges[-1]
    assert (newest.header.frame_id, newest.min_range, newest.max_range) == ('robot/gimbal_camera', 5.0, 300.0)
    assert 5.0 < newest.range < 300.0
    assert (list(user.zooms[-1].name), user.zooms[-1].position[0]) == (['zoom'], pytest.approx(1.0, abs=0.01))
    joints = dict(zip(user.joints[-1].name, user.joints[-1].position, strict=True))
    assert joints == pytest.approx(
        {'gimbal_yaw_joint': azimuth, 'gimbal_roll_joint': 0.0, 'gimbal_pitch_joint': tilt}, abs=2e-3
    )
    for kept, least_hz in ((user.attitudes, 40), (user.imu, 15)):
        stamps = [each.header.stamp.sec + each.header.stamp.nanosec * 1e-9 for each in kept]
        assert stamps == sorted(set(stamps))
        assert (len(stamps) - 1) / (stamps[-1] - stamps[0]) > least_hz


def test_a_fed_vehicle_that_turns_is_told_as_the_level_frames_heading(stage):
    user = stage.user

    def turned_rad():
        first, newest = (
            math.atan2(each.orientation.z, each.orientation.w) for each in (user.headings[0], user.headings[-1])
        )
        return math.remainder(2 * (newest - first), 2 * math.pi)

    user.headings.clear()
    user.send_until(lambda: len(user.headings) > 5, lambda: user.feed_vehicle(0.2))
    user.send_until(lambda: turned_rad() == pytest.approx(0.1, abs=0.001), lambda: user.feed_vehicle(0.3))
    assert {each.header.frame_id for each in user.headings} == {'robot/gimbal_level'}
    stamps = [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in user.headings]
    assert stamps == sorted(set(stamps))
    user.send_until(
        lambda: user.diagnostics.get("vehicle's turning told by") == "the vehicle's attitude",
        lambda: user.feed_vehicle(0.3),
    )


def test_a_fed_vehicle_gives_the_camera_against_the_earth_and_goals_in_its_frame(stage):
    user = stage.user
    heading = math.radians(20)
    stage.payload.tell('vehicle 20')
    user.wait_until(lambda: stage.payload.angles[0] == pytest.approx(heading, abs=0.01))
    user.earth.clear()
    user.send_until(lambda: len(user.earth) > 20, lambda: user.feed_vehicle(heading))
    q = user.earth[-1].orientation
    assert 2 * math.atan2(q.z, q.w) == pytest.approx(heading, abs=0.01)
    goal = {}

    def feed():
        user.feed_vehicle(heading)
        if not goal:
            goal['asked'] = user.look(0.5, 0.1, 'map')

    user.goals.clear()
    user.send_until(lambda: user.goals and user.goals[-1]['ended'], feed)
    assert user.goals[-1]['state'] == 'reached'
    assert stage.payload.angles == approx((0.5, 0.1), 0.03)
    stage.payload.tell('vehicle 0')
    user.spin(0.6)
    stage.nothing_moves(lambda: user.look(0.5, 0.1, 'map'), 0.1)
    assert re.search(r"An attitude goal was refused\. The frame 'map' is not known; known are ", stage.node.said), (
        stage.node.said[-2000:]
    )


# The payload's camera.


def zoom_arrives(stage, wanted):
    user = stage.user
    user.wait_until(lambda: stage.payload.state.zoom == pytest.approx(wanted, rel=0.02))
    says(stage, f'Done: zoom to {wanted:g}x; EO_ZOOM reports {wanted:g}x.')
    user.zooms.clear()
    user.wait_until(lambda: user.zooms and user.zooms[-1].position[0] == pytest.approx(wanted, rel=0.02))


def test_a_zoom_is_done_when_the_lens_is_there_and_an_operators_stays(stage):
    user = stage.user
    user.tracker_zooms.publish(Float64(data=3.0))
    zoom_arrives(stage, 3.0)
    user.zoom_wishes.publish(Float64(data=2.0))
    zoom_arrives(stage, 2.0)
    user.tracker_zooms.publish(Float64(data=4.0))
    user.spin(1.0)
    assert stage.payload.state.zoom == pytest.approx(2.0, rel=0.02)


def test_a_zoom_that_the_lens_does_not_have_is_refused(stage):
    stage.user.zoom_wishes.publish(Float64(data=50.0))
    says(stage, 'A zoom of 50x was not sent: use 1 .. 20.')
    stage.user.zoom_wishes.publish(Float64(data=0.0))
    says(stage, 'A zoom of 0x was not sent: use 1 .. 20.')


def test_recording_pictures_focus_and_tracking_are_asked_for_and_their_ends_said(stage):
    user = stage.user
    waiting = 'Waiting for the reply to {}.'
    assert user.switch('record', True) == (True, waiting.format('starting the recording'))
    says(stage, 'Done: starting the recording.')
    assert user.trigger('still') == (True, waiting.format('a picture'))
    says(stage, 'Done: a picture.')
    assert user.switch('record', False) == (True, waiting.format('stopping the recording'))
    says(stage, 'Done: stopping the recording.')
    assert user.trigger('autofocus') == (True, waiting.format('focus auto'))
    says(stage, 'Done: focus auto.')
    place = PointStamped()
    place.point.x, place.point.y = 0.5, 0.5
    user.places.publish(place)
    says(stage, 'Done: starting the tracking.')
    assert user.trigger('stop_tracking') == (True, waiting.format('stopping the tracking'))
    says(stage, 'Done: stopping the tracking.')
    place.point.x = 2.0
    user.places.publish(place)
    says(stage, 'A place in the picture of 2 was not sent: use shares of its width and height, 0 .. 1.')


@pytest.mark.parametrize(
    ('name', 'word', 'reads'),
    [
        ('view_source', 'ir', 'C_SOURCE reads 2'),
        ('record_source', 'both', 'C_V_REC reads 0'),
        ('osd', 'status', 'OSD_MODE reads 2'),
        ('ir_palette', '3', 'C_T_PALETTE reads 3'),
        ('zoom_mode', 'combine', 'C_V_ZM_MODE reads 0'),
        ('focus_mode', 'manual', 'C_V_FM reads 0'),
    ],
)
def test_a_setting_of_the_camera_is_a_live_parameter_and_moves_no_gimbal(name, word, reads, stage):
    before = stage.payload.angles
    assert stage.user.set_parameter(name, word) == (True, '')
    says(stage, f'Done: the setting {name} = {word}; {reads}.')
    # The vendor's SDK stows the gimbal when a camera parameter becomes 0 (gimbal.md 1.12 bug 1).
    stage.user.spin(0.2)
    assert stage.payload.angles == approx(before, 0.005)
    assert stage.user.controls[-1]['mode'] == 'follow'


@pytest.mark.parametrize(
    ('name', 'word', 'allowed'),
    [
        ('view_source', 'sideways', 'one of eo_ir, eo, ir, ir_eo, sync, side_by_side'),
        ('osd', 'on', 'one of off, debug, status'),
        ('ir_palette', '12', '0 .. 9'),
        ('lrf_mode', 'fast', 'one of off, 1hz, 4hz, 10hz'),
    ],
)
def test_a_word_that_the_product_does_not_know_is_refused_with_those_it_does(name, word, allowed, stage):
    assert stage.user.set_parameter(name, word) == (False, f"The setting '{name}' cannot be '{word}': use {allowed}.")


def test_a_mode_that_is_none_is_refused(stage):
    done, reason = stage.user.set_parameter('mode', 'sideways')
    assert not done
    assert reason == "Parameter `mode` is 'sideways': use one of follow, lock, mapping."


def test_an_empty_joint_message_is_refused(stage):
    user = stage.user
    message = JointState()
    message.header.stamp = user.stamp()
    stage.nothing_moves(lambda: user.joint_goals.publish(message), 0.1)
    says(
        stage,
        'A joint goal was refused: it names nothing; name each of gimbal_yaw_joint, gimbal_roll_joint, '
        'gimbal_pitch_joint once at most.',
    )
