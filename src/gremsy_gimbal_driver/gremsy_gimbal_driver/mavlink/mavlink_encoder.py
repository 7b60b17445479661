# SPDX-License-Identifier: Apache-2.0
"""Our messages to the gimbal as MAVLink 2 bytes; angles and rates in the wire's own axes (`mavlink_frames`)."""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

Triple = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

LONGEST_NAME = 16
"""Of a parameter, in ASCII characters."""

FLAGS_FOLLOW = dialect.GIMBAL_DEVICE_FLAGS_ROLL_LOCK | dialect.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
"""What the vendor's SDK sends in follow mode: roll and pitch held level, yaw goes with the vehicle (gimbal.md 1.7)."""

FLAGS_LOCK = FLAGS_FOLLOW | dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK

_EXTENDED_BYTES = 128
_BY_NAME = -1
_NAN3, _NAN4 = (math.nan,) * 3, (math.nan,) * 4
# Of DO_GIMBAL_MANAGER_CONFIGURE's ids (common.xml).
_UNCHANGED, _REMOVE_IF_IN_CONTROL = -1.0, -3.0
# What both of the vendor's SDKs call themselves (gimbal.md 1.3).
_OUR_TYPE = dialect.MAV_TYPE_ONBOARD_CONTROLLER
_MAVLINK_TARGETING = dialect.MAV_MOUNT_MODE_MAVLINK_TARGETING


class MountInput(IntEnum):
    """What DO_MOUNT_CONTROL's numbers are; left at 0, the command is refused (gSDK issue 15, gimbal.md 1.10)."""

    ANGLE = 1
    SPEED = 2


@dataclass(frozen=True, slots=True)
class VehicleState:
    """What AUTOPILOT_STATE_FOR_GIMBAL_DEVICE 286 gives a gimbal; what is not known keeps its default.

    Attributes:
        time_boot_us: our clock.
        q_ned_wxyz: vehicle FRD to NED.
        q_delay_us: age of that attitude; 0 if unknown.
        velocity_ned_m_s: NaN where unknown.
        velocity_delay_us: age of that velocity.
        commanded_yaw_rate_rad_s: of the vehicle, right +, so that the gimbal can lead; NaN if there is none.
        yaw_rate_rad_s: what it turns with, NED; 0 if unknown.
        estimator_status: ESTIMATOR_STATUS_FLAGS: which of the above are valid.
        landed_state: MAV_LANDED_STATE.
    """

    time_boot_us: int
    q_ned_wxyz: Quaternion
    q_delay_us: int = 0
    velocity_ned_m_s: Triple = (math.nan, math.nan, math.nan)
    velocity_delay_us: int = 0
    commanded_yaw_rate_rad_s: float = math.nan
    yaw_rate_rad_s: float = 0.0
    estimator_status: int = dialect.ESTIMATOR_ATTITUDE
    landed_state: int = dialect.MAV_LANDED_STATE_UNDEFINED


