# SPDX-License-Identifier: Apache-2.0
"""What a topic is to the suite: a name, the core's type, the ROS message, and how to turn one into the other."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

T = TypeVar('T')


class Quality(enum.Enum):
    """The qualities of service of the suite."""

    # The newest image only, and never a retransmission of an old one.
    IMAGE = QoSProfile(depth=1, history=QoSHistoryPolicy.KEEP_LAST, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    # Every result, but no long tail.
    RESULT = QoSProfile(depth=5, history=QoSHistoryPolicy.KEEP_LAST, reliability=QoSReliabilityPolicy.RELIABLE)
    # Late subscribers get the last item.
    LATCHED = QoSProfile(
        depth=1,
        history=QoSHistoryPolicy.KEEP_LAST,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    )
    # The same for what happens: two events in a moment must both arrive, and a late subscriber sees the last ones.
    EVENTS = QoSProfile(
        depth=10,
        history=QoSHistoryPolicy.KEEP_LAST,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    )
    # What tf2's own listeners take: many publishers share the name, and the newest message is only one of them.
    FRAMES = QoSProfile(depth=100, history=QoSHistoryPolicy.KEEP_LAST, reliability=QoSReliabilityPolicy.RELIABLE)
    STATIC_FRAMES = QoSProfile(
        depth=100,
        history=QoSHistoryPolicy.KEEP_LAST,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Topic(Generic[T]):
    """One topic of the suite.

    Attributes:
        name: relative ROS name.
        item_type: the core's type, handed over as it is inside one process.
        message_type: the ROS message outside.
        to_message, from_message: the conversions; `from_message` may raise ValueError on what cannot be understood.
        quality: of publisher and subscriber alike. A latched topic always goes to DDS.
        heavy: publishing to DDS takes milliseconds (images), so it happens on a thread of its own, newest only.
    """

    name: str
    item_type: type[T]
    message_type: type[Any]
    to_message: Callable[[T], Any]
    from_message: Callable[[Any], T]
    quality: Quality = Quality.RESULT
    heavy: bool = False

    @property
    def latched(self) -> bool:
        """Never by reference: late subscribers get the last item, or (frames) others publish under the name as well."""
        return self.quality in (Quality.LATCHED, Quality.FRAMES, Quality.STATIC_FRAMES)
