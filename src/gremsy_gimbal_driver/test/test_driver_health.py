# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of the driver as a whole."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_common.ros.diagnostics import Health, Level
from gremsy_gimbal_driver.device import device_status
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, Sender
from gremsy_gimbal_driver.ros.diagnostic_rows import driver_health

LOST = 'Nothing comes in on the gimbal link serial:///dev/ttyUSB0.'


def status(attitude_age_s=0.02, status_bits=0x11, fault_bits=0, complaints=('',), failure='', known=True, gone=()):
    information = (
        DeviceInformation(Sender(1, 154), 'GREMSY', 'MIO', (7, 9, 0), (-1.0, 1.0), (-1.0, 1.0)) if known else None
    )
    health = device_status.health(information, attitude_age_s, 0, status_bits, fault_bits)
    return SimpleNamespace(
        device=SimpleNamespace(health=health, payload_gone=gone), complaints=complaints, failure=failure
    )


@pytest.mark.parametrize(
    ('values', 'level', 'message'),
    [
        ({}, Level.OK, ''),
        ({'attitude_age_s': 3.0}, Level.ERROR, 'The gimbal is not well: no attitude for 3.0 s.'),
        ({'attitude_age_s': None, 'complaints': (LOST,)}, Level.ERROR, LOST),
        ({'complaints': ('', LOST)}, Level.WARN, LOST),
        ({'status_bits': 0x19}, Level.WARN, 'The gimbal is not well: battery low.'),
        ({'fault_bits': 0x0001}, Level.ERROR, 'The gimbal is not well: IMU fault.'),
        ({'known': False}, Level.WARN, 'The gimbal is not well: it has not said which model it is.'),
        (
            {'gone': (Sender(1, 100),)},
            Level.WARN,
            'The payload has fallen silent (1/100), so it neither zooms nor records: check its power.',
        ),
        ({'failure': 'A thread ended.'}, Level.ERROR, 'A thread ended. Restart the driver.'),
    ],
)
def test_it_is_as_bad_as_the_gimbal_and_its_links(values, level, message):
    assert driver_health(status(**values)) == Health(level, message)
