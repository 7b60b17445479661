# SPDX-License-Identifier: Apache-2.0
"""Zoom requests that are over when the lens is there, not when the payload acknowledges them.

An acknowledged zoom may not move at all: on one payload the range ran the other way round and two other paths did
nothing (gimbal.md 2.1). So every zoom is watched by the payload's own EO_ZOOM. Distances are in octaves of
magnification: 0.1 is 7 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.payload.command_sequences import CommandSequences, Step
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState

_KIND = 'zoom'

_REACHED_OCTAVES = 0.1
_MOVED_OCTAVES = 0.05
_WRONG_WAY_OCTAVES = 0.15  # more than a lens that settles, or a setpoint that came while it still moved
_PATIENCE_NS = nanoseconds(3.0)
"""To the first report and to the first motion."""
_SETTLED_NS = nanoseconds(1.5)
"""Unchanged for so long means that the lens rests; EO_ZOOM comes some times a second."""
_ARRIVED_NS = nanoseconds(0.5)
"""Where it was wanted, that is sooner believed; but a lens that goes the wrong way may pass there too."""


@dataclass(slots=True)
class _Zoom:
    """One zoom, from when its command was sent.

    Attributes:
        pending: the request.
        acknowledgement: of the command alone.
        wanted: magnification to end at.
        begun_ns: when the command was sent.
        start: the magnification before; None takes the first report.
        factor: the magnification since its last change; None before the first report.
        reported: whether a report has come since.
        changed_ns: when the magnification changed last; None while it has not.
    """

    pending: PendingRequest
    acknowledgement: PendingRequest
    wanted: float
    begun_ns: int
    start: float | None
    factor: float | None
    reported: bool = False
    changed_ns: int | None = None


class LensControl:
    """One lens, one zoom at a time, the newest.

    Args:
        commands: sends, and sends again.
        inverted: how the range is said to run; for the sentence that says that it runs the other way.
    """

    def __init__(self, commands: CommandSequences, inverted: bool) -> None:
        self._commands = commands
        self._inverted = inverted
        self._zoom: _Zoom | None = None
        self.factor: float | None = None
        """As the payload reported it last."""

    def zoom(self, pending: PendingRequest, command: Step, wanted: float, now_ns: int) -> None:
        """Begin, by a command that should end at that magnification."""
        if self._zoom is not None:
            self._end(self._zoom, RequestState.REPLACED, 'A newer zoom came first.')
        acknowledgement = PendingRequest(pending.what)
        self._zoom = _Zoom(pending, acknowledgement, wanted, now_ns, self.factor, self.factor)
        self._commands.request(acknowledgement, _KIND, [command], now_ns)

    def on_zoom(self, factor: float, now_ns: int) -> None:
        """EO_ZOOM, which the decoder takes from 1 on."""
        self.factor, zoom = factor, self._zoom
        if zoom is None:
            return
        zoom.reported = True
        if zoom.factor is None:
            zoom.start = zoom.factor = factor
        # Against the last change, not the last report, or a slow lens would seem to rest.
        elif abs(math.log2(factor / zoom.factor)) > 1e-3:
            zoom.factor, zoom.changed_ns = factor, now_ns

    def step(self, now_ns: int) -> None:
        """Report how it stands."""
        zoom = self._zoom
        if zoom is None:
            return
        if zoom.acknowledgement.state is RequestState.FAILED:
            self._end(zoom, RequestState.FAILED, zoom.acknowledgement.result.sentence)
            return
        state, sentence = self._judge(zoom, now_ns)
        if state is RequestState.IN_PROGRESS:
            zoom.pending.report(state, sentence, zoom.factor)
        elif state is not RequestState.WAITING and (state is not RequestState.UNCONFIRMED or zoom.acknowledgement.over):
            self._end(zoom, state, sentence)

    def _end(self, zoom: _Zoom, state: RequestState, sentence: str) -> None:
        self._zoom = None
        zoom.pending.report(state, sentence, zoom.factor)

    def _judge(self, zoom: _Zoom, now_ns: int) -> tuple[RequestState, str]:
        """Whether the lens does what was asked."""
        what, start, factor = zoom.pending.what, zoom.start, zoom.factor
        if not zoom.reported or start is None or factor is None:
            return _unmoved(
                zoom,
                now_ns,
                f'The payload acknowledged {what} but does not report EO_ZOOM, so it is not known whether the lens '
                'moved.',
            )
        moving = RequestState.IN_PROGRESS, f'The lens moves: {factor:g}x.'
        moved, left = math.log2(factor / start), math.log2(zoom.wanted / factor)
        if abs(left) <= _REACHED_OCTAVES:
            since_ns = zoom.begun_ns if zoom.changed_ns is None else zoom.changed_ns
            done = RequestState.ACCEPTED, f'Done: {what}; EO_ZOOM reports {factor:.3g}x.'
            return done if now_ns - since_ns >= _ARRIVED_NS else moving
        way = 1 if zoom.wanted > start else -1
        if way * moved < -_WRONG_WAY_OCTAVES:
            return RequestState.FAILED, (
                f'The lens went the wrong way at {what}, from {start:.3g}x to {factor:.3g}x: set '
                f'`zoom_range_inverted` to {"false" if self._inverted else "true"}.'
            )
        if abs(moved) <= _MOVED_OCTAVES or zoom.changed_ns is None:
            return _unmoved(
                zoom,
                now_ns,
                f'The payload acknowledged {what} but the lens rests at {factor:.3g}x: it is at that end already, or '
                'this product zooms by the other `zoom_path` only.',
            )
        if now_ns - zoom.changed_ns < _SETTLED_NS:
            return moving
        if way * left < 0:
            return RequestState.UNCONFIRMED, (
                f'The lens went past what was asked at {what}, to {factor:.3g}x: `zoom_range_inverted` or '
                '`zoom_largest` does not fit this product.'
            )
        return RequestState.UNCONFIRMED, (
            f'The lens stopped at {factor:.3g}x at {what}: the product may not zoom further that way.'
        )


def _unmoved(zoom: _Zoom, now_ns: int, sentence: str) -> tuple[RequestState, str]:
    """The lens is not seen to move: a reason to doubt an acknowledgement, once it has had the time."""
    if now_ns - zoom.begun_ns < _PATIENCE_NS:
        return RequestState.WAITING, ''
    acknowledgement = zoom.acknowledgement
    is_acknowledged = acknowledgement.state is RequestState.ACCEPTED
    return RequestState.UNCONFIRMED, sentence if is_acknowledged else acknowledgement.result.sentence
