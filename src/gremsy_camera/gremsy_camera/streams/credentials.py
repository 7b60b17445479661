# SPDX-License-Identifier: Apache-2.0
"""User names and passwords: where they come from, and that they are shown nowhere.

`rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo` takes them from the environment or from `secrets_file`. What is
logged, published or raised goes through `redacted`, which takes them out of any text.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from gremsy_camera.errors import SourceUnusable

_NAME = re.compile(r'\$\{([^}]*)\}')
_PROPER_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
# Up to the last @ before the path: a password that was not encoded may hold another, or a slash before it, and behind a
# colon blanks and quotes, which work. They are hidden behind a scheme that is misspelt too.
_USER_INFO = re.compile(
    r'(?i)(?P<scheme>://|\b(?:rtsp|http)s?(?::/|//)(?!/))'
    r'(?:[^\s\'"`]*@|[^\s\'"`/@:]*:[^/]*@)(?:[^/]*@)?'
)
# Without a scheme before it, as of a bare host; at the beginning of the text it may be anything, as above.
_BARE_USER_INFO = re.compile(
    r'(?P<scheme>)(?:(?<=[\s\'"`])[^\s/@:\'"`]+:[^\s/@]*|^(?!(?:external|file|gst|sim|v4l2):)[^\s/@:]+:[^/@]*)@(?=\S)'
)
# Makers who have them in the path or the query: `user=admin&password=…&channel=1`.
_NAMED_SECRET = re.compile(
    r'(?i)\b((?:user-)?p(?:ass(?:word|wd)?|wd|w)|user-id|token|secret|key|auth|user(?:name)?|usr|login)=[^&/?\s\'"`]*'
)
# Properties of GStreamer's elements, whose values may be quoted and hold anything.
_PROPERTY = re.compile(
    r'(?i)((?:^|(?<=\s))(?:user|proxy)-(?:id|pw)\s*=\s*|(?:^|(?<=\s))pass(?:word|wd)\s*=\s*)'
    r'("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|\S+)'
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def redacted(text: str) -> str:
    """The text without user names, passwords and tokens of the addresses in it; `${NAME}` reveals nothing and stays."""
    text = _PROPERTY.sub(lambda match: match[0] if _NAME.fullmatch(match[2].strip('"')) else f'{match[1]}…', text)
    return _NAMED_SECRET.sub(_hide_value, _BARE_USER_INFO.sub(_hide_user, _USER_INFO.sub(_hide_user, text)))


def fill_in(
    text: str, parameter: str, values: Mapping[str, str], encode: Callable[[str, int], str] | None = None
) -> str:
    """The address with each `${NAME}` replaced by its value, encoded as an address needs it.

    Args:
        text: of the parameter.
        parameter: its name, for the sentence.
        values: of the environment and the secrets file.
        encode: makes of a value what stands for it at a place of the text that is no address.

    Raises:
        SourceUnusable: for a name that is invalid or has no value; an empty value is one for a password only.
    """
    user_info_end = text.rfind('@')

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if not _PROPER_NAME.fullmatch(name):
            raise SourceUnusable(
                f'`{parameter}` has ${{{name}}}, which is not a valid name: use letters, digits and _.'
            )
        if name not in values:
            raise SourceUnusable(
                f'`{parameter}` {redacted(text)} needs {name}, which is neither in the environment nor in '
                '`secrets_file`: set it in one of them.'
            )
        # Some cameras have a user without a password.
        is_password = text[: match.start()].endswith(':') and match.start() < user_info_end
        if not values[name] and not is_password and encode is None:
            raise SourceUnusable(
                f'{name} is empty, and `{parameter}` {redacted(text)} needs it: set it in the environment or in '
                '`secrets_file`.'
            )
        if encode is not None:
            return encode(values[name], match.start())
        return quote(values[name], safe='' if match.start() < user_info_end else '/')

    return _NAME.sub(value_of, text)


def read_secrets(path: str, say: Callable[[str], None]) -> dict[str, str]:
    """The file's NAME=VALUE lines; empty lines and those that begin with # are left out. '' is no file.

    Args:
        path: of the file, `~` allowed.
        say: takes a warning where others may read the file.

    Raises:
        SourceUnusable: for a file that cannot be read, or a line that is no such line; the line itself is not shown.
    """
    if not path:
        return {}
    file = Path(path).expanduser()
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no text'
        raise SourceUnusable(f'`secrets_file` {path} cannot be read ({reason}): check the path and its mode.') from None
    if mode & _OTHERS:
        say(f'Others on this machine may read `secrets_file` {path}: chmod 600 {path}')
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        name, equals, value = line.partition('=')
        name, value = name.strip().removeprefix('export ').strip(), value.strip()
        if not equals or not _PROPER_NAME.fullmatch(name):
            raise SourceUnusable(f'Line {number} of `secrets_file` {path} is not NAME=VALUE: fix or remove it.')
        if len(value) >= 2 and value[0] == value[-1] and value[0] in '\'"':
            value = value[1:-1]
        found[name] = value
    return found


def known_secrets(path: str, say: Callable[[str], None]) -> Mapping[str, str]:
    """What `${NAME}` may stand for now: the environment, and over it the secrets file; see `read_secrets`."""
    return {**os.environ, **read_secrets(path, say)}


def _hide_user(match: re.Match[str]) -> str:
    scheme = match['scheme']
    return match[0] if not _NAME.sub('', match[0].removeprefix(scheme)).strip(':@') else scheme


def _hide_value(match: re.Match[str]) -> str:
    name, _, value = match[0].partition('=')
    return match[0] if _NAME.fullmatch(value) else f'{name}=…'
