# SPDX-License-Identifier: Apache-2.0
"""Node `demo_operator`: what an operator does: arm the gimbal, let the lock move it, and at the end stop filming."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String
from std_srvs.srv import SetBool

from gremsy_common.errors import SuiteError
from gremsy_common.ros import topics
from gremsy_common.ros.node_host import NodeHost

_POLL_S = 0.05
_ANSWER_S = 3.0
# A server that was killed is listed for 20 s more, and what is asked before its successor is matched is lost: a driver
# that was back after 1.7 s was armed after 6.4.
_ASK_AGAIN_S = 0.5


class OperatorError(SuiteError):
    """A node did not do what the operator asked for."""


class DemoOperator:
    """Calls the services of one robot's nodes; `open` to `close` it is a node of its own in that ROS domain."""

    def __init__(self, robot: str, camera: str, domain_id: int) -> None:
        self._arm = f'/{robot}/gimbal_driver/arm'
        self._enable = f'/{robot}/{camera}/tracker/enable'
        self._select = f'/{robot}/{camera}/{topics.TARGET_SELECT_ID.name}'
        self._recorder = f'/{robot}/{camera}/recorder/change_state'
        self._domain_id = domain_id
        self._host: NodeHost | None = None
        self._node: Node | None = None

    def open(self) -> None:
        """Join the domain."""
        rclpy.init(args=[], domain_id=self._domain_id, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('demo_operator')
        self._clients = {path: self._node.create_client(SetBool, path) for path in (self._arm, self._enable)}
        self._film = self._node.create_client(ChangeState, self._recorder)
        self._host = NodeHost()
        self._host.start([self._node], on_crash=lambda: None)

    def arm(self, timeout_s: float, give_up: Callable[[], bool]) -> None:
        """Arm the driver, then let the tracker's lock yield setpoints; each is tried again until it succeeds.

        Raises:
            OperatorError: with the last reason (telemetry must be there first), after the timeout of one.
        """
        self._switch_on('The gimbal driver', self._arm, timeout_s, give_up)
        self._switch_on('The tracker', self._enable, timeout_s, give_up)

    def choose(self, word: str, timeout_s: float, give_up: Callable[[], bool]) -> None:
        """Say to the tracker who is the target.

        Raises:
            OperatorError: when nobody listens, after the timeout.
        """
        assert self._node is not None
        deadline = time.monotonic() + timeout_s
        # Not for longer than that: who speaks there for good stands in the way of the page, which says so.
        words = self._node.create_publisher(String, self._select, topics.TARGET_SELECT_ID.quality.offered())
        try:
            while not words.get_subscription_count() and not give_up():
                if time.monotonic() > deadline:
                    raise OperatorError(f'The tracker does not listen on {self._select}: no target was selected.')
                time.sleep(_POLL_S)
            words.publish(String(data=word))
            words.wait_for_all_acked(Duration(seconds=_ANSWER_S))
        finally:
            self._node.destroy_publisher(words)

    def stop_filming(self) -> bool:
        """Let the recorder take no more pictures; False where there is none, or it does not answer."""
        if self._host is None or not self._film.service_is_ready():
            return False
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        answer = ask(self._film, request)
        return answer is not None and bool(answer.success)

    def close(self) -> None:
        """Leave the domain."""
        if self._host is None or self._node is None:
            return
        self._host.stop()
        self._node.destroy_node()
        self._host.shutdown()
        rclpy.shutdown()
        self._host = self._node = None

    def _switch_on(self, who: str, service: str, timeout_s: float, give_up: Callable[[], bool]) -> None:
        deadline, client = time.monotonic() + timeout_s, self._clients[service]
        reason = f'its service {service} is not there'
        while time.monotonic() < deadline and not give_up():
            if not client.service_is_ready():
                time.sleep(_POLL_S)
                continue
            answer = ask(client, SetBool.Request(data=True), again_s=_ASK_AGAIN_S)
            if answer is not None and answer.success:
                return
            reason = 'it does not answer' if answer is None else answer.message
            time.sleep(4 * _POLL_S)
        if not give_up():
            name = service.rpartition('/')[2]
            raise OperatorError(f'{who} did not take `{name}` within {timeout_s:.0f} s: {reason}')


def ask(client: Any, request: Any, patience_s: float = _ANSWER_S, again_s: float = _ANSWER_S) -> Any:
    """The first response that comes within `patience_s`, else None; the request is sent again every `again_s`."""
    answered = threading.Event()
    deadline = time.monotonic() + patience_s
    asked: list[Any] = []
    while not answered.is_set() and time.monotonic() < deadline:
        asked.append(client.call_async(request))
        asked[-1].add_done_callback(lambda _: answered.set())
        answered.wait(again_s)
    for each in asked:
        if not each.done():
            client.remove_pending_request(each)
    return next((each.result() for each in asked if each.done()), None)
