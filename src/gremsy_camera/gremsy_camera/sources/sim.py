# SPDX-License-Identifier: Apache-2.0
"""`sim:` or `sim:/path/to/video?ring=NAME`: what the simulated payload's camera sees of a scene made of real footage.

At every tick of the shutter the payload's true attitude and zoom are read from its truth ring, and the footage's
present frame is drawn as seen from there. The footage runs on its own clock and is held between its frames.
"""

from __future__ import annotations

import os
from pathlib import Path

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_camera.footage.footage_reader import FootageReader
from gremsy_camera.footage.pacing import FrameSchedule, Pacer
from gremsy_camera.scene.scene import Pixels, SceneGeometry, SceneRenderer, View, simulated_camera
from gremsy_camera.sources.source import Captured, SourceContext, SourceCounts, SourceInfo, SourceUri
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_gimbal_sim.truth_ring import (
    DEFAULT_RING,
    RING_VARIABLE,
    TrueState,
    TruthRingReader,
    TruthUnavailable,
    ring_path,
)

SCHEMES = ('sim',)

_RATE_HZ = 30.0
_FOOTAGE_RATE_WHEN_UNKNOWN_HZ = 10.0
_NS_PER_S = 1_000_000_000
# A payload that was killed leaves its ring behind; its last rates must not carry the view on for ever.
_TRUTH_TOO_OLD_NS = _NS_PER_S // 2
_SAY_AGAIN_AFTER_NS = 5 * _NS_PER_S
# Beyond this the footage goes on from where it was instead of catching up (the machine slept, the payload was away).
_FOOTAGE_STALL_NS = _NS_PER_S


def create(uri: SourceUri, context: SourceContext) -> SimSource:
    """See `sources`."""
    uri.allow_options('ring')
    ring = uri.option('ring', os.environ.get(RING_VARIABLE, DEFAULT_RING))
    try:
        ring_path(ring)
    except ValueError as error:
        raise SourceUnusable(f'`source` {uri.text} cannot be used: {error}') from error
    return SimSource(uri.file if uri.path else None, ring, context)


class SimSource:
    """The simulated camera; `footage` None stands for the default one, fetched once."""

    def __init__(self, footage: Path | None, ring: str, context: SourceContext) -> None:
        self._footage = footage
        self._ring_name = ring
        self._context = context
        self._camera = simulated_camera()
        self._ring: TruthRingReader | None = None
        self._reader: FootageReader | None = None
        self._renderer: SceneRenderer | None = None
        self._canvas: Pixels | None = None
        self._pacer: Pacer | None = None
        self._shown_index = -1
        self._footage_rate_hz = _FOOTAGE_RATE_WHEN_UNKNOWN_HZ
        self._footage_schedule: FrameSchedule | None = None
        self._reported_waiting_ns: int | None = None
        self._reported_loops = 0

    def open(self) -> SourceInfo:
        """See VideoSource. The payload need not be there yet: `read` waits for it."""
        self.close()
        path = self._footage or default_footage(cache_directory(os.environ), self._context.say)
        self._reader = FootageReader(path, self._context.at_end)
        info = self._reader.open()
        geometry = SceneGeometry.of(info.width, info.height, self._camera)
        self._renderer = SceneRenderer(geometry)
        self._canvas = self._renderer.new_canvas()
        self._footage_rate_hz = info.rate_hz or _FOOTAGE_RATE_WHEN_UNKNOWN_HZ
        self._footage_schedule = None
        self._reported_loops = 0
        rate_hz = self._context.rate_hz or _RATE_HZ
        self._pacer = Pacer(rate_hz, self._context.clock)
        return SourceInfo(
            self._camera.width, self._camera.height, rate_hz, self._camera, 'shutter of the simulated camera'
        )

    def read(self, timeout_s: float) -> Captured | None:
        """See VideoSource."""
        if self._pacer is None or self._renderer is None or self._canvas is None:
            raise SourceError('The simulated camera is not open: call `open` first.')
        if not self._find_payload():
            self._context.clock.sleep_s(min(timeout_s, 0.1))
            return None
        # The footage frame that is due at the tick is decoded before it: 3 ms that no frame has to wait for.
        self._advance_footage(self._pacer.next_due_ns)
        tick = self._pacer.wait(timeout_s)
        if tick is None:
            return None
        state = self._true_state(tick.stamp_ns)
        if state is None:
            return None
        view = View(state.azimuth_rad, state.tilt_rad, state.zoom)
        image = lock_read_only(self._renderer.render(self._canvas, view))
        frame = Frame(image, tick.stamp_ns, self._context.frame_id)
        work_ns = self._context.clock.monotonic_ns() - tick.monotonic_ns
        return Captured(frame, self._camera.zoomed(view.zoom), work_ns, self._shown_index, view)

    def counts(self) -> SourceCounts:
        """See VideoSource."""
        reader, pacer = self._reader, self._pacer
        if reader is None or pacer is None:
            return SourceCounts()
        return SourceCounts(reader.decode_failures, pacer.missed, reader.loops)

    def close(self) -> None:
        """See VideoSource."""
        if self._reader is not None:
            self._reader.close()
        self._close_ring()
        self._reader = self._renderer = self._canvas = self._pacer = None

    def _find_payload(self) -> bool:
        """Have the ring of a living payload open; says once and then every 5 s what is waited for."""
        if self._ring is not None and not self._ring.replaced():
            return True
        self._close_ring()
        ring = TruthRingReader(self._ring_name)
        try:
            ring.open()
        except TruthUnavailable as error:
            self._say_waiting(str(error))
            return False
        self._ring = ring
        return True

    def _true_state(self, stamp_ns: int) -> TrueState | None:
        """The payload's state at the shutter; None before its first sample and after its last."""
        newest = self._ring.newest() if self._ring else None
        if newest is None or stamp_ns - newest.stamp_ns > _TRUTH_TOO_OLD_NS:
            self._say_waiting(
                f"The simulated payload '{self._ring_name}' has not written its attitude for "
                f'{_TRUTH_TOO_OLD_NS / _NS_PER_S:g} s: see whether `sim_payload` still runs.'
            )
            return None
        if self._reported_waiting_ns is not None:
            self._reported_waiting_ns = None
            self._context.say(f"The simulated camera sees through the payload '{self._ring_name}'.")
        return newest.at(stamp_ns)

    def _advance_footage(self, due_ns: int) -> None:
        """Decode up to the frame that is due then, monotonic, and hang it up."""
        schedule = self._footage_schedule
        if schedule is None or due_ns - schedule.due_ns > _FOOTAGE_STALL_NS:
            schedule = self._footage_schedule = FrameSchedule(self._footage_rate_hz, due_ns)
        assert self._reader is not None and self._renderer is not None and self._canvas is not None
        newest = None
        while schedule.due_ns <= due_ns:
            newest = self._reader.next() or newest
            schedule.advance()
        if newest is not None:
            self._renderer.hang(self._canvas, newest.image)
            self._shown_index = newest.index
        if self._reader.loops > self._reported_loops:
            self._reported_loops = self._reader.loops
            self._context.say('The footage ended and starts again: everything in the scene jumps.')

    def _say_waiting(self, sentence: str) -> None:
        now_ns = self._context.clock.monotonic_ns()
        if self._reported_waiting_ns is None or now_ns - self._reported_waiting_ns > _SAY_AGAIN_AFTER_NS:
            self._reported_waiting_ns = now_ns
            self._context.say(sentence)

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None
