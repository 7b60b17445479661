# SPDX-License-Identifier: Apache-2.0
"""Every fault for real, one after the other: how soon the gimbal rests, what goes on, how soon all is well again."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.faults import fault_fuzz, fault_soak
from benchmarks.faults.fault_cases import FAULTS, Fault, FaultSetup
from benchmarks.faults.fault_figures import summary
from benchmarks.faults.fault_hands import FaultHands, set_clock
from benchmarks.faults.fault_pairs import PAIRS
from benchmarks.faults.fault_round import NeverReady, never_ready, run_fault
from benchmarks.faults.fault_watch import FaultWatch
from benchmarks.faults.fuzz_inputs import KINDS
from benchmarks.faults.trial_suite import SuitePlan, TrialSuite
from gremsy_camera.trial.trial_camera import why_no_trial_camera
from gremsy_common.errors import SuiteError

LIMITS = {'stop_s': 0.5, 'recover_s': 5.0, 'after_boot_s': 1.0}
_CLOCK_SOURCE = Path(__file__).with_name('jumping_clock.c')
_DISK_BYTES = 8 << 20
# Those, and the three that need the suite.
_FUZZED_KINDS = len(KINDS) + 3


class Impossible(SuiteError):
    """This machine cannot make that fault; the text says why, with the way out."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a suite of one kind needs beside it."""

    plan: SuitePlan
    disk: Path | None = None
    clock: Path | None = None


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    wanting = why_no_trial_camera()
    if wanting:
        raise SuiteError(wanting)
    if options.soak:
        return fault_soak.run(options.minutes)
    if options.fuzz:
        return fault_fuzz.run(options.duration / _FUZZED_KINDS)
    rows = run_faults(chosen(options.only), options.keep)
    return {**summary(rows, LIMITS), 'limits': LIMITS, 'faults': rows}


def chosen(names: Sequence[str]) -> list[Fault]:
    """Those of the names, or all.

    Raises:
        SuiteError: for an unknown name.
    """
    known = {**FAULTS, **PAIRS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise SuiteError(f"There is no fault '{wrong[0]}': there are {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())


def run_faults(faults: Sequence[Fault], keep: Path | None = None) -> dict[str, dict[str, Any]]:
    """The table, in the order of the kinds of suite that they need; what happened goes into the folder `keep`."""
    rows: dict[str, dict[str, Any]] = {}
    for kind in FaultSetup:
        left = [fault for fault in faults if fault.kind is kind]
        while left:
            # A suite that a fault has left behind broken is no place for the next one.
            left = left[_run_in_one_suite(kind, left, rows, keep) :]
    return {fault.name: rows[fault.name] for fault in faults}


def _run_in_one_suite(
    kind: FaultSetup, faults: Sequence[Fault], rows: dict[str, dict[str, Any]], keep: Path | None
) -> int:
    """Until one does not end well; how many were made."""
    try:
        with _ground(kind) as ground, TrialSuite(ground.plan) as suite, FaultWatch(suite.web_port) as watch:
            hands = FaultHands(suite, ground.disk, ground.clock)
            for number, fault in enumerate(faults):
                report(f'{fault.name}: {fault.does} ...')
                try:
                    found, happened = run_fault(fault, hands, watch)
                except NeverReady as error:
                    report(f'  {error} The suite is started again.')
                    if number:
                        return number
                    # Nor in a suite of its own: that is a fault, too.
                    rows[fault.name] = never_ready(fault, str(error))
                    return 1
                rows[fault.name] = found
                report(f'  {found}')
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f'{fault.name}.txt').write_text('\n'.join(happened) + '\n', encoding='utf-8')
                if found['recover_s'] is None:
                    return number + 1
    except Impossible as error:
        rows.update({fault.name: {'does': fault.does, 'skipped': str(error)} for fault in faults})
    return len(faults)


@contextmanager
def _ground(kind: FaultSetup) -> Iterator[_Ground]:
    """Raises Impossible."""
    with tempfile.TemporaryDirectory(prefix='gremsy_faults_') as name:
        folder = Path(name)
        if kind is FaultSetup.CLOCK:
            yield _ground_with_clock(folder)
        elif kind is FaultSetup.DISK:
            with _small_disk(folder) as disk:
                traces = {'trace_dir': str(disk / 'trace')}
                nodes = ('eo/camera', 'eo/detector', 'eo/tracker', 'gimbal_driver')
                plan = SuitePlan(parameters=dict.fromkeys(nodes, traces), log_folder=disk / 'log')
                yield _Ground(plan, disk=disk)
        else:
            yield _Ground(SuitePlan(composed=kind is FaultSetup.COMPOSED))


def _ground_with_clock(folder: Path) -> _Ground:
    """A clock of its own, built here: what is preloaded is forty lines of C."""
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        raise Impossible('There is no C compiler to build the jumping clock with: apt-get install gcc')
    library, clock = folder / 'jumping_clock.so', folder / 'clock'
    words = [compiler, '-shared', '-fPIC', '-O1', '-Wall', '-o', str(library), str(_CLOCK_SOURCE), '-ldl']
    built = subprocess.run(words, capture_output=True, text=True, check=False)
    if built.returncode:
        raise Impossible(f'The jumping clock cannot be built: {built.stderr.strip()}')
    set_clock(clock, 0.0)
    return _Ground(SuitePlan(environment={'LD_PRELOAD': str(library), 'JUMPING_CLOCK': str(clock)}), clock=clock)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / 'disk'
    disk.mkdir()
    if os.geteuid() != 0:
        raise Impossible('Only root may mount a small disk to fill: run the benchmark as root in a container.')
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', f'size={_DISK_BYTES}', 'none', str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise Impossible(f'A small disk to fill cannot be mounted: {mounted.stderr.strip()}')
    try:
        yield disk
    finally:
        subprocess.run(['umount', '-l', str(disk)], check=True)
