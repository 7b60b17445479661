# SPDX-License-Identifier: Apache-2.0
"""What the frames that a page painted show: how old they are, stage by stage, and whether their boxes are their own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.video.video_page import DrawnBoxes, PaintedFrame
from gremsy_common.timing.trace import read_trace

# The camera turns by 31 px from one picture to the next.
NEAR_PX = 4.0
# Of RTP's clock, rounded up.
_TICK_NS = 11_112


def read_truth(path: Path) -> dict[int, list[float]]:
    """Stamp -> where the boxes' edges cross the row, px; a last line that is being written is left out."""
    rows = (json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith('\n'))
    return {row['stamp_ns']: row['edges_px'] for row in rows}


def sent_at(traces: Path) -> dict[int, float]:
    """Stamp -> when its video was in the kernel's hands, s since 1970."""
    return {event['stamp_ns']: event['at_ns'] * 1e-9 for event in read_trace(traces) if event['kind'] == 'sent'}


def delays(painted: Sequence[PaintedFrame], sent_s: Mapping[int, float], truth: Iterable[int]) -> dict[str, Any]:
    """How old frames are when they are painted, and where that time went, ms; how many never were, of those taken."""
    known = [(frame, frame.stamp_ns) for frame in painted if frame.stamp_ns is not None]
    old = [(frame.painted_s - stamp * 1e-9) * 1e3 for frame, stamp in known]
    stamps = {stamp for _, stamp in known}
    taken = sum(min(stamps) <= stamp <= max(stamps) for stamp in truth) if stamps else 0
    return {
        'glass_to_glass_ms_p50': percentile(old, 50),
        'glass_to_glass_ms_p95': percentile(old, 95),
        'glass_to_glass_ms_max': percentile(old, 100),
        'frames_painted': len(painted),
        'frames_unreadable': len(painted) - len(known),
        'frames_never_painted': max(0, taken - len(stamps)),
        'encoded_and_sent_ms': _median((sent_s[stamp] - stamp * 1e-9) for _, stamp in known if stamp in sent_s),
        'served_and_decoded_ms': _median(
            (frame.received_s - sent_s[stamp])
            for frame, stamp in known
            if stamp in sent_s and frame.received_s is not None
        ),
        'painting_ms': _median(
            (frame.painted_s - frame.received_s) for frame, _ in known if frame.received_s is not None
        ),
    }


def overlay(painted: Sequence[PaintedFrame], truth: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """Whether the boxes on each frame were those of that very frame, by the ink in the page's own canvas.

    `overlay_matched_fraction` is of the frames that had boxes: over which all of their own, and nothing else, were
    drawn before the next frame came (`overlay_late` of them not with the frame itself, but a refresh later).
    `overlay_mismatches` are frames over which others were, at any time. Not counted as such, nor as matched: those
    without any (`overlay_without_boxes`), and those with dashed ones, which the page gives out as estimates
    (`overlay_estimated`).
    """
    judged = [
        (frame, truth[frame.stamp_ns]) for frame in painted if frame.stamp_ns is not None and frame.stamp_ns in truth
    ]
    verdicts = [(_verdict(frame.boxes, edges), _verdict(frame.last_boxes, edges)) for frame, edges in judged]
    last = Counter(last for _, last in verdicts)
    boxed = sum(bool(edges) for _, edges in judged)
    return {
        'overlay_matched_fraction': round(last['matched'] / boxed, 4) if boxed else None,
        'overlay_mismatches': sum('mismatched' in each for each in verdicts),
        'overlay_late': sum(first != 'matched' and last == 'matched' for first, last in verdicts),
        'overlay_estimated': last['estimated'],
        'overlay_without_boxes': last['empty'],
        'overlay_frames': len(judged),
        'overlay_stamps_wrong': sum(not _is_that(frame) for frame in painted if frame.stamp_ns is not None),
    }


def _is_that(frame: PaintedFrame) -> bool:
    # The page knows it by the RTP time.
    return (
        frame.page_stamp_ns is not None
        and frame.stamp_ns is not None
        and abs(frame.page_stamp_ns - frame.stamp_ns) <= _TICK_NS
    )


def _verdict(drawn: DrawnBoxes, true: Sequence[float]) -> str:
    if not drawn.edges_px:
        return 'empty' if true else 'nothing to draw'
    own = len(drawn.edges_px) == len(true) and all(
        abs(ours - theirs) <= NEAR_PX for ours, theirs in zip(sorted(drawn.edges_px), sorted(true), strict=True)
    )
    return 'matched' if own else 'estimated' if drawn.dashed else 'mismatched'


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Key by key over the rounds; None where a round has none."""
    figures: dict[str, Any] = {}
    for key in rounds[0]:
        values = [each[key] for each in rounds if each[key] is not None]
        figures[key] = round(float(median(values)), 4) if values else None
    return figures


def worst(rounds: Sequence[Mapping[str, Any]], key: str, of: Callable[[Iterable[Any]], Any]) -> Any:
    """That key's worst of the rounds; None where one has none."""
    values = [each[key] for each in rounds]
    return None if any(value is None for value in values) else of(values)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Rounded; None of nothing."""
    return round(float(np.percentile(values, percent)), 2) if values else None


def _median(seconds: Iterable[float]) -> float | None:
    values = list(seconds)
    return round(float(median(values)) * 1e3, 2) if values else None
