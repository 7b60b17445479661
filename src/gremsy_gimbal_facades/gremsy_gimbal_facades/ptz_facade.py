# SPDX-License-Identifier: Apache-2.0
"""Clearpath's PTZ actions and `ptz_state`, so that what was written for its cameras drives this gimbal unchanged.

A goal stays accepted, with feedback, until its result is known, and is executed only then. A coroutine that awaits the
end would be the usual way, but the EventsExecutor of Jazzy never takes one up again (tried: 5 s after its future was
done it still waited), and a thread per goal would block every other callback of an executor with one.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.ros.driver_port import DriverPort
from gremsy_gimbal_facades.ptz_goals import (
    PanTiltZoom,
    PtzRefused,
    PtzTarget,
    absolute_target,
    fill_state,
    frame_target,
    relative_target,
    relative_to_frame_target,
)
from gremsy_gimbal_facades.ptz_run import PtzRun

PREFIX = 'move_ptz'
PERIOD_S = 0.1
"""Ten times a second, as the vendor's; feedback and state are owed once a second."""

_DEPTH = 10


@dataclass(frozen=True, slots=True)
class PtzMessages:
    """The three actions, the state, and rclpy's server and its reply to a cancellation."""

    move: Any
    rel_to: Any
    frame: Any
    state: Any
    action_server: Any
    accept_cancel: Any


def ptz_messages() -> PtzMessages | None:
    """None where ptz_action_server_msgs is not installed."""
    try:
        actions = importlib.import_module('ptz_action_server_msgs.action')
        messages = importlib.import_module('ptz_action_server_msgs.msg')
        rclpy_action = importlib.import_module('rclpy.action')
        return PtzMessages(
            actions.PtzMove,
            actions.PtzRelTo,
            actions.PtzFrame,
            messages.PtzState,
            rclpy_action.ActionServer,
            rclpy_action.CancelResponse.ACCEPT,
        )
    except (ImportError, AttributeError):
        return None


class PtzFacade:
    """Serves until closed; one goal at a time, the newest. Make, step and close it on the executor's thread.

    Args:
        node: any rclpy node.
        port: the driver.
        messages: from `ptz_messages`.
        clock: monotonic, ns.
    """

    def __init__(
        self,
        node: Any,
        port: DriverPort,
        messages: PtzMessages,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._node = node
        self._port = port
        self._messages = messages
        self._clock = clock
        self._running: tuple[Any, Any, PtzRun] | None = None  # with the goal's handle and its action
        self._state = node.create_publisher(messages.state, 'ptz_state', _DEPTH)
        self._servers = [
            self._serve(messages.move, f'{PREFIX}/position_abs', absolute_target),
            self._serve(messages.move, f'{PREFIX}/position_rel', lambda goal: relative_target(goal, port.pointing())),
            self._serve(
                messages.rel_to,
                f'{PREFIX}/position_abs_tf',
                lambda goal: relative_to_frame_target(goal, port.now_ns()),
            ),
            self._serve(messages.frame, f'{PREFIX}/frame', lambda goal: frame_target(goal, port.now_ns())),
        ]
        self._timer = node.create_timer(PERIOD_S, self.step)

    def step(self) -> None:
        """Check on the goal, and publish its feedback and the state."""
        if self._running is not None:
            handle, action, run = self._running
            if handle.is_cancel_requested:
                run.cancel('its client')
            result = run.step(self._clock())
            if result is None:
                handle.publish_feedback(_feedback(action, run.remaining))
            else:
                self._running = None
                _end(handle, action, result)
        now = self._port.pointing()
        if now is not None:
            message = self._messages.state()
            fill_state(message, now)
            self._state.publish(message)

    def close(self) -> None:
        """End the goal and take all back; idempotent."""
        if self._state is None:
            return
        self._node.destroy_timer(self._timer)
        if self._running is not None:
            self._running[2].cancel('the end of the driver')
            self._running = None
        for server in self._servers:
            server.destroy()
        self._node.destroy_publisher(self._state)
        self._state = None

    def _serve(self, action: Any, name: str, target_of: Callable[[Any], PtzTarget]) -> Any:
        return self._messages.action_server(
            self._node,
            action,
            name,
            execute_callback=partial(_report_result, action, CommandResult(False, 'The driver ended.')),
            handle_accepted_callback=partial(self._accepted, action, target_of),
            cancel_callback=lambda _: self._messages.accept_cancel,
        )

    def _accepted(self, action: Any, target_of: Callable[[Any], PtzTarget], handle: Any) -> None:
        if self._running is not None:
            before, its_action, its_run = self._running
            self._running = None
            its_run.cancel('a newer PTZ goal')
            assert its_run.result is not None
            _end(before, its_action, its_run.result)
        try:
            target = target_of(handle.request)
        except PtzRefused as refusal:
            _end(handle, action, CommandResult(False, str(refusal)))
            return
        run = PtzRun(self._port, target, self._clock())
        if run.result is not None:
            _end(handle, action, run.result)
        else:
            self._running = handle, action, run


def _end(handle: Any, action: Any, result: CommandResult) -> None:
    handle.execute(partial(_report_result, action, result))


def _report_result(action: Any, result: CommandResult, handle: Any) -> Any:
    """On the executor: the goal's end and its result."""
    if handle.is_cancel_requested:
        handle.canceled()
    elif result.done:
        handle.succeed()
    else:
        handle.abort()
    message = action.Result()
    message.success, message.message = result.done, result.text
    return message


def _feedback(action: Any, left: PanTiltZoom) -> Any:
    message = action.Feedback()
    holder = getattr(message, 'ptz_remaining', None)
    if holder is not None:
        holder.pan, holder.tilt, holder.zoom = left.pan_rad, left.tilt_rad, left.zoom
    else:
        message.pan_remaining, message.tilt_remaining, message.zoom_remaining = left.pan_rad, left.tilt_rad, left.zoom
    return message
