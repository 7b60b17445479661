# SPDX-License-Identifier: Apache-2.0
"""A gimbal that is not Gremsy's, over UDP in real time, and what sits beside it: a camera, a gimbal manager.

How each style behaves is from public sources:
* `PX4`: PX4-Autopilot `src/modules/simulation/gz_bridge/GZGimbal.{hpp,cpp}` (011a413, 1a2f58a): 285 at 5 Hz whatever
  was asked for, its flags YAW_IN_EARTH_FRAME alone whatever was commanded, no `delta_yaw`; 283 on request, with the
  capabilities below (no RETRACT, no lock) and a yaw without limits; a rate moves it once for each message.
* `MAVSDK`: the gimbal device of MAVSDK 4.1 as it was run against the suite (gimbal.md 9): 1/154, 285 at 10 Hz, flags
  44, no `delta_yaw` although YAW_IN_VEHICLE_FRAME is set; a rate latches. Beside it a camera server that knows no
  PARAM_EXT.
* behind a manager: PX4-Autopilot `src/modules/gimbal/input_mavlink.cpp` (0584363): 281 five times a second with the
  device's component, commands and 282 obeyed from who has primary control alone, which 1001 takes (acknowledged).
* `STORM32`: MAVLink's text of 285: both yaw frames, with a `delta_yaw` that says how far they are apart.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_ROLL_PITCH_LOCK = dialect.GIMBAL_DEVICE_FLAGS_ROLL_LOCK | dialect.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
_YAW_LOCK = dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
_IN_VEHICLE = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
_IN_EARTH = dialect.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME
_AXES = sum(getattr(dialect, f'GIMBAL_DEVICE_CAP_FLAGS_HAS_{axis}_AXIS') for axis in ('ROLL', 'PITCH', 'YAW'))
_FOLLOWS = sum(getattr(dialect, f'GIMBAL_DEVICE_CAP_FLAGS_HAS_{axis}_FOLLOW') for axis in ('ROLL', 'PITCH', 'YAW'))
_LOCKS = sum(getattr(dialect, f'GIMBAL_DEVICE_CAP_FLAGS_HAS_{axis}_LOCK') for axis in ('ROLL', 'PITCH', 'YAW'))
_NEUTRAL = dialect.GIMBAL_DEVICE_CAP_FLAGS_HAS_NEUTRAL
_ACCEPTED, _DENIED, _UNSUPPORTED = (
    dialect.MAV_RESULT_ACCEPTED,
    dialect.MAV_RESULT_DENIED,
    dialect.MAV_RESULT_UNSUPPORTED,
)
_LAG_S = 0.06


@dataclass(frozen=True, kw_only=True)
class Style:
    """What a foreign gimbal is and does.

    Attributes:
        flags: that 285 always shows; with `shows_mode` those of the last command as well.
        delta_yaw_rad: of 285; None where it is not filled in.
        camera: the camera beside it.
        manager: who commands the gimbal, and nobody else may; None where anybody may.
        keeps_control: whom the manager obeys, whoever asks; None where it gives control away.
    """

    gimbal: Sender = Sender(1, 154)
    vendor: bytes
    model: bytes
    cap_flags: int
    attitude_hz: float
    flags: int
    shows_mode: bool
    latches: bool
    yaw_limits_rad: tuple[float, float] = (-math.pi, math.pi)
    delta_yaw_rad: float | None = None
    camera: Sender | None = None
    manager: Sender | None = None
    keeps_control: Sender | None = None


PX4 = Style(
    vendor=b'PX4',
    model=b'Gazebo Gimbal',
    cap_flags=_NEUTRAL | _AXES | _FOLLOWS | dialect.GIMBAL_DEVICE_CAP_FLAGS_SUPPORTS_INFINITE_YAW,
    attitude_hz=5.0,
    flags=_IN_EARTH,
    shows_mode=False,
    latches=False,
    yaw_limits_rad=(math.nan, math.nan),
)
MAVSDK = Style(
    vendor=b'MAVSDK',
    model=b'Gimbal',
    cap_flags=_NEUTRAL | _AXES | _FOLLOWS | _LOCKS,
    attitude_hz=10.0,
    flags=_IN_VEHICLE,
    shows_mode=True,
    latches=True,
    camera=Sender(1, 100),
)
STORM32 = replace(MAVSDK, gimbal=Sender(4, 154), vendor=b'OlliW', model=b'STorM32', delta_yaw_rad=1.0, camera=None)
BEHIND_A_MANAGER = replace(MAVSDK, gimbal=Sender(4, 154), manager=Sender(4, 1), camera=None)


class ForeignGimbal:
    """On a thread until closed; `heard` counts messages by id, commands also as (76, command)."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.heard: Counter[int | tuple[int, int]] = Counter()
        self.yaw_rad = self.pitch_rad = 0.0  # right and up +
        self.controlled_by: Sender | None = style.keeps_control
        self.flags_seen = 0
        self.silent = False
        self._flags = _ROLL_PITCH_LOCK
        self._rates = self._speeds = (0.0, 0.0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(('127.0.0.1', 0))
        self._socket.settimeout(0.01)
        self._peer: tuple[str, int] | None = None
        self._parser = dialect.MAVLink(None)
        self._parser.robust_parsing = True
        self._voices: dict[Sender, dialect.MAVLink] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve, name='foreign gimbal', daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        return f'udp://127.0.0.1:{self._socket.getsockname()[1]}'

    @property
    def angles_deg(self) -> tuple[float, float]:
        """Azimuth (left +) and tilt (down +)."""
        return -math.degrees(self.yaw_rad), -math.degrees(self.pitch_rad)

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        begun = last = time.monotonic()
        beat = attitude = status = 0.0
        while not self._end.is_set():
            self._receive()
            now = time.monotonic()
            if self.style.latches:
                self._turn(now - last)
            last = now
            if self.silent:
                continue
            boot_ms = round((now - begun) * 1e3)
            if now >= beat:
                beat = now + 1.0
                self._beat()
            if now >= attitude:
                attitude = now + 1.0 / self.style.attitude_hz
                self._say(self.style.gimbal, self._attitude(boot_ms))
            if self.style.manager is not None and now >= status:
                status = now + 0.2
                by = self.controlled_by or Sender(0, 0)
                device = self.style.gimbal.component
                self._say(
                    self.style.manager,
                    dialect.MAVLink_gimbal_manager_status_message(boot_ms, 0, device, by.system, by.component, 0, 0),
                )

    def _receive(self) -> None:
        try:
            data, self._peer = self._socket.recvfrom(2048)
        except (TimeoutError, ConnectionError):
            return
        for message in self._parser.parse_buffer(data) or []:
            sender = Sender(message.get_srcSystem(), message.get_srcComponent())
            number = message.get_msgId()
            self.heard[number] += 1
            if number == dialect.MAVLINK_MSG_ID_COMMAND_LONG:
                self.heard[number, message.command] += 1
                self._command(sender, message)
            elif number == dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_SET_ATTITUDE:
                if self.style.manager in (None, sender):
                    self._obey(message)
            elif (
                number == dialect.MAVLINK_MSG_ID_GIMBAL_MANAGER_SET_ATTITUDE
                and self._is(message, self.style.manager)
                and sender == self.controlled_by
            ):
                self._obey(message)

    def _obey(self, message: dialect.MAVLink_message) -> None:
        self._flags = message.flags
        self.flags_seen |= message.flags
        if all(map(math.isfinite, message.q)):
            w, x, y, z = message.q
            self.yaw_rad = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
            self.pitch_rad = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
            self._rates = self._speeds = (0.0, 0.0)
            return
        self._rates = (message.angular_velocity_y, message.angular_velocity_z)
        if not self.style.latches:
            self._speeds = self._rates
            self._turn(0.04)

    def _turn(self, seconds: float) -> None:
        share = min(1.0, seconds / _LAG_S) if self.style.latches else 1.0
        pitch, yaw = (at + share * (to - at) for at, to in zip(self._speeds, self._rates, strict=True))
        self._speeds = (pitch, yaw)
        self.pitch_rad = max(-math.pi / 2, min(math.pi / 4, self.pitch_rad + pitch * seconds))
        self.yaw_rad = math.remainder(self.yaw_rad + yaw * seconds, 2 * math.pi)

    def _command(self, sender: Sender, message: dialect.MAVLink_message) -> None:
        style = self.style
        if self._is(message, style.manager):
            result = _UNSUPPORTED
            if style.keeps_control is not None:
                result = _DENIED
            elif message.command == dialect.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE:
                if message.param1 == message.param2 == -3.0:  # remove whoever asks, if it is in control
                    self.controlled_by = None if self.controlled_by == sender else self.controlled_by
                else:
                    self.controlled_by = Sender(int(message.param1), int(message.param2))
                result = _ACCEPTED
            self._acknowledge(style.manager, sender, message.command, result)
        elif self._is(message, style.gimbal):
            asked = message.command == dialect.MAV_CMD_REQUEST_MESSAGE
            known = asked and message.param1 == dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION
            self._acknowledge(style.gimbal, sender, message.command, _ACCEPTED if known else _UNSUPPORTED)
            if known:
                self._say(style.gimbal, self._information())
        elif self._is(message, style.camera):
            self._acknowledge(style.camera, sender, message.command, _ACCEPTED)

    def _is(self, message: dialect.MAVLink_message, to: Sender | None) -> bool:
        return to == Sender(message.target_system, message.target_component)

    def _attitude(self, boot_ms: int) -> dialect.MAVLink_message:
        style = self.style
        flags = style.flags | (self._flags if style.shows_mode else 0)
        cy, sy = math.cos(self.yaw_rad / 2), math.sin(self.yaw_rad / 2)
        cp, sp = math.cos(self.pitch_rad / 2), math.sin(self.pitch_rad / 2)
        q = [cy * cp, -sy * sp, cy * sp, sy * cp]
        return dialect.MAVLink_gimbal_device_attitude_status_message(
            0, 0, boot_ms, flags, q, 0.0, *self._speeds, 0, style.delta_yaw_rad or 0.0, 0.0, 0
        )

    def _information(self) -> dialect.MAVLink_message:
        style = self.style
        return dialect.MAVLink_gimbal_device_information_message(
            0, style.vendor, style.model, b'', 1, 1, 0, style.cap_flags, 0,
            -math.pi / 4, math.pi / 4, -math.pi / 2, math.pi / 4, *style.yaw_limits_rad,
        )  # fmt: skip

    def _beat(self) -> None:
        invalid, active = dialect.MAV_AUTOPILOT_INVALID, dialect.MAV_STATE_ACTIVE
        for sender, kind in (
            (self.style.gimbal, dialect.MAV_TYPE_GIMBAL),
            (self.style.camera, dialect.MAV_TYPE_CAMERA),
        ):
            if sender is not None:
                self._say(sender, dialect.MAVLink_heartbeat_message(kind, invalid, 0, 0, active, 3))

    def _acknowledge(self, by: Sender, to: Sender, command: int, result: int) -> None:
        self._say(by, dialect.MAVLink_command_ack_message(command, result, 0, 0, to.system, to.component))

    def _say(self, sender: Sender, message: dialect.MAVLink_message) -> None:
        voice = self._voices.setdefault(sender, dialect.MAVLink(None, sender.system, sender.component))
        if self._peer is not None and not self.silent:
            self._socket.sendto(message.pack(voice), self._peer)
            voice.seq = (voice.seq + 1) % 256


@contextmanager
def foreign_gimbal(style: Style) -> Iterator[ForeignGimbal]:
    """It runs until the end of the block."""
    gimbal = ForeignGimbal(style)
    try:
        yield gimbal
    finally:
        gimbal.close()
