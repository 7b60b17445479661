# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request, before anything is sent."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink.mavlink_encoder import LONGEST_NAME
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES
from gremsy_gimbal_driver.payload import payload_requests as requests
from gremsy_gimbal_driver.payload.extended_parameters import LARGEST_VALUE
from gremsy_gimbal_driver.payload.payload_requests import Request
from gremsy_gimbal_driver.payload.payload_settings import GIMBAL_MODE_PARAMETER

_FASTEST_HZ = 50.0


def refusal(request: Request, zoom_largest: float) -> str:
    """Why it is not sent; empty where nothing is wrong."""
    match request:
        case requests.SetParameter(name, value):
            return _parameter_name(name) or _parameter_value(name, value)
        case requests.ReadParameter(name):
            return _parameter_name(name)
        case requests.ZoomTo(factor):
            if not 1.0 <= factor <= zoom_largest:
                return f'A zoom of {factor:g}x was not sent: use 1 .. {zoom_largest:g}.'
        case requests.ZoomPercent(percent):
            if not 0.0 <= percent <= 100.0:
                return f'A zoom of {percent:g} % was not sent: use 0 .. 100.'
        case requests.ZoomDrive(direction):
            if direction not in (-1, 0, 1):
                return f'A zoom direction of {direction} was not sent: use -1 (out), 0 (stop) or 1 (in).'
        case requests.TrackPoint(x, y):
            return _place((x, y))
        case requests.TrackBox(x, y, width, height):
            return _place((x, y, width, height)) or ('' if width and height else _EMPTY_BOX)
        case requests.TelemetryRate(name, rate_hz):
            return _telemetry(name, rate_hz)
    return ''


_EMPTY_BOX = 'A tracking box of no size was not sent: give it a width and a height.'


def _place(shares: tuple[float, ...]) -> str:
    wrong = next((share for share in shares if not (math.isfinite(share) and 0.0 <= share <= 1.0)), None)
    if wrong is None:
        return ''
    return f'A place in the picture of {wrong:g} was not sent: use shares of its width and height, 0 .. 1.'


def _parameter_name(name: str) -> str:
    if 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and ' ' not in name:
        return ''
    return f"'{name}' is no name of a camera parameter: they have 1 to {LONGEST_NAME} letters, as C_SOURCE."


def _parameter_value(name: str, value: int) -> str:
    if name == GIMBAL_MODE_PARAMETER:
        return (
            f'The camera parameter {name} moves the gimbal, so it was not sent: '
            "set the mode with the driver's own services or `gremsy_gimbal mode`."
        )
    if not 0 <= value <= LARGEST_VALUE:
        return f'{name} = {value} was not sent: use a whole number from 0 to {LARGEST_VALUE}.'
    return ''


def _telemetry(name: str, rate_hz: float) -> str:
    if name not in TELEMETRY_NAMES:
        return f"The payload has no telemetry '{name}': use one of {', '.join(TELEMETRY_NAMES)}."
    if not 0.0 <= rate_hz <= _FASTEST_HZ:
        return f'{name} at {rate_hz:g} Hz was not asked for: use 0 .. {_FASTEST_HZ:g}.'
    return ''
