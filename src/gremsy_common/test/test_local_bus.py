# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_common.ros.transport.local_bus import LocalBus, LocalSubscriber


def subscriber(into, changes=None):
    return LocalSubscriber(into.append, lambda: changes.append(1) if changes is not None else None)


def test_subscriber_gets_the_very_object():
    bus, got = LocalBus(), []
    bus.add_publisher('/a', dict)
    bus.add_subscriber('/a', dict, subscriber(got))
    item = {'x': 1}
    assert bus.publish('/a', item) == 1
    assert got[0] is item


def test_names_do_not_mix():
    bus, got = LocalBus(), []
    bus.add_publisher('/a', int)
    bus.add_publisher('/b', int)
    bus.add_subscriber('/b', int, subscriber(got))
    assert bus.publish('/a', 1) == 0
    assert got == []


def test_removed_subscriber_gets_nothing_more():
    bus, got = LocalBus(), []
    bus.add_publisher('/a', int)
    entry = subscriber(got)
    bus.add_subscriber('/a', int, entry)
    bus.remove_subscriber('/a', entry)
    bus.publish('/a', 1)
    assert got == []
    assert bus.subscriber_count('/a') == 0


def test_subscribers_are_told_when_publishers_come_and_go():
    bus, changes = LocalBus(), []
    bus.add_subscriber('/a', int, subscriber([], changes))
    bus.add_publisher('/a', int)
    assert (len(changes), bus.publisher_count('/a')) == (1, 1)
    bus.remove_publisher('/a')
    assert (len(changes), bus.publisher_count('/a')) == (2, 0)


def test_a_bridge_is_a_publisher_here_and_none_on_dds():
    bus = LocalBus()
    bus.add_publisher('/a', int, '/camera')
    bus.add_publisher('/a', int, '/bridge', local_only=True)
    assert (bus.publisher_count('/a'), bus.dds_publishers('/a'), bus.is_bridged('/a')) == (2, ('/camera',), True)
    bus.remove_publisher('/a', '/bridge', local_only=True)
    assert (bus.publisher_count('/a'), bus.dds_publishers('/a'), bus.is_bridged('/a')) == (1, ('/camera',), False)
    bus.remove_publisher('/a', '/camera')
    assert (bus.publisher_count('/a'), bus.dds_publishers('/a')) == (0, ())


def test_another_type_on_a_taken_name_is_refused():
    bus = LocalBus()
    bus.add_publisher('/a', int)
    with pytest.raises(TypeError) as refused:
        bus.add_subscriber('/a', str, subscriber([]))
    assert str(refused.value) == 'Topic /a carries int in this process, not str: remap one of the two.'
