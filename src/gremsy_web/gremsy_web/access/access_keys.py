# SPDX-License-Identifier: Apache-2.0
"""Who may see and who may move: keys from the environment or a file, and signed tokens that stand for them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from gremsy_common.errors import SuiteError

KEY_VARIABLE = 'GREMSY_WEB_KEY'
VIEW_KEY_VARIABLE = 'GREMSY_WEB_VIEW_KEY'
PUBLISH_KEY_VARIABLE = 'GREMSY_WEB_PUBLISH_KEY'
_SHORTEST_KEY = 16
# Nobody's token is this long; a longer one is not looked at.
_LONGEST_SECRET = 1024


class KeyFileError(SuiteError):
    """Keys that cannot be used; the text names the file or variable, never a key."""


class Role(str, Enum):
    """What a caller may do."""

    VIEW = 'view'
    CONTROL = 'control'
    PUBLISH = 'publish'
    """Only to publish video at the media server."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose key or token was good."""

    role: Role
    by_cookie: bool = False


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """The SHA-256 of each key by role: the keys themselves are not kept.

    Attributes:
        digests: of the keys that there are; none means that whoever reaches the server may control.
        signing: what tokens are signed with. Of the control key's own, so that a token outlives a restart of the
            server, and ends with the key.
    """

    digests: tuple[tuple[Role, bytes], ...] = ()
    signing: bytes = b''

    @property
    def is_open(self) -> bool:
        """Whether there is no key for people at all."""
        return not any(role is not Role.PUBLISH for role, _ in self.digests)

    @property
    def has_publish_key(self) -> bool:
        """Whether publishers need one of their own."""
        return any(role is Role.PUBLISH for role, _ in self.digests)

    def role_of_key(self, key: str) -> Role | None:
        """The role of that key; the same work whatever is wrong with it."""
        given = hashlib.sha256(key[:_LONGEST_SECRET].encode(errors='surrogatepass')).digest()
        found: Role | None = None
        for role, digest in self.digests:
            # Every one is compared, so that the time says nothing of which was nearest.
            if hmac.compare_digest(given, digest):
                found = role
        return found

    def role_of(self, secret: str, now_s: float) -> Role | None:
        """The role of a key or of a token that is still good."""
        by_key = self.role_of_key(secret)
        by_token = self._role_of_token(secret[:_LONGEST_SECRET], now_s)
        return by_key or by_token

    def token(self, role: Role, until_s: float) -> str:
        """A signed token that is good until then (seconds since 1970)."""
        payload = _b64(json.dumps({'role': role.value, 'until': int(until_s)}).encode())
        return f'{payload}.{self._signature(payload)}'

    def _role_of_token(self, token: str, now_s: float) -> Role | None:
        payload, _, signature = token.partition('.')
        good = hmac.compare_digest(
            self._signature(payload).encode(), signature.encode(errors='surrogatepass')
        ) and bool(self.signing)
        if not good:
            return None
        try:
            content: Any = json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))
            role, until_s = Role(content['role']), float(content['until'])
        except (ValueError, KeyError, TypeError, binascii.Error):
            # Signed by us, so of another version of the suite: no good any more.
            return None
        return role if now_s < until_s else None

    def _signature(self, payload: str) -> str:
        return _b64(hmac.new(self.signing or b'none', payload.encode(errors='surrogatepass'), hashlib.sha256).digest())


def keys_from(environment: Mapping[str, str], keys_file: str = '') -> AccessKeys:
    """The keys of the environment and of the file, whose lines are `control: KEY`, `view: KEY` and `publish: KEY`.

    Raises:
        KeyFileError: for a file that cannot be read, that others may read, or that holds something else, and for a key
            that is too short.
    """
    named = {
        f'The environment variable {variable}': (role, environment[variable])
        for variable, role in (
            (KEY_VARIABLE, Role.CONTROL),
            (VIEW_KEY_VARIABLE, Role.VIEW),
            (PUBLISH_KEY_VARIABLE, Role.PUBLISH),
        )
        if environment.get(variable)
    }
    if keys_file:
        named |= {f'`{role.value}` of {keys_file}': (role, key) for role, key in _read(Path(keys_file).expanduser())}
    for where, (_, key) in named.items():
        if len(key) < _SHORTEST_KEY:
            raise KeyFileError(
                f'{where} is a key of {len(key)} characters: use {_SHORTEST_KEY} or more, as `openssl rand -hex 16` '
                'makes them.'
            )
    digests = tuple((role, hashlib.sha256(key.encode()).digest()) for role, key in named.values())
    signing = hashlib.sha256(b'gremsy session' + b''.join(digest for _, digest in digests)).digest()
    return AccessKeys(digests, signing if digests else b'')


def _read(path: Path) -> list[tuple[Role, str]]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else 'it is no text'
        raise KeyFileError(
            f"Parameter `keys_file` is '{path}', which cannot be read ({reason}): name a file of your own."
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f'The keys in {path} can be read by others on this machine: run chmod 600 {path}.')
    try:
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KeyFileError(f'The keys file {path} is not YAML: write lines such as `control: KEY`.') from error
    roles = {role.value: role for role in Role}
    if not isinstance(content, dict) or not content:
        raise KeyFileError(f'The keys file {path} holds no keys: write lines such as `control: KEY`.')
    for name, key in content.items():
        if name not in roles or not isinstance(key, str):
            raise KeyFileError(
                f'The keys file {path} has an entry that is not a key: use `control`, `view` and `publish`, each '
                'with a text (in quotes where it is all digits).'
            )
    return [(roles[name], key) for name, key in content.items()]


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b'=').decode()
