# SPDX-License-Identifier: Apache-2.0
"""What was seen of one fault, and the figures of it; no clock, no process: times are s of one monotonic clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

# A rate command that moves nothing to speak of; a tracker that follows asks for hundredths of a rad/s.
_REST_RAD_S = 1e-3
# A zero that is followed by motion within this was none: it belongs to a ramp, or to a change of who commands.
_REST_HOLDS_S = 0.25
# The gimbal is not followed by anybody who has not moved it for so long; longer than the target's turn takes.
_FOLLOWED_S = 0.8

Command = tuple[float, float, float]
"""Receipt at the payload, azimuth and tilt rate, rad/s."""


@dataclass(frozen=True, slots=True)
class ReadySample:
    """One answer of GET /health/ready; `answered` is False where there was none, and the rest is then empty.

    Attributes:
        reasons: by part, of those that are not ready.
        warnings: by part, of those that are, and not well.
    """

    at_s: float
    answered: bool
    ready: bool
    reasons: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiagnosticRecord:
    """One status of /diagnostics that was not OK, or named a last error."""

    at_s: float
    node: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """Everything of one fault.

    Attributes:
        fault_s, undone_s, end_s: when it was made, undone (the same where it undoes itself), and no longer looked at.
        commands: rate commands as the payload received them.
        samples: of /health/ready, in order.
        diagnostics: of /diagnostics.
        pids_before, pids_after: of the processes.
    """

    fault_s: float
    undone_s: float
    end_s: float
    commands: Sequence[Command]
    samples: Sequence[ReadySample]
    diagnostics: Sequence[DiagnosticRecord]
    pids_before: Mapping[str, int]
    pids_after: Mapping[str, int]


def moves(command: Command) -> bool:
    """Whether it asks for motion."""
    return max(abs(command[1]), abs(command[2])) > _REST_RAD_S


def stop_s(seen: FaultRecord, since_s: float | None = None) -> float | None:
    """From the fault to the payload's receipt of the first zero that holds; None where motion went on.

    Args:
        seen: of the fault.
        since_s: where the payload can hear nothing, when it can again: to the first command that it receives then.
    """
    begin_s = seen.fault_s if since_s is None else since_s
    if since_s is not None:
        # Cut off from all of ours until then: what counts is that it is in somebody's hands again.
        return next((each[0] - since_s for each in seen.commands if since_s <= each[0] <= seen.end_s), None)
    later = [each for each in seen.commands if begin_s <= each[0] <= seen.end_s]
    motions = [each[0] for each in later if moves(each)]
    for at_s in (each[0] for each in later if not moves(each)):
        if not any(at_s < motion_s < at_s + _REST_HOLDS_S for motion_s in motions):
            return at_s - begin_s
    return None


def longest_rest_s(seen: FaultRecord) -> float:
    """The longest time without a command to move, from the fault to the end."""
    times = [each[0] for each in seen.commands if moves(each) and seen.fault_s <= each[0] <= seen.end_s]
    edges = [seen.fault_s, *times, seen.end_s]
    return max(late - early for early, late in pairwise(edges))


def works(sample: ReadySample, commands: Sequence[Command]) -> bool:
    """Whether every part was ready then, and the gimbal followed."""
    recent = (each for each in reversed(commands) if each[0] <= sample.at_s)
    for each in recent:
        if sample.at_s - each[0] > _FOLLOWED_S:
            return False
        if moves(each):
            return sample.ready
    return False


def recover_s(seen: FaultRecord) -> float | None:
    """From when the fault was undone to the last moment at which something did not work; None where that lasts."""
    wrong = [each.at_s for each in seen.samples if each.at_s > seen.fault_s and not works(each, seen.commands)]
    if not seen.samples or not works(seen.samples[-1], seen.commands):
        return None
    return max(0.0, max(wrong, default=seen.undone_s) - seen.undone_s)


def disturbed(seen: FaultRecord, hit: Sequence[str], ends: Sequence[str]) -> list[str]:
    """Parts that were not ready though the fault was not theirs, and processes that ended though it was not them.

    Args:
        seen: of the fault.
        hit: parts that the fault may hit, by pattern.
        ends: names of processes that it may end.
    """
    names = {name for each in seen.samples if each.at_s > seen.fault_s for name in each.reasons}
    parts = sorted(name for name in names if not any(re.search(pattern, name) for pattern in hit))
    gone = sorted(
        name for name, pid in seen.pids_before.items() if name not in ends and seen.pids_after.get(name) != pid
    )
    return [*parts, *(f'process {name}' for name in gone)]


def reason_in_health(seen: FaultRecord, pattern: str) -> str:
    """The first reason of /health/ready that has those words; empty for none."""
    for sample in seen.samples:
        if sample.at_s > seen.fault_s:
            for name, reason in (*sample.reasons.items(), *sample.warnings.items()):
                if re.search(pattern, f'{name}: {reason}'):
                    return f'{name}: {reason}'
    return ''


def reason_in_diagnostics(seen: FaultRecord, pattern: str) -> str:
    """The first text of /diagnostics that has those words; empty for none."""
    for each in seen.diagnostics:
        if each.at_s > seen.fault_s and re.search(pattern, f'{each.node}: {each.text}'):
            return f'{each.node}: {each.text}'
    return ''


def rounded(value: float | None) -> float | None:
    """To a hundredth of a second."""
    return None if value is None else round(value, 2)


def summary(rows: Mapping[str, Mapping[str, Any]], limits: Mapping[str, float]) -> dict[str, Any]:
    """The figures over all faults, and the names of those that missed one.

    Args:
        rows: by fault.
        limits: `stop_s`, `recover_s`.
    """
    done = {name: row for name, row in rows.items() if not row.get('skipped')}
    stops = {name: row['stop_s'] for name, row in done.items() if row['stops']}
    recovers = {name: row['recover_s'] for name, row in done.items() if row['recover_s'] is not None}
    beyond = {name: value - done[name].get('boot_s', 0.0) for name, value in recovers.items()}
    return {
        'faults_done': len(done),
        'faults_skipped': sorted(set(rows) - set(done)),
        'stop_s_max': max((each for each in stops.values() if each is not None), default=None),
        'stopped_late': sorted(name for name, each in stops.items() if each is None or each > limits['stop_s']),
        'recover_s_max': max((value for name, value in recovers.items() if not done[name].get('boot_s')), default=None),
        'recovered_late': sorted(
            name
            for name, value in beyond.items()
            if value > (limits['after_boot_s'] if done[name].get('boot_s') else limits['recover_s'])
        ),
        'unrecovered': sum(row['recover_s'] is None for row in done.values()),
        'unrecovered_faults': sorted(name for name, row in done.items() if row['recover_s'] is None),
        'disturbed': {name: row['disturbed'] for name, row in done.items() if row['disturbed']},
        'without_reason': sorted(
            name for name, row in done.items() if row['in_health'] == '' or row['in_diagnostics'] == ''
        ),
    }