class MavlinkEncoder:
    """Packs messages of one sender, numbering them in order; may be used from several threads."""

    def __init__(self, own: Sender) -> None:
        self.own = own
        self._mavlink = dialect.MAVLink(None, srcSystem=own.system, srcComponent=own.component)
        self._lock = threading.Lock()

    def heartbeat(self) -> bytes:
        """HEARTBEAT 0: a gimbal is silent until it receives one."""
        return self._pack(
            dialect.MAVLink_heartbeat_message(
                _OUR_TYPE, dialect.MAV_AUTOPILOT_INVALID, 0, 0, dialect.MAV_STATE_ACTIVE, 3
            )
        )

    def command(self, to: Sender, command: int, *parameters: float, confirmation: int = 0) -> bytes:
        """COMMAND_LONG with up to seven parameters, the rest 0.

        `confirmation` is 0 in a command's first transmission and counts its repeats (common.xml). The vendor's SDK
        always sends 1 (gimbal.md 2); ArduPilot's mounts, which drive the same gimbals, send 0.
        """
        seven = [*parameters, *[0.0] * (7 - len(parameters))]
        return self._pack_to(to, dialect.MAVLink_command_long_message, command, confirmation, *seven)

    # Motion, protocol v2.

    def motion(
        self,
        gimbal: Sender,
        rates_frd_rad_s: Triple | None = None,
        q_frd_wxyz: Quaternion | None = None,
        flags: int = FLAGS_FOLLOW,
    ) -> bytes:
        """GIMBAL_DEVICE_SET_ATTITUDE 284: roll, pitch and yaw rates, or an attitude; what is None is NaN, not used."""
        motion = q_frd_wxyz or _NAN4, *(rates_frd_rad_s or _NAN3)
        return self._pack_to(gimbal, dialect.MAVLink_gimbal_device_set_attitude_message, flags, *motion)

    def vehicle_state(self, gimbal: Sender, state: VehicleState) -> bytes:
        """AUTOPILOT_STATE_FOR_GIMBAL_DEVICE 286; at most 50 a second, 100 overflow its buffer (gimbal.md 1.6)."""
        return self._pack_to(
            gimbal,
            dialect.MAVLink_autopilot_state_for_gimbal_device_message,
            state.time_boot_us,
            list(state.q_ned_wxyz),
            state.q_delay_us,
            *state.velocity_ned_m_s,
            state.velocity_delay_us,
            state.commanded_yaw_rate_rad_s,
            state.estimator_status,
            state.landed_state,
            state.yaw_rate_rad_s,
        )

    # Motion through a gimbal manager.

    def manager_motion(
        self, manager: Sender, device_id: int, rates_frd_rad_s: Triple | None, q_frd_wxyz: Quaternion | None, flags: int
    ) -> bytes:
        """GIMBAL_MANAGER_SET_ATTITUDE 282: to the manager what 284 is to the gimbal."""
        motion = q_frd_wxyz or _NAN4, *(rates_frd_rad_s or _NAN3)
        return self._pack_to(manager, dialect.MAVLink_gimbal_manager_set_attitude_message, flags, device_id, *motion)

    def manager_control(self, manager: Sender, device_id: int, take: bool) -> bytes:
        """COMMAND_LONG 1001 DO_GIMBAL_MANAGER_CONFIGURE: it obeys us, or nobody if it obeyed us.

        Who has secondary control stays as it is.
        """
        primary = (self.own.system, self.own.component) if take else (_REMOVE_IF_IN_CONTROL, _REMOVE_IF_IN_CONTROL)
        parameters = (*map(float, primary), _UNCHANGED, _UNCHANGED, 0.0, 0.0, float(device_id))
        return self.command(manager, dialect.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE, *parameters)

    # Motion, protocol v1 (gimbal.md 1.6).

    def mount_control(self, gimbal: Sender, roll_pitch_yaw_deg: Triple, kind: MountInput) -> bytes:
        """COMMAND_LONG 205 DO_MOUNT_CONTROL: degrees, or degrees per second."""
        roll, pitch, yaw = roll_pitch_yaw_deg
        parameters = (pitch, roll, yaw, 0.0, 0.0, float(kind), float(_MAVLINK_TARGETING))
        return self.command(gimbal, dialect.MAV_CMD_DO_MOUNT_CONTROL, *parameters)

    def mount_mode(self, gimbal: Sender, mode: int, reset: int = 0) -> bytes:
        """COMMAND_LONG 31011 USER_2: p7 is the mode, p6 what a reset resets (`gimbal_protocol`)."""
        return self.command(gimbal, dialect.MAV_CMD_USER_2, 0.0, 0.0, 0.0, 0.0, 0.0, float(reset), float(mode))

    def motors(self, gimbal: Sender, on: bool) -> bytes:
        """COMMAND_LONG 31010 USER_1."""
        return self.command(gimbal, dialect.MAV_CMD_USER_1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, float(on))

    # Requests.

    def acknowledgement(self, to: Sender, command: int, result: int) -> bytes:
        """COMMAND_ACK 77: a gimbal waits for one to its own commands (gimbal.md 1.3)."""
        return self._pack(dialect.MAVLink_command_ack_message(command, result, 0, 0, to.system, to.component))

    # Parameters: the gimbal's own (PARAM) and the camera's (PARAM_EXT).

    def read_parameter(self, gimbal: Sender, name: str = '', index: int = _BY_NAME) -> bytes:
        """PARAM_REQUEST_READ 20 by name, or by index for the gaps of a list."""
        return self._pack_to(gimbal, dialect.MAVLink_param_request_read_message, name.encode('ascii'), index)

    def list_parameters(self, gimbal: Sender) -> bytes:
        """PARAM_REQUEST_LIST 21."""
        return self._pack_to(gimbal, dialect.MAVLink_param_request_list_message)

    def set_parameter(self, gimbal: Sender, name: str, value: int) -> bytes:
        """PARAM_SET 23: the whole number cast to float as C casts it, not its bytes (gimbal.md 1.4)."""
        kind = dialect.MAV_PARAM_TYPE_INT16
        return self._pack_to(gimbal, dialect.MAVLink_param_set_message, name.encode('ascii'), float(value), kind)

    def read_extended_parameter(self, to: Sender, name: str = '', index: int = _BY_NAME) -> bytes:
        """PARAM_EXT_REQUEST_READ 320 by name, or by index for the gaps of a list."""
        return self._pack_to(to, dialect.MAVLink_param_ext_request_read_message, name.encode('ascii'), index)

    def list_extended_parameters(self, to: Sender) -> bytes:
        """PARAM_EXT_REQUEST_LIST 321."""
        return self._pack_to(to, dialect.MAVLink_param_ext_request_list_message)

    def set_extended_parameter(self, to: Sender, name: str, value: int) -> bytes:
        """PARAM_EXT_SET 323 as UINT32: four bytes, low first, then zeros.

        The vendor's own SDK fills the field with `strcpy`, so that 256 arrives as 0 (gimbal.md 1.12 bug 2).
        """
        raw = struct.pack('<I', value).ljust(_EXTENDED_BYTES, b'\0')
        kind = dialect.MAV_PARAM_EXT_TYPE_UINT32
        return self._pack_to(to, dialect.MAVLink_param_ext_set_message, name.encode('ascii'), raw, kind)

    def _pack_to(self, to: Sender, message: Callable[..., dialect.MAVLink_message], *fields: object) -> bytes:
        return self._pack(message(to.system, to.component, *fields))

    def _pack(self, message: dialect.MAVLink_message) -> bytes:
        with self._lock:
            packed = bytes(message.pack(self._mavlink))
            self._mavlink.seq = (self._mavlink.seq + 1) % 256
        return packed
