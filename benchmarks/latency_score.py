# SPDX-License-Identifier: Apache-2.0
"""How long a frame takes from the light to the first command bytes that rest on it, and where the time goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LatencyScore:
    """Per frame that led to a command, milliseconds.

    `latency` is capture stamp to wire; `overhead` is what is left of it without `inference`, `render` (the simulated
    camera's drawing) and `slot_wait` (the frame's wait while the detector is busy): the suite's own share.
    `queued_frames_max` is the largest number of frames that waited for the detector at one time and were then used.
    """

    stamps_ns: NDArray[np.int64]
    latency: Array
    inference: Array
    render: Array
    slot_wait: Array
    overhead: Array
    preprocess: Array
    decode: Array
    track: Array
    command: Array
    queued_frames_max: int


def score_latency(events: Sequence[dict[str, Any]]) -> LatencyScore:
    """Join the trace events (see gremsy_common.trace) of one run by the frame's stamp."""
    frames = _by_stamp(events, 'frame')
    detections = _by_stamp(events, 'detection')
    setpoints = _by_stamp(each for each in events if each['kind'] == 'setpoint' and each.get('fresh', True))
    commands = _by_stamp(events, 'command', earliest='wire_ns')
    stamps = sorted(frames.keys() & detections.keys() & commands.keys())

    def column(values: Sequence[float]) -> Array:
        return np.array(values, dtype=np.float64) * 1e-6

    latency = column([commands[stamp]['wire_ns'] - stamp for stamp in stamps])
    inference = column([detections[stamp]['inference_ns'] for stamp in stamps])
    render = column([frames[stamp]['render_ns'] for stamp in stamps])
    slot_wait = column([detections[stamp]['taken_ns'] - detections[stamp]['arrived_ns'] for stamp in stamps])
    detected_ns = {stamp: detections[stamp]['at_ns'] for stamp in stamps}
    decided_ns = {stamp: setpoints[stamp]['at_ns'] if stamp in setpoints else detected_ns[stamp] for stamp in stamps}
    return LatencyScore(
        stamps_ns=np.array(stamps, dtype=np.int64),
        latency=latency,
        inference=inference,
        render=render,
        slot_wait=slot_wait,
        overhead=latency - inference - render - slot_wait,
        preprocess=column([detections[stamp]['preprocess_ns'] for stamp in stamps]),
        decode=column([detections[stamp]['decode_ns'] for stamp in stamps]),
        track=column([decided_ns[stamp] - detected_ns[stamp] for stamp in stamps]),
        command=column([commands[stamp]['wire_ns'] - decided_ns[stamp] for stamp in stamps]),
        queued_frames_max=_longest_queue(list(detections.values())),
    )


def percentile(values: Array, share: float) -> float | None:
    """The percentile, None of nothing."""
    return float(np.percentile(values, share)) if len(values) else None


def _by_stamp(events: Any, kind: str | None = None, earliest: str = 'at_ns') -> dict[int, dict[str, Any]]:
    """The first event of that kind for every stamp."""
    found: dict[int, dict[str, Any]] = {}
    for event in events:
        if kind is not None and event['kind'] != kind:
            continue
        known = found.get(event['stamp_ns'])
        if known is None or event[earliest] < known[earliest]:
            found[event['stamp_ns']] = event
    return found


def _longest_queue(detections: Sequence[dict[str, Any]]) -> int:
    # +1 when a frame arrives, -1 when it is taken; at equal times the taking comes first.
    steps = sorted([(each['arrived_ns'], 1) for each in detections] + [(each['taken_ns'], -1) for each in detections])
    longest = waiting = 0
    for _, change in steps:
        waiting += change
        longest = max(longest, waiting)
    return longest
