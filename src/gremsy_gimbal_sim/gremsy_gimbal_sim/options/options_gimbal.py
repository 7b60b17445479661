# SPDX-License-Identifier: Apache-2.0
"""Options of the gimbal: what it streams, which modes it has, how it moves, how it takes commands."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_gimbal_sim.plant.plant import IDEAL, PlantParameters

_RATE = Span(0.1, 200.0, 'Hz')
_SHARE = Span(0.0, 1.0)
_QUARTER_TURN = math.radians(90.0)
# From here on 285 carries delta_yaw, and YAW_IN_VEHICLE_FRAME in every mode (a Pixy LR, ArduPilot #33870, QGC #14865).
_NEW_ATTITUDE = (7, 8, 7)


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """What the gimbal sends unasked."""

    attitude_rate_hz: float = param(20.0, 'default rate of 285; 20 on payloads, 10 on bare gimbals', _RATE)
    orientation_rate_hz: float = param(10.0, 'default rate of 265', _RATE)
    encoder_rate_hz: float = param(10.0, 'default rate of 158', _RATE)
    imu_rate_hz: float = param(10.0, 'default rate of 27', _RATE)
    fast_streams: str = param(
        'saturate', 'what happens to a second stream above 50 Hz', choices=('saturate', 'refuse', 'allow')
    )
    streams_wait_for_interval: bool = param(False, 'sends no stream before its interval is set, as an AEVO does')
    attitude_age_s: float = param(0.0, 'age of a measurement when its 285 is sent', Span(0.0, 10.0, 's'))
    attitude_noise_rad: float = param(0.0, 'noise of 285 and 265: standard deviation per angle', Span(0.0, 1.0, 'rad'))
    yaw_dither_rad: float = param(0.0, 'yaw of 285 and 265 is off by up to this, uniformly', Span(0.0, 1.0, 'rad'))
    attitude_extensions: bool | None = param(None, '285 has delta_yaw and its rate; by default from firmware 7.8.7 on')
    yaw_frame_flags: bool | None = param(None, '285 has a YAW_IN_* flag; by default from firmware 7.8.7 on')
    yaw_frame_by_mode: bool = param(
        False, 'that flag is YAW_IN_EARTH_FRAME in LOCK; on a Pixy LR it is YAW_IN_VEHICLE_FRAME there, too'
    )
    zero_triple_share: float = param(0.0, 'share of 265 that are exact zeros; 14 % on a VIO', _SHARE)
    foreign_orientation_hz: float = param(0.0, 'rate of 265 with zeros from another component', Span(0.0, 200.0, 'Hz'))
    foreign_component: int = param(175, 'the component that sends those zeros', Span(1, 255))
    encoder_counts: bool = param(True, '158 is in counts, 2^16 per turn, else in cdeg; parameter MAV_TS_ENCNT')
    encoder_tilt_offset_counts: int = param(0, 'home offset of the tilt encoder', Span(-32768, 32767))
    encoder_tilt_inverted: bool = param(True, "the tilt encoder runs opposite to the attitude, as in the vendor's log")
    imu_axes: str = param(
        'right_forward_up',
        "where x, y and z of 27 point: by default as in the vendor's log; elsewhere MAVLink has forward, right, down",
        choices=('right_forward_up', 'forward_right_down'),
    )
    imu_acceleration_noise_m_s2: float = param(0.0, 'noise of 27: standard deviation', Span(0.0, 100.0, 'm/s2'))
    imu_rate_noise_rad_s: float = param(0.0, 'noise of 27: standard deviation', Span(0.0, 10.0, 'rad/s'))
    version_every_s: float = param(0.0, 'interval of unrequested VERSION_X, 0 never', Span(0.0, 3600.0, 's'))
    heartbeats_end_after_s: float = param(
        0.0, 'the heartbeats of the gimbal end after this, 0 never', Span(0.0, unit='s')
    )
    fault_bits: int = param(0, 'status2 of SYS_STATUS', Span(0, 0xFFFF))
    extra_status_bits: int = param(0, 'status1 of SYS_STATUS, besides follow and motors', Span(0, 0xFFFF))
    failure_flags: int = param(0, 'failure flags of 285, besides the limits', Span(0, 0xFFFF))
    battery_v: float = param(12.0, 'voltage in SYS_STATUS', Span(0.0, 60.0, 'V'))
    model: str = param('SIMULATED', 'model in message 283; AEVO models need their intervals set')
    firmware: tuple[int, int, int] = param(
        (7, 9, 0), 'version in message 283, which decides the form of 285', Span(0, 255)
    )
    firmware_type: int = param(0, 'type of the firmware: 0 official, 64 alpha, 128 beta, 192 candidate', Span(0, 255))

    @property
    def sends_delta_yaw(self) -> bool:
        """Whether 285 has its extensions."""
        return self.firmware >= _NEW_ATTITUDE if self.attitude_extensions is None else self.attitude_extensions

    @property
    def sends_yaw_frame(self) -> bool:
        """Whether 285 has one of the YAW_IN_* flags."""
        return self.firmware >= _NEW_ATTITUDE if self.yaw_frame_flags is None else self.yaw_frame_flags


@dataclass(frozen=True, kw_only=True)
class ModeOptions:
    """How modes come and go."""

    start_mode: str = param('follow', 'mode after power-up; OFF on some payloads', choices=('off', 'follow', 'lock'))
    off_decay_s: float = param(1.0, 'an angle commanded in OFF is left after this', Span(0.0, 60.0, 's'))
    rest_tilt_rad: float = param(_QUARTER_TURN, 'where the camera hangs without motors, down +', Span(unit='rad'))
    rc_mode: int = param(1, 'RC_MODE; MAVLink moves it in 1 (standard) only', Span(0, 1))
    forwards_flags: bool = param(True, 'GB_FW_FLAG; when off, an MB1 board puts its own mode into every 284')
    rc_exclusive: bool = param(False, 'the remote control has the gimbal, and 285 has RC_EXCLUSIVE')
    missed_home_share: float = param(0.0, 'share of NEUTRAL edges that are missed', _SHARE)
    mode_delay_s: float = param(0.0, 'delay until 285 shows a new mode', Span(0.0, 10.0, 's'))


@dataclass(frozen=True, kw_only=True)
class DynamicsOptions:
    """How it moves."""

    plant: PlantParameters = param(IDEAL, 'delay, lag, dead zone, limits, gain against zoom')
    rate_expiry_s: float = param(0.0, 'a rate command expires after this, 0 latches it', Span(0.0, 3600.0, 's'))
    soft_tilt_limits_deg: tuple[float, float] = param((-90.0, 120.0), 'RC_LIM_*_TILT: up -, down +', Span(unit='deg'))
    soft_pan_limits_deg: tuple[float, float] = param((-320.0, 320.0), 'RC_LIM_*_PAN: right +', Span(unit='deg'))
    roll_limit_deg: float = param(40.0, 'limit on either side, RC_LIM_*_ROLL', Span(0.0, 180.0, 'deg'))
    angle_path: str = param(
        'shortest', 'CTRL_ANGLE_MODE: the nearest turn, or the given one', choices=('shortest', 'direct')
    )
    follow_window_rad: float = param(0.0, 'FOLLOW ignores turns within this window', Span(0.0, math.pi, 'rad'))
    follow_rate_rad_s: float = param(0.0, 'rate at which FOLLOW catches up, 0 at once', Span(0.0, 10.0, 'rad/s'))
    smoothing: float = param(0.0, 'time constant of RC_LPF_* at 100', Span(0.0, 10.0, 's'))
    stalled_axis: str = param('none', 'axis whose motor stalls', choices=('none', 'azimuth', 'tilt'))
    stalls_after_s: float = param(0.0, 'time until it stalls', Span(0.0, 1e6, 's'))
    own_heading_rad: float = param(
        0.35,
        "heading of the vehicle at power-up, left +, by the gimbal's own zero, unless 286 is fed",
        Span(-math.pi, math.pi, 'rad'),
    )
    drift_rad_s: float = param(0.0, "drift of the gyro's own heading, unless 286 is fed", Span(-1.0, 1.0, 'rad/s'))
    vehicle_turn_rad_s: float = param(0.0, 'constant left turn of the vehicle', Span(-10.0, 10.0, 'rad/s'))
    vehicle_yaw_rad: float = param(0.0, 'amplitude of the sway in yaw', Span(0.0, math.pi, 'rad'))
    vehicle_pitch_rad: float = param(0.0, 'amplitude of the sway in pitch', Span(0.0, 1.5, 'rad'))
    vehicle_roll_rad: float = param(0.0, 'amplitude of the sway in roll', Span(0.0, 1.5, 'rad'))
    vehicle_period_s: float = param(4.0, 'period of the sway', Span(0.1, 1e4, 's'))


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """How it takes and answers commands."""

    protocol: str = param('both', 'v1: no 283, 284, 285, only 265, 158 and command 205', choices=('both', 'v1'))
    v1_mode_0: str = param('denied', 'result of a 205 without an input mode', choices=('denied', 'angle'))
    v1_pan_inverted: bool = param(False, 'pan of 205 is left +, as before 2022')
    angle_needs_twice: bool = param(False, 'an angle counts when sent a second time, as on a Pixy LR')
    angles_dead: str = param('never', 'when angle commands are ignored', choices=('never', 'after_tracking', 'always'))
    parameter_names: str = param(
        'new', 'names of parameters, such as STIFF_TILT (new) or PITCH_P (old)', choices=('new', 'old')
    )
    parameters_answered: bool = param(True, 'answers PARAM_* at all')
    parameter_delay_s: float = param(0.0, 'delay of PARAM_VALUE', Span(0.0, 60.0, 's'))
    parameter_lost_share: float = param(0.0, 'share of PARAM_VALUE that are lost', _SHARE)
    combines_vehicle_attitude: bool = param(True, 'RC_REVERSE_AXIS bit 0x10: 286 is used')
    overload_hz: float = param(0.0, '286 above this rate costs every other message, 0 never', Span(0.0, 1000.0, 'Hz'))
    calibration_s: float = param(5.0, 'duration of gyro, accelerometer and motor calibration', Span(0.0, 600.0, 's'))
    ack_lost_share: float = param(0.0, 'share of COMMAND_ACK that are lost', _SHARE)
    ack_duplicated_share: float = param(0.0, 'share of COMMAND_ACK sent twice', _SHARE)
    ack_foreign_share: float = param(0.0, 'share of COMMAND_ACK for another target', _SHARE)
    ack_delay_s: float = param(0.0, 'delay of COMMAND_ACK', Span(0.0, 60.0, 's'))
    device_information: bool = param(True, 'answers requests for 283')
