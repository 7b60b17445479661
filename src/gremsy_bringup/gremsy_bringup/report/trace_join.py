# SPDX-License-Identifier: Apache-2.0
"""The traces of all processes of one run, joined by stamp into arrays (kinds: gremsy_common.timing.trace)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]

FOLLOWING = ('tracking', 'coasting')
# The figures of pointing count from here on after each lock: before it the gimbal is on its way to the target.
SETTLE_NS = 1_500_000_000
STAGES = ('render', 'slot wait', 'preprocess', 'inference', 'decode', 'track', 'command')


@dataclass(frozen=True, slots=True, eq=False)
class TrueAxis:
    """The optical axis that the simulated camera drew each frame with: (N,) rad, azimuth left +, tilt down +."""

    stamps_ns: Stamps
    azimuth_rad: Array
    tilt_rad: Array


@dataclass(frozen=True, slots=True, eq=False)
class TargetHistory:
    """What the tracker said after each image, (N,); NaN where there was no target.

    `error_rad` is target to boresight as the tracker saw it; the bearing is its estimate at the image's stamp.
    """

    stamps_ns: Stamps
    state: NDArray[np.str_]
    target_id: NDArray[np.int64]
    label: NDArray[np.str_]
    asked: NDArray[np.str_]
    azimuth_rad: Array
    tilt_rad: Array
    error_rad: Array

    @property
    def following(self) -> NDArray[np.bool_]:
        """(N,) whether there was a target."""
        return np.isin(self.state, FOLLOWING)


@dataclass(frozen=True, slots=True)
class Lock:
    """One target from taking to losing it.

    Attributes:
        target_id, label: the track and its class.
        asked: the word that it was chosen by.
        begin_ns, end_ns: stamps of the first and the last image.
    """

    target_id: int
    label: str
    asked: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class StageTimes:
    """Per frame that led to a command, ms: capture to wire, and the parts; what is left is the suite's own overhead."""

    stamps_ns: Stamps
    latency: Array
    parts: dict[str, Array]

    @property
    def overhead(self) -> Array:
        """What drawing, waiting for the detector and inference leave of the latency."""
        return self.latency - self.parts['render'] - self.parts['slot wait'] - self.parts['inference']


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Everything that the traces tell."""

    frame_stamps_ns: Stamps
    detection_stamps_ns: Stamps
    axis: TrueAxis
    target: TargetHistory
    stages: StageTimes
    locks: tuple[Lock, ...]
    commands: int


def join(events: Iterable[dict[str, Any]]) -> Run:
    """Sort the events of a run into arrays, all in the order of stamps."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        kinds.setdefault(event['kind'], []).append(event)
    for each in kinds.values():
        each.sort(key=lambda event: (event['stamp_ns'], event['at_ns']))
    frames, tracks = kinds.get('frame', []), kinds.get('track', [])
    target = _target_history(tracks)
    return Run(
        frame_stamps_ns=_stamps(frames),
        detection_stamps_ns=_stamps(kinds.get('detection', [])),
        axis=_true_axis(frames),
        target=target,
        stages=_stage_times(kinds),
        locks=_locks(target),
        commands=len(kinds.get('command', [])),
    )


def settled(target: TargetHistory, locks: Sequence[Lock]) -> NDArray[np.bool_]:
    """(N,) images with a target, from 1.5 s after it was taken."""
    chosen = np.zeros(len(target.stamps_ns), dtype=bool)
    for lock in locks:
        chosen |= (target.stamps_ns >= lock.begin_ns + SETTLE_NS) & (target.stamps_ns <= lock.end_ns)
    return chosen & target.following


def true_error_rad(run: Run) -> Array:
    """(N,) angle between the tracker's estimate of the target and the *true* optical axis of the same image.

    NaN where either is unknown.
    """
    target, axis = run.target, run.axis
    if len(axis.stamps_ns) == 0:
        return np.full(len(target.stamps_ns), np.nan)
    place = np.clip(np.searchsorted(axis.stamps_ns, target.stamps_ns), 0, len(axis.stamps_ns) - 1)
    same = axis.stamps_ns[place] == target.stamps_ns
    # Small angles: the azimuth difference shrinks with the cosine of the tilt.
    across = (target.azimuth_rad - axis.azimuth_rad[place]) * np.cos(axis.tilt_rad[place])
    return np.asarray(np.where(same, np.hypot(across, target.tilt_rad - axis.tilt_rad[place]), np.nan))


