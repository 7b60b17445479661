# SPDX-License-Identifier: Apache-2.0
"""The payload's camera as one state machine of time: requests in, bytes out, results into pending requests.

Nothing waits and nothing is sent that was not asked for. The gimbal's mode is none of its business, and it never
writes the camera parameter that sets it (gimbal.md 1.12 bug 1).
"""

from __future__ import annotations

from collections import Counter

from gremsy_gimbal_driver.mavlink.component_register import ComponentKind, ComponentRegister, kind_of
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    CommandAck,
    Event,
    ExtendedParameter,
    PayloadTelemetry,
    Sender,
)
from gremsy_gimbal_driver.payload import camera_commands
from gremsy_gimbal_driver.payload import payload_requests as requests
from gremsy_gimbal_driver.payload.command_sequences import CommandSequences, Step
from gremsy_gimbal_driver.payload.extended_parameters import ExtendedParameters
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import Request, TrackingPath, ZoomPath
from gremsy_gimbal_driver.payload.payload_settings import SettingError, find_setting
from gremsy_gimbal_driver.payload.payload_zoom import LensControl
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState

TRACKED = 'tracked'
"""What `tracking` is while the payload turns the gimbal after something by itself."""

_TRACKING_WORDS = {0: 'idle', 1: TRACKED, 2: 'lost'}  # the low byte of TRK_STATUS (gimbal.md 2.2)


class _Absent(Exception):
    """The device has no component that takes the request."""


