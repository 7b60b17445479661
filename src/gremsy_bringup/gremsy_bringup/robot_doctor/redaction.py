# SPDX-License-Identifier: Apache-2.0
"""Takes secrets out of any text: those that are known, in every form that they may have, and what looks like one."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from gremsy_camera.streams.credentials import redacted

GONE = '(removed)'
_BASE64 = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-=')
# Shorter ones would take half of every number with them; they go where their place shows what they are.
_SHORTEST = 4
_SHORTEST_BASE64 = 4
_SECRET_NAME = re.compile(r'(?i)(key|pass(word|wd)?|pwd|token|secret|psk|credential|_user$|^user$|login|auth)')
# Names of files, roles and the like, which are no secrets.
_NO_SECRET_NAME = re.compile(
    r'(?i)(_file|_dir|_path|_sha256|monkey|keyboard|ssh_auth_sock|xauthority)$|^(user|logname)$'
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r'-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)', re.DOTALL), GONE),
    (re.compile(r'(?i)\b((?:set-)?cookie["\']?\s*[:=]\s*)[^\n]+'), rf'\1{GONE}'),
    (re.compile(r'(?i)\b(authorization["\']?\s*[:=]\s*["\']?)[^\n"\']+'), rf'\1{GONE}'),
    (re.compile(r'(?i)\b(bearer[ :]+)[\w.~+/=-]+'), rf'\1{GONE}'),
    (re.compile(r'(?i)\b(basic )[A-Za-z0-9+/=]{8,}'), rf'\1{GONE}'),
    (re.compile(r'\beyJ[\w-]+\.[\w-]+\.[\w-]*'), GONE),
    (re.compile(r'\b(gh[pousr]_|github_pat_|glpat-|AKIA|sk-)[A-Za-z0-9_-]{12,}'), GONE),
    (re.compile(r'\b(ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+) [A-Za-z0-9+/=]{20,}(?: \S+)?'), rf'\1 {GONE}'),
    # The part of a WHEP session's address that lets others end it.
    (re.compile(r'(/whep/)[\w-]{8,}'), rf'\1{GONE}'),
    (re.compile(r'(?i)\b(e?ssid["\']?\s*[:=]\s*)("[^"\n]*"|\'[^\'\n]*\'|[^\s,;]+)'), rf'\1{GONE}'),
    # MAC addresses, and the IPv6 addresses that are made of them.
    (re.compile(r'(?i)(?<![\da-f:])(?:[\da-f]{2}:){5}[\da-f]{2}(?![\da-f:])'), 'xx:xx:xx:xx:xx:xx'),
    (
        re.compile(
            r'(?i)(?<![\da-f:.\w])(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|[23][\da-f]{3}:[\da-f:]*::[\da-f:]*[\da-f]+)'
        ),
        'xxxx::xxxx',
    ),
    (re.compile(r'/home/[^/\s:\'"]+'), '/home/USER'),
)
_NAMED_VALUE = re.compile(
    r"""(?ix) (?P<name>["']?[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|psk|credential)[\w-]*["']?
    \s*[:=]\s*) (?P<value>\$\{[^}\n]*\}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,;}\]]+)"""
)
_EMPTY = re.compile(r'["\']?(\$\{\w+(:-)?\}|null|none|true|false|\(removed\))?["\']?', re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a variable or parameter of that name has a secret as its value."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


class Redactor:
    """Knows the secrets of one machine.

    Args:
        secrets: each whole.
        names: what else is to be called otherwise: user, host, serial numbers.
    """

    def __init__(self, secrets: Iterable[str], names: Mapping[str, str] | None = None) -> None:
        self.secrets = sorted(
            {each.strip() for each in secrets if len(each.strip()) >= _SHORTEST}, key=len, reverse=True
        )
        forms = {form for secret in self.secrets for form in _written_forms(secret)}
        cores = {core for secret in self.secrets for core in _base64_cores(secret)}
        self._forms = _any_of(forms)
        self._cores = _any_of(cores)
        self._known = [form.encode() for form in forms | cores]
        self._names = {
            re.compile(rf'(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])'): word
            for name, word in (names or {}).items()
        }

    def text(self, text: str) -> str:
        """Without them."""
        if self._forms is not None:
            text = self._forms.sub(GONE, text)
        if self._cores is not None:
            text = _without_runs(text, self._cores)
        for pattern, word in _PATTERNS:
            text = pattern.sub(word, text)
        for pattern, word in self._names.items():
            text = pattern.sub(word, text)
        # Addresses a line at a time, as they are written.
        return '\n'.join(_NAMED_VALUE.sub(_hidden, redacted(line)) for line in text.split('\n'))

    def leaks(self, data: bytes) -> bool:
        """Whether one of the known secrets is in there after all."""
        return any(form in data for form in self._known)


def _hidden(match: re.Match[str]) -> str:
    return match[0] if _EMPTY.fullmatch(match['value']) else f'{match["name"]}{GONE}'


def _without_runs(text: str, cores: re.Pattern[str]) -> str:
    """Each core goes with the whole run of base64 that it stands in."""
    kept, position = [], 0
    for match in cores.finditer(text):
        if match.start() < position:
            continue
        start, end = match.span()
        while start > position and text[start - 1] in _BASE64:
            start -= 1
        while end < len(text) and text[end] in _BASE64:
            end += 1
        kept += [text[position:start], GONE]
        position = end
    return ''.join([*kept, text[position:]])


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    # The longest first, since one may be the beginning of another.
    ordered = sorted(words, key=len, reverse=True)
    return re.compile('|'.join(map(re.escape, ordered))) if ordered else None


def _written_forms(secret: str) -> set[str]:
    """As it stands in a file, an address, JSON, a page, YAML, a shell."""
    addresses = {quote(secret, safe=''), quote(secret), quote_plus(secret)}
    lower = {re.sub(r'%[0-9A-F]{2}', lambda match: match[0].lower(), each) for each in addresses}
    twice = {quote(each, safe='') for each in addresses}
    return {
        secret,
        *addresses,
        *lower,
        *twice,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        secret.replace("'", "''"),
        secret.replace("'", "'\\''"),
        secret.encode().hex(),
    }


def _base64_cores(secret: str) -> set[str]:
    """What of its base64 does not depend on what stands before and after it, for each of the three alignments."""
    data, found = secret.encode(), set()
    for offset in range(3):
        encoded = base64.b64encode(b'\0' * offset + data).decode()
        core = encoded[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6]
        if len(core) >= _SHORTEST_BASE64:
            found |= {core, core.replace('+', '-').replace('/', '_')}
    return found
