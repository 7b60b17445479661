# SPDX-License-Identifier: Apache-2.0
"""What moves, chooses, records: each command checked, leased where it can move something, answered in words."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from gremsy_web.access.request_guard import address_of
from gremsy_web.http import request_bodies as bodies
from gremsy_web.http import response_bodies as responses
from gremsy_web.http.api_errors import ApiError
from gremsy_web.http.web_services import WebServices, done
from gremsy_web.live.live_socket import holder_name
from gremsy_web.robot import frame_pixels
from gremsy_web.robot.robot_commands import RobotService

_NONE_OF_FOUR = 'Send exactly one of `pixel`, `id`, `class` and `nearest`.'


def control_routes(services: WebServices) -> APIRouter:
    """Who holds the controls."""
    router = APIRouter(tags=['control'])

    @router.post('/api/control/take', **responses.answered_by(responses.LeaseResponse))
    async def take(request: Request, body: bodies.TakeBody) -> dict[str, Any]:
        """Take the controls; from somebody else only with `take_over`."""
        if body.live:
            client = services.hub.clients.get(body.live)
            if client is None:
                raise ApiError(404, 'There is no live socket with that number: open /api/live first.', 'live')
        holder = holder_name(body.name, f'an operator at {address_of(request)}')
        hold = services.desk.take(holder, body.live, take_over=body.take_over, lease=body.lease)
        ttl_s = None if hold.live else services.parameters.lease_s
        return {'lease': hold.lease, 'holder': hold.holder, 'ttl_s': ttl_s}

    @router.post('/api/control/give', **responses.answered_by(responses.DoneResponse))
    async def give(body: bodies.Leased) -> dict[str, Any]:
        """Give the controls back; what is steered by hand stops, what is followed does not."""
        services.desk.use(body.lease, ends=True)
        services.desk.give(body.lease)
        return done('Nobody holds the controls now.')

    @router.post('/api/arm', **responses.answered_by(responses.DoneResponse))
    async def arm(body: bodies.ArmBody) -> dict[str, Any]:
        """Arm the gimbal, which takes the lease, or disarm it, which anybody with the role `control` may."""
        if body.armed:
            services.desk.use(body.lease)
        return await services.ask(RobotService.ARM, on=body.armed)

    return router


def target_routes(services: WebServices) -> APIRouter:
    """What the tracker follows."""
    router = APIRouter(tags=['target'])

    @router.post('/api/target', **responses.answered_by(responses.ChosenResponse))
    async def target(body: bodies.TargetBody) -> dict[str, Any]:
        """Follow the track under a pixel of the frame that was shown, the one of an id, or the nearest (of a class)."""
        services.desk.use(body.lease)
        seen = services.camera(body.camera)
        ways = [body.pixel is not None, body.id is not None, body.class_ is not None, body.nearest is not None]
        if sum(ways) != 1:
            raise ApiError(422, _NONE_OF_FOUR, 'pixel')
        number: int | None = None
        if body.pixel is not None:
            pixel = (body.pixel[0], body.pixel[1])
            frame_pixels.check_pixel(seen, pixel, body.stamp_ns)
            number = frame_pixels.track_at(frame_pixels.tracks_at(seen, body.stamp_ns), pixel)
        elif body.id is not None:
            tracks = seen.tracks.newest
            if tracks is None or body.id not in tracks.ids.tolist():
                raise ApiError(404, f'No track of camera {seen.name} has the id {body.id} now.', 'id')
            number = body.id
        label = 'nearest' if body.class_ is None else f'class:{body.class_}'
        word = label if number is None else str(number)
        services.commands.select(seen.name, word)
        return {**done(f'Chosen: {word}.'), 'camera': seen.name, 'id': number}

    @router.post('/api/target/release', **responses.answered_by(responses.DoneResponse))
    async def release(body: bodies.LeasedCamera) -> dict[str, Any]:
        """Release the target: nothing is followed."""
        services.desk.use(body.lease, ends=True)
        return await services.ask(RobotService.RELEASE, services.camera(body.camera).name)

    @router.post('/api/target/pointing', **responses.answered_by(responses.DoneResponse))
    async def pointing(body: bodies.PointingBody) -> dict[str, Any]:
        """Let the target turn the gimbal, again after a divergence has switched that off; or keep it from doing so."""
        services.desk.use(body.lease, ends=not body.on)
        return await services.ask(RobotService.ENABLE, services.camera(body.camera).name, on=body.on)

    return router


def setting_routes(services: WebServices) -> APIRouter:
    """The nodes' own parameters."""
    router = APIRouter(prefix='/api/settings', tags=['settings'])

    def known(node: str) -> str:
        names = [each.name for each in services.picture.nodes()]
        if node not in names:
            raise ApiError(404, f"There is no node '{node[:60]}': there are {', '.join(names) or 'none'}.", 'node')
        return node

    @router.get('', **responses.answered_by(list[responses.LiveSetting]))
    async def settings(node: str) -> list[dict[str, Any]]:
        """All parameters of a node as it describes them: value, type, limits, meaning, whether it can be changed."""
        return [each.model_dump() for each in await services.commands.settings(known(node))]

    @router.post('', **responses.answered_by(responses.DoneResponse))
    async def change(body: bodies.SettingBody) -> dict[str, Any]:
        """Change one; the node says what is wrong with a value that it refuses."""
        services.desk.use(body.lease)
        node, value = known(body.node), body.value
        before = next((each for each in await services.commands.settings(node) if each.name == body.name), None)
        if before is None:
            raise ApiError(404, f"The node {node} has no parameter '{body.name[:60]}'.", 'name')
        if before.type == 'float' and isinstance(value, int) and not isinstance(value, bool):
            # JavaScript writes 2.0 as 2.
            value = float(value)
        if before.type == 'float list' and isinstance(value, list):
            value = [float(each) for each in value if isinstance(each, (int, float))]
        return done(await services.commands.set_parameter(node, body.name, value))

    return router


