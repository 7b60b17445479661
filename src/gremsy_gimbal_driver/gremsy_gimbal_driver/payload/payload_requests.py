# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a payload; as text, a request is what stands in the sentences about it.

Pixels nowhere: places in the picture are shares of its width and height.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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


@dataclass(frozen=True, slots=True)
class SetSetting:
    """A setting of the table in `settings`, by name and word."""

    name: str
    choice: str

    def __str__(self) -> str:
        return f'the setting {self.name} = {self.choice}'


@dataclass(frozen=True, slots=True)
class ReadSetting:
    """The same, read."""

    name: str

    def __str__(self) -> str:
        return f'reading the setting {self.name}'


@dataclass(frozen=True, slots=True)
class SetParameter:
    """A camera parameter that the table does not have."""

    name: str
    value: int

    def __str__(self) -> str:
        return f'the parameter {self.name} = {self.value}'


@dataclass(frozen=True, slots=True)
class ReadParameter:
    """The same, read."""

    name: str

    def __str__(self) -> str:
        return f'reading the parameter {self.name}'


@dataclass(frozen=True, slots=True)
class ListParameters:
    """Every camera parameter, into `PayloadControl.parameters`."""

    def __str__(self) -> str:
        return 'listing the parameters'


@dataclass(frozen=True, slots=True)
class ZoomTo:
    """To a magnification."""

    factor: float

    def __str__(self) -> str:
        return f'zoom to {self.factor:g}x'


@dataclass(frozen=True, slots=True)
class ZoomPercent:
    """To a share of the lens's range, 0 the widest view, 100 the narrowest."""

    percent: float

    def __str__(self) -> str:
        return f'zoom to {self.percent:g} %'


@dataclass(frozen=True, slots=True)
class ZoomDrive:
    """-1 out, 1 in, 0 stop; goes on until the next."""

    direction: int

    def __str__(self) -> str:
        return {-1: 'zooming out', 0: 'stopping the zoom', 1: 'zooming in'}.get(self.direction, 'zooming')


@dataclass(frozen=True, slots=True)
class Focus:
    """Of the lens."""

    action: FocusAction

    def __str__(self) -> str:
        return f'focus {self.action.value}'


@dataclass(frozen=True, slots=True)
class RecordVideo:
    """Start or stop the video on the payload's own storage."""

    on: bool

    def __str__(self) -> str:
        return 'starting the recording' if self.on else 'stopping the recording'


@dataclass(frozen=True, slots=True)
class Still:
    """One picture."""

    def __str__(self) -> str:
        return 'a picture'


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """What is at that place of the picture, 0 to 1 from the top left corner."""

    x: float
    y: float

    def __str__(self) -> str:
        return 'starting the tracking'


@dataclass(frozen=True, slots=True)
class TrackBox:
    """What is in the box around that centre, all 0 to 1."""

    x: float
    y: float
    width: float
    height: float

    def __str__(self) -> str:
        return 'starting the tracking'


@dataclass(frozen=True, slots=True)
class StopTracking:
    """End the tracking on board; it keeps a hold of the gimbal otherwise."""

    def __str__(self) -> str:
        return 'stopping the tracking'


@dataclass(frozen=True, slots=True)
class TelemetryRate:
    """How often the payload board sends one of its own values (`EO_ZOOM`, `LRF_RANGE` ...); 0 never."""

    name: str
    rate_hz: float

    def __str__(self) -> str:
        return f'{self.name} at {self.rate_hz:g} Hz'


ParameterRequest = SetSetting | ReadSetting | SetParameter | ReadParameter | ListParameters
ZoomRequest = ZoomTo | ZoomPercent | ZoomDrive
CommandRequest = Focus | RecordVideo | Still | TelemetryRate
TrackingRequest = TrackPoint | TrackBox | StopTracking
Request = ParameterRequest | ZoomRequest | CommandRequest | TrackingRequest
