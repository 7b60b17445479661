# SPDX-License-Identifier: Apache-2.0
"""One fault in a suite that runs: wait until it follows, make the fault, undo it, watch until it follows again."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.faults import fault_figures as figures
from benchmarks.faults.fault_cases import Fault
from benchmarks.faults.fault_figures import DiagnosticRecord, FaultRecord, ReadySample
from benchmarks.faults.fault_hands import FaultHands
from benchmarks.faults.fault_watch import FaultWatch
from benchmarks.faults.trial_suite import TrialSuite
from gremsy_bringup.supervise.process_spec import RestartPolicy
from gremsy_bringup.supervise.supervisor import EventKind
from gremsy_common.errors import SuiteError

_POLL_S = 0.05
_START_TIMEOUT_S = 40.0
# Ready for so long is ready: a node's silence is noticed after three seconds.
_READY_BEFORE_S, _READY_AFTER_S = 2.0, 3.5
_PATIENCE_S = 25.0
# The target is fast enough for the gimbal to be in mid-slew, for the next second.
_LEAST_SPEED_SHARE = 0.8
_PER_SENTENCE = 300
# What marks the name of a fault that cuts the payload off.
_LINK = ' (link)'


class NeverReady(SuiteError):
    """The suite did not get as far as to follow its target."""


def run_fault(fault: Fault, hands: FaultHands, watch: FaultWatch) -> tuple[dict[str, Any], list[str]]:
    """Its row of the table, and what happened.

    Raises:
        NeverReady: before the fault was made.
    """
    suite = hands.suite
    _wait_for_patience(suite)
    wait_until_ready(suite, watch, _READY_BEFORE_S, _START_TIMEOUT_S)
    _wait_for_slew(suite)
    before = suite.pids()
    fault_s = time.monotonic()
    undone = _make(fault, hands, fault_s)
    undone_s, link_s = (
        max(undone.values()),
        max((undone[each] for each in undone if each.endswith(_LINK)), default=None),
    )
    try:
        wait_until_ready(suite, watch, _READY_AFTER_S, _PATIENCE_S, since_s=time.monotonic())
    except NeverReady:
        hands.undo_all()
    samples = [each for each in watch.samples if each.at_s > fault_s]
    diagnostics = _new(watch.diagnostics, fault_s)
    seen = FaultRecord(
        fault_s, undone_s, time.monotonic(), suite.gimbal.commands, samples, diagnostics, before, suite.pids()
    )
    happened = timeline(seen, suite)
    link_back_s = link_s if fault.after_link else None
    if figures.recover_s(seen) is None:
        happened += [f'{node}: {key}: {value}' for node, rows in watch.rows.items() for key, value in rows.items()]
    return row(fault, seen, suite, link_back_s), happened


def _new(diagnostics: Sequence[DiagnosticRecord], fault_s: float) -> list[DiagnosticRecord]:
    """What /diagnostics reported after the fault and not before: a last error stays among a node's rows."""
    before = {each.node: each.text for each in diagnostics if each.at_s <= fault_s}
    return [each for each in diagnostics if each.at_s > fault_s and before.get(each.node) != each.text]


def timeline(seen: FaultRecord, suite: TrialSuite) -> list[str]:
    """What happened, a line each, by s from the fault: for whoever wants to know why."""
    lines = [(seen.undone_s, '--- undone')]
    lines += [(at_s, f'supervisor: {event.text}') for at_s, event in suite.events]
    lines += [(at_s, f'{name}: {line}') for at_s, name, line in suite.lines]
    before: object = None
    for sample in seen.samples:
        shown = dict(sample.reasons) if sample.answered else 'no answer'
        keys = sorted(sample.reasons) if sample.answered else shown
        if keys != before:
            lines.append((sample.at_s, f'health: {shown or "ready"}'))
        before = keys
    moving = None
    for command in seen.commands:
        if figures.moves(command) is not moving:
            moving = not moving
            lines.append((command[0], f'payload: {"moves" if moving else "rests"}, {command[1]:.3f} {command[2]:.3f}'))
    spoken: dict[str, str] = {}
    for each in seen.diagnostics:
        if spoken.get(each.node) != each.text:
            spoken[each.node] = each.text
            lines.append((each.at_s, f'diagnostics: {each.level} {each.node}: {each.text}'))
    return [f'{at_s - seen.fault_s:8.2f} {text}' for at_s, text in sorted(lines) if at_s >= seen.fault_s - 1.0]


