# SPDX-License-Identifier: Apache-2.0
"""Camera to screen through each server there is, and beside them through FFmpeg's muxer; rounds in turn, medians."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.video.painted_frames import delays, medians, overlay, read_truth, sent_at, worst
from benchmarks.video.video_page import Browser
from benchmarks.video.video_processes import BUILT_IN, MEDIAMTX, running_chain, why_no_mediamtx

_ROUNDS = 3
_WARM_S = 4.0


def measure(browser: Browser, folder: Path, seconds: float) -> dict[str, Any]:
    """Figures of the built-in server without an ending; `_mediamtx`, and `_pyav_muxer` into the built-in server."""
    ways = {'': (BUILT_IN, 'node'), '_pyav_muxer': (BUILT_IN, 'muxer')}
    if why_no_mediamtx() is None:
        ways['_mediamtx'] = (MEDIAMTX, 'node')
    rounds: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for number in range(_ROUNDS):
        for way, (server, publisher) in ways.items():
            report(f'round {number + 1} of {_ROUNDS}: {server}, {publisher} ...')
            rounds[way].append(one(browser, folder / f'{number}{way}', server, publisher, seconds))
    figures: dict[str, Any] = {'mediamtx_unavailable': why_no_mediamtx()}
    for way, runs in rounds.items():
        found = medians(runs)
        if way != '_pyav_muxer':
            found['overlay_matched_fraction'] = worst(runs, 'overlay_matched_fraction', min)
            found['overlay_mismatches'] = worst(runs, 'overlay_mismatches', max)
        figures |= {f'{key}{way}': value for key, value in found.items()}
        figures[f'glass_to_glass_ms_p50_rounds{way}'] = [each['glass_to_glass_ms_p50'] for each in runs]
        figures[f'glass_to_glass_ms_p95_rounds{way}'] = [each['glass_to_glass_ms_p95'] for each in runs]
    return figures


def one(browser: Browser, folder: Path, server: str, publisher: str, seconds: float) -> dict[str, Any]:
    """One way, once."""
    with running_chain(folder, server, publisher) as chain:
        tab = browser.open(chain.page)
        tab.wait_for_frames(3)
        tab.page.wait_for_timeout(1000 * _WARM_S)
        before = {name: chain.cpu_s(name) for name in chain.running} | {'browser': browser.cpu_s()}
        begin_s = time.monotonic()
        painted, stats, counts = tab.watch(seconds)
        took_s = time.monotonic() - begin_s
        after = {name: chain.cpu_s(name) for name in chain.running} | {'browser': browser.cpu_s()}
        used = {name: after[name] - before[name] for name in after}
        tab.close()
        # The trace is written once a second.
        chain.end('robot')
        truth, sent_s = read_truth(chain.truth), sent_at(chain.traces)
    figures = {
        **delays(painted, sent_s, truth),
        'jitter_buffer_ms': _each_ms(stats, 'jitterBufferDelay', 'jitterBufferEmittedCount'),
        'decode_ms': _each_ms(stats, 'totalDecodeTime', 'framesDecoded'),
        'frames_dropped': stats.get('framesDropped'),
        'packets_lost': stats.get('packetsLost'),
        **{f'cpu_cores_{name}': round(each / took_s, 3) for name, each in used.items()},
    }
    if publisher == 'node':
        figures |= overlay(painted, truth)
        shown = counts.get('shown') or 0
        figures['page_says_matched_fraction'] = round(counts['matched'] / shown, 4) if shown else None
    return figures


def _each_ms(stats: Mapping[str, Any], total_s: str, count: str) -> float | None:
    """The mean, from what WebRTC counts."""
    return round(1e3 * stats[total_s] / stats[count], 2) if stats.get(count) else None
