# SPDX-License-Identifier: Apache-2.0
"""What the routes work with, put together once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gremsy_web.access.access_keys import AccessKeys
from gremsy_web.access.request_guard import RateLimit
from gremsy_web.control.control_desk import ControlDesk
from gremsy_web.control.control_lease import ControlLease
from gremsy_web.http.api_errors import ApiError
from gremsy_web.live.live_hub import LiveHub
from gremsy_web.robot.robot_commands import RobotCommands, RobotService
from gremsy_web.robot.robot_picture import CameraPicture, RobotPicture
from gremsy_web.robot.snapshots import Snapshots
from gremsy_web.video.video_server_client import VideoServerClient
from gremsy_web.video.watches import Watches
from gremsy_web.web_parameters import WebParameters

OVERLAY = 'overlay'
_DISARMED = 'The gimbal is disarmed: arm it first (POST /api/arm).'


def done(text: str) -> dict[str, Any]:
    """The answer of a command that was carried out."""
    return {'done': True, 'text': text}


class WebServices:
    """The parts of one server.

    Args:
        parameters: of the node.
        keys: who may come in.
        picture: what is known of the robot.
        commands: what it can be asked.
        now_ns: the ROS clock.
    """

    def __init__(
        self,
        parameters: WebParameters,
        keys: AccessKeys,
        picture: RobotPicture,
        commands: RobotCommands,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.parameters = parameters
        self.keys = keys
        self.picture = picture
        self.commands = commands
        self.now_ns = now_ns
        self.hub = LiveHub(parameters.live_clients)
        self.desk = ControlDesk(ControlLease(parameters.lease_s), commands)
        self.watches = Watches()
        self.snapshots = Snapshots()
        self.video = VideoServerClient(parameters, keys, self.watches, commands.watch, picture)
        self.requests = RateLimit(parameters.requests_per_s, 2 * parameters.requests_per_s)
        self.failures = RateLimit(0.2, 10)

    async def ask(self, request: RobotService, camera: str = '', *, on: bool = True) -> dict[str, Any]:
        """Have the robot do it; raises ApiError for a refusal."""
        return done(await self.commands.ask(request, camera, on=on))

    def require_motion(self, lease: str) -> None:
        """Raises unless that lease holds the controls and the gimbal is armed."""
        self.desk.use(lease)
        if self.picture.control_known and not self.picture.control.armed:
            raise ApiError(409, _DISARMED)

    def camera(self, name: str) -> CameraPicture:
        """That camera, the first for an empty name; raises ApiError."""
        cameras = self.picture.cameras
        if not name and cameras:
            return next(iter(cameras.values()))
        if name not in cameras:
            known = ', '.join(cameras) or 'none'
            raise ApiError(404, f"There is no camera '{name[:40]}': the cameras are {known}.", 'camera')
        return cameras[name]

    def video_path(self, path: str) -> str:
        """The video server's name of a path: a camera's, its `_overlay`, or `overlay` of the first; raises ApiError."""
        paths = self.video_paths()
        if path == OVERLAY and paths:
            return paths[1]
        if path not in paths:
            raise ApiError(404, f"There is no video '{path[:40]}': there are {', '.join(paths) or 'none'}.", 'path')
        return path

    def video_paths(self) -> list[str]:
        """All of them."""
        return [path for name in self.picture.cameras for path in (name, f'{name}_{OVERLAY}')]
