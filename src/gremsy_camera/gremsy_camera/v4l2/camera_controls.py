# SPDX-License-Identifier: Apache-2.0
"""A camera's controls by name (`brightness`, `auto_exposure`): listed, checked against what they take, set."""

from __future__ import annotations

import ctypes
import errno
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.v4l2 import kernel_video as kernel
from gremsy_camera.v4l2.video_device import VideoDevice

_SWITCHES = {'true': 1, 'on': 1, 'yes': 1, '1': 1, 'false': 0, 'off': 0, 'no': 0, '0': 0}
_SET = (
    kernel.CTRL_TYPE_INTEGER,
    kernel.CTRL_TYPE_BOOLEAN,
    kernel.CTRL_TYPE_MENU,
    kernel.CTRL_TYPE_BUTTON,
    kernel.CTRL_TYPE_INTEGER64,
    kernel.CTRL_TYPE_BITMASK,
    kernel.CTRL_TYPE_INTEGER_MENU,
)
_MOST_CONTROLS = 500


@dataclass(frozen=True, slots=True)
class CameraControl:
    """One control.

    Attributes:
        number: the kernel's.
        name: as v4l2-ctl writes it, 'white_balance_automatic'.
        type: the kernel's, CTRL_TYPE_...
        low, high, step, default: of its value; of a menu the places in it.
        flags: the kernel's, CTRL_FLAG_...
        menu: names (or numbers) of a menu's entries, by place; a driver may leave places out.
    """

    number: int
    name: str
    type: int
    low: int
    high: int
    step: int
    default: int
    flags: int
    menu: tuple[tuple[int, str], ...] = ()

    @property
    def read_only(self) -> bool:
        """Whether it can only be read."""
        return bool(self.flags & kernel.CTRL_FLAG_READ_ONLY)

    @property
    def takes(self) -> str:
        """What it can be set to, in words."""
        if self.type == kernel.CTRL_TYPE_BOOLEAN:
            return 'true or false'
        if self.type == kernel.CTRL_TYPE_BUTTON:
            return 'any value, which presses it'
        if self.menu:
            return ', '.join(f'{name} ({place})' for place, name in self.menu)
        return f'{self.low} to {self.high}' + (f' in steps of {self.step}' if self.step > 1 else '')

    def value(self, text: str) -> int | None:
        """The number that a text stands for; None where it cannot be set to that."""
        if self.type == kernel.CTRL_TYPE_BOOLEAN:
            return _SWITCHES.get(text.strip().lower())
        if self.type == kernel.CTRL_TYPE_BUTTON:
            return 0
        if self.menu:
            by_name = {control_name(name): place for place, name in self.menu}
            places = {str(place): place for place, _ in self.menu}
            return by_name.get(control_name(text), places.get(text.strip()))
        try:
            number = int(text.strip(), 0)
        except ValueError:
            return None
        on_step = self.type == kernel.CTRL_TYPE_BITMASK or (number - self.low) % max(1, self.step) == 0
        # The kernel gives a bitmask's bits as `high`, and no lowest value.
        low = 0 if self.type == kernel.CTRL_TYPE_BITMASK else self.low
        return number if low <= number <= self.high and on_step else None


def control_name(text: str) -> str:
    """The driver's 'White Balance, Automatic' -> 'white_balance_automatic', as v4l2-ctl does it."""
    return re.sub(r'[^a-z0-9]+', '_', text.lower()).strip('_')


def camera_controls(device: VideoDevice) -> list[CameraControl]:
    """Every control that can be set or read, in the kernel's order."""
    found, number = [], 0
    for _ in range(_MOST_CONTROLS):
        answer = kernel.QueryControl(id=number | kernel.CTRL_FLAG_NEXT_CTRL)
        if not device.answers(kernel.QUERY_EXT_CTRL, answer):
            break
        number = int(answer.id)
        if answer.type == kernel.CTRL_TYPE_CTRL_CLASS or answer.flags & kernel.CTRL_FLAG_DISABLED:
            continue
        found.append(
            CameraControl(
                number,
                control_name(answer.name.decode(errors='replace')),
                int(answer.type),
                int(answer.minimum),
                int(answer.maximum),
                int(answer.step),
                int(answer.default_value),
                int(answer.flags),
                _menu(device, answer),
            )
        )
    return found


def set_controls(camera: str, device: VideoDevice, wanted: Sequence[tuple[str, str]]) -> None:
    """Set controls in the order given: one that is inactive while an automatic has it comes after the automatic.

    Raises:
        SourceUnusable: naming what there is and what it takes.
        SourceError: the driver did not take a value that it should take.
    """
    if not wanted:
        return
    known = {control.name: control for control in camera_controls(device)}
    for name, text in wanted:
        control = known.get(control_name(name))
        if control is None:
            raise SourceUnusable(f"The camera {camera} has no control '{name}': {_offer(known.values())}.")
        if control.read_only or control.type not in _SET:
            raise SourceUnusable(f"The control '{control.name}' of the camera {camera} cannot be set: leave it out.")
        value = control.value(text)
        if value is None:
            raise SourceUnusable(
                f"The control '{control.name}' of the camera {camera} cannot be '{text}': it takes {control.takes}."
            )
        _set(camera, device, control, value)


def _set(camera: str, device: VideoDevice, control: CameraControl, value: int) -> None:
    one = kernel.ExtControl(id=control.number)
    if control.type == kernel.CTRL_TYPE_INTEGER64:
        one.value64 = value
    else:
        one.value = ctypes.c_int32(value).value
    try:
        device.ioctl(kernel.S_EXT_CTRLS, kernel.ExtControls(which=0, count=1, controls=ctypes.pointer(one)))
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise
        # EACCES, EIO or EBUSY, by driver, where an automatic has it (uvcvideo: EACCES since 6.1, EIO before).
        raise SourceError(
            f"The camera {camera} did not take {value} for the control '{control.name}' ({error.strerror}): if an "
            'automatic mode controls it, put the option that switches that off before it.'
        ) from error
    given = int(one.value64 if control.type == kernel.CTRL_TYPE_INTEGER64 else one.value)
    if control.type != kernel.CTRL_TYPE_BUTTON and given != value:
        raise SourceUnusable(
            f"The camera {camera} made {given} of the {value} for the control '{control.name}': write {given}, or "
            'leave it out.'
        )


def _menu(device: VideoDevice, control: kernel.QueryControl) -> tuple[tuple[int, str], ...]:
    if control.type not in (kernel.CTRL_TYPE_MENU, kernel.CTRL_TYPE_INTEGER_MENU):
        return ()
    entries = []
    for place in range(int(control.minimum), min(int(control.maximum) + 1, int(control.minimum) + _MOST_CONTROLS)):
        answer = kernel.QueryMenu(id=control.id, index=place)
        # A device may leave places out.
        if device.answers(kernel.QUERYMENU, answer):
            number = control.type == kernel.CTRL_TYPE_INTEGER_MENU
            entries.append((place, str(answer.value) if number else answer.name.decode(errors='replace')))
    return tuple(entries)


def _offer(controls: Iterable[CameraControl]) -> str:
    each = [
        f'{control.name} ({control.takes})' for control in controls if not control.read_only and control.type in _SET
    ]
    return f'it has {"; ".join(each)}' if each else 'it has none'
