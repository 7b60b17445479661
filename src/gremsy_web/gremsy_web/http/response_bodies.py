# SPDX-License-Identifier: Apache-2.0
"""Bodies of the responses, as the OpenAPI describes them; the tests check them, a running server does not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

StampText = Annotated[str, Field(pattern='^[0-9]{1,20}$', description='Ns of the ROS clock, as decimal text.')]
Box = Annotated[list[float | None], Field(min_length=4, max_length=4, description='x, y, width, height, px.')]
Pair = Annotated[list[float | None], Field(min_length=2, max_length=2)]


class ResponseBody(BaseModel):
    """No field but these."""

    model_config = ConfigDict(extra='forbid')


class AliveResponse(ResponseBody):
    """The server lives."""

    status: Literal['alive']


class PartReadyResponse(ResponseBody):
    """One thing that must work."""

    name: str
    ready: bool
    reason: Annotated[str, Field(description='Why not; empty where it works.')]
    warning: Annotated[str, Field(description='What is wrong with a part that still works; empty for nothing.')]


class ReadyResponse(ResponseBody):
    """Whether everything works; `parts` only with a key."""

    ready: bool
    parts: list[PartReadyResponse] = []


class NodeResponse(ResponseBody):
    """A node's row of /diagnostics."""

    name: str
    level: Annotated[int, Field(description='0 OK, 1 warning, 2 error, 3 stale.')]
    message: str
    age_s: float
    values: dict[str, str]


class RecordingResponse(ResponseBody):
    """The recording, as the camera's node reports it."""

    on: bool
    text: str
    to: Annotated[str, Field(description='Files, or the folder before there is one.')]
    seconds: float | None
    megabytes: float | None


class CameraStateResponse(ResponseBody):
    """State of a camera."""

    width: int | None
    height: int | None
    age_s: float | None
    detector_hz: float
    recording: RecordingResponse | None


class ControlResponse(ResponseBody):
    """Who holds the controls."""

    holder: str | None
    you: bool


class GimbalResponse(ResponseBody):
    """Where it looks, what it does, who moves it; null where that is unknown."""

    stamp_ns: StampText | None
    age_s: float | None
    azimuth_rad: float | None
    tilt_rad: float | None
    rate: Annotated[Pair, Field(description='About up and about the tilt axis, rad/s.')]
    zoom: float | None
    armed: bool
    holder: Annotated[str, Field(description='Whose commands the driver takes.')]
    mode: str
    mode_state: str
    goal: dict[str, Any] | None
    setpoint_topic: str
    limits: Annotated[dict[str, Pair], Field(description='rad.')]


class StatusResponse(ResponseBody):
    """The whole robot."""

    robot: str
    stamp_ns: StampText
    gimbal: GimbalResponse
    nodes: list[NodeResponse]
    latency_ms: Annotated[dict[str, float | None], Field(description='By stage: median time since the capture.')]
    pointing_error_rad: float | None
    video_server: Annotated[str | None, Field(description='Why it cannot be used; null while it answers.')]
    cameras: dict[str, CameraStateResponse]
    control: ControlResponse
    live_clients: int


class CameraResponse(ResponseBody):
    """Name, size, age and video paths."""

    name: str
    path: str
    overlay_path: str
    width: int | None
    height: int | None
    age_s: float | None
    rate_hz: float
    detector_hz: float
    horizontal_field_rad: float | None


class TrackResponse(ResponseBody):
    """One object of one image."""

    id: int
    class_: Annotated[str, Field(alias='class')]
    score: float | None
    box: Box


class TargetResponse(ResponseBody):
    """What the tracker follows."""

    id: int | None
    class_: Annotated[str | None, Field(alias='class')]
    state: str
    reason: str
    enabled: Annotated[bool, Field(description='Whether the tracker points; a divergence switches it off.')]
    still_because: str
    unused_because: str
    stamp_ns: StampText | None
    box: Box | None
    predicted: Pair | None


class LensResponse(ResponseBody):
    """Intrinsics, which turn a pixel into a direction."""

    focal: Annotated[Pair, Field(description='Along x and y, px.')]
    centre: Annotated[Pair, Field(description='x, y, px.')]


class TracksResponse(ResponseBody):
    """Of one image."""

    camera: str
    stamp_ns: StampText
    rtp: Annotated[int, Field(ge=0, lt=2**32, description='Of the video frame, 90 kHz.')]
    width: int | None
    height: int | None
    lens: Annotated[LensResponse | None, Field(description='null where unknown.')]
    tracks: list[TrackResponse]
    target: TargetResponse


class SessionResponse(ResponseBody):
    """What the caller may do."""

    key_needed: bool
    role: Literal['view', 'control', 'publish'] | None


class SignedInResponse(ResponseBody):
    """The role of the key; null after signing out."""

    role: Literal['view', 'control'] | None


class LeaseResponse(ResponseBody):
    """The controls are the caller's."""

    lease: str
    holder: str
    ttl_s: Annotated[float | None, Field(description='Expires when unused for so long; null: when its socket closes.')]


class DoneResponse(ResponseBody):
    """It was done; `text` is what the robot replied."""

    done: Literal[True]
    text: str


class ChosenResponse(DoneResponse):
    """The target that was requested; `id` is null for a class, or the nearest."""

    camera: str
    id: int | None


class LookResponse(DoneResponse):
    """Where that pixel was."""

    azimuth_rad: float
    tilt_rad: float
    released: Annotated[str, Field(description='The target that was followed and is released; empty for none.')]


class SnapshotResponse(DoneResponse):
    """A frame in full size, and what was seen in it."""

    on_robot: Annotated[bool, Field(description='Whether the camera saved it to files too; `text` says where.')]
    camera: str
    stamp_ns: StampText
    width: int | None
    height: int | None
    detections: list[TrackResponse] | None
    not_seen_because: str
    picture: Annotated[str, Field(description='Its URL; the last eight are kept.')]


class LiveSetting(ResponseBody):
    """A parameter as its node describes it."""

    name: str
    type: Annotated[str, Field(description='bool, int, float, str, or one of these with ` list`.')]
    value: Any
    description: str
    constraints: Annotated[str, Field(description='What its type and limits do not say, in words.')]
    read_only: Annotated[bool, Field(description='It cannot be changed while the node runs.')]
    low: Annotated[float | None, Field(description='null without a limit.')]
    high: Annotated[float | None, Field(description='null without a limit.')]
    unit: Annotated[str, Field(description='Empty for none.')]
    choices: Annotated[list[str], Field(description='Allowed texts; empty where any text is.')]
    default: Annotated[Any, Field(description='null where the node does not say it.')]


def answered_by(model: Any) -> dict[str, Any]:
    """For a route: its response in the OpenAPI."""
    return {'response_model': None, 'responses': {200: {'model': model, 'description': 'As asked.'}}}


def answered_by_picture(*media_types: str) -> dict[str, Any]:
    """For a route whose response is a picture."""
    content = {each: {'schema': {'type': 'string', 'format': 'binary'}} for each in media_types}
    return {'response_model': None, 'responses': {200: {'content': content, 'description': 'The picture.'}}}