class PayloadControl:
    """Not for several threads at once: the driver holds a lock around it. Pending requests may be read by any.

    Args:
        encoder: packs.
        components: who is there; its owner feeds it, and lets it forget.
        parameters: what is known of the product.
        still_number: of the first picture (`camera_commands`).
    """

    def __init__(
        self,
        encoder: MavlinkEncoder,
        components: ComponentRegister,
        parameters: PayloadParameters | None = None,
        still_number: int = 1,
    ) -> None:
        self._product = parameters or PayloadParameters()
        self._components = components
        self._present: set[Sender] = set()
        self._parameters = ExtendedParameters(encoder)
        self._encoder = encoder
        self._commands = CommandSequences(encoder)
        self._lens = LensControl(self._commands, self._product.zoom_range_inverted, self._product.zoom_largest)
        self._still_numbers = camera_commands.still_numbers(still_number)
        self._recording = False
        self._record: tuple[PendingRequest, bool] | None = None
        self._open: list[PendingRequest] = []
        self._counts: Counter[str] = Counter()
        self.gone: set[Sender] = set()
        """Cameras whose heartbeats have ended; a board owes none."""
        self.telemetry: dict[str, float] = {}
        """The payload board's own values by name, newest."""

    @property
    def camera(self) -> Sender | None:
        """None where there is none, or it fell silent."""
        return self._components.camera

    @property
    def payload(self) -> Sender | None:
        """The main board; None where there is none, or it fell silent."""
        return self._components.payload

    @property
    def parameters(self) -> dict[str, float]:
        """The camera's parameters as it reported them, by name."""
        return dict(self._parameters.values)

    @property
    def zoom_factor(self) -> float | None:
        """As the payload reported it last."""
        return self._lens.factor

    @property
    def tracking(self) -> str:
        """What the board reports of its own tracking: idle, tracked, lost; empty where it reports nothing."""
        status = self.telemetry.get('TRK_STATUS')
        return '' if status is None else _TRACKING_WORDS.get(int(status) & 0xFF, f'{status:g}')

    @property
    def counts(self) -> dict[str, int]:
        """How requests ended."""
        return dict(self._counts)

    def request(self, request: Request, now_ns: int) -> PendingRequest:
        """Begin; what cannot be sent comes back failed, with its sentence."""
        pending = PendingRequest(str(request))
        fault = request.fault
        try:
            if not fault:
                self._begin(pending, request, now_ns)
        except SettingError as error:
            fault = str(error)
        except _Absent as error:
            fault = f'{error}, so {request} was not sent.'
        if fault:
            pending.report(RequestState.FAILED, fault)
        self._open.append(pending)
        return pending

    def stop_tracking_messages(self) -> tuple[bytes, ...]:
        """What ends the tracking on board, for whoever must send it without us; empty without a payload."""
        try:
            steps = self._tracking_steps(requests.StopTracking())
        except _Absent:
            return ()
        return tuple(step.pack(self._encoder) for step in steps)

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now; call it at least some ten times a second."""
        present = set(self._components.last_ns)
        gone_now, self._present = self._present - present, present
        self.gone -= present
        for gone in gone_now:
            if kind_of(gone.component) is ComponentKind.CAMERA:
                self.gone.add(gone)
            sentence = f'The component {gone} fell silent before it answered: check its power.'
            self._parameters.cancel(gone, sentence)
            self._commands.cancel(gone, sentence, now_ns)
        messages = self._parameters.due(now_ns) + self._commands.due(now_ns)
        self._lens.step(now_ns)
        if self._record is not None and self._record[0].state is RequestState.ACCEPTED:
            self._recording, self._record = self._record[1], None
        for pending in [each for each in self._open if each.over]:
            self._open.remove(pending)
            self._counts[f'payload_requests_{pending.state.value}'] += 1
        return messages

    def on_event(self, event: Event, now_ns: int) -> None:
        """Everything that the device sends; what is not about the payload is ignored."""
        if isinstance(event, ExtendedParameter):
            self._parameters.on_parameter(event, now_ns)
        elif isinstance(event, CommandAck):
            self._commands.on_ack(event)
        elif isinstance(event, PayloadTelemetry):
            self.telemetry[event.name] = event.value
            if event.name == 'EO_ZOOM':
                self._lens.on_zoom(event.value, now_ns)

    def _begin(self, pending: PendingRequest, request: Request, now_ns: int) -> None:
        product = self._product
        match request:
            case requests.ZoomTo(factor) if not 1.0 <= factor <= product.zoom_largest:
                sentence = f'A zoom of {factor:g}x was not sent: use 1 .. {product.zoom_largest:g}.'
                pending.report(RequestState.FAILED, sentence)
            case requests.ZoomTo(factor) if product.zoom_path == ZoomPath.ABSOLUTE:
                self._lens.absolute(pending, self._board(), factor, now_ns)
            case requests.ZoomTo(factor):
                self._lens.by_factor(pending, self._camera(), factor, now_ns)
            case requests.ZoomPercent(percent):
                self._lens.by_range(pending, self._camera(), percent, now_ns)
            case requests.ZoomDrive(direction):
                self._lens.drive(pending, self._camera(), direction, now_ns)
            case requests.Focus(action):
                steps = camera_commands.focus(self._camera(), action, product.focus_inverted)
                self._commands.request(pending, 'focus', steps, now_ns)
            case requests.RecordVideo(on):
                self._commands.request(pending, 'record', camera_commands.record(self._camera(), on), now_ns)
                self._record = (pending, on)
            case requests.Still():
                camera, number = self._camera(), None if product.vendor_still else next(self._still_numbers)
                steps = camera_commands.still(camera, number, self._recording)
                # Each picture is wanted: none replaces another.
                self._commands.request(pending, f'still {id(pending)}', steps, now_ns)
            case requests.TrackPoint() | requests.TrackBox() | requests.StopTracking():
                self._commands.request(pending, 'tracking', self._tracking_steps(request), now_ns)
            case requests.TelemetryRate(name, rate_hz):
                steps = camera_commands.telemetry_rate(self._board(), name, rate_hz)
                self._commands.request(pending, f'rate of {name}', steps, now_ns)
            case _:
                self._begin_parameter(pending, request, self._camera(), now_ns)

    def _begin_parameter(self, pending: PendingRequest, request: Request, camera: Sender, now_ns: int) -> None:
        parameters, family = self._parameters, self._product.family
        match request:
            case requests.SetSetting(name, choice):
                setting = find_setting(family, name)
                parameters.set_value(pending, camera, setting.parameter, setting.value(choice), now_ns)
            case requests.ReadSetting(name):
                parameters.read_value(pending, camera, find_setting(family, name).parameter, now_ns)
            case requests.SetParameter(name, value):
                parameters.set_value(pending, camera, name, value, now_ns)
            case requests.ReadParameter(name):
                parameters.read_value(pending, camera, name, now_ns)
            case requests.ListParameters():
                parameters.list_all(pending, camera)

    def _tracking_steps(self, request: requests.TrackingRequest) -> list[Step]:
        place = None if isinstance(request, requests.StopTracking) else request
        if self._product.tracking_path == TrackingPath.VENDOR:
            return camera_commands.track_by_vendor(self._board(), place)
        return camera_commands.track_by_standard(self._camera(), place)

    def _camera(self) -> Sender:
        if self.camera is None:
            raise _Absent('This device has no camera (no component from 100 to 105 sends heartbeats)')
        return self.camera

    def _board(self) -> Sender:
        if self.payload is None:
            raise _Absent('This device has no payload board (nothing comes from component 26)')
        return self.payload
