# SPDX-License-Identifier: Apache-2.0
"""Which video server a start has: one of ours, where the machine has no MediaMTX and somebody could watch."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from dataclasses import dataclass

from gremsy_bringup.describe.camera_choice import STREAM
from gremsy_bringup.describe.suite_arguments import SuiteArguments

AUTO, BUILT_IN, MEDIAMTX, NONE = 'auto', 'builtin', 'mediamtx', 'none'
_HOST = '127.0.0.1'
_NEEDED = ('fastapi', 'uvicorn', 'websockets', 'httpx', 'aiortc')


@dataclass(frozen=True, slots=True)
class VideoServerPlan:
    """How the built-in video server is started, and where nodes find it. The ports are MediaMTX's."""

    rtsp_port: int = 8554
    whep_port: int = 8889
    api_port: int = 9997

    @property
    def ports(self) -> tuple[int, int, int]:
        """All that must be free."""
        return self.rtsp_port, self.whep_port, self.api_port

    @property
    def program_arguments(self) -> tuple[str, ...]:
        """For `ros2 run gremsy_web video_server`."""
        return (
            '--rtsp',
            f'{_HOST}:{self.rtsp_port}',
            '--whep',
            f'{_HOST}:{self.whep_port}',
            '--api',
            f'{_HOST}:{self.api_port}',
        )

    @property
    def stream_values(self) -> dict[str, object]:
        """Parameters of the nodes that publish."""
        return {'server': f'rtsp://{_HOST}:{self.rtsp_port}', 'server_api': f'http://{_HOST}:{self.api_port}'}

    @property
    def web_values(self) -> dict[str, object]:
        """Parameters of the page's node."""
        return {'video_url': f'http://{_HOST}:{self.whep_port}', 'video_api_url': f'http://{_HOST}:{self.api_port}'}


def chosen_video_server(arguments: SuiteArguments) -> tuple[VideoServerPlan | None, str]:
    """The one that is started here, or None; and why nothing serves the video though somebody could watch it, or ''.

    `auto` starts none beside a MediaMTX, which is started by other means (systemd, a container), nor what cannot run.
    """
    plan = VideoServerPlan()
    if arguments.video == BUILT_IN:
        return plan, ''
    if not _is_up_to_us(arguments) or _is_taken(plan.api_port):
        return None, ''
    program, missing = shutil.which('mediamtx'), missing_for_the_page()
    taken = next((port for port in plan.ports if _is_taken(port)), None)
    if program is not None:
        reason = (
            f'{program} is installed, so no other server is started, and it does not run: start it, or the suite with '
            '`video:=builtin`.'
        )
    elif missing is not None:
        reason = f'the built-in server needs the Python package {missing}: install it.'
    elif taken is not None:
        reason = (
            f'another program listens on port {taken} of this machine, which the built-in server needs: stop that one.'
        )
    else:
        return plan, ''
    return None, f'Nobody serves the video: {reason}'


def _is_up_to_us(arguments: SuiteArguments) -> bool:
    sends = any(STREAM in camera.nodes for camera in arguments.camera_choices)
    return arguments.video == AUTO and arguments.web and sends


def missing_for_the_page() -> str | None:
    """The first Python package that page and built-in video server need and this machine has not."""
    return next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)


def free_video_server() -> VideoServerPlan:
    """On ports that are free now, for what runs beside others on one machine."""
    held = [socket.create_server((_HOST, 0)) for _ in range(3)]
    plan = VideoServerPlan(*(each.getsockname()[1] for each in held))
    for each in held:
        each.close()
    return plan


def _is_taken(port: int) -> bool:
    try:
        # With SO_REUSEADDR: connections that wait for their end do not count.
        socket.create_server((_HOST, port)).close()
    except OSError:
        return True
    return False
