# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal params`: the gimbal's own parameters, the camera's, and the camera's settings by name.

A name in small letters is a setting of `payload_control.settings` (view_source); others are the device's own (PWR_TILT
of the gimbal, C_SOURCE of the camera with `--of camera`).
"""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from functools import cached_property

from gremsy_common.atomic_file import refuse_unwritable
from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.cli.device_view import DeviceView
from gremsy_gimbal_driver.cli.ending import MISUSED, ToolError, confirm
from gremsy_gimbal_driver.cli.parameter_file import (
    CAMERA,
    GIMBAL,
    Difference,
    ParameterSnapshot,
    Values,
    differences,
    read_snapshot,
    refuse_file_of_others,
    write_snapshot,
)
from gremsy_gimbal_driver.cli.record import ask, payload_of
from gremsy_gimbal_driver.cli.session import LinkSession
from gremsy_gimbal_driver.device.gimbal_parameters import GimbalParameters, ParameterState
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.mavlink.mavlink_events import Event, ParameterValue
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import (
    GIMBAL_MODE_PARAMETER,
    ListParameters,
    ReadParameter,
    Request,
    SetParameter,
    SetSetting,
)
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily, find_setting
from gremsy_gimbal_driver.payload.pending_request import RequestResult

_LIST_WAIT_S = 30.0
_WRITE_WAIT_S = 10.0
_WRITTEN = (ParameterState.WRITTEN, ParameterState.READ)
_NEVER_RESTORED = {GIMBAL: ('VERSION_X', 'VERSION_Y', 'VERSION_Z'), CAMERA: (GIMBAL_MODE_PARAMETER,)}
"""The firmware, and what moves the gimbal."""


def with_parameters(link: Link, given: argparse.Namespace) -> int | None:
    """Do with a tool of that family's what was asked for; the exit status, None for 0.

    Raises:
        SuiteError: when it failed.
    """
    with LinkSession(link) as opened:
        status: int | None = given.do(ParameterTool(opened, ProductFamily(given.family)), given)
    return status


class ParameterTool:
    """One session's parameters, of either owner; each action reads its own arguments and prints what came of it."""

    def __init__(self, opened: LinkSession, family: ProductFamily) -> None:
        self._session = opened
        self._family = family
        self._view = DeviceView(opened)
        self._parameters = GimbalParameters(opened.encoder)
        opened.attach(lambda now_ns: self._parameters.due(opened.components.gimbal, now_ns), self._on_event)

    def print_all(self, given: argparse.Namespace) -> None:
        """`list`."""
        for owner, values in self._snapshot(given.of).values.items():
            for name, value in sorted(values.items()):
                print(f'{owner} {name} {value}')

    def print_one(self, given: argparse.Namespace) -> None:
        """`get`."""
        print(f'{given.name} = {self._text(given.of, given.name)}')

    def set_one(self, given: argparse.Namespace) -> None:
        """`set`."""
        name, value = given.name, given.value
        if name.islower():
            # Found and checked here, so that a wrong word needs no device to be refused.
            find_setting(self._family, name).value(value)
            print(self._ask(SetSetting(name, value)).sentence)
            return
        number = _whole_number(name, value)
        if given.of == CAMERA:
            print(self._ask(SetParameter(name, number)).sentence)
        else:
            self._write(name, number)
            print(self._sentence(name))

    def save(self, given: argparse.Namespace) -> None:
        """Whatever would be in the way of the file is found first."""
        refuse_file_of_others(given.file)
        refuse_unwritable(given.file)
        snapshot = self._snapshot(None)
        kept = write_snapshot(given.file, snapshot)
        if kept is not None:
            print(f"The earlier save of that name has other values: it is kept as '{kept}'.")
        counts = ', '.join(f'{len(values)} of the {owner}' for owner, values in snapshot.values.items())
        print(f"Saved {counts} to '{given.file}'.")

    def print_differences(self, given: argparse.Namespace) -> int:
        """`diff`: 1 where it found one."""
        found = self._differences(read_snapshot(given.file))
        print('\n'.join(map(str, found)) or 'No difference.')
        return 1 if found else 0

    def restore(self, given: argparse.Namespace) -> None:
        """What both sides have, and that may be written."""
        wanted = [
            (each, each.file)
            for each in self._differences(read_snapshot(given.file))
            if each.file is not None and each.device is not None and each.name not in _NEVER_RESTORED[each.owner]
        ]
        if not wanted:
            print('Nothing to restore: the device has these values.')
            return
        print('\n'.join(str(difference) for difference, _ in wanted))
        confirm(f'{_count(len(wanted))} of the device will be overwritten.', 'restore', given.yes)
        failed = []
        for difference, value in wanted:
            try:
                if difference.owner == CAMERA:
                    self._ask(SetParameter(difference.name, value))
                else:
                    self._write(difference.name, value)
            except SuiteError as error:
                failed.append(difference.name)
                print(error)
        if failed:
            raise ToolError(f'{len(failed)} of {_count(len(wanted))} were not restored: {", ".join(failed)}.')
        print(f'Restored {_count(len(wanted))}.')

    # One at a time.

    def _on_event(self, event: Event, _now_ns: int) -> None:
        if isinstance(event, ParameterValue) and event.sender == self._session.components.gimbal:
            self._parameters.on_value(event)

    @cached_property
    def _payload(self) -> PayloadControl:
        return payload_of(self._session, PayloadParameters(product=self._family))

    def _ask(self, request: Request) -> RequestResult:
        return ask(self._session, self._payload, request)

    def _text(self, of: str | None, name: str) -> str:
        """The value of a parameter or the word of a setting."""
        if name.islower():
            setting = find_setting(self._family, name)
            value = self._ask(ReadParameter(setting.parameter)).value
            return 'unknown' if value is None else setting.word(value)
        if of == CAMERA:
            value = self._ask(ReadParameter(name)).value
            return 'unknown' if value is None else f'{value:g}'
        self._session.find_gimbal()
        self._parameters.read(name)
        self._session.wait(lambda: not self._parameters.wanted, _WRITE_WAIT_S)
        if self._parameters.value(name) is None:
            raise ToolError(self._sentence(name))
        return str(self._parameters.value(name))

    def _write(self, name: str, value: int) -> None:
        self._session.find_gimbal()
        self._parameters.write(name, value)
        self._session.wait(lambda: not self._parameters.wanted, _WRITE_WAIT_S)
        result = self._parameters.result(name)
        if result is None or result.state not in _WRITTEN or result.value != value:
            raise ToolError(self._sentence(name))

    def _sentence(self, name: str) -> str:
        result = self._parameters.result(name)
        if result is None:
            return f'The gimbal has no parameter {name}.'
        silent = result.state is ParameterState.NONEXISTENT
        return (self._foreign(f'did not answer for parameter `{name}`') if silent else '') or result.sentence

    def _differences(self, file: ParameterSnapshot) -> list[Difference]:
        """Of the owners that the file is about."""
        owners = list(file.values)
        return differences(file, self._snapshot(owners[0] if len(owners) == 1 else None))

    def _snapshot(self, of: str | None) -> ParameterSnapshot:
        values: dict[str, Values] = {}
        if of != CAMERA:
            values[GIMBAL] = self._list_gimbal()
        # A bare gimbal has no camera to list, unless that is what was asked for.
        if of == CAMERA or (of is None and self._payload.components.camera is not None):
            self._ask(ListParameters())
            values[CAMERA] = {name: int(value) for name, value in self._payload.parameters.values.items()}
        information = self._view.information
        return ParameterSnapshot(
            '' if information is None else information.model,
            '' if information is None else information.version,
            datetime.now(timezone.utc).isoformat(timespec='seconds'),
            values,
        )

    def _list_gimbal(self) -> Values:
        self._session.find_gimbal()
        self._parameters.read_all()
        self._session.wait(lambda: not self._parameters.listing, _LIST_WAIT_S)
        came, count = self._parameters.listed
        if count and came < count:
            raise ToolError(
                f'The gimbal sent {came} of {count} parameters: check the link, which loses messages, and try again.'
            )
        values = {name: each.value for name, each in self._parameters.results.items() if each.value is not None}
        if not values:
            raise ToolError(
                self._foreign('sent no list of parameters')
                or 'The gimbal sent no list of parameters: disconnect gTune, which takes the replies, and try again.'
            )
        return values

    def _foreign(self, what: str) -> str:
        """The sentence for a gimbal that is not Gremsy's, which is the reason then; empty where it is."""
        information = self._view.information
        if information is None or not information.is_foreign:
            return ''
        return (
            f"The gimbal ({information.vendor} {information.model}) {what}: it is not of Gremsy's make and need not "
            'have any; use its own tool.'
        )


def _count(number: int) -> str:
    return f'{number} parameter' if number == 1 else f'{number} parameters'


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ToolError(f"{name} cannot be '{text}': use a whole number.", MISUSED) from None
