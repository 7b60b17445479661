# SPDX-License-Identifier: Apache-2.0
"""The device at the other end as it is known now: events in; requests to it and reports of it out.

No thread, no clock, no link; the driver holds its lock around it. Motion is `MotionControl`'s, which gets from here
what it must know of the device: attitude, mode, limits, zoom, restarts.
"""

from __future__ import annotations

import math
from collections import Counter

from gremsy_common.types.gimbal_state import ImuReading, LevelHeading, RangeReading, VehicleAttitude, ZoomState
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping, AttitudeTelemetry, MeasuredAttitude
from gremsy_gimbal_driver.attitude.joint_chain import joints_from_attitude, joints_from_encoders
from gremsy_gimbal_driver.attitude.level_frame import level_reference
from gremsy_gimbal_driver.attitude.level_heading import LevelHeadings
from gremsy_gimbal_driver.attitude.vehicle_attitude import VEHICLE_REFUSALS, VehicleHistory
from gremsy_gimbal_driver.attitude.vehicle_state import VehicleStatePace
from gremsy_gimbal_driver.device.device_requests import DeviceRequests
from gremsy_gimbal_driver.device.device_status import health
from gremsy_gimbal_driver.device.gimbal_parameters import LIMIT_NAMES, GimbalParameters
from gremsy_gimbal_driver.device.payload_readings import (
    RANGE_NAME,
    ZOOM_NAME,
    GravityWatch,
    ImuConversion,
    range_reading,
)
from gremsy_gimbal_driver.device.stream_rates import ATTITUDE, ORIENTATION
from gremsy_gimbal_driver.driver_reports import DeviceSnapshot, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.component_register import SILENCE_NS, ComponentKind, ComponentRegister, kind_of
from gremsy_gimbal_driver.mavlink.gimbal_protocol import GimbalProtocol, ProtocolChoice, lacking_modes, mode_from_flags
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    Event,
    GimbalManager,
    MountOrientation,
    MountStatus,
    ParameterValue,
    PayloadTelemetry,
    RawImu,
    Sender,
    StatusText,
    SystemStatus,
)
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_limits
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Notices, Refusal, Report
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_requests import Request, SetSetting, TelemetryRate
from gremsy_gimbal_driver.payload.pending_request import RequestLog

_AT_YAW_LIMIT = dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_YAW_LIMIT
_AT_PITCH_LIMIT = dialect.GIMBAL_DEVICE_ERROR_FLAGS_AT_PITCH_LIMIT
# `bench pointing` follows at 10 Hz; the rest is for measuring.
_FEW_HZ = 12.0
_MODE_COMMAND = dialect.MAV_CMD_USER_2  # 31011, gimbal.md 1.6
_TAKE_CONTROL = dialect.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE
_ACCEPTED = dialect.MAV_RESULT_ACCEPTED


DeviceReport = GimbalView | ZoomState | ImuReading | RangeReading | LevelHeading
"""What is reported of an event."""


