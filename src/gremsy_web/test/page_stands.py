# SPDX-License-Identifier: Apache-2.0
"""The real server for visitors with a browser: a robot that sends single pictures of a turning gimbal's camera."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_web.live.live_messages import gimbal_text
from gremsy_web.robot.robot_picture import ModelAt
from src.gremsy_web.test.page_visits import Visit, open_tab
from src.gremsy_web.test.web_stand_ins import Stand, newest_tracks_text

# x, y to x, y: a person left of the middle.
PERSON = (300.0, 200.0, 400.0, 500.0)
WIDTH, HEIGHT = 1280, 720
# Radians over the width.
FIELD = 1.0
# Single pictures: what these tabs are about is the server's talk, WebRTC is tried elsewhere.
_WITHOUT_H264 = 'RTCRtpReceiver.getCapabilities = () => ({ codecs: [] });'


@dataclass
class Taken:
    """A picture that was sent."""

    stamp_ns: int
    azimuth_rad: float


class PageStand(Stand):
    """A stand whose camera `eo` shows a person.

    Attributes:
        azimuth_rad: of the gimbal from now on.
        still: no further picture is sent.
        taken: what was sent, the newest last.
    """

    def __init__(self, environment: dict[str, str] | None = None, **settings: Any) -> None:
        # More than the robot's 0.5 s, so that a machine at its limits does not lock the controls.
        super().__init__(environment, **{'stale_after_s': 5.0, **settings})
        self.azimuth_rad = 0.0
        self.still = False
        self.taken: list[Taken] = []
        self.port = 0
        self.robot.jpeg = self._jpeg
        self.arm()
        self.turn(time.time_ns())

    def turn(self, stamp_ns: int) -> None:
        """Say where the gimbal is at that time."""
        attitude = quaternion_from_bearing(self.azimuth_rad, 0.0)
        self.picture.attitudes.put(GimbalAttitude(stamp_ns, 'robot/gimbal_camera', attitude, np.zeros(3)))
        self.web.hub.publish('gimbal', lambda: gimbal_text(self.picture))

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """What the robot was asked of that name."""
        return [each for each in self.robot.asked if each[0] == name]

    async def _jpeg(self, _path: str) -> tuple[int, bytes]:
        while self.still:
            await asyncio.sleep(0.02)
        stamp_ns = time.time_ns()
        eo = self.picture.cameras['eo']
        eo.models.put(ModelAt(stamp_ns, CameraModel.from_horizontal_field(WIDTH, HEIGHT, FIELD)))
        self.turn(stamp_ns)
        person = np.array([PERSON])
        eo.tracks.put(Tracks(stamp_ns, 'robot/eo', person, np.array([0.9]), np.array(['person']), np.array([7])))
        self.web.hub.publish('tracks eo', lambda: newest_tracks_text(self))
        self.taken.append(Taken(stamp_ns, self.azimuth_rad))
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        cv2.rectangle(image, (300, 200), (400, 500), (40, 60, 200), -1)
        return stamp_ns, cv2.imencode('.jpg', image)[1].tobytes()


def come_in(browser: Any, stand: PageStand, key: str, name: str = '', **options: Any) -> Visit:
    """A tab that is signed in and sees pictures; `name` is what others are told of who sits before it."""
    remember = f"localStorage.setItem('gremsy.name', {name!r});" if name else ''
    visit = open_tab(browser, _WITHOUT_H264, remember, **{'viewport': {'width': 1280, 'height': 800}, **options})
    page = visit.page
    page.goto(f'http://127.0.0.1:{stand.port}/')
    if key:
        page.get_by_label('Key', exact=True).last.fill(key)
        page.keyboard.press('Enter')
    visit.until(lambda: visit.counts().get('eo', {}).get('shown', 0) > 3, 'pictures')
    return visit
