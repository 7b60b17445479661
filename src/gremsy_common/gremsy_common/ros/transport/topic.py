# SPDX-License-Identifier: Apache-2.0
"""What a topic is to the suite: a name, the core's type, the ROS message, and how to turn one into the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gremsy_common.ros.transport.quality import Quality
from gremsy_common.ros.transport.wire_form import WireForm

T = TypeVar('T')


@dataclass(frozen=True, slots=True, eq=False)
class Topic(Generic[T]):
    """One topic of the suite.

    Attributes:
        name: relative ROS name.
        item_type: the core's type, handed over as it is inside one process.
        message_type: the ROS message outside.
        to_message, from_message: the conversions; `from_message` may raise ValueError on what cannot be understood.
        quality: what a publisher offers and what a subscription asks for. A latched topic always goes to DDS.
        heavy: publishing to DDS takes milliseconds (images), so it happens on a thread of its own, newest only.
        wire: where it is heavy, its form on the wire.
        shared: many nodes publish it by custom, so that another publisher is no rival.
        is_request: whoever wants something of a node publishes it, so that another one is a rival only meanwhile.
        when_doubled: what to do about two publishers of the name, where stopping or renaming one is not all there is.
    """

    name: str
    item_type: type[T]
    message_type: type[Any]
    to_message: Callable[[T], Any]
    from_message: Callable[[Any], T]
    quality: Quality = Quality.RESULT
    heavy: bool = False
    wire: WireForm[T] | None = None
    shared: bool = False
    is_request: bool = False
    when_doubled: str = 'stop or remap one of them'

    @property
    def latched(self) -> bool:
        """Never by reference: late subscribers get the last item, or (frames) others publish under the name as well."""
        return self.quality.latched or self.quality is Quality.FRAMES
