# SPDX-License-Identifier: Apache-2.0
"""What a camera can be asked: to record, to keep a frame, to have its tracker move the gimbal."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from gremsy_web.http import request_bodies as bodies
from gremsy_web.http import response_bodies as responses
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.web_services import WebServices, done
from gremsy_web.robot.robot_commands import RobotService


def camera_routes(services: WebServices) -> APIRouter:
    """Of one camera each."""
    router = APIRouter(prefix='/api/camera', tags=['camera'])

    @router.post('/setpoint_source', **responses.answered_by(responses.DoneResponse))
    async def setpoint_source(body: bodies.SourceBody) -> dict[str, Any]:
        """Let that camera's tracker move the gimbal."""
        services.desk.use(body.lease)
        camera = services.camera(body.camera).name
        return done(await services.commands.set_parameter('gimbal_driver', 'setpoint_source', camera))

    @router.post('/record', **responses.answered_by(responses.DoneResponse))
    async def record(body: bodies.RecordBody) -> dict[str, Any]:
        """Begin or end a recording."""
        return await services.ask(RobotService.RECORD, services.camera(body.camera).name, on=body.on)

    @router.post('/snapshot', **responses.answered_by(responses.SnapshotResponse))
    async def snapshot(body: bodies.CameraBody) -> dict[str, Any]:
        """A frame in full resolution and what was seen in that very frame: here, and as files on the robot.

        `picture` is the address of the frame, kept for the last eight; `detections` is null where none came for it.
        """
        seen = services.camera(body.camera)

        async def keep_on_robot() -> tuple[bool, str]:
            try:
                return True, await services.commands.ask(RobotService.SNAPSHOT, seen.name)
            except ApiError as error:
                return False, str(error)

        def is_seen(stamp_ns: int) -> bool:
            return seen.tracks.at(stamp_ns) is not None

        (on_robot, text), still = await asyncio.gather(keep_on_robot(), services.commands.still(seen.name, is_seen))
        if still is None:
            raise ApiError(503, f'No picture comes from {seen.name}: is its camera running?', 'camera')
        return {**done(text), 'on_robot': on_robot, 'camera': seen.name, **services.snapshots.keep(seen, still)}

    @router.get(
        '/snapshot/{camera}/{name}', response_class=Response, **responses.answered_by_picture('image/jpeg', 'image/png')
    )
    async def picture(camera: str, name: str) -> Response:
        """The picture of a snapshot."""
        still = services.snapshots.find(camera, name)
        if still is None:
            raise ApiError(404, 'This snapshot is gone: the last eight are kept.', 'name')
        return Response(still.content, media_type=still.media_type, headers={'cache-control': 'no-store'})

    return router
