# SPDX-License-Identifier: Apache-2.0
"""What the API asks of the robot; over ROS in `gremsy_web.ros`, by a recording stand-in in tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from gremsy_web.http.response_bodies import LiveSetting


class RobotService(Enum):
    """A service of the robot's nodes; those with `{camera}` are of one camera."""

    ARM = 'gimbal_driver/arm'
    STOP = 'gimbal_driver/stop'
    HOME = 'gimbal_driver/home'
    LOCK = 'gimbal_driver/lock'
    MOTORS = 'gimbal_driver/motors'
    AUTOFOCUS = 'gimbal_driver/autofocus'
    RELEASE = '{camera}/tracker/release'
    ENABLE = '{camera}/tracker/enable'
    RECORD = '{camera}/camera/record'
    SNAPSHOT = '{camera}/camera/snapshot'

    @property
    def switches(self) -> bool:
        """Whether it takes on or off."""
        return self.name in ('ARM', 'LOCK', 'MOTORS', 'ENABLE', 'RECORD')


SettingValue = bool | int | float | str | list[Any]


@dataclass(frozen=True, slots=True)
class CapturedPicture:
    """One frame of a camera in its full size, as a picture file.

    Attributes:
        stamp_ns: when it was captured.
        media_type: `image/jpeg`, or `image/png` for 16-bit infrared.
        content: the file.
    """

    stamp_ns: int
    media_type: str
    content: bytes


class RobotCommands(Protocol):
    """Called on the server's loop; nothing here waits but `ask` and `set_parameter`."""

    def rate(self, azimuth_rad_s: float, tilt_rad_s: float) -> None:
        """Turn at these rates, until the time to live of a command is over at the driver."""

    def point(self, azimuth_rad: float, tilt_rad: float) -> None:
        """Turn to an orientation in the level frame."""

    def look(self, azimuth_rad: float, tilt_rad: float) -> None:
        """Look into that direction of the level frame, by the way that the driver finds best."""

    def zoom(self, factor: float) -> None:
        """Zoom to this factor of the widest view."""

    def select(self, camera: str, text: str) -> None:
        """Follow a track's id, a class, or `nearest`."""

    def watch(self, path: str) -> None:
        """Somebody watches that video path; `PATH key` when they have just come."""

    async def ask(self, request: RobotService, camera: str = '', *, on: bool = True) -> str:
        """Call the service, and give what it says.

        Raises:
            ApiError: where it refuses, is not there, or does not answer in time.
        """
        ...

    async def settings(self, node: str) -> list[LiveSetting]:
        """All parameters of a node of the robot; raises ApiError."""
        ...

    async def set_parameter(self, node: str, name: str, value: SettingValue) -> str:
        """Change a parameter of a node of the robot; as above."""
        ...

    async def jpeg(self, path: str) -> tuple[int, bytes] | None:
        """Stamp and picture, newer than a second; None where none comes."""
        ...

    async def still(self, camera: str, wanted: Callable[[int], bool]) -> CapturedPicture | None:
        """A frame that comes from now on and whose stamp is wanted, which is asked again while its detections may come.

        The newest where none is wanted in time, None where no frame comes at all.
        """
        ...
