# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of the driver as a whole."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_common.ros.diagnostics import Health, Level
from gremsy_gimbal_driver.device import device_status
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, Sender, SystemStatus
from gremsy_gimbal_driver.ros.diagnostic_rows import driver_health
from src.gremsy_gimbal_driver.test.foreign_gimbal import MAVSDK, foreign_gimbal

LOST = 'Nothing is received on the gimbal link serial:///dev/ttyUSB0.'


def status(attitude_age_s=0.02, status_bits=0x11, fault_bits=0, faults=('',), failure='', known=True, gone=()):
    information = (
        DeviceInformation(Sender(1, 154), 'GREMSY', 'MIO', (7, 9, 0), (-1.0, 1.0), (-1.0, 1.0)) if known else None
    )
    health = device_status.health(
        information, attitude_age_s, 0, SystemStatus(Sender(1, 154), status_bits, fault_bits, 24.0)
    )
    return SimpleNamespace(
        device=SimpleNamespace(health=health, cameras_gone=gone),
        links=[SimpleNamespace(fault=each) for each in faults],
        failure=failure,
    )


@pytest.mark.parametrize(
    ('values', 'level', 'message'),
    [
        ({}, Level.OK, ''),
        ({'attitude_age_s': 3.0}, Level.STALE, 'The gimbal is not healthy: no attitude for 3.0 s.'),
        ({'attitude_age_s': None, 'faults': (LOST,)}, Level.STALE, LOST),
        ({'faults': ('', LOST)}, Level.WARN, LOST),
        ({'status_bits': 0x19}, Level.WARN, 'The gimbal is not healthy: battery low.'),
        ({'fault_bits': 0x0001}, Level.ERROR, 'The gimbal is not healthy: IMU fault.'),
        ({'known': False}, Level.WARN, 'The gimbal is not healthy: it has not reported its model.'),
        (
            {'gone': (Sender(1, 100),)},
            Level.WARN,
            "The payload's camera 1/100 has fallen silent, so it neither zooms nor records: check its power.",
        ),
        ({'failure': 'A thread ended.'}, Level.ERROR, 'A thread ended. Restart the driver.'),
    ],
)
def test_it_is_as_bad_as_the_gimbal_and_its_links(values, level, message):
    assert driver_health(status(**values)) == Health(level, message)


def test_a_payload_that_is_gone_is_an_error_until_it_is_back():
    def said() -> Health:
        return driver_health(driver.status())

    def until(level: Level, words: str) -> None:
        end = time.monotonic() + 12.0
        while said().level is not level or words not in said().message:
            assert time.monotonic() < end, said()
            time.sleep(0.05)

    with foreign_gimbal(replace(MAVSDK, camera=None)) as gimbal:
        driver = GimbalDriver(links_from_uris([gimbal.uri]), GimbalDriverParameters())
        driver.open()
        try:
            until(Level.OK, '')
            gimbal.silent = True
            until(Level.STALE, 'The gimbal is not healthy: no attitude for 1.')
            until(Level.STALE, f"Nothing is received on the gimbal link {gimbal.uri}: check the gimbal's power, ")
            gimbal.silent = False
            until(Level.OK, '')
        finally:
            driver.close()


def test_where_nothing_answers_it_is_an_error_from_the_first():
    driver = GimbalDriver(links_from_uris(['udp://127.0.0.1:9']), GimbalDriverParameters())
    assert driver_health(driver.status()) == Health(
        Level.STALE,
        'The gimbal is not healthy: no attitude yet, no system status yet, it has not reported its model.',
    )
