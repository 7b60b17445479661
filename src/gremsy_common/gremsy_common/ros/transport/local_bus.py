# SPDX-License-Identifier: Apache-2.0
"""The hand-over of objects between nodes of one process, by resolved topic name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Deliver = Callable[[Any], None]
Changed = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class LocalSubscriber:
    """One subscriber: where items go, and what to call when the number of local publishers has changed."""

    deliver: Deliver
    publishers_changed: Changed


@dataclass(slots=True, eq=False)
class _Channel:
    """One topic name. `subscribers` is replaced, never changed, so that publishing needs no lock."""

    item_type: type[Any]
    publishers: tuple[str, ...] = ()
    bridges: int = 0
    subscribers: tuple[LocalSubscriber, ...] = ()


_NOBODYS = _Channel(object)


class LocalBus:
    """Connects the publishers and subscribers of one process.

    `publish` runs the subscribers' `deliver` in the publisher's thread: by the suite's rule they only store the item.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: dict[str, _Channel] = {}

    def add_publisher(self, name: str, item_type: type[Any], node: str = '', *, local_only: bool = False) -> None:
        """Announce a publisher of that node and notify the name's subscribers. One that is `local_only` is not on DDS.

        Raises:
            TypeError: when the name already carries items of another type.
        """
        with self._lock:
            channel = self._channel(name, item_type)
            if local_only:
                channel.bridges += 1
            else:
                channel.publishers += (node,)
            subscribers = channel.subscribers
        _notify(subscribers)

    def remove_publisher(self, name: str, node: str = '', *, local_only: bool = False) -> None:
        """Take back one announcement; subscribers of the name are notified."""
        with self._lock:
            channel = self._channels[name]
            if local_only:
                channel.bridges -= 1
            else:
                left = list(channel.publishers)
                left.remove(node)
                channel.publishers = tuple(left)
            subscribers = channel.subscribers
        _notify(subscribers)

    def add_subscriber(self, name: str, item_type: type[Any], subscriber: LocalSubscriber) -> None:
        """Start to deliver items of that name.

        Raises:
            TypeError: when the name already carries items of another type.
        """
        with self._lock:
            self._channel(name, item_type).subscribers += (subscriber,)

    def remove_subscriber(self, name: str, subscriber: LocalSubscriber) -> None:
        """Stop to deliver."""
        with self._lock:
            channel = self._channels[name]
            channel.subscribers = tuple(each for each in channel.subscribers if each is not subscriber)

    def publish(self, name: str, item: object) -> int:
        """Hand the item itself to every local subscriber; how many there were."""
        subscribers = self._channels[name].subscribers
        for subscriber in subscribers:
            subscriber.deliver(item)
        return len(subscribers)

    def subscriber_count(self, name: str) -> int:
        """Local subscribers of that name."""
        return len(self._channels.get(name, _NOBODYS).subscribers)

    def publisher_count(self, name: str) -> int:
        """Local publishers of that name."""
        channel = self._channels.get(name, _NOBODYS)
        return len(channel.publishers) + channel.bridges

    def dds_publishers(self, name: str) -> tuple[str, ...]:
        """The nodes of the local publishers of that name that publish over DDS too."""
        return self._channels.get(name, _NOBODYS).publishers

    def is_bridged(self, name: str) -> bool:
        """Whether a publisher of that name is local only: it hands on what comes from outside."""
        return self._channels.get(name, _NOBODYS).bridges > 0

    def _channel(self, name: str, item_type: type[Any]) -> _Channel:
        channel = self._channels.setdefault(name, _Channel(item_type))
        if channel.item_type is not item_type:
            raise TypeError(
                f'Topic {name} carries {channel.item_type.__name__} in this process, not {item_type.__name__}: '
                'remap one of the two.'
            )
        return channel


def _notify(subscribers: tuple[LocalSubscriber, ...]) -> None:
    for subscriber in subscribers:
        subscriber.publishers_changed()
