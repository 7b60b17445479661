# SPDX-License-Identifier: Apache-2.0
"""Keys and passwords: there, none's example, and read by nobody else. None of them is ever shown."""

from __future__ import annotations

import re
from pathlib import Path

from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.robot_view import Robot

_OTHERS = 0o077
# `openssl rand -hex 16` has 32 letters; below 16 a key of words is guessed.
_SHORTEST_KEY = 16
# What stands in examples, of ours, of MediaMTX and of the rest of the world.
_EXAMPLES = {
    'key',
    'secret',
    'password',
    'changeme',
    'change-me',
    'admin',
    'auth_secret',
    'your-key',
    'gremsy',
    '12345678',
}
_ROLES = ('control', 'view', 'publish')
_INLINE_PASSWORD = re.compile(r'://[^\s/@:\'"]+:(?!\$\{)[^\s/@\'"]+@')
_NEW_KEY = '`openssl rand -hex 16`'


def keys(robot: Robot) -> Check | None:
    """Of the page: who has one controls the robot."""
    installation, host = robot.installation, robot.host
    if not installation.in_containers:
        return None
    said, path = installation.setting('API_KEY'), robot.keys_file
    if path is None and not said:
        remedy = f'Put a key into {installation.settings_file} as API_KEY, made by {_NEW_KEY}.'
        return Check('Keys', False, 'none: the page answers on this machine only', remedy)
    if path is None:
        return _weak([said], f'API_KEY in {installation.settings_file}') or Check(
            'Keys', True, 'API_KEY (KEYS_FILE would keep it out of `docker inspect`)'
        )
    owner, text = host.owner(path), host.text(path)
    if owner is None:
        remedy = f'Make it, with lines `control: KEY` and `view: KEY`, keys by {_NEW_KEY}; then `chmod 600 {path}`.'
        return Check('Keys', False, f'KEYS_FILE is {path}, which is not there', remedy, needed=True)
    if owner.mode & _OTHERS:
        found = f'{path} may be read by others (mode {owner.mode:o})'
        return Check('Keys', False, found, f'Run `chmod 600 {path}`.', needed=True, lack='open')
    number = installation.setting('UID', '1000')
    if str(owner.user) != number:
        remedy = f'Run `sudo chown {number} {path}`.'
        return Check('Keys', False, f'{path} is not of user {number} (UID in .env)', remedy, needed=True, lack='denied')
    if text is None:
        return Check('Keys', True, f'{path}, which only user {number} may read')
    named = dict(re.findall(r"""^\s*(\w+)\s*:\s*['"]?([^'"\s#]+)""", text, re.MULTILINE))
    if not named.keys() & set(_ROLES):
        remedy = f'Write lines `control: KEY` and `view: KEY` into it, keys by {_NEW_KEY}.'
        return Check('Keys', False, f'{path} has no key', remedy, needed=True)
    found = f'{path}: {", ".join(role for role in _ROLES if role in named)}'
    return _weak([named[role] for role in _ROLES if role in named], str(path)) or Check('Keys', True, found)


def _weak(values: list[str], where: str) -> Check | None:
    if any(value.lower() in _EXAMPLES for value in values):
        return Check('Keys', False, f"{where} is an example's", f'Make one with {_NEW_KEY}.', needed=True, lack='weak')
    if any(len(value) < _SHORTEST_KEY for value in values):
        found = f'{where} has fewer than {_SHORTEST_KEY} letters'
        return Check('Keys', False, found, f'Make one with {_NEW_KEY}.', lack='weak')
    return None


def secret_files(robot: Robot) -> Check | None:
    """Whatever has a secret in it is for its owner alone."""
    installation, host = robot.installation, robot.host
    watched: list[Path] = []
    if installation.settings_file and any(installation.setting(name) for name in ('API_KEY', 'CAMERA_PASSWORD')):
        watched.append(installation.settings_file)
    inline = [line for line in installation.lines if _INLINE_PASSWORD.search(line)]
    if installation.settings_file and any(_INLINE_PASSWORD.search(value) for value in installation.settings.values()):
        watched.append(installation.settings_file)
    if inline and installation.parameters:
        watched.append(installation.parameters)
    watched = [path for path in dict.fromkeys([*watched, *robot.secret_files]) if path != robot.keys_file]
    open_ones = [path for path in watched if (owner := host.owner(path)) is not None and owner.mode & _OTHERS]
    if open_ones:
        remedy = f'Run `chmod 600 {" ".join(map(str, open_ones))}`.'
        found = f'may be read by others: {", ".join(map(str, open_ones))}'
        return Check('Secrets', False, found, remedy, needed=True, lack='open')
    if inline:
        remedy = (
            'Write rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@... there, and set both in .env or in `secrets_file`: '
            'parameter files are copied and shown to others.'
        )
        return Check('Secrets', False, f'a password stands in {installation.parameters}', remedy, lack='inline')
    if not watched:
        return None
    return Check('Secrets', True, f'for their owner alone: {", ".join(map(str, watched))}')


SECRET_QUESTIONS = (keys, secret_files)
