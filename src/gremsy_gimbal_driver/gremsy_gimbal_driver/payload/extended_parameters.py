# SPDX-License-Identifier: Apache-2.0
"""The camera's parameters over PARAM_EXT: set, acknowledged and read back, since only the read-back proves it.

Gremsy's own tests write, then ask every 500 ms for up to 5 s until the value is there (gimbal.md 2.3); so does this.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import ExtendedParameter, Sender
from gremsy_gimbal_driver.mavlink.parameter_list import ListPace, ParameterList
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState

_FORMATS = {
    dialect.MAV_PARAM_EXT_TYPE_UINT8: '<B',
    dialect.MAV_PARAM_EXT_TYPE_INT8: '<b',
    dialect.MAV_PARAM_EXT_TYPE_UINT16: '<H',
    dialect.MAV_PARAM_EXT_TYPE_INT16: '<h',
    dialect.MAV_PARAM_EXT_TYPE_UINT32: '<I',
    dialect.MAV_PARAM_EXT_TYPE_INT32: '<i',
    dialect.MAV_PARAM_EXT_TYPE_REAL32: '<f',
}

_AGAIN_NS = nanoseconds(0.5)
_PATIENCE_S = 5.0
# Eight replies are 1.3 kB. Where 2 % of the bytes are lost, one reply of 161 bytes in 25 arrives, and all rounds fail
# once in a thousand times.
_LIST_PACE = ListPace(again_s=0.5, tries=10, quiet_s=1.5, at_a_time=8, repeats=True, fruitless_rounds=40)

_REFUSALS = {
    dialect.PARAM_ACK_VALUE_UNSUPPORTED: 'this product does not know that value; choose another',
    dialect.PARAM_ACK_FAILED: 'it could not be set; check the mode it depends on, then try again',
}


def extended_value(raw: bytes, kind: int) -> float:
    """The number in the field of PARAM_EXT_VALUE or PARAM_EXT_ACK, by its type; an unknown type is read as u32.

    Trailing zeros of the field may be cut off.
    """
    layout = _FORMATS.get(kind, '<I')
    size = struct.calcsize(layout)
    value: int | float = struct.unpack(layout, raw[:size].ljust(size, b'\0'))[0]
    return value


@dataclass(slots=True)
class _Exchange:
    """A parameter on its way; `wanted` is None for one that is only read."""

    pending: PendingRequest
    camera: Sender
    wanted: int | None
    deadline_ns: int
    next_ns: int
    sent: bool = False
    took: bool = False  # it was acknowledged at least once
    acknowledged: bool = False  # and nothing that was read since contradicts it, so it need not be sent again
    in_progress: bool = False
    reported: float | None = None
    # Replies that an earlier request for the same name may still bring: the acknowledgement names no request.
    stale_refusals: int = 0


@dataclass(slots=True)
class _Listing:
    """The list of all on its way."""

    pending: PendingRequest
    camera: Sender
    list: ParameterList


class ExtendedParameters:
    """At most one exchange request a name; the newest wins."""

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder
        self._exchanges: dict[str, _Exchange] = {}
        self._listing: _Listing | None = None
        self.values: dict[str, float] = {}
        """What the camera last reported, by name; an acknowledgement alone is no report."""

    def set_value(self, pending: PendingRequest, camera: Sender, name: str, value: int, now_ns: int) -> None:
        """Begin to set."""
        self._begin(name, _Exchange(pending, camera, value, now_ns + nanoseconds(_PATIENCE_S), now_ns))

    def read_value(self, pending: PendingRequest, camera: Sender, name: str, now_ns: int) -> None:
        """Begin to read; a value that is being set is read when that is over, so the setting goes on."""
        exchange = self._exchanges.get(name)
        if exchange is not None and exchange.wanted is not None:
            pending.report(RequestState.FAILED, f'{name} is being set: read it when that is over.')
            return
        self._begin(name, _Exchange(pending, camera, None, now_ns + nanoseconds(_PATIENCE_S), now_ns))

    def list_all(self, pending: PendingRequest, camera: Sender) -> None:
        """Begin to read all; the value of its result will be how many, `values` holds them."""
        if self._listing is not None:
            self._listing.pending.report(RequestState.REPLACED, 'A newer request for the list came first.')
        self.values.clear()
        self._listing = _Listing(pending, camera, ParameterList(_LIST_PACE))

    def cancel(self, camera: Sender, sentence: str) -> None:
        """That camera is gone."""
        gone = [name for name, exchange in self._exchanges.items() if exchange.camera == camera]
        for name in gone:
            self._exchanges.pop(name).pending.report(RequestState.UNCONFIRMED, sentence)
        if self._listing is not None and self._listing.camera == camera:
            self._listing.pending.report(RequestState.UNCONFIRMED, sentence)
            self._listing = None

    def due(self, now_ns: int) -> list[bytes]:
        """Messages to send now."""
        messages: list[bytes] = []
        for name, exchange in list(self._exchanges.items()):
            if now_ns >= exchange.deadline_ns:
                self._give_up(name, exchange)
            elif now_ns >= exchange.next_ns:
                messages += self._messages(name, exchange)
                exchange.next_ns = now_ns + _AGAIN_NS
        listing, encoder = self._listing, self._encoder
        if listing is not None:
            messages += listing.list.due(
                now_ns, listing.camera, encoder.list_extended_parameters, encoder.read_extended_parameter
            )
            if listing.list.over:
                self._end_list(listing)
        return messages

    def on_parameter(self, event: ExtendedParameter, now_ns: int) -> None:
        """A value or an acknowledgement, of whatever was asked by whomever."""
        value = extended_value(event.raw, event.type)
        if event.result is None:
            self.values[event.name] = value
            if self._listing is not None and self._listing.camera == event.sender:
                self._listing.list.on_value(event.index, event.count, now_ns)
        exchange = self._exchanges.get(event.name)
        if exchange is None or exchange.camera != event.sender:
            return
        if event.result is None:
            self._read(event.name, exchange, value)
        elif exchange.wanted is not None:
            self._acknowledged(event.name, exchange, event.result, now_ns)

    def _begin(self, name: str, exchange: _Exchange) -> None:
        before = self._exchanges.get(name)
        if before is not None:
            before.pending.report(RequestState.REPLACED, f'A newer request for {name} came first.')
            unanswered = before.wanted is not None and before.sent and not before.took
            exchange.stale_refusals = before.stale_refusals + (1 if unanswered else 0)
        self._exchanges[name] = exchange

    def _messages(self, name: str, exchange: _Exchange) -> list[bytes]:
        read = self._encoder.read_extended_parameter(exchange.camera, name)
        if exchange.wanted is None or exchange.acknowledged:
            return [read]
        exchange.sent = True
        # The read-back goes along from the first: where the acknowledgement is lost, it is the only reply.
        return [self._encoder.set_extended_parameter(exchange.camera, name, exchange.wanted), read]

    def _end_list(self, listing: _Listing) -> None:
        self._listing = None
        pending, camera, count = listing.pending, listing.camera, listing.list.count
        missing = len(listing.list.missing)
        if not listing.list.came:
            sentence = f'The camera {camera} sent no list of parameters within {_PATIENCE_S:g} s.'
            pending.report(RequestState.UNCONFIRMED, sentence)
        elif missing:
            sentence = (
                f'The camera {camera} sent {count - missing} of {count} parameters: check the link, which loses '
                'messages, and try again.'
            )
            pending.report(RequestState.UNCONFIRMED, sentence, float(count - missing))
        else:
            count = len(self.values)
            pending.report(RequestState.ACCEPTED, f'The camera listed {count} parameters.', float(count))

    def _read(self, name: str, exchange: _Exchange, value: float) -> None:
        exchange.reported = value
        if exchange.wanted is None:
            self._end(name, RequestState.ACCEPTED, f'{name} is {value:g}.', value)
        elif value == exchange.wanted:
            if exchange.in_progress:
                # It may still fail; the final acknowledgement decides, or the read-back when that does not come.
                return
            self._end(name, RequestState.ACCEPTED, f'Done: {exchange.pending.what}; {name} reads {value:g}.', value)
        elif not exchange.in_progress:
            # Another value after the acknowledgement: it was an older request's, or something set it back.
            exchange.acknowledged = False

    def _acknowledged(self, name: str, exchange: _Exchange, result: int, now_ns: int) -> None:
        if result == dialect.PARAM_ACK_ACCEPTED:
            exchange.took = exchange.acknowledged = True
            exchange.in_progress = False
            exchange.next_ns = min(exchange.next_ns, now_ns)
        elif result == dialect.PARAM_ACK_IN_PROGRESS:
            exchange.took = exchange.acknowledged = exchange.in_progress = True
            exchange.deadline_ns = now_ns + nanoseconds(_PATIENCE_S)
            exchange.pending.report(RequestState.IN_PROGRESS, f'The camera is working on {exchange.pending.what}.')
        elif exchange.stale_refusals:
            exchange.stale_refusals -= 1
        else:
            reason = _REFUSALS.get(result, f'result {result}')
            sentence = f'The camera refused {exchange.pending.what} ({name} = {exchange.wanted}): {reason}.'
            self._end(name, RequestState.FAILED, sentence)

    def _end(self, name: str, state: RequestState, sentence: str, value: float | None = None) -> None:
        self._exchanges.pop(name).pending.report(state, sentence, value)

    def _give_up(self, name: str, exchange: _Exchange) -> None:
        what, wanted = exchange.pending.what, exchange.wanted
        if wanted is not None and exchange.reported == wanted:
            sentence = f'Done: {what}; {name} reads {wanted}, though its final acknowledgement never came.'
            self._end(name, RequestState.ACCEPTED, sentence, exchange.reported)
        else:
            self._end(name, RequestState.UNCONFIRMED, self._doubt(name, exchange), exchange.reported)

    def _doubt(self, name: str, exchange: _Exchange) -> str:
        what, camera = exchange.pending.what, exchange.camera
        if exchange.wanted is None:
            return f'The camera {camera} did not report {name} within {_PATIENCE_S:g} s: this product may not have it.'
        if exchange.reported is not None:
            took = 'acknowledged' if exchange.took else 'did not acknowledge'
            return (
                f'The camera {camera} {took} {what} but {name} still reads {exchange.reported:g} instead of '
                f'{exchange.wanted} after {_PATIENCE_S:g} s: something else may set it, or this product ignores it.'
            )
        if exchange.took:
            return (
                f'The camera {camera} acknowledged {what} but did not report {name} within {_PATIENCE_S:g} s: '
                'read it again to be sure.'
            )
        return (
            f'The camera {camera} did not answer {what} within {_PATIENCE_S:g} s: check the link, and whether this '
            f'product has {name}.'
        )