def _stamps(events: Sequence[dict[str, Any]]) -> Stamps:
    return np.array([event['stamp_ns'] for event in events], dtype=np.int64)


def _numbers(events: Sequence[dict[str, Any]], name: str) -> Array:
    """The values of that name; NaN for null or absent."""
    values = (event.get(name) for event in events)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _true_axis(frames: Sequence[dict[str, Any]]) -> TrueAxis:
    known = [frame for frame in frames if frame.get('azimuth_rad') is not None]
    return TrueAxis(_stamps(known), _numbers(known, 'azimuth_rad'), _numbers(known, 'tilt_rad'))


def _target_history(tracks: Sequence[dict[str, Any]]) -> TargetHistory:
    ids = [-1 if track.get('target_id') is None else track['target_id'] for track in tracks]
    return TargetHistory(
        stamps_ns=_stamps(tracks),
        state=np.array([track['state'] for track in tracks], dtype=np.str_),
        target_id=np.array(ids, dtype=np.int64),
        label=np.array([track.get('label', '') for track in tracks], dtype=np.str_),
        asked=np.array([track.get('asked', '') for track in tracks], dtype=np.str_),
        azimuth_rad=_numbers(tracks, 'azimuth_rad'),
        tilt_rad=_numbers(tracks, 'tilt_rad'),
        error_rad=_numbers(tracks, 'error_rad'),
    )


def _locks(target: TargetHistory) -> tuple[Lock, ...]:
    """Runs of images with one target; an id that changes while following was handed over and begins a new one."""
    following = target.following
    if not following.any():
        return ()
    change = np.ones(len(following), dtype=bool)
    change[1:] = (following[1:] != following[:-1]) | (target.target_id[1:] != target.target_id[:-1])
    starts = np.flatnonzero(change)
    ends = np.append(starts[1:], len(following)) - 1
    return tuple(
        Lock(
            int(target.target_id[start]),
            str(target.label[start]),
            str(target.asked[start]),
            int(target.stamps_ns[start]),
            int(target.stamps_ns[end]),
        )
        for start, end in zip(starts, ends, strict=True)
        if following[start]
    )


def _first_by_stamp(events: Sequence[dict[str, Any]], earliest: str = 'at_ns') -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for event in events:
        known = found.get(event['stamp_ns'])
        if known is None or event[earliest] < known[earliest]:
            found[event['stamp_ns']] = event
    return found


def _stage_times(kinds: dict[str, list[dict[str, Any]]]) -> StageTimes:
    frames = _first_by_stamp(kinds.get('frame', []))
    detections = _first_by_stamp(kinds.get('detection', []))
    setpoints = _first_by_stamp([each for each in kinds.get('setpoint', []) if each.get('fresh', True)])
    commands = _first_by_stamp(kinds.get('command', []), earliest='wire_ns')
    stamps = sorted(frames.keys() & detections.keys() & commands.keys())
    rows = []
    for stamp in stamps:
        detection, wire_ns = detections[stamp], commands[stamp]['wire_ns']
        decided_ns = setpoints[stamp]['at_ns'] if stamp in setpoints else detection['at_ns']
        rows.append(
            (
                wire_ns - stamp,
                frames[stamp].get('render_ns') or 0,
                detection['taken_ns'] - detection['arrived_ns'],
                detection['preprocess_ns'],
                detection['inference_ns'],
                detection['decode_ns'],
                decided_ns - detection['at_ns'],
                wire_ns - decided_ns,
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 1 + len(STAGES)) * 1e-6
    parts = {name: table[:, index + 1] for index, name in enumerate(STAGES)}
    return StageTimes(np.array(stamps, dtype=np.int64), table[:, 0], parts)
