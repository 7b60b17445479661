# SPDX-License-Identifier: Apache-2.0
"""The topics of MAVROS's plugin gimbal_control, so that a node written for it drives this gimbal unchanged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from gremsy_common.ros.messages.header_messages import header
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Notices, Report
from gremsy_gimbal_driver.ros.driver_port import DriverPort
from gremsy_gimbal_facades.mavros_requests import (
    Addressee,
    FacadeRefusal,
    MavrosRequest,
    fill_attitude_status,
    request_of_attitude,
    request_of_pitchyaw,
)

PREFIX = 'gimbal_control'
"""In the driver's namespace; MAVROS's own topics are in `/mavros`."""
FRAME = 'base_link_frd'
"""MAVROS's own default; the orientation is against the horizon all the same (gimbal.md 1.7)."""

_DEPTH = 10


def mavros_messages() -> Any:
    """The module of them; None where mavros_msgs is not installed, or is older than its gimbal messages."""
    try:
        module = importlib.import_module('mavros_msgs.msg')
    except ImportError:
        return None
    return module if hasattr(module, 'GimbalManagerSetPitchyaw') else None


class MavrosFacade:
    """Subscribes and publishes until closed; make and close it on the executor's thread.

    Args:
        node: any rclpy node.
        port: the driver.
        messages: from `mavros_messages`.
        report: called with what is wrong, once a kind.
    """

    def __init__(self, node: Any, port: DriverPort, messages: Any, report: Report) -> None:
        self._node = node
        self._port = port
        self._messages = messages
        self._notices = Notices(report)
        self.counts = self._notices.counts
        """Refused messages."""
        self._component: int | None = None
        self._asked: GimbalMode | None = None
        self._publisher = node.create_publisher(
            messages.GimbalDeviceAttitudeStatus, f'{PREFIX}/device/attitude_status', _DEPTH
        )
        self._subscriptions = [
            node.create_subscription(kind, f'{PREFIX}/{name}', partial(self._take, request_of), _DEPTH)
            for kind, name, request_of in (
                (messages.GimbalManagerSetPitchyaw, 'manager/set_pitchyaw', request_of_pitchyaw),
                (messages.GimbalManagerSetAttitude, 'manager/set_attitude', request_of_attitude),
                (messages.GimbalDeviceSetAttitude, 'device/set_attitude', request_of_attitude),
            )
        ]

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Message 285 came; it is published while there are subscribers."""
        self._component = status.sender.component
        if self._publisher.get_subscription_count() == 0:
            return
        message = self._messages.GimbalDeviceAttitudeStatus()
        message.header = header(stamp_ns, FRAME)
        fill_attitude_status(message, status)
        self._publisher.publish(message)

    def close(self) -> None:
        """Idempotent."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None

    def _take(self, request_of: Callable[[Any, Addressee], MavrosRequest], message: Any) -> None:
        try:
            request = request_of(message, Addressee(self._component, self._port.level_frame, self._port.now_ns()))
        except FacadeRefusal as refusal:
            self._notices.fault('mavros_refused', str(refusal))
            return
        self._notices.recovered('mavros_refused')
        self._follow(request)

    def _follow(self, request: MavrosRequest) -> None:
        # The mode first: its level frame is what the angles are in, and across frames +3 degrees became a slew of 202
        # (gimbal.md 1.9), so angles wait for the first message after the gimbal has reported the mode.
        if not self._mode(request.mode) or request.motion is None:
            return
        if isinstance(request.motion, RateSetpoint):
            self._port.offer_rate(request.motion)
            return
        early = request.mode is not self._port.mode()
        sentence = f'A MAVROS angle was refused: the gimbal is not in mode {request.mode.value} yet; send it again.'
        self._notices.check('mavros_angle_before_its_mode', sentence if early else '')
        if not early:
            self._is_done('mavros_goal_refused', self._port.offer_goal(request.motion))

    def _mode(self, mode: GimbalMode) -> bool:
        """Ask for it once, not with each message of a stream: home is a pulse. False when it was refused."""
        if mode is self._port.mode():
            self._asked = None
        elif mode is not self._asked:
            taken = self._is_done('mavros_mode_refused', self._port.set_mode(mode))
            self._asked = mode if taken else None
            return taken
        return True

    def _is_done(self, kind: str, result: CommandResult) -> bool:
        self._notices.check(kind, '' if result.done else result.text)
        return result.done
