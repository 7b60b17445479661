# SPDX-License-Identifier: Apache-2.0
"""The simulated main board: telemetry by number, laser, positions, on-board tracking (gimbal.md 2.2, 2.4)."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer
from gremsy_gimbal_sim.board.board import ComponentInformation
from gremsy_gimbal_sim.camera.optics import CameraView
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

DEBUG, PARAM_VALUE, ACK = 254, 22, 77
SET_INTERVAL, REQUEST, USER_4 = 511, 512, 31013
TRACK_POINT, TRACK_RECTANGLE, STOP_TRACKING = 2004, 2005, 2010
ACCEPTED, UNSUPPORTED, FAILED = 0, 3, 4
IDLE, TRACKED, LOST = 0.0, 1.0, 2.0


def bench_of(*asked: str, **options) -> InstantPayload:
    """With these values asked for ten times a second."""
    bench = InstantPayload(PayloadOptions(**options), heartbeats=True)
    for name in asked:
        bench.command(26, SET_INTERVAL, TELEMETRY_NAMES.index(name), 100_000, 0, 0, 0, 0, 1)
    bench.run(0.2)
    return bench


def newest(bench: InstantPayload, name: str) -> float:
    found = [message.value for _, message in bench.messages(DEBUG) if message.ind == TELEMETRY_NAMES.index(name)]
    return found[-1]


def put(bench: InstantPayload, name: str, value: int) -> None:
    raw = value.to_bytes(4, 'little').ljust(128, b'\0')
    bench.send(dialect.MAVLink_param_ext_set_message(1, 101, name.encode(), raw, 5))


def results(bench: InstantPayload) -> list[int]:
    return [message.result for _, message in bench.messages(ACK)]


# Telemetry.


def test_only_the_zoom_comes_unasked():
    bench = bench_of()
    bench.run(4.0)
    assert {message.ind for _, message in bench.messages(DEBUG)} == {0}


def test_each_value_comes_as_often_as_asked_and_stops_when_told():
    bench = bench_of('IR_ZOOM')
    bench.run(5.2)
    assert len([m for _, m in bench.messages(DEBUG) if m.ind == 1]) == pytest.approx(52, abs=2)
    bench.command(26, SET_INTERVAL, 1, -1, 0, 0, 0, 0, 1)
    bench.run(5.3)
    before = len(bench.messages(DEBUG))
    bench.run(7.3)
    assert {m.ind for _, m in bench.messages(DEBUG)[before:]} == {0}
    assert results(bench) == [ACCEPTED, ACCEPTED]


@pytest.mark.parametrize('parameters', [(0, 100_000), (28, 100_000, 0, 0, 0, 0, 1), (0, math.nan, 0, 0, 0, 0, 1)])
def test_a_number_that_it_does_not_have_is_unsupported(parameters):
    bench = bench_of()
    bench.command(26, SET_INTERVAL, *parameters)
    bench.run(1.0)
    assert results(bench) == [UNSUPPORTED]


def test_all_values_can_come_unasked_and_by_name():
    bench = bench_of(telemetry_rate_hz=2.0, telemetry_as_parameters=True)
    bench.run(2.0)
    assert bench.messages(DEBUG) == []
    board = [message for _, message in bench.messages(PARAM_VALUE) if message.get_srcComponent() == 26]
    assert {message.param_id: message.param_index for message in board} == {n: i for i, n in enumerate(TELEMETRY_NAMES)}


def test_settings_of_the_camera_are_told():
    bench = bench_of('VIEW_MODE', 'REC_SRC', 'PALETTE_ID', 'GB_MODE', 'IR_ZOOM', 'FFC_MODE', 'APP_VER_X')
    for name, value in (('C_SOURCE', 2), ('C_V_REC', 1), ('C_T_PALETTE', 7), ('GB_MODE', 1), ('C_T_ZOOM', 3)):
        put(bench, name, value)
    bench.command(26, USER_4, 2, 6, 0)
    bench.run(1.0)
    told = [newest(bench, name) for name in ('VIEW_MODE', 'REC_SRC', 'PALETTE_ID', 'GB_MODE', 'IR_ZOOM', 'FFC_MODE')]
    assert told == [2.0, 1.0, 7.0, 1.0, 4.0, 0.0]
    assert newest(bench, 'APP_VER_X') == 3.0


def test_the_boards_information_is_a_message_that_pymavlink_does_not_have():
    bench = bench_of(model='VIO')
    bench.command(26, REQUEST, ComponentInformation.id)
    bench.run(0.5)
    framer = Framer({ComponentInformation.id: ComponentInformation.crc_extra})
    (frame,) = framer.feed(b''.join(data for _, data in bench.sent))
    layout = ComponentInformation.layout
    fields = layout.unpack(frame.payload.ljust(layout.size, b'\0'))
    texts = [field.split(b'\0')[0] for field in fields[3:]]
    assert texts == [b'GREMSY', b'VIO', b'3.1.0', b'1', b'SIM0001']
    assert frame.component == 26
    assert fields[1] == pytest.approx(12_200, abs=10)


@pytest.mark.parametrize('parameters', [(7, 0), (2, 0, 9), (2, 9), (4, 1), (4, 0, 5), (4, 0, 1, 10, 10, 0, 0)])
def test_vendor_commands_that_it_does_not_know_are_unsupported(parameters):
    bench = bench_of()
    bench.command(26, USER_4, *parameters)
    bench.run(0.5)
    assert results(bench) == [UNSUPPORTED]


@pytest.mark.parametrize('parameters', [(2, 7), (2, 8), (4, 2, 1, 0, 4e6), (4, 3, 0, 1)])
def test_vendor_commands_without_an_effect_here_are_accepted(parameters):
    bench = bench_of()
    bench.command(26, USER_4, *parameters)
    bench.run(0.5)
    assert results(bench) == [ACCEPTED]


# Laser and places.


@pytest.mark.parametrize(('mode', 'measurements'), [(0, 10), (1, 40), (2, 100)])
def test_the_laser_measures_as_often_as_its_mode_says(mode, measurements):
    bench = bench_of(laser_noise_m=0.5)
    put(bench, 'LRF_MODE', mode)
    seen = set()
    for _ in range(1000):
        bench.run(bench.now_s + 0.01)
        seen.add(bench.payload.camera.laser.range_m)
    assert len(seen) == pytest.approx(measurements, abs=2)


def test_the_laser_is_off_at_first_and_can_be_switched_off_again():
    bench = bench_of('LRF_RANGE')
    bench.run(1.0)
    assert newest(bench, 'LRF_RANGE') == 0.0
    put(bench, 'LRF_MODE', 2)
    bench.run(2.0)
    assert newest(bench, 'LRF_RANGE') == 120.0
    put(bench, 'LRF_MODE', 3)
    bench.run(3.0)
    assert newest(bench, 'LRF_RANGE') == 0.0


def test_the_laser_meets_the_ground_where_the_camera_looks_down():
    bench = bench_of('LRF_RANGE', laser_mode=2, laser_height_m=30.0, laser_range_m=120.0)
    bench.point(math.radians(-30.0), 0.0)
    bench.run(6.0)
    assert newest(bench, 'LRF_RANGE') == pytest.approx(60.0, rel=1e-3)
    bench.point(math.radians(10.0), 0.0)
    bench.run(12.0)
    assert newest(bench, 'LRF_RANGE') == 120.0


def test_some_firmware_always_says_zero():
    bench = bench_of('LRF_RANGE', laser_mode=2, laser_says_zero=True)
    bench.run(2.0)
    assert newest(bench, 'LRF_RANGE') == 0.0


def test_the_targets_place_is_that_far_along_the_look_and_a_float32():
    bench = bench_of('TARGET_LON', 'TARGET_LAT', 'TARGET_ALT', 'PAY_LAT', laser_mode=2, laser_range_m=1000.0)
    bench.point(0.0, math.radians(90.0))  # east
    bench.run(6.0)
    options = bench.payload.options
    metre_deg = 1.0 / (111_195.0 * math.cos(math.radians(options.latitude_deg)))
    east_m = (newest(bench, 'TARGET_LON') - options.longitude_deg) / metre_deg
    assert east_m == pytest.approx(1000.0, abs=2.0)
    assert newest(bench, 'TARGET_ALT') == pytest.approx(options.altitude_m, abs=0.5)
    latitude = newest(bench, 'TARGET_LAT')
    assert latitude == float(np.float32(latitude))
    assert abs(newest(bench, 'PAY_LAT') - options.latitude_deg) < 2e-6
    assert newest(bench, 'PAY_LAT') == struct.unpack('<f', struct.pack('<f', options.latitude_deg))[0]


def test_without_a_fix_or_a_range_places_are_zero():
    for options in ({'position_fix': False, 'laser_mode': 2}, {}):
        bench = bench_of('TARGET_LON', 'TARGET_LAT', **options)
        bench.run(2.0)
        assert (newest(bench, 'TARGET_LON'), newest(bench, 'TARGET_LAT')) == (0.0, 0.0)
    bench = bench_of('PAY_LAT', position_fix=False)
    bench.run(2.0)
    assert newest(bench, 'PAY_LAT') == 0.0


def test_a_fed_position_is_passed_on_late_and_once_a_second():
    bench = bench_of('PAY_ALT', position_age_s=0.7)
    seen = []
    for number in range(60):
        altitude_m = 1000.0 + number
        bench.send(dialect.MAVLink_global_position_int_message(0, 0, 0, int(altitude_m * 1000), 0, 0, 0, 0, 0))
        bench.run(bench.now_s + 0.1)
        seen.append((newest(bench, 'PAY_ALT'), altitude_m))
    late = [fed - told for told, fed in seen[30:]]
    assert min(late) >= 6.0  # 0.7 s of them
    assert max(late) <= 19.0
    assert len({told for told, _ in seen[30:]}) == pytest.approx(3, abs=1)


# On-board tracking.


@pytest.mark.parametrize('pixel', [(960.0, 540.0), (100.0, 200.0), (1800.0, 1000.0)])
@pytest.mark.parametrize('look', [(0.0, 0.0), (0.7, 0.4), (-2.0, 1.2)])
def test_a_pixel_is_where_its_bearing_is(pixel, look):
    view = CameraView(*look, math.radians(40.0))
    assert view.pixel(*view.bearing(*pixel)) == pytest.approx(pixel, abs=1e-6)


def test_what_is_behind_or_beside_is_not_in_the_picture():
    view = CameraView(0.0, 0.0, math.radians(40.0))
    assert view.pixel(math.pi, 0.0) is None
    assert view.pixel(math.radians(21.0), 0.0) is None
    assert view.pixel(math.radians(19.0), 0.0) is not None


TRACK = ('TRK_POS_X', 'TRK_POS_Y', 'TRK_POS_W', 'TRK_POS_H', 'TRK_STATUS')


def test_an_active_track_brings_its_target_to_the_middle_and_keeps_it_there():
    bench = bench_of(*TRACK, target_turn_rad_s=0.05)
    bench.command(26, USER_4, 4, 0, 0, 1)
    bench.command(26, USER_4, 4, 0, 1, 1500, 300, 100, 80)
    bench.run(0.4)
    assert newest(bench, 'TRK_STATUS') == TRACKED
    assert newest(bench, 'TRK_POS_X') == pytest.approx(1500, abs=90)
    bench.run(10.0)
    assert newest(bench, 'TRK_POS_X') == pytest.approx(960, abs=150)  # it lags: the target goes on
    assert newest(bench, 'TRK_POS_Y') == pytest.approx(540, abs=15)
    assert (newest(bench, 'TRK_POS_W'), newest(bench, 'TRK_POS_H')) == (100.0, 80.0)
    bench.turn(0.5, 0.5)  # nobody else moves the camera meanwhile
    bench.run(12.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(0.05, abs=0.01)
    bench.command(26, USER_4, 4, 0, 0, 0)
    bench.run(13.0)
    assert newest(bench, 'TRK_STATUS') == IDLE
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(0.0, abs=1e-3)


def test_the_box_grows_with_the_zoom():
    bench = bench_of(*TRACK)
    bench.command(101, TRACK_POINT, 0.5, 0.5)
    bench.run(1.0)
    assert newest(bench, 'TRK_POS_W') == pytest.approx(128.0, abs=0.1)
    bench.command(101, 531, 2, 100 * math.log(3.0) / math.log(20.0))
    bench.run(4.0)
    assert newest(bench, 'TRK_POS_W') == pytest.approx(384.0, abs=1.0)


def test_a_track_is_lost_when_its_target_leaves_the_picture():
    bench = bench_of(*TRACK, track_turns_gimbal=False, target_turn_rad_s=0.2)
    bench.command(101, TRACK_RECTANGLE, 0.45, 0.45, 0.55, 0.55)
    bench.run(1.5)
    assert newest(bench, 'TRK_STATUS') == TRACKED
    bench.run(4.0)
    assert newest(bench, 'TRK_STATUS') == LOST
    assert bench.payload.true_state(0).azimuth_rad == 0.0


def test_a_track_is_lost_after_its_time_where_told():
    bench = bench_of(*TRACK, track_lost_after_s=3.0)
    bench.command(101, TRACK_POINT, 0.6, 0.5)
    bench.run(2.9)
    assert newest(bench, 'TRK_STATUS') == TRACKED
    bench.run(3.6)
    assert newest(bench, 'TRK_STATUS') == LOST


def test_a_trigger_without_a_mode_only_looks_there():
    bench = bench_of(*TRACK)
    target = bench.payload.camera.view().bearing(1500.0, 300.0)
    bench.command(26, USER_4, 4, 0, 1, 1500, 300, 128, 128)
    bench.run(6.0)
    state = bench.payload.true_state(0)
    assert (state.azimuth_rad, state.tilt_rad) == pytest.approx(target, abs=1e-3)
    assert newest(bench, 'TRK_STATUS') == IDLE


@pytest.mark.parametrize('parameters', [(1.5, 0.5), (0.5, -0.1), (math.nan, 0.5)])
def test_a_point_outside_the_picture_is_not_tracked(parameters):
    bench = bench_of()
    bench.command(101, TRACK_POINT, *parameters)
    bench.run(0.5)
    assert results(bench) == [FAILED]


@pytest.mark.parametrize('end', ['stop', 'lost'])
def test_after_tracking_angles_are_dead_until_a_reboot_where_told(end):
    lost_s = 2.0 if end == 'lost' else 0.0
    bench = bench_of(angles_dead='after_tracking', track_lost_after_s=lost_s, boot_s=1.0)
    bench.point(-0.2, 0.1)
    bench.run(4.0)
    assert bench.payload.true_state(0).tilt_rad == pytest.approx(0.2, abs=1e-3)
    bench.command(101, TRACK_POINT, 0.5, 0.5)
    bench.run(7.0)
    bench.command(101, STOP_TRACKING)
    bench.run(8.0)
    before = bench.payload.true_state(0)
    bench.point(0.3, 0.5)
    bench.run(12.0)
    assert bench.payload.true_state(0).azimuth_rad == pytest.approx(before.azimuth_rad, abs=1e-3)
    bench.turn(0.0, 0.2)
    bench.run(13.0)
    assert bench.payload.true_state(0).azimuth_rad < before.azimuth_rad - 0.1
    bench.payload.reboot(13.0)
    bench.run(15.5)
    bench.point(0.3, 0.5)
    bench.run(20.0)
    assert bench.payload.true_state(0).tilt_rad == pytest.approx(-0.3, abs=1e-3)


def test_a_reboot_ends_a_track_and_the_camera_stands():
    bench = bench_of('TRK_STATUS', target_turn_rad_s=0.3)
    bench.command(101, TRACK_POINT, 0.5, 0.5)
    bench.run(2.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s > 0.1
    bench.payload.reboot(2.0)
    bench.run(4.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(0.0, abs=1e-6)
    bench.run(14.0)
    bench.turn(0.0, 0.2)
    bench.run(15.0)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(-0.2, abs=1e-3)
