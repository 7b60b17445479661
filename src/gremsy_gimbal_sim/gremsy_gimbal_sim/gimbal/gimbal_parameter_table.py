# SPDX-License-Identifier: Apache-2.0
"""The gimbal's parameters at power-up: where nothing is known, those of a vendor's sample (gimbal.md 1.8)."""

from __future__ import annotations

import math

from gremsy_gimbal_sim.gimbal.simulated_parameters import SimulatedParameter
from gremsy_gimbal_sim.options.options import PayloadOptions

COMBINE_VEHICLE_ATTITUDE = 0x10
_OLD_NAMES = {
    f'{new}_{axis}': f'{old_axis}_{old}'
    for new, old in (('STIFF', 'P'), ('PWR', 'POWER'))
    for axis, old_axis in (('TILT', 'PITCH'), ('ROLL', 'ROLL'), ('PAN', 'YAW'))
}


def gimbal_parameters(options: PayloadOptions) -> dict[str, SimulatedParameter]:
    """By name, in the order of their index."""
    major, minor, patch = options.firmware
    tilt, pan = (
        [round(each) for each in limits] for limits in (options.soft_tilt_limits_deg, options.soft_pan_limits_deg)
    )
    roll = round(options.roll_limit_deg)
    window = round(math.degrees(options.follow_window_rad))
    rows: list[tuple[str, int, int, int]] = []
    for prefix, values, high in (
        ('STIFF', (40, 40, 60), 100),
        ('PWR', (60, 60, 80), 100),
        ('FLW_SP', (30, 0, 30), 100),
        ('FLW_LPF', (80, 0, 80), 100),
        ('FLW_WD', (5, 0, window), 180),
        ('RC_LPF', (80, 80, 80), 100),
        ('RC_SPD', (30, 30, 30), 180),
    ):
        rows += [
            (f'{prefix}_{axis}', value, 0, high) for axis, value in zip(('TILT', 'ROLL', 'PAN'), values, strict=True)
        ]
    for axis, (low, high) in (('TILT', tilt), ('ROLL', (-roll, roll)), ('PAN', pan)):
        rows += [(f'RC_LIM_MIN_{axis}', low, -360, 360), (f'RC_LIM_MAX_{axis}', high, -360, 360)]
    rows += [
        ('GYRO_LPF', 2, 0, 100),
        ('FILTER_OUT', 3, 0, 100),
        ('MT_ELEC_PWR', 80, 50, 100),
        ('ENABLE_ADRC', 0, 0, 1),
        ('RC_TYPE', 15, 0, 15),
        ('RC_REVERSE_AXIS', COMBINE_VEHICLE_ATTITUDE if options.combines_vehicle_attitude else 0, 0, 31),
        ('MAV_TS_ENCNT', int(options.encoder_counts), 0, 1),
        ('CTRL_ANGLE_MODE', int(options.angle_path == 'direct'), 0, 1),
    ]
    versions = {'VERSION_X': major, 'VERSION_Y': minor, 'VERSION_Z': patch | options.firmware_type}
    table = {name: SimulatedParameter(value, 0, 255, read_only=True) for name, value in versions.items()}
    table |= {name: SimulatedParameter(value, low, high) for name, value, low, high in rows}
    old = _OLD_NAMES if options.parameter_names == 'old' else {}
    return {old.get(name, name): each for name, each in table.items()}
