# SPDX-License-Identifier: Apache-2.0
"""What we ask of a gimbal once it is found: its attitude at our rate, and who it is. Both may stay unanswered.

Nothing waits for an answer: a gimbal that answers no request still moves (gimbal.md 1.11).
"""

from __future__ import annotations

from gremsy_gimbal_driver.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink_encoder import Encoder
from gremsy_gimbal_driver.mavlink_events import CommandAck, DeviceInformation, Event, Sender
from gremsy_gimbal_driver.motion_settings import nanoseconds

_AGAIN_NS = nanoseconds(1.0)  # the vendor's SDK waits as long for an acknowledgement
_TRIES = 20  # a link that loses 2 % of its bytes answers one request in four
_ATTITUDE = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
_INFORMATION = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION


class DeviceRequests:
    """Open requests to one gimbal; one command id is never asked twice at a time."""

    def __init__(self, encoder: Encoder, attitude_rate_hz: float) -> None:
        self._encoder = encoder
        self._interval_us = round(1e6 / attitude_rate_hz)
        self._gimbal: Sender | None = None
        self._next_ns = 0
        self._tries_left = _TRIES
        self._rate_settled = False
        self.rate_granted: bool | None = None
        """Whether the device took our attitude rate; None while it has not answered."""
        self.information: DeviceInformation | None = None

    def due(self, gimbal: Sender | None, now_ns: int) -> list[bytes]:
        """Messages to send now. A gimbal that is found anew is asked anew."""
        if gimbal != self._gimbal:
            self._begin(gimbal)
        if gimbal is None or now_ns < self._next_ns or self._tries_left == 0:
            return []
        self._next_ns = now_ns + _AGAIN_NS
        self._tries_left -= 1
        messages = []
        if not self._rate_settled:
            messages.append(self._encoder.message_interval(gimbal, _ATTITUDE, self._interval_us))
        if self.information is None:
            messages.append(self._encoder.request_message(gimbal, _INFORMATION))
        return messages

    def heard(self, event: Event) -> None:
        """An acknowledgement of any result settles a request: asking again would bring the same answer."""
        if isinstance(event, CommandAck) and event.command == dialect.MAV_CMD_SET_MESSAGE_INTERVAL:
            self._rate_settled = True
            self.rate_granted = event.result == dialect.MAV_RESULT_ACCEPTED
        elif isinstance(event, DeviceInformation):
            self.information = event

    def again(self) -> None:
        """The gimbal restarted and forgot."""
        self._begin(self._gimbal)

    def _begin(self, gimbal: Sender | None) -> None:
        self._gimbal = gimbal
        self._next_ns = 0
        self._tries_left = _TRIES
        self._rate_settled = False
        self.rate_granted = self.information = None
