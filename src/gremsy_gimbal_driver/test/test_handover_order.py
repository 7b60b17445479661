# SPDX-License-Identifier: Apache-2.0
"""A tracker in the driver's own process sends from its own thread: none of its setpoints may follow the zeros."""

import threading
from types import SimpleNamespace

from gremsy_gimbal_driver.gimbal_driver_node import GimbalDriverNode


def test_a_setpoint_that_is_being_taken_is_stored_before_the_zeros_of_a_hand_over():
    order = []
    taking = threading.Event()

    def offer(_source, _wish):
        taking.set()
        # Long enough for a hand-over that does not wait.
        threading.Event().wait(0.2)
        order.append('setpoint')

    driver = SimpleNamespace(hand_over=lambda _source: order.append('zeros'), control=lambda: None)
    node = SimpleNamespace(
        _handing_over=threading.Lock(),
        _source='eo',
        _sources={'eo': '/robot/eo/gimbal/setpoint', 'ir': '/robot/ir/gimbal/setpoint'},
        _refuses=lambda source, _what: source != node._source,
        _offer=offer,
        _publish_control=lambda _control: None,
        get_logger=lambda: SimpleNamespace(info=lambda _sentence: None),
        count_publishers=lambda _topic: 1,
    )
    tracker = threading.Thread(target=GimbalDriverNode._on_tracker_setpoint, args=(node, 'eo', None))
    tracker.start()
    assert taking.wait(5.0)
    GimbalDriverNode._hand_over(node, driver, 'ir')
    GimbalDriverNode._on_tracker_setpoint(node, 'eo', None)
    tracker.join()
    assert order == ['setpoint', 'zeros']
