# SPDX-License-Identifier: Apache-2.0
"""What we ask of a gimbal once it is found: its telemetry at our rates, and who it is. All of it may stay unanswered.

Nothing waits for a reply: a gimbal that replies to no request still moves (gimbal.md 1.11). That a rate was granted is
not believed but measured, and asked for again where it is wrong: some products are silent until it is set (AEVO,
gimbal.md 1.4), and a restart that nobody noticed sets it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from gremsy_gimbal_driver.device.stream_rates import RateMeter, fit_streams, stream_of
from gremsy_gimbal_driver.mavlink.acknowledged_commands import AcknowledgedCommands, CommandState, PendingCommand
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, DeviceInformation, Event, IncomingCommand, Sender
from gremsy_gimbal_driver.motion.instant import nanoseconds

_AGAIN_NS = nanoseconds(1.0)
_TRIES = 20  # over a link that loses 2 % of its bytes one request in four gets its reply
_RATE_TRIES = 5
_INFORMATION = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION
_NEVER_US = -1

# Long enough for 20 messages of a slow stream and to tell 10 Hz from 20.
_MEASURED_FOR_NS = nanoseconds(2.0)
# On a link that loses 2 % of its bytes three attitudes in ten arrive, and asking again does not help: so ever more
# rarely, up to once a minute.
_FIRST_PATIENCE_NS = nanoseconds(5.0)
_LONGEST_PATIENCE_NS = nanoseconds(60.0)
_TOO_SLOW, _TOO_FAST = 0.6, 1.5


class StreamRequest:
    """One message's rate: asked for, measured, asked for again.

    Attributes:
        wanted_hz: asked for; 0 is off.
        granted: what the device replied; None before its reply.
        measured_hz: what came over the last seconds; None before it was measured.
        asked_again: how often it was wrong.
    """

    def __init__(self, message_id: int, wanted_hz: float) -> None:
        self.message_id = message_id
        self.wanted_hz = wanted_hz
        self.granted: bool | None = None
        self.measured_hz: float | None = None
        self.asked_again = 0
        self.meter = RateMeter()
        self._request: PendingCommand | None = None
        self._measuring = False
        self._patience_ns = _FIRST_PATIENCE_NS
        self._check_ns = 0

    @property
    def short_hz(self) -> float | None:
        """What comes, where it is much less than was asked for."""
        measured = self.measured_hz
        return measured if measured and measured < _TOO_SLOW * self.wanted_hz else None

    def ask(self, commands: AcknowledgedCommands, gimbal: Sender) -> None:
        interval_us = round(1e6 / self.wanted_hz) if self.wanted_hz > 0 else _NEVER_US
        command = dialect.MAV_CMD_SET_MESSAGE_INTERVAL
        self._request = commands.ask(gimbal, command, float(self.message_id), float(interval_us), tries=_RATE_TRIES)

    def is_wrong(self, now_ns: int) -> bool:
        """Whether it is time to ask again."""
        if self._request is None:
            return True
        if not self._request.over:
            return False
        if not self._measuring:
            self._begin_measuring(self._request.state, now_ns)
            return False
        if now_ns < self._check_ns:
            return False
        self.measured_hz = rate_hz = self.meter.rate_hz(now_ns)
        is_right = _TOO_SLOW * self.wanted_hz <= rate_hz <= max(_TOO_FAST * self.wanted_hz, 1.0)
        if self.granted is False or is_right:
            self._patience_ns = _FIRST_PATIENCE_NS
            self._restart_meter(now_ns, _MEASURED_FOR_NS)
            return False
        self.asked_again += 1
        self._measuring = False
        return True

    def _begin_measuring(self, state: CommandState, now_ns: int) -> None:
        self._measuring = True
        if state is not CommandState.UNANSWERED:
            self.granted = state is CommandState.ACCEPTED
        wait_ns = _MEASURED_FOR_NS
        if self.asked_again:
            wait_ns = self._patience_ns
            self._patience_ns = min(2 * self._patience_ns, _LONGEST_PATIENCE_NS)
        self._restart_meter(now_ns, wait_ns)

    def _restart_meter(self, now_ns: int, wait_ns: int) -> None:
        self.meter.restart(now_ns)
        self._check_ns = now_ns + wait_ns


class DeviceRequests:
    """Open requests to one gimbal; one command id is never asked twice at a time.

    Args:
        encoder: packs.
        rates_hz: of streams by message id (`stream_rates`), the most important first; 0 is off. What is not named
            stays as the device has it.
        bytes_per_s: of the link; the rates are cut to what it can carry. None for a network.
    """

    def __init__(
        self, encoder: MavlinkEncoder, rates_hz: Mapping[int, float], bytes_per_s: float | None = None
    ) -> None:
        self._encoder = encoder
        self._bytes_per_s = bytes_per_s
        self._rates_hz = fit_streams(rates_hz, bytes_per_s)
        self.commands = AcknowledgedCommands(encoder)
        """For other commands to the gimbal that are to be acknowledged; `due` sends them."""
        self._gimbal: Sender | None = None
        self.streams: dict[int, StreamRequest] = {}
        """By message id."""
        self._asking: PendingCommand | None = None
        self._tries_left = _TRIES
        self._next_ns = 0
        self._replies: list[bytes] = []
        self.information: DeviceInformation | None = None
        self._begin(None)

    def want(self, message_id: int, rate_hz: float) -> None:
        """One more stream, as that of a device which turned out to send its attitude by another message."""
        wanted_hz = {**self._rates_hz, message_id: rate_hz}
        self._rates_hz = fit_streams(wanted_hz, self._bytes_per_s)
        if message_id not in self.streams:
            self.streams[message_id] = StreamRequest(message_id, self._rates_hz[message_id])

    def due(self, gimbal: Sender | None, now_ns: int) -> list[bytes]:
        """Messages to send now. A gimbal that is found again is asked from the start."""
        if gimbal != self._gimbal:
            self._begin(gimbal)
        if gimbal is None:
            return []
        messages, self._replies = self._replies, []
        # Twice: requests that have just run out make room for those that come next.
        messages += self.commands.due(now_ns)
        self._ask_information(gimbal, now_ns)
        for stream in self.streams.values():
            if stream.is_wrong(now_ns):
                stream.ask(self.commands, gimbal)
        return messages + self.commands.due(now_ns)

    def on_event(self, event: Event, now_ns: int | None) -> None:
        """Anything the gimbal sends, with its time; a copy of what another link brings has none."""
        if isinstance(event, CommandAck):
            self.commands.on_ack(event)
        elif isinstance(event, DeviceInformation):
            self.information = event
        elif isinstance(event, IncomingCommand):
            # It waits for its acknowledgement, and there is nothing that we do for a gimbal (gimbal.md 1.3).
            unsupported = dialect.MAV_RESULT_UNSUPPORTED
            self._replies.append(self._encoder.acknowledgement(event.sender, event.command, unsupported))
        if now_ns is not None:
            stream = self.streams.get(stream_of(event) or 0)
            if stream is not None:
                stream.meter.arrived(now_ns)

    def again(self) -> None:
        """The gimbal restarted, and with that forgot everything."""
        self._begin(self._gimbal)

    def _ask_information(self, gimbal: Sender, now_ns: int) -> None:
        if self.information is not None or self._tries_left == 0 or now_ns < self._next_ns:
            return
        if self._asking is not None and not self._asking.over:
            return
        self._tries_left -= 1
        self._next_ns = now_ns + _AGAIN_NS
        self._asking = self.commands.ask(gimbal, dialect.MAV_CMD_REQUEST_MESSAGE, float(_INFORMATION), tries=1)

    def _begin(self, gimbal: Sender | None) -> None:
        self._gimbal = gimbal
        self.commands.forget()
        self.streams = {number: StreamRequest(number, rate_hz) for number, rate_hz in self._rates_hz.items()}
        self._asking = None
        self._tries_left = _TRIES
        self._next_ns = 0
        self._replies = []
        self.information = None
