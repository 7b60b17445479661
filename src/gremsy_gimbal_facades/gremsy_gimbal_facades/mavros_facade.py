# SPDX-License-Identifier: Apache-2.0
"""The topics of MAVROS's plugin gimbal_control, so that a node written for it drives this gimbal unchanged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.command_arbiter import Answer
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.notices import Notices, Say
from gremsy_gimbal_driver.ros.facade_port import GimbalPort
from gremsy_gimbal_facades.mavros_wishes import (
    Addressee,
    FacadeRefusal,
    MavrosWish,
    fill_attitude_status,
    wish_of_device_attitude,
    wish_of_manager_attitude,
    wish_of_pitchyaw,
)

PREFIX = 'gimbal_control'
FRAME = 'base_link_frd'
"""MAVROS's own default; the orientation is against the horizon all the same (gimbal.md 1.7)."""

_DEPTH = 10


@dataclass(frozen=True, slots=True)
class MavrosMessages:
    """The four message classes."""

    set_pitchyaw: Any
    manager_set_attitude: Any
    device_set_attitude: Any
    attitude_status: Any


def mavros_messages() -> MavrosMessages | None:
    """None where mavros_msgs is not installed, or is older than its gimbal messages."""
    try:
        module = importlib.import_module('mavros_msgs.msg')
        return MavrosMessages(
            module.GimbalManagerSetPitchyaw,
            module.GimbalManagerSetAttitude,
            module.GimbalDeviceSetAttitude,
            module.GimbalDeviceAttitudeStatus,
        )
    except (ImportError, AttributeError):
        return None


class MavrosFacade:
    """Subscribes and publishes until closed; make and close it on the executor's thread.

    Args:
        node: any rclpy node.
        port: the driver.
        messages: from `mavros_messages`.
        header: makes a header of a stamp in ns and a frame.
        say: what is wrong, once a kind.
        prefix: of the topics; MAVROS's own is `/mavros/gimbal_control`.
    """

    def __init__(
        self,
        node: Any,
        port: GimbalPort,
        messages: MavrosMessages,
        header: Callable[[int, str], Any],
        say: Say,
        prefix: str = PREFIX,
    ) -> None:
        self._node = node
        self._port = port
        self._messages = messages
        self._header = header
        self._notices = Notices(say)
        self._component: int | None = None
        self._asked: GimbalMode | None = None
        self._publisher = node.create_publisher(messages.attitude_status, f'{prefix}/device/attitude_status', _DEPTH)
        self._subscriptions = [
            node.create_subscription(kind, f'{prefix}/{name}', self._taker(wish_of), _DEPTH)
            for kind, name, wish_of in (
                (messages.set_pitchyaw, 'manager/set_pitchyaw', wish_of_pitchyaw),
                (messages.manager_set_attitude, 'manager/set_attitude', wish_of_manager_attitude),
                (messages.device_set_attitude, 'device/set_attitude', wish_of_device_attitude),
            )
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Refused messages."""
        return dict(self._notices.counts)

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Message 285 came; it is published where somebody listens."""
        self._component = status.sender.component
        if self._publisher.get_subscription_count() == 0:
            return
        message = self._messages.attitude_status()
        message.header = self._header(stamp_ns, FRAME)
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

    def _taker(self, wish_of: Callable[[Any, Addressee], MavrosWish]) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            to = Addressee(self._component, self._port.level_frame, self._port.now_ns())
            try:
                wish = wish_of(message, to)
            except FacadeRefusal as refusal:
                self._notices.trouble('mavros_refused', str(refusal))
                return
            self._notices.well('mavros_refused')
            self._follow(wish)

        return take

    def _follow(self, wish: MavrosWish) -> None:
        # The mode first: its level frame is what the angles are in, and across frames +3 degrees became a slew of 202
        # (gimbal.md 1.9), so angles wait for the first message after the gimbal has reported the mode.
        if not self._mode(wish.mode) or wish.motion is None:
            return
        if isinstance(wish.motion, RateSetpoint):
            self._port.offer_rate(wish.motion)
        elif wish.mode is not self._port.mode():
            self._notices.trouble(
                'mavros_angle_before_its_mode',
                f'An angle of MAVROS was not taken: the gimbal is not in mode {wish.mode.value} yet; send it again.',
            )
        else:
            self._notices.well('mavros_angle_before_its_mode')
            self._said('mavros_goal_refused', self._port.offer_goal(wish.motion))

    def _mode(self, mode: GimbalMode) -> bool:
        """Ask for it once, not with each message of a stream: home is a pulse. False when it was refused."""
        if mode is self._port.mode():
            self._asked = None
        elif mode is not self._asked:
            taken = self._said('mavros_mode_refused', self._port.set_mode(mode))
            self._asked = mode if taken else None
            return taken
        return True

    def _said(self, kind: str, answer: Answer) -> bool:
        if answer.done:
            self._notices.well(kind)
        else:
            self._notices.trouble(kind, answer.text)
        return answer.done
