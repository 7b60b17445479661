# SPDX-License-Identifier: Apache-2.0
"""`gremsy_gimbal params`: the gimbal's own parameters, the camera's, and the camera's settings by name.

A name in small letters is a setting of `payload_control.settings` (view_source); others are the device's own (PWR_TILT
of the gimbal, C_SOURCE of the camera with `--of camera`).
"""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from gremsy_common.atomic_file import refuse_unwritable
from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.cli.device_view import DeviceView
from gremsy_gimbal_driver.cli.ending import MISUSED, ToolError, confirm
from gremsy_gimbal_driver.cli.parameter_file import (
    CAMERA,
    GIMBAL,
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
from gremsy_gimbal_driver.mavlink.mavlink_events import Event, ParameterValue
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import (
    GIMBAL_MODE_PARAMETER,
    ListParameters,
    ReadParameter,
    SetParameter,
    SetSetting,
)
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily, find_setting

_LIST_WAIT_S = 30.0
_WRITE_WAIT_S = 10.0
_WRITTEN = (ParameterState.WRITTEN, ParameterState.READ)
_NEVER_RESTORED = {GIMBAL: ('VERSION_X', 'VERSION_Y', 'VERSION_Z'), CAMERA: (GIMBAL_MODE_PARAMETER,)}
"""The firmware, and what moves the gimbal."""


class ParameterTool:
    """One session's parameters, of either owner."""

    def __init__(self, session: LinkSession, family: ProductFamily) -> None:
        self._session = session
        self._family = family
        self._view = DeviceView(session.encoder, session.components)
        self._parameters = GimbalParameters(session.encoder)
        session.attach(self._view.due, self._view.on_event)
        session.attach(lambda now_ns: self._parameters.due(session.gimbal, now_ns), self._on_event)
        self._control: PayloadControl | None = None

    def run(self, given: argparse.Namespace) -> int:
        """The exit status: 1 where `diff` found a difference.

        Raises:
            SuiteError: when it failed.
        """
        if given.action == 'list':
            self._print_list(given.of)
        elif given.action == 'get':
            print(f'{given.name} = {self._get(given.of, given.name)}')
        elif given.action == 'set':
            print(self._set(given.of, given.name, given.value))
        elif given.action == 'save':
            self._save(given.file)
        elif given.action == 'restore':
            self._restore(read_snapshot(given.file), given)
        else:
            return self._print_differences(read_snapshot(given.file))
        return 0

    def _on_event(self, event: Event, _now_ns: int) -> None:
        if isinstance(event, ParameterValue) and event.sender == self._session.gimbal:
            self._parameters.on_value(event)

    # What the device has.

    def _print_list(self, of: str | None) -> None:
        snapshot = self._snapshot(of)
        for owner in snapshot.values:
            for name, value in sorted(snapshot.of(owner).items()):
                print(f'{owner} {name} {value}')

    def _get(self, of: str | None, name: str) -> str:
        if name.islower():
            setting = find_setting(self._family, name)
            value = ask(self._session, self._payload, ReadParameter(setting.parameter)).value
            return 'unknown' if value is None else setting.word(value)
        if of == CAMERA:
            value = ask(self._session, self._payload, ReadParameter(name)).value
            return 'unknown' if value is None else f'{value:g}'
        self._session.find_gimbal()
        self._parameters.read(name)
        self._session.wait(lambda: not self._parameters.wanted, _WRITE_WAIT_S)
        if self._parameters.value(name) is None:
            raise ToolError(self._sentence(name))
        return str(self._parameters.value(name))

    def _set(self, of: str | None, name: str, value: str) -> str:
        if name.islower():
            # Found and checked here, so that a wrong word needs no device to be refused.
            find_setting(self._family, name).value(value)
            return ask(self._session, self._payload, SetSetting(name, value)).sentence
        number = _whole_number(name, value)
        if of == CAMERA:
            return ask(self._session, self._payload, SetParameter(name, number)).sentence
        self._write(name, number)
        return self._sentence(name)

    def _save(self, path: Path) -> None:
        refuse_file_of_others(path)
        refuse_unwritable(path)
        snapshot = self._snapshot(None)
        kept = write_snapshot(path, snapshot)
        if kept is not None:
            print(f"The earlier save of that name has other values: it is kept as '{kept}'.")
        counts = ', '.join(f'{len(snapshot.of(owner))} of the {owner}' for owner in snapshot.values)
        print(f"Saved {counts} to '{path}'.")

    def _print_differences(self, file: ParameterSnapshot) -> int:
        found = differences(file, self._snapshot_for(file))
        for difference in found:
            print(difference)
        if not found:
            print('No difference.')
        return 1 if found else 0

    def _restore(self, file: ParameterSnapshot, given: argparse.Namespace) -> None:
        device = self._snapshot_for(file)
        wanted = [
            each
            for each in differences(file, device)
            if each.file is not None and each.device is not None and each.name not in _NEVER_RESTORED[each.owner]
        ]
        if not wanted:
            print('Nothing to restore: the device has these values.')
            return
        for difference in wanted:
            print(difference)
        confirm(f'{_count(len(wanted))} of the device will be overwritten.', 'restore', given.yes)
        failed = []
        for difference in wanted:
            assert difference.file is not None
            try:
                if difference.owner == CAMERA:
                    ask(self._session, self._payload, SetParameter(difference.name, difference.file))
                else:
                    self._write(difference.name, difference.file)
            except SuiteError as error:
                failed.append(difference.name)
                print(error)
        if failed:
            raise ToolError(f'{len(failed)} of {_count(len(wanted))} were not restored: {", ".join(failed)}.')
        print(f'Restored {_count(len(wanted))}.')

    # One at a time.

    @property
    def _payload(self) -> PayloadControl:
        if self._control is None:
            self._control = payload_of(self._session, PayloadParameters(product=self._family))
        return self._control

    def _write(self, name: str, value: int) -> None:
        self._session.find_gimbal()
        self._parameters.write(name, value)
        self._session.wait(lambda: not self._parameters.wanted, _WRITE_WAIT_S)
        result = next((each for each in self._parameters.results.values() if name in (each.name, each.wire_name)), None)
        if result is None or result.state not in _WRITTEN or result.value != value:
            raise ToolError(self._sentence(name))

    def _sentence(self, name: str) -> str:
        results = self._parameters.results.values()
        result = next((each for each in results if name in (each.name, each.wire_name)), None)
        if result is None:
            return f'The gimbal has no parameter {name}.'
        silent = result.state is ParameterState.NONEXISTENT
        return (self._foreign(f'did not answer for parameter `{name}`') if silent else '') or result.sentence

    def _snapshot_for(self, file: ParameterSnapshot) -> ParameterSnapshot:
        """Of the owners that the file is about."""
        owners = list(file.values)
        return self._snapshot(owners[0] if len(owners) == 1 else None)

    def _snapshot(self, of: str | None) -> ParameterSnapshot:
        values: dict[str, Values] = {}
        if of != CAMERA:
            values[GIMBAL] = self._list_gimbal()
        # A bare gimbal has no camera to list, unless that is what was asked for.
        if of == CAMERA or (of is None and self._payload.components.camera is not None):
            ask(self._session, self._payload, ListParameters())
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
