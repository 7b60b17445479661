# SPDX-License-Identifier: Apache-2.0
"""Every COMMAND_LONG that the driver can send, parameter by parameter, against MAVLink's own description of it.

The descriptions and enums are pymavlink's copy of the standard (common.xml). What differs from it is named below with
the vendor's source: gimbals know these commands otherwise than the standard does.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import pytest
from pymavlink.dialects.v20 import all as standard

from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder, MountInput
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.payload import camera_commands
from gremsy_gimbal_driver.payload.camera_commands import CameraMode
from gremsy_gimbal_driver.payload.command_sequences import Step
from gremsy_gimbal_driver.payload.payload_requests import FocusAction, TrackBox, TrackPoint

TO = Sender(1, 154)
COMMANDS = standard.enums['MAV_CMD']

PLACES = [None, TrackPoint(0.0, 0.0), TrackPoint(0.5, 0.25), TrackPoint(1.0, 1.0), TrackBox(0.5, 0.5, 0.2, 0.4)]

# Everything that makes one, with every kind of value that the driver gives it.
CALLS: dict[str, list[tuple[object, ...]]] = {
    'camera_mode': [(each,) for each in CameraMode],
    'command': [(512, 283.0), (511, 285.0, 20000.0), (511, 285.0, -1.0)],
    'focus': [(action, inverted) for action in FocusAction for inverted in (False, True)],
    'manager_control': [(154, True), (0, True), (154, False)],
    'motors': [(True,), (False,)],
    'mount_control': [((1.0, 2.0, 3.0), each) for each in MountInput],
    'mount_mode': [(2,), (4, 3), (4, 13)],
    'record': [(True,), (False,)],
    'still': [(number, recording) for number in (1, 2, 2**24) for recording in (True, False)],
    'still_by_vendor': [(None, True)],
    'telemetry_rate': [('EO_ZOOM', 10.0), ('LRF_RANGE', 0.0)],
    'track_by_standard': [(place,) for place in (*PLACES, TrackBox(0.5, 0.5, 1.0, 1.0), TrackBox(0.0, 1.0, 0.5, 0.5))],
    'track_by_vendor': [(place,) for place in PLACES],
    'zoom_factor': [(4.0,)],
    'zoom_range': [(0.0,), (100.0,)],
}

# Where the vendor's devices want something else than the standard says, by method and parameter.
BY_THE_VENDOR = {
    ('mount_control', 6): 'angles or rates (gSDK; gimbal.md 1.6): the standard has a longitude there, for other modes',
    ('still_by_vendor', 3): 'one picture (PayloadSdk; gimbal.md 2.1): the standard says until stopped',
    ('telemetry_rate', 1): 'an index of its own telemetry (PayloadSdk; gimbal.md 2.2), not a message',
}

# Which enum a parameter is of; pymavlink keeps the texts and not these links, which common.xml has.
ENUMS = {
    (205, 7): 'MAV_MOUNT_MODE',
    (530, 2): 'CAMERA_MODE',
    (531, 1): 'CAMERA_ZOOM_TYPE',
    (532, 1): 'SET_FOCUS_TYPE',
}
# Range of the second by the first: common.xml's descriptions of CAMERA_ZOOM_TYPE and SET_FOCUS_TYPE.
RANGES_BY_TYPE = {(531, 1): (-1, 1), (531, 2): (0, 100), (532, 1): (-1, 1), (532, 4): (0, 0)}


def commands_of(name: str) -> list[standard.MAVLink_command_long_message]:
    encoder = MavlinkEncoder(Sender(1, 191))
    function = 'still' if name == 'still_by_vendor' else name
    made = getattr(encoder if hasattr(encoder, function) else camera_commands, function)
    packed: list[bytes] = []
    for values in CALLS[name]:
        command = made(TO, *values)
        steps = command if isinstance(command, list) else [command]
        packed += [step.pack(encoder) if isinstance(step, Step) else step for step in steps]
    return [message for each in packed for message in standard.MAVLink(None).parse_buffer(each)]


def parameters_of(message: standard.MAVLink_command_long_message) -> dict[int, float]:
    return {number: getattr(message, f'param{number}') for number in range(1, 8)}


def fault(command: int, parameters: dict[int, float], number: int) -> str:
    """What the standard says against that parameter; empty where it says nothing."""
    value, text = parameters[number], COMMANDS[command].param[number]
    rules: list[tuple[bool, Callable[[], bool]]] = [
        # The vendor's SDKs leave 0 where the standard reserves NaN, and so do we: receivers look at neither.
        (text.startswith('Reserved') and 'NaN' in text, lambda: value == 0.0 or math.isnan(value)),
        (text.startswith(('Reserved', 'Empty')) and 'NaN' not in text, lambda: value == 0.0),
        ('MAV_BOOL_TRUE' in text or 'MAV_BOOL_FALSE' in text, lambda: value in (0.0, 1.0)),
        ('normalized 0..1' in text, lambda: 0.0 <= value <= 1.0),
        ('message ID' in text, lambda: int(value) in standard.mavlink_map),
        ('Set to -1 to disable' in text, lambda: value >= -1.0),
        ('Target address' in text, lambda: value in (0.0, 1.0, 2.0)),
        ('camera ID' in text, lambda: value == 0.0),
        ('Storage ID' in text or 'Video Stream ID' in text, lambda: value in (0.0, 1.0)),
        ((command, number) in ENUMS, lambda: int(value) in standard.enums[ENUMS[command, number]]),
    ]
    return '' if all(holds() for applies, holds in rules if applies) else f'{value:g} is not "{text}"'


def test_every_command_that_can_be_sent_is_in_the_table():
    encoder = MavlinkEncoder(Sender(1, 191))
    names = {name for name, _ in inspect.getmembers(encoder, inspect.ismethod) if not name.startswith('_')}
    names = {name for name in names if not name.endswith(('_parameter', '_parameter_at', '_parameters'))}
    others = {'heartbeat', 'motion', 'vehicle_state', 'acknowledgement', 'manager_motion'}
    of_camera = {
        name
        for name, function in inspect.getmembers(camera_commands, inspect.isfunction)
        if inspect.signature(function).return_annotation in ('Step', 'list[Step]')
    }
    assert (names - others) | of_camera | {'still_by_vendor'} == set(CALLS)
    for name in CALLS:
        assert {message.get_type() for message in commands_of(name)} == {'COMMAND_LONG'}, name


@pytest.mark.parametrize('name', CALLS)
def test_a_command_says_what_the_standard_reads(name):
    for message in commands_of(name):
        assert message.command in COMMANDS
        parameters = parameters_of(message)
        assert all(math.isfinite(value) for value in parameters.values())
        if message.command in range(31010, 31015):
            continue  # MAV_CMD_USER_1 to 5: the standard leaves them to the vendor
        faults = {
            number: fault(message.command, parameters, number)
            for number in parameters
            if (name, number) not in BY_THE_VENDOR
        }
        assert set(faults.values()) == {''}, (name, faults)


@pytest.mark.parametrize(('name', 'number'), BY_THE_VENDOR)
def test_each_difference_from_the_standard_is_one(name, number):
    """So that the list of excuses does not outlive them: somebody sends something other than nothing there."""
    if (name, number) == ('still_by_vendor', 3):
        assert {parameters_of(message)[number] for message in commands_of(name)} == {0.0}
    else:
        assert any(parameters_of(message)[number] != 0.0 for message in commands_of(name))


@pytest.mark.parametrize(
    'name', [each for each in CALLS if each.startswith(('zoom_', 'focus')) and each != 'zoom_factor']
)
def test_zoom_and_focus_are_within_the_range_of_their_type(name):
    for message in commands_of(name):
        low, high = RANGES_BY_TYPE[message.command, int(message.param1)]
        assert low <= message.param2 <= high


def test_one_picture_is_one_with_a_number_from_1():
    pictures = [message for message in commands_of('still') if message.command == 2000]
    for message in pictures:
        assert 'Total number of images' in COMMANDS[message.command].param[3]
        assert 'starting from 1' in COMMANDS[message.command].param[4]
        assert (message.param2, message.param3) == (0.0, 1.0)
        assert message.param4 >= 1.0
    assert [message.param4 for message in pictures] == [1.0, 1.0, 2.0, 2.0, 2.0**24, 2.0**24]
