# SPDX-License-Identifier: Apache-2.0
"""Which link leads to which component: where it sent a message lately, in order of preference. Pure; times come in."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum

from gremsy_gimbal_driver.mavlink.component_register import GIMBAL_COMPONENTS
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_SECOND_NS = 1_000_000_000
_FRESH_GIMBAL_NS = 3 * _SECOND_NS // 2
"""A gimbal sends its attitude ten times a second and more (gimbal.md 1.4): silence for 1.5 s is no lost byte."""

_FRESH_NS = 7 * _SECOND_NS // 2
"""Everything else may only beat once a second; three of those may be lost."""

_CLOGGED_NS = 3 * _SECOND_NS // 10
"""Refused for so long, a link takes nothing: a serial driver's 4 kB are sent in 0.36 s at 115200 baud."""

_RETURN_NS = 3 * _SECOND_NS
"""How long the preferred link must work before it is used again, so that a loose plug does not toggle the two."""


class SwitchReason(Enum):
    """What the link did over which a component was written before; `BACK`: what the one does that it is now."""

    CLOSED = 'is lost'
    CLOGGED = 'accepts no more data'
    SILENT = 'has fallen silent'
    BACK = 'has recovered'


@dataclass(frozen=True, slots=True)
class LinkSwitch:
    """From one link to another, by index."""

    old: int
    new: int
    reason: SwitchReason


class LinkRoutes:
    """Not thread-safe: its owner holds a lock.

    Args:
        links: how many; a smaller index is preferred.
    """

    def __init__(self, links: int) -> None:
        self._links = range(links)
        self._open: set[int] = set()
        self._refused_ns: dict[int, tuple[int, int]] = {}
        self._last_ns: dict[tuple[int, Sender], int] = {}
        self._steady_since_ns: dict[tuple[int, Sender], int] = {}
        self._current: dict[Sender, int] = {}
        self.carried: defaultdict[Sender, set[int]] = defaultdict(set)
        """Every link that ever carried the component, open or not."""

    def opened(self, link: int) -> None:
        """It can be written again."""
        self._open.add(link)
        self._refused_ns.pop(link, None)

    def lost(self, link: int) -> None:
        """No component counts as present on it until its next message; all it ever carried are kept, for the stops."""
        self._open.discard(link)
        self._refused_ns.pop(link, None)
        for times in (self._last_ns, self._steady_since_ns):
            for key in [key for key in times if key[0] == link]:
                del times[key]

    def on_message(self, link: int, sender: Sender, now_ns: int) -> None:
        """A believable message of that component came in on that link."""
        if link not in self._open:
            return
        key = link, sender
        last_ns = self._last_ns.get(key)
        if last_ns is None or now_ns - last_ns > freshness_ns(sender):
            self._steady_since_ns[key] = now_ns
        self._last_ns[key] = now_ns
        self.carried[sender].add(link)

    def written(self, link: int, taken: bool, now_ns: int) -> None:
        """Whether the link took what was written to it."""
        if taken:
            self._refused_ns.pop(link, None)
        else:
            first_ns, _ = self._refused_ns.get(link, (now_ns, now_ns))
            self._refused_ns[link] = first_ns, now_ns

    def senders(self, link: int, since_ns: int) -> tuple[Sender, ...]:
        """The components that sent a message on the link since then, by their ids."""
        present = (sender for (on, sender), at_ns in self._last_ns.items() if on == link and at_ns >= since_ns)
        return tuple(sorted(present))

    def is_clogged(self, link: int) -> bool:
        """Whether it refused everything that was written to it for a while."""
        first_ns, last_ns = self._refused_ns.get(link, (0, 0))
        return last_ns - first_ns >= _CLOGGED_NS

    def choose(self, sender: Sender, now_ns: int) -> tuple[int | None, LinkSwitch | None]:
        """The one link to write to, None where none is open, and the change from the choice before, if there is one.

        A link that works is kept, until a preferred one has worked for a while. A silent component is
        written where its last message came in, and to the preferred open link before its first.
        """
        current = self._current.get(sender)
        good = [link for link in self._links if self._is_good(link, sender, now_ns)]
        if current in good:
            new = next((link for link in good if link < current and self._is_steady(link, sender)), current)
        elif good:
            new = good[0]
        else:
            return self._last_resort(sender, current), None
        self._current[sender] = new
        if current is None or new == current:
            return new, None
        return new, LinkSwitch(current, new, self._reason(current, current in good))

    def _last_resort(self, sender: Sender, current: int | None) -> int | None:
        def merit(link: int) -> tuple[bool, bool, int, int]:
            return (
                not self.is_clogged(link),
                link == current,
                self._last_ns.get((link, sender), -1),
                -link,
            )

        return max((link for link in self._links if link in self._open), key=merit, default=None)

    def _is_good(self, link: int, sender: Sender, now_ns: int) -> bool:
        last_ns = self._last_ns.get((link, sender))
        return last_ns is not None and now_ns - last_ns <= freshness_ns(sender) and not self.is_clogged(link)

    def _is_steady(self, link: int, sender: Sender) -> bool:
        return self._last_ns[(link, sender)] - self._steady_since_ns[(link, sender)] >= _RETURN_NS

    def _reason(self, old: int, old_is_good: bool) -> SwitchReason:
        if old_is_good:
            return SwitchReason.BACK
        if old not in self._open:
            return SwitchReason.CLOSED
        return SwitchReason.CLOGGED if self.is_clogged(old) else SwitchReason.SILENT


def freshness_ns(sender: Sender) -> int:
    """How long a component may be silent on a link before another is preferred."""
    return _FRESH_GIMBAL_NS if sender.component in GIMBAL_COMPONENTS else _FRESH_NS
