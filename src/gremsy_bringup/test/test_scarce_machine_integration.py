# SPDX-License-Identifier: Apache-2.0
"""A machine without loopback, room in shared memory or on its disk: the cause, and a status, before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gremsy_bringup.supervise.this_machine import lack_of_shared_memory

pytestmark = pytest.mark.integration

SHM = '/dev/shm'


def apart(words: Sequence[str], *, script: str = 'true', network: bool = False) -> tuple[int, str]:
    """Status and last words of a program in namespaces of its own, after a script has changed them."""
    spaces = ['--map-root-user', '--mount', *(['--net'] if network else [])]
    inside = ['sh', '-c', f'{script} && exec "$@"', 'sh', *words]
    trial = subprocess.run(['unshare', *spaces, 'sh', '-c', script], capture_output=True, text=True, check=False)
    if trial.returncode:
        pytest.skip(f'no namespaces of its own on this machine: {trial.stderr.strip()}')
    ended = subprocess.run(
        ['unshare', *spaces, *inside], capture_output=True, text=True, check=False, timeout=60, env=os.environ
    )
    return ended.returncode, ended.stderr


def module(name: str, *words: str) -> list[str]:
    return [sys.executable, '-m', name, *words]


@pytest.mark.parametrize(
    'words',
    [
        module('gremsy_bringup.run', 'sim:=true'),
        module('gremsy_bringup.demo.demo_command', '--headless', '--report', '/nowhere/report'),
        module('gremsy_bringup.ask.ask_node', 'topics'),
    ],
    ids=['run', 'demo', 'topics'],
)
def test_a_machine_that_does_not_reach_itself_is_told_so(words: list[str]) -> None:
    assert apart(words, network=True) == (
        2,
        'This machine does not reach itself at 127.0.0.1 (Network is unreachable), by which the processes of the suite '
        'find each other: switch the loopback interface on (`sudo ip link set lo up`).\n',
    )


@pytest.mark.parametrize(
    ('options', 'reason'), [('ro,size=1m', 'Read-only file system'), ('size=100k', 'No space left on device')]
)
def test_shared_memory_that_cannot_hold_the_simulated_payload_is_said(options: str, reason: str) -> None:
    words = module('gremsy_gimbal_sim.sim_payload', '--udp', '127.0.0.1:0', '--truth-ring', 'scarce')
    assert apart(words, script=f'mount -t tmpfs -o {options} scarce {SHM}') == (
        2,
        f'sim_payload: Shared memory for the simulated payload cannot be made in {SHM} ({reason}): 192 kB are needed; '
        f'mount it writable and larger (`sudo mount -o remount,rw,size=512m {SHM}`; in Docker `--shm-size=256m`).\n',
    )


def test_a_report_on_a_full_disk_is_said_before_anything_starts(tmp_path: Path) -> None:
    fill = f'mount -t tmpfs -o size=1,nr_inodes=20 scarce {tmp_path} && mkdir {tmp_path}/report'
    words = module('gremsy_bringup.demo.demo_command', '--headless', '--report', f'{tmp_path}/report')
    status, said = apart(words, script=f'{fill} && head -c 4096 /dev/zero > {tmp_path}/full')
    assert (status, said) == (
        2,
        f'The report folder {tmp_path}/report cannot be written to (No space left on device): name another with '
        '`--report`.\n',
    )


def test_what_is_missing_of_shared_memory_is_said(tmp_path: Path) -> None:
    assert lack_of_shared_memory(1, tmp_path) == ''
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert lack_of_shared_memory(free * 2, tmp_path).startswith(f'The shared memory at {tmp_path} has ')
    gone = tmp_path / 'gone'
    assert lack_of_shared_memory(1, gone) == f'There is no shared memory at {gone} (No such file or directory)'
