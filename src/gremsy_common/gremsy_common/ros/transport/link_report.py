# SPDX-License-Identifier: Apache-2.0
"""What a node says of its links in /diagnostics, and what is wrong with them in one sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from gremsy_common.dds_settings import PROFILE_VARIABLES, ImageMemory, memory_for_images
from gremsy_common.ros.transport.endpoints import TopicPublisher, TopicSubscription

# One lost image now and then is what best effort means; one in ten is a link that is too small for them.
_LOST_SHARE = 0.1
_LEAST_LOST = 3
# Fast DDS's lease; while it lasts, the killed one and the one started in its place are both listed.
_JUST_KILLED = 'one that was killed stays listed for 20 s'


class LinkReporter:
    """Of one node; asked at 1 Hz on the executor's thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._before: dict[int, tuple[int, int]] = {}

    def report(
        self, publishers: Sequence[TopicPublisher[Any]], subscriptions: Sequence[TopicSubscription[Any]]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Rows for a DiagnosticStatus, and by kind what somebody has to do something about.

        What went over each link since it was made, and how fast and how old since this was last asked.
        """
        rows: dict[str, str] = {}
        warnings: dict[str, str] = {}
        for publisher in publishers:
            rows[f'out {publisher.name}'] = _out(publisher)
            self._judge_publisher(publisher, warnings)
        for subscription in subscriptions:
            rows[f'in {subscription.name}'] = _in(subscription)
            self._judge_subscription(subscription, warnings)
        if any(each.topic.heavy and each.outside_subscribers for each in publishers):
            rows['memory for images'] = self._memory.sentence
        rows['incompatible QoS offers'] = str(sum(each.incompatible_qos for each in subscriptions))
        rows['subscribers shut out by QoS'] = str(sum(each.shut_out for each in publishers))
        rows['local links'] = ', '.join(
            f'{each.name} -> {each.local_subscribers}' for each in publishers if each.local_subscribers
        )
        return rows, warnings

    def _judge_publisher(self, publisher: TopicPublisher[Any], warnings: dict[str, str]) -> None:
        if publisher.rivals:
            others = _names(publisher.foreign_publisher_names())
            warnings[f'rival of {publisher.name}'] = (
                f'{publisher.name} is also published by {others}: {publisher.topic.when_doubled}.'
            )
        if publisher.shut_out:
            out = publisher.asks_for_more(publisher.offered)
            if out:
                warnings[f'shut out of {publisher.name}'] = (
                    f'Nothing of {publisher.name} reaches {_names(out)}, because the quality of service asked for '
                    f'there is not offered: change it there, or set `qos_overrides.{publisher.name}.publisher` here.'
                )

    def _judge_subscription(self, subscription: TopicSubscription[Any], warnings: dict[str, str]) -> None:
        name, topic = subscription.name, subscription.topic
        if subscription.ignored_publishers:
            others = _names(subscription.foreign_publisher_names())
            warnings[f'ignored on {name}'] = (
                f'What comes from {others} on {name} is not used, because this process publishes it too: '
                f'{topic.when_doubled}.'
            )
        if subscription.mingled:
            others = _names(subscription.foreign_publisher_names())
            warnings[f'mingled on {name}'] = (
                f'Images of {others} come in turns on {name}: stop or remap all but one of them.'
            )
        if subscription.incompatible_qos:
            unfit = subscription.offers_less(subscription.asked)
            if unfit:
                warnings[f'unfit for {name}'] = (
                    f'Nothing comes from {_names(unfit)} on {name}, because the quality of service offered there is '
                    f'less than what is asked for: change it there, or set `qos_overrides.{name}.subscription` here.'
                )
        received, lost = subscription.statistics.items, subscription.lost
        received_before, lost_before = self._before.get(id(subscription), (0, 0))
        self._before[id(subscription)] = (received, lost)
        lost_now, sent_now = lost - lost_before, received - received_before + lost - lost_before
        if topic.heavy and lost_now >= _LEAST_LOST and lost_now > _LOST_SHARE * sent_now:
            others = _names(subscription.foreign_publisher_names())
            warnings[f'lost on {name}'] = (
                f'{lost_now} of {sent_now} images on {name} were lost on the way from {others}: {self._remedy(name)}.'
            )

    @cached_property
    def _memory(self) -> ImageMemory:
        """Of this process, whose environment does not change while it runs."""
        return memory_for_images(self._environment)

    def _remedy(self, name: str) -> str:
        if self._memory.enough:  # then who publishes was most likely started with it too
            return 'take them compressed, or let fewer or smaller ones be published'
        return (
            f"set {' and '.join(PROFILE_VARIABLES)} to gremsy_bringup's config/fastdds_shm.xml in the shell that "
            f'starts it, or `qos_overrides.{name}.subscription.reliability` here to reliable'
        )


def _out(publisher: TopicPublisher[Any]) -> str:
    here = f'{publisher.local_subscribers} here ({publisher.local.take_words()})'
    if publisher.local_only:
        return f'{here}, never over DDS'
    words = f'{here}, {publisher.outside_subscribers} over DDS ({publisher.outside.take_words()})'
    return f'{words}, {publisher.dropped} dropped' if publisher.topic.heavy else words


def _in(subscription: TopicSubscription[Any]) -> str:
    way = 'by reference' if subscription.is_local else 'over DDS'
    words = f'{way}: {subscription.statistics.take_words()}, {subscription.dropped} dropped'
    return f'{words}, {subscription.lost} lost on the way'


def _names(nodes: Sequence[str]) -> str:
    """`/a and /b`; a publisher whose node is not known yet is `another node`."""
    known = Counter(node for node in nodes if 'UNKNOWN' not in node)
    words = (node if count == 1 else f'{count} nodes named {node} ({_JUST_KILLED})' for node, count in known.items())
    return ' and '.join(words) or 'another node'
