# SPDX-License-Identifier: Apache-2.0
"""`python -m gremsy_bringup.deployment.health_check`: what a container's HEALTHCHECK asks; the standard library alone.

Healthy is a suite that can be operated: its page answers, and, where a key lets it ask, every process of it reports.
A camera that is unplugged or a gimbal that is off is shown on the page and in /health/ready, and does not make the
container unhealthy: a restart would not help. `--ready` asks for all of it, as a release does before the
old one goes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_KEYS = Path('/run/secrets/gremsy_keys')
_TIMEOUT_S = 3.0
# The page is asked itself: no proxy of the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def key_of(environment: Mapping[str, str], keys: Path = _KEYS) -> str:
    """A key that may look, or control; empty for none."""
    for name in ('GREMSY_WEB_VIEW_KEY', 'GREMSY_WEB_KEY'):
        if environment.get(name):
            return environment[name]
    try:
        lines = keys.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
        # The page reports what is wrong with the file; it is alive all the same.
        return ''
    named = dict(line.split(':', 1) for line in lines if ':' in line and not line.lstrip().startswith('#'))
    return next((named[role].strip().strip('\'"') for role in ('view', 'control') if role in named), '')


def failing(parts: Sequence[Mapping[str, Any]], *, everything: bool, camera: str = '') -> list[str]:
    """What is not as it must be, in words, of the parts of /health/ready; with `camera` that camera's part alone."""

    def asked(part: Mapping[str, Any]) -> bool:
        return bool(part['name'] == f'camera {camera}') if camera else everything or _is_dead(part)

    return [f'{part["name"]}: {part["reason"]}' for part in parts if not part['ready'] and asked(part)]


def _is_dead(part: Mapping[str, Any]) -> bool:
    return str(part['name']).startswith('node ') and str(part['reason']).startswith('It has reported nothing')


def ask(base: str, key: str, *, everything: bool, camera: str = '') -> str:
    """One sentence of what is wrong; empty where nothing is."""
    status, text = ask_page(f'{base}/health', '')
    if status == 200:
        status, text = ask_page(f'{base}/health/ready', key)
    try:
        parts = json.loads(text).get('parts') if status in (200, 503) else None
    except (ValueError, AttributeError):
        status, text = 0, 'it does not answer in JSON'
    if status not in (200, 503):
        return f'The page does not answer at {base} ({f"HTTP status {status}" if status else text}).'
    if parts is None:
        return '' if status == 200 or not everything else 'Not ready; a key (API_KEY) would tell why.'
    return '; '.join(failing(parts, everything=everything, camera=camera))


def ask_page(url: str, key: str) -> tuple[int, str]:
    """Status and text of a response; status 0 and the reason where none came."""
    request = urllib.request.Request(url, headers={'Authorization': f'Bearer {key}'} if key else {})  # noqa: S310 -- ours
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as response:
            return response.status, response.read().decode(errors='replace')
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors='replace')
    except (OSError, ValueError, http.client.HTTPException) as error:
        # The last is for a server there that does not speak HTTP.
        return 0, str(error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit status 0 for healthy, 1 with a sentence otherwise."""
    parser = argparse.ArgumentParser(prog='health_check', description="What a container's HEALTHCHECK asks.")
    parser.add_argument('--url', default=f'http://127.0.0.1:{os.environ.get("PORT") or 6783}', help='of the page')
    parser.add_argument('--ready', action='store_true', help='everything must work: camera, detector, gimbal, video')
    parser.add_argument('--camera', default='', help="only this camera's pictures must come")
    options = parser.parse_args(arguments)
    wrong = ask(options.url, key_of(os.environ), everything=options.ready, camera=options.camera)
    if wrong:
        print(wrong)
        sys.exit(1)


if __name__ == '__main__':
    main()
