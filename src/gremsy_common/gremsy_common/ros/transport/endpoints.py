# SPDX-License-Identifier: Apache-2.0
"""Publisher and subscriber of a `Topic`: by reference inside the process, over DDS only where somebody outside listens.

A subscriber owns a DDS subscription exactly while no local publisher of its name exists: were it to keep one, the
publisher's `get_subscription_count()` could never fall to 0 and every item would be serialised for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node

from gremsy_common.errors import Unusable
from gremsy_common.ros.transport.local_bus import LocalBus, LocalSubscriber
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.timing.latest_slot import LatestSlot

T = TypeVar('T')
OnError = Callable[[str], None]
OnDrop = Callable[[str, str, str], None]
"""Told of a message that was not used: the topic as the suite names it, the reason in few words, the sentence."""
CallSoon = Callable[[Callable[[], None]], None]


class TopicPublisher(Generic[T]):
    """Publishes items of one topic; made and closed on the executor's thread."""

    def __init__(self, node: Node, bus: LocalBus, topic: Topic[T], on_error: OnError) -> None:
        self._topic = topic
        self._bus = bus
        self._node = node
        self._on_error = on_error
        self._closed = False
        self._publisher = node.create_publisher(topic.message_type, topic.name, topic.quality.value)
        self.name: str = self._publisher.topic_name
        bus.add_publisher(self.name, topic.item_type)
        self._outlet: LatestSlot[T] | None = None
        self._thread: threading.Thread | None = None
        if topic.heavy:
            self._outlet = LatestSlot()
            self._thread = threading.Thread(target=self._serve_outside, name=f'publish {self.name}', daemon=True)
            self._thread.start()

    def publish(self, item: T) -> None:
        """Hand the item to local subscribers and, where anybody listens outside, send the message."""
        if self._closed:
            return
        if not self._topic.latched:
            self._bus.publish(self.name, item)
        # 1.3 us to ask; publishing a 1080p image to nobody still costs 1.4 ms (design.md section 5).
        if self._topic.latched or self._publisher.get_subscription_count() > 0:
            if self._outlet is not None:
                self._outlet.put(item)
            else:
                self._publisher.publish(self._topic.to_message(item))

    @property
    def watched(self) -> bool:
        """Whether anybody, inside or outside, wants the items."""
        return self.local_subscribers > 0 or self.outside_subscribers > 0

    @property
    def local_subscribers(self) -> int:
        """Subscribers in this process."""
        return self._bus.subscriber_count(self.name)

    @property
    def outside_subscribers(self) -> int:
        """Subscribers over DDS."""
        return 0 if self._closed else int(self._publisher.get_subscription_count())

    @property
    def rivals(self) -> int:
        """Publishers of the same name elsewhere: two cameras on one name is a mistake worth a warning."""
        if self._closed:
            return 0
        everywhere = int(self._node.count_publishers(self.name))
        return max(0, everywhere - self._bus.publisher_count(self.name))

    def close(self) -> None:
        """Take the topic back; only on the executor's thread, or with the executor stopped."""
        if self._closed:
            return
        self._closed = True
        self._bus.remove_publisher(self.name)
        if self._outlet is not None and self._thread is not None:
            self._outlet.close()
            self._thread.join(timeout=2.0)
        self._node.destroy_publisher(self._publisher)

    def _serve_outside(self) -> None:
        outlet = self._outlet
        assert outlet is not None
        while not self._closed:
            item = outlet.take(timeout_s=0.5)
            if item is None or self._closed:
                continue
            try:
                self._publisher.publish(self._topic.to_message(item))
            except Exception as error:  # noqa: BLE001 whatever a conversion raises must not end the outlet
                self._on_error(f'Could not publish {self.name}: {error}')


class TopicSubscription(Generic[T]):
    """Receives items of one topic; `callback` must only store (it runs in the publisher's or the executor's thread)."""

    def __init__(
        self,
        node: Node,
        bus: LocalBus,
        topic: Topic[T],
        callback: Callable[[T], object],
        call_soon: CallSoon,
        on_error: OnError,
        on_drop: OnDrop | None = None,
    ) -> None:
        self._node = node
        self._bus = bus
        self._topic = topic
        self._callback = callback
        self._call_soon = call_soon
        self._on_error = on_error
        self._on_drop = on_drop or (lambda _topic, _reason, sentence: on_error(sentence))
        self._closed = False
        self._subscription: Any = None
        self.name: str = node.resolve_topic_name(topic.name)
        self.received = 0
        self.incompatible_qos = 0
        self._local = LocalSubscriber(self._deliver, self._publishers_changed)
        if not topic.latched:
            bus.add_subscriber(self.name, topic.item_type, self._local)
        self._reconcile()

    @property
    def is_local(self) -> bool:
        """Whether items come by reference from a publisher in this process."""
        return not self._topic.latched and self._bus.publisher_count(self.name) > 0

    def close(self) -> None:
        """Stop to receive; only on the executor's thread, or with the executor stopped."""
        if self._closed:
            return
        self._closed = True
        if not self._topic.latched:
            self._bus.remove_subscriber(self.name, self._local)
        self._drop_subscription()

    def _publishers_changed(self) -> None:
        # destroy_subscription from another thread ends the executor with InvalidHandle (design.md section 5).
        self._call_soon(self._reconcile)

    def _reconcile(self) -> None:
        if self._closed:
            return
        if self.is_local:
            self._drop_subscription()
        elif self._subscription is None:
            self._subscription = self._node.create_subscription(
                self._topic.message_type,
                self._topic.name,
                self._receive,
                self._topic.quality.value,
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._incompatible),
            )

    def _drop_subscription(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: Any) -> None:
        if self._closed or self.is_local:
            return
        try:
            item = self._topic.from_message(message)
        except Exception as error:  # noqa: BLE001 a foreign node may send anything; the loop goes on
            reason = error.reason if isinstance(error, Unusable) else 'not understood'
            self._on_drop(self._topic.name, reason, f'A message on {self.name} cannot be used: {error}')
            return
        self._deliver(item)

    def _deliver(self, item: T) -> None:
        self.received += 1
        try:
            self._callback(item)
        except Exception as error:  # noqa: BLE001 a subscriber's fault must not reach the publisher whose thread this is
            self._on_error(f'The callback of {self.name} failed: {type(error).__name__}: {error}')

    def _incompatible(self, event: Any) -> None:
        self.incompatible_qos = int(event.total_count)
        self._on_error(
            f'A publisher of {self.name} offers an incompatible quality of service: '
            "match its reliability and durability to this subscriber's."
        )
