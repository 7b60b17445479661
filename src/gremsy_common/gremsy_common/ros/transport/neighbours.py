# SPDX-License-Identifier: Apache-2.0
"""Who else publishes or subscribes to a topic, apart from the nodes of this process."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from gremsy_common.ros.transport.local_bus import LocalBus
from gremsy_common.ros.transport.quality import can_meet


class Neighbours:
    """Of one resolved name; asked at 1 Hz."""

    def __init__(self, node: Node, bus: LocalBus, name: str) -> None:
        self._node = node
        self._bus = bus
        self._name = name

    def foreign_publishers(self) -> int:
        """Publishers of other processes; 5 us to ask."""
        return max(0, int(self._node.count_publishers(self._name)) - len(self._bus.dds_publishers(self._name)))

    def foreign_publisher_names(self) -> list[str]:
        """Their nodes' full names, as far as they are known."""
        everywhere = Counter(_node_of(info) for info in self._node.get_publishers_info_by_topic(self._name))
        return sorted((everywhere - Counter(self._bus.dds_publishers(self._name))).elements())

    def shut_out(self, offered: QoSProfile) -> list[str]:
        """The nodes whose subscriptions ask for what is not offered."""
        infos = self._node.get_subscriptions_info_by_topic(self._name)
        return sorted(_node_of(info) for info in infos if not can_meet(offered, info.qos_profile))

    def unfit(self, asked: QoSProfile) -> list[str]:
        """The nodes whose publishers offer less than is asked for."""
        infos = self._node.get_publishers_info_by_topic(self._name)
        return sorted(_node_of(info) for info in infos if not can_meet(info.qos_profile, asked))


def _node_of(info: Any) -> str:
    return f'{str(info.node_namespace).rstrip("/")}/{info.node_name}'