def _make(fault: Fault, hands: FaultHands, fault_s: float) -> dict[str, float]:
    """Make it, with the other one where there are two, and undo each in its time; when that was, by name."""
    faults = (fault,) if fault.also is None else (fault, fault.also)
    undone: dict[str, float] = {}
    for each in faults:
        each.inject(hands)
    while len(undone) < len(faults):
        now_s = time.monotonic()
        for each in faults:
            name = f'{each.name}{_LINK if each.also is None and each.after_link else ""}'
            over = now_s >= fault_s + each.lasts_s or (each.until is not None and each.until(hands))
            if over and name not in undone:
                if each.undo is not None:
                    each.undo(hands)
                undone[name] = time.monotonic() if each.undo is not None else fault_s
        time.sleep(_POLL_S)
    return undone


def row(fault: Fault, seen: FaultRecord, suite: TrialSuite, link_back_s: float | None = None) -> dict[str, Any]:
    """The report on it; `link_back_s` is when the payload can receive again."""
    stopped_s = figures.stop_s(seen, link_back_s)
    found: dict[str, Any] = {
        'does': fault.does,
        'stops': fault.stops,
        'stop_s': figures.rounded(stopped_s),
        'rest_s': figures.rounded(figures.longest_rest_s(seen)),
        'recover_s': figures.rounded(figures.recover_s(seen)),
        'disturbed': figures.disturbed(seen, fault.hits, fault.ends),
        'in_health': None,
        'in_diagnostics': None,
    }
    if fault.boots:
        found['boot_s'] = suite.plan.boot_s
    if fault.words:
        found['in_health'] = figures.reason_in_health(seen, fault.words)[:_PER_SENTENCE]
        pattern = fault.diagnostics_words or fault.words
        found['in_diagnostics'] = figures.reason_in_diagnostics(seen, pattern)[:_PER_SENTENCE]
    return found


def never_ready(fault: Fault, why: str) -> dict[str, Any]:
    """The row of one for which the suite did not get well."""
    words = '' if fault.words else None
    found = {'does': fault.does, 'stops': fault.stops, 'stop_s': None, 'rest_s': None, 'recover_s': None}
    return {**found, 'disturbed': [], 'in_health': words, 'in_diagnostics': words, 'trouble': why}


def wait_until_ready(
    suite: TrialSuite, watch: FaultWatch, for_s: float, within_s: float, since_s: float | None = None
) -> None:
    """Until every part was ready and the gimbal followed for so long without a break.

    Raises:
        NeverReady: after the patience, with what was wrong last.
    """
    begin_s = time.monotonic() if since_s is None else since_s
    while time.monotonic() < begin_s + within_s:
        time.sleep(_POLL_S)
        samples = [each for each in watch.samples[-100:] if each.at_s >= begin_s]
        if samples and samples[-1].at_s - _ready_since_s(samples, suite) >= for_s:
            return
    last = watch.samples[-1] if watch.samples else None
    raise NeverReady(f'The suite did not follow within {within_s:g} s; last: {last}.')


def _ready_since_s(samples: Sequence[ReadySample], suite: TrialSuite) -> float:
    commands = suite.gimbal.commands
    since_s = math.inf
    for sample in reversed(samples):
        if not figures.works(sample, commands):
            break
        since_s = sample.at_s
    return since_s


def _wait_for_patience(suite: TrialSuite) -> None:
    """Until no process is so young that its next end would be taken for its own fault, and waited after for longer."""
    newest_s = max((at_s for at_s, event in suite.events if event.kind is EventKind.STARTED), default=0.0)
    time.sleep(max(0.0, newest_s + RestartPolicy().healthy_after_s + _POLL_S - time.monotonic()))


def _wait_for_slew(suite: TrialSuite) -> None:
    options = suite.camera.options
    turn = math.radians(options.sway_deg_s) / math.radians(options.sway_deg)
    while abs(math.cos(time.monotonic() * turn)) < _LEAST_SPEED_SHARE:
        time.sleep(_POLL_S)
