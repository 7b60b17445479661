# SPDX-License-Identifier: Apache-2.0
"""HOTA, MOTA, IDF1 and identity switches of a tracker's answers, by TrackEval, the metrics' own implementation."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity

from benchmarks.tracker.tracker_contestants import Answer, Contestant
from benchmarks.tracker.tracker_sequences import Sequence, SequencePicture
from gremsy_common.boxes import intersection_over_union

Scores = dict[str, float]
_QUIET = {'PRINT_CONFIG': False}


def follow(contestant: Contestant, sequence: Sequence) -> list[Answer]:
    """What a tracker says of every picture."""
    return [
        contestant(each.stamp_ns, each.boxes_px.copy(), each.scores.copy(), each.after_from_before)
        for each in sequence.pictures
    ]


def score(runs: SequenceOf[tuple[Sequence, list[Answer]]]) -> Scores:
    """Percent, over the pictures of all runs together (as the benchmarks of the field do), and switches."""
    metrics: dict[str, Any] = {'HOTA': HOTA(), 'CLEAR': CLEAR(dict(_QUIET)), 'Identity': Identity(dict(_QUIET))}
    results: dict[str, dict[str, Any]] = {name: {} for name in metrics}
    for number, (sequence, answers) in enumerate(runs):
        data = _as_trackeval_wants(sequence.pictures, answers)
        for name, metric in metrics.items():
            results[name][str(number)] = metric.eval_sequence(data)
    total = {name: metric.combine_sequences(results[name]) for name, metric in metrics.items()}
    return {
        'HOTA': _percent(np.mean(total['HOTA']['HOTA'])),
        'MOTA': _percent(total['CLEAR']['MOTA']),
        'IDF1': _percent(total['Identity']['IDF1']),
        'IDSW': int(total['CLEAR']['IDSW']),
    }


def _percent(value: float) -> float:
    return round(100.0 * float(value), 2)


def _as_trackeval_wants(pictures: SequenceOf[SequencePicture], answers: SequenceOf[Answer]) -> dict[str, Any]:
    true_ids, true_count = _numbered([each.true_ids for each in pictures])
    ids, count = _numbered([answer[1] for answer in answers])
    return {
        'num_timesteps': len(pictures),
        'num_gt_ids': true_count,
        'num_tracker_ids': count,
        'num_gt_dets': sum(map(len, true_ids)),
        'num_tracker_dets': sum(map(len, ids)),
        'gt_ids': true_ids,
        'tracker_ids': ids,
        'similarity_scores': [
            intersection_over_union(picture.true_boxes_px, answer[0])
            for picture, answer in zip(pictures, answers, strict=True)
        ],
    }


def _numbered(ids: list[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """The same ids as 0 .. n - 1."""
    known = np.unique(np.concatenate(ids)) if ids else np.zeros(0, dtype=np.int64)
    return [np.searchsorted(known, each) for each in ids], len(known)
