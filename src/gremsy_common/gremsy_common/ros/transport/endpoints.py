# SPDX-License-Identifier: Apache-2.0
"""Publisher and subscriber of a `Topic`: by reference inside the process, over DDS only where somebody outside listens.

A subscriber owns a DDS subscription exactly while no local publisher of its name exists: were it to keep one, the
publisher's `get_subscription_count()` could never fall to 0 and every item would be serialised for nobody.

A bridge brings a foreign publisher's items into the process once, however many nodes of it want them: a subscription
that is `outside_only` receives them, and a publisher of the same name that is `local_only` hands them on by reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile

from gremsy_common.errors import Unusable
from gremsy_common.ros.diagnostics import StageStatistics
from gremsy_common.ros.transport.endpoint import Endpoint
from gremsy_common.ros.transport.local_bus import LocalBus, LocalSubscriber
from gremsy_common.ros.transport.outlet import Outlet
from gremsy_common.ros.transport.quality import Quality, with_overrides
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.ros.transport.unheld_publishing import CannotPublishUnheld, UnheldPublisher
from gremsy_common.timing.worker import LatestSlot

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # as Humble calls it
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError

# After each request; warnings are looked for once a second, and logged when they are there the second time.
_ASKS_FOR_S = 3.0

T = TypeVar('T')
OnError = Callable[[str], None]
OnDrop = Callable[[str, str, str], None]
"""Called for a message that was not used: the topic as the suite names it, the reason in few words, the sentence."""
CallSoon = Callable[[Callable[[], None]], None]


class TopicPublisher(Endpoint[T]):
    """Publishes items of one topic; made and closed on the executor's thread.

    With `local_only` it reaches this process alone and has no DDS publisher: for what somebody else publishes under the
    name already.

    Raises:
        TypeError: when a latched topic is asked for `local_only`: its items go to nobody by reference.
        ParameterError: when `qos_overrides` of the topic cannot be used.
    """

    def __init__(
        self, node: Node, bus: LocalBus, topic: Topic[T], on_error: OnError, *, local_only: bool = False
    ) -> None:
        if local_only and topic.latched:
            raise TypeError(f'The latched topic {topic.name} always goes over DDS: it cannot be `local_only`.')
        super().__init__(node, bus, topic, on_error)
        self._published_s = float('-inf')
        self.local = StageStatistics()
        self.outside = StageStatistics()
        self.shut_out = 0
        """Subscribers that came and got nothing, because they ask for what this publisher does not offer."""
        self._publisher: Any = None
        self._always = topic.latched
        if not local_only:
            self.offered: QoSProfile = with_overrides(node, self.name, 'publisher', topic.quality.offered())
            # Whoever comes later gets the last item, so it must have gone to DDS.
            self._always |= self.offered.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL
            self._publisher = node.create_publisher(
                topic.message_type,
                topic.name,
                self.offered,
                event_callbacks=PublisherEventCallbacks(incompatible_qos=self._incompatible),
            )
        bus.add_publisher(self.name, topic.item_type, node.get_fully_qualified_name(), local_only=local_only)
        self._send: Callable[[T], None] | None = None
        self._outlet: Outlet[T] | None = None
        if topic.heavy and not local_only:
            self._outlet = Outlet(self.name, self._send_heavy, on_error, wanted_here=lambda: self.local_subscribers > 0)
            self._outlet.start()

    @property
    def local_only(self) -> bool:
        """Whether it has no DDS publisher."""
        return self._publisher is None

    def publish(self, item: T) -> None:
        """Hand the item to local subscribers and, where anybody listens outside, send the message."""
        if self._closed:
            return
        self._published_s = time.monotonic()
        if not self.topic.latched and self._bus.publish(self.name, item):
            self.local.record(None)
        if self._publisher is None:
            return
        # 1.3 us to ask; publishing a 1080p image to nobody still costs 1.4 ms (design.md section 5).
        if self._always or self._publisher.get_subscription_count() > 0:
            self.outside.record(None)
            if self._outlet is not None:
                self._outlet.slot.put(item)
            else:
                self._send_held(item)

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
        """Subscribers over DDS; of one that is local only there are none."""
        return 0 if self._closed or self._publisher is None else int(self._publisher.get_subscription_count())

    @property
    def dropped(self) -> int:
        """Items that nobody outside got because a newer one came before they were sent."""
        return self._outlet.slot.dropped if self._outlet is not None else 0

    @property
    def rivals(self) -> int:
        """Publishers of the same name elsewhere: two cameras on one name is a mistake worth a warning.

        One that is local only has none: the publisher elsewhere is whose items it hands on. Neither has one that could
        ask something of a node, and does not.
        """
        is_idle = self.topic.is_request and time.monotonic() - self._published_s > _ASKS_FOR_S
        if self._closed or self.local_only or self.topic.shared or is_idle:
            return 0
        return self.foreign_publishers()

    def close(self) -> None:
        """Take the topic back; only on the executor's thread, or with the executor stopped."""
        if self._closed:
            return
        self._closed = True
        self._bus.remove_publisher(self.name, self._node.get_fully_qualified_name(), local_only=self.local_only)
        if self._outlet is not None and not self._outlet.close():
            self._on_error(f'What is being sent on {self.name} did not end in time.')
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)

    def _send_heavy(self, item: T) -> None:
        """On the outlet's thread."""
        if self._send is None:
            self._send = self._way_out()
        self._send(item)

    def _way_out(self) -> Callable[[T], None]:
        if self.topic.wire is not None:
            unheld = UnheldPublisher(self._publisher.handle, self.topic)
            try:
                unheld.open()
            except CannotPublishUnheld as error:
                self._on_error(
                    f'Subscribers of {self.name} outside this process slow all of its work down (3 ms an image of '
                    f'1920x1080), since {error}: let them take a compressed topic.'
                )
            else:
                return unheld.publish
        return self._send_held

    def _send_held(self, item: T) -> None:
        self._publisher.publish(self.topic.to_message(item))

    def _incompatible(self, event: Any) -> None:
        self.shut_out += int(event.total_count_change)


