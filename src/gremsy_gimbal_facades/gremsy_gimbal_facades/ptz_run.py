# SPDX-License-Identifier: Apache-2.0
"""One PTZ goal from its acceptance to its result: over when the camera points there and the lens has arrived too."""

from __future__ import annotations

from gremsy_gimbal_driver.goals.goal import GoalState
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.ros.driver_port import DriverPort
from gremsy_gimbal_facades.ptz_goals import PanTiltZoom, PtzTarget

_ZOOM_TOLERANCE = 0.05
"""Of the magnification, as a share."""
# A lens goes through its whole range in some seconds; one that is later does not go there.
_ZOOM_PATIENCE_NS = nanoseconds(10.0)


class PtzRun:
    """Begun at once; `step` until there is a result.

    Args:
        port: the driver.
        target: from `ptz_goals`.
        now_ns: monotonic.
    """

    def __init__(self, port: DriverPort, target: PtzTarget, now_ns: int) -> None:
        self._port = port
        self._target = target
        self._begun_ns = now_ns
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
        """Look again."""
        if self.result is not None or self._number is None:
            return self.result
        progress = self._port.goal_progress(self._number)
        zoom_left = self._zoom_left()
        if progress is not None:
            azimuth, tilt = progress.remaining_rad
            self.remaining = PanTiltZoom(abs(azimuth), abs(tilt), zoom_left)
        if self._reached_ns is not None:
            self._judge_zoom(now_ns, zoom_left)
        elif progress is None:
            self._end(False, 'The driver has forgotten the goal: it was restarted.')
        elif progress.state is GoalState.REACHED:
            self._reached_ns = now_ns
            self._judge_zoom(now_ns, zoom_left)
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

    def _judge_zoom(self, now_ns: int, left: float) -> None:
        wanted = self._target.zoom_factor
        if wanted is None or left <= _ZOOM_TOLERANCE * wanted:
            self._end(True, 'The camera points there.')
        elif now_ns - max(self._begun_ns, self._reached_ns or 0) >= _ZOOM_PATIENCE_NS:
            self._end(False, f'The camera points there, but its zoom is still {left:.3g}x away from {wanted:.3g}x.')

    def _end(self, success: bool, message: str) -> None:
        self.result = CommandResult(success, f'{message}{self._target.clamped}')
