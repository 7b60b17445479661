# SPDX-License-Identifier: Apache-2.0
"""The simulated payload's behaviour: bytes and times in, bytes and true states out. No clock, no socket, no thread."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from gremsy_common.rotations import quaternion_from_bearing
from gremsy_common.truth_ring import TrueState
from gremsy_gimbal_driver.euler import yaw_roll_pitch
from gremsy_gimbal_driver.mavlink_dialect import CHECKSUM_EXTRA, MESSAGE_STRUCT, dialect
from gremsy_gimbal_driver.mavlink_encoder import FLAGS_FOLLOW
from gremsy_gimbal_driver.mavlink_frames import (
    level_from_camera_flu,
    level_rates,
    ned_degrees,
    q_frd_from_level_camera,
    vector_frd,
)
from gremsy_gimbal_driver.mavlink_framing import Frame, Framer
from gremsy_gimbal_driver.plant import Plant
from gremsy_gimbal_driver.simulated_payload.link_faults import LinkFaults
from gremsy_gimbal_driver.simulated_payload.options import PayloadOptions
from gremsy_gimbal_driver.simulated_payload.telemetry import Telemetry
from gremsy_gimbal_driver.simulated_payload.zoom import ZoomLens

_HEARTBEAT_S = 1.0
_ZOOM_S = 0.2
_RANGE, _CONTINUOUS = 2, 1
_FASTEST_HZ = 200.0  # "0-200 Hz", gimbal.md 1.4


class SimulatedPayload:
    """Gimbal, camera and payload board of one device.

    Args:
        options: what it does and what is wrong with it.
        seed: of every random fault.
        start_s: the time of all later calls counts from any origin; this is the first.
        speaks_first: a real one is silent until it hears a heartbeat (gimbal.md 1.2).
    """

    def __init__(
        self, options: PayloadOptions | None = None, seed: int = 0, start_s: float = 0.0, speaks_first: bool = False
    ) -> None:
        self.options = options or PayloadOptions()
        self._start_s = start_s
        self._plant = Plant(self.options.plant, start_s=start_s)
        self._zoom = ZoomLens(self.options.zoom_max, self.options.zoom_doublings_per_s, start_s)
        self._telemetry = Telemetry(self.options)
        self._framer = Framer(CHECKSUM_EXTRA)
        self._random = np.random.default_rng([seed, 0])
        self._incoming = LinkFaults(self.options.lost_byte_share, seed=2 * seed + 1)
        self._outgoing = LinkFaults(self.options.lost_byte_share, seed=2 * seed + 2)
        self._talking = speaks_first
        self._flags = FLAGS_FOLLOW
        self._expires_s = math.inf
        self._replies: list[bytes] = []
        self._intervals = {
            'heartbeat': _HEARTBEAT_S,
            'attitude': 1.0 / self.options.attitude_rate_hz,
            'orientation': 1.0 / self.options.orientation_rate_hz,
            'zoom': _ZOOM_S,
        }
        self._due = dict.fromkeys(self._intervals, start_s)
        # Attitudes that were measured and wait for their age: (time to send, message).
        self._measured: deque[tuple[float, bytes]] = deque()
        self.rate_commands: deque[tuple[float, float, float]] = deque(maxlen=4096)
        """(time of receipt s, azimuth rate, tilt rate rad/s) of the newest rate commands, for tests and benchmarks."""

    def receive(self, data: bytes, now_s: float, datagram: bool = False) -> None:
        """Bytes arrived."""
        for frame in self._framer.feed(self._incoming.through(data), datagram):
            self._take(frame, now_s)

    def advance(self, now_s: float) -> list[bytes]:
        """Move on to this time; what goes out now, one item a message."""
        if now_s >= self._expires_s:
            self._plant.command(self._expires_s, (0.0, 0.0))
            self._expires_s = math.inf
        self._zoom.advance(now_s)
        self._plant.set_zoom(self._zoom.factor)
        self._plant.advance(now_s)
        messages, self._replies = self._replies, []
        messages += self._streams(now_s)
        while self._measured and self._measured[0][0] <= now_s:
            messages.append(self._measured.popleft()[1])
        if not self._talking:
            return []
        return [self._outgoing.through(message) for message in messages]

    def true_state(self, ros_minus_own_ns: int) -> TrueState:
        """The truth at the plant's newest step; `ros_minus_own_ns` leads from this class's time to the ROS clock."""
        azimuth, tilt = self._plant.angles_rad.tolist()
        azimuth_rate, tilt_rate = self._plant.rates_rad_s.tolist()
        stamp_ns = round(self._plant.time_s * 1e9) + ros_minus_own_ns
        return TrueState(stamp_ns, azimuth, tilt, azimuth_rate, tilt_rate, self._zoom.factor)

    # Streams.

    def _streams(self, now_s: float) -> list[bytes]:
        messages: list[bytes] = []
        for name, interval in self._intervals.items():
            if now_s < self._due[name]:
                continue
            # A late wake does not make up for what was missed.
            self._due[name] = max(self._due[name] + interval, now_s + 0.5 * interval)
            if not self._talking:
                continue
            if name == 'heartbeat':
                messages += [*self._telemetry.heartbeats(), self._telemetry.system_status()]
            elif name == 'attitude':
                self._measured.append((now_s + self.options.attitude_age_s, self._attitude()))
            elif name == 'orientation':
                messages.append(self._orientation())
            else:
                messages.append(self._telemetry.zoom(self._boot_ms(), self._zoom.factor))
        return messages

    def _boot_ms(self) -> int:
        """The device's clock at the plant's newest step."""
        return self.options.boot_ms + int((self._plant.time_s - self._start_s) * 1e3 + 1e-3)

    def _angles(self) -> tuple[float, float]:
        angles = self._plant.angles_rad
        if self.options.attitude_noise_rad:
            angles += self._random.normal(0.0, self.options.attitude_noise_rad, 2)
        return float(angles[0]), float(angles[1])

    def _attitude(self) -> bytes:
        azimuth, tilt = self._angles()
        azimuth_rate, tilt_rate = self._plant.rates_rad_s.tolist()
        # The azimuth turns about the level frame's up, which in the camera's own axes leans with the tilt.
        rates = vector_frd([-math.sin(tilt) * azimuth_rate, tilt_rate, math.cos(tilt) * azimuth_rate]).tolist()
        quaternion = q_frd_from_level_camera(quaternion_from_bearing(azimuth, tilt)).tolist()
        return self._telemetry.attitude(self._boot_ms(), self._flags, quaternion, (rates[0], rates[1], rates[2]))

    def _orientation(self) -> bytes:
        pitch_deg, yaw_deg = ned_degrees(*self._angles())
        if self.options.zero_triple_share and self._random.random() < self.options.zero_triple_share:
            pitch_deg = yaw_deg = 0.0
        return self._telemetry.orientation(self._boot_ms(), pitch_deg, yaw_deg)

    # Commands.

    def _take(self, frame: Frame, now_s: float) -> None:
        layout = MESSAGE_STRUCT[frame.message_id]
        fields = layout.unpack(frame.payload[: layout.size].ljust(layout.size, b'\0'))
        if frame.message_id == dialect.MAVLINK_MSG_ID_HEARTBEAT:
            self._hear(now_s)
        elif frame.message_id == dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_SET_ATTITUDE:
            *numbers, flags, system, component = fields
            if self._is_for(system, component, self.options.gimbal_component):
                self._set_attitude(numbers, int(flags), now_s)
        elif frame.message_id == dialect.MAVLINK_MSG_ID_COMMAND_LONG:
            *parameters, command, system, component, _ = fields
            self._command(frame, int(command), parameters, system, component)

    def _hear(self, now_s: float) -> None:
        if not self._talking:
            self._talking = True
            self._due = dict.fromkeys(self._intervals, now_s)

    def _is_for(self, system: int, component: int, own_component: int) -> bool:
        return system in (0, self.options.system) and component in (0, own_component)

    def _set_attitude(self, numbers: list[float], flags: int, now_s: float) -> None:
        """284: the quaternion if it is given, else the rates; all NaN says nothing."""
        q, rates = numbers[:4], numbers[4:7]
        if all(map(math.isfinite, q)) and math.hypot(*q) > 0:
            yaw, _, pitch = yaw_roll_pitch(level_from_camera_flu(q)).tolist()
            self._plant.command_angles(now_s, (yaw, pitch))
            self._expires_s = math.inf
        elif all(map(math.isfinite, rates)):
            azimuth_rate, tilt_rate = level_rates(*rates[1:])
            self._plant.command(now_s, (azimuth_rate, tilt_rate))
            self._expires_s = now_s + self.options.rate_expiry_s if self.options.rate_expiry_s else math.inf
            self.rate_commands.append((now_s, azimuth_rate, tilt_rate))
        else:
            return
        self._flags = flags

    def _command(self, frame: Frame, command: int, parameters: list[float], system: int, component: int) -> None:
        options = self.options
        if command in (dialect.MAV_CMD_SET_MESSAGE_INTERVAL, dialect.MAV_CMD_REQUEST_MESSAGE):
            own = options.gimbal_component
            act = self._set_interval if command == dialect.MAV_CMD_SET_MESSAGE_INTERVAL else self._send_once
        elif command == dialect.MAV_CMD_SET_CAMERA_ZOOM:
            own, act = options.camera_component, self._set_zoom
        else:
            own, act = options.gimbal_component, self._refuse_command
        if self._is_for(system, component, own):
            result = act(parameters)
            reply = self._telemetry.acknowledgement(own, command, result, frame.system, frame.component)
            self._replies.append(reply)

    def _set_interval(self, parameters: list[float]) -> int:
        names = {
            dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS: ('attitude', self.options.attitude_rate_hz),
            dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION: ('orientation', self.options.orientation_rate_hz),
        }
        name, default_hz = names.get(int(parameters[0]), ('', 0.0))
        if not name:
            return int(dialect.MAV_RESULT_UNSUPPORTED)
        interval_us = parameters[1]
        if interval_us < 0:
            self._intervals[name] = math.inf
        else:
            self._intervals[name] = 1.0 / default_hz if interval_us == 0 else max(interval_us * 1e-6, 1 / _FASTEST_HZ)
        self._due[name] = self._plant.time_s
        return int(dialect.MAV_RESULT_ACCEPTED)

    def _send_once(self, parameters: list[float]) -> int:
        if int(parameters[0]) != dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION:
            return int(dialect.MAV_RESULT_UNSUPPORTED)
        self._replies.append(self._telemetry.information(self._boot_ms()))
        return int(dialect.MAV_RESULT_ACCEPTED)

    def _set_zoom(self, parameters: list[float]) -> int:
        if int(parameters[0]) == _RANGE:
            self._zoom.go_to_percent(parameters[1])
        elif int(parameters[0]) == _CONTINUOUS:
            self._zoom.drive(parameters[1])
        else:
            return int(dialect.MAV_RESULT_UNSUPPORTED)
        return int(dialect.MAV_RESULT_ACCEPTED)

    def _refuse_command(self, parameters: list[float]) -> int:
        del parameters
        return int(dialect.MAV_RESULT_UNSUPPORTED)
