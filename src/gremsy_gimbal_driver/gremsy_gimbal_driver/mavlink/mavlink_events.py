# SPDX-License-Identifier: Apache-2.0
"""What a Gremsy sends, as typed events in the wire's own axes and units (`mavlink_frames` turns them to REP-103)."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
"""Of the payload board's own telemetry, by the index that DEBUG 254 carries and rate requests take.

The order is the vendor's C++ SDK's (gimbal.md 2.4); its Python SDK's differs, so that names are to be preferred where
the board sends them (PARAM_VALUE).
"""


@dataclass(frozen=True, slots=True, order=True)
class Sender:
    """Who sent it: MAVLink system and component id."""

    system: int
    component: int

    def __str__(self) -> str:
        """As in messages: `1/154`."""
        return f'{self.system}/{self.component}'


@dataclass(frozen=True, slots=True)
class Event:
    """What one message reports."""

    sender: Sender


@dataclass(frozen=True, slots=True)
class Heartbeat(Event):
    """HEARTBEAT 0."""

    type: int
    autopilot: int
    system_status: int


@dataclass(frozen=True, slots=True)
class SystemStatus(Event):
    """SYS_STATUS 1; a Gremsy puts status bits into errors_count1, fault bits into errors_count2 (gimbal.md 1.5).

    `voltage_v` is NaN where the device does not know it.
    """

    status_bits: int
    fault_bits: int
    voltage_v: float


@dataclass(frozen=True, slots=True)
class AttitudeStatus(Event):
    """GIMBAL_DEVICE_ATTITUDE_STATUS 285.

    `q_frd_wxyz` is a unit quaternion, camera FRD to level NED; `rates_frd_rad_s` are about the camera's axes, each NaN
    where the device does not know it. `delta_yaw_rad` is the vehicle's yaw in the earth frame, with its rate; both mean
    something only with one of the YAW_IN_* flags (`attitude_reading`).
    """

    time_boot_ms: int
    flags: int
    q_frd_wxyz: tuple[float, float, float, float]
    rates_frd_rad_s: tuple[float, float, float]
    failure_flags: int
    delta_yaw_rad: float = math.nan
    delta_yaw_rate_rad_s: float = math.nan


@dataclass(frozen=True, slots=True)
class CommandAck(Event):
    """COMMAND_ACK 77 meant for us; `progress` means something with the result "in progress" (gimbal.md 1.4)."""

    command: int
    result: int
    progress: int = 0


@dataclass(frozen=True, slots=True)
class IncomingCommand(Event):
    """COMMAND_LONG 76 from the gimbal to us; it waits for an acknowledgement (gimbal.md 1.3)."""

    command: int


@dataclass(frozen=True, slots=True)
class DeviceInformation(Event):
    """GIMBAL_DEVICE_INFORMATION 283; limits are in NED: pitch up +, yaw right +, rad.

    A limit that the device does not know is NaN. `firmware_type` is 0 official, 64 alpha, 128 beta, 192 candidate; it
    is meaningful from firmware 7.8.9 on (gimbal.md 1.4). `cap_flags` are GIMBAL_DEVICE_CAP_FLAGS.
    """

    vendor: str
    model: str
    firmware: tuple[int, int, int]
    pitch_limits_rad: tuple[float, float]
    yaw_limits_rad: tuple[float, float]
    firmware_type: int = 0
    cap_flags: int = 0

    @property
    def version(self) -> str:
        """Of the firmware, as it is written."""
        return '.'.join(map(str, self.firmware))

    @property
    def is_gremsy(self) -> bool:
        """Whether it names Gremsy: then Gremsy's own modes and camera settings apply."""
        return 'GREMSY' in self.vendor.upper()

    @property
    def is_foreign(self) -> bool:
        """Whether it names another maker; one that names nobody may be an old Gremsy."""
        return bool(self.vendor.strip()) and not self.is_gremsy


@dataclass(frozen=True, slots=True)
class GimbalManager(Event):
    """GIMBAL_MANAGER_STATUS 281: the sender commands the gimbals of its system, or the one of that id, for others.

    `device_id` is the gimbal's component, or 1 to 6 where the manager itself is one; `primary` is whom it obeys.
    """

    device_id: int
    primary: Sender

    def commands(self, gimbal: Sender | None) -> bool:
        """Whether that gimbal is one of its own."""
        if gimbal is None or self.sender.system != gimbal.system:
            return False
        return self.device_id in (0, gimbal.component) or self.sender == gimbal


@dataclass(frozen=True, slots=True)
class MountOrientation(Event):
    """MOUNT_ORIENTATION 265: all that old firmware reports of its attitude, without flags or validity (gimbal.md 1.4).

    Roll and pitch against the horizon, yaw against the vehicle; `yaw_absolute_rad` against north, NaN where it is not
    sent.
    """

    time_boot_ms: int
    roll_rad: float
    pitch_rad: float
    yaw_rad: float
    yaw_absolute_rad: float


@dataclass(frozen=True, slots=True)
class MountStatus(Event):
    """MOUNT_STATUS 158: the encoders, counts of 2^16 a turn or cdeg, as the device is set (gimbal.md 1.4)."""

    tilt: int
    roll: int
    pan: int


@dataclass(frozen=True, slots=True)
class RawImu(Event):
    """RAW_IMU 27 in SI units, about the sensor's own axes, which are not the camera's (`imu_axes`)."""

    time_us: int
    acceleration_m_s2: tuple[float, float, float]
    rates_rad_s: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ParameterValue(Event):
    """PARAM_VALUE 22; a Gremsy casts its int16 to float (gimbal.md 1.4)."""

    name: str
    value: float
    index: int
    count: int


@dataclass(frozen=True, slots=True)
class ExtendedParameter(Event):
    """PARAM_EXT_VALUE 322 or PARAM_EXT_ACK 324; `result` is None for the former, PARAM_ACK_* for the latter.

    `raw` is the whole field of 128 bytes; `index` of `count` is a value's place in the list.
    """

    name: str
    raw: bytes
    type: int
    result: int | None
    index: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class PayloadTelemetry(Event):
    """One of the payload board's own values, by one of `TELEMETRY_NAMES`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class StatusText(Event):
    """STATUSTEXT 253, its chunks joined; `severity` as in syslog."""

    severity: int
    text: str
