# SPDX-License-Identifier: Apache-2.0
"""Topics and services <-> the operator's page and its API: the wiring."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import ClassVar

from gremsy_common.errors import SuiteError
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_web.access.access_keys import AccessKeys, keys_from
from gremsy_web.listening_socket import is_loopback
from gremsy_web.robot.robot_picture import RobotPicture
from gremsy_web.ros.robot_topics import RobotTopics
from gremsy_web.web_parameters import WebParameters

try:
    from gremsy_web.http.web_application import make_application
    from gremsy_web.http.web_server import WebServer
    from gremsy_web.http.web_services import WebServices
    from gremsy_web.ros.ros_commands import RosCommands
except ImportError as error:
    MISSING: str | None = error.name
else:
    MISSING = None

_LOOPBACK = '127.0.0.1'
_CLOSE_UNUSED_EVERY_S = 1.0
# What starts beside it is discovered by then.
_PATIENCE_S = 5.0


class WebNode(SuiteNode[WebParameters]):
    """Serves while active; deactivation ends every connection, and motion by hand with them."""

    node_name: ClassVar[str] = 'web'
    parameters_type: ClassVar[type[WebParameters]] = WebParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._keys = AccessKeys()
        self._web: WebServices | None = None
        self._server: WebServer | None = None
        self._opened_s = 0.0

    def configure(self) -> None:
        """What is wrong with the keys, or not installed, ends the start."""
        if MISSING is not None:
            raise SuiteError(
                f"The operator's page needs the Python package {MISSING}, which is not installed: run "
                './gremsy setup --extra web, or install fastapi, uvicorn, websockets and httpx.'
            )
        self._keys = keys_from(os.environ, self.parameters.keys_file)

    def activate(self) -> None:
        """Topics and services first, then the server."""
        parameters, robot = self.parameters, self.get_namespace().strip('/')
        level_frame = parameters.level_frame or (f'{robot}/gimbal_level' if robot else 'gimbal_level')
        picture = RobotPicture(robot, parameters.cameras)
        self._commands = RosCommands(self, parameters.cameras, level_frame)
        self._web = services = WebServices(parameters, self._keys, picture, self._commands, self.now_ns)
        self._topics = RobotTopics(self, picture, services.hub)
        self.every(_CLOSE_UNUSED_EVERY_S, self._commands.close_unused_taps)
        server = WebServer(make_application(services), replace(parameters, host=self._host_address()))
        try:
            server.open()
        except SuiteError:
            self._let_go()
            raise
        self._server, self._opened_s = server, time.monotonic()
        self.get_logger().info(server.where)

    def deactivate(self) -> None:
        """The server first, so that nobody commands any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._let_go()

    def health(self) -> Health:
        """Whether it is where the user wanted it, and has video to show."""
        if self._keys.is_open and not is_loopback(self.parameters.host):
            return Health(Level.WARN, self._open_sentence())
        if self._web is not None and self._web.picture.video_server:
            return Health(Level.WARN, f'The video server cannot be used: {self._web.picture.video_server}.')
        if self._web is not None and self._receives_nothing(self._web.picture):
            cameras = ', '.join(self.parameters.cameras) or 'none'
            return Health(
                Level.STALE,
                f'Nothing arrives from the robot {self.get_namespace()}, neither images (cameras: {cameras}) nor '
                'attitudes: check that it runs in this ROS domain, and that `cameras` and the namespace are its own.',
            )
        return Health()

    def _receives_nothing(self, picture: RobotPicture) -> bool:
        now_s = time.monotonic()
        ages_s = [
            picture.attitude_arrivals.age_s(now_s),
            *(camera.frames.age_s(now_s) for camera in picture.cameras.values()),
        ]
        waited = now_s - self._opened_s > _PATIENCE_S
        return waited and all(age_s is None or age_s > _PATIENCE_S for age_s in ages_s)

    def diagnostic_values(self) -> dict[str, str]:
        """Who listens, who was refused, what was dropped."""
        if self._web is None:
            return {}
        services, hold = self._web, self._web.desk.hold
        return {
            'address': f'{self._host_address()}:{self._server.port if self._server else self.parameters.port}',
            'key needed': str(not self._keys.is_open),
            'controls held by': '' if hold is None else hold.holder,
            'live clients': str(len(services.hub.clients)),
            'live messages dropped': str(services.hub.dropped),
            'live messages that could not be said': str(services.hub.unsayable),
            'live clients too slow': str(services.hub.too_slow),
            'requests refused, too many': str(services.requests.refused),
            'motions expired': str(services.desk.motion.expired),
            'held up for more than 1 s': str(services.desk.pulse.held_up),
            'video server': services.picture.video_server or 'answers',
        }

    def _let_go(self) -> None:
        if self._web is not None:
            self._topics.close()
            self._commands.close()
            self._web = None

    def _host_address(self) -> str:
        wanted = self.parameters.host
        if self._keys.is_open and not is_loopback(wanted):
            self.get_logger().warning(self._open_sentence(), once=True)
            return _LOOPBACK
        return wanted

    def _open_sentence(self) -> str:
        return (
            f'The page is served at {_LOOPBACK} and not at {self.parameters.host}, since there is no key: set '
            'GREMSY_WEB_KEY or `keys_file`.'
        )


def main() -> None:
    """`ros2 run gremsy_web web_node`."""
    run_node(WebNode)


if __name__ == '__main__':
    main()
