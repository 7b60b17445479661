# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
import threading

import pytest

from gremsy_common.timing.worker import Worker


def test_worker_goes_on_after_a_step_that_raises():
    errors, done, steps = [], threading.Event(), []

    def step():
        steps.append(1)
        if len(steps) == 1:
            raise ValueError('once')
        done.set()

    worker = Worker('w', step, errors.append)
    worker.start()
    assert done.wait(5.0)
    assert worker.stop()
    assert [str(error) for error in errors] == ['once']


def test_stopped_worker_does_no_further_step():
    steps = []
    worker = Worker('w', lambda: (steps.append(1), threading.Event().wait(0.01)), lambda error: None)
    worker.start()
    assert worker.stop()
    count = len(steps)
    threading.Event().wait(0.05)
    assert len(steps) == count


def test_a_nice_worker_lowers_only_its_own_priority():
    seen = []
    worker = Worker('w', lambda: seen.append(os.getpriority(os.PRIO_PROCESS, 0)), lambda error: None, niceness=7)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    worker.start()
    while not seen:
        threading.Event().wait(0.01)
    worker.stop()
    assert seen[0] == max(before, 7)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.parametrize('user', [None, 65534], ids=['own user', 'nobody'])
def test_a_worker_of_a_process_that_is_nicer_still_keeps_to_that(user):
    """As under `nice ./gremsy demo`: to take less is a privilege, without which the thread ended at its start."""
    if user is not None and os.geteuid() != 0:
        pytest.skip('only root can become another user')
    script = (
        'import os, sys, threading\n'
        'from gremsy_common.timing.worker import yield_to_others\n'
        'os.nice(10 - os.nice(0))\n'
        'if sys.argv[1] != "None": os.setuid(int(sys.argv[1]))\n'
        'yield_to_others(7)\n'
        'print(os.getpriority(os.PRIO_PROCESS, 0))\n'
    )
    done = subprocess.run([sys.executable, '-c', script, str(user)], capture_output=True, text=True, check=True)
    assert done.stdout == '10\n'
