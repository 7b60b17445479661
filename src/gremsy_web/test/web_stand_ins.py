# SPDX-License-Identifier: Apache-2.0
"""A robot that only remembers what it was asked, and a server around it: no ROS, no sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import struct

import numpy as np
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.detections import Tracks
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_web.access.access_keys import keys_from
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.response_bodies import LiveSetting
from gremsy_web.http.web_application import make_application
from gremsy_web.http.web_server import WebServer
from gremsy_web.http.web_services import WebServices
from gremsy_web.live.live_messages import tracks_text
from gremsy_web.robot.robot_commands import CapturedPicture
from gremsy_web.robot.robot_picture import ModelAt, RobotPicture
from gremsy_web.web_parameters import WebParameters

CONTROL_KEY = 'control-key-of-the-test'
VIEW_KEY = 'view-key-of-the-test'
KEYS = {'GREMSY_WEB_KEY': CONTROL_KEY, 'GREMSY_WEB_VIEW_KEY': VIEW_KEY}
STAMP_NS = 1_795_990_000_000_000_000
FRAME_NS = 33_333_333
PATIENCE_S = 20.0


class RememberingRobot:
    """As `RobotCommands`."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []
        self.away = False
        self.refusal = ''
        # What comes of the camera eo, oldest first.
        self.stills = [STAMP_NS + number * FRAME_NS for number in (-1, 1, 2)]

    def rate(self, azimuth_rad_s, tilt_rad_s):
        self.asked.append(('rate', azimuth_rad_s, tilt_rad_s))

    def point(self, azimuth_rad, tilt_rad):
        self.asked.append(('point', azimuth_rad, tilt_rad))

    def look(self, azimuth_rad, tilt_rad):
        self.asked.append(('look', azimuth_rad, tilt_rad))

    def zoom(self, factor):
        self.asked.append(('zoom', factor))

    def select(self, camera, text):
        self.asked.append(('select', camera, text))

    def watch(self, path):
        self.asked.append(('watch', path))

    async def ask(self, request, camera='', *, on=True):
        if self.away:
            raise ApiError(503, f'The service {request.value} is not there: is its node running?')
        self.asked.append((request.name, camera, on))
        if self.refusal:
            raise ApiError(409, self.refusal)
        return 'Done.'

    async def settings(self, node):
        gain = LiveSetting(
            name='gain_per_s',
            type='float',
            value=2.0,
            description='How quick.',
            constraints='',
            read_only=False,
            low=0.0,
            high=10.0,
            unit='',
            choices=[],
            default=None,
        )
        return [gain]

    async def set_parameter(self, node, name, value):
        self.asked.append(('set', node, name, value))
        return 'Done.'

    async def still(self, camera, wanted):
        stamps = self.stills if camera == 'eo' else []
        stamp_ns = next((each for each in stamps if wanted(each)), stamps[-1] if stamps else None)
        return None if stamp_ns is None else CapturedPicture(stamp_ns, 'image/jpeg', b'picture of %d' % stamp_ns)

    async def jpeg(self, path):
        return (STAMP_NS, b'\xff\xd8 no true picture') if path == 'eo' else None


class Talk:
    """A client of the live socket of a running server."""

    def __init__(self, port, hello=True, **headers):
        self.socket = connect(
            f'ws://127.0.0.1:{port}/api/live',
            legacy=True,
            additional_headers=headers,
            open_timeout=PATIENCE_S,
            max_size=2**20,
        )
        self.hello = self.until('hello') if hello else None

    def say(self, kind, **content):
        self.socket.send(json.dumps({'type': kind, **content}))

    def until(self, kind):
        while True:
            message = json.loads(self.socket.recv(PATIENCE_S))
            if message['type'] == kind:
                return message

    def ended(self):
        """Code and reason with which the server closed it."""
        try:
            while True:
                self.socket.recv(PATIENCE_S)
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason

    def vanish(self):
        """No farewell: as when the battery is taken out."""
        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.socket.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def newest_tracks_text(stand) -> str:
    """The message with what was seen in the newest image of `eo`."""
    eo = stand.picture.cameras['eo']
    return tracks_text(eo, eo.tracks.newest)


class Stand:
    """Services of one server, and a client of it in this process."""

    def __init__(self, environment=None, **settings) -> None:
        self.robot = RememberingRobot()
        self.picture = RobotPicture('robot', ('eo', 'ir'))
        self.web = WebServices(WebParameters(**settings), keys_from(environment or {}), self.picture, self.robot)
        self.client = TestClient(
            make_application(self.web), base_url='http://127.0.0.1:6783', client=('127.0.0.1', 50000)
        )

    def see(self, azimuths=(0.0, 0.1, 0.2), boxes=((600.0, 300.0, 700.0, 420.0), (100.0, 100.0, 160.0, 240.0))):
        """Frames a thirtieth of a second apart, the gimbal turning to the left between them; the boxes in each."""
        model = CameraModel.from_horizontal_field(1280, 720, 1.0)
        for number, azimuth in enumerate(azimuths):
            stamp_ns = STAMP_NS + number * FRAME_NS
            eo = self.picture.cameras['eo']
            eo.models.put(ModelAt(stamp_ns, model))
            count = len(boxes)
            ids = np.arange(7, 7 + count, dtype=np.int64)
            labels = np.array(['person', 'car'][:count])
            tracks = Tracks(stamp_ns, 'robot/eo', np.array(boxes), np.full(count, 0.9), labels, ids)
            eo.tracks.put(tracks)
            self.picture.attitudes.put(
                GimbalAttitude(stamp_ns, 'robot/gimbal_camera', quaternion_from_bearing(azimuth, 0.0), np.zeros(3))
            )

    @contextlib.contextmanager
    def serving(self, port=0):
        """By uvicorn at 127.0.0.1, at that port or a free one, which is given."""
        server = WebServer(make_application(self.web), WebParameters(port=port))
        server.open()
        try:
            yield server.port
        finally:
            server.close()

    def arm(self):
        self.picture.control, self.picture.control_known = ControlState(True, 'nobody', 'follow'), True

    def take(self, **body):
        answer = self.client.post('/api/control/take', json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()['lease']
