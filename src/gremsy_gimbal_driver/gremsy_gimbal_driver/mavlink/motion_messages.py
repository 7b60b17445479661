# SPDX-License-Identifier: Apache-2.0
"""What motion control wants as the bytes of one protocol."""

from __future__ import annotations

from gremsy_gimbal_driver.mavlink.gimbal_protocol import GimbalProtocol
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import roll_pitch_yaw_ned, wire_rates
from gremsy_gimbal_driver.motion.motion_output import MotionOutput

_STILL = (0.0, 0.0)


def motion_messages(output: MotionOutput, protocol: GimbalProtocol, gimbal: Sender) -> list[bytes]:
    """In the order in which they are to be written."""
    # v2 says the mode in the flags of the motion itself.
    mode = protocol.mode(gimbal, output.mode) if output.assert_mode and protocol.name == 'v1' else []
    if output.angles_rad is not None:
        azimuth, tilt = output.angles_rad
        return mode + protocol.angles(gimbal, roll_pitch_yaw_ned(azimuth, 0.0, tilt), output.mode)
    assert output.rates_rad_s is not None
    return mode + protocol.rates(gimbal, wire_rates(*output.rates_rad_s), output.mode)


def is_stop(output: MotionOutput) -> bool:
    """Whether it asks the gimbal to stand still and rests on nobody's command."""
    return output.rates_rad_s == _STILL and output.rests_on_ns is None
