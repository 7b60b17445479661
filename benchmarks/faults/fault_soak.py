# SPDX-License-Identifier: Apache-2.0
"""The suite for a while without a fault: memory, threads and descriptors of every process must stay as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.faults.fault_figures import works
from benchmarks.faults.fault_round import wait_until_ready
from benchmarks.faults.fault_watch import FaultWatch
from benchmarks.faults.trial_suite import TrialSuite

_SAMPLE_S = 2.0
_START_S, _READY_S = 60.0, 3.0
# Of what a process has taken once it is warm, so much more is no growth: glibc's arenas go up and down by as much.
_MEMORY_SLACK_MB, _MEMORY_SLACK_SHARE = 3.0, 0.02


@dataclass(frozen=True, slots=True)
class Use:
    """What one process uses at one time."""

    at_s: float
    memory_mb: float
    threads: int
    descriptors: int


def use_of(pid: int, at_s: float) -> Use | None:
    """From /proc; None when the process is gone."""
    folder = Path('/proc') / str(pid)
    try:
        rows = (folder / 'status').read_text(encoding='utf-8').splitlines()
        descriptors = len(list((folder / 'fd').iterdir()))
    except OSError:
        return None
    fields = {name: value.split() for name, _, value in (row.partition(':') for row in rows)}
    return Use(at_s, int(fields['VmRSS'][0]) / 1024, int(fields['Threads'][0]), descriptors)


def growth(uses: Sequence[Use]) -> dict[str, Any]:
    """From the second quarter of the time, when all is warm, to the last: medians of both, and whether that is flat."""
    quarter = max(1, len(uses) // 4)
    early, late = uses[quarter : 2 * quarter] or uses, uses[-quarter:]
    rows: dict[str, Any] = {}
    for name in ('memory_mb', 'threads', 'descriptors'):
        before, after = (median(getattr(each, name) for each in part) for part in (early, late))
        rows[name] = [round(before, 1), round(after, 1)]
    memory = rows['memory_mb']
    slack_mb = max(_MEMORY_SLACK_MB, _MEMORY_SLACK_SHARE * memory[0])
    rows['flat'] = (
        memory[1] - memory[0] <= slack_mb
        and rows['threads'][1] <= rows['threads'][0]
        and rows['descriptors'][1] <= rows['descriptors'][0]
    )
    return rows


def run(minutes: float) -> dict[str, Any]:
    """`soak_flat`, and by process what it used."""
    report(f'soak, {minutes:g} minutes ...')
    uses: dict[str, list[Use]] = {}
    with TrialSuite() as suite, FaultWatch(suite.web_port) as watch:
        wait_until_ready(suite, watch, _READY_S, _START_S)
        first = len(watch.samples)
        before = suite.pids()
        end_s = time.monotonic() + 60.0 * minutes
        while time.monotonic() < end_s:
            time.sleep(_SAMPLE_S)
            for name, pid in suite.pids().items():
                use = use_of(pid, time.monotonic())
                if use is not None:
                    uses.setdefault(name, []).append(use)
        commands = suite.gimbal.commands
        # Of commands only the newest are remembered: the last minute's samples are judged with them.
        recent = [each for each in watch.samples[first:] if each.at_s >= commands[0][0] + 1.0]
        restarted = _restarted(before, suite.pids())
        unready = sum(not each.ready for each in watch.samples[first:])
        checked = len(watch.samples) - first
    processes = {name: growth(each) for name, each in uses.items()}
    return {
        'soak_minutes': minutes,
        'soak_flat': not restarted and all(each['flat'] for each in processes.values()),
        'soak_restarted': restarted,
        'soak_unready_share': round(unready / max(1, checked), 4),
        'soak_followed_share': round(sum(works(each, commands) for each in recent) / max(1, len(recent)), 4),
        'soak': processes,
    }


def _restarted(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return sorted(name for name, pid in before.items() if after.get(name) != pid)
