# SPDX-License-Identifier: Apache-2.0
"""What is answered, as the OpenAPI tells it; answers are held to it by the tests and not again at every request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

StampText = Annotated[str, Field(pattern='^[0-9]{1,20}$', description='Ns of the ROS clock, as decimal text.')]
Box = Annotated[list[float | None], Field(min_length=4, max_length=4, description='x, y, width, height, px.')]
Pair = Annotated[list[float | None], Field(min_length=2, max_length=2)]


class Answer(BaseModel):
    """No field but these."""

    model_config = ConfigDict(extra='forbid')


class Alive(Answer):
    """The server lives."""

    status: Literal['alive']


class PartReady(Answer):
    """One thing that must work."""

    name: str
    ready: bool
    reason: Annotated[str, Field(description='In words; empty where it works.')]
    warning: Annotated[str, Field(description='Of one that works, what is not well; empty for nothing.')]


class Ready(Answer):
    """Whether everything works; `parts` only with a key."""

    ready: bool
    parts: list[PartReady] = []


class Node(Answer):
    """A node's row of /diagnostics."""

    name: str
    level: Annotated[int, Field(description='0 well, 1 warning, 2 error, 3 stale.')]
    message: str
    age_s: float
    values: dict[str, str]


class Recording(Answer):
    """What a camera's node says of its recording."""

    on: bool
    text: str
    to: Annotated[str, Field(description='Files, or the folder before there is one.')]
    seconds: float | None
    megabytes: float | None


class CameraState(Answer):
    """How a camera goes."""

    width: int | None
    height: int | None
    age_s: float | None
    detector_hz: float
    recording: Recording | None


class Control(Answer):
    """Who holds the controls."""

    holder: str | None
    you: bool


class Gimbal(Answer):
    """Where it looks, what it does, who moves it; null where nothing has been heard."""

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


class Status(Answer):
    """All that is known."""

    robot: str
    stamp_ns: StampText
    gimbal: Gimbal
    nodes: list[Node]
    latency_ms: Annotated[dict[str, float | None], Field(description='By stage: median since the capture.')]
    pointing_error_rad: float | None
    video_server: Annotated[str | None, Field(description='Why it cannot be used; null while it answers.')]
    cameras: dict[str, CameraState]
    control: Control
    live_clients: int


class Camera(Answer):
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


class Track(Answer):
    """One object of one image."""

    id: int
    class_: Annotated[str, Field(alias='class')]
    score: float | None
    box: Box


class Target(Answer):
    """Whom the tracker follows."""

    id: int | None
    class_: Annotated[str | None, Field(alias='class')]
    state: str
    reason: str
    still_because: str
    unused_because: str
    stamp_ns: StampText | None
    box: Box | None
    predicted: Pair | None


class Lens(Answer):
    """What makes a direction of a pixel."""

    focal: Annotated[Pair, Field(description='Along x and y, px.')]
    centre: Annotated[Pair, Field(description='x, y, px.')]


class Tracks(Answer):
    """Of one image."""

    camera: str
    stamp_ns: StampText
    rtp: Annotated[int, Field(ge=0, lt=2**32, description='Of the video frame, 90 kHz.')]
    width: int | None
    height: int | None
    lens: Annotated[Lens | None, Field(description='null for one that nobody knows.')]
    tracks: list[Track]
    target: Target


class Session(Answer):
    """What the caller may do."""

    key_needed: bool
    role: Literal['view', 'control', 'publish'] | None


class SignedIn(Answer):
    """The role of the key; null after signing out."""

    role: Literal['view', 'control'] | None


class Taken(Answer):
    """The controls are the caller's."""

    lease: str
    holder: str
    ttl_s: Annotated[float | None, Field(description='It ends unused after this; null: with its socket.')]


class Done(Answer):
    """It was done, and what the robot says."""

    done: Literal[True]
    text: str


class Chosen(Done):
    """Whom the tracker was told to follow; `id` is null where it was told a class, or the nearest."""

    camera: str
    id: int | None


class Looking(Done):
    """Where that pixel was."""

    azimuth_rad: float
    tilt_rad: float


class Snapshot(Done):
    """A frame in full size, and what was seen in it."""

    on_robot: Annotated[bool, Field(description='Whether the camera keeps it as files too; `text` says where.')]
    camera: str
    stamp_ns: StampText
    width: int | None
    height: int | None
    detections: list[Track] | None
    not_seen_because: str
    picture: Annotated[str, Field(description='Its address; the last eight are kept.')]


class Setting(Answer):
    """A parameter as its node describes it."""

    name: str
    type: str
    value: Any
    description: str
    constraints: str
    read_only: bool
    low: float | None
    high: float | None
    unit: Annotated[str, Field(description='Empty for none.')]
    choices: Annotated[list[str], Field(description='Of a text; empty where any will do.')]
    default: Any


def told(model: Any) -> dict[str, Any]:
    """For a route: what the OpenAPI says of its answer."""
    return {'response_model': None, 'responses': {200: {'model': model, 'description': 'As asked.'}}}


def picture(*media_types: str) -> dict[str, Any]:
    """For a route that answers with a picture."""
    content = {each: {'schema': {'type': 'string', 'format': 'binary'}} for each in media_types}
    return {'response_model': None, 'responses': {200: {'content': content, 'description': 'The picture.'}}}
