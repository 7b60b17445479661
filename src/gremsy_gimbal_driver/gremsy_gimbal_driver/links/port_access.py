# SPDX-License-Identifier: Apache-2.0
"""Why a serial port does not open, as one sentence with the way out; who may open it is read from its node."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import termios
from dataclasses import dataclass

_USUAL_GROUP = 'dialout'
_GROUP_MAY = 0o060


@dataclass(frozen=True, slots=True)
class PortAccess:
    """Who may open a device node.

    Attributes:
        group: its name; empty where this machine has none for it, as in a container.
        group_may: read and write it.
        is_in_group: this process, now.
        will_be_in_group: this user, after the next login.
    """

    owner: str
    group: str
    group_id: int
    group_may: bool
    is_in_group: bool
    will_be_in_group: bool


def read_access(device: str) -> PortAccess | None:
    """None where the node cannot be looked at."""
    try:
        status = os.stat(device)  # noqa: PTH116 - the device is a string everywhere, and errno is what matters
    except OSError:
        return None
    user = _user_name(os.geteuid())
    try:
        entry = grp.getgrgid(status.st_gid)
        group, members = entry.gr_name, entry.gr_mem
    except KeyError:
        group, members = '', []
    return PortAccess(
        owner=_user_name(status.st_uid),
        group=group,
        group_id=status.st_gid,
        group_may=status.st_mode & _GROUP_MAY == _GROUP_MAY,
        is_in_group=status.st_gid in (*os.getgroups(), os.getegid()),
        will_be_in_group=user in members,
    )


def refusal(device: str, baud: int, error: BaseException) -> str:
    """The sentence for what opening it raised."""
    number = _error_number(error)
    if number == errno.ENOENT:
        return f'There is no serial port {device}: plug the gimbal in, or correct the parameter `link`.'
    if number in (errno.EACCES, errno.EPERM):
        return no_permission(device, read_access(device))
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK):
        return f'Another program holds the serial port {device}: close it (gTune, a second driver) first.'
    if number in (errno.ENOTTY, errno.EISDIR, errno.ENOTDIR):
        return (
            f'{device} is not a serial port: correct the parameter `link` '
            '(ls /dev/serial/by-id shows the ports that are plugged in).'
        )
    if number in (errno.EIO, errno.ENXIO, errno.ENODEV):
        return f'The serial port {device} has no device attached: plug the gimbal in, or correct the parameter `link`.'
    return f'{device} is not a serial port that opens at {baud} baud ({error}): correct the parameter `link`.'


def no_permission(device: str, access: PortAccess | None) -> str:
    """The sentence for a port that this user may not open."""
    start = f'No permission to open the serial port {device}: '
    if access is None:
        return start + _join(_USUAL_GROUP)
    if not access.group_may or access.group_id == 0:
        # Nobody should join the group root for a cable.
        return (
            f'{start}only its owner {access.owner} may; give it to the group {_USUAL_GROUP} '
            f'(sudo chgrp {_USUAL_GROUP} {device} && sudo chmod g+rw {device}, or a udev rule that does so).'
        )
    if access.is_in_group:
        return (
            f'{start}this user is in its group {access.group or access.group_id}, so something else forbids it: '
            'in a container, start that with --device for this port.'
        )
    if not access.group:
        return (
            f'{start}it belongs to the group {access.group_id}, which has no name here: '
            f'start this container with --group-add {access.group_id}.'
        )
    if access.will_be_in_group:
        return f'{start}this user joined its group {access.group} after logging in: log in again.'
    return start + _join(access.group)


def _join(group: str) -> str:
    return f'add this user to the group {group} (sudo usermod -aG {group} $USER) and log in again.'


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _error_number(error: BaseException) -> int | None:
    """Also of what pyserial wraps in a sentence of its own, without the number."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, OSError) and each.errno is not None:
            return each.errno
        if isinstance(each, termios.error) and each.args and isinstance(each.args[0], int):
            return each.args[0]
    return None
