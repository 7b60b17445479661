# SPDX-License-Identifier: Apache-2.0
"""Names of the payload board's own telemetry, by the index that DEBUG 254 carries and rate requests take.

The order is the vendor's C++ SDK's (gimbal.md 2.4); its Python SDK's differs, so that names are to be preferred where
the board sends them (PARAM_VALUE).
"""

from __future__ import annotations

TELEMETRY_NAMES = (
    'EO_ZOOM',
    'IR_ZOOM',
    'LRF_RANGE',
    'TRK_POS_X',
    'TRK_POS_Y',
    'TRK_POS_W',
    'TRK_POS_H',
    'TRK_STATUS',
    'LRF_OFFSET_X',
    'LRF_OFFSET_Y',
    'TARGET_LON',
    'TARGET_LAT',
    'TARGET_ALT',
    'PAY_LON',
    'PAY_LAT',
    'PAY_ALT',
    'APP_VER_X',
    'APP_VER_Y',
    'APP_VER_Z',
    'VIEW_MODE',
    'REC_SRC',
    'IR_TYPE',
    'PALETTE_ID',
    'FFC_MODE',
    'GB_MODE',
    'IR_TEMP_MAX',
    'IR_TEMP_MIN',
    'IR_TEMP_MEAN',
)
