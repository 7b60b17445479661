# SPDX-License-Identifier: Apache-2.0
"""The payload's own tracking turns the camera past the driver's limits: it needs the arm, and every stop ends it."""

from __future__ import annotations

from gremsy_gimbal_driver.payload.payload_control import TRACKED, PayloadControl
from gremsy_gimbal_driver.payload.payload_requests import Request, StopTracking, TrackBox, TrackPoint
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState


class TrackingGuard:
    """For use under the driver's lock."""

    def __init__(self, payload: PayloadControl) -> None:
        self._payload = payload
        self._end: PendingRequest | None = None
        self.may_turn = False
        """Whether tracking that we have asked for may still turn the camera."""

    @property
    def end_messages(self) -> tuple[bytes, ...]:
        """For the deadman: what ends it; empty where there is nothing to end."""
        return self._payload.stop_tracking_messages() if self.may_turn else ()

    def request(self, request: Request, armed: bool, now_ns: int) -> PendingRequest:
        """Pass a request on, unless it would turn the camera while disarmed."""
        if isinstance(request, TrackPoint | TrackBox):
            if not armed:
                pending = PendingRequest(str(request))
                pending.report(RequestState.FAILED, 'Not tracking: disarmed; call `arm` first.')
                return pending
            self.may_turn = True
        return self._payload.request(request, now_ns)

    def end(self, now_ns: int) -> None:
        """With every stop, also for tracking that only the payload reports."""
        if self.may_turn or self._payload.tracking == TRACKED:
            self._end = self._payload.request(StopTracking(), now_ns)

    def update(self) -> None:
        """Take note of its end, by what the payload has sent since."""
        if self._end is not None and self._end.over:
            self.may_turn = self._end.state is not RequestState.ACCEPTED
            self._end = None
