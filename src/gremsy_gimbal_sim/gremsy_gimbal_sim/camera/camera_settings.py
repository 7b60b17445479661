# SPDX-License-Identifier: Apache-2.0
"""The camera's parameters at power-up (gimbal.md 2.3)."""

from __future__ import annotations

from gremsy_gimbal_sim.gimbal.simulated_parameters import SimulatedParameter
from gremsy_gimbal_sim.options.options import PayloadOptions

COMBINED_ZOOM = (1, *range(2, 21, 2), *range(40, 241, 20))
"""C_V_ZM_CB_LV of a VIO: 22 levels, x."""
SUPER_RESOLUTION_ZOOM = tuple(1.0 + 29.0 * step / 11.0 for step in range(12))
"""C_V_ZM_SR_LV of a VIO: 12 levels to 30 x, evenly where nothing else is known."""


def camera_parameters(options: PayloadOptions) -> dict[str, SimulatedParameter]:
    """By name, in the order of their index."""
    gimbal_mode = {'off': 0, 'lock': 1, 'follow': 2}[options.start_mode]
    rows = (
        ('C_SOURCE', 0, 0, 6),
        ('C_V_REC', 0, 0, 5),
        ('OSD_MODE', 0, 0, 2),
        ('C_V_ZM_MODE', 0, 0, 2),
        ('C_V_ZM_CB_LV', 0, 0, len(COMBINED_ZOOM) - 1),
        ('C_V_ZM_SR_LV', 0, 0, len(SUPER_RESOLUTION_ZOOM) - 1),
        ('C_T_ZOOM', 0, 0, 7),
        ('C_V_Z_SPD', 7, 0, 7),
        ('C_V_F_SPD', 7, 0, 7),
        ('C_V_FM', 1, 0, 3),
        ('C_V_FV', 40960, 0, 61440),
        ('C_T_PALETTE', 0, 0, 9),
        ('C_V_AE', 0, 0, 14),
        ('C_V_SP', 16, 6, 33),
        ('C_V_WB', 0, 0, 5),
        ('C_V_RGAIN', 128, 0, 255),
        ('C_V_BGAIN', 128, 0, 255),
        ('C_V_DEFOG', 3, 2, 3),
        ('C_V_FLIP', 3, 2, 3),
        ('GB_MODE', gimbal_mode, 0, 4),
        ('RC_MODE', options.rc_mode, 0, 1),
        ('GB_FW_FLAG', int(options.forwards_flags), 0, 1),
        ('TRACK_MODE', 0, 0, 1),
        ('LRF_MODE', options.laser_mode, 0, 3),
    )
    return {name: SimulatedParameter(value, low, high) for name, value, low, high in rows}
