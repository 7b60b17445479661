# SPDX-License-Identifier: Apache-2.0
"""How soon there is a picture: after the page is opened, and after the video server is back."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.bench_progress import report, wait_until
from benchmarks.video.video_page import Browser, PaintedFrame, Tab
from benchmarks.video.video_processes import BUILT_IN, MEDIAMTX, Chain, running_chain, why_no_mediamtx

_OPENINGS, _RETURNS = 5, 3
_WATCHED_S, _AWAY_S = 2.0, 2.0
# The encoder sleeps once nobody has asked for 5 s; whoever left without a word is missed after 15.
_ASLEEP_WITHIN_S = 60.0
_GOODBYE_MS = 300.0


def measure(browser: Browser, folder: Path, seconds: float) -> dict[str, Any]:
    """Figures of the built-in server without an ending, `_mediamtx` for the other."""
    del seconds
    servers = {'': BUILT_IN} | ({} if why_no_mediamtx() else {'_mediamtx': MEDIAMTX})
    figures: dict[str, Any] = {}
    for ending, server in servers.items():
        report(f'{server}: first pictures, returns ...')
        with running_chain(folder / server, server) as chain:
            # Until the processes know each other, seconds after their start.
            first_picture(browser, chain)
            asleep = [first_picture(browser, chain) for _ in range(_OPENINGS)]
            tab = browser.open(chain.page)
            tab.wait_for_frames(3)
            awake = [first_picture(browser, chain, asleep=False) for _ in range(_OPENINGS)]
            returns = [_return_s(tab, chain) for _ in range(_RETURNS)]
            tab.close()
        found = {
            'first_picture_s': [each['painted_s'] for each in asleep],
            'first_picture_watched_s': [each['painted_s'] for each in awake],
            'reconnect_s': returns,
        }
        for key, values in found.items():
            figures |= {f'{key}{ending}': _rounded(median(values)), f'{key}_max{ending}': _rounded(max(values))}
        for key in asleep[0]:
            figures[f'first_picture_at_s_{key}{ending}'] = _rounded(median(each[key] for each in asleep))
    return figures


def first_picture(browser: Browser, chain: Chain, *, asleep: bool = True) -> dict[str, float]:
    """From the beginning of the navigation to the first painted picture, and what was when on the way; s."""
    if asleep:
        wait_until(
            lambda: not _published(chain), 'the encoder does not go to sleep', 'video benchmark', _ASLEEP_WITHIN_S
        )
    tab = browser.open(chain.page)
    tab.wait_for_frames(1)
    first = PaintedFrame.of(tab.page.evaluate('frameReader.seen[0]'))
    begin_ms, marks = tab.page.evaluate('[performance.timeOrigin, frameReader.marks]')
    # As long as a visitor stays at least; also longer than leaving takes.
    tab.page.wait_for_timeout(1000 * _WATCHED_S)
    # It says goodbye, which takes a moment: who is cut off is missed half a minute later only.
    tab.page.goto('about:blank')
    tab.page.wait_for_timeout(_GOODBYE_MS)
    tab.close()
    return {**{name: at_ms * 1e-3 for name, at_ms in marks.items()}, 'painted_s': first.painted_s - begin_ms * 1e-3}


def _return_s(tab: Tab, chain: Chain) -> float:
    """The server is killed, and two seconds later started; from when it listens to the first picture taken since."""
    chain.end('server', signal.SIGKILL)
    time.sleep(_AWAY_S)
    chain.start_server()
    back_s = time.time()
    tab.page.evaluate('void (frameReader.seen.length = 0)')
    until_s = time.monotonic() + 30.0
    while time.monotonic() < until_s:
        for entry in tab.page.evaluate('frameReader.seen'):
            frame = PaintedFrame.of(entry)
            if frame.stamp_ns is not None and frame.stamp_ns * 1e-9 > back_s:
                tab.page.wait_for_timeout(1000 * _WATCHED_S)
                return frame.painted_s - back_s
        tab.page.wait_for_timeout(20)
    return float('inf')


def _published(chain: Chain) -> bool:
    answer = httpx.get(f'http://127.0.0.1:{chain.ports.control}/v3/paths/get/eo', trust_env=False)
    return answer.status_code == 200 and bool(answer.json().get('available', answer.json().get('ready')))


def _rounded(value: float) -> float:
    return round(float(value), 3)
