# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_web video_server`: the built-in video server as a process of its own, without ROS.

Of its own because DTLS and SRTP in Python would take turns with whatever else the process does.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gremsy_common.errors import SuiteError
from gremsy_common.log_lines import DEFAULT_FORM, FORM_VARIABLE, ConsoleFormatter
from gremsy_common.parameters.words_without_ros import words_without_ros
from gremsy_web.listening_socket import Address
from gremsy_web.video_server.video_server_options import VideoServerOptions

if TYPE_CHECKING:
    from gremsy_web.video_server.video_server import VideoServer

_DEFAULTS = VideoServerOptions()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog='video_server',
        description='RTSP in (H.264 over TCP), WebRTC (WHEP) and RTSP out, under the addresses of a MediaMTX. '
        'It knows no passwords: let it listen on loopback, and viewers come through gremsy_web.',
    )
    made.add_argument(
        '--rtsp', type=Address.of, default=_DEFAULTS.rtsp, help='where publishers come (default %(default)s)'
    )
    made.add_argument(
        '--whep', type=Address.of, default=_DEFAULTS.whep, help='where viewers come (default %(default)s)'
    )
    made.add_argument('--api', type=Address.of, default=_DEFAULTS.control, help='control API (default %(default)s)')
    made.add_argument(
        '--ice-host',
        type=_ip,
        action='append',
        default=[],
        metavar='ADDRESS',
        help="an address of this machine that no interface of it has, as that of a container's host; may be repeated",
    )
    made.add_argument(
        '--ice-server',
        type=_ice_server,
        action='append',
        default=[],
        metavar='URL',
        help='a STUN or TURN server that viewers may use; none is needed within a network; may be repeated',
    )
    made.add_argument(
        '--allow-origin',
        action='append',
        default=[],
        metavar='ORIGIN',
        help='whose pages may talk to this server themselves, as https://operator.example; * for all; may be repeated',
    )
    made.add_argument(
        '--most-viewers', type=_count, default=_DEFAULTS.most_viewers, help='at a time (default %(default)s)'
    )
    return made


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 after a signal, 1 where an address is taken (it may be given back), 2 where it cannot run."""
    given = parser().parse_args(words_without_ros(sys.argv[1:] if words is None else words))
    options = VideoServerOptions(
        given.rtsp, given.whep, given.api, given.ice_host, given.ice_server, given.allow_origin, given.most_viewers
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ConsoleFormatter(os.environ.get(FORM_VARIABLE) or DEFAULT_FORM, 'video'))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for chatty in ('aioice', 'aiortc', 'uvicorn'):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        from gremsy_web.video_server.video_server import VideoServer
    except ImportError as error:
        sys.stderr.write(
            f'video_server: the Python package {error.name} is not installed: run ./gremsy setup --extra web, or '
            'install aiortc, starlette and uvicorn.\n'
        )
        return 2
    try:
        asyncio.run(_run(VideoServer(options), options))
    except SuiteError as error:
        sys.stderr.write(f'video_server: {error}\n')
        return 1
    return 0


async def _run(server: VideoServer, options: VideoServerOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    rtsp, whep, control = await server.open()
    logging.getLogger(__name__).info(
        'Video server: publishers at rtsp://%s, viewers at http://%s/PATH/whep, control at http://%s/v3/paths/list.',
        Address(options.rtsp.host, rtsp),
        Address(options.whep.host, whep),
        Address(options.control.host, control),
    )
    try:
        await stop.wait()
    finally:
        await server.close()


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not an IP address: write one as 192.168.1.20") from error


def _ice_server(text: str) -> str:
    if not re.fullmatch(r'(stun|stuns|turn|turns):[^\s<>"]+', text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a STUN or TURN server: write one as stun:stun.example:3478")
    return text


def _count(text: str) -> int:
    if not re.fullmatch(r'[1-9][0-9]{0,3}', text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of viewers: write one from 1 to 9999")
    return int(text)


if __name__ == '__main__':
    sys.exit(main())
