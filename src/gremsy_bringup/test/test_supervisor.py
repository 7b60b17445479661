# SPDX-License-Identifier: Apache-2.0
"""The supervisor over real, tiny Python children: order, back-off, configuration errors, no orphan whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.process_spec import Backoff, ProcessSpec, RestartPolicy
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent, Supervisor

QUICK = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.1)
ONCE = RestartPolicy(respawn=False)
PATIENCE_S = 20.0


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, '-I', '-S', '-c', textwrap.dedent(code))


SLEEPER = python("import time; print('up', flush=True); time.sleep(60)")
DEAF = python(
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


class Recorder:
    """Collects what the supervisor says and lets a test wait for it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.events: list[ProcessEvent] = []
        self._changed = threading.Condition()

    def on_record(self, record: LogRecord) -> None:
        with self._changed:
            self.lines.append((record.process, record.text))
            self._changed.notify_all()

    def on_event(self, event: ProcessEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), (self.lines, self.events)

    def kinds(self, name: str) -> list[EventKind]:
        return [event.kind for event in self.events if event.name == name]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def supervise(recorder: Recorder, *specs: ProcessSpec, **more: object) -> Supervisor:
    return Supervisor(specs, recorder.on_record, recorder.on_event, **more)  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    """True when the process is no more, or is a zombie that nobody reaps (a container whose init does not)."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_output_of_a_child_arrives_line_by_line_with_its_name(recorder: Recorder) -> None:
    spec = ProcessSpec('talker', python("print('one'); print('two', end='')"), restart=ONCE)
    with supervise(recorder, spec) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    assert recorder.lines == [('talker', 'one'), ('talker', 'two')]


def test_a_stop_on_request_says_what_it_waits_for_and_an_end_by_itself_does_not(recorder: Recorder) -> None:
    slow, calm = ProcessSpec('slow', SLEEPER, grace_s=30.0), ProcessSpec('calm', SLEEPER)
    with supervise(recorder, slow, calm):
        recorder.wait_for(lambda: len(recorder.lines) == 2)
    with supervise(recorder, ProcessSpec('short', python('pass'), restart=ONCE)) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    stopping = [event.text for event in recorder.events if event.kind is EventKind.STOPPING]
    assert stopping == ['Stopping slow, calm, which takes at most 30 s each.']


def test_a_child_that_logs_without_end_takes_nobody_else_s_turn(recorder: Recorder) -> None:
    mad = python("while True: print('y' * 60)")
    with supervise(recorder, ProcessSpec('mad', mad), ProcessSpec('calm', SLEEPER)) as supervisor:
        recorder.wait_for(lambda: ('calm', 'up') in recorder.lines)
        recorder.wait_for(lambda: sum(name == 'mad' for name, _ in recorder.lines) > 3000)
        supervisor.request_stop()
        assert supervisor.wait(PATIENCE_S)


def test_what_a_grandchild_writes_without_end_does_not_keep_the_end_of_its_parent(recorder: Recorder) -> None:
    parent = python(f"""
        import subprocess, time
        subprocess.Popen({list(python("while True: print('y' * 60)"))})
        time.sleep(0.3)
    """)
    with supervise(recorder, ProcessSpec('parent', parent, restart=ONCE)) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    assert recorder.kinds('parent') == [EventKind.STARTED, EventKind.EXITED]


def test_a_child_that_crashes_is_started_again_with_growing_delay(recorder: Recorder) -> None:
    spec = ProcessSpec('crasher', python("raise OSError('no such bus')"), restart=QUICK)
    with supervise(recorder, spec) as supervisor:
        recorder.wait_for(lambda: recorder.kinds('crasher').count(EventKind.STARTED) >= 3)
    assert supervisor.states()['crasher'].restarts >= 2
    texts = [event.text for event in recorder.events if event.kind is EventKind.RESPAWNING]
    assert texts[0] == 'crasher ended with status 1; starting it again in 0.1 s.'
    # Nobody has read what scrolled by: from the second time on its last line is said with it.
    assert texts[1].startswith('crasher ended with status 1 (OSError: no such bus); starting it again in ')
    assert supervisor.failure is None


def test_a_child_killed_from_outside_is_started_again(recorder: Recorder) -> None:
    spec = ProcessSpec('loop', SLEEPER, restart=QUICK)
    with supervise(recorder, spec) as supervisor:
        recorder.wait_for(lambda: ('loop', 'up') in recorder.lines)
        first = supervisor.states()['loop'].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        recorder.wait_for(lambda: recorder.lines.count(('loop', 'up')) == 2)
        assert supervisor.states()['loop'].pid not in (None, first)


def test_a_child_that_is_started_again_is_told_why(recorder: Recorder) -> None:
    says = python("import os, time; print(os.environ.get('GREMSY_STARTED_AGAIN', 'first'), flush=True); time.sleep(60)")
    with supervise(recorder, ProcessSpec('loop', says, restart=QUICK)) as supervisor:
        recorder.wait_for(lambda: ('loop', 'first') in recorder.lines)
        first = supervisor.states()['loop'].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        told = ('loop', 'The process loop was ended by signal 9 and was started again.')
        recorder.wait_for(lambda: told in recorder.lines)


@pytest.mark.parametrize(
    ('lived_s', 'expected'),
    [(9.999, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]), (10.0, [0.5] * 7)],
    ids=['unhealthy', 'healthy'],
)
def test_back_off_doubles_up_to_its_limit_and_starts_over_after_a_healthy_life(
    lived_s: float, expected: list[float]
) -> None:
    backoff = Backoff(RestartPolicy())
    assert [backoff.delay_s(lived_s) for _ in expected] == expected


def test_a_configuration_error_ends_everything_and_its_sentence_is_kept(recorder: Recorder) -> None:
    wrong = ProcessSpec('camera', python("import sys; print('No file `x`: give one.'); sys.exit(2)"), restart=QUICK)
    with supervise(recorder, ProcessSpec('payload', SLEEPER), wrong) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    assert supervisor.failure == 'No file `x`: give one.'
    assert recorder.kinds('camera') == [EventKind.STARTED, EventKind.CONFIGURATION_ERROR]
    assert supervisor.states()['payload'].pid is None


def test_one_that_ran_and_then_refuses_its_configuration_is_tried_again_and_the_others_go_on(
    recorder: Recorder, tmp_path: Path
) -> None:
    ran = tmp_path / 'ran'
    fragile = python(
        f"""
        import pathlib, sys
        ran = pathlib.Path({str(ran)!r})
        starts = len(ran.read_text()) if ran.exists() else 0
        ran.write_text('x' * (starts + 1))
        if starts == 0:
            sys.exit(1)
        if starts < 3:
            print('No file `x`: give one.')
            sys.exit(2)
        import os, time
        print(os.environ['GREMSY_STARTED_AGAIN'], flush=True)
        time.sleep(60)
        """
    )
    with supervise(
        recorder, ProcessSpec('loop_eo', SLEEPER), ProcessSpec('loop_ir', fragile, restart=QUICK)
    ) as supervisor:
        told = 'The process loop_ir could not start (No file `x`: give one) and was started again.'
        recorder.wait_for(lambda: ('loop_ir', told) in recorder.lines)
        assert supervisor.failure is None
        assert supervisor.states()['loop_eo'].pid is not None
    assert recorder.kinds('loop_ir') == [
        EventKind.STARTED,
        EventKind.RESPAWNING,
        EventKind.STARTED,
        EventKind.REFUSED,
        EventKind.STARTED,
        EventKind.REFUSED,
        EventKind.STARTED,
    ]
    assert [event.text for event in recorder.events if event.kind is EventKind.REFUSED] == [
        'loop_ir cannot run now and is tried again in 0.1 s, the others go on: No file `x`: give one.'
    ] * 2


def test_a_program_that_does_not_exist_is_named(recorder: Recorder) -> None:
    with supervise(recorder, ProcessSpec('web', ('no-such-program-here',))) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    assert supervisor.failure == (
        'Process `web` cannot start: there is no program `no-such-program-here`; run `./gremsy setup` and start again.'
    )


def test_ranks_stop_one_after_the_other(recorder: Recorder) -> None:
    slow = python(
        """
        import os, signal, sys, time
        # Not by print, which may be at work when the signal comes.
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), os.write(1, b'stopped\\n'), sys.exit(0)))
        print('up', flush=True)
        time.sleep(60)
        """
    )
    specs = [ProcessSpec(name, slow, stop_rank=rank) for name, rank in (('payload', 2), ('gimbal', 0), ('loop', 1))]
    with supervise(recorder, *specs):
        recorder.wait_for(lambda: sum(line == 'up' for _, line in recorder.lines) == 3)
    assert [name for name, line in recorder.lines if line == 'stopped'] == ['gimbal', 'loop', 'payload']


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(recorder: Recorder) -> None:
    with supervise(recorder, ProcessSpec('stuck', DEAF, grace_s=0.2)) as supervisor:
        recorder.wait_for(lambda: ('stuck', 'up') in recorder.lines)
    assert [event.text for event in recorder.events if event.kind is EventKind.KILLED] == [
        'stuck did not end within 0.2 s of SIGTERM and was killed.'
    ]
    assert supervisor.states()['stuck'].exit_status == -signal.SIGKILL


def test_grandchildren_left_behind_by_a_child_are_ended(recorder: Recorder) -> None:
    code = f'import subprocess as s; print(s.Popen({SLEEPER!r}, stdout=s.DEVNULL).pid, flush=True)'
    with supervise(recorder, ProcessSpec('parent', python(code), restart=ONCE)) as supervisor:
        assert supervisor.wait(PATIENCE_S)
    wait_until(lambda: gone(int(recorder.lines[0][1])))


def test_nothing_survives_sigkill_of_the_supervisor_not_even_a_deaf_child(tmp_path: Path) -> None:
    shared_memory = tmp_path / 'ring'
    shared_memory.touch()
    owner = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from gremsy_bringup.supervise.process_spec import ProcessSpec
        from gremsy_bringup.supervise.supervisor import Supervisor
        specs = [ProcessSpec("a", {SLEEPER!r}, grace_s=0.3), ProcessSpec("b", {DEAF!r}, grace_s=0.3)]
        supervisor = Supervisor(specs, lambda *_: None, lambda *_: None, unlink_paths=[Path({str(shared_memory)!r})])
        supervisor.start()
        while any(state.pid is None for state in supervisor.states().values()):
            time.sleep(0.01)
        time.sleep(0.3)
        print(*(state.pid for state in supervisor.states().values()), flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, '-c', owner], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert len(children) == 2
        process.kill()
    for pid in children:
        wait_until(lambda pid=pid: gone(pid))  # type: ignore[misc]
    wait_until(lambda: not shared_memory.exists())


def test_two_processes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r'^Two processes have one name in a, a: give each its own\.$'):
        Supervisor([ProcessSpec('a', ('x',)), ProcessSpec('a', ('y',))], lambda _: None, lambda _: None)
