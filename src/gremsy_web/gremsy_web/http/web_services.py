# SPDX-License-Identifier: Apache-2.0
"""What the routes work with, put together once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gremsy_web.access.access_keys import AccessKeys, Role
from gremsy_web.access.request_guard import GuardSettings, RateLimit
from gremsy_web.control.control_desk import ControlDesk
from gremsy_web.control.control_lease import ControlLease
from gremsy_web.http.api_errors import ApiError
from gremsy_web.live.live_hub import LiveHub
from gremsy_web.robot.robot_commands import RobotCommands
from gremsy_web.robot.robot_picture import CameraPicture, RobotPicture
from gremsy_web.robot.snapshots import Snapshots
from gremsy_web.video.watches import Watches
from gremsy_web.video.whep_proxy import WhepProxy

OVERLAY = 'overlay'


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Of the server.

    Attributes:
        video_url, video_api_url: where WHEP and the control API of the video server are.
        session_s: how long somebody stays signed in.
        lease_ttl_s: how long a lease without a socket lives unused.
        live_rate_ttl_s: of a rate that came over the live socket.
        stale_after_s: a picture that is older locks the page's controls.
        requests_per_s: of one address in the long run.
        most_live: sockets at a time.
        secure: served with TLS, so that the cookie never goes without it.
    """

    video_url: str = 'http://127.0.0.1:8889'
    video_api_url: str = 'http://127.0.0.1:9997'
    session_s: float = 12 * 3600.0
    lease_ttl_s: float = 10.0
    live_rate_ttl_s: float = 0.2
    stale_after_s: float = 0.5
    requests_per_s: float = 300.0
    most_live: int = 600
    secure: bool = False
    guard: GuardSettings = field(default_factory=GuardSettings)


class WebServices:
    """The parts of one server.

    Args:
        settings: of the server.
        keys: who may come in.
        picture: what is known of the robot.
        commands: what it can be asked.
        now_ns: the ROS clock.
    """

    def __init__(
        self,
        settings: WebSettings,
        keys: AccessKeys,
        picture: RobotPicture,
        commands: RobotCommands,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.picture = picture
        self.commands = commands
        self.now_ns = now_ns
        self.hub = LiveHub(settings.most_live)
        self.desk = ControlDesk(ControlLease(settings.lease_ttl_s), commands)
        self.watches = Watches()
        self.snapshots = Snapshots()
        self.whep = WhepProxy(
            settings.video_url,
            self._video_token,
            self.watches,
            commands.watch,
            settings.video_api_url,
            picture.video_is_pulled,
        )
        self.requests = RateLimit(settings.requests_per_s, 2 * settings.requests_per_s)
        self.failures = RateLimit(0.2, 10)

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

    def _video_token(self) -> str:
        return '' if self.keys.is_open else self.keys.token(Role.VIEW, time.time() + 60.0)
