# SPDX-License-Identifier: Apache-2.0
"""The payload's camera as one state machine of time: requests in, bytes out, results into pending requests.

Nothing waits and nothing is sent that was not asked for. The gimbal's mode is none of its business, and it never
writes the camera parameter that sets it (gimbal.md 1.12 bug 1).
"""

from __future__ import annotations

import math
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
        self.components = components
        self._present: set[Sender] = set()
        self.parameters = ExtendedParameters(encoder)
        self._encoder = encoder
        self._commands = CommandSequences(encoder)
        self.lens = LensControl(self._commands, self._product.zoom_range_inverted)
        self._still_numbers = camera_commands.still_numbers(still_number)
        self._recording = False
        self._record: tuple[PendingRequest, bool] | None = None
        self._open: list[PendingRequest] = []
        self.counts: Counter[str] = Counter()
        """How requests ended."""
        self.gone: set[Sender] = set()
        """Cameras whose heartbeats have ended; a board owes none."""
        self.telemetry: dict[str, float] = {}
        """The payload board's own values by name, newest."""

    @property
    def tracking(self) -> str:
        """What the board reports of its own tracking: idle, tracked, lost; empty where it reports nothing."""
        status = self.telemetry.get('TRK_STATUS')
        return '' if status is None else _TRACKING_WORDS.get(int(status) & 0xFF, f'{status:g}')

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
        present = set(self.components.last_ns)
        gone_now, self._present = self._present - present, present
        self.gone -= present
        for gone in gone_now:
            if kind_of(gone.component) is ComponentKind.CAMERA:
                self.gone.add(gone)
            sentence = f'The component {gone} fell silent before it answered: check its power.'
            self.parameters.cancel(gone, sentence)
            self._commands.cancel(gone, sentence, now_ns)
        messages = self.parameters.due(now_ns) + self._commands.due(now_ns)
        self.lens.step(now_ns)
        if self._record is not None and self._record[0].state is RequestState.ACCEPTED:
            self._recording, self._record = self._record[1], None
        for pending in [each for each in self._open if each.over]:
            self._open.remove(pending)
            self.counts[f'payload_requests_{pending.state.value}'] += 1
        return messages

    def on_event(self, event: Event, now_ns: int) -> None:
        """Everything that the device sends; what is not about the payload is ignored."""
        if isinstance(event, ExtendedParameter):
            self.parameters.on_parameter(event, now_ns)
        elif isinstance(event, CommandAck):
            self._commands.on_ack(event)
        elif isinstance(event, PayloadTelemetry):
            self.telemetry[event.name] = event.value
            if event.name == 'EO_ZOOM':
                self.lens.on_zoom(event.value, now_ns)

    def _begin(self, pending: PendingRequest, request: Request, now_ns: int) -> None:
        product = self._product
        match request:
            case requests.ZoomTo(factor) if not 1.0 <= factor <= product.zoom_largest:
                sentence = f'A zoom of {factor:g}x was not sent: use 1 .. {product.zoom_largest:g}.'
                pending.report(RequestState.FAILED, sentence)
            case requests.ZoomTo(factor):
                self.lens.zoom(pending, self._zoom_step(factor), factor, now_ns)
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
            case requests.SetSetting(name, choice):
                camera, setting = self._camera(), find_setting(product.family, name)
                self.parameters.set_value(pending, camera, setting.parameter, setting.value(choice), now_ns)
            case requests.SetParameter(name, value):
                self.parameters.set_value(pending, self._camera(), name, value, now_ns)
            case requests.ReadParameter(name):
                self.parameters.read_value(pending, self._camera(), name, now_ns)
            case requests.ListParameters():
                self.parameters.list_all(pending, self._camera())

    def _zoom_step(self, factor: float) -> Step:
        product = self._product
        if product.zoom_path == ZoomPath.ABSOLUTE:
            return camera_commands.zoom_factor(self._board(), factor)
        # Taken to be geometric, as the lens's own steps are; the lens is watched for where it is not.
        percent = 100.0 * math.log(factor) / math.log(product.zoom_largest)
        return camera_commands.zoom_range(self._camera(), 100.0 - percent if product.zoom_range_inverted else percent)

    def _tracking_steps(self, request: requests.TrackingRequest) -> list[Step]:
        place = None if isinstance(request, requests.StopTracking) else request
        if self._product.tracking_path == TrackingPath.VENDOR:
            return camera_commands.track_by_vendor(self._board(), place)
        return camera_commands.track_by_standard(self._camera(), place)

    def _camera(self) -> Sender:
        if (camera := self.components.camera) is None:
            raise _Absent('This device has no camera (no component from 100 to 105 sends heartbeats)')
        return camera

    def _board(self) -> Sender:
        if (board := self.components.payload) is None:
            raise _Absent('This device has no payload board (nothing comes from component 26)')
        return board
