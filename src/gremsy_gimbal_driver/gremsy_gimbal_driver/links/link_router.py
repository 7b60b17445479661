# SPDX-License-Identifier: Apache-2.0
"""One or two links to one gimbal: each component is written where its messages come in, stops go everywhere.

Made for one reader thread a link (`read`, `received`, `on_message`) and one writer thread (`step`, `write...`). Motion
goes to exactly one link, since two ways of different length to one gimbal would swap commands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.links.link_health import LinkHealth
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper
from gremsy_gimbal_driver.links.link_routes import LinkRoutes, LinkSwitch, SwitchReason
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_BEAT_NS = 1_000_000_000
_BEAT_INTO_SILENCE_NS = 250_000_000
"""A gimbal that restarts is silent until it receives a heartbeat (gimbal.md 1.2), and must be back within a second."""

_OWED_REPEATS = 5
_OWED_INTERVAL_NS = 20_000_000
"""The burst of design.md 5: at 2 % lost bytes six frames in ten are lost."""

_SILENCE_NS = 1_500_000_000
_LATELY_NS = 3_500_000_000


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class LinkListener:
    """Callbacks of the router; called on its callers' threads, never under its lock.

    Attributes:
        opened: a link's index and its descriptor, after every opening.
        lost: a link's index, when it was lost or could not be opened.
        report: a sentence about a fault.
        inform: a sentence about what works again.
    """

    opened: Callable[[int, int], None] = _ignore
    lost: Callable[[int], None] = _ignore
    report: Callable[[str], None] = _ignore
    inform: Callable[[str], None] = _ignore


@dataclass(slots=True)
class _RoutedLink:
    """One link and what is known of it; its times are of this opening."""

    keeper: LinkKeeper
    opening: int = 0
    opened_ns: int | None = None
    byte_ns: int | None = None
    frame_ns: int | None = None
    frames: int = 0
    frameless_bytes: int = 0
    beat_due_ns: int = 0
    reported: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _OwedStop:
    """A stop that a link which carried motion could not take, and how often it is still to be sent."""

    messages: tuple[bytes, ...]
    left: int = _OWED_REPEATS


class LinkRouter:
    """Owns the links' keepers.

    Args:
        links: one or two, in order of preference (`links_from_uris`), not opened yet.
        listener: of openings, losses and changes.
    """

    def __init__(self, links: Sequence[Link], listener: LinkListener | None = None) -> None:
        self._listener = listener or LinkListener()
        self._lines = [
            _RoutedLink(LinkKeeper(link, partial(self._opened, index), partial(self._failed, index)))
            for index, link in enumerate(links)
        ]
        self._lock = threading.Lock()
        self._routes = LinkRoutes(len(links))
        self._moved: set[int] = set()
        self._owed: dict[int, _OwedStop] = {}
        self._reported_switches: set[tuple[int, int]] = set()
        self._motion_link: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The links', in order of preference."""
        return tuple(line.keeper.link.name for line in self._lines)

    @property
    def openings(self) -> int:
        """Of all links together."""
        return sum(line.keeper.traffic.openings for line in self._lines)

    def is_datagram(self, link: int) -> bool:
        """Whether what is read from it are whole datagrams."""
        return self._lines[link].keeper.link.is_datagram

    # For each link's reader.

    def read(self, link: int, timeout_s: float) -> bytes:
        """What came on the link; empty when nothing did, or while it is lost (then this opens it again)."""
        line = self._lines[link]
        data = line.keeper.read(timeout_s)
        if data:
            line.reported.clear()
        elif line.keeper.is_open:
            self._report_once(line, line.keeper.fault)
        return data

    def received(self, link: int, size: int, frames: int, now_ns: int) -> None:
        """So many bytes were read, and so many whole frames have come on this link since the start."""
        with self._lock:
            line = self._noticed(link, now_ns)
            line.byte_ns = now_ns
            if frames != line.frames:
                line.frames, line.frame_ns, line.frameless_bytes = frames, now_ns, 0
            else:
                line.frameless_bytes += size

    def on_message(self, link: int, sender: Sender, now_ns: int) -> None:
        """A believable message of that component came on that link."""
        with self._lock:
            self._routes.on_message(link, sender, now_ns)

    # For the writer.

    def step(self, heartbeat: Callable[[], bytes], now_ns: int) -> int:
        """Send the heartbeats and the owed stops that are due; when to call again, in ns.

        A link gets one heartbeat a second, four a second into silence, and one at once when opened.
        """
        wake_ns = now_ns + _BEAT_NS
        for link, line in enumerate(self._lines):
            if not line.keeper.is_open:
                continue
            with self._lock:
                self._noticed(link, now_ns)
                owed = self._owed.get(link)
                due = now_ns >= line.beat_due_ns
                if due:
                    silent = line.frame_ns is None or now_ns - line.frame_ns > _SILENCE_NS
                    line.beat_due_ns = now_ns + (_BEAT_INTO_SILENCE_NS if silent else _BEAT_NS)
                wake_ns = min(wake_ns, line.beat_due_ns)
            if owed is not None:
                wake_ns = min(wake_ns, now_ns + _OWED_INTERVAL_NS)
                self._deliver(link, owed, now_ns)
            if due:
                self._put(link, (heartbeat(),), now_ns)
        return wake_ns

    def write(self, to: Sender, messages: Sequence[bytes], now_ns: int) -> bool:
        """Write to the one link that leads to the component; whether all went out."""
        link = self.route(to, now_ns)
        return link is not None and self._put(link, messages, now_ns)

    def write_motion(self, gimbal: Sender, messages: Sequence[bytes], now_ns: int) -> bool:
        """As `write`; the link is remembered as one that a stop must reach, and stops that are owed are overtaken."""
        link = self.route(gimbal, now_ns)
        if link is None:
            return False
        with self._lock:
            # Before writing: half a command may reach the gimbal too.
            self._routes.carried[gimbal].add(link)
            self._moved.add(link)
            self._owed.clear()
            self._motion_link = link
        return self._put(link, messages, now_ns)

    def write_stop(self, gimbal: Sender, messages: Sequence[bytes], now_ns: int) -> bool:
        """Write to every link that ever carried the gimbal; whether it went out on one at least.

        A link that is closed or full now gets it when it takes bytes again, unless motion was wanted in between: a
        payload without a time-out of its own (gimbal.md 1.10) would turn on.
        """
        chosen = self.route(gimbal, now_ns)
        with self._lock:
            links = self._routes.carried[gimbal] | (set() if chosen is None else {chosen})
        stopped = [link for link in sorted(links) if self._put(link, messages, now_ns)]
        with self._lock:
            for link in self._moved & links:
                if link in stopped:
                    self._owed.pop(link, None)
                else:
                    self._owed[link] = _OwedStop(tuple(messages))
        return bool(stopped)

    # For anybody.

    def route(self, to: Sender, now_ns: int) -> int | None:
        """The index of the link that leads to the component now."""
        with self._lock:
            link, switch = self._routes.choose(to, now_ns)
        if switch is not None:
            self._report_switch(switch)
        return link

    def health(self, now_ns: int) -> tuple[LinkHealth, ...]:
        """Of each link."""
        with self._lock:
            return tuple(self._health(link, now_ns) for link in range(len(self._lines)))

    def interrupt(self) -> None:
        """Ends every wait for the next opening; writing stays possible until `close`."""
        for line in self._lines:
            line.keeper.interrupt()

    def close(self) -> None:
        """Close the links; the readers must be ending already."""
        for line in self._lines:
            line.keeper.close()

    # Inside.

    def _report_switch(self, switch: LinkSwitch) -> None:
        """Once for a failure, however many components are behind that link, and once for its end."""
        old, new = self.names[switch.old], self.names[switch.new]
        if switch.reason is SwitchReason.BACK:
            if (switch.new, switch.old) in self._reported_switches:
                self._reported_switches.discard((switch.new, switch.old))
                self._listener.inform(f'The gimbal link {new} has recovered and is used instead of {old}.')
        elif (switch.old, switch.new) not in self._reported_switches:
            self._reported_switches.add((switch.old, switch.new))
            self._listener.report(f'The gimbal link {old} {switch.reason.value}: {new} is used instead.')

    def _put(self, link: int, messages: Sequence[bytes], now_ns: int) -> bool:
        keeper = self._lines[link].keeper
        if not keeper.is_open:
            return False
        taken = [keeper.write(message) for message in messages]
        with self._lock:
            self._routes.written(link, all(taken), now_ns)
        return all(taken)

    def _deliver(self, link: int, owed: _OwedStop, now_ns: int) -> None:
        if not self._put(link, owed.messages, now_ns):
            return
        with self._lock:
            owed.left -= 1
            if owed.left == 0 and self._owed.get(link) is owed:
                del self._owed[link]

    def _opened(self, link: int, descriptor: int) -> None:
        with self._lock:
            self._routes.opened(link)
        self._listener.opened(link, descriptor)

    def _failed(self, link: int, reason: str) -> None:
        with self._lock:
            self._routes.lost(link)
        self._listener.lost(link)
        self._report_once(self._lines[link], reason)

    def _report_once(self, line: _RoutedLink, sentence: str) -> None:
        """Not again before bytes have come: an address without a payload fails every few seconds, for ever."""
        if sentence and sentence not in line.reported:
            line.reported.add(sentence)
            self._listener.report(sentence)

    def _noticed(self, link: int, now_ns: int) -> _RoutedLink:
        """The link, its times reset when it was opened since; under the lock."""
        line = self._lines[link]
        if line.keeper.traffic.openings != line.opening:
            line.opening = line.keeper.traffic.openings
            line.opened_ns = line.beat_due_ns = now_ns
            line.byte_ns = line.frame_ns = None
            line.frameless_bytes = 0
        return line

    def _health(self, link: int, now_ns: int) -> LinkHealth:
        line = self._noticed(link, now_ns)
        is_open = line.keeper.is_open

        def age_s(at_ns: int | None) -> float | None:
            return None if at_ns is None or not is_open else (now_ns - at_ns) * 1e-9

        return LinkHealth(
            name=line.keeper.link.name,
            is_open=is_open,
            fault=line.keeper.fault,
            open_s=age_s(line.opened_ns),
            silent_s=age_s(line.byte_ns),
            frameless_s=age_s(line.frame_ns),
            frameless_bytes=line.frameless_bytes,
            senders=self._routes.senders(link, now_ns - _LATELY_NS),
            clogged=self._routes.is_clogged(link),
            carries_motion=link == self._motion_link,
            traffic=replace(line.keeper.traffic),
        )
