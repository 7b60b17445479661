# SPDX-License-Identifier: Apache-2.0
"""`python -m gremsy_bringup.deployment.record_switch`: MediaMTX records while this runs; the standard library alone.

It asks through the control API, which listens on loopback, and asks again, since a restarted server has its
file's settings. Exit status 0 once it was stopped and recording is off.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Sequence

from gremsy_common.programs import stop_by_signals

_TIMEOUT_S = 3.0
_AGAIN_S = 5.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def switch(api: str, *, on: bool) -> str:
    """Turn recording on or off; what went wrong in one sentence, empty for nothing."""
    request = urllib.request.Request(  # noqa: S310 -- the server beside us
        f'{api}/v3/config/pathdefaults/patch',
        data=json.dumps({'record': on}).encode(),
        headers={'Content-Type': 'application/json'},
        method='PATCH',
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S):
            return ''
    except (OSError, ValueError) as error:
        return f'MediaMTX cannot be asked at {api} to {"begin" if on else "end"} recording ({error}).'


def is_recording(api: str) -> bool:
    """Whether it says that it records; False where it does not answer."""
    try:
        with _OPENER.open(f'{api}/v3/config/pathdefaults/get', timeout=_TIMEOUT_S) as answer:
            return bool(json.load(answer).get('record'))
    except (OSError, ValueError):
        return False


def keep_recording(api: str, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Until `ended`; each fault is reported once, and once that it is over."""
    fault: str | None = None
    while True:
        wrong = '' if is_recording(api) else switch(api, on=True)
        if wrong != fault:
            say(wrong or 'MediaMTX records.')
        fault = wrong
        if ended.wait(_AGAIN_S):
            break
    wrong = switch(api, on=False)
    say(wrong or 'MediaMTX has stopped recording.')


def main(arguments: Sequence[str] | None = None) -> None:
    """Until SIGINT or SIGTERM; with --check say by the exit status whether it records."""
    parser = argparse.ArgumentParser(prog='record_switch', description='MediaMTX records while this runs.')
    parser.add_argument('--api', default='http://127.0.0.1:9997', help="MediaMTX's control API")
    parser.add_argument('--check', action='store_true', help='exit status 0 where it records')
    options = parser.parse_args(arguments)
    if options.check:
        sys.exit(0 if is_recording(options.api) else 1)
    ended = threading.Event()
    stop_by_signals(ended.set)
    keep_recording(options.api, ended, lambda line: print(line, flush=True))


if __name__ == '__main__':
    main()