class TopicSubscription(Endpoint[T]):
    """Receives items of one topic; `callback` must only store (it runs in the publisher's or the executor's thread).

    With `outside_only` it stays on DDS whatever this process publishes under the name: for what hands it on inside.

    Raises:
        ParameterError: when `qos_overrides` of the topic cannot be used.
    """

    def __init__(
        self,
        node: Node,
        bus: LocalBus,
        topic: Topic[T],
        callback: Callable[[T], object],
        call_soon: CallSoon,
        on_error: OnError,
        on_drop: OnDrop | None = None,
        *,
        outside_only: bool = False,
    ) -> None:
        super().__init__(node, bus, topic, on_error)
        self._callback = callback
        self._call_soon = call_soon
        self._on_drop = on_drop or (lambda _topic, _reason, sentence: on_error(sentence))
        self._on_bus = not (topic.latched or outside_only)
        self._subscription: Any = None
        self.statistics = StageStatistics()
        self.incompatible_qos = 0
        """Publishers that offer less than this subscription asks for, so that nothing comes from them."""
        self.lost = 0
        """Messages that a publisher sent and that did not arrive over DDS."""
        # Also where it is not needed yet, so that a wrong override ends the start.
        self.asked: QoSProfile = with_overrides(node, self.name, 'subscription', topic.quality.asked())
        self._local = LocalSubscriber(self._deliver, self._publishers_changed)
        if self._on_bus:
            bus.add_subscriber(self.name, topic.item_type, self._local)
        self._reconcile()

    @property
    def is_local(self) -> bool:
        """Whether items come by reference from a publisher in this process."""
        return self._on_bus and self._bus.publisher_count(self.name) > 0

    @property
    def dropped(self) -> int:
        """Items that came, and that a newer one replaced before they were taken; known of a slot's `put` only."""
        slot = getattr(self._callback, '__self__', None)
        return slot.dropped if isinstance(slot, LatestSlot) else 0

    @property
    def ignored_publishers(self) -> int:
        """Publishers elsewhere whose items do not come, because a publisher of this process has the name."""
        if self._closed or self.topic.shared or not self.is_local or self._bus.is_bridged(self.name):
            return 0
        return self.foreign_publishers()

    @property
    def mingled(self) -> int:
        """Publishers elsewhere beyond the first, whose images come in turns with its."""
        if self._closed or self.topic.quality is not Quality.IMAGE or self.is_local:
            return 0
        return max(0, self.foreign_publishers() - 1)

    def close(self) -> None:
        """Stop to receive; only on the executor's thread, or with the executor stopped."""
        if self._closed:
            return
        self._closed = True
        if self._on_bus:
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
            try:
                self._subscription = self._subscribe(
                    SubscriptionEventCallbacks(incompatible_qos=self._incompatible, message_lost=self._lost)
                )
            except UnsupportedEventTypeError:  # not every middleware tells of lost messages
                self._subscription = self._subscribe(SubscriptionEventCallbacks(incompatible_qos=self._incompatible))

    def _subscribe(self, events: SubscriptionEventCallbacks) -> Any:
        return self._node.create_subscription(
            self.topic.message_type,
            self.topic.name,
            self._receive,
            self.asked,
            event_callbacks=events,
            raw=self.topic.wire is not None,
        )

    def _drop_subscription(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: Any) -> None:
        if self._closed or self.is_local:
            return
        try:
            item = self.topic.from_message(message if self.topic.wire is None else self.topic.wire.read(message))
        except Exception as error:  # noqa: BLE001 a foreign node may send anything; the loop goes on
            reason = error.reason if isinstance(error, Unusable) else 'not understood'
            self._on_drop(self.topic.name, reason, f'A message on {self.name} cannot be used: {error}')
            return
        self._deliver(item)

    def _deliver(self, item: T) -> None:
        stamp_ns = getattr(item, 'stamp_ns', None)
        self.statistics.record(None if stamp_ns is None else self._node.get_clock().now().nanoseconds - stamp_ns)
        try:
            self._callback(item)
        except Exception as error:  # noqa: BLE001 a subscriber's fault must not reach the publisher whose thread this is
            self._on_error(f'The callback of {self.name} failed: {type(error).__name__}: {error}')

    def _lost(self, event: Any) -> None:
        self.lost += int(event.total_count_change)

    def _incompatible(self, event: Any) -> None:
        self.incompatible_qos += int(event.total_count_change)
