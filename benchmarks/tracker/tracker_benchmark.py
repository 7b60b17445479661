# SPDX-License-Identifier: Apache-2.0
"""The multi-object tracker beside other Python trackers: what an update costs, and how well identities are kept.

Every peer is at its defaults, ours has one set of parameters (its defaults) for all but the real detections, where what
was fitted is fitted without the sequence that is judged (`tracker_left_out`); all get the same boxes.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.tracker import tracker_speed
from benchmarks.tracker.tracker_contestants import OURS, contestants, versions
from benchmarks.tracker.tracker_left_out import mot15_left_out
from benchmarks.tracker.tracker_scores import Scores, follow, score
from benchmarks.tracker.tracker_sequences import Sequence, synthetic
from benchmarks.tracker.tracker_tud import NAMES as TUD_NAMES
from benchmarks.tracker.tracker_tud import tud

SEEDS = (1, 2, 3)
STILL, MOVING = ('still', 'crowd'), ('pan', 'pan_zoom')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Both tables, and the figures of the issue beside them."""
    del options
    update_ms = tracker_speed.update_ms(contestants())
    accuracy = {}
    for kind in (*STILL, *MOVING):
        report(f'{kind} ...')
        accuracy[kind] = _accuracy([synthetic(kind, seed) for seed in SEEDS])
    for name in TUD_NAMES:
        accuracy[name] = _accuracy([tud(name)])
    report('real detections, each sequence left out in turn ...')
    left_out = mot15_left_out(contestants())
    return {
        'update_ms': update_ms,
        'update_ms_at_50': update_ms['50'][OURS],
        'times_faster_than_fastest_peer': {size: _times_faster(row) for size, row in update_ms.items()},
        'accuracy': accuracy,
        'ahead_of_best_peer': {name: _ahead(table) for name, table in accuracy.items()},
        **left_out,
        'tud_detections': "another tracker's output without its ids (the motmetrics wheel holds no detections)",
        'versions': dict(versions()),
    }


def _accuracy(sequences: list[Sequence]) -> dict[str, Scores]:
    return {
        name: score([(sequence, follow(maker(), sequence)) for sequence in sequences])
        for name, maker in contestants().items()
    }


def _times_faster(row: dict[str, float]) -> float:
    return round(min(took for name, took in row.items() if name != OURS) / row[OURS], 2)


def _ahead(table: dict[str, Scores]) -> dict[str, float]:
    """Points by which ours is above the best peer, metric by metric (each metric's best peer may be another one)."""
    return {
        metric: round(table[OURS][metric] - max(each[metric] for name, each in table.items() if name != OURS), 2)
        for metric in ('HOTA', 'MOTA', 'IDF1')
    }
