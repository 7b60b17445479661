# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal info`: what is on the link, read and not touched."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from gremsy_gimbal_driver.cli.device_view import DeviceView, degrees
from gremsy_gimbal_driver.cli.session import LinkSession
from gremsy_gimbal_driver.device.device_status import Condition, fault_condition, health, status_condition
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.mavlink.component_register import kind_of
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, DeviceInformation
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_limits

_OBSERVED_S = 2.5
"""Ten messages of a stream at 5 Hz, and three requests for its model."""

_FIRMWARE_TYPES = {0: '', 64: ' alpha', 128: ' beta', 192: ' candidate'}
_STREAMS = {
    dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS: '285 attitude',
    dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION: '265 orientation',
    dialect.MAVLINK_MSG_ID_MOUNT_STATUS: '158 encoders',
    dialect.MAVLINK_MSG_ID_RAW_IMU: '27 IMU',
    dialect.MAVLINK_MSG_ID_SYS_STATUS: '1 status',
}


def print_info(link: Link, given: argparse.Namespace) -> None:
    """The table, or one JSON object.

    Raises:
        ToolError: when there is no gimbal.
    """
    with LinkSession(link) as opened:
        view = DeviceView(opened)
        opened.find_gimbal()
        opened.wait(lambda: False, _OBSERVED_S)
        facts = facts_of(view, opened)
    if given.json:
        print(json.dumps(facts, indent=2))
        return
    rows = rows_of(facts)
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f'{name:{width}}  {text}')


def facts_of(view: DeviceView, opened: LinkSession) -> dict[str, Any]:
    """By name, with the unit in it, for programs; None for what the device did not report."""
    gimbal = opened.components.gimbal
    information, angles = view.information, view.angles_rad
    # What Gremsy puts into SYS_STATUS, another make does not.
    status = None if information is not None and information.is_foreign else view.status
    condition = _health(view)
    return {
        'link': opened.link.name,
        'gimbal': None if gimbal is None else str(gimbal),
        'components': {
            str(each): kind.value
            for each in sorted(opened.components.last_ns)
            if (kind := kind_of(each.component)) is not None
        },
        'vendor': None if information is None else information.vendor,
        'model': None if information is None else information.model,
        'firmware': None if information is None else _firmware(information),
        'protocol': view.protocol,
        'mode': None if view.mode is None else view.mode.value,
        'azimuth_deg': None if angles is None else degrees(angles[0]),
        'tilt_deg': None if angles is None else degrees(angles[1]),
        'azimuth_limits_deg': None if information is None else _limits(information.yaw_limits_rad),
        'tilt_limits_deg': None if information is None else _limits(information.pitch_limits_rad),
        'status': None if status is None else list(status_condition(status.status_bits).words),
        'status_bits': None if status is None else status.status_bits,
        'faults': None if status is None else list(fault_condition(status.fault_bits).words),
        'fault_bits': None if status is None else status.fault_bits,
        'voltage_v': None if status is None or math.isnan(status.voltage_v) else status.voltage_v,
        'health': condition.level.name.lower(),
        'health_reasons': list(condition.words),
        'streams_hz': {
            _STREAMS[number]: round(rate_hz, 1)
            for number, rate_hz in sorted(view.rates_hz(time.monotonic_ns()).items())
        },
        'payload': dict(sorted(view.telemetry.items())),
    }


def rows_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The same for people."""
    reasons = ', '.join(facts['health_reasons'])
    rows = {
        'link': facts['link'],
        'gimbal': facts['gimbal'] or '',
        'components': ', '.join(f'{who} {kind}' for who, kind in facts['components'].items()),
        'model': _or_unknown(facts['model'] and f'{facts["vendor"]} {facts["model"]}'.strip()),
        'firmware': _or_unknown(facts['firmware']),
        'protocol': facts['protocol'],
        'mode': _or_unknown(facts['mode']),
        'azimuth': _or_unknown(facts['azimuth_deg'], ' deg (left is positive)'),
        'tilt': _or_unknown(facts['tilt_deg'], ' deg (down is positive)'),
        'azimuth limits': _range(facts['azimuth_limits_deg']),
        'tilt limits': _range(facts['tilt_limits_deg']),
    }
    if facts['status'] is None:
        rows['status'] = 'unknown'
    else:
        rows['status'] = f'{", ".join(facts["status"])} ({facts["status_bits"]:#06x})'
        rows['faults'] = f'{", ".join(facts["faults"]) or "none"} ({facts["fault_bits"]:#06x})'
        rows['voltage'] = _or_unknown(facts['voltage_v'], ' V')
    rows['health'] = f'{facts["health"]}{": " if reasons else ""}{reasons}'
    rows.update({f'stream {name}': f'{rate_hz:.1f} Hz' for name, rate_hz in facts['streams_hz'].items()})
    rows.update({f'payload {name}': f'{value:g}' for name, value in facts['payload'].items()})
    return rows


def _or_unknown(value: object, unit: str = '') -> str:
    return 'unknown' if value is None else f'{value}{unit}'


def _firmware(information: DeviceInformation) -> str:
    kind = _FIRMWARE_TYPES.get(information.firmware_type, '') if information.firmware >= (7, 8, 9) else ''
    return information.version + kind


def _limits(ends_ned_rad: tuple[float, float]) -> list[float] | None:
    """Of an axis of the level frame, the lower first; None for those that it does not know."""
    ends = sorted(map(degrees, level_limits(ends_ned_rad)))
    return None if any(map(math.isnan, ends)) else ends


def _range(ends: list[float] | None) -> str:
    return 'unknown' if ends is None else f'{ends[0]:.0f} .. {ends[1]:.0f} deg'


def _health(view: DeviceView) -> Condition:
    failures = view.attitude.failure_flags if isinstance(view.attitude, AttitudeStatus) else 0
    age_s = None if view.attitude is None else 0.0
    return health(view.information, age_s, failures, view.status)
