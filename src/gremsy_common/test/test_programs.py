# SPDX-License-Identifier: Apache-2.0
"""A Ctrl-C while a program is still being imported, and in the midst of a job: one line, and a status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gremsy_common.programs import EndedBySignal, ended_by_signals

# Both wait for the signal; the second as a tool that answers it by nothing of its own.
_SLOW_TO_IMPORT = "print('here', flush=True)\nimport time\ntime.sleep(60)\n"
_SLOW_TO_WORK = "import time\ndef main():\n    print('here', flush=True)\n    time.sleep(60)\n"


@pytest.mark.parametrize('text', [_SLOW_TO_IMPORT, _SLOW_TO_WORK], ids=['importing', 'working'])
@pytest.mark.parametrize(('kind', 'status'), [('node', 0), ('tool', 130)])
def test_an_interrupt_ends_in_one_line(text: str, kind: str, status: int, tmp_path: Path) -> None:
    (tmp_path / 'slow.py').write_text(text)
    code = f'from gremsy_common.programs import {kind}; {kind}.slow.main()'
    paths = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    with subprocess.Popen(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started the tests may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == 'here\n'
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=20) == ('', 'Interrupted.\n')
        assert program.returncode == status


@pytest.mark.parametrize(
    ('text', 'status', 'said'),
    [
        ("import time\nprint('importing', flush=True)\ntime.sleep(30)\n", 130, 'Interrupted.\n'),
        ('raise SystemExit(3)', 3, ''),
        ('def main():\n    return 4\n', 4, ''),
    ],
    ids=['interrupted', 'ends itself', 'has a status'],
)
def test_a_module_that_is_run_as_a_tool_ends_in_one_line_or_by_itself(
    text: str, status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / 'slow.py').write_text(text)
    command = [sys.executable, '-m', 'gremsy_common.programs', 'slow']
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline():
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (status, said)


# Signals come while the stop that the first asked for is in the midst of its work.
_STOPPING = """
import os, signal
from gremsy_common.programs import stop_by_signals
calls = []
def stop():
    calls.append(len(calls))
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
stop_by_signals(stop)
os.kill(os.getpid(), signal.SIGINT)
print(calls)
"""


def test_only_the_first_signal_is_heard() -> None:
    ended = subprocess.run([sys.executable, '-c', _STOPPING], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, '[0]\n', '')


def test_what_a_program_returns_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / 'quick.py').write_text("def main():\n    return 'done'\n")
    code = 'from gremsy_common.programs import tool; print(tool.quick.main())'
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])}
    ended = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == 'done\n'


def test_a_signal_becomes_an_exception_but_for_a_hang_up_that_nohup_had_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(EndedBySignal) as ended, ended_by_signals():
            list(map(signal.raise_signal, (signal.SIGHUP, signal.SIGTERM)))
        assert (str(ended.value), ended.value.status) == ('SIGTERM', 143)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
