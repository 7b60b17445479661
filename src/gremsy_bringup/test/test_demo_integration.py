# SPDX-License-Identifier: Apache-2.0
"""The demo itself, on a few seconds of real processes: its report, its end, and what it leaves behind (nothing)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from gremsy_bringup.describe.system_description import PayloadStart
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


def parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(')')[2].split()[1])  # proc(5), field 4
    except OSError:
        return 0


SERVER = ('ROS_DISCOVERY_SERVER', '127.0.0.1:11899')


@pytest.fixture
def started(
    tmp_path: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demo without an end, in full swing, of somebody whose robots meet at a server that is away."""
    monkeypatch.setenv(*SERVER)
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
    assert summary['restarts'] == dict.fromkeys(('payload', 'video', 'loop', 'gimbal', 'web'), 0)
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


@pytest.mark.slow
def test_a_track_that_is_asked_for_by_its_number_is_the_only_one_that_may_be_followed(
    tmp_path: Path, footage: Path
) -> None:
    report = tmp_path / 'report'
    process = start(report, footage, '--duration', '4', '--headless', '--target', '7')
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    # The tracker itself tells what it was asked for; a log has a line of it every five seconds, and where the loop is
    # slow to start the only one comes before the target's number.
    assert re.search(r' s  asked for (7|nearest:person), searching -  ', output), output
    assert '\nasked for 7, followed nobody\n' in output
    assert '\x1b' not in output
    assert 'Next:' not in output
    reasons = {each['reason'] for each in read_trace(report / 'trace') if each['kind'] == 'track' and each['asked']}
    # The lock may be on before the target's number has come.
    assert reasons - {'no target was chosen'} == {'track 7 was chosen by request, waiting to see it'}


@pytest.mark.slow
def test_the_demo_is_seen_in_a_browser(tmp_path: Path, footage: Path) -> None:
    report = tmp_path / 'report'
    process = start(report, footage, '--duration', '0')
    try:
        for line in process.stdout:
            address = re.search(r'Watch and steer it in a browser: (http://127\.0\.0\.1:\d+)/', line)
            if address:
                break
        assert address, (report / 'processes.log').read_text()
        assert asyncio.run(pictures_seen(f'{address[1]}/video/eo/whep', 20)) == (640, 480)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
    finally:
        process.kill()
        process.communicate()
    assert 'Traceback' not in (report / 'processes.log').read_text()
    assert processes_of(report) == []


async def pictures_seen(url: str, count: int) -> tuple[int, int]:
    """Width and height, once a viewer (aiortc in a browser's place) has decoded so many pictures."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
    connection.on('track', tracks.put_nowait)
    connection.addTransceiver('video', 'recvonly')
    await connection.setLocalDescription(await connection.createOffer())
    headers = {'Content-Type': 'application/sdp', 'X-Gremsy': '1'}
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(url, content=connection.localDescription.sdp, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers['Location'].startswith('/video/eo/whep/')
    await connection.setRemoteDescription(RTCSessionDescription(answer.text, 'answer'))
    track = await asyncio.wait_for(tracks.get(), PATIENCE_S)
    for _ in range(count):
        frame = await asyncio.wait_for(track.recv(), PATIENCE_S)
    await connection.close()
    return frame.width, frame.height


def test_ctrl_c_stops_it_and_the_report_is_written(started: tuple[subprocess.Popen[str], Path]) -> None:
    process, report = started
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert (report / 'summary.json').is_file()
    assert processes_of(report) == []
    assert truth_rings(report) == []


def test_it_has_a_network_of_its_own(started: tuple[subprocess.Popen[str], Path]) -> None:
    process, _ = started
    everybodys = [
        each.with_name('environ') for each in Path('/proc').glob('[0-9]*/stat') if parent(each) == process.pid
    ]
    assert len(everybodys) >= 3
    for path in everybodys:
        variables = path.read_bytes().split(b'\0')
        assert not any(each.startswith(SERVER[0].encode()) for each in variables)
        assert any(each.endswith(b'/fastdds_loopback.xml') for each in variables)


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


def test_a_payload_whose_port_is_in_use_takes_the_next_that_is_free() -> None:
    port = PayloadStart().udp_port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        # Where another run on this machine has it already, it is in use all the same.
        with contextlib.suppress(OSError):
            taken.bind(('127.0.0.1', port))
        run = subprocess.Popen(
            [sys.executable, '-m', 'gremsy_bringup.run', 'sim:=true', 'namespace:=port_in_use', 'cameras:='],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert run.stdout is not None
        said = []
        for line in run.stdout:
            said.append(line)
            if 'Found the gimbal' in line:
                break
        run.send_signal(signal.SIGINT)
        said += run.communicate(timeout=PATIENCE_S)[0].splitlines(keepends=True)
    assert run.returncode == 0, said
    (bound,) = (int(line.split()[-1]) for line in said if 'udp port' in line)
    assert bound > port
    assert any(f'on udp://127.0.0.1:{bound}.' in line for line in said), said