class GimbalDevice:
    """One gimbal and its payload.

    Args:
        parameters: the driver's.
        encoder: packs for all.
        components: who is there, on any link.
        motion: gets what it must know.
        report: called once with each fault.
        inform: reports everything else.
        still_number: of the first picture; see `camera_commands.first_still_number`.
    """

    def __init__(
        self,
        parameters: GimbalDriverParameters,
        encoder: MavlinkEncoder,
        components: ComponentRegister,
        motion: MotionControl,
        report: Report,
        inform: Report,
        still_number: int = 1,
    ) -> None:
        self._parameters = parameters
        self._encoder = encoder
        self._components = components
        self._motion = motion
        self._inform = inform
        self._report = report
        self._notices = Notices(report)
        least_delay_ns = nanoseconds(parameters.least_attitude_delay_s)
        self._protocols = ProtocolChoice(encoder, parameters.protocol, parameters.v1_yaw_sign)
        self._telemetry = AttitudeTelemetry(AttitudeStamping(parameters.camera_frame, least_delay_ns), report, inform)
        self.imu = ImuConversion(parameters.camera_frame, least_delay_ns, parameters.imu_axes)
        self._gravity = GravityWatch()
        self._vehicle = VehicleHistory(parameters.vehicle_age_limit_s)
        self.pace = VehicleStatePace(parameters.vehicle_age_limit_s)
        self._headings = LevelHeadings(parameters.level_frame)
        self.requests = DeviceRequests(encoder, parameters.stream_rates_hz, parameters.bytes_per_s)
        self.parameters = GimbalParameters(encoder)
        self.payload = PayloadControl(encoder, components, parameters, still_number)
        self._request_log = RequestLog(inform, report)
        self._set_up: list[Sender | None] = [None, None, None]
        self._set_up_requests: tuple[list[Request], ...] = (
            [SetSetting(name, choice) for name, choice in parameters.camera_settings.items()],
            [SetSetting('rc_mode', 'standard')] if parameters.claims_control else [],
            [TelemetryRate(name, rate_hz) for name, rate_hz in parameters.payload_rates_hz.items()],
        )
        """To the camera, to a Gremsy's camera, and to the board."""
        self._reported_protocol = ''
        self._reported_few = False
        self._attitude_ns: int | None = None
        self._failure_flags = 0
        self._encoders: MountStatus | None = None
        self.gimbal: Sender | None = parameters.pinned_gimbal
        """The gimbal that we command; None before it was found, where its ids are not given."""
        self.found_gimbal: Sender | None = None
        """The same, None until it has spoken."""
        self._system_status: SystemStatus | None = None
        self.view: GimbalView | None = None
        """The newest."""

    def use_attitude_delay(self, least_delay_s: float) -> None:
        """Another smallest time from a measurement to its arrival, as it is known now."""
        self._telemetry.stamping.clock.least_delay_ns = nanoseconds(least_delay_s)
        self.imu.use_least_delay(nanoseconds(least_delay_s))

    # How it stands.

    @property
    def protocol(self) -> GimbalProtocol:
        """How the gimbal is commanded."""
        return self._protocols.protocol

    def snapshot(self, now: Instant) -> DeviceSnapshot:
        """All of it."""
        payload, source = self.payload, self._telemetry.source
        turning = self._headings.source(now.ros_ns)
        age_s = None if self._attitude_ns is None else (now.monotonic_ns - self._attitude_ns) * 1e-9
        return DeviceSnapshot(
            gimbal=self.gimbal,
            camera=self._components.camera,
            payload=self._components.payload,
            information=self.requests.information,
            system_status=self._system_status,
            protocol=self.protocol.name,
            attitude_source='' if source is None else source.value,
            attitude_age_s=age_s,
            streams=dict(self.requests.streams),
            health=health(self.requests.information, age_s, self._failure_flags, self._system_status),
            vehicle=self._vehicle.fault(now.ros_ns),
            heading_source='' if turning is None else turning.value,
            zoom_factor=payload.lens.factor,
            cameras_gone=tuple(payload.gone),
            payload_tracking=payload.tracking,
        )

    def knows_turning(self, now: Instant) -> bool:
        """Whether something tells how the level frame turns with the vehicle."""
        return self._headings.source(now.ros_ns) is not None

    @property
    def counts(self) -> Counter[str]:
        """Refused and repeated things, by name."""
        counts = self._telemetry.counts + self.requests.commands.counts + self.imu.rejects
        counts.update(self._notices.counts)
        counts.update(self.payload.counts)
        counts['device_restarts'] = self._telemetry.stamping.clock.restarts
        counts['vehicle_states_sent'] = self.pace.sent
        return counts

    # What comes in.

    def found(self, gimbal: Sender, link: str) -> None:
        """The gimbal has spoken on that link: it is ours until it falls silent."""
        self.gimbal = self.found_gimbal = gimbal
        self._inform(f'Found the gimbal {gimbal} on {link}.')
        if self._parameters.use_gimbal_limits:
            self.parameters.read(*LIMIT_NAMES)

    def on_event(self, event: Event, now: Instant, is_copy: bool = False) -> list[DeviceReport]:
        """Anything that the device sends; what is reported of it.

        Args:
            event: what.
            now: when it arrived.
            is_copy: it came on another link than the one that leads to its sender, which brings the same; it is used,
                so that nothing is missed when that link dies, but does not count as a message of a stream.
        """
        self.payload.on_event(event, now.monotonic_ns)
        if kind_of(event.sender.component) is ComponentKind.GIMBAL and not isinstance(event, GimbalManager):
            return self._on_gimbal_event(event, now, is_copy) if event.sender == self.gimbal else []
        if isinstance(event, GimbalManager) and event.commands(self.gimbal):
            self._protocols.on_event(event, now.monotonic_ns)
            self._report_protocol()
        if isinstance(event, CommandAck) and event.command == _TAKE_CONTROL:
            self._on_control_ack(event)
        if isinstance(event, PayloadTelemetry):
            return self._on_payload_telemetry(event, now)
        if isinstance(event, StatusText):
            self._inform(f'The payload says: {event.text}')
        return []

    def offer_vehicle(self, vehicle: VehicleAttitude, now: Instant) -> list[DeviceReport]:
        """How the vehicle stands; what is reported of it."""
        try:
            self._vehicle.take(vehicle, now.ros_ns)
        except Refusal as refusal:
            self._notices.fault(refusal.kind, str(refusal))
            return []
        self._notices.recovered(*VEHICLE_REFUSALS)
        self.pace.offer(vehicle)
        heading = self._headings.vehicle(vehicle)
        return [] if heading is None else [heading]

    # What goes out.

    def due(self, now: Instant) -> list[tuple[Sender, bytes]]:
        """Messages to send now and to whom; call it at least some ten times a second."""
        now_ns = now.monotonic_ns
        if self.gimbal in self._components.forget_silent(now_ns):
            self._forget_gimbal()
        # Camera and main board sit behind one port of the payload.
        board = self._components.camera or self._components.payload
        for_payload = self.payload.due(now_ns)
        messages = [] if board is None else [(board, message) for message in for_payload]
        self._request_log.log_ended()
        self._set_up_payload(now)
        self._report_slow_attitude()
        gimbal = self.found_gimbal
        if gimbal is None:
            return messages
        messages += [(gimbal, message) for message in self.requests.due(gimbal, now_ns)]
        messages += [(gimbal, message) for message in self.parameters.due(gimbal, now_ns)]
        state = self.pace.due(now)
        if state is not None:
            messages.append((gimbal, self._encoder.vehicle_state(gimbal, state)))
        return messages

    def farewell(self) -> list[bytes]:
        """The last messages to the gimbal, once it rests."""
        by_manager = self._protocols.by_manager
        return [] if by_manager is None or self.gimbal is None else by_manager.farewell(self.gimbal)

    # Inside.

    def _on_gimbal_event(self, event: Event, now: Instant, is_copy: bool) -> list[DeviceReport]:
        self._protocols.on_event(event, now.monotonic_ns)
        self.requests.on_event(event, None if is_copy else now.monotonic_ns)
        self._report_protocol()
        match event:
            case AttitudeStatus() | MountOrientation():
                return self._on_attitude(event, now)
            case MountStatus():
                self._encoders = event
            case RawImu():
                reading = self.imu.reading(event, now)
                if reading is None:
                    return []
                self._use_gyro(reading)
                return [reading]
            case SystemStatus():
                self._system_status = event
            case DeviceInformation():
                self._motion.modes.lacking = lacking_modes(event)
                self._motion.device_limits(
                    "the gimbal's own limits", _range(event.yaw_limits_rad), _range(event.pitch_limits_rad)
                )
            case ParameterValue():
                self._on_parameter(event)
            case CommandAck(command=command, result=result) if command == _MODE_COMMAND:
                self._motion.modes.acknowledged(result == _ACCEPTED)
            case StatusText():
                self._inform(f'The gimbal says: {event.text}')
        return []

    def _use_gyro(self, reading: ImuReading) -> None:
        """The gyro measures how the camera turns where gravity confirms the axes of the sensor."""
        view = self.view
        if view is None:
            return
        if self._gravity.agrees(reading, view.measured.attitude.level_from_camera_wxyz):
            self._notices.recovered('imu_askew')
            self._headings.imu(reading)
            return
        self._notices.fault(
            'imu_askew',
            f'The IMU does not measure gravity upwards with the axes {", ".join(self.imu.axes)}, so its gyro cannot '
            'tell how the vehicle turns: calibrate, which finds `imu_axes`.',
        )

    def _on_attitude(self, event: AttitudeStatus | MountOrientation, now: Instant) -> list[DeviceReport]:
        restarts = self._telemetry.stamping.clock.restarts
        status = event if isinstance(event, AttitudeStatus) else None
        if status is not None:
            self._failure_flags = flags = status.failure_flags
            self._motion.goals.at_device_limit = (bool(flags & _AT_YAW_LIMIT), bool(flags & _AT_PITCH_LIMIT))
        measured = self._telemetry.take(event, now, locked=self._motion.modes.status.wanted is GimbalMode.LOCK)
        if self._telemetry.stamping.clock.restarts != restarts:
            self._restarted()
        if status is not None:
            # Before its attitude: a change of mode changes the frame that the angles are in.
            self._motion.mode_reported(mode_from_flags(status.flags), now)
        if measured is None:
            return []
        self._attitude_ns = now.monotonic_ns
        self._motion.attitude((measured.yaw_rad, measured.pitch_rad), now, measured.speed_rad_s)
        self.view = self._view_of(status, measured, now)
        reports: list[DeviceReport] = [self.view]
        heading = self._headings.attitude(measured)
        if heading is not None:
            reports.append(heading)
        return reports

    def _view_of(self, status: AttitudeStatus | None, measured: MeasuredAttitude, now: Instant) -> GimbalView:
        vehicle = self._vehicle.at(measured.attitude.stamp_ns)
        fault = '' if vehicle is not None else self._vehicle.fault(now.ros_ns)
        reference = level_reference(
            measured.yaw_frame, measured.heading_rad, vehicle, fault, self._parameters.lock_reference == 'north'
        )
        parameters = self._parameters
        if self._encoders is None or parameters.encoders == 'none':
            joints = joints_from_attitude(measured, reference)
        else:
            units, signs, zeros = parameters.encoders, parameters.encoder_signs, parameters.encoder_zeros
            joints = joints_from_encoders(self._encoders, units, signs, zeros, measured.yaw_rad)
        return GimbalView(measured, joints, reference, status)

    def _on_parameter(self, event: ParameterValue) -> None:
        self.parameters.on_value(event)
        if event.name in LIMIT_NAMES:
            self._motion.device_limits("the gimbal's RC_LIM parameters", *self.parameters.soft_limits())

    def _on_payload_telemetry(self, event: PayloadTelemetry, now: Instant) -> list[DeviceReport]:
        if event.name == ZOOM_NAME:
            self._motion.writer.zoom = event.value
            return [ZoomState(now.ros_ns, event.value)]
        if event.name == RANGE_NAME:
            reading = range_reading(event, self._parameters.camera_frame, now.ros_ns)
            return [] if reading is None else [reading]
        return []

    def _restarted(self) -> None:
        self._inform('The gimbal restarted: everything is asked for again.')
        self._motion.device_restarted()
        self.requests.again()
        self.parameters.forget()
        self._protocols.restart()
        if self._parameters.use_gimbal_limits:
            self.parameters.read(*LIMIT_NAMES)

    def _forget_gimbal(self) -> None:
        self.gimbal, self.found_gimbal = self._parameters.pinned_gimbal, None
        self._protocols.restart()
        self._reported_protocol = ''
        self._report(
            f'The gimbal has been silent for {SILENCE_NS * 1e-9:g} s: check its power and its cable; '
            'it is found again by itself.'
        )

    def _report_protocol(self) -> None:
        name = self.protocol.name if self._protocols.settled else ''
        if name != self._reported_protocol:
            self._reported_protocol = name
            manager = self._protocols.by_manager
            if name and manager is not None:
                by = manager.manager.sender
                self._inform(
                    f'The gimbal is commanded through the gimbal manager {by}, the only one that it obeys; that '
                    'obeys us from the first command on.'
                )
            elif name:
                self._inform(f'The gimbal is commanded by protocol {name}.')
            if name == 'v1':
                self.requests.want(ORIENTATION, self._parameters.attitude_rate_hz)

    def _report_slow_attitude(self) -> None:
        """What works with few attitudes, before somebody finds out."""
        attitudes = self.requests.streams[ATTITUDE]
        short_hz = attitudes.short_hz
        few = short_hz is not None and short_hz < _FEW_HZ
        if few and not self._reported_few:
            self._inform(
                f'The gimbal sends its attitude {short_hz:.0f} times a second where '
                f'{attitudes.wanted_hz:g} were asked for: moves, goals and calibration work from 5 on; following is '
                'less close than at 50, and stops where an attitude is older than `max_attitude_age_s` of the tracker.'
            )
        self._reported_few = few

    def _on_control_ack(self, ack: CommandAck) -> None:
        by_manager = self._protocols.by_manager
        if by_manager is None or ack.sender != by_manager.manager.sender:
            return
        if ack.result == _ACCEPTED:
            self._notices.recovered('manager_keeps_control')
            return
        manager, holder = ack.sender, by_manager.manager.primary
        self._notices.fault(
            'manager_keeps_control',
            f'The gimbal manager {manager} does not obey us (it obeys '
            f'{holder}), so nothing moves: release the gimbal there.',
        )

    def _set_up_payload(self, now: Instant) -> None:
        """Once for each component that is found: what has to be set before MAVLink moves it, and telemetry."""
        camera, board = self._components.camera, self._components.payload
        # Another make's camera knows no RC_MODE, and this is nothing that anybody has asked for.
        for step, component in enumerate((camera, camera if self._is_gremsy else None, board)):
            if component != self._set_up[step]:
                self._set_up[step] = component
                for request in () if component is None else self._set_up_requests[step]:
                    # Its end only matters if it goes wrong.
                    self._request_log.add(self.payload.request(request, now.monotonic_ns))

    @property
    def _is_gremsy(self) -> bool:
        """By its board, or by the vendor that the gimbal reports."""
        information = self.requests.information
        return self._components.payload is not None or (information is not None and information.is_gremsy)


def _range(limits_ned_rad: tuple[float, float]) -> tuple[float, float] | None:
    """In the level frame; None for limits that a device does not know and sends as zeros or NaN."""
    low, high = limits_ned_rad
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    return level_limits(limits_ned_rad)
