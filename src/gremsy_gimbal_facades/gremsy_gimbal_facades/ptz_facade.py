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

from gremsy_gimbal_driver.goals.goal import GoalState
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.motion.instant import nanoseconds
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

PREFIX = 'move_ptz'
PERIOD_S = 0.1
"""Ten times a second, as the vendor's; feedback and state are owed once a second."""

_DEPTH = 10
_ZOOM_TOLERANCE = 0.05
"""Of the magnification, as a share."""
# A lens goes through its whole range in some seconds; one that is later does not go there.
_ZOOM_PATIENCE_NS = nanoseconds(10.0)


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


class PtzRun:
    """Begun at once; `step` until there is a result.

    Args:
        port: the driver.
        target: from `ptz_goals`.
    """

    def __init__(self, port: DriverPort, target: PtzTarget) -> None:
        self._port = port
        self._target = target
        self._reached_ns: int | None = None
        self.remaining = PanTiltZoom(0.0, 0.0, 0.0)
        """Without signs, as in the vendor's servers."""
        self.result: CommandResult | None = None
        begun = port.offer_goal(target.goal)
        self._number = begun.number
        if not begun.done or begun.number is None:
            self._end(False, begun.text)
            return
        if target.zoom_factor is not None:
            zoom = port.zoom_to(target.zoom_factor)
            if not zoom.done:
                # "If the camera does not support zoom, the zoom field is ignored."
                self._target = PtzTarget(target.goal, None, f'{target.clamped} {zoom.text}')

    def step(self, now_ns: int) -> CommandResult | None:
        """Look again, at that time of a monotonic clock."""
        if self.result is not None or self._number is None:
            return self.result
        progress = self._port.goal_progress(self._number)
        wanted, left = self._target.zoom_factor, self._zoom_left()
        if progress is not None:
            azimuth, tilt = progress.remaining_rad
            self.remaining = PanTiltZoom(abs(azimuth), abs(tilt), left)
            if self._reached_ns is None and progress.state is GoalState.REACHED:
                self._reached_ns = now_ns
        if self._reached_ns is not None:
            if wanted is None or left <= _ZOOM_TOLERANCE * wanted:
                self._end(True, 'The camera points there.')
            elif now_ns - self._reached_ns >= _ZOOM_PATIENCE_NS:
                self._end(False, f'The camera points there, but its zoom is still {left:.3g}x away from {wanted:.3g}x.')
        elif progress is None:
            self._end(False, 'The driver has forgotten the goal: it was restarted.')
        elif progress.ended:
            self._end(False, progress.reason)
        return self.result

    def cancel(self, by: str) -> None:
        """The client does not want it any more, or wants another."""
        if self.result is None and self._number is not None:
            self._port.cancel_goal(self._number, by)
            self.result = CommandResult(False, f'The PTZ goal was cancelled by {by}.')

    def _zoom_left(self) -> float:
        wanted = self._target.zoom_factor
        now = self._port.pointing()
        if wanted is None or now is None or now.zoom_factor is None:
            return 0.0
        return abs(wanted - now.zoom_factor)

    def _end(self, success: bool, message: str) -> None:
        self.result = CommandResult(success, f'{message}{self._target.clamped}')


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
        run = PtzRun(self._port, target)
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
