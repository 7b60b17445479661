# SPDX-License-Identifier: Apache-2.0
"""The qualities of service of the suite, for either side, and what a user may change of them (`qos_overrides`)."""

from __future__ import annotations

import enum
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import (
    QoSCompatibility,
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
    qos_check_compatible,
)

from gremsy_common.parameters.parameter_fields import ParameterError

_WORDS: dict[str, dict[str, Any]] = {
    'reliability': {'reliable': QoSReliabilityPolicy.RELIABLE, 'best_effort': QoSReliabilityPolicy.BEST_EFFORT},
    'durability': {'volatile': QoSDurabilityPolicy.VOLATILE, 'transient_local': QoSDurabilityPolicy.TRANSIENT_LOCAL},
    'history': {'keep_last': QoSHistoryPolicy.KEEP_LAST, 'keep_all': QoSHistoryPolicy.KEEP_ALL},
}


class Quality(enum.Enum):
    """Depth, whether a subscription asks for reliable delivery, whether late subscribers get the last items.

    Every publisher is reliable (REP-2003): it serves those who ask for that and those who do not.
    """

    # The newest image only. Whoever asks for it as reliable gets it so; the suite's own subscriptions want no
    # retransmission of an old one.
    IMAGE = (1, False, False)
    # What a driver sends beside its images: most offer it as they offer those, best effort, and who asks for more of
    # them gets nothing.
    SENSOR = (5, False, False)
    # Every result, but no long tail.
    RESULT = (5, True, False)
    # Late subscribers get the last item.
    LATCHED = (1, True, True)
    # The same for what happens: two events in a moment must both arrive, and a late subscriber sees the last ones.
    EVENTS = (10, True, True)
    # What tf2's own listeners take: many publishers share the name, and the newest message is only one of them.
    FRAMES = (100, True, False)
    STATIC_FRAMES = (100, True, True)

    @property
    def latched(self) -> bool:
        """Late subscribers get the last items."""
        return self.value[2]

    def offered(self) -> QoSProfile:
        """A publisher's; a fresh one, since rclpy writes a user's overrides into it."""
        return self._profile(reliable=True)

    def asked(self) -> QoSProfile:
        """A subscription's; fresh too."""
        return self._profile(reliable=self.value[1])

    def _profile(self, *, reliable: bool) -> QoSProfile:
        depth, _, latched = self.value
        return QoSProfile(
            depth=depth,
            history=QoSHistoryPolicy.KEEP_LAST,
            reliability=QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT,
            durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE,
        )


def with_overrides(node: Node, name: str, side: str, profile: QoSProfile) -> QoSProfile:
    """The profile with what the parameters `qos_overrides.<name>.<side>.<policy>` say; they are declared here.

    The names are rclpy's (`QoSOverridingOptions`), which answers a wrong value with an exception of another kind each.

    Args:
        node: whose parameters they are.
        name: of the topic, resolved.
        side: 'publisher' or 'subscription'.
        profile: the defaults, changed in place.

    Raises:
        ParameterError: when one has a value that its policy may not have.
    """
    for policy, words in _WORDS.items():
        default = getattr(profile, policy).name.lower()
        value = _declared(node, f'qos_overrides.{name}.{side}.{policy}', default, ' or '.join(words))
        if value not in words:
            raise ParameterError(
                f"Parameter `qos_overrides.{name}.{side}.{policy}` is '{value}': use {' or '.join(words)}."
            )
        setattr(profile, policy, words[value])
    depth = _declared(node, f'qos_overrides.{name}.{side}.depth', profile.depth, 'a whole number from 1')
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        raise ParameterError(f"Parameter `qos_overrides.{name}.{side}.depth` is '{depth}': use a whole number from 1.")
    profile.depth = depth
    return profile


def can_meet(offered: QoSProfile, asked: QoSProfile) -> bool:
    """Whether a subscription that asks for the one gets anything from a publisher that offers the other."""
    compatibility, _ = qos_check_compatible(offered, asked)
    return bool(compatibility != QoSCompatibility.ERROR)


def _declared(node: Node, parameter: str, default: str | int, allowed: str) -> Any:
    if not node.has_parameter(parameter):
        # Of any type, since rclpy's own refusal of a wrong one does not say what is allowed.
        described = ParameterDescriptor(
            read_only=True,
            dynamic_typing=True,
            description='Quality of service of one topic, set at start.',
            additional_constraints=allowed,
        )
        node.declare_parameter(parameter, default, described)
    return node.get_parameter(parameter).value
