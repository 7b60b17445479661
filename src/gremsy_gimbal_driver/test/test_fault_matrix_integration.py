# SPDX-License-Identifier: Apache-2.0
"""Each fault of gimbal.md section 6 that a driver can notice, end to end: node and payload in processes of their own.

Under each, nothing moves while disarmed, and armed the gimbal truly goes where it was asked, by rates and by a goal;
or the refusal and the diagnostic say what is wrong. The node lives to the end of every one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from geometry_msgs.msg import PointStamped

from gremsy_gimbal_sim.options.options import PayloadOptions
from src.gremsy_gimbal_driver.test.ros_bench import approx, scene

pytestmark = pytest.mark.integration

SLOW = pytest.mark.slow


@pytest.fixture
def stage(tmp_path):
    with scene(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Fault:
    """A payload with something wrong, and what is seen of it.

    Attributes:
        options: of the payload.
        parameters: of the node.
        rows: of /diagnostics, at the end.
        counted: rows of /diagnostics that are above 0 at the end.
        said: sentences in the node's log, each exactly once.
        within_rad: how near the goal is reached in truth.
        zero_rad: the true azimuth of the mode's azimuth 0.
    """

    name: str
    options: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    plugs: str = 'udp'
    preset: str = 'ideal'
    rows: dict = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    within_rad: float = 0.03
    zero_rad: float = 0.0


# Lock's azimuth 0 in truth: the gimbal's own earth counts the heading at power-up, truly 0, as this much.
LOCK_ZERO_RAD = -PayloadOptions().own_heading_rad

ANGLES_IGNORED = (
    'The gimbal does not follow angle commands, as some do after on-board tracking: goals are driven by rates until it '
    'restarts; switch it off and on to cure it.'
)
NO_285 = (
    'The gimbal sends no usable GIMBAL_DEVICE_ATTITUDE_STATUS 285: its attitude is taken from MOUNT_ORIENTATION 265, '
    'which has neither flags nor rates; update its firmware if it is older than 7.5.6.'
)
GREMSY_INVERSE = {'dead_zone_rad_s': 0.0350, 'plant_delay_s': 0.15, 'plant_lag_s': 0.1}

STALLED = (
    'The azimuth came no nearer to the goal for 1.5 s although it was commanded, and was stopped: check that nothing '
    'blocks it and that its rate sign is right.'
)
TWICE_OR_ASTRAY = {'ack_duplicated_share': 0.5, 'ack_foreign_share': 0.3, 'duplicated_message_share': 0.3}
ANSWERS_NOTHING = {'ack_lost_share': 1, 'parameters_answered': False, 'device_information': False}

FAULTS = (
    # The link.
    Fault('nothing is wrong', rows={'gimbal': '1/154', 'protocol': 'v2', 'health': 'healthy', 'link trouble': ''}),
    Fault('2 % of the bytes get lost', {'lost_byte_share': 0.02}),
    Fault('1 % of the bytes arrive as others', {'corrupted_byte_share': 0.01}, plugs='pty', counted=('bad checksum',)),
    Fault(
        'messages and acknowledgements come twice, and some are for others',
        TWICE_OR_ASTRAY,
        counted=('attitude not newer', 'acknowledgement for another'),
    ),
    Fault('messages take 100 ms, and up to 50 ms more', {'latency_s': 0.1, 'jitter_s': 0.05}),
    Fault(
        'the wire carries 115200 baud, in pieces of 7 bytes',
        {'paced_bytes_per_s': 11520, 'fragment_bytes': 7},
        plugs='pty',
    ),
    Fault('all of it at once', preset='realistic', parameters=GREMSY_INVERSE, within_rad=0.05),
    # Who talks.
    Fault(
        'system 4, component 171, camera 100, 285 of an old firmware',
        {
            'system': 4,
            'gimbal_component': 171,
            'camera_component': 100,
            'firmware': (7, 8, 4),
        },
        rows={'gimbal': '4/171', 'camera': '4/100', 'payload': '4/26'},
    ),
    Fault(
        'a bare gimbal at 10 Hz',
        {'has_payload': False, 'attitude_rate_hz': 10},
        {'product': 'none', 'attitude_rate_hz': 10.0},
        rows={'camera': '', 'payload': ''},
    ),
    Fault(
        'silent until its rates are set, VERSION_X unasked, and zero triples of another component',
        {'streams_wait_for_interval': True, 'model': 'AEVO', 'version_every_s': 0.1, 'foreign_orientation_hz': 20},
        rows={'model': 'GREMSY AEVO', 'gimbal': '1/154'},
        counted=('from another component',),
    ),
    # What it says.
    Fault(
        'v1 only, and 14 % zero triples',
        {'protocol': 'v1', 'zero_triple_share': 0.14},
        rows={'protocol': 'v1', 'attitude from': 'MOUNT_ORIENTATION 265'},
        counted=('orientation zero triple',),
        said=(NO_285,),
    ),
    Fault(
        'v1 only, with the pan of before 2022',
        {'protocol': 'v1', 'v1_pan_inverted': True},
        {'v1_yaw_sign': -1},
        rows={'protocol': 'v1'},
    ),
    Fault('v2 commanded by v1', parameters={'protocol': 'v1'}, rows={'protocol': 'v1'}),
    Fault('285 with extensions that its flags disown', {'yaw_frame_flags': False}),
    Fault('one fast stream only', {'fast_streams': 'refuse'}, {'imu_rate_hz': 50.0}),
    Fault(
        'no acknowledgement, no parameter, not a word of who it is',
        ANSWERS_NOTHING,
        rows={'model': '', 'protocol': 'v2'},
    ),
    Fault('parameters of old firmware, late', {'parameter_names': 'old', 'parameter_delay_s': 2}),
    Fault('half of the parameters get lost', {'parameter_lost_share': 0.5}),
    Fault('the clock goes round', {'boot_ms': 2**32 - 3000}, rows={'device restarts': '0'}),
    Fault('noise and dither', {'attitude_noise_rad': 0.00035, 'yaw_dither_rad': 0.0035}, within_rad=0.04),
    Fault(
        'faults in status2',
        {'fault_bits': 0x0005},
        rows={'health': 'IMU fault, roll motor fault', 'status': 'motors on, follow'},
    ),
    Fault('failure flags in 285', {'failure_flags': 8 | 32}, rows={'health': 'encoder error, motor error'}),
    Fault('status1 says more', {'extra_status_bits': 0x0008}, rows={'health': 'battery low'}),
    Fault('acknowledgements are 0.7 s late', {'ack_delay_s': 0.7}),
    # Modes.
    Fault('off at power-up', {'start_mode': 'off'}, rows={'mode': 'follow', 'mode state': 'confirmed'}),
    Fault('lock at power-up', {'start_mode': 'lock'}, rows={'mode': 'follow', 'mode state': 'confirmed'}),
    Fault('RC_MODE is not standard', {'rc_mode': 0}),
    Fault('a mode is shown 1 s late', {'mode_delay_s': 1, 'start_mode': 'off'}),
    # Motion.
    Fault('a rate command ends after 0.2 s', {'rate_expiry_s': 0.2}),
    Fault('a dead zone of 2 deg/s, and 250 ms', preset='gremsy', parameters=GREMSY_INVERSE),
    Fault('angles are dead', {'angles_dead': 'always'}, said=(ANGLES_IGNORED,)),
    Fault('an angle is taken the second time', {'angle_needs_twice': True}),
    Fault('it turns as the command and not the nearest way', {'angle_path': 'direct'}),
    Fault('the gimbal smooths its angles', {'smoothing': 0.3}),
    Fault(
        'the heading drifts',
        {'drift_rad_s': 0.001, 'start_mode': 'lock'},
        {'mode': 'lock'},
        zero_rad=LOCK_ZERO_RAD,
    ),
    Fault('the vehicle sways', {'vehicle_pitch_rad': 0.1, 'vehicle_roll_rad': 0.1}),
)


# A case takes some seconds: these five of different kinds run every time, the others with `./gremsy test --all`.
EVERY_TIME = (
    'all of it at once',
    'v1 only, and 14 % zero triples',
    'RC_MODE is not standard',
)


def cases():
    assert {fault.name for fault in FAULTS} >= set(EVERY_TIME)
    return [pytest.param(fault, id=fault.name, marks=() if fault.name in EVERY_TIME else SLOW) for fault in FAULTS]


@pytest.mark.parametrize('fault', cases())
def test_under_every_fault_it_goes_where_it_is_asked_and_only_when_armed(fault, stage):
    user = stage.user
    stage.start(fault.plugs, fault.preset, fault.options, **fault.parameters)

    def ask():
        user.rate(user.setpoints, 0.5, 0.3)
        user.rate(user.rates, 0.5, 0.3)
        user.look(0.3, 0.3)

    stage.nothing_moves(ask, 0.2)
    user.arm()
    user.wait_until(lambda: user.controls[-1]['mode_state'] == 'confirmed')
    # A camera that hangs straight down can only come up.
    stage.turn(0.2, -0.15 if stage.payload.angles[1] > 1.0 else 0.15, user.setpoints, rate=0.8)
    stage.goes_to(0.0, 0.25, fault.within_rad, zero_rad=fault.zero_rad)
    assert user.trigger('stop') == (True, 'Stopped and disarmed: arm again to move.')
    stage.rest()
    stage.nothing_moves(ask, 0.1)

    for key, value in fault.rows.items():
        user.wait_for_row(key, value)
    for key in fault.counted:
        user.wait_until(lambda key=key: int(user.diagnostics.get(key, 0)) > 0, why=lambda: user.diagnostics)
    said = stage.end()
    for sentence in fault.said:
        assert said.count(sentence) == 1, said


# Plugs and power.


@pytest.mark.parametrize('plug', [pytest.param('udp', marks=SLOW), 'pty'])
def test_a_plug_pulled_mid_slew_is_said_and_put_in_again_the_gimbal_is_stopped_and_obeys(plug, stage):
    user = stage.user
    stage.start(plug)
    user.arm()
    user.send_until(lambda: stage.payload.speed > 0.4, lambda: user.rate(user.setpoints, 0.5, 0.0))
    stage.payload.tell(f'unplug {plug}')
    # Nobody can stop it now: this payload's last rate holds until it hears another.
    user.send_for(1.5, lambda: user.rate(user.setpoints, 0.5, 0.0))
    stage.payload.tell(f'replug {plug}')
    user.attitudes.clear()
    user.wait_until(lambda: user.attitudes)
    stage.rest()
    stage.goes_to(0.1, 0.1)
    said = stage.end()
    lost = 'No attitude has come from the gimbal for 1 s: motion is stopped until it comes again.'
    if plug == 'pty':
        port = stage.payload.pty
        assert said.count(
            f'The serial port {port} was disconnected: check its plug; it is reopened as soon as it is back.'
        )
    assert said.count(lost) == 1, said


def test_a_reboot_mid_slew_is_said_and_afterwards_it_obeys(stage):
    user = stage.user
    stage.start(options={'boot_ms': 900_000, 'start_mode': 'off'})
    user.arm()
    user.send_until(lambda: stage.payload.speed > 0.3, lambda: user.rate(user.setpoints, 0.4, -0.2))
    stage.payload.tell('reboot 0.5')
    user.wait_for_row('device restarts', '1')
    # It came up in OFF, as at power-up: the mode is asserted again, since the driver is still armed.
    user.wait_for_row('mode state', 'confirmed')
    stage.goes_to(0.2, 0.3)
    assert stage.end().count('The gimbal restarted: everything is asked for again.') == 1


@SLOW
def test_a_device_that_was_away_for_ten_seconds_is_found_again_by_itself(stage):
    user = stage.user
    stage.start(options={'boot_ms': 900_000})
    user.arm()
    stage.payload.tell('reboot 10')
    user.wait_until(lambda: 'The gimbal has been silent for 6 s' in stage.node.said)
    user.wait_for_row('gimbal', '', 15.0)
    user.wait_for_row('gimbal', '1/154', 20.0)
    user.attitudes.clear()
    user.wait_until(lambda: len(user.attitudes) > 50, 20.0)
    stage.goes_to(0.2, 0.1)
    said = stage.end()
    silent = 'The gimbal has been silent for 6 s: check its power and its cable; it is found again by itself.'
    assert said.count(silent) == 1


@SLOW
def test_a_gimbal_whose_heartbeats_stop_is_still_moved(stage):
    user = stage.user
    stage.start(options={'heartbeats_end_after_s': 1.0})
    user.arm()
    user.spin(8.0)
    stage.turn(0.2, 0.1)
    stage.goes_to(0.0, 0.2)
    assert 'silent' not in stage.end()


# Modes.


@SLOW
def test_lock_and_follow_change_the_frame_of_the_angles_and_nothing_jumps(stage):
    user = stage.user
    stage.start()
    user.arm()
    stage.payload.tell('vehicle 40')
    heading = math.radians(40)
    user.wait_until(lambda: stage.payload.angles == approx((heading, 0.0), 0.01))
    # In follow azimuth 0 is the vehicle's heading.
    stage.goes_to(0.2, 0.1, zero_rad=heading)

    before = stage.payload.angles
    assert user.switch('lock', True) == (True, 'Changing to mode lock.')
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('lock', 'confirmed'))
    user.spin(0.3)
    assert stage.payload.angles == approx(before, 0.01)
    stage.payload.tell('vehicle 80')
    user.spin(0.5)
    assert stage.payload.angles == approx(before, 0.02)
    stage.goes_to(0.5, 0.1, zero_rad=LOCK_ZERO_RAD)

    before = stage.payload.angles
    assert user.switch('lock', False) == (True, 'Changing to mode follow.')
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('follow', 'confirmed'))
    user.spin(0.3)
    assert stage.payload.angles == approx(before, 0.01)
    stage.goes_to(0.0, 0.0, zero_rad=math.radians(80))
    stage.end()


@SLOW
def test_mapping_looks_straight_down_and_home_comes_back_though_edges_are_missed(stage):
    user = stage.user
    stage.start(options={'missed_home_share': 0.5, 'mode_delay_s': 0.3})
    # Disarmed it is only remembered.
    assert user.set_parameter('mode', 'mapping') == (True, '')
    stage.nothing_moves(lambda: None, 0.3)
    user.arm()
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('mapping', 'confirmed'))
    user.wait_until(lambda: stage.payload.angles[1] == pytest.approx(math.radians(90), abs=0.02))
    user.send_until(lambda: stage.payload.angles[0] > 0.3, lambda: user.rate(user.rates, 0.5, 0.0))
    stage.rest()
    assert stage.payload.angles[1] == pytest.approx(math.radians(90), abs=0.02)
    assert user.set_parameter('mode', 'follow') == (True, '')
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('follow', 'confirmed'))
    assert user.trigger('device_home') == (True, 'Changing to mode home.')
    user.wait_until(lambda: stage.payload.angles == approx((0.0, 0.0), 0.02))
    user.wait_until(lambda: (user.controls[-1]['mode'], user.controls[-1]['mode_state']) == ('follow', 'confirmed'))
    stage.rest()
    stage.goes_to(0.2, 0.2)
    stage.end()


@SLOW
def test_a_board_that_puts_in_its_own_mode_is_named_and_its_goals_refused(stage):
    user = stage.user
    stage.start(options={'forwards_flags': False})
    user.arm()
    stage.turn(0.2, 0.1)
    before = stage.payload.angles
    assert user.switch('lock', True) == (True, 'Changing to mode lock.')
    refused = (
        'An angle goal from the operator was refused: the gimbal is in mode follow and not yet in mode lock; '
        'ask again when it is.'
    )
    user.send_until(lambda: refused in stage.node.said, lambda: user.look(0.5, 0.0))
    taken = (
        'The gimbal is in mode follow and does not take the mode lock, requested for 5 s: check that it is '
        'controlled by MAVLink (RC_MODE 1, on MB1 payloads GB_FW_FLAG 1); requests go on, less often.'
    )
    user.wait_until(lambda: taken in stage.node.said)
    user.wait_for_row('mode state', 'unconfirmed the gimbal stays in follow')
    assert stage.payload.angles == approx(before, 0.02)
    assert stage.end().count(taken) == 1


# Motion.


@SLOW
@pytest.mark.parametrize(
    ('options', 'parameters'),
    [
        pytest.param({'rc_mode': 0}, {'claim_control': False}, id='RC_MODE is left alone'),
        pytest.param({'rc_exclusive': True}, {}, id='a remote control holds it'),
        pytest.param({}, {}, id='the motor does not turn'),
    ],
)
def test_a_gimbal_that_does_not_turn_stalls_a_goal_which_says_so(options, parameters, stage):
    user = stage.user
    stage.start(options=options, **parameters)
    if not options:
        stage.payload.tell('stall azimuth')
    user.arm()
    goal = user.goal_after(lambda: user.look(0.3, 0.0))
    assert (goal['state'], goal['reason']) == ('stalled', STALLED)
    user.wait_for_row('goal reason', STALLED)
    assert stage.payload.angles == approx((0.0, 0.0), 0.01)
    # Nothing goes on in the background: freed, it stays.
    if not options:
        stage.payload.tell('stall none')
        user.spin(0.5)
        assert stage.payload.angles == approx((0.0, 0.0), 0.01)
        stage.goes_to(0.3, 0.1)
    assert stage.end().count(STALLED) == 1


@SLOW
def test_angles_that_are_dead_after_on_board_tracking_are_replaced_by_rates(stage):
    user = stage.user
    stage.start(options={'angles_dead': 'after_tracking', 'target_turn_rad_s': 0.2})
    user.arm()
    assert stage.goes_to(0.1, 0.0)['path'] == 'angle'
    place = PointStamped()
    place.point.x, place.point.y = 0.5, 0.5
    user.wait_until(lambda: user.places.get_subscription_count())
    user.places.publish(place)
    user.wait_until(lambda: stage.payload.angles[0] > 0.2)
    done, _ = user.trigger('stop_tracking')
    assert done
    stage.rest()
    assert stage.goes_to(0.0, 0.1)['path'] == 'rate'
    stage.payload.tell('reboot 0.3')
    user.wait_for_row('device restarts', '1')
    user.wait_for_row('mode state', 'confirmed')
    assert stage.goes_to(0.2, 0.1)['path'] == 'angle'
    assert stage.end().count(ANGLES_IGNORED) == 1


@SLOW
@pytest.mark.parametrize('says_its_limits', [True, False])
def test_the_limits_of_the_gimbal_block_a_goal_by_name_whoever_knows_them(says_its_limits, stage):
    user = stage.user
    stage.start(
        options={
            'soft_tilt_limits_deg': '-20,20',
            'plant.azimuth_limit_rad': 0.4,
            'device_information': says_its_limits,
        }
    )
    user.arm()
    user.spin(0.5)
    goal = user.goal_after(lambda: user.look(0.0, 0.6))
    assert (goal['state'], goal['reason']) == (
        'blocked',
        'The gimbal stopped short of the goal: the tilt limit of 0.349066 rad, set by '
        "the gimbal's RC_LIM parameters, lies between.",
    )
    assert stage.payload.angles[1] == pytest.approx(math.radians(20), abs=0.03)
    goal = user.goal_after(lambda: user.look(0.8, 0.0))
    # A mechanical stop that it does not say shows in its failure flags only.
    reason = (
        'The gimbal stopped short of the goal: the azimuth limit of 0.4 rad, set by '
        "the gimbal's own limits, lies between."
        if says_its_limits
        else 'The gimbal reports that its azimuth is at its own limit: the goal is not reached.'
    )
    assert (goal['state'], goal['reason']) == ('blocked', reason)
    assert stage.payload.angles[0] == pytest.approx(0.4, abs=0.02)
    stage.goes_to(0.0, 0.1)
    stage.end()


@SLOW
def test_a_slow_rate_in_a_dead_zone_is_made_of_pulses(stage):
    user = stage.user
    stage.start(preset='gremsy', **GREMSY_INVERSE)
    user.arm()
    begin = stage.payload.angles[0]
    user.send_for(3.0, lambda: user.rate(user.setpoints, math.radians(1.0), 0.0))
    stage.rest()
    assert math.degrees(stage.payload.angles[0] - begin) == pytest.approx(3.0, abs=0.6)
    stage.end()


@SLOW
def test_more_vehicle_attitudes_than_a_gimbal_can_take_do_not_drown_its_commands(stage):
    user = stage.user
    stage.start(options={'overload_hz': 60}, vehicle_attitude='imu', earth_frame='map')
    user.arm()
    sent = 0

    def feed():
        nonlocal sent
        for _ in range(4):
            user.feed_vehicle(0.3)
        user.rate(user.setpoints, 0.2, 0.0)
        sent += 4

    user.send_for(2.0, feed)
    counted = user.fresh_diagnostics(1)
    assert sent > 300
    assert 50 <= int(counted['vehicle states sent']) <= 50 * 4
    assert stage.payload.angles[0] == pytest.approx(0.4, abs=0.08)
    stage.end()


@SLOW
def test_joint_states_come_from_encoders_that_begin_at_an_offset(stage):
    user = stage.user
    stage.start(
        options={'encoder_tilt_offset_counts': 4000},
        encoders='counts',
        encoder_zeros='[0.0, 0.0, 4000.0]',
    )
    user.wait_for_row('joint states from', 'encoders')
    user.arm()
    stage.goes_to(0.3, 0.2)
    stage.rest()
    user.joints.clear()
    user.wait_until(lambda: len(user.joints) > 20)
    joints = dict(zip(user.joints[-1].name, user.joints[-1].position, strict=True))
    azimuth, tilt = stage.payload.angles
    assert joints == pytest.approx(
        {'gimbal_yaw_joint': azimuth, 'gimbal_roll_joint': 0.0, 'gimbal_pitch_joint': tilt}, abs=0.003
    )
    stage.end()
