# SPDX-License-Identifier: Apache-2.0
"""What may be posted, checked before it reaches a route: types as they are, finite numbers, no fields beside these."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_LARGEST_STAMP = 2**63 - 1
# As far as JavaScript's numbers are whole, and the description can say it.
_LARGEST_ID = 2**53 - 1
_MOST_RATE = 10.0


def _stamp(value: Any) -> Any:
    """A decimal text, since JavaScript's numbers end at 2^53 and today's stamps do not."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        return int(value)
    return value


Stamp = Annotated[
    int,
    BeforeValidator(_stamp),
    Field(ge=0, le=_LARGEST_STAMP, description='Capture stamp of the frame, ns as decimal text; 0: the newest.'),
    WithJsonSchema(
        {'type': 'string', 'pattern': '^[0-9]{1,18}$', 'description': 'Capture stamp, ns; "0": the newest.'}
    ),
]


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Finite = Annotated[float, Field(allow_inf_nan=False)]
Pair = Annotated[list[Finite], Field(min_length=2, max_length=2)]
Pixel = Annotated[Pair, Field(description='x, y; (0, 0) at the corner of the top-left pixel.')]
Rate = Annotated[float, Field(allow_inf_nan=False, ge=-_MOST_RATE, le=_MOST_RATE)]
ShortText = Annotated[str, Field(max_length=1000)]
Name = Annotated[str, Field(max_length=64)]


class Body(BaseModel):
    """Strict: `"1"` is no number and `1` no truth."""

    model_config = ConfigDict(extra='forbid', strict=True)


class Leased(Body):
    """Of whoever holds the controls."""

    lease: Annotated[str, Field(max_length=128, description='From POST /api/control/take.')]


class SessionBody(Body):
    """Sign in."""

    key: Annotated[str, Field(max_length=1024)]


class TakeBody(Body):
    """Take the controls."""

    take_over: Annotated[bool, Field(description='Also if somebody else holds them.')] = False
    name: Annotated[Name, Field(description='The name under which others see the holder.')] = ''
    live: Annotated[Name, Field(description='`you` of a live socket, to which the lease is then bound.')] = ''
    lease: Annotated[str, Field(max_length=128, description='The lease held so far, to keep it.')] = ''


class CameraBody(Body):
    """One camera; empty is the first."""

    camera: Name = ''


class LeasedCamera(Leased):
    """One camera, empty is the first; of whoever holds the controls."""

    camera: Name = ''


class TargetBody(LeasedCamera):
    """Exactly one of `pixel`, `id`, `class` and `nearest`."""

    model_config = ConfigDict(
        json_schema_extra={
            'oneOf': [
                {'required': [name], 'properties': {name: {'not': {'type': 'null'}}}}
                for name in ('pixel', 'id', 'class', 'nearest')
            ]
        }
    )
    stamp_ns: Stamp = 0
    pixel: Pixel | None = None
    # The limits first: behind the validator the description would not have them.
    id: Annotated[int, Field(ge=0, le=_LARGEST_ID), BeforeValidator(_whole)] | None = None
    class_: Annotated[str | None, Field(alias='class', min_length=1, max_length=64, pattern=r'^[^\x00-\x1f:]+$')] = None
    nearest: Literal[True] | None = None


class PointingBody(LeasedCamera):
    """Whether a target that is followed turns the gimbal."""

    on: bool


class SourceBody(Leased):
    """Whose tracker moves the gimbal."""

    camera: Annotated[str, Field(min_length=1, max_length=64)]


class SettingBody(Leased):
    """Change a parameter of a node."""

    node: Annotated[str, Field(min_length=1, max_length=128)]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    value: bool | int | Finite | ShortText | list[bool] | list[int] | list[Finite] | list[ShortText]


class ArmBody(Body):
    """To arm takes the lease; to disarm does not."""

    armed: bool
    lease: Annotated[str, Field(max_length=128)] = ''


class RateBody(Leased):
    """Turn so until the time to live is over, unless it is sent again."""

    azimuth_rad_s: Annotated[Rate, Field(description='About up, positive to the left.')]
    tilt_rad_s: Annotated[Rate, Field(description='Positive down.')]
    ttl_s: Annotated[float, Field(allow_inf_nan=False, ge=0.05, le=1.0)] = 0.2


class AttitudeBody(Leased):
    """Turn to that bearing in the gimbal's level frame."""

    azimuth_rad: Annotated[float, Field(allow_inf_nan=False, ge=-2 * math.pi, le=2 * math.pi)]
    tilt_rad: Annotated[float, Field(allow_inf_nan=False, ge=-math.pi, le=math.pi)]


class LookBody(LeasedCamera):
    """Look to where that pixel of that frame was."""

    stamp_ns: Stamp = 0
    pixel: Pixel
    size: Annotated[
        Pair | None,
        Field(description='Width and height of the image that `pixel` counts in; refused if the frame has others.'),
    ] = None
    release: Annotated[
        bool, Field(description='Also release the target that is followed, to which the gimbal would turn back.')
    ] = False


class ModeBody(Leased):
    """What the gimbal does when its carrier turns; `off` lets the motors go."""

    mode: Literal['follow', 'lock', 'off']


class ZoomBody(Leased):
    """Magnification against the widest view."""

    factor: Annotated[float, Field(allow_inf_nan=False, ge=1.0, le=1000.0)]


class FocusBody(Leased):
    """Let the camera focus by itself, once."""

    auto: Literal[True] = True


class RecordBody(CameraBody):
    """Begin or end a recording."""

    on: bool


class VideoAuthBody(BaseModel):
    """What MediaMTX asks about every publisher and reader (its `authMethod: http`)."""

    model_config = ConfigDict(extra='ignore')
    ip: str = ''
    password: str = ''
    token: str = ''
    action: str = ''
    path: str = ''
