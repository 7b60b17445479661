# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal info`: what is on the link, read and not touched."""

from __future__ import annotations

import json
import math

from gremsy_gimbal_driver.cli.device_view import DeviceView, degrees
from gremsy_gimbal_driver.cli.session import Session
from gremsy_gimbal_driver.device.device_status import fault_condition, health, status_condition
from gremsy_gimbal_driver.device.heard_components import kind_of
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, DeviceInformation
from gremsy_gimbal_driver.mavlink.mavlink_frames import yaw_roll_pitch_flu

_OBSERVED_S = 2.5
"""Ten messages of a stream at 5 Hz, and three chances to say who it is."""

_FIRMWARE_TYPES = {0: '', 64: ' alpha', 128: ' beta', 192: ' candidate'}
_STREAMS = {
    dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS: '285 attitude',
    dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION: '265 orientation',
    dialect.MAVLINK_MSG_ID_MOUNT_STATUS: '158 encoders',
    dialect.MAVLINK_MSG_ID_RAW_IMU: '27 IMU',
    dialect.MAVLINK_MSG_ID_SYS_STATUS: '1 status',
}


def observe(session: Session, seconds: float = _OBSERVED_S) -> DeviceView:
    """Find the gimbal and watch it for so long.

    Raises:
        ToolError: when there is none.
    """
    view = DeviceView(session.encoder)
    session.attach(view)
    session.find_gimbal()
    session.wait(lambda: False, seconds)
    return view


def print_info(session: Session, as_json: bool) -> None:
    """The table, or one JSON object.

    Raises:
        ToolError: when there is no gimbal.
    """
    rows = rows_of(observe(session), session)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f'{name:{width}}  {text}')


def rows_of(view: DeviceView, session: Session) -> dict[str, str]:
    """By name; what the device did not say is said to be unknown."""
    gimbal = session.gimbal
    information, status, angles = view.information, view.status, view.angles_rad
    rows = {
        'link': session.link_name,
        'gimbal': '' if gimbal is None else f'{gimbal.system}/{gimbal.component}',
        'components': ', '.join(
            f'{each.system}/{each.component} {kind.value}'
            for each in session.components
            if (kind := kind_of(each.component)) is not None
        ),
        'model': 'unknown' if information is None else f'{information.vendor} {information.model}'.strip(),
        'firmware': 'unknown' if information is None else _firmware(information),
        'protocol': view.protocol,
        'mode': 'unknown' if view.mode is None else view.mode.value,
        'azimuth': 'unknown' if angles is None else f'{degrees(angles[0])} (left is positive)',
        'tilt': 'unknown' if angles is None else f'{degrees(angles[1])} (down is positive)',
        **_limits(information),
    }
    if status is None:
        rows['status'] = 'unknown'
    else:
        rows['status'] = f'{status_condition(status.status_bits)} ({status.status_bits:#06x})'
        rows['faults'] = f'{str(fault_condition(status.fault_bits)) or "none"} ({status.fault_bits:#06x})'
        rows['voltage'] = 'unknown' if math.isnan(status.voltage_v) else f'{status.voltage_v:.1f} V'
    rows['health'] = _health(view)
    for number, rate_hz in sorted(view.rates_hz(session.now_ns()).items()):
        rows[f'stream {_STREAMS[number]}'] = f'{rate_hz:.1f} Hz'
    for name, value in sorted(view.telemetry.items()):
        rows[f'payload {name}'] = f'{value:g}'
    return rows


def _firmware(information: DeviceInformation) -> str:
    kind = _FIRMWARE_TYPES.get(information.firmware_type, '') if information.firmware >= (7, 8, 9) else ''
    return '.'.join(map(str, information.firmware)) + kind


def _limits(information: DeviceInformation | None) -> dict[str, str]:
    if information is None:
        return {'limits': 'unknown'}
    (down, up), (left, right) = information.pitch_limits_rad, information.yaw_limits_rad
    ends = [yaw_roll_pitch_flu(0.0, pitch, yaw) for pitch, yaw in ((down, left), (up, right))]
    return {
        'azimuth limits': _range(sorted(yaw for yaw, _, _ in ends)),
        'tilt limits': _range(sorted(pitch for _, _, pitch in ends)),
    }


def _range(ends: list[float]) -> str:
    if any(map(math.isnan, ends)):
        return 'unknown'
    return f'{math.degrees(ends[0]):.0f} .. {math.degrees(ends[1]):.0f} deg'


def _health(view: DeviceView) -> str:
    failures = view.attitude.failure_flags if isinstance(view.attitude, AttitudeStatus) else 0
    age_s = None if view.attitude is None else 0.0
    bits, faults = (None, 0) if view.status is None else (view.status.status_bits, view.status.fault_bits)
    condition = health(view.information is not None, age_s, failures, bits, faults)
    return f'{condition.level.name.lower()}{": " if condition.words else ""}{condition}'
