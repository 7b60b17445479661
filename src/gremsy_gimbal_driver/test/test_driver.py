# SPDX-License-Identifier: Apache-2.0
"""The driver without ROS against the simulated payload, over a real socket and a real tty."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.calibration.calibration_file import CalibratedParameters
from gremsy_gimbal_driver.device.stream_rates import ATTITUDE
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalProgress, GoalState
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions


class Heard:
    """Everything a driver told."""

    def __init__(self) -> None:
        self.attitudes: list[MeasuredAttitude] = []
        self.said: list[str] = []
        self.informed: list[str] = []
        self.written: list[tuple[int, tuple[float, float], int]] = []
        self.goals: list[GoalProgress] = []
        self.listener = DriverListener(
            view=lambda view: self.attitudes.append(view.measured),
            report=self.said.append,
            inform=self.informed.append,
            command_written=lambda *command: self.written.append(command),
            goal=self.goals.append,
        )


def setpoint(azimuth: float, tilt: float = 0.0, **changes) -> RateSetpoint:
    values = {'stamp_ns': time.time_ns(), 'frame_id': 'gimbal_level', **changes}
    return RateSetpoint(azimuth_rate_rad_s=azimuth, tilt_rate_rad_s=tilt, **values)


def rate_granted(driver: GimbalDriver) -> bool | None:
    return driver.status().device.streams[ATTITUDE].granted


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def driver(payload, heard, wait_until) -> Iterator[GimbalDriver]:
    made = GimbalDriver(links_from_uris([payload.uri]), listener=heard.listener)
    made.open()
    wait_until(lambda: heard.attitudes)
    yield made
    made.close()


def test_attitudes_come_at_the_rate_asked_for_and_are_stamped_before_they_arrive(driver, heard, wait_until):
    wait_until(lambda: rate_granted(driver))
    heard.attitudes.clear()
    begun = time.monotonic()
    wait_until(lambda: len(heard.attitudes) >= 50)
    assert 0.5 < (time.monotonic() - begun) < 3.0  # 50 at 50 Hz; 20 Hz is the payload's own default
    stamps = [each.attitude.stamp_ns for each in heard.attitudes]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] <= time.time_ns()
    status = driver.status().device
    assert status.gimbal == Sender(1, 154)
    assert status.information is not None
    assert (status.information.vendor, status.information.firmware) == ('GREMSY', (7, 9, 0))


def test_a_gimbal_whose_ids_are_given_is_found_as_well_and_its_own_limits_are_read(payload, heard, wait_until):
    parameters = GimbalDriverParameters(gimbal_system_id=1, gimbal_component_id=154)
    made = GimbalDriver(links_from_uris([payload.uri]), parameters, heard.listener)
    made.open()
    try:
        wait_until(lambda: made._device.parameters.value('RC_LIM_MAX_TILT') is not None)
        assert sum(sentence.startswith('Found the gimbal 1/154 on ') for sentence in heard.informed) == 1
    finally:
        made.close()


def test_armed_the_gimbal_turns_the_way_it_is_asked_and_disarmed_it_does_not_move(driver, payload, heard, wait_until):
    assert not driver.offer(Source.TRACKER, setpoint(0.5, 0.3))
    assert payload.rate_commands == []
    assert driver.arm(True).done
    stamps = set()
    while payload.angles_rad[0] < 0.1:
        wish = setpoint(0.5, 0.3)
        stamps.add(wish.stamp_ns)
        assert driver.offer(Source.TRACKER, wish)
        time.sleep(0.02)
    azimuth, tilt = payload.angles_rad
    assert azimuth > 0.1
    assert tilt > 0.03
    wait_until(lambda: heard.attitudes[-1].yaw_rad > 0.1)
    assert heard.attitudes[-1].pitch_rad > 0.03
    assert {stamp_ns for stamp_ns, _, _ in heard.written} <= stamps
    assert all(wire_ns > stamp_ns for stamp_ns, _, wire_ns in heard.written)
    assert heard.written[-1][1] == pytest.approx((0.5, 0.3))
    driver.arm(False)
    wait_until(lambda: payload.rate_commands[-1][1:] == (0.0, 0.0))


def end_by_close(driver: GimbalDriver) -> None:
    driver.close()


def end_by_silence(driver: GimbalDriver) -> None:
    time.sleep(0.25)


@pytest.mark.parametrize(
    'end',
    [
        end_by_close,
        end_by_silence,
        lambda driver: driver.stop(),
        lambda driver: driver.arm(False),
        lambda driver: driver.offer(Source.TRACKER, setpoint(float('nan'))),
        lambda driver: driver.offer(Source.TRACKER, setpoint(0.2, frame_id='map')),
    ],
    ids=['close', 'commander silent', 'stop', 'disarm', 'not a number', 'wrong frame'],
)
def test_every_way_out_ends_in_five_zeros(driver, payload, wait_until, end):
    driver.arm(True)
    driver.offer(Source.TRACKER, setpoint(0.5))
    wait_until(lambda: payload.rate_commands)
    end(driver)
    wait_until(lambda: [rates for _, *rates in payload.rate_commands][-5:] == [[0.0, 0.0]] * 5)
    assert payload.rate_commands[-6][1] > 0.0


def test_an_exception_in_a_thread_stops_the_gimbal_and_is_said(udp_payload, wait_until):
    said: list[str] = []
    broken = threading.Event()

    def attitude(_: object) -> None:
        if broken.is_set():
            raise ZeroDivisionError('planted')

    driver = GimbalDriver(
        links_from_uris([udp_payload.uri]), listener=DriverListener(view=attitude, report=said.append)
    )
    driver.open()
    wait_until(lambda: driver.arm(True).done)
    driver.offer(Source.TRACKER, setpoint(0.5))
    wait_until(lambda: udp_payload.rate_commands)
    broken.set()
    wait_until(lambda: udp_payload.rate_commands[-1][1:] == (0.0, 0.0))
    wait_until(lambda: said)
    assert said == [
        "The gimbal driver's reader 0 failed (ZeroDivisionError: planted). Motion is stopped; restart the driver."
    ]
    assert driver.status().failure == "The gimbal driver's reader 0 failed (ZeroDivisionError: planted)."
    driver.close()


def test_a_gimbal_that_was_left_turning_rests_before_its_heartbeat_comes(start_payload, wait_until):
    payload = start_payload(udp=0, options=PayloadOptions(heartbeats_end_after_s=1e-6))
    encoder = MavlinkEncoder(Sender(1, 191))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead_driver:
        dead_driver.connect(('127.0.0.1', payload.port.port))
        dead_driver.send(encoder.heartbeat())
        dead_driver.send(encoder.motion(Sender(1, 154), (0.0, 0.0, 0.3)))
        wait_until(lambda: payload.rate_commands)
    driver = GimbalDriver(links_from_uris([payload.uri]))
    driver.watch_rest()
    driver.open()
    wait_until(lambda: payload.rate_commands[-1][1:] == (0.0, 0.0))
    assert not driver.control().armed
    driver.close()


def test_home_brings_the_camera_back_to_level(driver, payload, heard, wait_until):
    driver.arm(True)
    while payload.angles_rad[0] < 0.15:
        driver.offer(Source.OPERATOR, setpoint(0.8))
        time.sleep(0.02)
    assert driver.home().done
    wait_until(lambda: driver.goal_progress().ended, timeout_s=20.0)
    assert driver.goal_progress().state is GoalState.REACHED
    assert abs(payload.angles_rad[0]) < 0.03


def test_a_hung_driver_is_stopped_by_its_deadman(udp_payload, wait_until):
    hang = threading.Event()
    resume = threading.Event()

    def written(*_: int) -> None:
        if hang.is_set():
            resume.wait()

    driver = GimbalDriver(links_from_uris([udp_payload.uri]), listener=DriverListener(command_written=written))
    driver.open()
    wait_until(lambda: driver.arm(True).done)
    driver.offer(Source.TRACKER, setpoint(0.5))
    wait_until(lambda: udp_payload.rate_commands)
    hang.set()
    driver.offer(Source.TRACKER, setpoint(0.5))
    wait_until(lambda: udp_payload.rate_commands[-1][1:] == (0.0, 0.0))
    hang.clear()
    resume.set()
    driver.close()


def test_a_pty_that_is_unplugged_and_plugged_in_again_is_found(tmp_path, start_payload, wait_until, heard):
    name = tmp_path / 'ttyGREMSY'
    live = start_payload(pty=str(name))
    driver = GimbalDriver(links_from_uris([f'serial://{name}']), listener=heard.listener)
    driver.open()
    wait_until(lambda: heard.attitudes)
    live.close()
    wait_until(lambda: not driver.status().links[0].is_open)
    wait_until(lambda: heard.said)
    assert heard.said[0] == (
        f'The serial port {name} was disconnected: check its plug; it is reopened as soon as it is back.'
    )
    heard.attitudes.clear()
    start_payload(pty=str(name))
    wait_until(lambda: heard.attitudes)
    assert [link.fault for link in driver.status().links] == ['']
    assert driver.status().counts['link_openings'] == 2
    driver.close()


def test_a_reboot_of_the_payload_is_noticed_and_its_rate_asked_for_again(start_payload, wait_until, heard):
    live = start_payload(udp=0, options=PayloadOptions(boot_ms=900_000))
    port = live.port.port
    driver = GimbalDriver(links_from_uris([live.uri]), listener=heard.listener)
    driver.open()
    wait_until(lambda: rate_granted(driver))
    live.close()
    start_payload(udp=port, options=PayloadOptions(boot_ms=100))
    wait_until(lambda: driver.status().counts['device_restarts'] == 1)
    # Until the new clock is believed no 265 must step in, which has neither flags nor rates.
    assert not any('MOUNT_ORIENTATION' in each for each in heard.said)
    wait_until(lambda: rate_granted(driver))
    driver.close()


def test_close_leaves_no_thread_no_process_and_no_descriptor(udp_payload, wait_until, heard):
    def descriptors() -> int:
        return len(list(Path('/proc/self/fd').iterdir()))

    before = threading.active_count(), descriptors()
    for _ in range(3):
        driver = GimbalDriver(links_from_uris([udp_payload.uri]), GimbalDriverParameters(), heard.listener)
        driver.open()
        wait_until(lambda: heard.attitudes)
        driver.close()
        driver.close()
        heard.attitudes.clear()
    assert (threading.active_count(), descriptors()) == before
    children = [each for each in Path('/proc').glob('[0-9]*') if _parent(each) == os.getpid()]
    assert children == []


def _parent(process: Path) -> int:
    try:
        return int((process / 'stat').read_text().rpartition(')')[2].split()[1])
    except OSError:
        return -1


def test_while_a_tracker_follows_and_nothing_tells_how_the_vehicle_turns_it_locks_where_that_is_allowed(
    start_payload, heard, wait_until
):
    payload = start_payload(udp=0, options=PRESETS['old_firmware'])
    settings = GimbalDriverParameters(mode_while_following='lock')
    made = GimbalDriver(links_from_uris([payload.uri]), settings, heard.listener)
    made.open()
    try:
        wait_until(lambda: heard.attitudes)
        made.arm(True)
        wait_until(lambda: made.mode().reported is GimbalMode.FOLLOW)

        def follow_until_locked() -> bool:
            made.offer(Source.TRACKER, setpoint(0.05))
            time.sleep(0.02)
            return made.mode().reported is GimbalMode.LOCK

        wait_until(follow_until_locked)
        assert made.status().device.heading_source == 'the mode: in lock it does not turn'
        # It has ended: three seconds later it is as it was.
        wait_until(lambda: made.mode().reported is GimbalMode.FOLLOW)
    finally:
        made.close()
    assert 'Nothing reports how the vehicle turns: mode lock while a tracker follows.' in heard.informed


def test_a_goal_that_is_refused_is_answered_as_one(driver, heard, wait_until):
    """Whoever asks by a topic has no other answer; one who streams goals gets two answers a second."""
    for _ in range(20):
        assert not driver.go_to(Source.OTHER, AngleGoal(0.1, 0.0, 1.0)).done
    driver.refuse_goal(Source.OPERATOR, 'Nobody knows where that is.')
    wait_until(lambda: len(heard.goals) == 2)
    assert [(each.number, each.source, each.state, each.ended, each.reason) for each in heard.goals] == [
        (0, 'other', GoalState.REFUSED, True, 'Not moving: disarmed; call `arm` first.'),
        (0, 'operator', GoalState.REFUSED, True, 'Nobody knows where that is.'),
    ]
    driver.arm(True)
    number = driver.go_to(Source.OPERATOR, AngleGoal(0.1, 0.0, 5.0)).number
    driver.go_to(Source.TRACKER, AngleGoal(0.2, 0.0, 5.0))
    wait_until(lambda: heard.goals[-1].ended and heard.goals[-1].number == number)
    told = [(each.source, each.state) for each in heard.goals[2:]]
    assert told[-1] == ('operator', GoalState.REACHED)
    assert ('tracker', GoalState.REFUSED) in told


def test_status_may_be_asked_while_readers_count_what_they_never_counted_before():
    driver = GimbalDriver(links_from_uris(['udp://127.0.0.1:9']))
    end = threading.Event()

    def count() -> None:
        number = 0
        while not end.is_set():
            number += 1
            driver._decoders[0].rejects[f'reason {number % 5000}'] += 1
            if number % 5000 == 0:
                driver._decoders[0].rejects.clear()

    reader = threading.Thread(target=count)
    reader.start()
    try:
        for _ in range(300):
            driver.status()
    finally:
        end.set()
        reader.join()


@pytest.mark.parametrize('axes', ['right_forward_up', 'forward_right_down'])
def test_a_gyro_tells_the_turning_only_where_gravity_agrees_with_its_axes(start_payload, heard, wait_until, axes):
    options = replace(PRESETS['old_firmware'], imu_axes=axes)
    settings = GimbalDriverParameters(imu_rate_hz=50.0)
    made = GimbalDriver(links_from_uris([start_payload(udp=0, options=options).uri]), settings, heard.listener)
    askew = (
        'The IMU does not measure gravity upwards with the axes right, forward, up, so its gyro cannot tell how the '
        'vehicle turns: calibrate, which finds `imu_axes`.'
    )
    made.open()
    try:
        if axes == 'forward_right_down':
            wait_until(lambda: made.status().counts.get('imu_askew', 0) > 20)
            assert heard.said == [askew]
            assert made.status().device.heading_source == ''
            made.use_calibration(CalibratedParameters(imu_axes=tuple(axes.split('_'))))
        wait_until(lambda: made.status().device.heading_source == "the camera's gyro less the joint's turning")
        assert heard.said == ([askew] if axes == 'forward_right_down' else [])
    finally:
        made.close()
