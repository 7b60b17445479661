# SPDX-License-Identifier: Apache-2.0
"""Gimbals that are not Gremsy's, alone, beside another make's camera and behind a manager."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.cli.gremsy_gimbal import main
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalState
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from src.gremsy_gimbal_driver.test.foreign_gimbal import (
    BEHIND_A_MANAGER,
    MAVSDK,
    PX4,
    STORM32,
    ForeignGimbal,
    Style,
    foreign_gimbal,
)

STYLES = pytest.mark.parametrize(
    'style', [PX4, MAVSDK, STORM32, BEHIND_A_MANAGER], ids=['px4', 'mavsdk', 'storm32', 'behind_a_manager']
)
RC_MODE_WRITTEN = dialect.MAVLINK_MSG_ID_PARAM_EXT_SET
RETRACT, CONFIGURE = dialect.GIMBAL_DEVICE_FLAGS_RETRACT, dialect.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE

StartGimbal = Callable[[Style], ForeignGimbal]


@pytest.fixture
def start() -> Iterator[StartGimbal]:
    """A gimbal of that style on a free port; it ends with the test."""
    running = []

    def begin(style: Style) -> ForeignGimbal:
        context = foreign_gimbal(style)
        running.append(context)
        return context.__enter__()

    yield begin
    for context in running:
        context.__exit__(None, None, None)


class Driven:
    """The driver on such a gimbal, and what it says."""

    def __init__(self, gimbal: ForeignGimbal, **settings: object) -> None:
        self.said: list[str] = []
        self.informed: list[str] = []
        listener = DriverListener(report=self.said.append, inform=self.informed.append)
        self.driver = GimbalDriver(links_from_uris([gimbal.uri]), GimbalDriverParameters(**settings), listener)
        self.driver.open()

    def until(self, true: Callable[[], object], timeout_s: float = 8.0) -> None:
        end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end, (self.said, self.informed)
            time.sleep(0.01)

    def armed(self) -> GimbalDriver:
        self.until(lambda: self.driver.view is not None and self.driver.status().device.information is not None)
        assert self.driver.arm(True).done
        return self.driver

    def turned_by(self, azimuth_deg: float) -> None:
        """A goal that is reached."""
        number = self.armed().go_to(Source.OPERATOR, AngleGoal(math.radians(azimuth_deg), None, 5.0)).number
        self.until(lambda: self.driver.goal_progress(number).ended)
        assert self.driver.goal_progress(number).state is GoalState.REACHED


@pytest.fixture
def drive() -> Iterator[Callable[..., Driven]]:
    driven = []

    def begin(gimbal: ForeignGimbal, **settings: object) -> Driven:
        driven.append(Driven(gimbal, **settings))
        return driven[-1]

    yield begin
    for each in driven:
        each.driver.close()


def tool(gimbal: ForeignGimbal, *arguments: str) -> int:
    return main([*arguments, '--link', gimbal.uri])


@STYLES
def test_it_moves_to_angles_and_by_rates(style, start, drive):
    gimbal = start(style)
    driven = drive(gimbal)
    driver = driven.armed()
    number = driver.go_to(Source.OPERATOR, AngleGoal(math.radians(10.0), math.radians(5.0), 5.0)).number
    driven.until(lambda: driver.goal_progress(number).ended)
    assert driver.goal_progress(number).state is GoalState.REACHED
    assert gimbal.angles_deg == (pytest.approx(10.0, abs=1.0), pytest.approx(5.0, abs=1.0))
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        driver.offer(Source.OPERATOR, RateSetpoint(time.time_ns(), 'gimbal_level', math.radians(20.0), 0.0))
        time.sleep(0.04)
    driven.until(lambda: gimbal.angles_deg[0] > 13.0)
    driver.stop()
    assert driven.said == []


def test_it_is_told_by_what_the_gimbal_is_commanded(start, drive):
    direct, behind = start(MAVSDK), start(BEHIND_A_MANAGER)
    driven, through = drive(direct), drive(behind)
    driven.armed()
    through.turned_by(5.0)
    assert 'The gimbal is commanded by protocol v2.' in driven.informed
    assert (
        'The gimbal is commanded through the gimbal manager 4/1, the only one that it obeys; that obeys us from the '
        'first command on.'
    ) in through.informed
    assert behind.heard[dialect.MAVLINK_MSG_ID_GIMBAL_MANAGER_SET_ATTITUDE] > 0
    assert direct.heard[76, CONFIGURE] == 0


def test_a_manager_that_gave_control_is_not_asked_for_it_again(start, drive):
    gimbal = start(BEHIND_A_MANAGER)
    driven = drive(gimbal)
    driven.turned_by(5.0)
    asked = gimbal.heard[76, CONFIGURE]
    assert (asked > 0, gimbal.controlled_by) == (True, Sender(1, 191))
    driven.turned_by(8.0)
    assert (gimbal.heard[76, CONFIGURE], gimbal.angles_deg[0]) == (asked, pytest.approx(8.0, abs=1.0))
    driven.driver.close()
    driven.until(lambda: gimbal.controlled_by is None)


def test_a_manager_that_keeps_control_for_another_is_said(start, capsys):
    gimbal = start(replace(BEHIND_A_MANAGER, keeps_control=Sender(255, 190)))
    assert tool(gimbal, 'move', '--azimuth', '5', '--yes') == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: The move ended (stalled): The azimuth came no nearer to the goal for 1.5 s although it was '
        'commanded, and was stopped: check that nothing blocks it and that its rate sign is right. The gimbal manager '
        '4/1 does not obey us (it obeys 255/190), so nothing moves: release the gimbal there.\n'
    )
    assert gimbal.heard[76, CONFIGURE] < 30


def test_a_gremsy_near_a_manager_is_commanded_directly(start, drive):
    gimbal = start(replace(BEHIND_A_MANAGER, vendor=b'Gremsy Co', cap_flags=0))
    driven = drive(gimbal)
    driven.armed()
    driven.until(lambda: 'The gimbal is commanded by protocol v2.' in driven.informed)
    assert driven.driver.status().device.protocol == 'v2'


def test_another_makes_camera_is_not_told_what_only_a_gremsys_knows(start, drive):
    gimbal = start(MAVSDK)
    driven = drive(gimbal, claim_control=True)
    driven.until(lambda: driven.driver.status().device.camera is not None)
    driven.armed()
    time.sleep(0.5)
    assert (gimbal.heard[RC_MODE_WRITTEN], driven.said) == (0, [])


@STYLES
def test_a_mode_that_it_says_it_has_not_is_refused_at_once_and_never_asked_for(style, start, drive, capsys):
    gimbal = start(style)
    modes = 'follow, home' if style is PX4 else 'lock, follow, home'
    began = time.monotonic()
    assert tool(gimbal, 'mode', 'off', '--yes') == 1
    assert time.monotonic() - began < 4.0
    sentence = f'the gimbal reports (message 283) that it has no mode off; it has {modes}.'
    assert capsys.readouterr().err == f'gremsy_gimbal: The mode was not changed: {sentence}\n'
    driver = drive(gimbal).armed()
    assert driver.set_mode(Source.OPERATOR, GimbalMode.OFF).text == f'Not changing the mode: {sentence}'
    assert not gimbal.flags_seen & RETRACT


def test_a_mode_wanted_from_the_start_that_it_has_not_is_said_and_not_asked_for(start, drive):
    gimbal = start(PX4)
    driven = drive(gimbal)
    driven.until(lambda: driven.driver.status().device.information is not None)
    answer = driven.driver.prefer_mode(GimbalMode.LOCK)
    lacks = 'the gimbal reports (message 283) that it has no mode lock; it has follow, home.'
    assert answer.text == f'Not preferring the mode: {lacks}'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['get', 'PWR_TILT'], 'did not answer for parameter `PWR_TILT`'),
        pytest.param(['list'], 'sent no list of parameters', marks=pytest.mark.slow),
    ],
)
def test_parameters_that_it_has_not_are_nobody_elses_fault(arguments, sentence, start, capsys):
    assert tool(start(PX4), 'params', *arguments) == 1
    assert capsys.readouterr().err == (
        f"gremsy_gimbal: The gimbal (PX4 Gazebo Gimbal) {sentence}: it is not of Gremsy's make and need not have "
        'any; use its own tool.\n'
    )


def test_few_attitudes_are_said_with_what_works(start, drive):
    driven = drive(start(PX4))
    driven.until(lambda: any('its attitude' in each for each in driven.informed))
    assert (
        'The gimbal sends its attitude 5 times a second where 50 were asked for: moves, goals and calibration work '
        'from 5 on; following is less close than at 50, and stops where an attitude is older than '
        '`max_attitude_age_s` of the tracker.'
    ) in driven.informed
    assert driven.said == []


@pytest.mark.parametrize(
    ('style', 'told_by'), [(MAVSDK, ''), (STORM32, "the gimbal's delta_yaw")], ids=['none', 'told']
)
def test_a_heading_is_known_only_where_the_gimbal_fills_it_in(style, told_by, start, drive):
    driven = drive(start(style))
    driven.armed()
    assert driven.driver.status().device.heading_source == told_by


def test_info_is_numbers_for_programs(start, capsys):
    gimbal = start(BEHIND_A_MANAGER)
    assert tool(gimbal, 'info', '--json') == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.pop('streams_hz') == {'285 attitude': pytest.approx(10.0, rel=0.2)}
    assert facts == {
        'link': gimbal.uri, 'gimbal': '4/154', 'components': {'4/154': 'gimbal'}, 'vendor': 'MAVSDK', 'model': 'Gimbal',
        'firmware': '1.0.0', 'protocol': 'manager', 'mode': 'follow', 'azimuth_deg': 0.0, 'tilt_deg': 0.0,
        'azimuth_limits_deg': [-180.0, 180.0], 'tilt_limits_deg': [-45.0, 90.0], 'status': None, 'status_bits': None,
        'faults': None, 'fault_bits': None, 'voltage_v': None, 'health': 'ok', 'health_reasons': [], 'payload': {},
    }  # fmt: skip
