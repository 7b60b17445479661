# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal record start|stop|still`."""

from __future__ import annotations

import argparse
import time

from gremsy_gimbal_driver.cli.ending import ToolError
from gremsy_gimbal_driver.cli.session import LinkSession
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.payload.camera_commands import first_still_number
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import ListParameters, RecordVideo, Request, Still
from gremsy_gimbal_driver.payload.pending_request import RequestResult, RequestState

REQUESTS: dict[str, Request] = {'start': RecordVideo(True), 'stop': RecordVideo(False), 'still': Still()}

_COMPONENTS_WAIT_S = 3.0
"""Heartbeats come once a second."""
_ANSWER_WAIT_S = 30.0
_LIST_WAIT_S = 120.0


def payload_of(opened: LinkSession, parameters: PayloadParameters | None = None) -> PayloadControl:
    """Payload control on this session, once the camera has sent a heartbeat or has had time to.

    Raises:
        ToolError: when nothing of a Gremsy is there.
    """
    control = PayloadControl(opened.encoder, opened.components, parameters, first_still_number(time.time_ns()))
    opened.attach(control.due, control.on_event)
    opened.find_gimbal()
    components = opened.components
    opened.wait(lambda: None not in (components.camera, components.payload), _COMPONENTS_WAIT_S)
    return control


def ask(opened: LinkSession, control: PayloadControl, request: Request) -> RequestResult:
    """Its end.

    Raises:
        ToolError: for any other end than acceptance.
    """
    pending = control.request(request, time.monotonic_ns())
    opened.wait(lambda: pending.over, _LIST_WAIT_S if isinstance(request, ListParameters) else _ANSWER_WAIT_S)
    if pending.state is not RequestState.ACCEPTED:
        raise ToolError(pending.result.sentence)
    return pending.result


def record(link: Link, given: argparse.Namespace) -> None:
    """Do it and report it.

    Raises:
        ToolError: when it failed.
    """
    with LinkSession(link) as opened:
        control = payload_of(opened, PayloadParameters(vendor_still=given.vendor_still))
        print(ask(opened, control, REQUESTS[given.what]).sentence)
