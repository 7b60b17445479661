# SPDX-License-Identifier: Apache-2.0
"""The gimbal's own parameters, read, listed and written without ever waiting for them.

A gimbal does not reply at all about a parameter that it does not have, so no reply after all tries means that there is
none (gimbal.md 1.6). A write is believed once the gimbal reports the value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.device.parameter_names import NEWER_NAMES, OLDER_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_encoder import LONGEST_NAME, MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import ParameterValue, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import level_limits
from gremsy_gimbal_driver.mavlink.parameter_list import ListPace, ParameterList
from gremsy_gimbal_driver.motion.instant import nanoseconds

_AGAIN_NS = nanoseconds(0.1)
# Where 2 % of the bytes are lost, a request and its reply arrive one time in four, and all of these fail one time in
# 75: with five of them, one in four of those that were only lost would be reported as missing.
_TRIES = 15
# Four requests of 32 bytes every 100 ms and their replies take a ninth of a serial wire.
_AT_A_TIME = 4
# Sixteen requests for gaps and their replies take 0.1 s of a serial wire; on such a wire all rounds fail once in 300.
_LIST_PACE = ListPace(again_s=1.0, tries=6, quiet_s=1.0, at_a_time=16, repeats=False, fruitless_rounds=20)
_LOWEST, _HIGHEST = -(2**15), 2**15 - 1

LIMIT_NAMES = tuple(f'RC_LIM_{end}_{axis}' for axis in ('TILT', 'PAN') for end in ('MIN', 'MAX'))
"""What has to be read for `GimbalParameters.soft_limits`."""

_Range = tuple[float, float]


class ParameterState(Enum):
    """What is known of a parameter."""

    WANTED = 'wanted'  # asked for
    READ = 'read'  # the gimbal reported its value
    WRITING = 'writing'  # a new value was sent
    WRITTEN = 'written'  # the gimbal reports the value that was sent
    NOT_TAKEN = 'not taken'  # it reports another value
    UNANSWERED = 'unanswered'  # it replied before, but not now
    NONEXISTENT = 'nonexistent'  # it never replied


_OPEN = frozenset({ParameterState.WANTED, ParameterState.WRITING})


@dataclass(slots=True)
class GimbalParameter:
    """One parameter by today's name.

    Attributes:
        name: today's.
        wire_name: what the gimbal calls it, the same or the older name.
        state: how the last request ended, or that it has not.
        value: as the gimbal reported it last; None if it never did.
        new_value: what is being written, or was last.
        tries, next_ns, answered: of the last request.
    """

    name: str
    wire_name: str
    state: ParameterState
    value: int | None = None
    new_value: int | None = None
    tries: int = 0
    next_ns: int = 0
    answered: bool = False

    def begin(self, state: ParameterState, new_value: int | None = None) -> None:
        """A request, from its first try."""
        self.state, self.new_value = state, new_value
        self.tries, self.next_ns, self.answered = 0, 0, False

    @property
    def sentence(self) -> str:
        """What became of it, and the way out where it went wrong."""
        if self.state is ParameterState.NONEXISTENT:
            return (
                f'The gimbal did not answer for parameter `{self.name}`: its firmware has no such parameter, '
                'or gTune is connected and takes the replies: disconnect it and try again.'
            )
        if self.state is ParameterState.UNANSWERED:
            return (
                f'The gimbal did not answer for parameter `{self.name}`, which was {self.value} before: '
                'check the link and try again.'
            )
        if self.state is ParameterState.NOT_TAKEN:
            return (
                f'The gimbal kept parameter `{self.name}` at {self.value}: the value is out of its range, '
                'or only gTune may write it.'
            )
        return f'Parameter `{self.name}` is {self.value} ({self.state.value}).'


class GimbalParameters:
    """Call `due` often and `on_value` for every ParameterValue; look at `results`. Names are today's or older ones."""

    def __init__(self, encoder: MavlinkEncoder) -> None:
        self._encoder = encoder
        self._gimbal: Sender | None = None
        self._parameters: dict[str, GimbalParameter] = {}
        self._listing: ParameterList | None = None
        self._now_ns = 0

    def read(self, *names: str) -> None:
        """Ask for these; ones that are being asked for or written are left alone."""
        for name in names:
            parameter = self._parameter(name)
            if parameter.state not in _OPEN:
                parameter.begin(ParameterState.WANTED)

    def read_all(self) -> None:
        """Ask for the list of all; what comes appears in `results`."""
        self._listing = ParameterList(_LIST_PACE)

    def write(self, name: str, value: int) -> None:
        """Send a new value until the gimbal reports it; the newest write of a name counts."""
        if not _LOWEST <= value <= _HIGHEST or value != int(value):
            raise SuiteError(
                f'Parameter `{name}` takes a whole number from {_LOWEST} to {_HIGHEST}, which {value} is not: '
                'correct the value.'
            )
        self._parameter(name).begin(ParameterState.WRITING, int(value))

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is still being asked for or written, by today's names."""
        return tuple(name for name, each in self._parameters.items() if each.state in _OPEN)

    @property
    def listing(self) -> bool:
        """Whether a list is still coming."""
        return self._listing is not None and not self._listing.over

    @property
    def listed(self) -> tuple[int, int]:
        """How many of the list came, and of how many; (0, 0) where none came."""
        listing = self._listing
        return (0, 0) if listing is None else (listing.count - len(listing.missing), listing.count)

    @property
    def results(self) -> Mapping[str, GimbalParameter]:
        """Every parameter that was asked for or reported, by today's name."""
        return MappingProxyType(self._parameters)

    def result(self, name: str) -> GimbalParameter | None:
        """By today's name or the older; None for one that was never asked for and not reported."""
        return self._parameters.get(NEWER_NAMES.get(name, name))

    def value(self, name: str) -> int | None:
        """As the gimbal reported it last; None if it has not, or has none."""
        parameter = self.result(name)
        return None if parameter is None else parameter.value

    def soft_limits(self) -> tuple[_Range | None, _Range | None]:
        """The gimbal's own, of azimuth and tilt in the level frame (left +, down +); None where not known.

        RC_LIM_* are in degrees; their pan counts right +, and their tilt down + (gimbal.md 1.7).

        Older firmware's TRAVEL_*_PIT are left out: no source tells which way they count.
        """
        tilts = [self._parameters.get(name) for name in LIMIT_NAMES[:2]]
        is_older = any(each is not None and each.wire_name == OLDER_NAMES[each.name] for each in tilts)
        pan = self._range('PAN')
        return None if pan is None else level_limits(pan), None if is_older else self._range('TILT')

    def forget(self) -> None:
        """The gimbal is another one or restarted: what was wanted is asked for again, the rest is unknown."""
        for name in [name for name, each in self._parameters.items() if each.state not in _OPEN]:
            del self._parameters[name]
        for parameter in self._parameters.values():
            parameter.value, parameter.wire_name = None, parameter.name
            parameter.begin(parameter.state, parameter.new_value)
        if self.listing:
            self._listing = ParameterList(_LIST_PACE)

    def due(self, gimbal: Sender | None, now_ns: int) -> list[bytes]:
        """Messages to send now. Another gimbal is asked from the start."""
        self._now_ns = now_ns
        if gimbal is not None and gimbal != self._gimbal:
            if self._gimbal is not None:
                self.forget()
            self._gimbal = gimbal
        if gimbal is None:
            return []
        messages, encoder = [], self._encoder
        if self._listing is not None:
            messages = self._listing.due(now_ns, gimbal, encoder.list_parameters, encoder.read_parameter)
        under_way = 0
        for parameter in self._parameters.values():
            if parameter.state not in _OPEN:
                continue
            if now_ns >= parameter.next_ns:
                if parameter.tries >= _TRIES and not self._other_name(parameter):
                    continue
                parameter.tries += 1
                parameter.next_ns = now_ns + _AGAIN_NS
                messages += self._messages(gimbal, parameter)
            under_way += 1
            if under_way == _AT_A_TIME:
                break
        return messages

    def on_value(self, event: ParameterValue) -> None:
        """A value, asked for or not: the firmware's version comes unasked (gimbal.md 1.4)."""
        if not _LOWEST <= event.value <= _HIGHEST:
            return
        value = int(event.value)
        if self._listing is not None:
            self._listing.on_value(event.index, event.count, self._now_ns)
        name = NEWER_NAMES.get(event.name, event.name)
        parameter = self._parameters.get(name)
        if parameter is None:
            parameter = self._parameters[name] = GimbalParameter(name, event.name, ParameterState.READ)
        parameter.wire_name, parameter.value, parameter.answered = event.name, value, True
        if parameter.state is not ParameterState.WRITING:
            parameter.state = ParameterState.READ if parameter.state in _OPEN else _read_again(parameter, value)
        elif value == parameter.new_value:
            parameter.state = ParameterState.WRITTEN

    def _parameter(self, name: str) -> GimbalParameter:
        if not 0 < len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
            raise SuiteError(
                f'`{name}` cannot be the name of a gimbal parameter: use 1 to {LONGEST_NAME} ASCII characters, '
                'such as PWR_TILT.'
            )
        name = NEWER_NAMES.get(name, name)
        if name not in self._parameters:
            self._parameters[name] = GimbalParameter(name, name, ParameterState.WANTED)
        return self._parameters[name]

    def _range(self, axis: str) -> _Range | None:
        low, high = self.value(f'RC_LIM_MIN_{axis}'), self.value(f'RC_LIM_MAX_{axis}')
        if low is None or high is None or low >= high:
            return None
        return math.radians(low), math.radians(high)

    def _other_name(self, parameter: GimbalParameter) -> bool:
        """The tries ran out: go on under the older name, or end it; whether it goes on."""
        if parameter.value is not None:
            parameter.state = ParameterState.NOT_TAKEN if parameter.answered else ParameterState.UNANSWERED
            return False
        older = OLDER_NAMES.get(parameter.name)
        if older is None or parameter.wire_name == older:
            parameter.state = ParameterState.NONEXISTENT
            # The next request starts with today's name again: another firmware may be flashed by then.
            parameter.wire_name = parameter.name
            return False
        parameter.wire_name = older
        parameter.begin(parameter.state, parameter.new_value)
        return True

    def _messages(self, gimbal: Sender, parameter: GimbalParameter) -> list[bytes]:
        read = self._encoder.read_parameter(gimbal, parameter.wire_name)
        if parameter.new_value is None or parameter.state is not ParameterState.WRITING:
            return [read]
        # Not every firmware echoes a write, so its value is asked for behind it (as gSDK does).
        return [self._encoder.set_parameter(gimbal, parameter.wire_name, parameter.new_value), read]


def _read_again(parameter: GimbalParameter, value: int) -> ParameterState:
    """A value that came unasked: a finished write stays finished while the value is the one that was written."""
    kept = parameter.state is ParameterState.WRITTEN and value == parameter.new_value
    refused = parameter.state is ParameterState.NOT_TAKEN and value != parameter.new_value
    return parameter.state if kept or refused else ParameterState.READ
