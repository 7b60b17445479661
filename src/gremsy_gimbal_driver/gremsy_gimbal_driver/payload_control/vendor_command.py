# SPDX-License-Identifier: Apache-2.0
"""Numbers of the vendor's own that are in no MAVLink dialect (gimbal.md 2.2)."""

from __future__ import annotations

from gremsy_gimbal_driver.mavlink_dialect import dialect

VENDOR_COMMAND: int = dialect.MAV_CMD_USER_4
"""COMMAND_LONG 31013 to the payload board; its parameters say what it means."""

TRACKING_WORDS = {0: 'idle', 1: 'tracked', 2: 'lost'}
"""The low byte of the telemetry TRK_STATUS."""
