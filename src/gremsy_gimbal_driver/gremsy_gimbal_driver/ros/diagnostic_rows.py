# SPDX-License-Identifier: Apache-2.0
"""The driver's status as rows for /diagnostics: words where there are words, numbers with their unit in the name."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gremsy_common.ros.diagnostics import Health, Level
from gremsy_gimbal_driver.device.device_status import status_condition
from gremsy_gimbal_driver.device.stream_rates import ATTITUDE, ENCODERS, IMU, ORIENTATION
from gremsy_gimbal_driver.driver_reports import DeviceSnapshot, DriverStatus
from gremsy_gimbal_driver.links.link_health import LinkHealth

_STREAMS = {ATTITUDE: 'attitude', ORIENTATION: 'orientation', ENCODERS: 'encoders', IMU: 'IMU'}


def driver_health(status: DriverStatus) -> Health:
    """STALE while no attitude comes, ERROR while something is broken, WARN while a link or the gimbal has a fault."""
    if status.failure:
        return Health(Level.ERROR, f'{status.failure} Restart the driver.')
    level = status.device.health.level
    fault = next((link.fault for link in status.links if link.fault), '')
    if fault:
        # Of two links one may be enough: the gimbal's own state shows whether it is.
        return Health(max(level, Level.WARN), fault)
    if level is not Level.OK:
        return Health(level, f'The gimbal is not healthy: {status.device.health}.')
    if status.device.cameras_gone:
        gone = ' and '.join(map(str, status.device.cameras_gone))
        return Health(
            Level.WARN,
            f"The payload's camera {gone} has fallen silent, so it neither zooms nor records: check its power.",
        )
    return Health()


def no_setpoints(topic: str, source: str) -> str:
    """That nobody publishes what `setpoint_source` names."""
    return (
        f"Nobody publishes setpoints on {topic}, which `setpoint_source` '{source}' names: start that camera's "
        'tracker, or name another camera.'
    )


def diagnostic_rows(status: DriverStatus) -> dict[str, str]:
    """In the order in which they help to find a fault."""
    rows = {
        'armed': str(status.control.armed),
        'holder': status.control.holder,
        'failure': status.failure,
        'mode': status.mode.wanted.value,
        'mode state': ' '.join(part for part in (status.mode.state.value, status.mode.reason) if part),
        'calibration': status.calibration,
    }
    goal = status.goal
    if goal is not None:
        azimuth, tilt = (f'{math.degrees(each):.2f}' for each in goal.remaining_rad)
        rows['goal'] = f'{goal.number} of {goal.source}: {goal.state.value}, {azimuth} and {tilt} deg left'
        rows['goal reason'] = goal.reason
    for number, link in enumerate(status.links, start=1):
        rows.update(_link_rows(f'link {number}' if len(status.links) > 1 else 'link', link))
    rows.update(_device_rows(status.device))
    rows.update(count_rows(status.counts))
    return rows


def _link_rows(name: str, link: LinkHealth) -> dict[str, str]:
    silent = '' if link.silent_s is None else f'{link.silent_s:.2f}'
    return {
        name: link.name,
        f'{name} open': str(link.is_open),
        f'{name} trouble': link.fault,
        f'{name} heard': ', '.join(map(str, link.senders)),
        f'{name} silent for (s)': silent,
        f'{name} carries motion': str(link.carries_motion),
        f'{name} bytes in, out': f'{link.traffic.bytes_in}, {link.traffic.bytes_out}',
        f'{name} refused writes': str(link.traffic.refused_writes),
        f'{name} openings': str(link.traffic.openings),
    }


def _device_rows(device: DeviceSnapshot) -> dict[str, str]:
    information, system = device.information, device.system_status
    rows = {
        'gimbal': '' if device.gimbal is None else str(device.gimbal),
        'model': '' if information is None else f'{information.vendor} {information.model}',
        'firmware': '' if information is None else information.version,
        'protocol': device.protocol,
        'health': str(device.health) or 'healthy',
        'status': '' if system is None else str(status_condition(system.status_bits)),
        'voltage (V)': '' if system is None or math.isnan(system.voltage_v) else f'{system.voltage_v:.1f}',
        'attitude from': device.attitude_source,
        'attitude age (s)': '' if device.attitude_age_s is None else f'{device.attitude_age_s:.3f}',
        'vehicle attitude': device.vehicle or 'fresh',
        "vehicle's turning told by": device.heading_source or 'nothing: trackers assume that it does not turn',
        'camera': '' if device.camera is None else str(device.camera),
        'payload': '' if device.payload is None else str(device.payload),
        'zoom': '' if device.zoom_factor is None else f'{device.zoom_factor:.2f}',
        'payload tracking': device.payload_tracking,
    }
    for message_id, stream in device.streams.items():
        name = _STREAMS.get(message_id, f'message {message_id}')
        measured = '' if stream.measured_hz is None else f'{stream.measured_hz:.1f}'
        rows[f'{name} rate wanted, measured (Hz)'] = f'{stream.wanted_hz:g}, {measured}'
    return rows


def count_rows(counts: Mapping[str, int]) -> dict[str, str]:
    """Sorted by name."""
    return {name.replace('_', ' '): str(count) for name, count in sorted(counts.items())}
