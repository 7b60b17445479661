# SPDX-License-Identifier: Apache-2.0
"""Zoom requests that are over when the lens is there, not when the payload acknowledges them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.payload.camera_commands import zoom_continuous, zoom_factor, zoom_range
from gremsy_gimbal_driver.payload.command_sequences import CommandSequences, Step
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState
from gremsy_gimbal_driver.payload.zoom_watch import ZoomVerdict, ZoomWatch

_KIND = 'zoom'


@dataclass(slots=True)
class _Zoom:
    """`acknowledgement` is of the command alone; `watch` judges the lens, from when the command was sent."""

    pending: PendingRequest
    acknowledgement: PendingRequest
    watch: ZoomWatch


class LensControl:
    """One lens, one zoom at a time, the newest.

    Args:
        commands: sends, and sends again.
        inverted: of the range command: on such a payload 0 % is the narrowest view; a calibrated fact of the product.
        largest: magnification at the narrow end.
    """

    def __init__(self, commands: CommandSequences, inverted: bool, largest: float) -> None:
        self._commands = commands
        self._inverted = inverted
        self._largest = largest
        self._zoom: _Zoom | None = None
        self.factor: float | None = None
        """As the payload reported it last."""

    def by_range(
        self, pending: PendingRequest, camera: Sender, percent: float, now_ns: int, wanted: float | None = None
    ) -> None:
        """COMMAND_LONG 531 of type range."""
        sent = 100.0 - percent if self._inverted else percent
        # Only the ends are sure: no document tells what magnification a share of the range is.
        direction = 1 if percent >= 100.0 else -1 if percent <= 0.0 else 0
        self._begin(pending, zoom_range(camera, sent), ZoomWatch(wanted, direction, self.factor, now_ns), now_ns)

    def by_factor(self, pending: PendingRequest, camera: Sender, factor: float, now_ns: int) -> None:
        """By the range command, taken to be geometric, as the lens's own steps are; the watch tells where it is not."""
        percent = 100.0 * math.log(factor) / math.log(self._largest)
        self.by_range(pending, camera, percent, now_ns, factor)

    def absolute(self, pending: PendingRequest, payload: Sender, factor: float, now_ns: int) -> None:
        """COMMAND_LONG 31013: the magnification itself."""
        self._begin(pending, zoom_factor(payload, factor), ZoomWatch(factor, 0, self.factor, now_ns), now_ns)

    def drive(self, pending: PendingRequest, camera: Sender, direction: int, now_ns: int) -> None:
        """COMMAND_LONG 531 of type continuous; a stop is over when it is acknowledged."""
        step = zoom_continuous(camera, direction)
        if direction == 0:
            self._replace('The zoom was stopped.')
            self._commands.request(pending, _KIND, [step], now_ns)
            return
        self._begin(pending, step, ZoomWatch(None, direction, self.factor, now_ns), now_ns)

    def on_zoom(self, factor: float, now_ns: int) -> None:
        """EO_ZOOM."""
        if math.isfinite(factor) and factor >= 1.0:
            self.factor = factor
            if self._zoom is not None:
                self._zoom.watch.on_zoom(factor, now_ns)

    def step(self, now_ns: int) -> None:
        """Report how it stands."""
        zoom = self._zoom
        if zoom is None:
            return
        if zoom.acknowledgement.state is RequestState.FAILED:
            self._end(zoom, RequestState.FAILED, zoom.acknowledgement.result.sentence)
            return
        verdict = zoom.watch.verdict(now_ns)
        if verdict is ZoomVerdict.MOVING:
            zoom.pending.report(RequestState.IN_PROGRESS, f'The lens moves: {zoom.watch.factor:g}x.', zoom.watch.factor)
        elif verdict is ZoomVerdict.REACHED:
            self._end(
                zoom, RequestState.ACCEPTED, f'Done: {zoom.pending.what}; EO_ZOOM reports {zoom.watch.factor:.3g}x.'
            )
        elif verdict is ZoomVerdict.WRONG_DIRECTION:
            self._end(zoom, RequestState.FAILED, self._wrong_way(zoom))
        elif verdict is not ZoomVerdict.WAITING and zoom.acknowledgement.over:
            self._end(zoom, RequestState.UNCONFIRMED, self._doubt(zoom, verdict))

    def _begin(self, pending: PendingRequest, step: Step, watch: ZoomWatch, now_ns: int) -> None:
        self._replace('A newer zoom came first.')
        acknowledgement = PendingRequest(pending.what)
        self._zoom = _Zoom(pending, acknowledgement, watch)
        self._commands.request(acknowledgement, _KIND, [step], now_ns)

    def _replace(self, sentence: str) -> None:
        if self._zoom is not None:
            self._end(self._zoom, RequestState.REPLACED, sentence)

    def _end(self, zoom: _Zoom, state: RequestState, sentence: str) -> None:
        self._zoom = None
        zoom.pending.report(state, sentence, zoom.watch.factor)

    def _wrong_way(self, zoom: _Zoom) -> str:
        value = 'false' if self._inverted else 'true'
        return (
            f'The lens went the wrong way at {zoom.pending.what}, from {zoom.watch.start:.3g}x to '
            f'{zoom.watch.factor:.3g}x: set `zoom_range_inverted` to {value}.'
        )

    def _doubt(self, zoom: _Zoom, verdict: ZoomVerdict) -> str:
        what, watch = zoom.pending.what, zoom.watch
        answered = zoom.acknowledgement.state is RequestState.ACCEPTED
        if verdict is ZoomVerdict.STOPPED_SHORT:
            return f'The lens stopped at {watch.factor:.3g}x at {what}: the product may not zoom further that way.'
        if verdict is ZoomVerdict.STOPPED_BEYOND:
            return (
                f'The lens went past what was asked at {what}, to {watch.factor:.3g}x: `zoom_range_inverted` or '
                '`zoom_largest` does not fit this product.'
            )
        if not answered:
            return zoom.acknowledgement.result.sentence
        if verdict is ZoomVerdict.NOT_MOVING:
            return (
                f'The payload acknowledged {what} but the lens rests at {watch.factor:.3g}x: it is at that end '
                'already, or this product zooms by the other `zoom_path` only.'
            )
        return (
            f'The payload acknowledged {what} but does not report EO_ZOOM, so it is not known whether the lens moved.'
        )
