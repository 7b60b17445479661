# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a payload, and what is wrong with a request before anything is sent.

Pixels nowhere: places in the picture are shares of its width and height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from gremsy_gimbal_driver.mavlink.mavlink_encoder import LONGEST_NAME
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES

LARGEST_VALUE = 0xFFFFFFFF
"""Of a camera parameter: whatever its type says, the vendor's SDKs write a u32 (gimbal.md 1.13)."""

GIMBAL_MODE_PARAMETER = 'GB_MODE'
"""A camera parameter that moves the gimbal; payload control never writes it."""

_FASTEST_HZ = 50.0


class ZoomPath(str, Enum):
    """Which command zooms; two of three did nothing on one payload (gimbal.md 2.1)."""

    RANGE = 'range'  # COMMAND_LONG 531 to the camera, 0 to 100 %
    ABSOLUTE = 'absolute'  # the vendor's 31013 to the payload board, the magnification itself


class FocusAction(str, Enum):
    """`NEAR` and `FAR` go on until `STOP`."""

    AUTO = 'auto'
    NEAR = 'near'
    FAR = 'far'
    STOP = 'stop'


class TrackingPath(str, Enum):
    """Which command starts the tracking on board."""

    VENDOR = 'vendor'  # 31013 to the payload board
    STANDARD = 'standard'  # 2004, 2005 and 2010 to the camera


class Request:
    """As text, a request is what stands in the sentences about it: its `words`, filled in with its fields."""

    __slots__ = ()
    words: ClassVar[str]

    def __str__(self) -> str:
        return self.words.format(self)

    @property
    def fault(self) -> str:
        """Why it is not sent to any product; empty where nothing is wrong."""
        return ''


@dataclass(frozen=True, slots=True)
class SetSetting(Request):
    """A setting of the table in `payload_settings`, by name and word."""

    words: ClassVar[str] = 'the setting {0.name} = {0.choice}'
    name: str
    choice: str


@dataclass(frozen=True, slots=True)
class SetParameter(Request):
    """A camera parameter that the table does not have."""

    words: ClassVar[str] = 'the parameter {0.name} = {0.value}'
    name: str
    value: int

    @property
    def fault(self) -> str:
        if self.name == GIMBAL_MODE_PARAMETER:
            return (
                f'The camera parameter {self.name} moves the gimbal, so it was not sent: '
                "set the mode with the driver's own services or `gremsy_gimbal mode`."
            )
        wrong_value = f'{self.name} = {self.value} was not sent: use a whole number from 0 to {LARGEST_VALUE}.'
        return _no_parameter_name(self.name) or ('' if 0 <= self.value <= LARGEST_VALUE else wrong_value)


@dataclass(frozen=True, slots=True)
class ReadParameter(Request):
    """A camera parameter, read."""

    words: ClassVar[str] = 'reading the parameter {0.name}'
    name: str

    @property
    def fault(self) -> str:
        return _no_parameter_name(self.name)


@dataclass(frozen=True, slots=True)
class ListParameters(Request):
    """Every camera parameter, into `PayloadControl.parameters`."""

    words: ClassVar[str] = 'listing the parameters'


@dataclass(frozen=True, slots=True)
class ZoomTo(Request):
    """To a magnification."""

    words: ClassVar[str] = 'zoom to {0.factor:g}x'
    factor: float


@dataclass(frozen=True, slots=True)
class Focus(Request):
    """Of the lens."""

    words: ClassVar[str] = 'focus {0.action.value}'
    action: FocusAction


@dataclass(frozen=True, slots=True)
class RecordVideo(Request):
    """Start or stop the video on the payload's own storage."""

    on: bool

    def __str__(self) -> str:
        return 'starting the recording' if self.on else 'stopping the recording'


@dataclass(frozen=True, slots=True)
class Still(Request):
    """One picture."""

    words: ClassVar[str] = 'a picture'


@dataclass(frozen=True, slots=True)
class TrackPoint(Request):
    """What is at that place of the picture, 0 to 1 from the top left corner."""

    words: ClassVar[str] = 'starting the tracking'
    x: float
    y: float

    @property
    def fault(self) -> str:
        return _outside_picture(self.x, self.y)


@dataclass(frozen=True, slots=True)
class TrackBox(Request):
    """What is in the box around that centre, all 0 to 1."""

    words: ClassVar[str] = 'starting the tracking'
    x: float
    y: float
    width: float
    height: float

    @property
    def fault(self) -> str:
        empty = 'A tracking box of no size was not sent: give it a width and a height.'
        outside = _outside_picture(self.x, self.y, self.width, self.height)
        return outside or ('' if self.width and self.height else empty)


@dataclass(frozen=True, slots=True)
class StopTracking(Request):
    """End the tracking on board; it keeps a hold of the gimbal otherwise."""

    words: ClassVar[str] = 'stopping the tracking'


@dataclass(frozen=True, slots=True)
class TelemetryRate(Request):
    """How often the payload board sends one of its own values (`EO_ZOOM`, `LRF_RANGE` ...); 0 never."""

    words: ClassVar[str] = '{0.name} at {0.rate_hz:g} Hz'
    name: str
    rate_hz: float

    @property
    def fault(self) -> str:
        if self.name not in TELEMETRY_NAMES:
            return f"The payload has no telemetry '{self.name}': use one of {', '.join(TELEMETRY_NAMES)}."
        if not 0.0 <= self.rate_hz <= _FASTEST_HZ:
            return f'{self.name} at {self.rate_hz:g} Hz was not asked for: use 0 .. {_FASTEST_HZ:g}.'
        return ''


TrackingRequest = TrackPoint | TrackBox | StopTracking


def _outside_picture(*shares: float) -> str:
    wrong = next((share for share in shares if not (math.isfinite(share) and 0.0 <= share <= 1.0)), None)
    if wrong is None:
        return ''
    return f'A place in the picture of {wrong:g} was not sent: use shares of its width and height, 0 .. 1.'


def _no_parameter_name(name: str) -> str:
    if 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and ' ' not in name:
        return ''
    return f"'{name}' cannot be the name of a camera parameter: use 1 to {LONGEST_NAME} letters, such as C_SOURCE."
