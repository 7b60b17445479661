# SPDX-License-Identifier: Apache-2.0
"""Node `demo_operator`: what an operator does at the start, arm the gimbal and let the lock move it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from gremsy_common.errors import SuiteError
from gremsy_common.ros.node_host import NodeHost

_POLL_S = 0.05
_ANSWER_S = 3.0


class OperatorError(SuiteError):
    """A node did not do what the operator asked for."""


class DemoOperator:
    """Calls the services of one robot's nodes; `open` to `close` it is a node of its own in that ROS domain."""

    def __init__(self, robot: str, camera: str, domain_id: int) -> None:
        self._switches = {'arm': f'/{robot}/gimbal_driver/arm', 'enable': f'/{robot}/{camera}/tracker/enable'}
        self._domain_id = domain_id
        self._host: NodeHost | None = None
        self._node: Node | None = None

    def open(self) -> None:
        """Join the domain."""
        rclpy.init(args=[], domain_id=self._domain_id, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('demo_operator')
        self._clients = {name: self._node.create_client(SetBool, path) for name, path in self._switches.items()}
        self._host = NodeHost()
        self._host.start([self._node], on_crash=lambda: None)

    def arm(self, timeout_s: float, give_up: Callable[[], bool]) -> None:
        """Arm the driver; tried again until it succeeds (telemetry must be there first).

        Raises:
            OperatorError: with the driver's last reason, after the timeout.
        """
        self._switch('arm', 'The gimbal driver', timeout_s, give_up)

    def enable_tracking(self, timeout_s: float, give_up: Callable[[], bool]) -> None:
        """Let the tracker's lock yield setpoints.

        Raises:
            OperatorError: with the tracker's last reason, after the timeout.
        """
        self._switch('enable', 'The tracker', timeout_s, give_up)

    def close(self) -> None:
        """Leave the domain."""
        if self._host is None or self._node is None:
            return
        self._host.stop()
        self._node.destroy_node()
        self._host.shutdown()
        rclpy.shutdown()
        self._host = self._node = None

    def _switch(self, name: str, who: str, timeout_s: float, give_up: Callable[[], bool]) -> None:
        deadline = time.monotonic() + timeout_s
        reason = f'its service {self._switches[name]} is not there'
        while time.monotonic() < deadline and not give_up():
            if not self._clients[name].service_is_ready():
                time.sleep(_POLL_S)
                continue
            answer = self._call(name)
            if answer is not None and answer.success:
                return
            reason = 'it does not answer' if answer is None else answer.message
            time.sleep(4 * _POLL_S)
        if not give_up():
            raise OperatorError(f'{who} did not take `{name}` within {timeout_s:.0f} s: {reason}')

    def _call(self, name: str) -> SetBool.Response | None:
        answered = threading.Event()
        future = self._clients[name].call_async(SetBool.Request(data=True))
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(_ANSWER_S):
            self._clients[name].remove_pending_request(future)
            return None
        return future.result()
