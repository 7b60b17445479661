# SPDX-License-Identifier: Apache-2.0
"""Options of the gimbal: what it streams, which modes it has, how it moves, how it takes commands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gremsy_common.parameters.parameter_fields import param
from gremsy_gimbal_sim.plant.plant import IDEAL, PlantParameters

_RATE: dict[str, Any] = {'unit': 'Hz', 'low': 0.1, 'high': 200.0}
_SHARE: dict[str, Any] = {'low': 0.0, 'high': 1.0}
_QUARTER_TURN = math.radians(90.0)
# From here on 285 carries delta_yaw, and YAW_IN_VEHICLE_FRAME in every mode (a Pixy LR, ArduPilot #33870, QGC #14865).
_NEW_ATTITUDE = (7, 8, 7)


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """What the gimbal says by itself (gimbal.md 1.4, 1.5)."""

    attitude_rate_hz: float = param(20.0, 'of 285 until told otherwise; 20 on payloads, 10 on bare gimbals', **_RATE)
    orientation_rate_hz: float = param(10.0, 'of 265', **_RATE)
    encoder_rate_hz: float = param(10.0, 'of 158', **_RATE)
    imu_rate_hz: float = param(10.0, 'of 27', **_RATE)
    fast_streams: str = param(
        'saturate', 'what a second stream above 50 Hz gets', choices=('saturate', 'refuse', 'allow')
    )
    streams_wait_for_interval: bool = param(False, 'no stream before its interval was set, as on an AEVO')
    attitude_age_s: float = param(0.0, 'from a measurement to the sending of its 285', unit='s', low=0.0, high=10.0)
    attitude_noise_rad: float = param(0.0, 'standard deviation per angle', unit='rad', low=0.0, high=1.0)
    yaw_dither_rad: float = param(0.0, 'yaw is off by up to this, evenly', unit='rad', low=0.0, high=1.0)
    attitude_extensions: bool | None = param(None, '285 with delta_yaw and its rate; by itself from firmware 7.8.7 on')
    yaw_frame_flags: bool | None = param(None, '285 says what its yaw counts from; by itself from firmware 7.8.7 on')
    yaw_frame_by_mode: bool = param(
        False, 'where 285 says it: YAW_IN_EARTH_FRAME in LOCK; a Pixy LR has YAW_IN_VEHICLE_FRAME there, too'
    )
    zero_triple_share: float = param(0.0, 'of the 265 that are exact zeros; 14 % on a VIO', **_SHARE)
    foreign_orientation_hz: float = param(0.0, '265 with zeros from another component', unit='Hz', low=0.0, high=200.0)
    foreign_component: int = param(175, 'which one that is', low=1, high=255)
    encoder_counts: bool = param(True, '158 in counts of 2^16 a turn, else in cdeg; parameter MAV_TS_ENCNT')
    encoder_tilt_offset_counts: int = param(0, 'home offset of the tilt encoder', low=-32768, high=32767)
    encoder_tilt_inverted: bool = param(True, "the tilt encoder runs opposite to the attitude, as in the vendor's log")
    imu_axes: str = param(
        'right_forward_up',
        "where x, y and z of 27 point; the vendor's log says so, MAVLink's other vectors are forward, right, down",
        choices=('right_forward_up', 'forward_right_down'),
    )
    imu_acceleration_noise_m_s2: float = param(0.0, 'standard deviation', unit='m/s2', low=0.0, high=100.0)
    imu_rate_noise_rad_s: float = param(0.0, 'standard deviation', unit='rad/s', low=0.0, high=10.0)
    version_every_s: float = param(0.0, 'VERSION_X is sent unasked so often, 0 never', unit='s', low=0.0, high=3600.0)
    heartbeats_end_after_s: float = param(0.0, 'the gimbal stops its heartbeats then, 0 never', unit='s', low=0.0)
    fault_bits: int = param(0, 'status2 of SYS_STATUS', low=0, high=0xFFFF)
    extra_status_bits: int = param(0, 'beside follow and motors in status1', low=0, high=0xFFFF)
    failure_flags: int = param(0, 'of 285, beside the limits', low=0, high=0xFFFF)
    battery_v: float = param(12.0, 'of SYS_STATUS', unit='V', low=0.0, high=60.0)
    model: str = param('SIMULATED', 'of message 283; AEVO models need their intervals set')
    firmware: tuple[int, int, int] = param((7, 9, 0), 'of message 283; the form of 285 follows it', low=0, high=255)
    firmware_type: int = param(0, '0 official, 64 alpha, 128 beta, 192 candidate', low=0, high=255)

    @property
    def sends_delta_yaw(self) -> bool:
        """Whether 285 has its extensions."""
        return self.firmware >= _NEW_ATTITUDE if self.attitude_extensions is None else self.attitude_extensions

    @property
    def tells_yaw_frame(self) -> bool:
        """Whether 285 has one of the YAW_IN_* flags."""
        return self.firmware >= _NEW_ATTITUDE if self.yaw_frame_flags is None else self.yaw_frame_flags


@dataclass(frozen=True, kw_only=True)
class ModeOptions:
    """How modes come and go (gimbal.md 1.7, 1.10, 1.11)."""

    start_mode: str = param('follow', 'after power-up; OFF on some payloads', choices=('off', 'follow', 'lock'))
    off_decay_s: float = param(1.0, 'an angle given in OFF is left after this', unit='s', low=0.0, high=60.0)
    rest_tilt_rad: float = param(_QUARTER_TURN, 'where the camera hangs without motors, down +', unit='rad')
    rc_mode: int = param(1, 'RC_MODE; other than 1 (standard) no MAVLink motion is taken', low=0, high=1)
    forwards_flags: bool = param(True, 'GB_FW_FLAG; without it an MB1 board puts its own mode into every 284')
    rc_exclusive: bool = param(False, 'the remote control holds the gimbal and 285 says so')
    missed_home_share: float = param(0.0, 'of the NEUTRAL edges that are not seen', **_SHARE)
    mode_delay_s: float = param(0.0, 'until 285 shows a new mode', unit='s', low=0.0, high=10.0)


@dataclass(frozen=True, kw_only=True)
class DynamicsOptions:
    """How it moves (gimbal.md 1.8, 1.9)."""

    plant: PlantParameters = param(IDEAL, 'delay, lag, dead zone, limits, gain against zoom')
    rate_expiry_s: float = param(0.0, 'a rate command ends by itself then, 0 latches', unit='s', low=0.0, high=3600.0)
    soft_tilt_limits_deg: tuple[float, float] = param((-90.0, 120.0), 'RC_LIM_*_TILT: up -, down +', unit='deg')
    soft_pan_limits_deg: tuple[float, float] = param((-320.0, 320.0), 'RC_LIM_*_PAN: right +', unit='deg')
    roll_limit_deg: float = param(40.0, 'either side, RC_LIM_*_ROLL', unit='deg', low=0.0, high=180.0)
    angle_path: str = param('shortest', 'CTRL_ANGLE_MODE: nearest turn or the named', choices=('shortest', 'direct'))
    follow_window_rad: float = param(0.0, 'FOLLOW leaves so much of a turn', unit='rad', low=0.0, high=math.pi)
    follow_rate_rad_s: float = param(0.0, 'FOLLOW makes up so fast, 0 at once', unit='rad/s', low=0.0, high=10.0)
    smoothing: float = param(0.0, 'time constant of RC_LPF_* at 100', unit='s', low=0.0, high=10.0)
    stalled_axis: str = param('none', 'a motor that does not turn', choices=('none', 'azimuth', 'tilt'))
    stalls_after_s: float = param(0.0, 'when it stops turning', unit='s', low=0.0, high=1e6)
    own_heading_rad: float = param(
        0.35,
        "of the vehicle at power-up, left +, by the gimbal's own zero, unless 286 is fed",
        unit='rad',
        low=-math.pi,
        high=math.pi,
    )
    drift_rad_s: float = param(0.0, "of the gyro's own heading, unless 286 is fed", unit='rad/s', low=-1.0, high=1.0)
    vehicle_turn_rad_s: float = param(0.0, 'the vehicle turns left for ever', unit='rad/s', low=-10.0, high=10.0)
    vehicle_yaw_rad: float = param(0.0, 'amplitude of its sway', unit='rad', low=0.0, high=math.pi)
    vehicle_pitch_rad: float = param(0.0, 'amplitude', unit='rad', low=0.0, high=1.5)
    vehicle_roll_rad: float = param(0.0, 'amplitude', unit='rad', low=0.0, high=1.5)
    vehicle_period_s: float = param(4.0, 'of all three', unit='s', low=0.1, high=1e4)


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """How it takes and answers commands (gimbal.md 1.6, 1.10, 1.11)."""

    protocol: str = param('both', 'v1: no 283, 284, 285, only 265, 158 and command 205', choices=('both', 'v1'))
    v1_mode_0: str = param('denied', 'what 205 without an input mode gets', choices=('denied', 'angle'))
    v1_pan_inverted: bool = param(False, '205 takes pan left +, as before 2022')
    angle_needs_twice: bool = param(False, 'an angle is taken when it comes a second time, as on a Pixy LR')
    angles_dead: str = param('never', 'angles are ignored', choices=('never', 'after_tracking', 'always'))
    parameter_names: str = param('new', 'STIFF_TILT or PITCH_P', choices=('new', 'old'))
    parameters_answered: bool = param(True, 'PARAM_* is answered at all')
    parameter_delay_s: float = param(0.0, 'until it is', unit='s', low=0.0, high=60.0)
    parameter_lost_share: float = param(0.0, 'of the answers', **_SHARE)
    combines_vehicle_attitude: bool = param(True, 'RC_REVERSE_AXIS bit 0x10: 286 is used')
    overload_hz: float = param(0.0, '286 above this drowns other messages, 0 never', unit='Hz', low=0.0, high=1000.0)
    calibration_s: float = param(5.0, 'gyro, accelerometer and motor calibration', unit='s', low=0.0, high=600.0)
    ack_lost_share: float = param(0.0, 'of the COMMAND_ACK', **_SHARE)
    ack_duplicated_share: float = param(0.0, 'that come twice', **_SHARE)
    ack_foreign_share: float = param(0.0, 'that name another target', **_SHARE)
    ack_delay_s: float = param(0.0, 'until they come', unit='s', low=0.0, high=60.0)
    device_information: bool = param(True, '283 is sent when asked for')
