# SPDX-License-Identifier: Apache-2.0
"""Starts, watches, respawns and stops a set of processes, and leaves nothing behind however it ends.

One thread does everything (spawning included: see `ChildProcess`). Nothing outlives it: an ordered stop takes each
child with its whole group, and if the supervisor itself is killed the children get SIGTERM from the kernel
(`exec_guarded`) and then SIGKILL from the `reaper`.
"""

from __future__ import annotations

import contextlib
import enum
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.child_process import ChildProcess
from gremsy_bringup.supervise.process_spec import (
    CONFIGURATION_ERROR_STATUS,
    STARTED_AGAIN_VARIABLE,
    Backoff,
    ProcessSpec,
)

_REAPER = Path(__file__).with_name('reaper.py')
_POLL_S = 0.05
# What a dead child leaves in its group (the driver's deadman) gets this long for its last bytes.
_GROUP_GRACE_S = 0.5


class EventKind(enum.Enum):
    """What happened to a process."""

    STARTED = 'started'
    EXITED = 'exited'
    RESPAWNING = 'respawning'
    CONFIGURATION_ERROR = 'configuration error'
    REFUSED = 'refused'
    STOPPING = 'stopping'
    KILLED = 'killed'


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Something that happened to one process, or to all (no name), with a sentence for the log."""

    name: str
    kind: EventKind
    text: str


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A snapshot: `pid` while it runs, the last exit status once it ended, how often it was started again."""

    pid: int | None
    exit_status: int | None
    restarts: int


def sentence_of(name: str, last_records: Sequence[LogRecord]) -> str:
    """What a process said last that no node logged: its sentence for the user."""
    said = [record for record in last_records if not record.logger] or list(last_records)
    return said[-1].message if said else f'Process `{name}` cannot start as configured and did not say why.'


def _with_reason(slot: _Slot) -> ProcessSpec:
    """The spec with, in its environment, why the process is started again: its nodes say so in their diagnostics."""
    if not slot.how_it_ended:
        return slot.spec
    sentence = f'The process {slot.spec.name} {slot.how_it_ended} and was started again.'
    return replace(slot.spec, env={**slot.spec.env, STARTED_AGAIN_VARIABLE: sentence})


@dataclass(slots=True, eq=False)
class _Slot:
    """The place of one spec: its present child, if any, and when to start the next."""

    spec: ProcessSpec
    backoff: Backoff
    child: ChildProcess | None = None
    started_s: float = 0.0
    restart_at_s: float | None = None
    sweep_group_at_s: float | None = None
    dead: ChildProcess | None = None
    exit_status: int | None = None
    starts: int = 0
    how_it_ended: str = ''


