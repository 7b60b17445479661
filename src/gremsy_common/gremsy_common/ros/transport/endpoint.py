# SPDX-License-Identifier: Apache-2.0
"""One end of a topic in this process, and who else publishes or subscribes to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile

from gremsy_common.ros.transport.local_bus import LocalBus
from gremsy_common.ros.transport.quality import can_meet
from gremsy_common.ros.transport.topic import Topic

T = TypeVar('T')


class Endpoint(Generic[T]):
    """A publisher or subscription of one node; who else is there is asked at 1 Hz."""

    def __init__(self, node: Node, bus: LocalBus, topic: Topic[T], on_error: Callable[[str], None]) -> None:
        self._node = node
        self._bus = bus
        self._on_error = on_error
        self._closed = False
        self.topic = topic
        self.name: str = node.resolve_topic_name(topic.name)

    def foreign_publishers(self) -> int:
        """Publishers of other processes; 5 us to ask."""
        return max(0, int(self._node.count_publishers(self.name)) - len(self._bus.dds_publishers(self.name)))

    def foreign_publisher_names(self) -> list[str]:
        """Their nodes' full names, as far as they are known."""
        everywhere = Counter(_node_of(info) for info in self._node.get_publishers_info_by_topic(self.name))
        return sorted((everywhere - Counter(self._bus.dds_publishers(self.name))).elements())

    def asks_for_more(self, offered: QoSProfile) -> list[str]:
        """The nodes whose subscriptions ask for what is not offered."""
        infos = self._node.get_subscriptions_info_by_topic(self.name)
        return sorted(_node_of(info) for info in infos if not can_meet(offered, info.qos_profile))

    def offers_less(self, asked: QoSProfile) -> list[str]:
        """The nodes whose publishers offer less than is asked for."""
        infos = self._node.get_publishers_info_by_topic(self.name)
        return sorted(_node_of(info) for info in infos if not can_meet(info.qos_profile, asked))


def _node_of(info: Any) -> str:
    return f'{str(info.node_namespace).rstrip("/")}/{info.node_name}'
