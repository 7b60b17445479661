# SPDX-License-Identifier: Apache-2.0
"""The README names the topics and actions that are made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gremsy_gimbal_facades.mavros_facade import MavrosFacade
from gremsy_gimbal_facades.ptz_facade import PtzFacade, PtzMessages
from tools.test.document_tables import by_name


class FakeNode:
    """Takes down what is made."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def create_publisher(self, kind: str, name: str, _depth: int) -> None:
        self.made[name] = kind

    def create_subscription(self, kind: str, name: str, _take: object, _depth: int) -> None:
        self.made[name] = kind

    def create_timer(self, _period_s: float, _step: object) -> None:
        """None."""

    def action_server(self, _node: object, kind: str, name: str, **_: object) -> None:
        self.made[name] = kind


def test_facades_are_those_of_the_source_with_their_types() -> None:
    node: Any = FakeNode()
    mavros = [
        'GimbalManagerSetPitchyaw',
        'GimbalManagerSetAttitude',
        'GimbalDeviceSetAttitude',
        'GimbalDeviceAttitudeStatus',
    ]
    port: Any = None
    MavrosFacade(node, port, SimpleNamespace(**{each: f'mavros_msgs/{each}' for each in mavros}), print)
    move, rel_to, frame, state = (f'ptz_action_server_msgs/Ptz{each}' for each in ('Move', 'RelTo', 'Frame', 'State'))
    PtzFacade(node, port, PtzMessages(move, rel_to, frame, state, node.action_server, None))
    assert by_name('src/gremsy_gimbal_facades/README.md', '## Facades') == node.made
