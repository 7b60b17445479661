# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import sys
import time

import pytest

from gremsy_bringup.supervise.interruptible import EXIT_INTERRUPTED

SLOW_IMPORT = """
import time
print('importing', flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize(
    ('module', 'status', 'said'), [(SLOW_IMPORT, EXIT_INTERRUPTED, 'Interrupted.\n'), ('raise SystemExit(3)', 3, '')]
)
def test_a_ctrl_c_while_importing_ends_in_one_line_and_other_ends_are_the_modules_own(tmp_path, module, status, said):
    (tmp_path / 'slow.py').write_text(module, encoding='utf-8')
    command = [sys.executable, '-m', 'gremsy_bringup.supervise.interruptible', 'slow']
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if process.stdout.readline():
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (status, said)