class Supervisor:
    """Runs processes until `stop`, until all have ended, or until one reports a configuration error as it is started.

    One that has been started before and then reports one (a file that it needs is gone) is tried again, ever more
    seldom, and the others go on: what is gone may come back, and nobody on a robot would start it again.

    `on_record(record)` and `on_event(event)` are called on the supervisor's thread. `unlink_paths` are files
    (shared memory) removed once all processes have ended, also when the supervisor is killed.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        on_record: Callable[[LogRecord], None],
        on_event: Callable[[ProcessEvent], None],
        unlink_paths: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError(f'Two processes have one name in {", ".join(names)}: give each its own.')
        self._slots = [_Slot(spec, Backoff(spec.restart)) for spec in specs]
        self._on_record = on_record
        self._on_event = on_event
        self._unlink_paths = tuple(unlink_paths)
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reaper: subprocess.Popen[str] | None = None
        self.failure: str | None = None
        """The sentence of the configuration error that ended everything, if one did."""
        self._error: BaseException | None = None
        self.stopped_on_request = False
        """Whether the end came from `stop`, not from the processes."""

    def start(self) -> None:
        """Start every process, in the order given."""
        grace = max((slot.spec.grace_s for slot in self._slots), default=0.0)
        self._reaper = subprocess.Popen(
            [sys.executable, '-I', '-S', str(_REAPER), str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        for path in self._unlink_paths:
            self._tell_reaper(f'unlink {path}')
        self._thread = threading.Thread(target=self._run, name='supervisor', daemon=False)
        self._thread.start()

    def request_stop(self) -> None:
        """Begin the ordered stop; returns at once (safe in a signal handler)."""
        if not self._stop.is_set():
            self.stopped_on_request = self._thread is not None and self._thread.is_alive()
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """True once everything has ended."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True

    def stop(self) -> None:
        """Stop in order and wait for the end; harmless when nothing runs."""
        self.request_stop()
        self.wait()

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def states(self) -> dict[str, ProcessState]:
        """A snapshot per process name."""
        return {
            slot.spec.name: ProcessState(
                slot.child.pid if slot.child else None, slot.exit_status, max(0, slot.starts - 1)
            )
            for slot in self._slots
        }

    def _tell_reaper(self, line: str) -> None:
        assert self._reaper is not None
        assert self._reaper.stdin is not None
        try:
            self._reaper.stdin.write(line + '\n')
        except BrokenPipeError:
            # Somebody killed it: the children still have their parent-death signal.
            return

    def _event(self, slot: _Slot, kind: EventKind, text: str) -> None:
        self._on_event(ProcessEvent(slot.spec.name, kind, text))

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                self._watch(selector)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self._error = error
        finally:
            self._end_reaper()

    def _watch(self, selector: selectors.BaseSelector) -> None:
        try:
            for slot in self._slots:
                self._spawn(slot, selector)
            while not self._stop.is_set() and any(s.child or s.restart_at_s is not None for s in self._slots):
                self._step(selector)
                now = self._clock()
                for slot in self._slots:
                    if slot.restart_at_s is not None and now >= slot.restart_at_s:
                        self._spawn(slot, selector)
        finally:
            self._stop_in_order(selector)

    def _spawn(self, slot: _Slot, selector: selectors.BaseSelector) -> None:
        slot.restart_at_s = None
        self._sweep(slot)
        try:
            child = ChildProcess.spawn(_with_reason(slot))
        except OSError as error:
            self._fail(slot, str(error))
            return
        self._tell_reaper(f'add {child.pid}')
        slot.child, slot.started_s, slot.starts = child, self._clock(), slot.starts + 1
        selector.register(child, selectors.EVENT_READ, slot)
        self._event(slot, EventKind.STARTED, f'{slot.spec.name} started, pid {child.pid}.')

    def _fail(self, slot: _Slot, sentence: str) -> None:
        if self.failure is None:
            self.failure = sentence
        self._event(slot, EventKind.CONFIGURATION_ERROR, sentence)
        self._stop.set()

    def _step(self, selector: selectors.BaseSelector) -> None:
        """Pass output on and notice ends; takes at most one poll interval."""
        busy = False
        for key, _ in selector.select(_POLL_S):
            slot = key.data
            records = slot.child.read_records()
            busy = busy or bool(records)
            self._pass_on(records)
        if not busy:
            # A pipe at its end is always readable: do not spin on it until the process is gone.
            time.sleep(_POLL_S / 10)
        for slot in self._slots:
            if slot.child is not None and (status := slot.child.poll()) is not None:
                self._ended(slot, slot.child, status, selector)
            if slot.sweep_group_at_s is not None and self._clock() >= slot.sweep_group_at_s:
                self._sweep(slot)

    def _pass_on(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            self._on_record(record)

    def _ended(self, slot: _Slot, child: ChildProcess, status: int, selector: selectors.BaseSelector) -> None:
        selector.unregister(child)
        self._pass_on(child.close_output())
        slot.child, slot.exit_status, slot.dead = None, status, child
        if child.group_alive():
            slot.sweep_group_at_s = self._clock() + _GROUP_GRACE_S
        else:
            self._sweep(slot)
        if self._stop.is_set():
            return
        if status == CONFIGURATION_ERROR_STATUS:
            self._refuse(slot, sentence_of(slot.spec.name, child.last_records))
            return
        how = slot.how_it_ended = f'was ended by signal {-status}' if status < 0 else f'ended with status {status}'
        lines = [line.strip() for record in child.last_records for line in record.message.splitlines() if line.strip()]
        if status > 0 and slot.starts > 1 and lines:
            # Again: nobody has read what scrolled by.
            how = slot.how_it_ended = f'{how} ({lines[-1].rstrip(".")})'
        if not slot.spec.restart.respawn:
            self._event(slot, EventKind.EXITED, f'{slot.spec.name} {how}.')
            return
        delay_s = slot.backoff.delay_s(self._clock() - slot.started_s)
        slot.restart_at_s = self._clock() + delay_s
        self._event(slot, EventKind.RESPAWNING, f'{slot.spec.name} {how}; starting it again in {delay_s:.1f} s.')

    def _refuse(self, slot: _Slot, sentence: str) -> None:
        if slot.starts == 1:
            self._fail(slot, sentence)
            return
        delay_s = slot.backoff.delay_s(0.0)
        slot.restart_at_s = self._clock() + delay_s
        slot.how_it_ended = f'could not start ({sentence.rstrip(".")})'
        text = f'{slot.spec.name} cannot run now and is tried again in {delay_s:.1f} s, the others go on: {sentence}'
        self._event(slot, EventKind.REFUSED, text)

    def _sweep(self, slot: _Slot) -> None:
        """End what a dead child left behind in its group."""
        if slot.dead is not None:
            slot.dead.kill_group()
            self._tell_reaper(f'remove {slot.dead.pid}')
        slot.dead, slot.sweep_group_at_s = None, None

    def _stop_in_order(self, selector: selectors.BaseSelector) -> None:
        self._stop.set()
        running = [slot.spec for slot in self._slots if slot.child is not None]
        if self.stopped_on_request and running:
            longest_s = max(spec.grace_s for spec in running)
            text = f'Stopping {", ".join(spec.name for spec in running)}, which takes at most {longest_s:g} s each.'
            self._on_event(ProcessEvent('', EventKind.STOPPING, text))
        for rank in sorted({slot.spec.stop_rank for slot in self._slots}):
            self._stop_rank([slot for slot in self._slots if slot.spec.stop_rank == rank], selector)
        deadline = self._clock() + _GROUP_GRACE_S
        while any(slot.dead for slot in self._slots) and self._clock() < deadline:
            self._step(selector)
        for slot in self._slots:
            self._sweep(slot)

    def _stop_rank(self, slots: list[_Slot], selector: selectors.BaseSelector) -> None:
        asked_s = self._clock()
        for slot in slots:
            slot.restart_at_s = None
            if slot.child is not None:
                slot.child.terminate()
        killed: set[str] = set()
        while any(slot.child for slot in slots):
            self._step(selector)
            for slot in slots:
                overdue = self._clock() - asked_s > slot.spec.grace_s
                if slot.child is not None and overdue and slot.spec.name not in killed:
                    killed.add(slot.spec.name)
                    slot.child.kill()
                    self._event(
                        slot,
                        EventKind.KILLED,
                        f'{slot.spec.name} did not end within {slot.spec.grace_s:.1f} s of SIGTERM and was killed.',
                    )

    def _end_reaper(self) -> None:
        assert self._reaper is not None
        assert self._reaper.stdin is not None
        self._tell_reaper('done')
        with contextlib.suppress(BrokenPipeError):
            self._reaper.stdin.close()
        self._reaper.wait()
        for path in self._unlink_paths:
            # Of what is not there, a file system that is mounted read-only says that it is read-only.
            if path.exists():
                path.unlink(missing_ok=True)
