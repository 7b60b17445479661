# SPDX-License-Identifier: Apache-2.0
"""News for everybody who listens: of each kind only the newest wait, so a slow client holds nobody up.

What viewers measure of their video goes to Prometheus: over all who watch a camera, so that no viewer has a label.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from statistics import median

from gremsy_web.robot.prometheus_text import Sample

# By the names that the page sends.
_DELAY, _RATE, _SHOWN, _MATCHED, _FREEZES = 'total_ms', 'framesPerSecond', 'shown', 'matched', 'freezeCount'


def viewer_samples(clients: Iterable[LiveClient]) -> list[Sample]:
    """Of each camera that has been reported."""
    by_camera: dict[str, list[Mapping[str, float]]] = {}
    for client in list(clients):
        if client.painted is not None:
            camera, stats = client.painted
            by_camera.setdefault(camera, []).append(stats)
    samples = []
    for camera, painted in sorted(by_camera.items()):
        samples.append(Sample('gremsy_viewers', len(painted), {'camera': camera}))
        delays_s = [each / 1000.0 for each in _values(painted, _DELAY)]
        if delays_s:
            samples += [
                Sample('gremsy_viewer_delay_seconds', median(delays_s), {'camera': camera, 'of': 'median'}),
                Sample('gremsy_viewer_delay_seconds', max(delays_s), {'camera': camera, 'of': 'worst'}),
            ]
        rates_hz = _values(painted, _RATE)
        if rates_hz:
            samples.append(Sample('gremsy_viewer_rate_hertz', min(rates_hz), {'camera': camera, 'of': 'worst'}))
        shown = sum(_values(painted, _SHOWN))
        if shown > 0.0:
            share = sum(_values(painted, _MATCHED)) / shown
            samples.append(Sample('gremsy_viewer_frames_with_boxes_ratio', share, {'camera': camera}))
        samples.append(Sample('gremsy_viewer_freezes', sum(_values(painted, _FREEZES)), {'camera': camera}))
    return samples


def _values(painted: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [stats[name] for stats in painted if name in stats]


_MOST_EVENTS = 32


class LiveClient:
    """One socket's waiting news; on the server's loop only."""

    def __init__(self, number: str, role: str) -> None:
        self.number = number
        self.role = role
        self._newest: dict[str, deque[str]] = {}
        self._events: deque[str] = deque(maxlen=_MOST_EVENTS)
        self._wake = asyncio.Event()
        self.dropped = 0
        self.sent = 0
        self.painted: tuple[str, Mapping[str, float]] | None = None
        """The camera that it shows, and what it last measured of that video, by the names that the page gives it."""

    def offer(self, kind: str, text: str, keep: int = 1) -> None:
        """In place of the oldest that waits of that kind, where `keep` wait already."""
        waiting = self._newest.setdefault(kind, deque(maxlen=keep))
        self.dropped += len(waiting) == keep
        waiting.append(text)
        self._wake.set()

    def queue(self, text: str) -> None:
        """An answer or event, which nothing takes the place of; of too many the oldest are lost."""
        self.dropped += len(self._events) == _MOST_EVENTS
        self._events.append(text)
        self._wake.set()

    async def take(self) -> list[str]:
        """Wait for something; everything that waits."""
        await self._wake.wait()
        self._wake.clear()
        texts = [*self._events, *chain.from_iterable(self._newest.values())]
        self._events.clear()
        self._newest.clear()
        self.sent += len(texts)
        return texts


class LiveHub:
    """Hands news from ROS's threads to the clients on the server's loop.

    Args:
        most: clients at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.clients: dict[str, LiveClient] = {}
        self.dropped_by_leavers = 0
        self.too_slow = 0
        self.unsayable = 0
        """News that could not be made into a message."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Callable[[], str]]] = {}
        self._events: deque[str] = deque(maxlen=_MOST_EVENTS)
        self._scheduled = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop, before the first client."""
        self._loop = loop

    def close(self) -> None:
        """Nothing goes out any more."""
        with self._lock:
            self._loop = None

    @property
    def dropped(self) -> int:
        """News that a newer one of its kind took the place of before they were sent."""
        return self.dropped_by_leavers + sum(each.dropped for each in list(self.clients.values()))

    def publish(self, kind: str, text: Callable[[], str], keep: int = 1) -> None:
        """From any thread; `text` is called on the loop, and only where somebody listens.

        Args:
            kind: what a newer one takes the place of.
            text: makes the message.
            keep: how many of the kind may wait; of tracks every one belongs to a frame of its own.
        """
        with self._lock:
            if self._loop is None or not self.clients:
                return
            # Bounded too: a loop that is held up must find no more than a client would keep.
            self._waiting.setdefault(kind, deque(maxlen=keep)).append(text)
            self._schedule(self._loop)

    def event(self, text: str) -> None:
        """From any thread: to everybody who is there now."""
        with self._lock:
            if self._loop is None or not self.clients:
                return
            self._events.append(text)
            self._schedule(self._loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            events = list(self._events)
            self._events.clear()
            self._scheduled = False
        texts = [
            (kind, text, makes.maxlen or 1)
            for kind, makes in waiting.items()
            for make in makes
            if (text := self._made(make)) is not None
        ]
        for client in self.clients.values():
            for kind, text, keep in texts:
                client.offer(kind, text, keep)
            for text in events:
                client.queue(text)

    def _made(self, make: Callable[[], str]) -> str | None:
        """One that is no JSON, with a NaN in it for instance, must not take the others with it, nor the events."""
        try:
            return make()
        except ValueError:
            self.unsayable += 1
            return None

    def join(self, client: LiveClient) -> bool:
        """False where there are too many already."""
        if len(self.clients) >= self.most:
            return False
        self.clients[client.number] = client
        return True

    def leave(self, client: LiveClient) -> None:
        """It is gone."""
        if self.clients.pop(client.number, None) is not None:
            self.dropped_by_leavers += client.dropped
