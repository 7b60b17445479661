# SPDX-License-Identifier: Apache-2.0
"""Names of the gimbal's parameters: today's firmware's, and what older firmware calls the same.

A driver that knows one family only waits for ever for the other's (gimbal.md 1.11). The pairs are those of the
vendor's SDK before and after the names changed (gSDK 0f2febd, 931ac06).
"""

from __future__ import annotations

from types import MappingProxyType

OLDER_NAMES = MappingProxyType(
    {
        'STIFF_TILT': 'PITCH_P',
        'STIFF_ROLL': 'ROLL_P',
        'STIFF_PAN': 'YAW_P',
        'PWR_TILT': 'PITCH_POWER',
        'PWR_ROLL': 'ROLL_POWER',
        'PWR_PAN': 'YAW_POWER',
        'FILTER_OUT': 'YAW_I',
        'FLW_SP_TILT': 'PITCH_FOLLOW',
        'FLW_SP_PAN': 'YAW_FOLLOW',
        'FLW_LPF_TILT': 'PITCH_FILTER',
        'FLW_LPF_PAN': 'YAW_FILTER',
        'FLW_WD_TILT': 'TILT_WINDOW',
        'FLW_WD_PAN': 'PAN_WINDOW',
        'RC_SPD_TILT': 'RC_PITCH_SPEED',
        'RC_SPD_ROLL': 'RC_ROLL_SPEED',
        'RC_SPD_PAN': 'RC_YAW_SPEED',
        'RC_LPF_TILT': 'RC_PITCH_LPF',
        'RC_LPF_ROLL': 'RC_ROLL_LPF',
        'RC_LPF_PAN': 'RC_YAW_LPF',
        'RC_REVERSE_AXIS': 'JOY_AXIS',
        'MAV_TS_ENCNT': 'ENC_TYPE_SEND',
        'RC_LIM_MIN_TILT': 'TRAVEL_MIN_PIT',
        'RC_LIM_MAX_TILT': 'TRAVEL_MAX_PIT',
        'RC_LIM_MIN_ROLL': 'TRAVEL_MIN_ROLL',
        'RC_LIM_MAX_ROLL': 'TRAVEL_MAX_ROLL',
        'RC_LIM_MIN_PAN': 'TRAVEL_MIN_PAN',
        'RC_LIM_MAX_PAN': 'TRAVEL_MAX_PAN',
        'RC_TYPE': 'RADIO_TYPE',
    }
)
"""Today's name to the older one."""

NEWER_NAMES = MappingProxyType({older: name for name, older in OLDER_NAMES.items()})
"""The older name to today's."""
