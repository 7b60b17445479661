# SPDX-License-Identifier: Apache-2.0
"""What the gimbal reports about itself, message by message (gimbal.md 1.4, 1.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gremsy_common.types.gimbal_state import STANDARD_GRAVITY_M_S2
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_frames import (
    camera_from_imu,
    level_rates,
    ned_degrees,
    q_frd_from_level_camera,
    vector_frd,
)
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.wire.component import Message, filled, happens

if TYPE_CHECKING:
    from gremsy_gimbal_sim.gimbal.simulated_gimbal import SimulatedGimbal

STATUS_FOLLOW = 0x0001
STATUS_MOTORS = 0x0010
STATUS_AUTOTUNE = 0x0040
STATUS_SEARCH_HOME = 0x0100
STATUS_CALIBRATION = 0x0400

_IN_EARTH = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME
_IN_VEHICLE = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
_COUNTS_PER_RAD = 2**16 / (2.0 * math.pi)
_CDEG_PER_RAD = 100.0 * 180.0 / math.pi
_ACCELERATION_LSB = 8192.0 / STANDARD_GRAVITY_M_S2
_RATE_LSB = 32.8 * 180.0 / math.pi
# A real one at rest never shows an exact zero on an axis (143 samples, gimbal.md 1.4).
_REST_ROLL_DEG = 0.012


class GimbalTelemetry:
    """Builds messages from the gimbal's state.

    Args:
        gimbal: what is reported, its clock and its noise.
    """

    def __init__(self, gimbal: SimulatedGimbal) -> None:
        self._options = gimbal.options
        self._power, self._random = gimbal.device.power, gimbal.device.noise
        self._body, self._modes, self._parameters = gimbal.body, gimbal.modes, gimbal.parameters
        self.busy_bits = 0
        """Of status1, while a calibration or an auto-tune runs."""

    def system_status(self, _now_s: float) -> Message:
        """SYS_STATUS 1 with status1 and status2."""
        options, modes = self._options, self._modes
        status = options.extra_status_bits | self.busy_bits
        if modes.mode is GimbalMode.FOLLOW:
            status |= STATUS_FOLLOW
        if modes.mode is not GimbalMode.OFF or modes.homing:
            status |= STATUS_MOTORS
        return filled(
            dialect.MAVLink_sys_status_message,
            load=200,
            voltage_battery=round(options.battery_v * 1000.0),
            current_battery=-1,
            battery_remaining=-1,
            errors_count1=status,
            errors_count2=options.fault_bits,
        )

    def attitude(self, now_s: float) -> Message:
        """GIMBAL_DEVICE_ATTITUDE_STATUS 285, addressed to all, in the form of the firmware's version.

        An old one's yaw is from the heading, or in LOCK from the earth, and no flag shows it.
        """
        body, options = self._body, self._options
        in_earth = body.holds_earth and (options.yaw_frame_by_mode or not options.sends_yaw_frame)
        azimuth, tilt = self._noisy(*(body.earth_rad if in_earth else body.angles_rad))
        rates = body.world_rates_rad_s if in_earth else body.joint_rates_rad_s
        # A command's frame is its own; both flags at once are not allowed (common.xml).
        flags = self._modes.flags(now_s) & ~(_IN_EARTH | _IN_VEHICLE)
        if options.sends_yaw_frame:
            flags |= _IN_EARTH if in_earth else _IN_VEHICLE
        extensions = level_rates(body.heading_rate_rad_s, body.heading_rad) if options.sends_delta_yaw else (0, 0)
        return dialect.MAVLink_gimbal_device_attitude_status_message(
            0,
            0,
            self._boot_ms(),
            flags,
            q_frd_from_level_camera(body.level_from_camera(azimuth, tilt)).tolist(),
            *vector_frd(body.camera_rates(*rates)).tolist(),
            body.limit_flags() | options.failure_flags,
            *extensions,
        )

    def orientation(self, _now_s: float) -> Message:
        """MOUNT_ORIENTATION 265; some are all zeros."""
        azimuth, tilt = self._noisy(*self._body.angles_rad)
        pitch_deg, yaw_deg = ned_degrees(azimuth, tilt)
        _, absolute_deg = ned_degrees(self._body.heading_rad + azimuth, tilt)
        roll_deg = _REST_ROLL_DEG + math.degrees(self._body.roll_rad)
        if happens(self._options.zero_triple_share, self._random):
            roll_deg = pitch_deg = yaw_deg = absolute_deg = 0.0
        absolute_deg = math.remainder(absolute_deg, 360.0)
        return dialect.MAVLink_mount_orientation_message(self._boot_ms(), roll_deg, pitch_deg, yaw_deg, absolute_deg)

    def foreign_orientation(self) -> Message:
        """265 as another component sends it: nothing but zeros."""
        return filled(dialect.MAVLink_mount_orientation_message, time_boot_ms=self._boot_ms())

    def encoders(self, _now_s: float) -> Message:
        """MOUNT_STATUS 158: tilt, roll and pan joints, in the wire's signs."""
        options = self._options
        pan, roll, tilt = self._body.joints_rad()
        in_counts = self._parameters['MAV_TS_ENCNT'] == 1
        scale = _COUNTS_PER_RAD if in_counts else _CDEG_PER_RAD
        right, up = level_rates(tilt, pan)
        tilt_count = round((-up if options.encoder_tilt_inverted else up) * scale)
        if in_counts:
            tilt_count += options.encoder_tilt_offset_counts
        return dialect.MAVLink_mount_status_message(0, 0, tilt_count, round(roll * scale), round(right * scale), 0)

    def imu(self, _now_s: float) -> Message:
        """RAW_IMU 27: gravity and rates in the sensor's axes."""
        options, body = self._options, self._body
        imu_from_camera = camera_from_imu(options.imu_axes.split('_')).T
        specific_force = imu_from_camera @ body.up_in_camera() * STANDARD_GRAVITY_M_S2
        rates = imu_from_camera @ body.camera_rates(*body.world_rates_rad_s)
        if options.imu_acceleration_noise_m_s2:
            specific_force += self._random.normal(0.0, options.imu_acceleration_noise_m_s2, 3)
        if options.imu_rate_noise_rad_s:
            rates += self._random.normal(0.0, options.imu_rate_noise_rad_s, 3)
        raw = np.clip(np.rint([*specific_force * _ACCELERATION_LSB, *rates * _RATE_LSB]), -32768, 32767)
        time_us = self._power.boot_us(body.plant.time_s)
        return dialect.MAVLink_raw_imu_message(time_us, *raw.astype(int).tolist(), 0, 0, 0)

    def information(self) -> Message:
        """GIMBAL_DEVICE_INFORMATION 283: pitch up +, yaw right +, mechanical limits."""
        options = self._options
        (up, down), side = options.plant.tilt_limits_rad, options.plant.azimuth_limit_rad
        roll = math.radians(options.roll_limit_deg)
        major, minor, patch = options.firmware
        firmware = major | minor << 8 | patch << 16 | options.firmware_type << 24
        limits = (-roll, roll, -down, -up, -side, side)
        model = options.model.encode('ascii', 'replace')[:32]
        return dialect.MAVLink_gimbal_device_information_message(
            self._boot_ms(), b'GREMSY', model, b'', firmware, 0, 0, 0, 0, *limits
        )

    def _noisy(self, azimuth_rad: float, tilt_rad: float) -> tuple[float, float]:
        options = self._options
        if options.attitude_noise_rad:
            azimuth_noise, tilt_noise = self._random.normal(0.0, options.attitude_noise_rad, 2).tolist()
            azimuth_rad, tilt_rad = azimuth_rad + azimuth_noise, tilt_rad + tilt_noise
        if options.yaw_dither_rad:
            azimuth_rad += float(self._random.uniform(-options.yaw_dither_rad, options.yaw_dither_rad))
        return azimuth_rad, tilt_rad

    def _boot_ms(self) -> int:
        """The device's clock at the plant's newest step."""
        return self._power.boot_ms(self._body.plant.time_s)
