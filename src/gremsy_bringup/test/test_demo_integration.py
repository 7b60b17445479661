# SPDX-License-Identifier: Apache-2.0
"""The demo itself, on a few seconds of real processes: its report, its end, and what it leaves behind (nothing)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from gremsy_bringup.describe.system_description import SimulatedPayload
from gremsy_common.timing.trace import read_trace

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

pytestmark = pytest.mark.integration

PATIENCE_S = 90.0


@pytest.fixture(scope='module')
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of a bright square that walks: nothing to detect, but a video to run the loop on."""
    path = tmp_path_factory.mktemp('footage') / 'square.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (384, 288))
    assert writer.isOpened()
    for index in range(50):
        image = np.full((288, 384, 3), 60, np.uint8)
        image[120:180, 20 + 6 * index : 60 + 6 * index] = 230
        writer.write(image)
    writer.release()
    return path


def processes_of(report: Path) -> list[int]:
    """Every process whose command line names the report folder, or the truth ring that its parameters name."""
    names = [str(report)]
    parameters = report / 'parameters.yaml'
    if parameters.is_file() and '?ring=' in parameters.read_text():
        names.append(parameters.read_text().partition('?ring=')[2].split()[0])
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().decode(errors='replace')
        except OSError:
            continue
        if int(folder.name) != os.getpid() and any(name in words for name in names):
            found.append(int(folder.name))
    return found


def truth_rings(report: Path) -> list[Path]:
    ring = (report / 'parameters.yaml').read_text().partition('?ring=')[2].split()[0]
    return list(Path('/dev/shm').glob(f'*{ring}*'))


def wait_until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start(report: Path, footage: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            '-m',
            'gremsy_bringup.demo.demo_command',
            '--video',
            str(footage),
            '--report',
            str(report),
            *more,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def started(tmp_path: Path, footage: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demo without an end, in full swing."""
    report = tmp_path / 'report'
    process = start(report, footage, '--duration', '0', '--headless')
    try:
        wait_until(lambda: any('"track"' in path.read_text() for path in report.glob('trace/*tracker*.jsonl')))
        yield process, report
    finally:
        process.kill()
        process.communicate()


def test_the_demo_runs_its_time_and_leaves_a_report(tmp_path: Path, footage: Path) -> None:
    report = tmp_path / 'report'
    process = start(report, footage, '--duration', '6')
    output, _ = process.communicate(timeout=PATIENCE_S)
    log = (report / 'processes.log').read_text() if (report / 'processes.log').exists() else ''
    assert process.returncode == 0, output + log
    summary = json.loads((report / 'summary.json').read_text())
    assert summary['frames'] > 30
    assert summary['detections_per_s'] > 0
    assert summary['restarts'] == {'payload': 0, 'loop': 0, 'gimbal': 0}
    assert [film['file'] for film in summary['films']] == ['demo.mp4']
    read, image = cv2.VideoCapture(str(report / 'demo.mp4')).read()
    assert read
    assert image.shape == (480, 640, 3)
    # Filmed as long as the driver moved the gimbal or could have: not the stop, with its alarms.
    filmed, moved = (
        max(event['stamp_ns'] for event in read_trace(report / 'trace') if event['kind'] in kinds)
        for kinds in (('encoded',), ('track',))
    )
    assert moved - filmed > 100_000_000
    assert ' fps ' in output
    assert f'report in {report}' in output
    assert 'terminate called' not in log
    assert 'Traceback' not in log
    assert processes_of(report) == []
    assert truth_rings(report) == []


def test_ctrl_c_stops_it_and_the_report_is_written(started: tuple[subprocess.Popen[str], Path]) -> None:
    process, report = started
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert (report / 'summary.json').is_file()
    assert processes_of(report) == []
    assert truth_rings(report) == []


def test_sigkill_of_the_demo_leaves_no_process_and_no_shared_memory(
    started: tuple[subprocess.Popen[str], Path],
) -> None:
    process, report = started
    pids = processes_of(report)
    # Payload, driver, loop: frames stay in the process, so none of them has DDS shared memory to leave behind.
    assert len(pids) >= 4
    for pid in pids:
        assert '/dev/shm/fastrtps' not in Path(f'/proc/{pid}/maps').read_text()
    process.kill()
    process.wait()
    wait_until(lambda: processes_of(report) == [], 20.0)
    wait_until(lambda: truth_rings(report) == [], 5.0)


def test_a_loop_that_is_killed_comes_back_and_is_armed_again(started: tuple[subprocess.Popen[str], Path]) -> None:
    process, report = started
    log = report / 'processes.log'

    def pids_said(name: str) -> list[str]:
        return [
            line.rpartition(' ')[2].rstrip('.') for line in log.read_text().splitlines() if f'{name} started' in line
        ]

    os.kill(int(pids_said('gimbal')[-1]), signal.SIGKILL)
    wait_until(lambda: len(pids_said('gimbal')) == 2)
    assert process.poll() is None
    wait_until(lambda: log.read_text().count('The gimbal is armed') == 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert json.loads((report / 'summary.json').read_text())['restarts']['gimbal'] == 1


def test_a_payload_port_in_use_ends_run_with_its_sentence() -> None:
    port = SimulatedPayload().udp_port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        # Where another run on this machine has it already, it is in use all the same.
        with contextlib.suppress(OSError):
            taken.bind(('127.0.0.1', port))
        ended = subprocess.run(
            [sys.executable, '-m', 'gremsy_bringup.run', 'sim:=true', 'namespace:=port_in_use'],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert ended.returncode == 2
    assert f'{port}' in ended.stderr.splitlines()[-1]
    assert 'Traceback' not in ended.stdout + ended.stderr