def gimbal_routes(services: WebServices) -> APIRouter:
    """Where the gimbal looks."""
    router = APIRouter(prefix='/api/gimbal', tags=['gimbal'])

    @router.post('/stop', **responses.answered_by(responses.DoneResponse))
    async def stop() -> dict[str, Any]:
        """Stop everything that moves, at once, and disarm: for everybody who may watch, with or without the lease."""
        return done(await services.desk.stop())

    @router.post('/rate', **responses.answered_by(responses.DoneResponse))
    async def rate(body: bodies.RateBody) -> dict[str, Any]:
        """Turn at these rates until `ttl_s` is over; send it again to go on."""
        services.require_motion(body.lease)
        services.desk.rate(body.lease, body.azimuth_rad_s, body.tilt_rad_s, body.ttl_s)
        return done(f'Turning for {body.ttl_s:g} s.')

    @router.post('/attitude', **responses.answered_by(responses.DoneResponse))
    async def attitude(body: bodies.AttitudeBody) -> dict[str, Any]:
        """Turn to a bearing in the gimbal's level frame; ends by itself where it cannot be reached."""
        services.require_motion(body.lease)
        services.desk.end_motion()
        services.commands.point(body.azimuth_rad, body.tilt_rad)
        return done('Turning there.')

    @router.post('/look_at', **responses.answered_by(responses.LookResponse))
    async def look_at(body: bodies.LookBody) -> dict[str, Any]:
        """Turn to where that pixel was, by the gimbal's pose at that frame.

        A target that is followed has the gimbal again after that, unless it is released with `release`.
        """
        services.require_motion(body.lease)
        seen = services.camera(body.camera)
        pixel = (body.pixel[0], body.pixel[1])
        of_size = None if body.size is None else (body.size[0], body.size[1])
        frame_pixels.check_pixel(seen, pixel, body.stamp_ns, of_size)
        azimuth, tilt = frame_pixels.bearing_at(seen, services.picture.attitudes, body.stamp_ns, pixel)
        services.desk.end_motion()
        services.commands.look(azimuth, tilt)
        # Released behind the look, which goes out at once: while it turns, the driver takes nothing from a tracker.
        followed = services.picture.following() if body.release else []
        released = ', '.join(each.target_name or 'the target' for each in followed)
        for each in followed:
            await services.ask(RobotService.RELEASE, each.name)
        text = f'Turning there; {released} is released.' if released else 'Turning there.'
        return {**done(text), 'azimuth_rad': azimuth, 'tilt_rad': tilt, 'released': released}

    @router.post('/home', **responses.answered_by(responses.DoneResponse))
    async def home(body: bodies.Leased) -> dict[str, Any]:
        """Turn straight ahead and level."""
        services.desk.use(body.lease)
        return await services.ask(RobotService.HOME)

    @router.post('/mode', **responses.answered_by(responses.DoneResponse))
    async def mode(body: bodies.ModeBody) -> dict[str, Any]:
        """Follow the vehicle, hold the direction, or switch the motors off."""
        services.desk.use(body.lease)
        if body.mode == 'off':
            return await services.ask(RobotService.MOTORS, on=False)
        return await services.ask(RobotService.LOCK, on=body.mode == 'lock')

    @router.post('/zoom', **responses.answered_by(responses.DoneResponse))
    async def zoom(body: bodies.ZoomBody) -> dict[str, Any]:
        """Zoom to this factor of the widest view."""
        services.desk.use(body.lease)
        services.commands.zoom(body.factor)
        return done(f'Zooming to {body.factor:g}.')

    @router.post('/focus', **responses.answered_by(responses.DoneResponse))
    async def focus(body: bodies.FocusBody) -> dict[str, Any]:
        """Autofocus, once."""
        services.desk.use(body.lease)
        return await services.ask(RobotService.AUTOFOCUS)

    return router
